"""A run as data: where each of its steps stands. Frozen; every change makes a new one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from aie.plain import Json
from aie.workflow import Step, Workflow


class StepStatus(StrEnum):
    """Where a step stands. The last four are ends; a step without a record was not reached."""

    ASKED = "asked"  # waits for a person
    APPROVED = "approved"  # may be carried out
    STARTED = "started"  # an attempt is on record and its outcome is not
    RETRYING = "retrying"  # the next attempt is due at wake_at
    WAITING = "waiting"  # succeeds at wake_at
    UNCERTAIN = "uncertain"  # it may have happened; a person must say
    BLOCKED = "blocked"  # the action is not installed
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    REJECTED = "rejected"


ENDS = frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.REJECTED})


class RunStatus(StrEnum):
    """Where a run stands. The last three are ends."""

    QUEUED = "queued"  # for an earlier run of its workflow
    HELD = "held"  # by the flood guard, until a person says go on
    RUNNING = "running"
    WAITING = "waiting"  # for a time
    ASKING = "asking"  # for a person's decision
    BLOCKED = "blocked"  # for a plugin
    UNCERTAIN = "uncertain"  # for a person to say whether something happened
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED)


class StepRecord(Struct, frozen=True):
    """One step's latest state. ``params`` are the resolved ones; these are carried out, never a second rendering."""

    index: int
    status: StepStatus
    at: datetime  # of this state
    attempt: int = 0  # the attempts begun
    params: Mapping[str, Json] | None = None
    result: Json = None
    error: Mapping[str, str] | None = None  # error, where, hint
    wake_at: datetime | None = None
    approval_id: str | None = None
    approval: Mapping[str, Json] | None = None  # how it was decided, for the handler


class Earlier(Struct, frozen=True):
    """What earlier runs for the same event say about a step that a rerun does anew."""

    acted: bool = False  # it happened, or may have
    digest: str = ""  # of the parameters that a person approved, if any did
    approval_id: str | None = None
    approval: Mapping[str, Json] | None = None


class Run(Struct, frozen=True):
    """One workflow executing for one event."""

    run_id: str
    workflow: Workflow
    event: Mapping[str, Json]
    created_at: datetime
    zone: ZoneInfo
    steps: Mapping[int, StepRecord] = {}
    cancelled: bool = False
    frame: Mapping[str, Json] = {}  # what its conditions and templates see from first to last
    earlier: Mapping[int, Earlier] = {}  # of a rerun: by step

    def __post_init__(self) -> None:
        if not self.frame:
            started_at = self.created_at.astimezone(self.zone).isoformat(timespec="seconds")
            frame = {
                "event": dict(self.event),
                "workflow": self.workflow.plain(),
                "run": {"run_id": self.run_id, "started_at": started_at},
            }
            structs.force_setattr(self, "frame", frame)

    def waits_for_a_person(self, index: int) -> bool:
        """Whether only a person's word takes this step further."""
        record = self.steps.get(index)
        return record is not None and record.status in (StepStatus.ASKED, StepStatus.UNCERTAIN)

    def as_cancelled(self) -> Run:
        return structs.replace(self, cancelled=True)

    def with_step(self, record: StepRecord) -> Run:
        steps = {**self.steps, record.index: record}
        return Run(
            self.run_id, self.workflow, self.event, self.created_at, self.zone, steps, self.cancelled, self.frame,
            self.earlier,
        )  # fmt: skip

    def reached_at(self, step: Step) -> datetime:
        """When the run came to this step: ``now`` to its templates and its handler.

        Made from what was on record by then and does not change any more: an attempt after a crash sees the same time.
        """
        own = self.steps.get(step.index)
        if own is not None and own.approval_id is not None:
            decided = (own.approval or {}).get("decided_at")
            if isinstance(decided, str):
                return max(self.created_at, datetime.fromisoformat(decided))  # a rerun reuses earlier decisions
        latest, asked = self.created_at, False
        for index, record in self.steps.items():
            if index < step.index:
                asked = asked or record.approval_id is not None
                latest = max(latest, record.at)
        return self._passed_by_at(step) if asked else latest

    def _passed_by_at(self, step: Step) -> datetime:
        """The same where the line may have gone past earlier steps before they had an end: where a person was asked,
        and where one of those results is used.
        """
        before = step.index
        passed = {index for index, record in self.steps.items() if record.approval_id is not None and index < before}
        for other in self.workflow.steps[:before]:
            if other.needs & passed:
                passed.add(other.index)
        ends = [
            record.at
            for index, record in self.steps.items()
            if index < before and (index not in passed or index in step.needs)
        ]
        return max(self.created_at, *ends) if ends else self.created_at
