"""Reading the journal: what can be asked of it, and the SQL that answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import apsw

from aie.approvals import Approval
from aie.audit import GENESIS
from aie.errors import JournalError
from aie.journal import stamp, translate
from aie.plain import Json
from aie.records import AuditRecord
from aie.rows import (
    SELECT_APPROVAL,
    EventRow,
    RerunRow,
    RunRow,
    WorkflowCount,
    as_approval,
    as_audit_record,
    as_event,
    as_rerun,
    as_run,
    as_step,
    json_of,
    time_of,
)
from aie.run import Run, RunStatus, StepRecord
from aie.workflow import Workflow

T = TypeVar("T")
AUDIT_START, FILES_START = "audit_start", "audit_files_start"  # keys of the table meta
FILES_CURSOR = "sink:core.audit_file"
LOOK_BACK = 200_000  # audit records, which take a tenth of a second
MOST_FOUND = 20  # when one is looked for, and more answer to what is known of it


def _number(row: Any) -> int:
    return int(row[0])


def _word(row: Any) -> str:
    return str(row[0])


def _value(row: Any) -> Any:
    return json_of(row[0])


def _pair(row: Any) -> tuple[Any, Any]:
    return row[0], row[1]


class History:
    """Queries on one connection. Lists are newest first unless they say otherwise."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def _list(self, make: Callable[[Any], T], sql: str, *values: Any) -> list[T]:
        """What ``make`` makes of each row; :class:`JournalError` for what cannot be read, or was not written by aie."""
        try:
            return [make(row) for row in self._connection.execute(sql, values)]
        except apsw.Error as error:
            raise translate(error, Path(self._connection.filename)) from error
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise self._damaged(f"a row is not as aie writes it: {type(error).__name__}: {error}") from error

    def _first(self, make: Callable[[Any], T], sql: str, *values: Any) -> T | None:
        return next(iter(self._list(make, sql, *values)), None)

    def _one(self, make: Callable[[Any], T], sql: str, *values: Any) -> T:
        """The row that must be there, because another one refers to it."""
        found = self._list(make, sql, *values)
        if not found:
            raise self._damaged(f"a row is missing: {sql.partition(' WHERE')[0]}, {values[0] if values else ''}")
        return found[0]

    def _damaged(self, what: str) -> JournalError:
        error = translate(apsw.CorruptError(what[:300]), Path(self._connection.filename))
        error.damaged = True
        return error

    # events

    def event_seq(self, source: str, event_id: str) -> int | None:
        """The number of an event that has arrived; 0 when retention has taken away all else of it."""
        sql = "SELECT seq FROM event WHERE event_id=?1 AND source=?2 UNION ALL SELECT 0 FROM seen WHERE key=?3 LIMIT 1"
        return self._first(_number, sql, event_id, source, seen_key(source, event_id))

    def event(self, seq: int) -> EventRow:
        return self._one(as_event, "SELECT * FROM event WHERE seq=?", seq)

    def events(self, *, event_type: str | None = None, limit: int = 50) -> list[EventRow]:
        if event_type is None:
            return self._list(as_event, "SELECT * FROM event ORDER BY seq DESC LIMIT ?", limit)
        sql = "SELECT * FROM event WHERE event_type=? ORDER BY seq DESC LIMIT ?"
        return self._list(as_event, sql, event_type, limit)

    def find_events(self, text: str) -> list[EventRow]:
        """Those whose id (or source/id) is ``text``, or begins with it."""
        found = self._list(as_event, f"SELECT * FROM event WHERE event_id=? ORDER BY seq DESC LIMIT {MOST_FOUND}", text)  # noqa: S608
        for place, character in enumerate(text):
            if character == "/":
                sql = "SELECT * FROM event WHERE event_id=? AND source=?"
                found += self._list(as_event, sql, text[place + 1 :], text[:place])
        found.sort(key=lambda row: -row.seq)
        return found or self._list(as_event, _beginning("event", "event_id"), text)

    # runs

    def run(self, seq: int) -> RunRow:
        return self._one(as_run, "SELECT * FROM run WHERE seq=?", seq)

    def runs(self, *, workflow_id: str | None = None, status: str | None = None, limit: int = 50) -> list[RunRow]:
        table, where = "run", "TRUE"
        if status is not None:
            where += " AND status=?"
            if status != RunStatus.SUCCEEDED:
                table, condition = _FAILED_RUNS if RunStatus(status).ended else _OPEN_RUNS
                where += f" AND {condition}"
        if workflow_id is not None:
            where += " AND workflow_id=?"
        values = [value for value in (status, workflow_id) if value is not None]
        sql = f"SELECT * FROM {table} WHERE {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608
        return self._list(as_run, sql, *values, limit)

    def runs_of_event(self, event_seq: int) -> list[RunRow]:
        """Oldest first."""
        return self._list(as_run, "SELECT * FROM run WHERE event_seq=? ORDER BY seq", event_seq)

    def find_runs(self, text: str) -> list[RunRow]:
        """Those whose id is ``text``, or begins or ends with it."""
        found = self._list(as_run, _beginning("run", "run_id"), text)
        return found or self._list(as_run, f"SELECT * FROM run WHERE seq IN ({_ENDING}) ORDER BY seq DESC", text)  # noqa: S608

    def steps(self, run_seq: int) -> list[StepRecord]:
        """In the order of the workflow."""
        return self._list(as_step, "SELECT * FROM step WHERE run_seq=? ORDER BY position", run_seq)

    def open_runs(self) -> list[tuple[int, RunStatus, datetime | None]]:
        """(seq, status, wake_at) of every run without an end, oldest first."""
        sql = f"SELECT seq, status, wake_at FROM {_OPEN_RUN} ORDER BY seq"  # noqa: S608
        return self._list(lambda row: (row[0], RunStatus(row[1]), time_of(row[2])), sql)

    def open_by_workflow(self) -> list[tuple[int, str, str, RunStatus, str]]:
        """(seq, workflow id, definition hash, status, who holds it or '') of runs under way, queued or held."""
        sql = (
            "SELECT seq, workflow_id, hash, status, coalesce(error ->> 'held_by', '')"  # noqa: S608
            f" FROM {_OPEN_RUN} AND status IN ('running', 'queued', 'held') ORDER BY seq"
        )
        return self._list(lambda row: (row[0], row[1], row[2], RunStatus(row[3]), row[4]), sql)

    def open_runs_of(self, workflow_id: str) -> list[int]:
        """The numbers of a workflow's runs without an end, oldest first."""
        sql = f"SELECT seq FROM {_OPEN_RUN} AND workflow_id=? ORDER BY seq"  # noqa: S608
        return self._list(lambda row: int(row[0]), sql, workflow_id)

    def recent_starts(self, after: datetime, limit: int) -> list[tuple[str, str, datetime]]:
        """(workflow id, source, when) of the newest runs that began after a moment, oldest first."""
        sql = (
            "SELECT run.workflow_id, source, created_at FROM run JOIN event ON event.seq = run.event_seq"
            " ORDER BY run.seq DESC LIMIT ?"
        )
        found = self._list(lambda row: (str(row[0]), str(row[1]), datetime.fromisoformat(row[2])), sql, limit)
        return [start for start in reversed(found) if start[2] > after]

    def held(self) -> list[tuple[str, int, RunRow]]:
        """(who started too often, how many runs are held for it, the first of them)."""
        sql = (
            f"SELECT error ->> 'held_by', count(*), min(seq) FROM {_OPEN_RUN} AND status = 'held'"  # noqa: S608
            " GROUP BY error ->> 'held_by'"
        )
        found = self._list(lambda row: (str(row[0]), int(row[1]), int(row[2])), sql)
        return [(name, count, self.run(first)) for name, count, first in found]

    def crashes(self) -> dict[int, int]:
        """How often aie died while a run was under way, for each of which it did."""
        return dict(self._list(lambda row: (int(row[0]), int(row[1])), "SELECT run_seq, count FROM crash"))

    def open_counts(self) -> dict[RunStatus, int]:
        """How many runs without an end there are of each status that has any."""
        sql = f"SELECT status, count(*) FROM {_OPEN_RUN} GROUP BY status"  # noqa: S608
        return dict(self._list(lambda row: (RunStatus(row[0]), int(row[1])), sql))

    def definition(self, hash_: str) -> str:
        return self._one(_word, "SELECT body FROM definition WHERE hash=?", hash_)

    def load_run(self, seq: int, compile_body: Callable[[str, str], Workflow], zone: ZoneInfo) -> Run:
        """A run ready to go on, with the definition it is pinned to. ``compile_body(hash, body)`` may remember."""
        row = self.run(seq)
        rerun = self.rerun(seq) if row.generation else None
        return Run(
            run_id=row.run_id,
            workflow=compile_body(row.hash, self.definition(row.hash)),
            event=self.event_of(row),
            created_at=row.created_at,
            zone=zone,
            steps={record.index: record for record in self.steps(seq)},
            cancelled=row.status is RunStatus.CANCELLED,
            earlier=rerun.earlier if rerun else {},
        )

    def rerun(self, run_seq: int) -> RerunRow | None:
        """What a run has of its own that a person started again; None for one that its event started."""
        sql = "SELECT of_run, by, since, data, changes, earlier FROM rerun WHERE run_seq=?"
        return self._first(as_rerun, sql, run_seq)

    def event_of(self, row: RunRow) -> dict[str, Json]:
        """The event as a run sees it: with the data that was changed for it, if any was."""
        event = self.event(row.event_seq).plain()
        rerun = self.rerun(row.seq) if row.generation else None
        return event if rerun is None or rerun.data is None else {**event, "data": rerun.data}

    def counts(self) -> dict[str, WorkflowCount]:
        """How often each workflow ran, runs that are no longer kept included."""
        sql = "SELECT workflow_id, sum(runs), max(last_started) FROM tally GROUP BY workflow_id"
        return dict(self._list(lambda row: (row[0], WorkflowCount(row[1], time_of(row[2]))), sql))

    def switches(self) -> dict[str, bool]:
        return dict(self._list(lambda row: (row[0], bool(row[1])), "SELECT workflow_id, enabled FROM switch"))

    def switch(self, workflow_id: str) -> tuple[bool, datetime] | None:
        """A person's word on whether a workflow is enabled, and since when; None where the file decides."""
        sql = "SELECT enabled, at FROM switch WHERE workflow_id=?"
        return self._first(lambda row: (bool(row[0]), datetime.fromisoformat(row[1])), sql, workflow_id)

    # approvals

    def approvals(self, *, pending: bool = True, limit: int = 100_000) -> list[Approval]:
        """Pending ones oldest first, or the decided ones newest first."""
        order = (
            "= 'pending' ORDER BY a.requested_at, a.run_seq, a.position"
            if pending
            else "<> 'pending' ORDER BY a.decided_at DESC"
        )
        sql = f"{SELECT_APPROVAL} WHERE a.state {order} LIMIT ?"
        return self._list(as_approval, sql, limit)

    def approval(self, approval_id: str) -> Approval | None:
        return self._first(as_approval, f"{SELECT_APPROVAL} WHERE a.approval_id=?", approval_id)

    def find_approvals(self, text: str) -> list[Approval]:
        """Those whose id is ``text``, or begins or ends with it."""
        found = self._list(
            as_approval, f"{SELECT_APPROVAL} WHERE a.approval_id >= ?1 AND a.approval_id < {_AFTER} LIMIT 20", text
        )
        return found or self._list(as_approval, f"{SELECT_APPROVAL} WHERE a.approval_id IN ({_APPROVALS_ENDING})", text)

    def rule_uses(self, rule: str, after: datetime) -> list[tuple[datetime, Decimal, tuple[int, int]]]:
        """What a rule allowed without asking since then: (when, amount, (run seq, step position))."""
        return self._list(
            lambda row: (datetime.fromisoformat(row[0]), Decimal(row[1]), (int(row[2]), int(row[3]))),
            "SELECT at, amount, run_seq, position FROM rule_use WHERE rule=? AND at>?",
            rule,
            stamp(after),
        )

    def pending_count(self) -> int:
        return self._one(_number, "SELECT count(*) FROM approval WHERE state='pending'")

    def approval_place(self, approval_id: str) -> tuple[int, int] | None:
        """(run seq, step position)."""
        return self._first(_pair, "SELECT run_seq, position FROM approval WHERE approval_id=?", approval_id)

    # audit, cursors, intake

    def audit(self, *, after: int = 0, limit: int = 1_000) -> list[AuditRecord]:
        """Oldest first."""
        sql = "SELECT seq, text, prev, hash FROM audit WHERE seq > ? ORDER BY seq LIMIT ?"
        return self._list(as_audit_record, sql, after, limit)

    def audit_before(self, event_seq: int) -> int:
        """The number of a record that comes before those of an event, at most some thousand before."""
        return self._one(_number, "SELECT coalesce(max(audit_seq), 0) FROM mark WHERE event_seq < ?", event_seq)

    def last_switch(self, workflow_id: str, *, before: int) -> AuditRecord | None:
        """The newest record of a person enabling or disabling a workflow, among some that come ``before`` a number."""
        sql = (
            f"SELECT seq, text, prev, hash FROM audit WHERE seq < ?1 AND seq > ?1 - {LOOK_BACK} AND"  # noqa: S608
            ' (instr(text, \'"action":"workflow_enabled"\') OR instr(text, \'"action":"workflow_disabled"\'))'
            " AND instr(text, ?2) ORDER BY seq DESC LIMIT 1"
        )
        return self._first(as_audit_record, sql, before, f'"target":{json.dumps(workflow_id)}')

    def was_moved(self, run_id: str, *, after: int) -> bool:
        """Whether a person moved a run to another definition, among some records after a number."""
        sql = (
            f"SELECT 1 FROM audit WHERE seq > ?1 AND seq < ?1 + {LOOK_BACK}"  # noqa: S608
            ' AND instr(text, \'"action":"run_migrated"\') AND instr(text, ?2) LIMIT 1'
        )
        return self._first(_number, sql, after, f'"run_id":"{run_id}"') is not None

    def audit_head(self) -> tuple[int, str] | None:
        """(seq, hash) of the newest record."""
        return self._first(_pair, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")

    def audit_at(self, moment: datetime) -> int:
        """The number of the first record made at this time or later, as long as no clock was set back."""
        head = self.audit_head()
        low, high = self.audit_start()[0], head[0] + 1 if head else 1
        while low < high:
            middle = (low + high) // 2
            found = self.audit(after=middle - 1, limit=1)
            if not found or datetime.fromisoformat(str(found[0].fields["timestamp"])) >= moment:
                high = middle
            else:
                low = middle + 1
        return low

    def audit_start(self, *, files: bool = False) -> tuple[int, str]:
        """Number of the oldest record that must be there and the hash before it, in the journal or in Logs/audit."""
        sql = "SELECT value FROM meta WHERE key=?"
        found = self._first(_value, sql, FILES_START if files else AUDIT_START)
        return (int(found[0]), str(found[1])) if found else (1, GENESIS)

    def paused(self) -> str:
        """Why a person has paused aie; '' if nobody has."""
        return str(self._first(_value, "SELECT value FROM meta WHERE key='paused'") or "")

    def cursor(self, name: str) -> Json:
        return self._first(_value, "SELECT value FROM cursor WHERE name=?", name)

    def requests(self, *, events: bool, after: int = 0, limit: int = 200) -> list[tuple[int, dict[str, Any]]]:
        """What other commands ask of the engine and has no answer yet, oldest first: the events they hand in, or all
        else. Those with a number larger than ``after``.
        """
        # In text that is data, quotes have a backslash before them.
        is_event = 'instr(request, \'"kind":"event"\') > 0'
        sql = f"SELECT id, request FROM intake WHERE answer IS NULL AND id > ? AND {is_event} = ? ORDER BY id LIMIT ?"  # noqa: S608
        return self._list(lambda row: (row[0], json.loads(row[1])), sql, after, events, limit)

    def request_count(self) -> int:
        """How many of them there are."""
        return self._one(_number, "SELECT count(*) FROM intake WHERE answer IS NULL")

    def answered_before(self, moment: str) -> bool:
        """Whether requests are kept that were made before then (as the journal writes times) and have their answer."""
        oldest = "SELECT at FROM intake WHERE answer IS NOT NULL ORDER BY id LIMIT 1"
        sql = f"SELECT 1 FROM ({oldest}) WHERE at < ?"  # noqa: S608
        return self._first(_number, sql, moment) is not None

    def answer(self, request_id: int) -> dict[str, Any] | None:
        return self._first(_value, "SELECT answer FROM intake WHERE id=?", request_id)


def seen_key(source: str, event_id: str) -> bytes:
    """What is left of an event for ever."""
    return hashlib.blake2b(f"{len(source)} {source}{event_id}".encode(), digest_size=16).digest()


# By the indexes that have just these; SQLite wants their condition word for word.
_OPEN_RUNS = "run INDEXED BY run_open", "status NOT IN ('succeeded', 'failed', 'cancelled')"
_FAILED_RUNS = "run INDEXED BY run_failed", "status IN ('failed', 'cancelled')"
_OPEN_RUN = " WHERE ".join(_OPEN_RUNS)

_AFTER = "?1 || char(1114111)"  # all text that begins with the parameter is less than this


def _beginning(table: str, column: str) -> str:
    """SQL: the rows whose indexed column is the parameter or begins with it, newest first; of many only some."""
    found = f"SELECT seq FROM {table} WHERE {column} >= ?1 AND {column} < {_AFTER} ORDER BY {column} DESC"  # noqa: S608
    return f"SELECT * FROM {table} WHERE seq IN ({found} LIMIT {MOST_FOUND}) ORDER BY seq DESC"  # noqa: S608


# These read all ids there are, from an index that is much smaller than the table.
_ENDING = f"SELECT seq FROM run WHERE substr(run_id, -length(?1)) = ?1 LIMIT {MOST_FOUND}"  # noqa: S608
_APPROVALS_ENDING = (
    "SELECT approval_id FROM approval INDEXED BY approval_of_run"  # noqa: S608
    f" WHERE substr(approval_id, -length(?1)) = ?1 LIMIT {MOST_FOUND}"
)
