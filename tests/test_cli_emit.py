"""``aie emit`` and ``aie run``: handing something in, and being told what became of it."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.aie_home import DEADLINE_S, AieHome, until

NOTE = {"action_type": "create_file", "parameters": {"path": "Out/{{ event.data.name }}.md", "content": "made"}}
ASK = {"id": "ask", "action_type": "request_approval", "parameters": {"title": "Pay {{ event.data.name }}?"}}
OVER_500 = "event.data.amount > 500"


@pytest.fixture
def aie(tmp_path: Path) -> AieHome:
    return AieHome(tmp_path).with_vault()


def outcome(record: dict[str, Any]) -> dict[str, Any]:
    """The record without what is another each time."""
    runs = [{key: run[key] for key in ("workflow_id", "status", "error", "waits_for")} for run in record["runs"]]
    return {**record, "runs": runs}


def test_an_event_runs_what_it_starts_and_says_why_the_rest_did_not(aie: AieHome) -> None:
    aie.workflow("file_it", [NOTE])
    aie.workflow("large", [NOTE], trigger_condition=OVER_500)
    aie.workflow("other", [NOTE], trigger_event="file_added")
    said = aie("emit", "expense_recorded", "name=Lunch", "amount=20", "--id", "e1", "--json").record
    assert outcome(said) == {
        "event_id": "e1",
        "source": "cli",
        "event_type": "expense_recorded",
        "new": True,
        "runs": [{"workflow_id": "file_it", "status": "succeeded", "error": None, "waits_for": []}],
        "skipped": [{"workflow_id": "large", "reason": "its condition is false", "failed": False}],
    }
    assert (aie.vault / "Out" / "Lunch.md").read_text() == "made"


def test_the_same_event_again_starts_nothing_and_is_no_failure(aie: AieHome) -> None:
    aie.workflow("file_it", [NOTE])
    first = aie("emit", "expense_recorded", "name=Lunch", "--id", "e1", "--json").record
    again = aie("emit", "expense_recorded", "name=Lunch", "--id", "e1", "--json").record
    assert (first["new"], again["new"]) == (True, False)
    assert again["runs"] == first["runs"]
    assert "had arrived before" in aie("emit", "expense_recorded", "--id", "e1").out


def test_what_waits_for_a_person_is_named_with_the_command_that_decides_it(aie: AieHome) -> None:
    aie.workflow("pay", [ASK])
    said = aie("emit", "expense_recorded", "name=Lunch", "--json").record
    (waiting,) = said["runs"][0]["waits_for"]
    assert waiting == {"step_id": "ask", "approval_id": waiting["approval_id"], "title": "Pay Lunch?"}
    assert [path.name for path in (aie.vault / "Pending_Approval").iterdir()]
    text = aie("emit", "expense_recorded", "name=Dinner").out
    assert re.search(
        r"pay: waits for you   \(run_\w+\)\n      ask: Pay Dinner\?\n      → aie approvals approve apr_", text
    )


def test_a_run_that_fails_makes_the_command_fail_and_says_which_step(aie: AieHome) -> None:
    aie.workflow("broken", [{"id": "file", **NOTE, "retry_count": 0}])
    said = aie("emit", "expense_recorded", "amount=1", "--json", code=1).record
    assert said["runs"][0]["status"] == "failed"
    assert said["runs"][0]["error"]["step"] == "file"
    assert "broken: failed" in aie("emit", "expense_recorded", code=1).out


def test_a_condition_that_fails_makes_the_command_fail(aie: AieHome) -> None:
    aie.workflow("large", [NOTE], trigger_condition=OVER_500)
    said = aie("emit", "expense_recorded", "amount=much", "--json", code=1).record
    assert [(skipped["workflow_id"], skipped["failed"]) for skipped in said["skipped"]] == [("large", True)]


def test_a_step_whose_plugin_is_not_there_names_the_package(aie: AieHome) -> None:
    aie.workflow("mail", [{"action_type": "post_to_linkedin", "parameters": {}}])
    text = aie("emit", "expense_recorded").out
    if "aie-linkedin" in text:
        assert "mail: blocked (needs aie-linkedin)" in text
        assert "→ aie plugins install aie-linkedin" in text


@pytest.mark.parametrize(
    ("words", "data"),
    [
        (["amount=750", "name=Team lunch", "code=007", "paid=true", 'tags=["a"]'],
         {"amount": 750, "name": "Team lunch", "code": "007", "paid": True, "tags": ["a"]}),
        (["--data", '{"a": 1, "b": 2}', "b=3"], {"a": 1, "b": 3}),
        (["--data", "@data.json"], {"from": "file"}),
        (["--data", "@-"], {"from": "stdin"}),
        ([], {}),
    ],
)  # fmt: skip
def test_data_comes_as_json_as_a_file_or_as_pairs(aie: AieHome, words: list[str], data: dict[str, Any]) -> None:
    (aie.vault / "data.json").write_text('{"from": "file"}')
    aie("emit", "expense_recorded", "--id", "e1", *words, stdin='{"from": "stdin"}')
    assert aie("events", "show", "e1", "--json").record["data"] == data


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["amount"], 2, "'amount' is not KEY=VALUE"),
        (["--data", "[1]"], 2, "the data is no JSON object"),
        (["--data", "@nothing.json"], 2, "'nothing.json' cannot be read: No such file or directory"),
        (["--source", "approvals"], 2, "the source 'approvals' is kept for aie's own events"),
        (["--workflow", "file_id"], 1, "no workflow has the id 'file_id'"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_recorded(
    aie: AieHome, words: list[str], code: int, error: str
) -> None:
    aie.workflow("file_it", [NOTE])
    assert aie("emit", "expense_recorded", *words, "--json", code=code).record["error"] == error
    assert not aie.state.exists()


def test_an_event_type_nobody_knows_needs_force(aie: AieHome) -> None:
    assert aie("emit", "expense_recordet", "--json", code=2).record == {
        "error": "no plugin and no workflow knows the event type 'expense_recordet'",
        "where": "TYPE",
        "hint": "did you mean expense_recorded? --force takes it all the same",
    }
    assert aie("emit", "expense_recordet", "--force", "--json").record["new"] is True


def test_a_decision_cannot_be_made_up(aie: AieHome) -> None:
    said = aie("emit", "approval_received", "approved=true", "--json", code=2).record
    assert said["error"] == "approval_received is kept for aie's own events"


def test_hostile_text_neither_steers_the_terminal_nor_is_read_as_markup(aie: AieHome) -> None:
    aie.workflow("pay", [ASK])
    aie("emit", "expense_recorded", "name=\x1b[2J[red]x[/red]\nSaid: ok", "--id", "e\x1b]0;x\x07")
    for words in (["runs", "list"], ["events", "list"], ["audit", "show"], ["events", "show", "e"]):
        text = aie(*words).out
        assert "\x1b" not in text
        assert "\x07" not in text
    assert "[red]x[/red]" in aie("events", "show", "e").out


def test_an_event_whose_engine_ends_before_taking_it_is_carried_out_all_the_same(aie: AieHome) -> None:
    aie.workflow("file_it", [NOTE])
    aie("emit", "expense_recorded", "name=Lunch")
    with FileLock(aie.state / "engine.lock"):  # as an engine that is about to end would hold it
        emit = subprocess.Popen(
            [sys.executable, "-m", "aie", "emit", "expense_recorded", "name=Dinner"], cwd=aie.vault, env=aie.env
        )
        connection = sqlite3.connect(aie.state / "journal.db")
        until(lambda: connection.execute("SELECT count(*) FROM intake").fetchone()[0], "the request")
        connection.close()
    assert emit.wait(DEADLINE_S) == 0
    assert (aie.vault / "Out" / "Dinner.md").exists()


# --- run ----------------------------------------------------------------------------------------------------------


def test_run_starts_the_one_workflow_with_the_data_given(aie: AieHome) -> None:
    aie.workflow("file_it", [NOTE])
    aie.workflow("other", [NOTE])
    said = aie("run", "file_it", "name=Lunch", "--json").record
    assert [(run["workflow_id"], run["status"]) for run in said["runs"]] == [("file_it", "succeeded")]


def test_run_takes_a_whole_event_from_a_file_and_may_do_so_again(aie: AieHome) -> None:
    aie.workflow("file_it", [NOTE])
    event = {"event_type": "expense_recorded", "source": "till", "data": {"name": "Lunch"}, "event_id": "e1"}
    (aie.vault / "event.json").write_text(json.dumps(event))
    ran = [aie("run", "file_it", "--event", "event.json", "--json").record for _ in range(2)]
    assert [(said["source"], said["new"], said["runs"][0]["status"]) for said in ran] == [
        ("till", True, "succeeded")
    ] * 2
    assert "e1" not in {said["event_id"] for said in ran}


def test_run_takes_just_the_data_from_a_file(aie: AieHome) -> None:
    aie.workflow("file_it", [NOTE])
    (aie.vault / "data.json").write_text('{"name": "Lunch"}')
    said = aie("run", "file_it", "--event", "data.json", "--json").record
    assert (said["source"], said["runs"][0]["status"]) == ("cli", "succeeded")


def test_run_refuses_an_event_of_another_type(aie: AieHome) -> None:
    aie.workflow("file_it", [NOTE])
    (aie.vault / "event.json").write_text('{"event_type": "file_added", "data": {}}')
    said = aie("run", "file_it", "--event", "event.json", "--json", code=2).record
    assert said["error"] == "the workflow is on expense_recorded, and this event is 'file_added'"


def test_a_false_condition_is_shown_with_what_it_saw_and_nothing_is_recorded(aie: AieHome) -> None:
    aie.workflow("large", [NOTE], trigger_condition=OVER_500)
    assert aie("run", "large", "name=Lunch", "amount=20", "--json", code=1).record == {
        "workflow_id": "large",
        "started": False,
        "reason": "its condition is false",
        "saw": {"event.data.amount": 20},
    }
    assert not aie.state.exists()
    assert (
        aie("run", "large", "name=Lunch", "amount=20", "--force", "--json").record["runs"][0]["status"] == "succeeded"
    )


def test_run_without_data_names_what_the_workflow_needs(aie: AieHome) -> None:
    aie.workflow("large", [NOTE], trigger_condition=OVER_500)
    assert aie("run", "large", "--json", code=2).record == {
        "error": "large is on expense_recorded and needs its data: amount, name",
        "where": "large",
        "hint": "aie run large amount=…, or --data, or --event FILE; --example uses an example",
    }
    assert aie("run", "large", "--example", "--json").record["runs"][0]["status"] == "succeeded"


def test_run_makes_the_event_of_a_workflow_on_the_clock(aie: AieHome) -> None:
    aie.workflow("morning", [{"action_type": "wait", "parameters": {"duration": 0}}], trigger_event="scheduled_trigger")
    said = aie("run", "morning", "--json").record
    data = aie("events", "show", said["event_id"], "--json").record["data"]
    assert {**data, "trigger_time": "", "date": "", "weekday": "", "due_at": ""} == {
        "trigger_time": "", "date": "", "weekday": "", "pending_count": 0, "schedule": "morning", "late": False,
        "due_at": "",
    }  # fmt: skip
    assert re.fullmatch(r"\d\d:\d\d \d{4}-\d\d-\d\d \w+day", f"{data['trigger_time']} {data['date']} {data['weekday']}")


def test_a_workflow_for_eight_o_clock_runs_whatever_the_time(aie: AieHome) -> None:
    at_eight = "event.data.trigger_time == '08:00'"
    aie.workflow(
        "morning",
        [{"action_type": "wait", "parameters": {"duration": 0}}],
        trigger_event="scheduled_trigger",
        trigger_condition=at_eight,
    )
    (aie.vault / "aie.toml").write_text(
        '[schedules.evening]\ncron = "0 18 * * *"\n[schedules.morning]\ncron = "0 8 * * *"\n'
    )
    assert aie("run", "morning", "--json").record["runs"][0]["status"] == "succeeded"


def test_run_of_a_workflow_that_is_not_there_names_the_nearest(aie: AieHome) -> None:
    aie.workflow("file_it", [NOTE])
    said = aie("run", "file_id", "--json", code=1).record
    assert said == {"error": "no workflow has the id 'file_id'", "where": "workflow", "hint": "did you mean 'file_it'?"}


def test_a_short_wait_is_seen_through_and_a_long_one_is_parked(aie: AieHome) -> None:
    aie.workflow("short", [{"action_type": "wait", "parameters": {"duration": 0.2}}])
    aie.workflow("long", [{"action_type": "wait", "parameters": {"duration": "2h"}}])
    assert aie("run", "short", "a=1", "--json").record["runs"][0]["status"] == "succeeded"
    assert re.search(r"long: waiting until \d{4}-", aie("run", "long", "a=1").out)
