"""Workflow files: what loads, and what an error says about a file that does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aie.definition import FileError
from aie.errors import DefinitionError
from aie.templates import TemplateCompiler
from aie.workflow import Workflow, parse_workflow

ORIGINAL = Path(__file__).parent / "original"
STEP = {"action_type": "wait", "parameters": {"duration": 1}}


def compiled(**changes: Any) -> Workflow:
    fields = {"workflow_id": "demo", "trigger_event": "manual_trigger", "actions": [STEP], **changes}
    return parse_workflow(json.dumps(fields), TemplateCompiler(), where="demo.json")


def told(**changes: Any) -> list[tuple[str, str, str]]:
    """(where, what, what would be right) of each problem."""
    with pytest.raises(DefinitionError) as caught:
        compiled(**changes)
    error = caught.value
    problems = error.problems if isinstance(error, FileError) else (error,)
    return [(problem.where, problem.message, problem.hint) for problem in problems]


def told_of_text(text: str | bytes) -> tuple[str, str, str]:
    with pytest.raises(DefinitionError) as caught:
        parse_workflow(text, TemplateCompiler(), where="demo.json")
    return caught.value.where, caught.value.message, caught.value.hint


@pytest.mark.parametrize("path", sorted((ORIGINAL / "workflows").glob("*.json")), ids=lambda path: path.stem)
def test_a_file_of_the_original_system_loads_unchanged(path: Path) -> None:
    raw = json.loads(path.read_text())
    workflow = parse_workflow(path.read_bytes(), TemplateCompiler(), where=path.name)
    assert workflow.workflow_id == raw["workflow_id"]
    assert [step.action_type for step in workflow.steps] == [action["action_type"] for action in raw["actions"]]
    assert [step.attempts for step in workflow.steps] == [a.get("retry_count", 3) + 1 for a in raw["actions"]]


EXAMPLES = sorted(path for path in (ORIGINAL / "examples").glob("*.json"))
MISSING_STEP, SKELETON = "failure_handlers", "workflow_structure"


@pytest.mark.parametrize(
    "path", [p for p in EXAMPLES if p.stem not in (MISSING_STEP, SKELETON)], ids=lambda path: path.stem
)
def test_an_example_of_the_original_document_loads(path: Path) -> None:
    raw = json.loads(path.read_text())
    workflow = parse_workflow(path.read_bytes(), TemplateCompiler(), where=path.name)
    assert [step.parameters.source for step in workflow.steps] == [action["parameters"] for action in raw["actions"]]


def test_the_example_that_jumps_to_a_step_it_does_not_have_says_so() -> None:
    assert told_of_text((ORIGINAL / "examples" / f"{MISSING_STEP}.json").read_bytes()) == (
        "demo.json, step action_0, on_failure",
        "jumps to 'action_error_handler', and there is no such step",
        "steps are action_0 to action_2 or their own ids; 'action_3' is the end",
    )


def test_the_skeleton_of_a_file_loads_once_its_placeholders_for_conditions_are_conditions() -> None:
    skeleton = json.loads((ORIGINAL / "examples" / f"{SKELETON}.json").read_text())
    assert told_of_text(json.dumps(skeleton)) == (
        "demo.json, trigger_condition",
        "not a condition: invalid syntax at column 8\n"
        "demo.json, step action_0, condition: not a condition: invalid syntax at column 10",
        "",
    )
    skeleton["trigger_condition"] = skeleton["actions"][0]["condition"] = "True"
    workflow = parse_workflow(json.dumps(skeleton), TemplateCompiler(), where="demo.json")
    assert workflow.steps[0].parameters.source == {"param1": "value", "param2": "{{event.data.field}}"}


@pytest.mark.parametrize(
    ("changes", "where", "message", "hint"),
    [
        (
            {"triger_condition": "True"},
            "triger_condition",
            "unknown key 'triger_condition'",
            "did you mean 'trigger_condition'?",
        ),
        ({"actions": []}, "actions", "there are 0 actions", "a workflow has 1 to 200"),
        ({"actions": {}}, "actions", "'actions' must be a list, found an object", ""),
        ({"actions": ["wait"]}, "step action_0", "an action must be an object, found 'wait'", ""),
        (
            {"workflow_id": "my flow"},
            "workflow_id",
            "'workflow_id' cannot be 'my flow'",
            "letters, digits, '_', '-' and '.', beginning with a letter or digit, up to 120 of them",
        ),
        (
            {"enabled": "true"},
            "enabled",
            "'enabled' must be true or false, found 'true'",
            "write it without quotation marks",
        ),
        ({"trigger_event": ""}, "trigger_event", "'trigger_event' has 0 characters", "write at least 1"),
        ({"description": "x" * 5001}, "description", "'description' has 5,001 characters", "write at most 5,000"),
        ({"mode": "serial"}, "mode", "'mode' must be 'parallel', 'queued', 'single' or 'restart', found 'serial'", ""),
        ({"version": 1.5}, "version", "'version' must be text, found 1.5", ""),
        (
            {"schedule": "8:00"},
            "schedule.cron",
            "the cron line '8:00' has 1 field: write 5 fields, minute hour day month weekday, for example "
            "'0 8 * * 1-5' for 08:00 from Monday to Friday",
            "",
        ),
        (
            {"schedule": {"cron": "0 8 * * *", "timezone": "Berlin"}},
            "schedule.timezone",
            "'Berlin' is not a time zone; did you mean 'Europe/Berlin'?",
            "",
        ),
        ({"schedule": {}}, "schedule.cron", "'cron' is missing", "a schedule needs a cron line"),
        (
            {"trigger_condition": "event.data.amount = 3"},
            "trigger_condition",
            "not a condition: invalid syntax at column 19",
            "use == to compare",
        ),
    ],
)
def test_a_wrong_field_is_named_with_what_was_found_and_what_would_be_right(
    changes: dict[str, Any], where: str, message: str, hint: str
) -> None:
    assert told(**changes) == [(f"demo.json, {where}", message, hint)]


@pytest.mark.parametrize(
    ("changes", "field", "message", "hint"),
    [
        ({"retrycount": 3}, "retrycount", "unknown key 'retrycount'", "did you mean 'retry_count'?"),
        ({"retry": {"initial": 1}}, "retry.initial", "unknown key 'initial'", "did you mean 'initial_s'?"),
        (
            {"retry_count": "3"},
            "retry_count",
            "'retry_count' must be a whole number, found '3'",
            "write it without quotation marks",
        ),
        ({"retry_count": -1}, "retry_count", "'retry_count' must be a number of at least 0, found -1", ""),
        ({"timeout": 0}, "timeout", "'timeout' must be a number above 0, found 0", ""),
        ({"parameters": ["a"]}, "parameters", "'parameters' must be an object, found a list", ""),
        (
            {"on_success": "acton_1"},
            "on_success",
            "jumps to 'acton_1', and there is no such step",
            "did you mean 'action_1'? steps are action_0 to action_0 or their own ids; 'action_1' is the end",
        ),
        (
            {"parameters": {"duration": "{{ evnt.data.x }}"}},
            "parameters.duration",
            "unknown name 'evnt' (in '{{ evnt.data.x }}')",
            "did you mean 'event'?",
        ),
        (
            {"condition": "results.action_3.status == 'success'"},
            "condition",
            "uses results.action_3, and no earlier step has that name",
            "earlier steps: none",
        ),
    ],
)
def test_a_wrong_field_of_a_step_is_named_with_its_step(
    changes: dict[str, Any], field: str, message: str, hint: str
) -> None:
    assert told(actions=[{**STEP, **changes}]) == [(f"demo.json, step action_0, {field}", message, hint)]


def test_everything_that_is_wrong_with_a_file_is_said_at_once() -> None:
    actions = [
        {"action_type": "wait", "condition": "event.data.x ==", "parameters": {"duration": "{{ nope }}"}},
        {"action_type": "wait", "id": "end_it", "on_failure": "nowhere"},
        {"action_type": "wait", "id": "end_it"},
    ]
    assert [where for where, _, _ in told(actions=actions)] == [
        "demo.json, step action_2, id",
        "demo.json, step action_0, condition",
        "demo.json, step action_0, parameters.duration",
        "demo.json, step end_it, on_failure",
    ]


def test_a_key_that_is_misspelt_is_not_called_missing_as_well() -> None:
    text = json.dumps({"workflow_id": "demo", "trigger_evnt": "manual_trigger", "actions": [STEP]})
    assert told_of_text(text) == (
        "demo.json, trigger_evnt",
        "unknown key 'trigger_evnt'",
        "did you mean 'trigger_event'?",
    )


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[]", "a workflow is an object, found a list", 'begin with {"workflow_id": …'),
        ('{"a": 1,}', "not JSON: Illegal trailing comma before end of object at line 1, column 8", "mend the JSON"),
        ('{"a": 1, "a": 2}', "not strict JSON: the key 'a' appears twice in one object", "keep one of them"),
        (b"\xff", "not UTF-8 text: byte 1 does not belong", "mend the JSON"),
    ],
)
def test_a_file_that_is_no_json_object_says_where_it_stops_being_one(
    text: str | bytes, message: str, hint: str
) -> None:
    where, said, next_step = told_of_text(text)
    if "trailing comma" in message:  # Python 3.13 words it this way, older ones say what they expected
        assert said.startswith("not JSON: ")
        return
    assert (where, said, next_step) == ("demo.json", message, hint)


def test_explicit_nulls_mean_the_same_as_leaving_out() -> None:
    step = {**STEP, "condition": None, "on_success": None, "on_failure": None, "retry_count": None, "timeout": None}
    plain, nulls = compiled(), compiled(actions=[step], name=None, enabled=None, schedule=None, last_executed=None)
    assert nulls == plain


def test_counters_and_the_switch_do_not_change_what_a_run_is_pinned_to() -> None:
    other = compiled(enabled=False, execution_count=7, created_at="2026-02-09T18:30:00", **{"$schema": "x.json"})
    assert other.hash == compiled().hash
