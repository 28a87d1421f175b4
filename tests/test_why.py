"""``aie why`` and ``aie why-not``: the part of a condition that decided, and what else keeps a workflow."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aie import AsyncOrchestrator, Event
from aie.conditions import Condition
from aie.errors import ConditionError
from aie.explain import Explanation, explain_condition
from aie.inquiry import Inquiry
from aie.plain import Json
from tests.aie_home import AieHome, until
from tests.stand_ins import ManualClock, Scripted, make_vault, workflow

NOTE = {"id": "note", "action_type": "create_file", "parameters": {"path": "Out/{{ run.run_id }}.md", "content": "x"}}


def explained(source: str, **data: Any) -> Explanation:
    scope: dict[str, Json] = {"event": {"data": data}, "results": {}, "workflow": {}, "run": {}}
    return explain_condition(Condition.parse(source), scope)


def deciding(source: str, **data: Any) -> list[tuple[str, bool | None]]:
    return [(clause.text, clause.answer) for clause in explained(source, **data).deciding]


# --- clauses ------------------------------------------------------------------------------------------------------


def test_the_first_false_part_of_an_and_decides() -> None:
    source = "event.data.a > 1 and event.data.b > 1 and event.data.c > 1"
    assert deciding(source, a=5, b=0, c=0) == [("event.data.b > 1", False)]
    assert deciding(source, a=5, b=5, c=5) == [(f"event.data.{name} > 1", True) for name in "abc"]


def test_the_first_true_part_of_an_or_decides_and_all_false_ones_do() -> None:
    source = "event.data.a or event.data.b or event.data.c"
    assert deciding(source, a=0, b=1, c=1) == [("event.data.b", True)]
    assert deciding(source, a=0, b=0, c=0) == [
        ("event.data.a", False),
        ("event.data.b", False),
        ("event.data.c", False),
    ]


def test_parts_within_parts_are_told_apart() -> None:
    source = "event.data.a and not (event.data.b or (event.data.c and event.data.d))"
    assert deciding(source, a=1, b=0, c=1, d=1) == [("event.data.c", True), ("event.data.d", True)]
    assert deciding(source, a=1, b=0, c=0, d=1) == [
        ("event.data.a", True), ("event.data.b", False), ("event.data.c", False),
    ]  # fmt: skip


def test_a_part_says_what_it_saw_and_what_was_missing() -> None:
    (clause,) = explained("event.data.get('total', 0) > event.data.limit", limit=9).deciding
    assert clause.plain() == {
        "clause": "event.data.get('total', 0) > event.data.limit", "answer": False,
        "saw": {"event.data.limit": 9, "event.data.total": "missing"}, "error": None,
    }  # fmt: skip


def test_the_part_that_failed_is_named_with_what_is_wrong() -> None:
    whole = explained("event.data.a > 1 and event.data.amonut > 1", a=5, amount=3)
    assert whole.answer is None
    (clause,) = whole.deciding
    assert (clause.text, clause.answer) == ("event.data.amonut > 1", None)
    assert clause.error == "'event.data' has no 'amonut'; 'event.data' has: a, amount; did you mean 'amount'?"


def test_a_condition_over_several_lines_is_shown_in_one() -> None:
    assert deciding("(event.data.a >\n   1) and (\nevent.data.b\n  > 1)", a=2, b=1) == [("event.data.b > 1", False)]


def test_what_is_too_much_only_as_a_whole_is_not_said_of_a_part() -> None:
    part = (
        "len([a for a in event.data.items for b in event.data.items]) >= 0"
        if False
        else ("all(any(a == b for b in event.data.items) for a in event.data.items)")
    )
    source = " and ".join([part] * 8)
    items = list(range(60))
    with pytest.raises(ConditionError):
        Condition.parse(source).evaluate({"event": {"data": {"items": items}}})
    whole = explained(source, items=items)
    assert whole.answer is None
    assert [clause.text for clause in whole.deciding] == [source]


PARTS = st.recursive(
    st.sampled_from(
        ["event.data.a", "event.data.b > 1", "event.data.no", "event.data.c == 'x'", "1 / event.data.a > 0"]
    ),
    lambda part: st.one_of(
        st.tuples(part, st.sampled_from(["and", "or"]), part).map(lambda three: "({} {} {})".format(*three)),
        part.map("not {}".format),
        part.map("(not {})".format),
    ),
    max_leaves=8,
)


@given(PARTS, st.integers(0, 2), st.integers(0, 2), st.sampled_from(["x", "y"]))
def test_the_explanation_agrees_with_the_answer(source: str, a: int, b: int, c: str) -> None:
    data: dict[str, Json] = {"a": a, "b": b, "c": c}
    scope: dict[str, Json] = {"event": {"data": data}, "results": {}, "workflow": {}, "run": {}}
    condition = Condition.parse(source)
    try:
        answer: bool | None = condition.evaluate(scope)
    except ConditionError:
        answer = None
    found = explain_condition(condition, scope)
    assert found.answer is answer
    assert found.deciding
    if answer is None:
        assert [clause.answer for clause in found.deciding] == [None]


# --- from the record ----------------------------------------------------------------------------------------------


def test_what_is_said_agrees_with_what_was_decided(tmp_path: Path) -> None:
    """The engine decides on many events and workflows; asked afterwards, each answer is the one it gave."""
    conditions = [
        "event.data.n > 3",
        "event.data.n > 3 and event.data.m",
        "not event.data.get('m')",
        "event.data.n % 2 == 0",
    ]
    vault = make_vault(
        tmp_path / "vault",
        *(workflow(f"w{number}", NOTE, trigger_condition=source) for number, source in enumerate(conditions)),
        workflow("off", NOTE, enabled=False),
    )

    async def main() -> None:
        async with AsyncOrchestrator(vault, env={}) as orchestrator:
            decided = {}
            for number in range(8):
                data = {"n": number} if number % 3 else {"n": number, "m": True}
                result = await orchestrator.process_event(Event("manual_trigger", "t", data, event_id=f"e{number}"))
                said = {run.workflow_id: (True, "") for run in result.runs}
                decided[f"e{number}"] = said | {one["workflow_id"]: (False, one["failed"]) for one in result.skipped}
            inquiry = Inquiry.of(orchestrator.config, orchestrator.history)
            for row in orchestrator.history.events():
                answers = {
                    one.workflow_id: (one.started, "" if one.started else one.explanation.answer is None)
                    for one in inquiry.why(row)
                }
                assert answers == decided[row.event_id]

    asyncio.run(main())


def test_the_mode_that_kept_a_run_from_starting_is_told_from_the_record(tmp_path: Path) -> None:
    vault = make_vault(tmp_path / "vault", workflow("w", {"action_type": "slow"}, mode="single"))

    async def main() -> None:
        gate = asyncio.Event()
        plugins = {"test": Scripted({"slow": lambda params, context: gate.wait()})}
        async with AsyncOrchestrator(vault, plugins=plugins, env={}) as orchestrator:
            assert orchestrator.engine is not None
            for number in range(2):
                await orchestrator.engine.accept(Event("manual_trigger", "t", {}, event_id=f"e{number}"))
            gate.set()
            await orchestrator.settle()
            inquiry = Inquiry.of(orchestrator.config, orchestrator.history)
            (answer,) = inquiry.why(orchestrator.history.events()[0])
            assert (answer.started, answer.reason) == (False, "a run of it is under way, and its mode is single")

    asyncio.run(main())


def test_a_run_that_the_flood_guard_holds_says_so(tmp_path: Path) -> None:
    aie = AieHome(tmp_path).with_vault()
    (aie.vault / "aie.toml").write_text("starts_per_minute = 1\n")
    aie.workflow("pay", [NOTE])
    for number in range(3):
        aie("emit", "expense_recorded", "--id", f"e{number}")
    held = why(aie, "e2")["pay"]
    assert (held["started"], held["runs"][0]["status"]) == (True, "held")
    assert held["reason"] == "it has no condition; it is held: pay started 1 runs within a minute"
    assert [one for one in not_(aie, "pay")["reasons"] if one["kind"] == "held"] == [
        {
            "kind": "held", "reason": "2 runs of it: held, because there were too many",
            "hint": "aie runs release pay",
        }
    ]  # fmt: skip


def test_whether_it_was_disabled_is_told_for_the_time_of_the_event(tmp_path: Path) -> None:
    vault, clock = make_vault(tmp_path / "vault", workflow("w", NOTE)), ManualClock()

    async def main() -> None:
        async with AsyncOrchestrator(vault, env={}, clock=clock) as orchestrator:
            for number, enabled in enumerate([None, False, None, True, None]):
                clock.move(minutes=1)
                if enabled is None:
                    await orchestrator.process_event(Event("manual_trigger", "t", {}, event_id=f"e{number}"))
                else:
                    await orchestrator.switch("w", enabled, by="Kim")
            inquiry = Inquiry.of(orchestrator.config, orchestrator.history)
            said = {row.event_id: inquiry.why(row)[0] for row in orchestrator.history.events()}
            assert {event: (one.started, one.reason) for event, one in said.items()} == {
                "e0": (True, "it has no condition"),
                "e2": (False, "it was disabled"),
                "e4": (True, "it has no condition"),
            }

    asyncio.run(main())


def test_a_run_that_was_moved_to_another_definition_is_not_taken_for_one_by_hand(tmp_path: Path) -> None:
    ask = {"action_type": "request_approval", "parameters": {"title": "x"}}
    vault = make_vault(tmp_path / "vault", workflow("w", ask, trigger_condition="event.data.n > 1"))

    async def begin() -> None:
        async with AsyncOrchestrator(vault, env={}) as orchestrator:
            await orchestrator.process_event(Event("manual_trigger", "t", {"n": 2}, event_id="e"))

    async def moved() -> None:
        async with AsyncOrchestrator(vault, env={}) as orchestrator:
            await orchestrator.migrate(1, by="Kim")
            inquiry = Inquiry.of(orchestrator.config, orchestrator.history)
            (answer,) = inquiry.why(orchestrator.history.events()[0])
            assert (answer.started, answer.reason) == (
                True, "its condition was true; the run was moved to another definition since",
            )  # fmt: skip

    asyncio.run(begin())
    make_vault(vault, workflow("w", ask, trigger_condition="event.data.n > 5"))
    asyncio.run(moved())


# --- the commands -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def aie(tmp_path_factory: pytest.TempPathFactory) -> AieHome:
    home = AieHome(tmp_path_factory.mktemp("why")).with_vault()
    home.workflow("pay", [NOTE], trigger_condition="event.data.amount > 500")
    home.workflow("odd", [NOTE], trigger_condition="event.data.amont > 500", trigger_event="file_added")
    home.workflow(
        "ask", [{"action_type": "request_approval", "parameters": {"title": "x"}}], trigger_event="file_added"
    )
    home.workflow("faxes", [{"action_type": "fax_it"}], trigger_event="email_received", enabled=False)
    home("emit", "expense_recorded", "amount=20", "--id", "small-1")
    home("emit", "expense_recorded", "amount=750", "--id", "large-1")
    home("emit", "file_added", "amount=1", "--id", "file-1", code=1)
    return home


def why(aie: AieHome, event: str) -> dict[str, dict[str, Any]]:
    return {one["workflow_id"]: one for one in aie("why", event, "--json").record["workflows"]}


def test_why_shows_the_part_that_decided_for_each_workflow(aie: AieHome) -> None:
    clause = {"clause": "event.data.amount > 500", "answer": False, "saw": {"event.data.amount": 20}, "error": None}
    assert why(aie, "small") == {
        "pay": {
            "workflow_id": "pay", "started": False, "reason": "its condition is false", "deciding": [clause],
            "clauses": [clause], "runs": [], "note": None,
        }
    }  # fmt: skip
    text = aie("why", "cli/large-1").out
    assert "\npay: started; its condition is true\n    event.data.amount > 500   is true\n" in text
    assert "        event.data.amount = 750\n    run_" in text


def test_why_tells_a_failed_condition_from_a_false_one(aie: AieHome) -> None:
    said = why(aie, "file-1")
    assert (said["odd"]["reason"], said["ask"]["reason"]) == ("its condition failed", "it has no condition")
    assert said["odd"]["deciding"][0]["answer"] == "error"
    assert "did you mean 'amount'?" in said["odd"]["deciding"][0]["error"]
    assert [run["status"] for run in said["ask"]["runs"]] == ["asking"]


def test_why_says_when_a_file_has_changed_since(tmp_path: Path) -> None:
    aie = AieHome(tmp_path).with_vault()
    path = aie.workflow("pay", [NOTE], trigger_condition="event.data.amount > 500")
    aie("emit", "expense_recorded", "amount=20", "--id", "small")
    aie("emit", "expense_recorded", "amount=750", "--id", "large")
    aie.workflow("pay", [NOTE], trigger_condition="event.data.amount < 500")
    later = time.time() + 5
    os.utime(path, (later, later))
    large = why(aie, "large")["pay"]
    assert (large["started"], large["note"]) == (True, "its file has changed since; this is by what it said then")
    assert large["deciding"][0]["clause"] == "event.data.amount > 500"
    small = why(aie, "small")["pay"]
    assert (small["started"], small["reason"]) == (
        False, "it would start now: its file was not there, or another, at that time",
    )  # fmt: skip
    path.write_text("{")
    assert why(aie, "large")["pay"]["note"] == "its file is gone, or cannot be used now"
    assert "1 workflow file cannot be used and might be on it: aie workflows check" in aie("why", "small").out


def test_what_a_person_had_run_is_told(tmp_path: Path) -> None:
    aie = AieHome(tmp_path).with_vault()
    aie.workflow("pay", [NOTE], trigger_condition="event.data.get('amount', 0) > 500")
    aie("run", "pay", "amount=20", "--force")
    (event,) = aie("events", "list", "--json").records
    assert why(aie, event["event_id"])["pay"]["reason"] == "a person had it run, whatever its condition says"


def not_(aie: AieHome, workflow_id: str) -> dict[str, Any]:
    return aie("why-not", workflow_id, "--json").record


def test_why_not_tells_what_a_workflow_missed_and_when_it_ran(aie: AieHome) -> None:
    said = not_(aie, "pay")
    assert said["last_started"].startswith("20")
    assert [(one["event_id"], one["reason"]) for one in said["missed"]] == [("small-1", "its condition is false")]
    assert {one["kind"] for one in said["reasons"]} == {"no_source", "off"}
    text = aie("why-not", "pay").out
    assert "aie start is not running\n      → aie start watches, and starts what is due\n" in text
    assert "      its condition is false\n      event.data.amount > 500   is false\n" in text


def test_why_not_tells_what_is_missing_disabled_broken_or_waiting(aie: AieHome) -> None:
    kinds = [(one["kind"], one["reason"]) for one in not_(aie, "faxes")["reasons"]]
    assert ("disabled", "it is disabled in its file") in kinds
    assert ("blocked", "no plugin offers the action 'fax_it'") in kinds
    assert ("nothing", "no email_received event has come yet") in kinds
    waits = [one for one in not_(aie, "ask")["reasons"] if one["kind"] == "waiting"]
    assert waits == [
        {"kind": "waiting", "reason": "1 run of it: waiting for your decision", "hint": "aie approvals list"}
    ]
    assert len(not_(aie, "ask")["open_runs"]) == 1


def test_why_not_tells_what_is_wrong_with_a_file_and_who_switched_it_off(tmp_path: Path) -> None:
    aie = AieHome(tmp_path).with_vault()
    aie.workflow("pay", [NOTE])
    aie("workflows", "disable", "pay")
    (reason, *_) = not_(aie, "pay")["reasons"]
    assert reason["kind"] == "disabled"
    assert reason["reason"].startswith("it was disabled by ")
    aie.workflow("pay", [])
    assert [one["kind"] for one in not_(aie, "pay")["reasons"]] == ["broken"]
    assert aie("why-not", "nothing", "--json", code=1).record["error"] == "no workflow has the id 'nothing'"


def test_why_not_tells_the_times_that_passed_while_aie_was_off(tmp_path: Path) -> None:
    aie = AieHome(tmp_path).with_vault()
    aie.workflow("tick", [NOTE], trigger_event="scheduled_trigger", schedule="0 0 1 1 *")
    journal = aie.state / "journal.db"
    where = "FROM cursor WHERE name = 'source:core.schedule'"

    def cursor() -> str:
        connection = sqlite3.connect(journal)
        try:
            return str(connection.execute(f"SELECT coalesce(max(value), '') {where}").fetchone()[0])
        finally:
            connection.close()

    with aie.started():
        until(cursor, "the schedule to begin")
    entries = json.loads(cursor())
    entries["workflow:tick"]["done"] = "2023-06-01T00:00:00+00:00"
    connection = sqlite3.connect(journal)
    connection.execute("UPDATE cursor SET value = ? WHERE name = 'source:core.schedule'", (json.dumps(entries),))
    connection.commit()
    connection.close()
    said = not_(aie, "tick")
    assert len(said["next"]) == 3
    passed = datetime.now(UTC).year - 2023
    (off,) = [one["reason"] for one in said["reasons"] if one["kind"] == "off"]
    assert off.startswith(f"aie start is not running, and its schedule came due {passed} times since, last on ")
