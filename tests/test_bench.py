"""The benchmark measures what it says: the work is the right work, and the floor writes what aie writes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import apsw
import pytest

from aie.history import History
from tests.bench import on_aie, on_floor, past, recording, work
from tests.bench.report import Ratio, Table, aligned, verdicts

RUNS, WARM_UP = 5, 2
NOT_OF_A_RUN = {"meta", "definition", "cursor"}  # once per journal, workflow or sink


@pytest.fixture(scope="module")
def aie_folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """What aie made of a few events, one at a time and without sinks, which commit when it suits them."""
    folder = tmp_path_factory.mktemp("aie")
    return folder, asyncio.run(on_aie.run(folder, RUNS, in_flight=1, warm_up=WARM_UP, settings="logs = false\n"))


@pytest.fixture(scope="module")
def floor_folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """What the floor made of as many."""
    tape = recording.make_tape(tmp_path_factory.mktemp("recording"))
    folder = tmp_path_factory.mktemp("floor")
    return folder, asyncio.run(on_floor.run(folder, tape, RUNS, in_flight=1, warm_up=WARM_UP))


def volumes(path: Path) -> dict[str, tuple[int, int]]:
    """The rows of each table that grows with every run, and the characters in them."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        found = {}
        for table in sorted({str(row[0]) for row in connection.execute(sql)} - NOT_OF_A_RUN):
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()
            found[table] = len(rows), sum(len(str(value)) for row in rows for value in row if value is not None)
        return found
    finally:
        connection.close()


def test_each_event_gives_one_run_with_the_results_that_plain_python_gives(
    aie_folder: tuple[Path, dict[str, Any]],
) -> None:
    connection = apsw.Connection(str(aie_folder[0] / "state" / "journal.db"))
    history = History(connection)
    found = [
        (
            history.event(row.event_seq).event_id,
            row.workflow_id,
            str(row.status),
            [s.result for s in history.steps(row.seq)],
        )
        for row in reversed(history.runs())
    ]
    connection.close()
    expected = [
        (work.event_id(number), work.WORKFLOW_ID, "succeeded", work.carry_out(work.event(number)))
        for number in range(WARM_UP + RUNS)
    ]
    assert found == expected


def test_the_floor_writes_the_rows_that_aie_writes(
    aie_folder: tuple[Path, dict[str, Any]], floor_folder: tuple[Path, dict[str, Any]]
) -> None:
    aie = volumes(aie_folder[0] / "state" / "journal.db")
    floor = volumes(floor_folder[0] / "journal.db")
    assert {table: rows for table, (rows, _) in floor.items()} == {table: rows for table, (rows, _) in aie.items()}
    assert sum(rows for rows, _ in aie.values()) > 0
    characters = [sum(size for _, size in one.values()) for one in (aie, floor)]
    assert characters[1] == pytest.approx(characters[0], rel=0.02)  # numbers have more digits or fewer


def test_the_floor_waits_for_the_disk_as_often_as_aie(
    aie_folder: tuple[Path, dict[str, Any]], floor_folder: tuple[Path, dict[str, Any]]
) -> None:
    assert floor_folder[1]["commits_per_run"] == aie_folder[1]["commits_per_run"] >= 3


def test_a_condition_that_is_false_starts_nothing_in_plain_python_either() -> None:
    event = work.event(1)
    assert work.carry_out({**event, "data": {**event["data"], "amount": 100}}) is None


def test_a_past_that_was_played_is_a_past_to_aie(tmp_path: Path) -> None:
    tape = recording.make_tape(tmp_path / "recorded")
    folder = tmp_path / "office"
    asyncio.run(past.begin(folder))
    past.fill(folder / "state" / "journal.db", tape, 50)

    async def look() -> tuple[set[str], int, int, bool]:
        async with on_aie.opened(folder / "vault", {"bench": on_aie.Actions()}) as office:
            again = await office.orchestrator.process_event(on_aie.make_event(past.FIRST))
            await office.process(on_aie.make_event(past.FIRST + 50))
            history = office.orchestrator.history
            runs = history.runs(limit=1_000)
            steps = history.steps(history.runs_of_event(history.event_seq(work.SOURCE, again.event_id))[0].seq)
            return {str(run.status) for run in runs}, len(runs), len(steps), again.new

    assert asyncio.run(look()) == ({"succeeded"}, 52, 2, False)


def test_a_tape_has_ids_of_its_own_for_every_run(tmp_path: Path) -> None:
    tape = recording.make_tape(tmp_path)
    one, other = tape.runs(1, 2)
    texts = [json.dumps(transactions) for transactions in (one, other)]
    assert [len(text) for text in texts] == [len(texts[0])] * 2
    assert work.event_id(1) in texts[0]
    assert work.event_id(1) not in texts[1]
    assert tape.run_id not in "".join(texts)


def test_a_promise_is_judged_by_the_median() -> None:
    ratios = [
        Ratio("fast enough", [0.1, 0.6, 0.7], at_least=0.5),
        Ratio("too slow", [0.2, 0.3, 9.0], at_most=0.25),
        Ratio("only told", [1234.5]),
    ]
    assert list(aligned(verdicts(ratios))) == [
        "ratio        target  median (min–max)",
        "fast enough   ≥ 0.5     0.6 (0.1–0.7)      met",
        "too slow     ≤ 0.25       0.3 (0.2–9)  NOT MET",
        "only told                       1,234",
    ]
    assert list(aligned(Table(("a", "b"), [("c", "d")]))) == ["a  b", "c  d"]
