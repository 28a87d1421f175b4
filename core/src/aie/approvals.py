"""Approvals as the channels that show them see them: a note, a command, a page are views with one ``decide`` behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from logging import Logger
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from aie.credentials import Credentials
from aie.plain import Json
from aie.touches import NOTHING, Touches


class ApprovalState(StrEnum):
    """Each moves away from pending once, and never again."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Edit:
    """One parameter that a person changed while approving."""

    field: str
    before: Json
    after: Json

    def plain(self) -> dict[str, Json]:
        return {"field": self.field, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class Approval:
    """A request for one person's decision on one step of one run, bound to what was shown."""

    approval_id: str
    run_id: str
    step_id: str
    workflow_id: str
    workflow_name: str
    action_type: str
    note_kind: str  # EMAIL, INVOICE, …
    title: str
    body: str  # Markdown: what exactly will happen
    params: dict[str, Json]
    digest: str  # of params
    definition_hash: str
    reason: str  # the event, in one line
    state: ApprovalState
    requested_at: datetime
    expires_at: datetime | None
    decided_at: datetime | None = None
    decided_by: str = ""
    channel: str = ""
    comment: str = ""
    rule: str = ""  # the rule of aie.toml that has it asked; '' when it is the action itself
    required_channel: str = ""  # the only one that may decide; '' for any
    problem: str = ""  # why a rule that might have said otherwise could not be applied
    editable: tuple[str, ...] = ()  # parameters a person may change while approving
    body_field: str = ""  # the one of them that is the text of the note
    source_note: str = ""  # the vault path of the note or file that started it
    edits: tuple[Edit, ...] = ()  # what the person who approved it changed
    step_status: str = ""  # how the step stands: asked, started, succeeded, failed, …
    step_result: Json = None
    step_error: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of an answer: ``accepted`` is False when it came too late or the approval is not known."""

    accepted: bool
    approval: Approval | None
    message: str  # for the person: "approved", "was already rejected on …", "no such approval"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that waits for a person's word and is no approval. The id stays the same as long as the matter does."""

    notice_id: str
    title: str  # one line
    text: str  # what is known; may hold words from outside
    commands: tuple[tuple[str, str], ...]  # (what it does, the command), each of them a way on
    since: datetime  # aware, UTC


class ApprovalDesk(Protocol):
    """A channel's way to the approvals."""

    settings: Any
    vault: Path
    timezone: ZoneInfo
    credentials: Credentials  # of the plugin's connection
    log: Logger
    cache_dir: Path  # a folder of the plugin's own, perhaps not there yet; what is in it can be lost

    @property
    def now(self) -> datetime:
        """The time, aware, UTC."""
        ...

    @property
    def revision(self) -> int:
        """Grows whenever an approval, the step behind it or a notice changes: nothing to redraw while it does not."""
        ...

    def pending(self) -> Sequence[Approval]:
        """All requests that wait, oldest first."""
        ...

    def get(self, approval_id: str) -> Approval | None: ...

    def notices(self) -> Sequence[Notice]:
        """What else waits for a person's word, and how to give it."""
        ...

    async def decide(
        self,
        approval_id: str,
        *,
        approved: bool,
        by: str,
        evidence: str,
        comment: str = "",
        edits: Mapping[str, Json] | None = None,
    ) -> Decision:
        """Decide, once: the first decision wins, later ones are told. Durable on return.

        ``evidence`` is what the channel saw, for example ``moved to Approved/``. ``edits`` are parameters as the person
        wants them instead; what the action cannot take, or nobody may change, makes it no decision.
        """
        ...

    async def refuse(self, approval_id: str, *, reason: str) -> None:
        """Put on record that an answer was seen and not accepted, and why. The request stays as it is."""
        ...


@dataclass(frozen=True, slots=True)
class ApprovalChannel:
    """One view of the approvals. ``sync`` compares them with what it shows, once, and carries answers to the desk.

    It is called when aie starts, after approvals change, every ``interval_s`` seconds, and before aie ends. It must
    work from what is there, not from what it remembers: it may not have been running when things changed.
    """

    name: str
    sync: Callable[[ApprovalDesk], Awaitable[None]]
    summary: str = ""
    interval_s: float = 1.0
    touches: Touches = NOTHING
