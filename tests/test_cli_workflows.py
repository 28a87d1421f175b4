"""``aie workflows``, as people and programs call it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import CommandLine, new_vault

ORIGINAL = Path(__file__).parent / "original"
NOTE = {"action_type": "send_notification", "parameters": {"title": "T", "message": "M"}}
LACKING = {
    "email_to_calendar": ("action_0", "create_calendar_event", "aie-calendar"),
    "invoice_to_email": ("action_1", "send_email", "aie-gmail"),
    "scheduled_linkedin_post": ("action_0", "post_to_linkedin", "aie-linkedin"),
}


@pytest.fixture
def aie(tmp_path: Path) -> CommandLine:
    return new_vault(tmp_path)


@pytest.fixture
def originals(aie: CommandLine) -> CommandLine:
    for path in (ORIGINAL / "workflows").glob("*.json"):
        shutil.copy(path, aie.vault / "workflows")
    return aie


def listed(aie: CommandLine, workflow_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "workflow_id": workflow_id,
        "name": workflow_id,
        "trigger_event": "manual_trigger",
        "enabled": True,
        "enabled_by": "file",
        "runs": 0,
        "last_run": None,
        "state": "ok",
        "needs": [],
        "errors": 0,
        "file": str(aie.vault / "workflows" / f"{workflow_id}.json"),
        **changes,
    }


def test_list_shows_good_bad_and_disabled_files_beside_one_another(aie: CommandLine) -> None:
    aie.workflow("a_good", trigger_event="manual_trigger", actions=[NOTE])
    aie.workflow("b_off", trigger_event="manual_trigger", actions=[NOTE], enabled=False)
    aie.workflow("c_needs", trigger_event="manual_trigger", actions=[{"action_type": "send_email"}])
    aie.workflow("d_bad", trigger_evnt="manual_trigger", actions=[NOTE])
    ran = aie("workflows", "list", "--json")
    assert (ran.code, ran.err) == (0, "")
    nothing = {"name": None, "trigger_event": None, "enabled": None, "enabled_by": None}
    assert ran.records == [
        listed(aie, "a_good"),
        listed(aie, "b_off", enabled=False),
        listed(aie, "c_needs", state="needs aie-gmail", needs=["aie-gmail"], errors=1),
        listed(aie, "d_bad", **nothing, state="bad file", errors=1),
    ]


def test_list_fits_a_terminal_of_eighty_columns(originals: CommandLine) -> None:
    ran = originals("workflows", "list")
    assert [line for line in ran.out.splitlines() if len(line) > 80] == []
    assert ran.out.splitlines()[2].split() == ["expense_approval", "expense_recorded", "0", "-", "ok"]


def test_an_empty_vault_says_where_workflows_go(aie: CommandLine) -> None:
    ran = aie("workflows", "list")
    assert ran.out == f"No workflows yet. Put JSON files into {aie.vault}/workflows, or let aie init offer some.\n"


def test_check_finds_nothing_in_the_original_files_but_missing_packages(originals: CommandLine) -> None:
    ran = originals("workflows", "check", "--json")
    assert ran.code == 1
    expected = []
    for path in sorted((originals.vault / "workflows").glob("*.json")):
        findings = []
        if path.stem in LACKING:
            step, action, package = LACKING[path.stem]
            findings.append(
                {
                    "severity": "error",
                    "where": f"workflows/{path.name}, step {step}, action_type",
                    "message": f"{action} needs the package {package}",
                    "hint": f"aie plugins install {package}",
                }
            )
        expected.append(
            {
                "file": str(path),
                "workflow_id": path.stem,
                "ok": not findings,
                "enabled": True,
                "findings": findings,
            }
        )
    assert ran.records == expected


def test_check_names_a_misspelt_key_an_unknown_action_a_dangling_jump_and_a_wrong_variable(aie: CommandLine) -> None:
    message = {"title": "T", "message": "{{ event.data.ammount }}"}
    aie.workflow("a_key", trigger_event="manual_trigger", actions=[{**NOTE, "retrycount": 1}])
    aie.workflow("b_action", trigger_event="manual_trigger", actions=[{"action_type": "send_notificaton"}])
    aie.workflow("c_jump", trigger_event="manual_trigger", actions=[{**NOTE, "on_failure": "action_2"}])
    aie.workflow("d_variable", trigger_event="expense_recorded", actions=[{**NOTE, "parameters": message}])
    aie.workflow("e_fine", trigger_event="manual_trigger", actions=[NOTE], enabled=False)
    ran = aie("workflows", "check")
    assert ran.code == 1
    assert ran.out == (
        "Error: unknown key 'retrycount'\n"
        "  Where: workflows/a_key.json, step action_0, retrycount\n"
        "  Next:  did you mean 'retry_count'?\n"
        "\n"
        "Error: no plugin offers the action 'send_notificaton'\n"
        "  Where: workflows/b_action.json, step action_0, action_type\n"
        "  Next:  did you mean 'send_notification'?\n"
        "\n"
        "Error: jumps to 'action_2', and there is no such step\n"
        "  Where: workflows/c_jump.json, step action_0, on_failure\n"
        "  Next:  did you mean 'action_1'? steps are action_0 to action_0 or their own ids; 'action_1' is the end\n"
        "\n"
        "Error: expense_recorded events have no event.data.ammount\n"
        "  Where: workflows/d_variable.json, step action_0, parameters.message\n"
        "  Next:  did you mean 'amount'?\n"
        "\n"
        "5 files checked, 1 in order, 4 with errors.\n"
        "Disabled: e_fine.\n"
    )


def test_check_takes_ids_and_files_and_works_outside_of_a_vault(originals: CommandLine, tmp_path: Path) -> None:
    named = originals("workflows", "check", "expense_approval", "workflows/morning_automation.json", "--json")
    assert (named.code, [record["workflow_id"] for record in named.records]) == (
        0,
        ["expense_approval", "morning_automation"],
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    file = originals.vault / "workflows" / "expense_approval.json"
    outside = originals("workflows", "check", str(file), folder=elsewhere)
    assert (outside.code, outside.out) == (0, "1 file checked, 1 in order.\n")


def test_check_of_what_is_not_there_names_the_nearest(originals: CommandLine) -> None:
    ran = originals("workflows", "check", "expense_aproval")
    assert (ran.code, ran.out, ran.err) == (
        1,
        "",
        "Error: no workflow has the id 'expense_aproval'\n"
        "  Where: workflow_id\n"
        "  Next:  did you mean 'expense_approval'?\n",
    )


def test_two_files_with_one_id_are_told_apart(aie: CommandLine) -> None:
    first = aie.workflow("twin", trigger_event="manual_trigger", actions=[NOTE])
    shutil.copy(first, first.with_name("zwilling.json"))
    ran = aie("workflows", "check", "--json")
    assert ran.code == 1
    assert [(record["file"], [each["message"] for each in record["findings"]]) for record in ran.records] == [
        (str(first), []),
        (str(first.with_name("zwilling.json")), ["the workflow_id 'twin' is taken by workflows/twin.json"]),
    ]


def test_warnings_alone_are_no_failure(aie: CommandLine) -> None:
    aie.workflow("own", trigger_event="till_closed", actions=[NOTE])
    ran = aie("workflows", "check")
    assert (ran.code, ran.out.splitlines()[0]) == (
        0,
        "Warning: no installed plugin knows the event type 'till_closed'",
    )


def test_show_tells_what_starts_it_and_what_each_step_does(aie: CommandLine) -> None:
    aie.workflow(
        "ask",
        name="Ask",
        description="Ask, then tell.",
        trigger_event="expense_recorded",
        trigger_condition="event.data.amount > 5",
        actions=[
            {
                "id": "ask",
                "action_type": "request_approval",
                "parameters": {"title": "May I?"},
                "on_failure": "action_2",
            },
            {**NOTE, "condition": "event.data.amount > 9"},
        ],
    )
    ran = aie("workflows", "show", "ask")
    assert ran.out == (
        "Ask\n"
        "Ask, then tell.\n"
        "\n"
        "  Id         ask\n"
        "  File       workflows/ask.json\n"
        "  Starts on  expense_recorded (An expense was recorded)\n"
        "  Only if    event.data.amount > 5\n"
        "  State      ok\n"
        "  Runs       0\n"
        "\n"
        "   1. ask: request_approval (asks first)\n"
        "      after failure, ends the run\n"
        "   2. send_notification\n"
        "      only if  event.data.amount > 9\n"
    )
    (record,) = aie("workflows", "show", "ask", "--json").records
    assert [(step["id"], step["asks_first"], step["on_failure"]) for step in record["steps"]] == [
        ("ask", True, "end"),
        ("action_1", False, None),
    ]


def test_show_of_a_bad_file_says_what_is_wrong_with_it(aie: CommandLine) -> None:
    aie.workflow("bad", trigger_event="manual_trigger", actions=[])
    ran = aie("workflows", "show", "bad", "--json")
    assert (ran.code, ran.records) == (
        1,
        [{"error": "there are 0 actions", "where": "workflows/bad.json, actions", "hint": "a workflow has 1 to 200"}],
    )


def test_disabling_is_kept_by_aie_with_the_name_of_the_person_and_never_in_the_file(aie: CommandLine) -> None:
    path = aie.workflow("ask", trigger_event="manual_trigger", actions=[NOTE])
    before = path.read_bytes()
    (switched,) = aie("workflows", "disable", "ask", "--json").records
    assert switched == {"workflow_id": "ask", "enabled": False, "by": switched["by"]}
    assert switched["by"]
    (record,) = aie("workflows", "list", "--json").records
    assert record == listed(aie, "ask", enabled=False, enabled_by=switched["by"])
    assert path.read_bytes() == before
    again = aie("workflows", "enable", "ask")
    assert (again.code, again.out) == (0, "ask is enabled now.\n")
    (record,) = aie("workflows", "list", "--json").records
    assert (record["enabled"], record["enabled_by"]) == (True, switched["by"])


def test_switching_what_is_not_there_names_the_nearest(originals: CommandLine) -> None:
    ran = originals("workflows", "disable", "morning_automaton", "--json")
    assert (ran.code, ran.records) == (
        1,
        [
            {
                "error": "no workflow has the id 'morning_automaton'",
                "where": "workflow_id",
                "hint": "did you mean 'morning_automation'?",
            }
        ],
    )


def test_counters_come_from_what_ran(aie: CommandLine) -> None:
    aie.workflow("tell", trigger_event="expense_recorded", actions=[NOTE])
    assert aie("emit", "expense_recorded", "--data", '{"amount": 3}').code == 0
    (record,) = aie("workflows", "list", "--json").records
    assert record["last_run"] is not None
    assert record == listed(aie, "tell", trigger_event="expense_recorded", runs=1, last_run=record["last_run"])


def test_the_schema_is_json_and_is_not_taken_for_a_workflow_when_written(aie: CommandLine) -> None:
    schema = json.loads(aie("workflows", "schema").out)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    (written,) = aie("workflows", "schema", "--write", "--json").records
    assert written == {"path": str(aie.vault / "workflow.schema.json"), "$schema": "../workflow.schema.json"}
    assert json.loads((aie.vault / "workflow.schema.json").read_text()) == schema
    aie.workflow(
        "with_schema", **{"$schema": "../workflow.schema.json"}, trigger_event="manual_trigger", actions=[NOTE]
    )
    assert aie("workflows", "check").out == "1 file checked, 1 in order.\n"


def test_what_a_file_says_steers_no_terminal(aie: CommandLine) -> None:
    aie.workflow(
        "evil",
        name="\x1b]0;owned\x07[red]x[/red]",
        description="a\u202eb",
        trigger_event="manual_trigger",
        actions=[NOTE],
    )
    ran = aie("workflows", "show", "evil")
    assert ran.out.splitlines()[:2] == ["\\x1b]0;owned\\x07[red]x[/red]", "a\\u202eb"]
