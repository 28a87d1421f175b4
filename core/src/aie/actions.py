"""What a plugin says about an action, and what the action's handler is given and gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from logging import Logger
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct, field
from pydantic import BaseModel

from aie.credentials import Credentials
from aie.events import Event
from aie.plain import Json
from aie.touches import NOTHING, Touches


class Effect(StrEnum):
    """How far an action reaches."""

    NONE = "none"  # nothing outside aie's own journal
    LOCAL = "local"  # this machine and its vault
    EXTERNAL = "external"  # leaves the house: asks a person first


LOCKED_BY_DEFAULT = frozenset(
    {
        *("to", "cc", "bcc", "recipient", "recipients", "attendees", "reply_to"),
        *("amount", "total", "price", "currency", "items", "quantity"),
        *("account", "iban", "bic", "bank_account", "customer_id", "customer_email", "customer_name", "partner_id"),
        *("employee", "journal", "url", "host"),
    }
)
"""Parameters that say who gets something, how much, and from where: nobody changes them in passing."""


class ActionContext(Struct, frozen=True):
    """What a handler may know about the attempt it is making."""

    run_id: str
    step_id: str
    workflow_id: str
    workflow_name: str
    event: Mapping[str, Json]
    attempt: int  # 1 for the first
    idempotency_key: str  # the same for every attempt at this step, across restarts and machines
    now: datetime  # aware, UTC; the same for every attempt at this step
    timeout_s: float
    timezone: ZoneInfo
    vault: Path
    settings: Any  # the plugin's own settings model, validated
    log: Logger
    approval: Mapping[str, Json] | None = None  # how the person decided, where one was asked
    credentials: Credentials = field(default_factory=Credentials.none)  # of the plugin's connection
    cache_dir: Path = Path()  # a folder of the plugin's own, perhaps not there yet; what is in it can be lost


class Outcome(Struct, frozen=True):
    """A result with more to it: events that are recorded together with it, or a time before which the step is not done.

    A handler that has nothing of the kind to say returns its result, plain JSON data, as it is.
    """

    result: Json = None
    events: tuple[Event, ...] = ()
    wait_until: datetime | None = None  # aware


@dataclass(frozen=True, slots=True)
class LookUp:
    """What looking found out about an earlier attempt: ``happened`` None means it cannot be told."""

    happened: bool | None
    result: Json = None


@dataclass(frozen=True, slots=True)
class ActionHandler:
    """One action. The defaults are the careful ones: it asks first, and is never repeated by guessing.

    ``run(params, context)`` gets a validated ``params`` instance; it may be ``async`` (preferred) or a plain function,
    which then runs in a thread. It returns JSON data or an :class:`Outcome`. It raises
    :class:`~aie.errors.RetryableError` (did not happen, worth another try), :class:`~aie.errors.ActionError` (did not
    happen, not worth it) or :class:`~aie.errors.UncertainError` (cannot tell).
    """

    name: str
    params: type[BaseModel]
    run: Callable[[Any, ActionContext], Awaitable[Any] | Any]
    summary: str = ""
    result: type[BaseModel] | None = None
    effect: Effect = Effect.EXTERNAL
    repeatable: bool = False  # safe to run again with the same idempotency key
    look_up: Callable[[Any, ActionContext], Awaitable[LookUp]] | None = None
    asks: bool | None = None  # None: external actions ask
    note_kind: str = "APPROVAL"  # how approval notes are named: EMAIL, INVOICE, LINKEDIN_POST, CALENDAR, EXPENSE
    title_field: str | None = None  # the parameter that names the request in one line
    body_field: str | None = None  # the parameter shown as the body of the approval note
    locked_fields: frozenset[str] | None = None  # not to be changed while approving; None: see LOCKED_BY_DEFAULT
    example: Mapping[str, Any] | None = None  # parameters as a workflow may have them, for people and for tests
    preview: Callable[[Any, ActionContext], Awaitable[str] | str] | None = None  # Markdown: what exactly will happen
    facts: Callable[[Any, ActionContext], Mapping[str, Json]] | None = None  # for approval rules; local and fast
    expires_after: timedelta | None = None  # a request for it that nobody answered by then is rejected
    touches: Touches = NOTHING  # of an action that acts outside: at least its hosts

    @property
    def asks_first(self) -> bool:
        return self.effect is Effect.EXTERNAL if self.asks is None else self.asks

    @property
    def locked(self) -> frozenset[str]:
        """The parameters a person cannot change while approving."""
        return LOCKED_BY_DEFAULT if self.locked_fields is None else self.locked_fields

    @property
    def intent_first(self) -> bool:
        """Whether the journal must hold the attempt before it is made, because a repeat could do harm."""
        return not self.repeatable
