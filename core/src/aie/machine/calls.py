"""What the machine is told and what it says: an action's traits, calls to make, and how they came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from aie.permission import Permission
from aie.plain import Json
from aie.run import Run, RunStatus, StepRecord
from aie.workflow import Step


class Traits(Protocol):
    """What the machine needs to know of an action."""

    @property
    def outside(self) -> bool:
        """Whether it reaches outside the house."""
        ...

    @property
    def repeatable(self) -> bool: ...
    @property
    def can_look(self) -> bool: ...
    @property
    def optional(self) -> frozenset[str]:
        """The parameters that may be left out."""
        ...

    def check(self, params: Mapping[str, Json]) -> object:
        """What the action makes of them, for whoever calls it; :class:`ParameterError` if it cannot take them."""
        ...

    def permission(self, run: Run, step: Step, params: Mapping[str, Json], now: datetime) -> Permission:
        """Whether it may be carried out with these at once."""
        ...


TraitsOf = Callable[[str], Traits]
"""Gives the traits of an action type; :class:`PluginError` when it is not there."""


class Call(Struct, frozen=True):
    """Carry out one attempt, or look whether an earlier one happened."""

    index: int
    attempt: int
    params: Mapping[str, Json]
    key: str  # the idempotency key
    intent_first: bool  # its record is durable before the call is made
    look_up: bool = False
    checked: object = None  # what the action made of the parameters just now


class Advance(Struct, frozen=True):
    """What follows: the run as it stands now, the records that changed, and what to carry out."""

    run: Run
    status: RunStatus
    changed: tuple[StepRecord, ...] = ()
    calls: tuple[Call, ...] = ()
    wake_at: datetime | None = None
    error: Mapping[str, str] | None = None


# --- outcomes of a call ------------------------------------------------------------------------------------------


class Success(Struct, frozen=True):
    result: Json = None
    wait_until: datetime | None = None


class Failure(Struct, frozen=True):
    """It did not happen."""

    error: Mapping[str, str]
    retryable: bool = False
    retry_after_s: float | None = None


class Unknown(Struct, frozen=True):
    """It may have happened."""

    error: Mapping[str, str]


class Looked(Struct, frozen=True):
    """What a look-up (or a person) says about an earlier attempt; None: it cannot be told."""

    happened: bool | None
    result: Json = None


CallOutcome = Success | Failure | Unknown | Looked
