"""Reading the journal: events, runs, steps, approvals and audit records as frozen values."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import apsw

from aie.approvals import Approval, ApprovalState
from aie.plain import Json
from aie.records import AuditRecord
from aie.run import Run, RunStatus, StepRecord, StepStatus
from aie.workflow import Workflow


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
class WorkflowCount:
    """How often a workflow ran, and when it did last."""

    runs: int
    last_started: datetime | None


def _time(text: Any) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _json(text: Any) -> Any:
    return None if text is None else json.loads(text)


def _event(row: Any) -> EventRow:
    seq, source, event_id, event_type, timestamp, received_at, workflow_id, depth, data = row
    received = datetime.fromisoformat(received_at)
    return EventRow(seq, source, event_id, event_type, timestamp, received, workflow_id, depth, json.loads(data))


def _run(row: Any) -> RunRow:
    seq, run_id, event_seq, workflow_id, generation, hash_, status, created_at, changed_at, wake_at, error = row
    return RunRow(
        seq, run_id, event_seq, workflow_id, generation, hash_, RunStatus(status),
        datetime.fromisoformat(created_at), datetime.fromisoformat(changed_at), _time(wake_at), _json(error),
    )  # fmt: skip


def _step(row: Any) -> StepRecord:
    _, position, status, at, attempt, params, result, error, wake_at, approval_id, approval = row
    return StepRecord(
        position, StepStatus(status), datetime.fromisoformat(at), attempt, _json(params), _json(result), _json(error),
        _time(wake_at), approval_id, _json(approval),
    )  # fmt: skip


class History:
    """Queries on one connection. Lists are newest first unless they say otherwise."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def _rows(self, sql: str, *values: Any) -> Iterator[Any]:
        return iter(self._connection.execute(sql, values).fetchall())

    # events

    def event_seq(self, source: str, event_id: str) -> int | None:
        row = next(self._rows("SELECT seq FROM event WHERE source=? AND event_id=?", source, event_id), None)
        return None if row is None else int(row[0])

    def event(self, seq: int) -> EventRow:
        return _event(next(self._rows("SELECT * FROM event WHERE seq=?", seq)))

    def events(self, *, event_type: str | None = None, limit: int = 50) -> list[EventRow]:
        if event_type is None:
            return [_event(row) for row in self._rows("SELECT * FROM event ORDER BY seq DESC LIMIT ?", limit)]
        sql = "SELECT * FROM event WHERE event_type=? ORDER BY seq DESC LIMIT ?"
        return [_event(row) for row in self._rows(sql, event_type, limit)]

    def find_events(self, text: str) -> list[EventRow]:
        """Those whose id (or source/id) is ``text``, or begins with it."""
        sql = "SELECT * FROM event WHERE event_id=? OR source || '/' || event_id=? ORDER BY seq DESC LIMIT 20"
        found = [_event(row) for row in self._rows(sql, text, text)]
        if found:
            return found
        sql = "SELECT * FROM event WHERE substr(event_id, 1, length(?))=? ORDER BY seq DESC LIMIT 20"
        return [_event(row) for row in self._rows(sql, text, text)]

    # runs

    def run(self, seq: int) -> RunRow:
        return _run(next(self._rows("SELECT * FROM run WHERE seq=?", seq)))

    def runs(self, *, workflow_id: str | None = None, status: str | None = None, limit: int = 50) -> list[RunRow]:
        where = " AND ".join(
            part for part, value in (("workflow_id=?", workflow_id), ("status=?", status)) if value is not None
        )
        values = [value for value in (workflow_id, status) if value is not None]
        sql = f"SELECT * FROM run{' WHERE ' + where if where else ''} ORDER BY seq DESC LIMIT ?"  # noqa: S608
        return [_run(row) for row in self._rows(sql, *values, limit)]

    def runs_of_event(self, event_seq: int) -> list[RunRow]:
        """Oldest first."""
        return [_run(row) for row in self._rows("SELECT * FROM run WHERE event_seq=? ORDER BY seq", event_seq)]

    def find_runs(self, text: str) -> list[RunRow]:
        """Those whose id is ``text``, or begins or ends with it."""
        sql = f"SELECT * FROM run WHERE {_ends_with('run_id')} ORDER BY seq DESC LIMIT 20"  # noqa: S608
        return [_run(row) for row in self._rows(sql, text)]

    def steps(self, run_seq: int) -> list[StepRecord]:
        """In the order of the workflow."""
        return [_step(row) for row in self._rows("SELECT * FROM step WHERE run_seq=? ORDER BY position", run_seq)]

    def open_runs(self) -> list[tuple[int, RunStatus, datetime | None]]:
        """(seq, status, wake_at) of every run without an end, oldest first."""
        sql = "SELECT seq, status, wake_at FROM run WHERE status NOT IN ('succeeded','failed','cancelled') ORDER BY seq"
        return [(row[0], RunStatus(row[1]), _time(row[2])) for row in self._rows(sql)]

    def definition(self, hash_: str) -> str:
        return str(next(self._rows("SELECT body FROM definition WHERE hash=?", hash_))[0])

    def load_run(self, seq: int, compile_body: Callable[[str, str], Workflow], zone: ZoneInfo) -> Run:
        """A run ready to go on, with the definition it is pinned to. ``compile_body(hash, body)`` may remember."""
        row = self.run(seq)
        return Run(
            run_id=row.run_id,
            workflow=compile_body(row.hash, self.definition(row.hash)),
            event=self.event(row.event_seq).plain(),
            created_at=row.created_at,
            zone=zone,
            steps={record.index: record for record in self.steps(seq)},
            cancelled=row.status is RunStatus.CANCELLED,
        )

    def counts(self) -> dict[str, WorkflowCount]:
        sql = "SELECT workflow_id, count(*), max(created_at) FROM run GROUP BY workflow_id"
        return {row[0]: WorkflowCount(row[1], _time(row[2])) for row in self._rows(sql)}

    def switches(self) -> dict[str, bool]:
        return {row[0]: bool(row[1]) for row in self._rows("SELECT workflow_id, enabled FROM switch")}

    # approvals

    def approvals(self, *, pending: bool = True, limit: int = 100_000) -> list[Approval]:
        """Pending ones oldest first, or the decided ones newest first."""
        order = "= 'pending' ORDER BY a.requested_at" if pending else "<> 'pending' ORDER BY a.decided_at DESC"
        sql = f"{_APPROVAL} WHERE a.state {order} LIMIT ?"
        return [_approval(row) for row in self._rows(sql, limit)]

    def approval(self, approval_id: str) -> Approval | None:
        row = next(self._rows(f"{_APPROVAL} WHERE a.approval_id=?", approval_id), None)
        return None if row is None else _approval(row)

    def find_approvals(self, text: str) -> list[Approval]:
        """Those whose id is ``text``, or begins or ends with it."""
        sql = f"{_APPROVAL} WHERE {_ends_with('a.approval_id')} LIMIT 20"
        return [_approval(row) for row in self._rows(sql, text)]

    def pending_count(self) -> int:
        return int(next(self._rows("SELECT count(*) FROM approval WHERE state='pending'"))[0])

    def approval_place(self, approval_id: str) -> tuple[int, int] | None:
        """(run seq, step position)."""
        row = next(self._rows("SELECT run_seq, position FROM approval WHERE approval_id=?", approval_id), None)
        return None if row is None else (row[0], row[1])

    # audit, cursors, intake

    def audit(self, *, after: int = 0, limit: int = 1_000) -> list[AuditRecord]:
        """Oldest first."""
        sql = "SELECT seq, text, prev, hash FROM audit WHERE seq > ? ORDER BY seq LIMIT ?"
        return [
            AuditRecord(seq, json.loads(text), text, prev, hash_)
            for seq, text, prev, hash_ in self._rows(sql, after, limit)
        ]

    def audit_head(self) -> tuple[int, str] | None:
        """(seq, hash) of the newest record."""
        row = next(self._rows("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1"), None)
        return None if row is None else (row[0], row[1])

    def cursor(self, name: str) -> Json:
        row = next(self._rows("SELECT value FROM cursor WHERE name=?", name), None)
        return None if row is None else _json(row[0])

    def requests(self) -> list[tuple[int, dict[str, Any]]]:
        """What other commands ask of the engine and has no answer yet, oldest first."""
        sql = "SELECT id, request FROM intake WHERE answer IS NULL ORDER BY id LIMIT 1000"
        return [(row[0], json.loads(row[1])) for row in self._rows(sql)]

    def answered_before(self, moment: str) -> bool:
        """Whether requests are kept that were made before then (as the journal writes times) and have their answer."""
        return (
            next(self._rows("SELECT 1 FROM intake WHERE answer IS NOT NULL AND at < ? LIMIT 1", moment), None)
            is not None
        )

    def answer(self, request_id: int) -> dict[str, Any] | None:
        row = next(self._rows("SELECT answer FROM intake WHERE id=?", request_id), None)
        return None if row is None or row[0] is None else json.loads(row[0])


def _ends_with(column: str) -> str:
    """SQL: the column is the first parameter, or begins or ends with it; no character of it is a wildcard."""
    return f"?1 IN ({column}, substr({column}, 1, length(?1)), substr({column}, -length(?1)))"


_APPROVAL = """
SELECT a.approval_id, r.run_id, a.position, r.workflow_id, d.body, a.action_type, a.note_kind, a.title, a.body,
       s.params, a.digest, a.definition_hash, a.reason, a.state, a.requested_at, a.expires_at, a.decided_at,
       a.decided_by, a.channel, a.comment, s.status, s.result, s.error
FROM approval a JOIN run r ON r.seq = a.run_seq JOIN definition d ON d.hash = r.hash
     LEFT JOIN step s ON s.run_seq = a.run_seq AND s.position = a.position
"""


def _approval(row: Any) -> Approval:
    (approval_id, run_id, position, workflow_id, body, action_type, note_kind, title, text,
     params, digest, definition_hash, reason, state, requested_at, expires_at, decided_at,
     decided_by, channel, comment, status, result, error) = row  # fmt: skip
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
        params=_json(params) or {},
        digest=digest,
        definition_hash=definition_hash,
        reason=reason,
        state=ApprovalState(state),
        requested_at=datetime.fromisoformat(requested_at),
        expires_at=_time(expires_at),
        decided_at=_time(decided_at),
        decided_by=decided_by or "",
        channel=channel or "",
        comment=comment or "",
        step_status=status or "",
        step_result=_json(result),
        step_error=(_json(error) or {}).get("error", ""),
    )
