"""A journal that is damaged, cut off, replaced, taken away or held by others: refused with advice or recovered from."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

from aie import ActionContext, AsyncOrchestrator, Event
from aie.errors import AieError, JournalError
from aie.journal import Journal
from aie.journal_file import look, refuse_damage
from aie.run import RunStatus
from tests.aie_home import DEADLINE_S, AieHome
from tests.stand_ins import ManualClock, Scripted, make_vault, workflow

NOTE = {"id": "note", "action_type": "create_file", "parameters": {"path": "Out/a.md", "content": "made"}}
SAFE = "somewhere safe, then restore a backup, or start afresh with another AIE_STATE_DIR"
EVENTS = 120
RECORDS = 4 * EVENTS  # of the audit: the event, the start, the step, the end


def manual(event_id: str) -> Event:
    return Event("manual_trigger", "test", {"text": "x" * 40}, event_id=event_id)


@dataclass(frozen=True)
class House:
    """A vault whose journal a test may damage. ``good`` is the state folder as it was, its engine stopped cleanly;
    ``cut`` the same as ``kill -9`` leaves it, with its write-ahead log.
    """

    vault: Path
    good: Path
    cut: Path

    @property
    def state(self) -> Path:
        return self.vault.parent / "state"

    @property
    def journal(self) -> Path:
        return self.state / "journal.db"

    def restore(self, source: Path) -> None:
        shutil.rmtree(self.state, ignore_errors=True)
        shutil.copytree(source, self.state)

    def open(self, **seams: Any) -> AsyncOrchestrator:
        scripted = Scripted({"note": lambda params, context: None})
        return AsyncOrchestrator(self.vault, plugins={"t": scripted}, env={}, **seams)

    async def work(self) -> str:
        """Start as ``aie start`` does, and take in one more event; every event from before must still be known."""
        orchestrator = self.open()
        await orchestrator.open(serve=True)
        try:
            assert orchestrator.engine is not None
            for number in range(EVENTS):
                assert not (await orchestrator.engine.accept(manual(f"e{number}"))).new, (
                    "an accepted event was forgotten"
                )
            result = await orchestrator.process_event(manual("one more"), linger_s=0)
            return str([run.status for run in result.runs])
        finally:
            await orchestrator.close()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> House:
    root = tmp_path_factory.mktemp("house")
    house = House(make_vault(root / "v", workflow("w", {"action_type": "note"})), root / "good", root / "cut")

    async def fill() -> None:
        async with house.open() as orchestrator:
            assert orchestrator.engine is not None
            await orchestrator.engine.accept_all([manual(f"e{number}") for number in range(EVENTS)])
            await orchestrator.settle()
            shutil.copytree(house.state, house.cut)
        shutil.copytree(house.state, house.good)

    asyncio.run(fill())
    assert (house.cut / "journal.db-wal").stat().st_size > 100_000
    assert not (house.good / "journal.db-wal").exists()
    return house


@pytest.fixture
def house(built: House) -> House:
    built.restore(built.good)
    shutil.rmtree(built.vault / "Logs", ignore_errors=True)
    return built


@pytest.fixture
def aie(tmp_path: Path) -> AieHome:
    return AieHome(tmp_path).with_vault()


def refused(house: House) -> JournalError:
    """Why the house cannot be opened; what is in its state folder was left as it was."""
    before = {path.name: path.read_bytes() for path in house.state.glob("journal.db*")}
    with pytest.raises(JournalError) as caught:
        asyncio.run(house.work())
    after = {path.name: path.read_bytes() for path in house.state.glob("journal.db*")}
    assert {name: after.get(name) for name in before} == before, "the file is kept as it is"
    return caught.value


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0xFF]))


# --- damaged ----------------------------------------------------------------------------------------------------------


def test_a_flipped_byte_anywhere_is_recovered_from_or_refused_with_advice(house: House) -> None:
    size = (house.good / "journal.db").stat().st_size
    chance = random.Random(20260209)
    places = [
        page * 4096 + chance.choice((0, 3, 5, 8, 9, chance.randrange(4096))) for page in range(0, size // 4096, 2)
    ]
    outcomes: Counter[str] = Counter()
    for place in places:
        house.restore(house.good)
        flip(house.journal, place)
        try:
            outcomes[asyncio.run(house.work())] += 1
        except JournalError as error:
            assert (error.where, error.passing, bool(error.hint)) == (str(house.journal), False, True)
            outcomes["refused"] += 1
    assert set(outcomes) == {"[<RunStatus.SUCCEEDED: 'succeeded'>]", "refused"}
    assert outcomes["refused"] >= len(places) // 4, outcomes


def test_a_flipped_byte_in_the_write_ahead_log_loses_no_more_than_what_comes_after_it_and_says_so(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.restore(house.cut)
    size = (house.cut / "journal.db-wal").stat().st_size
    logs = house.vault / "Logs" / "audit"

    async def deliver() -> None:
        async with house.open():
            pass

    asyncio.run(deliver())  # the audit files as they were when the engine was cut off
    assert logs.is_dir()
    house.restore(house.cut)
    flip(house.state / "journal.db-wal", size // 2)

    async def main() -> tuple[int, RunStatus]:
        async with house.open() as orchestrator:
            known = len(orchestrator.history.events(limit=1_000))
            (run,) = (await orchestrator.process_event(manual("one more"), linger_s=0)).runs
            return known, run.status

    with caplog.at_level(logging.WARNING, "aie.journal"):
        known, status = asyncio.run(main())
    assert (known <= EVENTS, status) == (True, RunStatus.SUCCEEDED)
    assert [record.getMessage()[: len(str(logs)) + 20] for record in caplog.records] == [f"{logs} goes on to record 4"]
    assert "some of it was lost" in caplog.text


@pytest.mark.parametrize("size", [1, 15, 100, 511, 512, 4095, 4096, 65_536, -4096, -4095, -1])
def test_a_journal_that_was_cut_off_is_refused(house: House, size: int) -> None:
    whole = house.journal.stat().st_size
    os.truncate(house.journal, size if size > 0 else whole + size)
    error = refused(house)
    assert error.message.startswith("the journal is damaged (")
    assert error.message.endswith("); it was left as it is")
    assert (error.where, error.damaged) == (str(house.journal), True)
    assert error.hint.endswith(SAFE)


def _text(path: Path) -> None:
    path.write_text("this is a shopping list, and long enough to be looked at: " * 20)


def _another_database(path: Path) -> None:
    path.unlink()
    with apsw.Connection(str(path)) as connection:
        connection.execute("CREATE TABLE songs (name TEXT); INSERT INTO songs VALUES ('Ode to Joy')")
    connection.close()


def _newer(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE meta SET value='99' WHERE key='version'")
    connection.close()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("replace", "message"),
    [
        (_text, "the journal is damaged (file is not a database); it was left as it is"),
        (_another_database, "this is not a journal of version 2: found something else"),
        (_newer, "this is not a journal of version 2: found version 99"),
        (_folder, "there is no file where the journal should be, but something else"),
    ],
)
def test_something_else_in_its_place_is_refused_by_the_engine_and_by_who_only_looks(
    house: House, replace: Callable[[Path], None], message: str
) -> None:
    replace(house.journal)
    if house.journal.is_dir():
        with pytest.raises(JournalError) as caught:
            asyncio.run(house.work())
        assert caught.value.message == message
    else:
        assert refused(house).message == message
    with pytest.raises(JournalError) as caught:
        look(house.journal)
        refuse_damage(house.journal)
    assert (caught.value.message, caught.value.where) == (message, str(house.journal))
    assert caught.value.hint


@pytest.mark.parametrize("gone", [True, False])
def test_a_write_ahead_log_without_its_database_is_kept_and_nothing_is_begun_anew(house: House, gone: bool) -> None:
    house.restore(house.cut)
    if gone:
        house.journal.unlink()
    else:
        os.truncate(house.journal, 0)
    error = refused(house)
    what = f"it is {'gone' if gone else 'empty'}, while journal.db-wal still holds records"
    assert error.message == f"the journal is damaged ({what}); it was left as it is"
    assert error.hint == f"copy the state folder {SAFE}"


def _deleted(state: Path) -> None:
    (state / "journal.db-wal").unlink()
    (state / "journal.db-shm").unlink(missing_ok=True)


def _all_deleted(state: Path) -> None:
    shutil.rmtree(state)


def _cut_in_half(state: Path) -> None:
    path = state / "journal.db-wal"
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("lose", [_deleted, _cut_in_half, _all_deleted])
def test_nothing_is_begun_anew_in_silence(
    house: House, lose: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Where SQLite cannot know that something is missing, the audit files in the vault do."""
    house.restore(house.cut)

    async def main() -> int:
        async with house.open() as orchestrator:
            await orchestrator.settle()
            assert orchestrator.engine is not None
            return orchestrator.engine.journal.audit_seq

    with caplog.at_level(logging.WARNING, "aie.journal"):
        whole = asyncio.run(main())
        assert caplog.records == []
        house.restore(house.cut)
        lose(house.state)
        left = asyncio.run(main())
    (record,) = caplog.records
    assert (whole, left < whole) == (RECORDS, True)
    ends = f"record {left}" if left else "none"
    assert f"goes on to record {whole}, and the journal ends with {ends}: some of it was lost" in record.getMessage()


def test_an_empty_file_is_told(house: House, caplog: pytest.LogCaptureFixture) -> None:
    os.truncate(house.journal, 0)

    async def main() -> int:
        async with house.open() as orchestrator:
            return len(orchestrator.history.events())

    with caplog.at_level(logging.WARNING, "aie.journal"):
        assert asyncio.run(main()) == 0
    assert f"{house.journal} is empty: if it was not before, stop aie and restore a backup" in caplog.text


# --- damage that shows up while aie is at work ------------------------------------------------------------------------


class Faulty(Journal):
    """A journal whose disk answers every write with ``fault`` while that is set."""

    fault: apsw.Error | None = None

    def _insert(self, batches: Any) -> None:
        if self.fault is not None:
            raise self.fault
        super()._insert(batches)


def faulty(orchestrator: AsyncOrchestrator) -> Faulty:
    assert orchestrator.engine is not None
    assert isinstance(orchestrator.engine.journal, Faulty)
    return orchestrator.engine.journal


def test_damage_that_shows_up_later_stops_the_engine_and_whoever_waits_is_told(house: House) -> None:
    async def main() -> tuple[JournalError, JournalError]:
        async with house.open(open_journal=Faulty) as orchestrator:
            faulty(orchestrator).fault = apsw.CorruptError("database disk image is malformed")
            with pytest.raises(JournalError) as told:
                await orchestrator.process_event(manual("new"), linger_s=0)
            orchestrator.serve()
            with pytest.raises(JournalError) as stopped:
                await asyncio.wait_for(orchestrator.failure(), 5)
        return told.value, stopped.value

    for error in asyncio.run(main()):
        assert error.message == "the journal is damaged (database disk image is malformed); it was left as it is"
        assert (error.where, error.damaged) == (str(house.journal), True)


def test_a_running_aie_start_whose_journal_is_damaged_ends_with_one_message(aie: AieHome) -> None:
    aie.workflow("file_it", [NOTE], trigger_event="file_added")
    (aie.vault / "Inbox").mkdir()
    aie("emit", "file_added")
    journal = aie.state / "journal.db"
    with aie.started() as running:
        size = journal.stat().st_size
        with journal.open("r+b") as file:  # another program writes into all of it but the first page
            file.seek(4096)
            file.write(b"\xa5" * (size - 4096))
        (aie.vault / "Inbox" / "letter.md").write_text("hello")
        code = running.process.wait(DEADLINE_S)
        err = running.err.read_text()
    assert code == 1
    assert err.startswith("Error: the journal is damaged (database disk image is malformed); it was left as it is\n"), (
        err
    )
    assert f"\n  Where: {journal}\n  Next:  copy the " in err
    assert (len(err.splitlines()), journal.stat().st_size) == (3, size)


# --- taken away while aie is at work ----------------------------------------------------------------------------------


def test_a_state_folder_that_vanishes_stops_aie_start_and_nothing_is_made_up(aie: AieHome) -> None:
    aie.workflow("file_it", [NOTE])
    with aie.started() as running:
        aie("emit", "expense_recorded")
        shutil.move(aie.state, aie.root / "moved")
        code = running.process.wait(DEADLINE_S)
        err = running.err.read_text()
    assert (code, err) == (
        1,
        "Error: the journal was taken away while aie was at work, so aie stopped\n"
        f"  Where: {aie.state}/journal.db\n"
        "  Next:  bring the state folder back and start aie again; "
        "what came in the last second may be missing from it\n",
    )
    shutil.rmtree(aie.state, ignore_errors=True)
    shutil.move(aie.root / "moved", aie.state)
    assert [run["status"] for run in aie("runs", "list", "--json").records] == ["succeeded"]


def test_a_journal_that_is_replaced_under_the_engine_stops_it(house: House) -> None:
    clock = ManualClock()

    async def main() -> JournalError:
        orchestrator = house.open(clock=clock)
        await orchestrator.open(serve=True)
        try:
            orchestrator.serve()
            await asyncio.sleep(0.01)
            shutil.copy(house.journal, house.state / "copy.db")  # as a sync tool or a restored backup does it
            (house.state / "copy.db").replace(house.journal)
            clock.move(seconds=2)
            with pytest.raises(JournalError) as caught:
                await asyncio.wait_for(orchestrator.failure(), 5)
            return caught.value
        finally:
            await orchestrator.close()

    assert asyncio.run(main()).message == "the journal was replaced while aie was at work, so aie stopped"


# --- held by another program ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Another program holds the database for writing."""
    connection = apsw.Connection(str(path))
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def test_a_run_waits_while_another_program_holds_the_journal_and_goes_on_afterwards(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("aie.journal.BUSY_TIMEOUT_MS", 100)
    monkeypatch.setattr("aie.ingest.JOURNAL_RETRY_S", 0.05)
    reached = asyncio.Event()

    async def slow(params: dict[str, Any], context: ActionContext) -> None:
        reached.set()
        await go_on.wait()

    scripted, go_on = Scripted({"note": slow}), asyncio.Event()

    async def main() -> tuple[str, str, float]:
        async with AsyncOrchestrator(house.vault, plugins={"t": scripted}, env={}) as orchestrator:
            run = asyncio.create_task(orchestrator.process_event(manual("a"), linger_s=0))
            await reached.wait()
            with held(house.journal):
                go_on.set()
                with pytest.raises(JournalError) as refusal:
                    await orchestrator.process_event(manual("b"), linger_s=0)
                began_s = asyncio.get_running_loop().time()
                await asyncio.sleep(0)
                turn_s = asyncio.get_running_loop().time() - began_s
                assert not run.done()
            result = await asyncio.wait_for(run, 5)
            again = await orchestrator.process_event(manual("b"), linger_s=0)
            assert again.new
            return refusal.value.message, str(result.runs[0].status), turn_s

    with caplog.at_level(logging.WARNING, "aie.engine"):
        refusal, status, turn_s = asyncio.run(main())
    assert (refusal, status) == ("another program holds the journal", "succeeded")
    assert turn_s < 0.5, "the event loop goes on turning"
    assert [record.getMessage() for record in caplog.records if record.name == "aie.engine"] == [
        f"{house.journal}: another program holds the journal; close it and try again. All runs wait until it works.",
        "the journal can be written again",
    ]
    assert [name for name, _, _ in scripted.calls] == ["note", "note"], "once for each event"


def test_a_command_that_finds_the_journal_held_says_so_and_the_next_one_works(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aie.journal.BUSY_TIMEOUT_MS", 100)

    async def main() -> tuple[AieError, bool]:
        async with house.open():
            beside = house.open()
            await beside.open()
            assert beside.engine is None
            with held(house.journal), pytest.raises(AieError) as caught:
                await beside.process_event(manual("a"), linger_s=0)
            new = (await beside.process_event(manual("a"), linger_s=0)).new
            await beside.close()
            return caught.value, new

    error, new = asyncio.run(main())
    assert (error.message, error.where, error.hint, new) == (
        "another program holds the journal", str(house.journal), "close it and try again", True,
    )  # fmt: skip


def test_an_engine_that_cannot_write_for_a_while_still_answers_what_it_was_asked(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The request is in the journal already, so it is neither lost nor refused: it waits for its turn."""
    monkeypatch.setattr("aie.journal.BUSY_TIMEOUT_MS", 50)
    monkeypatch.setattr("aie.requests.RETRY_S", 0.05)

    async def main() -> tuple[bool, list[str]]:
        async with house.open(open_journal=Faulty) as orchestrator:
            beside = house.open()
            await beside.open()
            faulty(orchestrator).fault = apsw.BusyError("database is locked")
            asking = asyncio.create_task(beside.process_event(manual("a"), linger_s=0))
            while "nothing is taken in" not in caplog.text:  # noqa: ASYNC110 - a log has no event
                await asyncio.sleep(0.005)
            assert not asking.done()
            faulty(orchestrator).fault = None
            result = await asyncio.wait_for(asking, 5)
            await beside.close()
            return result.new, [str(run.status) for run in result.runs]

    with caplog.at_level(logging.WARNING, "aie.requests"):
        assert asyncio.run(main()) == (True, ["succeeded"])
    assert caplog.records[-1].getMessage() == "events are taken in again"
