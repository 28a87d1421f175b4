"""``--dry-run``: the plan is the machine's own, and nothing anywhere is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.aie_home import AieHome

NOTE: dict[str, Any] = {
    "id": "note",
    "action_type": "create_file",
    "parameters": {"path": "Out/{{ event.data.name }}.md", "content": "made"},
}
ASK = {"id": "ask", "action_type": "request_approval", "parameters": {"title": "Pay {{ event.data.name }}?"}}


@pytest.fixture
def aie(tmp_path: Path) -> AieHome:
    return AieHome(tmp_path).with_vault()


def step(plan: str, step_id: str, action_type: str, **fields: Any) -> dict[str, Any]:
    return {
        "step_id": step_id, "action_type": action_type, "plan": plan, "asks_first": False, "parameters": None,
        "reason": "", "hint": "", "waits_until": None, **fields,
    }  # fmt: skip


def test_the_plan_says_which_steps_run_with_what_and_which_ask_first(aie: AieHome) -> None:
    tell = {
        "id": "tell",
        "action_type": "send_notification",
        "parameters": {"title": "Paid", "message": "{{ results.note.path }} by {{ results.ask.decided_by }}"},
    }
    small = {**NOTE, "id": "small", "condition": "event.data.amount < 10"}
    aie.workflow("pay", [ASK, NOTE, small, tell], trigger_condition="event.data.amount > 500")
    assert aie("emit", "expense_recorded", "name=Lunch", "amount=750", "--dry-run", "--json").record == {
        "workflow_id": "pay",
        "starts": True,
        "reason": "its condition is true",
        "status": "succeeded",
        "saw": {"event.data.amount": 750},
        "error": None,
        "steps": [
            step("run", "ask", "request_approval", asks_first=True, parameters={"title": "Pay Lunch?"}),
            step("run", "note", "create_file", parameters={"path": "Out/Lunch.md", "content": "made"}),
            step(
                "skip", "small", "create_file",
                reason="its condition is false: event.data.amount < 10 (event.data.amount = 750)",
            ),
            step(
                "run", "tell", "send_notification",
                parameters={"title": "Paid", "message": "‹path of note› by ‹decided_by of ask›"},
            ),
        ],
    }  # fmt: skip


def test_jumps_are_followed_and_waits_are_shown_not_slept(aie: AieHome) -> None:
    wait = {"id": "pause", "action_type": "wait", "parameters": {"duration": "3h"}, "on_success": "action_2"}
    aie.workflow("jump", [wait, NOTE, {**NOTE, "id": "last"}])
    steps = aie("run", "jump", "name=x", "--dry-run", "--json").record["steps"]
    assert [(one["step_id"], one["plan"], one["reason"]) for one in steps] == [
        ("pause", "run", ""),
        ("note", "not reached", "the run jumps over it"),
        ("last", "run", ""),
    ]
    assert steps[0]["waits_until"] is not None


def test_a_value_that_is_missing_is_an_error_before_it_is_one_for_real(aie: AieHome) -> None:
    aie.workflow("pay", [NOTE, {**NOTE, "id": "last"}])
    said = aie("emit", "expense_recorded", "title=Lunch", "--dry-run", "--json", code=1).record
    assert said["status"] == "failed"
    assert [(one["step_id"], one["plan"]) for one in said["steps"]] == [("note", "fail"), ("last", "not reached")]
    assert "event.data has no 'name'" in said["steps"][0]["reason"]
    assert said["steps"][1]["reason"] == "the run has failed before"


def test_an_action_that_is_not_installed_stops_the_plan_with_the_advice(aie: AieHome) -> None:
    aie.workflow("odd", [{"id": "odd", "action_type": "create_fil", "parameters": {}}, NOTE])
    said = aie("emit", "expense_recorded", "name=x", "--dry-run", "--json").record
    assert said["status"] == "blocked"
    assert said["steps"] == [
        step(
            "blocked", "odd", "create_fil",
            reason="no plugin offers the action 'create_fil'", hint="did you mean 'create_file'?",
        ),
        step("not reached", "note", "create_file", reason="waits for odd"),
    ]  # fmt: skip


def test_a_workflow_that_would_not_start_says_why(aie: AieHome) -> None:
    aie.workflow("pay", [NOTE], trigger_condition="event.data.amount > 500")
    said = aie("run", "pay", "amount=2", "--dry-run", "--json", code=1).record
    assert (said["starts"], said["reason"], said["saw"]) == (False, "its condition is false", {"event.data.amount": 2})


def test_a_switch_of_a_person_counts(aie: AieHome) -> None:
    aie.workflow("pay", [NOTE])
    aie("workflows", "disable", "pay")
    said = aie("run", "pay", "name=x", "--dry-run", "--json", code=1).record
    assert (said["starts"], said["reason"]) == (False, "it is disabled")


@pytest.mark.parametrize("before", ["nothing", "a past", "a crash"])
def test_nothing_is_touched(aie: AieHome, before: str) -> None:
    aie.workflow("pay", [ASK, NOTE])
    aie.workflow("morning", [NOTE], trigger_event="scheduled_trigger")
    if before != "nothing":
        aie("emit", "expense_recorded", "name=Lunch")
    if before == "a crash":
        with aie.started() as running:
            aie("emit", "expense_recorded", "name=Lunch")
            running.process.kill()
            running.process.wait()
        assert (aie.state / "journal.db-wal").exists()
    snapshot = aie.snapshot()
    aie("emit", "expense_recorded", "name=Dinner", "--dry-run")
    aie("run", "pay", "name=Dinner", "--dry-run", "--json")
    aie("run", "morning", "--dry-run", code=1)  # its template misses a name
    assert aie.snapshot() == snapshot


def test_it_works_where_nothing_can_be_written(aie: AieHome) -> None:
    aie.workflow("pay", [ASK, NOTE])
    aie("emit", "expense_recorded", "name=Lunch")
    paths = [aie.home, *aie.home.rglob("*")]
    modes = {path: path.stat().st_mode for path in paths}
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        said = aie("emit", "expense_recorded", "name=Dinner", "--dry-run", "--json").record
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert (said["starts"], said["status"]) == (True, "succeeded")


def test_a_person_reads_it_step_by_step(aie: AieHome) -> None:
    aie.workflow("pay", [ASK, {**NOTE, "parameters": {"path": "a.md", "content": "one\ntwo"}}])
    assert aie("emit", "expense_recorded", "name=Lunch", "--dry-run").out == (
        "Dry run: nothing is done, and nothing is recorded.\n"
        "\n"
        "pay starts: it has no condition\n"
        "\n"
        "  1. ask  request_approval: asks you first\n"
        "       title: Pay Lunch?\n"
        "\n"
        "  2. note  create_file: runs\n"
        "       path: a.md\n"
        "       content: one\n"
        "                two\n"
        "\n"
        "  It would succeed, once you approve.\n"
    )
