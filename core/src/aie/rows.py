"""What the rows of the journal stand for: events, runs, steps, approvals and audit records as frozen values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aie.approvals import Approval, ApprovalState, Edit
from aie.plain import Json
from aie.records import AuditRecord
from aie.run import Earlier, RunStatus, StepRecord, StepStatus


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as it was accepted; ``runs`` is how many runs it started."""

    seq: int
    source: str
    event_id: str
    event_type: str
    timestamp: str
    received_at: datetime
    workflow_id: str | None
    depth: int
    data: dict[str, Json]

    def plain(self) -> dict[str, Json]:
        return {
            "event_type": self.event_type,
            "source": self.source,
            "data": self.data,
            "timestamp": self.timestamp,
            "event_id": self.event_id,
        }


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as the journal has it."""

    seq: int
    run_id: str
    event_seq: int
    workflow_id: str
    generation: int
    hash: str
    status: RunStatus
    created_at: datetime
    changed_at: datetime
    wake_at: datetime | None
    error: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class RerunRow:
    """What a run has of its own that a person started again. ``data`` is None where the event's was not changed."""

    of_run: str
    by: str
    since: str | None  # the step from which on all is done anew
    data: dict[str, Json] | None
    changes: list[dict[str, Json]]  # path, before, after
    earlier: Mapping[int, Earlier]


@dataclass(frozen=True, slots=True)
class WorkflowCount:
    """How often a workflow ran, and when it did last."""

    runs: int
    last_started: datetime | None


# --- from what SQLite gives ---------------------------------------------------------------------------------------


def time_of(text: Any) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def json_of(text: Any) -> Any:
    return None if text is None else json.loads(text)


def as_audit_record(row: Any) -> AuditRecord:
    seq, text, prev, hash_ = row
    return AuditRecord(seq, json.loads(text), text, prev, hash_)


def as_event(row: Any) -> EventRow:
    seq, source, event_id, event_type, timestamp, received_at, workflow_id, depth, data = row
    received = datetime.fromisoformat(received_at)
    return EventRow(seq, source, event_id, event_type, timestamp, received, workflow_id, depth, json.loads(data))


def as_run(row: Any) -> RunRow:
    seq, run_id, event_seq, workflow_id, generation, hash_, status, created_at, changed_at, wake_at, error = row
    return RunRow(
        seq, run_id, event_seq, workflow_id, generation, hash_, RunStatus(status),
        datetime.fromisoformat(created_at), datetime.fromisoformat(changed_at), time_of(wake_at), json_of(error),
    )  # fmt: skip


def as_rerun(row: Any) -> RerunRow:
    of_run, by, since, data, changes, earlier = row
    known = {int(position): Earlier(**fields) for position, fields in json.loads(earlier).items()}
    return RerunRow(of_run, by, since, json_of(data), json.loads(changes), known)


def as_step(row: Any) -> StepRecord:
    _, position, status, at, attempt, params, result, error, wake_at, approval_id, approval = row
    return StepRecord(
        position, StepStatus(status), datetime.fromisoformat(at), attempt, json_of(params), json_of(result),
        json_of(error), time_of(wake_at), approval_id, json_of(approval),
    )  # fmt: skip


SELECT_APPROVAL = """
SELECT a.approval_id, r.run_id, a.position, r.workflow_id, d.body, a.action_type, a.note_kind, a.title, a.body,
       s.params, a.digest, a.definition_hash, a.reason, a.state, a.requested_at, a.expires_at, a.decided_at,
       a.decided_by, a.channel, a.comment, a.rule, a.required_channel, a.problem, a.editable, a.body_field,
       a.source_note, a.edits, s.status, s.result, s.error
FROM approval a JOIN run r ON r.seq = a.run_seq JOIN definition d ON d.hash = r.hash
     LEFT JOIN step s ON s.run_seq = a.run_seq AND s.position = a.position
"""


def as_approval(row: Any) -> Approval:
    (approval_id, run_id, position, workflow_id, body, action_type, note_kind, title, text,
     params, digest, definition_hash, reason, state, requested_at, expires_at, decided_at,
     decided_by, channel, comment, rule, required_channel, problem, editable, body_field,
     source_note, edits, status, result, error) = row  # fmt: skip
    definition = json.loads(body)
    return Approval(
        approval_id=approval_id,
        run_id=run_id,
        step_id=definition["actions"][position].get("id") or f"action_{position}",
        workflow_id=workflow_id,
        workflow_name=definition.get("name") or workflow_id,
        action_type=action_type,
        note_kind=note_kind,
        title=title,
        body=text,
        params=json_of(params) or {},
        digest=digest,
        definition_hash=definition_hash,
        reason=reason,
        state=ApprovalState(state),
        requested_at=datetime.fromisoformat(requested_at),
        expires_at=time_of(expires_at),
        decided_at=time_of(decided_at),
        decided_by=decided_by or "",
        channel=channel or "",
        comment=comment or "",
        rule=rule,
        required_channel=required_channel,
        problem=problem,
        editable=tuple(json.loads(editable)),
        body_field=body_field,
        source_note=source_note,
        edits=tuple(Edit(**edit) for edit in json_of(edits) or ()),
        step_status=status or "",
        step_result=json_of(result),
        step_error=(json_of(error) or {}).get("error", ""),
    )
