"""Retention: the past stays within its limits, and nothing that matters goes with it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from aie import ActionContext, AsyncOrchestrator, Event, journal, retention, schema
from aie.audit import verify_lines
from aie.builtin.audit_age import outdated
from aie.builtin.audit_files import day_files
from aie.cli.audit import verify
from aie.config import Retention
from aie.errors import AieError
from aie.journal import Batch, Journal, connect, stamp
from aie.past import Past
from aie.retention import Keeper, Removed
from tests.stand_ins import MONDAY, ManualClock, Outbox, Scripted, Services, make_vault, workflow

ASK = {"id": "ask", "action_type": "request_approval", "parameters": {"title": "Pay {{ event.event_id }}?"}}
WORK = {"id": "work", "action_type": "work", "parameters": {"text": "{{ event.data.text }}"}}


def done(_params: dict[str, Any], _context: ActionContext) -> dict[str, Any]:
    return {"done": True}


class Office:
    """A vault with an engine whose time a test moves, and its keeper."""

    def __init__(self, orchestrator: AsyncOrchestrator, clock: ManualClock) -> None:
        self.orchestrator = orchestrator
        self.clock = clock
        assert orchestrator.engine is not None
        self.engine = orchestrator.engine
        self.keeper = Keeper(self.engine, orchestrator.registry.sinks())
        self.past = Past(self.engine.journal.reader)

    def limit(self, **limits: int) -> None:
        self.engine.config = replace(self.engine.config, retention=Retention(**limits))

    async def take_in(self, *ids: str, text: str = "", event_type: str = "manual_trigger") -> None:
        for event_id in ids:
            event = Event(event_type, "test", {"text": text}, event_id=event_id)
            await self.orchestrator.process_event(event, linger_s=0)

    async def take_in_many(self, name: str, count: int, text: str = "") -> None:
        """The same for ``name0``, ``name1`` …, some at a time."""
        for begin in range(0, count, 100):
            ids = (f"{name}{number}" for number in range(begin, min(begin + 100, count)))
            await asyncio.gather(*(self.take_in(event_id, text=text) for event_id in ids))

    async def sweep(self) -> Removed:
        """Once all that happened is settled, delivered to the sinks, and some hours old."""
        self.clock.move(hours=2)
        assert self.orchestrator.delivery is not None
        assert await self.orchestrator.delivery.flush() == ()
        await self.keeper.sweep()
        self.clock.move(hours=2)
        return await self.keeper.sweep()

    async def pass_days(self, days: int) -> None:
        for _ in range(days):
            self.clock.move(days=1)
            await self.keeper.sweep()

    def rows(self, table: str) -> int:
        return int(self.engine.journal.reader.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])

    def events(self) -> list[str]:
        return [row.event_id for row in reversed(self.past.events(limit=10_000))]

    def runs(self) -> list[str]:
        return [f"{row.workflow_id} {row.status}" for row in reversed(self.past.runs(limit=10_000))]


def check(journal: Journal) -> None:
    """Whatever was taken away, what is there fits together."""
    assert journal.writer.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert journal.writer.execute("PRAGMA foreign_key_check").fetchall() == []
    past = Past(journal.reader)
    start = past.audit_start()
    assert verify_lines(past.audit(limit=1_000_000), past.audit_head(), start=start) == []
    assert past.runs_kept() == len(past.runs(limit=1_000_000))


def make_office(vault: Path, *workflows: dict[str, Any], settings: str = "") -> None:
    with (make_vault(vault, *workflows) / "aie.toml").open("a") as file:
        file.write(f'starts_per_minute = 0\napprovals = {{expires_after = "never"}}\n{settings}')


@asynccontextmanager
async def office(
    folder: Path, *workflows: dict[str, Any], clock: ManualClock | None = None, **behaviour: Callable[..., Any]
) -> AsyncIterator[Office]:
    clock = clock or ManualClock()
    vault = folder / "vault"
    if workflows:
        make_office(vault, *workflows)
    plugins = {"scripted": Scripted({"work": done, **behaviour}), "services": Services(Outbox(folder / "outbox"))}
    async with AsyncOrchestrator(vault, plugins=plugins, clock=clock, env={}) as orchestrator:
        opened = Office(orchestrator, clock)
        yield opened
        check(opened.engine.journal)


# --- what goes, and what stays ------------------------------------------------------------------------------------


def test_what_ended_long_ago_goes_with_its_event_and_what_is_open_stays_with_its_own(tmp_path: Path) -> None:
    async def main() -> None:
        async with office(tmp_path, workflow("pay", WORK, ASK)) as o:
            await o.take_in("decided", "open")
            decided, waiting = sorted(o.past.approvals(), key=lambda approval: approval.title)
            await o.engine.decide(decided.approval_id, approved=True, by="anna", channel="cli", evidence="")
            await o.engine.idle()
            o.limit(days=30)
            await o.pass_days(29)
            await o.take_in("new")
            assert o.events() == ["decided", "open", decided.approval_id, "new"]
            await o.pass_days(3)
            assert o.events() == ["open", "new"]
            assert o.runs() == ["pay asking", "pay asking"]
            assert (o.rows("step"), o.rows("approval")) == (4, 2)
            await o.engine.decide(waiting.approval_id, approved=True, by="anna", channel="cli", evidence="")
            await o.engine.idle()
            assert o.runs() == ["pay succeeded", "pay asking"]

    asyncio.run(main())


def test_only_so_many_runs_are_kept_and_as_many_events_without_any(tmp_path: Path) -> None:
    async def main() -> None:
        async with office(tmp_path, workflow("w", WORK)) as o:
            await o.take_in(*(f"e{number}" for number in range(10)))
            await o.take_in(*(f"nobody's{number}" for number in range(10)), event_type="file_added")
            o.limit(runs=3)
            assert (await o.sweep()).runs == 0
            assert o.events() == ["e7", "e8", "e9", "nobody's7", "nobody's8", "nobody's9"]
            assert o.runs() == ["w succeeded"] * 3

    asyncio.run(main())


def test_a_journal_that_is_too_large_loses_its_oldest_whatever_their_age(tmp_path: Path) -> None:
    async def main() -> None:
        async with office(tmp_path, workflow("w", WORK)) as o:
            await o.take_in_many("e", 1_600, text="x" * 2_000)
            assert o.past.space().used_bytes > 18_000_000
            o.limit(size_mb=15)
            await o.sweep()
            assert 13_500_000 < o.past.space().used_bytes <= 15_000_000
            assert o.rows("run") == o.rows("event") > 1_000
            assert o.events()[-1] == "e1599"

    asyncio.run(main())


def test_the_newest_stay_however_small_the_limit(tmp_path: Path) -> None:
    async def main() -> None:
        async with office(tmp_path, workflow("w", WORK)) as o:
            await o.take_in_many("e", 1_100, text="x" * 2_000)
            o.limit(size_mb=1)
            await o.sweep()
            assert o.rows("event") == retention.LEAST_EVENTS

    asyncio.run(main())


def test_numbers_are_not_used_twice_when_all_of_the_past_is_gone(tmp_path: Path) -> None:
    async def main() -> list[tuple[int, int, int]]:
        numbers = []
        clock = ManualClock()
        for turn in range(3):
            async with office(tmp_path, *[workflow("w", WORK)] * (turn == 0), clock=clock) as o:
                numbers.append((o.engine.journal.event_seq, o.engine.journal.run_seq, o.engine.journal.audit_seq))
                await o.take_in(f"a{turn}", f"b{turn}")
                o.limit(days=1)
                await o.pass_days(4)
                assert o.events() == [f"b{turn}"]
        return numbers

    assert asyncio.run(main()) == [(0, 0, 0), (2, 2, 8), (4, 4, 16)]


def test_answers_to_other_commands_go_after_a_day(tmp_path: Path) -> None:
    async def main() -> None:
        async with office(tmp_path, workflow("w", WORK)) as o:
            for minute, answer in enumerate(('{"a":1}', None, '{"b":1}')):
                at = stamp(MONDAY + timedelta(minutes=minute))
                o.engine.journal.writer.execute(
                    "INSERT INTO intake (request, at, answer) VALUES ('{}', ?, ?)", (at, answer)
                )
            o.clock.move(days=1, minutes=1)
            await o.keeper.sweep()
            assert o.engine.journal.reader.execute("SELECT id FROM intake").fetchall() == [(2,), (3,)]

    asyncio.run(main())


# --- what outlives it ---------------------------------------------------------------------------------------------


def test_an_event_that_is_gone_is_known_when_it_comes_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with office(tmp_path, workflow("w", WORK)) as o:
            await o.take_in("a", "b")
            o.limit(days=1)
            await o.pass_days(3)
            assert o.events() == ["b"]
            (again,) = await o.engine.accept_all([Event("manual_trigger", "test", {}, event_id="a")])
            assert (again.new, again.event_seq, again.runs) == (False, 0, ())
            assert o.past.event_seq("other", "a") is None
            (other,) = await o.engine.accept_all([Event("manual_trigger", "other", {"text": ""}, event_id="a")])
            assert other.new

    asyncio.run(main())


def test_an_emitted_event_that_is_gone_is_known_too(tmp_path: Path) -> None:
    emit = {"action_type": "emit_event", "parameters": {"event_type": "second", "event_id": "same", "data": {}}}

    async def main() -> None:
        first, second = workflow("first", emit), workflow("second", ASK, trigger="second")
        async with office(tmp_path, first, second) as o:
            await o.take_in("a")
            await o.engine.idle()
            (asked,) = o.past.approvals()
            await o.engine.decide(asked.approval_id, approved=False, by="anna", channel="cli", evidence="")
            await o.engine.idle()
            o.limit(days=1)
            await o.pass_days(3)
            await o.take_in("b")
            await o.engine.idle()
            assert o.past.approvals() == []
            assert o.orchestrator.workflows()["second"].execution_count == 1

    asyncio.run(main())


def test_workflows_remember_how_often_they_ran(tmp_path: Path) -> None:
    async def main() -> None:
        async with office(tmp_path, workflow("w", WORK), workflow("v", WORK, trigger="file_added")) as o:
            await o.take_in(*"abc")
            last = o.clock.now()
            o.limit(days=1)
            await o.pass_days(3)
            assert o.rows("run") == 1
            view = o.orchestrator.workflows()
            assert (view["w"].execution_count, view["w"].last_executed) == (3, last)
            assert (view["v"].execution_count, view["v"].last_executed) == (0, None)

    asyncio.run(main())


def test_a_definition_goes_when_nothing_refers_to_it_and_comes_back_when_it_is_used_again(tmp_path: Path) -> None:
    async def main() -> None:
        clock = ManualClock()

        def bodies(o: Office) -> set[str]:
            rows = o.engine.journal.reader.execute("SELECT body ->> 'name' FROM definition").fetchall()
            return {str(row[0]) for row in rows}

        async with office(tmp_path, workflow("w", WORK, name="one"), clock=clock) as o:
            await o.take_in("a")
            make_vault(tmp_path / "vault", workflow("w", WORK, name="two"))
            o.orchestrator.library.refresh()
            await o.take_in("b")
            o.limit(days=1)
            await o.pass_days(3)
            assert o.rows("run") == 1
            assert bodies(o) == {"one", "two"}, "runs of this process may begin without writing it again"
        async with office(tmp_path, clock=clock) as o:
            o.limit(days=1)
            await o.pass_days(1)
            assert bodies(o) == {"two"}
            make_vault(tmp_path / "vault", workflow("w", WORK, name="one"))
            o.orchestrator.library.refresh()
            await o.take_in("c")
            assert bodies(o) == {"one", "two"}

    asyncio.run(main())


# --- the audit chain ----------------------------------------------------------------------------------------------


def verified(vault: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    """What aie audit verify says: its exit code, and the problems."""
    code = verify.main(["--vault", str(vault), "--json"], standalone_mode=False)
    return code, json.loads(capsys.readouterr().out)["problems"]


async def with_a_shortened_chain(folder: Path, **limits: int) -> None:
    """A journal whose oldest audit records are gone; the files in Logs/audit have them all, or some."""
    async with office(folder, workflow("w", WORK)) as o:
        for day in range(6):
            await o.take_in_many(f"{day}-", 300)
            o.clock.move(hours=23)
            assert o.orchestrator.delivery is not None
            await o.orchestrator.delivery.flush()
            await o.keeper.sweep()
        o.limit(**limits)
        await o.sweep()
        await o.keeper.clear_files()
        assert o.past.audit_start()[0] > 3_000
        assert o.rows("audit") < 6 * 300 * 4 - 3_000


@pytest.fixture
def shortened(tmp_path: Path) -> Path:
    asyncio.run(with_a_shortened_chain(tmp_path, days=2))
    return tmp_path


def test_the_chain_is_whole_without_its_beginning(shortened: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(day_files(shortened / "vault" / "Logs" / "audit")) == 6
    assert verified(shortened / "vault", capsys) == (0, [])


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("DELETE FROM audit WHERE seq = (SELECT min(seq) FROM audit)", "missing"),
        ("UPDATE audit SET text = replace(text, 'success', 'failed') WHERE seq % 5 = 0", "was changed"),
        ("UPDATE meta SET value = '[1,\"' || printf('%064d', 0) || '\"]' WHERE key = 'audit_start'", "missing"),
        ("UPDATE audit SET prev = hash WHERE seq = (SELECT min(seq) FROM audit)", "was changed"),
    ],
)
def test_what_was_done_to_a_shortened_journal_is_found(
    shortened: Path, capsys: pytest.CaptureFixture[str], tampering: str, found: str
) -> None:
    connection = connect(shortened / "state" / "journal.db")
    connection.execute(tampering).fetchall()
    connection.close()
    code, problems = verified(shortened / "vault", capsys)
    assert code == 1
    assert found in problems[0]["problem"]


def test_what_was_done_to_the_files_is_found_though_the_journal_is_shorter(
    shortened: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *_, last = day_files(shortened / "vault" / "Logs" / "audit")
    whole = first.read_text()
    first.write_text(whole.replace("work", "play", 1))
    assert verified(shortened / "vault", capsys)[0] == 1
    first.unlink()
    code, problems = verified(shortened / "vault", capsys)
    assert (code, problems[0]["place"]) == (1, "Logs/audit")
    assert "missing" in problems[0]["problem"]
    first.write_text(whole)
    assert verified(shortened / "vault", capsys) == (0, [])
    last.unlink()
    assert verified(shortened / "vault", capsys)[0] == 1


def test_a_record_is_kept_until_every_sink_has_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with office(tmp_path, workflow("w", WORK)) as o:
            logs = tmp_path / "vault" / "Logs"
            logs.write_text("in the way of the folder")
            await o.take_in_many("e", 300)
            o.limit(days=1)
            assert o.orchestrator.delivery is not None
            await o.orchestrator.delivery.flush()
            await o.pass_days(3)
            assert (o.rows("run"), o.rows("audit")) == (1, 1_200)
            await o.take_in_many("f", 1_100, text="x" * 5_000)
            o.limit(size_mb=1)
            await o.pass_days(1)
            assert o.rows("run") == 1_101, "taking away runs would not make it smaller"
            logs.unlink()
            await o.orchestrator.delivery.flush()
            await o.pass_days(1)
            assert o.rows("run") == 1_000
            assert o.rows("audit") < 5_000

    asyncio.run(main())


def test_files_are_deleted_only_when_that_is_asked_for_and_the_chain_begins_after_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(with_a_shortened_chain(tmp_path, days=2, audit_days=4))
    folder = tmp_path / "vault" / "Logs" / "audit"
    assert [path.stem for path in day_files(folder)] == ["2026-02-11", "2026-02-12", "2026-02-13", "2026-02-14"]
    assert verified(tmp_path / "vault", capsys) == (0, [])
    day_files(folder)[0].unlink()
    assert verified(tmp_path / "vault", capsys)[0] == 1


def test_a_file_that_was_left_when_aie_was_cut_off_is_deleted_next_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "vault" / "Logs" / "audit"
    asyncio.run(with_a_shortened_chain(tmp_path, days=2))
    first = day_files(folder)[0]
    old = first.read_bytes()
    paths, start = outdated(folder, "2026-02-11", (1, "0" * 64))
    assert paths == day_files(folder)[:2]
    with connect(tmp_path / "state" / "journal.db") as connection:
        connection.execute(schema.PUT_META, ("audit_files_start", json.dumps(start)))
    assert verified(tmp_path / "vault", capsys) == (0, [])
    assert outdated(folder, "2026-02-11", start) == (paths, start)
    assert first.read_bytes() == old


def test_old_files_that_were_tampered_with_are_kept_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "vault" / "Logs" / "audit"
    asyncio.run(with_a_shortened_chain(tmp_path, days=2))
    first = day_files(folder)[0]
    first.write_text(first.read_text().replace("work", "play", 1))
    with pytest.raises(AieError) as caught:
        outdated(folder, "2026-02-11", (1, "0" * 64))
    assert "was changed" in caught.value.message
    assert caught.value.hint == "nothing of it is deleted until aie audit verify finds it whole"


def test_audit_files_that_begin_late_are_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        clock = ManualClock()
        make_office(tmp_path / "vault", workflow("w", WORK), settings="logs = false\n")
        async with office(tmp_path, clock=clock) as o:
            await o.take_in_many("e", 600)
            o.limit(days=1)
            await o.pass_days(1)
            await o.take_in_many("f", 300)
            await o.pass_days(1)
            assert o.past.audit_start()[0] > 2_000
        make_office(tmp_path / "vault", workflow("w", WORK))
        async with office(tmp_path, clock=clock) as o:
            await o.take_in("g")

    asyncio.run(main())
    assert verified(tmp_path / "vault", capsys) == (0, [])


# --- in slices ----------------------------------------------------------------------------------------------------


def test_after_every_slice_the_journal_is_as_whole_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "SLICE_ROWS", 7)
    monkeypatch.setattr(journal, "MARK_EVERY", 10)
    steps = [{**WORK, "id": f"s{number}"} for number in range(9)]
    ids = [f"e{number}" for number in range(12)]

    async def main() -> None:
        async with office(tmp_path, workflow("many", *steps), workflow("asks", ASK), workflow("one", WORK)) as o:
            for event_id in ids:
                await o.take_in(event_id)
                await o.keeper.sweep()
            for approval in o.past.approvals():
                if "e10" in approval.title or "e11" in approval.title:
                    continue
                await o.engine.decide(approval.approval_id, approved=True, by="anna", channel="cli", evidence="")
            await o.engine.idle()
            assert o.orchestrator.delivery is not None
            await o.orchestrator.delivery.flush()
            counters = {name: view.execution_count for name, view in o.orchestrator.workflows().items()}
            o.limit(days=1)
            o.clock.move(days=3)
            await o.keeper.sweep()
            o.clock.move(hours=2)
            o.keeper._believe(o.clock.now())
            o.keeper._after = 0
            slices = 0
            while True:
                part = o.keeper._next_slice()
                if not part.batch and not part.rows:
                    break
                await o.engine.journal.commit(part.batch or Batch())
                slices += 1
                check(o.engine.journal)
                assert [o.past.event_seq("test", event_id) is not None for event_id in ids] == [True] * 12
                assert {name: view.execution_count for name, view in o.orchestrator.workflows().items()} == counters
                assert len(o.past.approvals()) == 2
                assert all(
                    o.past.load_run(seq, o.engine._compile_pinned, o.engine.config.timezone) for seq in open_runs(o)
                )
            assert slices > 30
            assert o.events() == ["e10", "e11", o.events()[-1]]

    def open_runs(o: Office) -> list[int]:
        return [seq for seq, *_ in o.past.open_runs()]

    asyncio.run(main())


def test_a_run_with_a_lot_in_it_goes_in_several_slices(tmp_path: Path) -> None:
    steps = [{**WORK, "id": f"s{number}"} for number in range(20)]

    async def main() -> None:
        async with office(tmp_path, workflow("large", *steps), work=lambda params, _: {"back": params["text"]}) as o:
            await o.take_in("large", text="x" * 200_000)
            await o.take_in("small")
            o.limit(days=1)
            o.clock.move(days=2)
            await o.keeper.sweep()
            o.clock.move(hours=2)
            largest, before = 0, o.engine.journal.commits
            inner = o.keeper._next_slice

            def measured() -> Any:
                nonlocal largest
                part = inner()
                largest = max(largest, part.size_bytes)
                return part

            o.keeper._next_slice = measured  # type: ignore[method-assign]
            await o.keeper.sweep()
            assert o.engine.journal.commits - before >= 8
            assert largest < 1_500_000
            assert o.events() == ["small"]

    asyncio.run(main())


def test_space_that_is_not_needed_any_more_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "FREE_PAGES", 100)

    async def main() -> int:
        async with office(tmp_path, workflow("w", WORK)) as o:
            await o.take_in(*(f"e{number}" for number in range(30)), text="x" * 200_000)
            o.limit(runs=3)
            await o.sweep()
            space = o.past.space()
            assert space.free <= 100 + space.pages // 10
            return space.used_bytes

    used = asyncio.run(main())
    size = (tmp_path / "state" / "journal.db").stat().st_size
    assert used <= size < 2 * used + 500_000
    assert not (tmp_path / "state" / "journal.db-wal").exists()


# --- the clock ----------------------------------------------------------------------------------------------------


def test_a_clock_that_jumps_takes_nothing_away_within_the_hour(tmp_path: Path) -> None:
    async def main() -> None:
        async with office(tmp_path, workflow("w", WORK)) as o:
            await o.take_in("a", "b", "c")
            o.limit(days=30)
            await o.keeper.sweep()
            o.clock.move(days=30_000)
            assert not await o.keeper.sweep()
            o.clock.move(days=-30_000)
            assert not await o.keeper.sweep()
            o.clock.move(hours=2)
            assert not await o.keeper.sweep()
            o.clock.move(days=40)
            assert not await o.keeper.sweep(), "it may have been off for so long, or the clock may be wrong"
            o.clock.move(minutes=61)
            assert (await o.keeper.sweep()).events == 2

    asyncio.run(main())


def test_a_time_when_the_clock_was_wrong_holds_nothing_up(tmp_path: Path) -> None:
    async def main() -> None:
        async with office(tmp_path, workflow("w", WORK)) as o:
            o.clock.move(days=20_000)
            await o.take_in("from the future")
            o.clock.move(days=-20_000)
            await o.take_in("a", "b", "c")
            o.limit(days=30)
            await o.pass_days(32)
            assert o.events() == ["from the future", "c"]

    asyncio.run(main())


def test_a_clock_that_was_set_back_a_little_costs_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MARK_EVERY", 5)

    async def main() -> None:
        async with office(tmp_path, workflow("w", WORK)) as o:
            await o.take_in(*"abcdef")
            records = o.rows("audit")
            o.clock.move(hours=-3)
            await o.take_in("g")
            assert o.orchestrator.delivery is not None
            await o.orchestrator.delivery.flush()
            await o.keeper.sweep()
            assert (o.events(), o.rows("audit") > records) == (list("abcdefg"), True)

    asyncio.run(main())


# --- while the engine runs ----------------------------------------------------------------------------------------


async def true_soon(what: Callable[[], bool]) -> None:
    for _ in range(500):
        if what():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true")


def test_an_engine_that_stays_keeps_to_the_limits_by_itself(tmp_path: Path) -> None:
    async def main() -> None:
        async with office(tmp_path, workflow("w", WORK)) as o:
            await o.take_in("a", "b", "c")
            o.limit(runs=1)
            o.orchestrator.serve()
            await asyncio.sleep(0)
            o.clock.move(seconds=11)
            await true_soon(lambda: o.rows("event") == 1)

    asyncio.run(main())


def test_a_reader_that_does_not_end_is_noticed_and_the_log_shrinks_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retention, "LARGE_LOG_BYTES", 20_000_000)

    async def main() -> None:
        async with office(tmp_path, workflow("w", WORK)) as o:
            log = tmp_path / "state" / "journal.db-wal"
            await o.take_in("first")
            reader = apsw.Connection(str(tmp_path / "state" / "journal.db"))
            reader.execute("BEGIN; SELECT count(*) FROM run").fetchall()
            await o.take_in(*(f"e{number}" for number in range(40)), text="x" * 250_000)
            assert log.stat().st_size > 20_000_000
            with caplog.at_level(logging.WARNING, "aie.retention"):
                await o.keeper._watch_log()
                await o.keeper._watch_log()
            said = [record.getMessage() for record in caplog.records if record.name == "aie.retention"]
            assert len(said) == 1
            assert "another program has been reading the journal for long" in said[0]
            reader.execute("ROLLBACK").fetchall()
            reader.close()
            await o.keeper._watch_log()
            await o.take_in("last")
            assert log.stat().st_size <= 16_000_000

    asyncio.run(main())


def test_a_new_journal_can_give_space_back(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal(tmp_path / "journal.db")
        assert journal.writer.execute("PRAGMA auto_vacuum").fetchall() == [(2,)]
        assert Past(journal.reader).space().can_shrink
        journal.close()

    asyncio.run(main())
