"""No look into the journal reads all of a table that grows: commands cost the same however long the past is.

SQLite says how it would go about each query; nothing is timed here.
"""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import pytest

from aie import schema
from aie.journal import connect
from aie.past import Past
from aie.run import RunStatus

GROWING = ("event", "seen", "run", "step", "approval", "audit")  # the rest is as large as what is open or set up
MAY_READ_ALL = {
    # Runs that succeeded are most of them: the newest ones are soon found, going back.
    "runs that succeeded": {"SCAN run"},
    # Ids are looked for by their end only when none begins so; this reads them from an index of ids alone.
    "find_runs": {"SCAN run USING COVERING INDEX sqlite_autoindex_run_1"},
    "find_approvals": {"SCAN approval USING COVERING INDEX approval_of_run"},
    # The newest, or the oldest, up to a limit.
    "events": {"SCAN event"},
    "runs": {"SCAN run"},
    "recent_starts": {"SCAN run"},
    "approvals decided": {"SCAN a USING INDEX approval_decided"},
    "audit_head": {"SCAN audit"},
    "audit_at": {"SCAN audit"},
    "audit_sizes": {"SCAN audit"},
}
FEW = {"run_open", "approval_pending", "intake_open"}  # indexes of what is open alone

Ask = Callable[[Past], Any]
ASKS: dict[str, Ask] = {
    "event_seq": lambda history: history.event_seq("source", "id"),
    "event": lambda history: history.event(1),
    "events": lambda history: history.events(),
    "events of a type": lambda history: history.events(event_type="x"),
    "find_events": lambda history: history.find_events("a/b"),
    "run": lambda history: history.run(1),
    "runs": lambda history: history.runs(),
    "runs of a workflow": lambda history: history.runs(workflow_id="x"),
    "runs that succeeded": lambda history: history.runs(status="succeeded"),
    **{
        f"runs {status}": lambda history, status=status: history.runs(status=status)
        for status in RunStatus
        if status is not RunStatus.SUCCEEDED
    },
    **{
        f"runs {status} of a workflow": lambda history, status=status: history.runs(status=status, workflow_id="x")
        for status in RunStatus
    },
    "runs_of_event": lambda history: history.runs_of_event(1),
    "find_runs": lambda history: history.find_runs("run_x"),
    "steps": lambda history: history.steps(1),
    "open_runs": lambda history: history.open_runs(),
    "open_by_workflow": lambda history: history.open_by_workflow(),
    "open_runs_of": lambda history: history.open_runs_of("x"),
    "open_counts": lambda history: history.open_counts(),
    "crashes": lambda history: history.crashes(),
    "definition": lambda history: history.definition("sha256:0"),
    "counts": lambda history: history.counts(),
    "switches": lambda history: history.switches(),
    "switch": lambda history: history.switch("x"),
    "rerun": lambda history: history.rerun(1),
    "approvals": lambda history: history.approvals(),
    "approvals decided": lambda history: history.approvals(pending=False),
    "approval": lambda history: history.approval("apr_x"),
    "find_approvals": lambda history: history.find_approvals("x"),
    "pending_count": lambda history: history.pending_count(),
    "approval_place": lambda history: history.approval_place("apr_x"),
    "audit": lambda history: history.audit(after=1),
    "audit_head": lambda history: history.audit_head(),
    "audit_before": lambda history: history.audit_before(1),
    "was_moved": lambda history: history.was_moved("run_1", after=1),
    "last_switch": lambda history: history.last_switch("x", before=9),
    "cursor": lambda history: history.cursor("x"),
    "paused": lambda history: history.paused(),
    "rule_uses": lambda history: history.rule_uses("x", NOW),
    "requests": lambda history: history.requests(events=True, after=1),
    "held": lambda history: history.held(),
    "recent_starts": lambda history: history.recent_starts(NOW, 10),
    "audit_at": lambda history: history.audit_at(NOW),
    "audit_start": lambda history: history.audit_start(),
    "oldest": lambda history: history.oldest(after=1),
    "runs_from": lambda history: history.runs_from(1),
    "newest_event": lambda history: history.newest_event(),
    "newest_run": lambda history: history.newest_run(),
    "event_of_run": lambda history: history.event_of_run(1),
    "step_sizes": lambda history: history.step_sizes(1),
    "audit_sizes": lambda history: history.audit_sizes(limit=10),
    "last_mark": lambda history: history.last_mark(event=1, before="2026"),
    "audit_hash": lambda history: history.audit_hash(1),
    "answered": lambda history: history.answered(before="2026", limit=10),
    "unused_definitions": lambda history: history.unused_definitions(),
    "runs_kept": lambda history: history.runs_kept(),
    "space": lambda history: history.space(),
    "request_count": lambda history: history.request_count(),
    "answered_before": lambda history: history.answered_before("2026"),
    "answer": lambda history: history.answer(1),
}
MADE_OF_OTHERS = {"load_run", "event_of"}
NOW = datetime(2026, 2, 9, tzinfo=UTC)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[apsw.Connection]:
    connection = connect(tmp_path / "journal.db")
    with connection:
        connection.execute(schema.TABLES)
    yield connection
    connection.close()


def reads_all(connection: apsw.Connection, ask: Callable[[], object]) -> set[str]:
    """What SQLite would read all of, of what grows, to answer."""
    asked: list[tuple[str, Any]] = []

    def trace(_cursor: apsw.Cursor, sql: str, values: Any) -> bool:
        asked.append((sql, values))
        return True

    connection.exec_trace = trace
    try:
        ask()
    finally:
        connection.exec_trace = None
    assert asked
    found = set()
    for sql, values in asked:
        names = {alias: table for table, alias in re.findall(r"(?:FROM|JOIN|TABLE|INTO)\s+(\w+)\s+([a-z])\b", sql)}
        for *_, plan in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values):
            scan = re.match(r"SCAN (\w+)(?: USING(?: COVERING)? INDEX (\w+))?", plan)
            if scan and names.get(scan[1], scan[1]) in GROWING and scan[2] not in FEW:
                found.add(str(plan))
    return found


def test_every_question_to_the_history_is_asked_here() -> None:
    there = {name for name, _ in inspect.getmembers(Past, inspect.isfunction) if not name.startswith("_")}
    assert there - MADE_OF_OTHERS == {ask.split()[0] for ask in ASKS}


@pytest.mark.parametrize("name", ASKS)
def test_a_look_into_the_history_does_not_read_all_of_it(connection: apsw.Connection, name: str) -> None:
    fill(connection)
    found = reads_all(connection, lambda: ASKS[name](Past(connection)))
    assert found <= MAY_READ_ALL.get(name, set())


@pytest.mark.parametrize("statement", schema.WRITING_ORDER)
def test_writing_does_not_read_all_of_it(connection: apsw.Connection, statement: str) -> None:
    values = [1] * (statement.count("?") if "?1" not in statement else 1)

    def write() -> None:
        with contextlib.suppress(apsw.ConstraintError):  # how it would go about it shows all the same
            connection.execute(statement, values).fetchall()

    assert reads_all(connection, write) == set()


def fill(connection: apsw.Connection) -> None:
    """The rows that the questions ask for, so that each is asked to its end."""
    at = NOW.isoformat()
    connection.execute(schema.ADD_EVENT, (1, "a", "c", "x", at, at, None, 0, "{}"))
    connection.execute(schema.ADD_DEFINITION, ("sha256:0", "x", "{}"))
    connection.execute(schema.ADD_AUDIT, (1, f'{{"timestamp":"{at}"}}', "", ""))
    connection.execute(schema.ADD_RUN, (1, "run_1", 1, "x", 0, "sha256:0", "succeeded", at, at, None, None))
