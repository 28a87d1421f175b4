"""Thousands of events that wait when aie starts: it says so, stays answerable, and works them off once each."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from pathlib import Path
from typing import Any

import apsw
import pytest

from aie import AsyncOrchestrator, Event
from aie.history import History
from aie.journal_file import look
from aie.plain import dumps
from tests.aie_home import AieHome, Started, until

LEFT_OVER = 1_000  # runs that an aie which was killed had begun
HANDED_IN = 1_000  # events that other commands had handed to it
OUT = {"event_type": "done_once", "event_id": "{{ event.event_id }}"}
MAX_RSS_MB = 150


class Stuck:
    """Calls nothing, and never comes back."""

    async def call(self, *call: Any) -> Any:
        await asyncio.Event().wait()


@pytest.fixture
def aie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AieHome:
    monkeypatch.setattr("aie.driver.STOP_WITHIN_S", 0.01)  # nothing that is stuck is waited for
    aie = AieHome(tmp_path).with_vault()
    (aie.vault / "aie.toml").write_text("starts_per_minute = 0\n")
    aie.workflow("w", [{"action_type": "emit_event", "parameters": OUT}])
    aie.workflow("other", [{"action_type": "wait", "parameters": {"duration": 0}}], trigger_event="email_received")

    async def crash() -> None:
        async with AsyncOrchestrator(aie.vault, env=aie.env, caller=Stuck()) as orchestrator:
            assert orchestrator.engine is not None
            await orchestrator.engine.accept_all([_event(number) for number in range(LEFT_OVER)])

    asyncio.run(crash())
    connection = apsw.Connection(str(aie.state / "journal.db"))
    handed_in = [_event(number) for number in range(LEFT_OVER, LEFT_OVER + HANDED_IN)]
    with connection:
        connection.executemany(
            "INSERT INTO intake (request, at) VALUES (?, '2026-02-09T17:30:00.000000+00:00')",
            [(dumps({"kind": "event", "forced": False, "event": _fields(event)}),) for event in handed_in],
        )
    connection.close()
    return aie


def _event(number: int) -> Event:
    return Event("expense_recorded", "test", {"number": number}, "2026-02-09T17:30:00", f"e{number:05}")


def _fields(event: Event) -> dict[str, Any]:
    return {"event_type": event.event_type, "source": event.source, "data": dict(event.data),
            "timestamp": event.timestamp, "event_id": event.event_id, "workflow_id": None}  # fmt: skip


def _peak_mb(running: Started) -> float:
    if sys.platform != "linux":
        return 0.0
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1000


def test_thousands_that_wait_at_the_start_are_worked_off_once_each_and_others_are_answered(aie: AieHome) -> None:
    count = LEFT_OVER + HANDED_IN
    with aie.started() as running:
        assert f"Going on with {LEFT_OVER} runs that were under way\n" in running.text()
        assert f"Taking in {HANDED_IN} requests that other commands left\n" in running.text()
        code, took_s = running.stop()  # in the midst of it
        assert (code, took_s < 5, running.err.read_text()) == (0, True, "")
    with aie.started() as running:
        assert aie("runs", "list", "--limit", "1", "--json").record["workflow_id"] == "w"
        aie("workflows", "disable", "other")
        until(lambda: _counts(aie)["done"] == count, "all of it to be done")
        peak_mb = _peak_mb(running)
        assert running.stop()[0] == 0
    assert _counts(aie) == {"events": 2 * count, "done": count, "open": 0, "requests": 0}
    assert peak_mb < MAX_RSS_MB
    records = f"{count * 5 + 1:,} records"  # per run: the event, the start, the step, the end, the event it emits
    assert aie("audit", "verify").out == f"journal: whole, {records}\nLogs/audit: whole, {records}\n"


def _counts(aie: AieHome) -> dict[str, int]:
    with contextlib.closing(look(aie.state / "journal.db")) as journal:
        runs: dict[Any, Any] = dict(journal.execute("SELECT status, count(*) FROM run GROUP BY status").fetchall())
        events: Any = journal.execute("SELECT count(*) FROM event").fetchall()[0][0]
        done = runs.pop("succeeded", 0)
        return {
            "events": events,
            "done": done,
            "open": sum(runs.values()),
            "requests": History(journal).request_count(),
        }


def test_what_a_person_asks_does_not_wait_behind_the_events(aie: AieHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aie.requests.URGENT_EVERY_S", 0.0)
    connection = apsw.Connection(str(aie.state / "journal.db"))
    switch = {"kind": "switch", "workflow_id": "other", "enabled": False, "by": "owner"}
    connection.execute("INSERT INTO intake (request, at) VALUES (?, '2026-02-09T17:31:00')", (dumps(switch),))
    connection.close()

    async def main() -> list[tuple[Any, Any]]:
        async with AsyncOrchestrator(aie.vault, env=aie.env) as orchestrator:
            while orchestrator.history.request_count():  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.01)
            await orchestrator.settle()
            records = orchestrator.history.audit(limit=100_000)
            return [(record.fields["action"], record.fields["target"]) for record in records]

    done = asyncio.run(main())
    after = done[done.index(("workflow_disabled", "other")) :]
    assert after.count(("event_received", "expense_recorded")) > HANDED_IN - 500, "few of those that were there first"
