"""The census: what the journal holds when a process begins, so that the judge can see that nothing of it goes away."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import apsw

from aie.history import History
from aie.journal import FILE_NAME, connect
from tests.crash.world import World

ENDS = "('succeeded', 'failed', 'cancelled')"


def take_census(base: Path, world: World, *, alone: bool) -> None:
    """Put it on record, without what had ended by the census before last: that cannot change.

    Opening the journal itself would mend it before the engine sees it, so a copy is read; unless this process is not
    ``alone`` with it.
    """
    journal = base / "state" / FILE_NAME
    if not journal.exists():
        world.say("counting")
        return
    connection = connect(_copied(journal, base / "census")) if alone else connect(journal, read_only=True)
    try:
        if not connection.execute("SELECT count(*) FROM sqlite_schema WHERE name='audit'").fetchall()[0][0]:
            world.say("counting")
            return
        # In this order: what others do meanwhile is then either in this census, or in the next one that is begun.
        marks_path = base / "census.json"
        marks = json.loads(marks_path.read_text()) if marks_path.exists() else {"open": [], "run": 0, "event": 0}
        next_marks = _marks(connection)
        world.say("counting")
        with connection:  # one state of it all
            world.say("census", **_census(connection, marks))
    finally:
        connection.close()
    unsettled = marks_path.with_suffix(f".{os.getpid()}")
    unsettled.write_text(json.dumps(next_marks))
    unsettled.replace(marks_path)


def _copied(journal: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-journal"):
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(journal.with_name(name), folder / name)
    return folder / FILE_NAME


def _marks(connection: apsw.Connection) -> dict[str, Any]:
    """Which runs have not ended, and the newest of all runs and events."""
    open_runs = connection.execute(f"SELECT seq FROM run WHERE status NOT IN {ENDS}").fetchall()
    ((run, event),) = connection.execute(
        "SELECT (SELECT coalesce(max(seq), 0) FROM run), (SELECT coalesce(max(seq), 0) FROM event)"
    ).fetchall()
    return {"open": [row[0] for row in open_runs], "run": run, "event": event}


def _census(connection: apsw.Connection, since: dict[str, Any]) -> dict[str, Any]:
    """What may never change again: events, results, decisions, and the audit records so far."""

    def rows(sql: str) -> list[Any]:
        return [list(row) for row in connection.execute(sql, {**since, "open": json.dumps(since["open"])}).fetchall()]

    runs = "(run.seq > :run OR run.seq IN (SELECT value FROM json_each(:open)))"
    steps = f"FROM run JOIN step ON run.seq = run_seq WHERE {runs}"
    return {
        "events": rows("SELECT source, event_id FROM event WHERE seq > :event"),
        "runs": rows(f"SELECT run_id, hash FROM run WHERE {runs}"),
        "ended": rows(f"SELECT run_id, status FROM run WHERE {runs} AND status IN {ENDS}"),
        "results": rows(
            f"SELECT run_id, position, step.status, result {steps}"
            " AND step.status IN ('succeeded', 'failed', 'skipped', 'rejected')"
        ),
        "attempts": rows(f"SELECT run_id, position, attempt, params {steps}"),
        "decisions": rows(
            f"SELECT approval_id, state FROM approval JOIN run ON run.seq = run_seq WHERE {runs} AND state <> 'pending'"
        ),
        "cursors": rows("SELECT name, value FROM cursor"),
        "head": History(connection).audit_head(),
    }
