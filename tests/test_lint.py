"""Looking over workflows that compile: what would fail with the plugins there are, and what would be right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from aie.config import Config
from aie.lint import Finding, Severity, lint, needed_package
from aie.lint_paths import misspelt
from aie.plugins import Registry
from aie.templates import TemplateCompiler
from aie.workflow import parse_workflow

ORIGINAL = Path(__file__).parent / "original"
ERROR, WARNING = Severity.ERROR, Severity.WARNING
SEE = "aie plugins show vault lists its parameters"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    vault = tmp_path_factory.mktemp("vault")
    return Registry.load(Config(vault, ZoneInfo("UTC"), vault / "state", ()))


def note(message: str, **fields: Any) -> dict[str, Any]:
    return {"action_type": "send_notification", "parameters": {"title": "T", "message": message}, **fields}


def found(registry: Registry, *actions: dict[str, Any], **fields: Any) -> list[Finding]:
    definition = {"workflow_id": "demo", "trigger_event": "expense_recorded", "actions": list(actions), **fields}
    return lint(parse_workflow(json.dumps(definition), TemplateCompiler(), where="demo.json"), registry)


def test_the_original_files_lack_nothing_but_packages(registry: Registry) -> None:
    files = sorted((ORIGINAL / "workflows").glob("*.json"))
    told = [
        each
        for path in files
        for each in lint(parse_workflow(path.read_bytes(), TemplateCompiler(), where=path.name), registry)
    ]
    assert told == [
        Finding(
            ERROR,
            "email_to_calendar.json, step action_0, action_type",
            "create_calendar_event needs the package aie-calendar",
            "aie plugins install aie-calendar",
        ),
        Finding(
            ERROR,
            "invoice_to_email.json, step action_1, action_type",
            "send_email needs the package aie-gmail",
            "aie plugins install aie-gmail",
        ),
        Finding(
            ERROR,
            "scheduled_linkedin_post.json, step action_0, action_type",
            "post_to_linkedin needs the package aie-linkedin",
            "aie plugins install aie-linkedin",
        ),
    ]


@pytest.mark.parametrize(
    ("action_type", "package"),
    [("send_email", "aie-gmail"), ("odoo.create_invoice", "aie-odoo"), ("wait", ""), ("vault.nothing", ""), ("x", "")],
)
def test_the_package_to_install_is_known_for_what_is_missing(
    registry: Registry, action_type: str, package: str
) -> None:
    assert needed_package(action_type, registry) == package


def test_an_unknown_action_is_an_error_with_the_nearest_one(registry: Registry) -> None:
    assert found(registry, {"action_type": "send_notificaton"}) == [
        Finding(
            ERROR,
            "demo.json, step action_0, action_type",
            "no plugin offers the action 'send_notificaton'",
            "did you mean 'send_notification'?",
        )
    ]


@pytest.mark.parametrize(
    ("parameters", "place", "message", "hint"),
    [
        (
            {"title": "T", "mesage": "M"},
            ".mesage",
            "vault.send_notification takes no parameter 'mesage'",
            "did you mean 'message'?",
        ),
        (
            {"title": "T"},
            "",
            "vault.send_notification needs the parameter 'message'",
            "the text; lists, emphasis and links work, what could run or fetch something is made inert",
        ),
        (
            {"title": "T", "message": "M", "priority": "urgent"},
            ".priority",
            "must be 'low', 'normal' or 'high', found 'urgent'",
            SEE,
        ),
        (
            {"title": "{{ event.data.name }}", "message": "M", "priority": 3},
            ".priority",
            "must be 'low', 'normal' or 'high', found 3",
            SEE,
        ),
    ],
)
def test_parameters_are_held_against_what_the_action_takes(
    registry: Registry, parameters: dict[str, Any], place: str, message: str, hint: str
) -> None:
    step = {"action_type": "send_notification", "parameters": parameters}
    assert found(registry, step) == [Finding(ERROR, f"demo.json, step action_0, parameters{place}", message, hint)]


def test_what_parameters_must_be_together_is_checked_when_none_of_them_is_a_template(registry: Registry) -> None:
    wait = {"action_type": "wait", "parameters": {}}
    see = "aie plugins show core lists its parameters"
    assert found(registry, wait) == [
        Finding(ERROR, "demo.json, step action_0, parameters", "give either duration or until", see)
    ]
    assert found(registry, {**wait, "parameters": {"until": "{{ event.data.date }}"}}) == []


@pytest.mark.parametrize(
    ("text", "severity", "message", "hint"),
    [
        (
            "{{ event.data.ammount }}",
            ERROR,
            "expense_recorded events have no event.data.ammount",
            "did you mean 'amount'?",
        ),
        (
            "{{ event.data.employeeId }}",
            ERROR,
            "expense_recorded events have no event.data.employeeId",
            "did you mean 'employee_id'?",
        ),
        ("{{ event.amount }}", ERROR, "an event has no 'amount'", "did you mean event.data.amount?"),
        ("{{ event.tmestamp }}", ERROR, "an event has no 'tmestamp'", "did you mean 'timestamp'?"),
        ("{{ workflow.id }}", ERROR, "workflow has no 'id'", "did you mean 'workflow_id'?"),
        ("{{ run.started }}", ERROR, "run has no 'started'", "did you mean 'started_at'?"),
        (
            "{{ event.data.name.first }}",
            WARNING,
            "event.data.name is no object, so event.data.name.first is not there",
            "write event.data.name",
        ),
    ],
)
def test_a_template_that_reads_what_is_not_there_is_found(
    registry: Registry, text: str, severity: Severity, message: str, hint: str
) -> None:
    assert found(registry, note(text)) == [
        Finding(severity, "demo.json, step action_0, parameters.message", message, hint)
    ]


def test_a_name_the_event_type_does_not_list_may_be_there_all_the_same(registry: Registry) -> None:
    (told,) = found(registry, note("x"), trigger_condition="event.data.get('cost_centre') == 'B'")
    assert (told.severity, told.where) == (WARNING, "demo.json, trigger_condition")
    assert told.message == "expense_recorded events have no event.data.cost_centre"


def test_a_nested_text_says_which_one_it_is(registry: Registry) -> None:
    step = {
        "action_type": "emit_event",
        "parameters": {"event_type": "x", "data": {"lines": ["{{ event.data.name }}", "{{ event.data.nme }}"]}},
    }
    assert [each.where for each in found(registry, step)] == ["demo.json, step action_0, parameters.data.lines[1]"]


def test_types_of_events_that_take_anything_are_not_judged(registry: Registry) -> None:
    assert found(registry, note("{{ event.data.whatever.you.like }}"), trigger_event="manual_trigger") == []


def test_parts_of_lists_and_objects_are_not_judged(registry: Registry) -> None:
    text = "{{ event.data.items[0].price }} {% for line in event.data.items %}{{ line.name }}{% endfor %}"
    assert found(registry, note(text), trigger_event="invoice_created") == []


def test_a_condition_before_the_start_cannot_ask_for_results(registry: Registry) -> None:
    assert found(registry, note("x"), trigger_condition="results.get('action_0') is not None") == [
        Finding(
            ERROR,
            "demo.json, trigger_condition",
            "results.action_0 is not there yet when a workflow is about to start",
            "move the question into the condition of a step",
        )
    ]


def test_an_unknown_event_type_is_an_error_only_when_it_looks_misspelt(registry: Registry) -> None:
    assert found(registry, note("x"), trigger_event="expense_recordd") == [
        Finding(
            ERROR,
            "demo.json, trigger_event",
            "no installed plugin knows the event type 'expense_recordd'",
            "did you mean 'expense_recorded'?",
        )
    ]
    assert [each.severity for each in found(registry, note("x"), trigger_event="till_closed")] == [WARNING]


def test_a_schedule_beside_another_trigger_is_pointed_out(registry: Registry) -> None:
    assert found(registry, note("x"), schedule="0 8 * * *") == [
        Finding(
            WARNING,
            "demo.json, schedule",
            "a schedule starts it with a scheduled_trigger event, and the rest is written for expense_recorded",
            'write "trigger_event": "scheduled_trigger", or take the schedule out',
        )
    ]
    assert found(registry, note("x"), schedule="0 8 * * *", trigger_event="scheduled_trigger") == []


def test_a_result_of_a_step_that_a_jump_can_lead_past_is_a_warning(registry: Registry) -> None:
    steps = [
        note("a", id="first", on_failure="last"),
        note("b", id="second"),
        note("{{ results.second.path }}", id="last"),
    ]
    assert found(registry, *steps) == [
        Finding(
            WARNING,
            "demo.json, step last, parameters.message",
            "results.second may not be there: a jump can lead past that step",
            "ask for it in the step's condition, or write results.get('second', {}).get('path')",
        )
    ]
    steps[2]["condition"] = "results.get('second', {}).get('path') is not None"
    assert found(registry, *steps) == []


def test_a_result_of_a_step_that_may_be_skipped_is_a_warning_but_its_status_is_not(registry: Registry) -> None:
    first = note("a", condition="event.data.amount > 3")
    (told,) = found(registry, first, note("{{ results.action_0.path }}"))
    assert (told.severity, told.message) == (
        WARNING,
        "results.action_0.path may not be there: that step can be skipped or fail before this one",
    )
    assert found(registry, first, note("{{ results.action_0.status }}")) == []


def test_a_result_that_the_action_does_not_give_is_found(registry: Registry) -> None:
    assert found(registry, note("a"), note("{{ results.action_0.pth }}")) == [
        Finding(
            ERROR,
            "demo.json, step action_1, parameters.message",
            "the result of send_notification has no results.action_0.pth",
            "did you mean 'path'?",
        )
    ]


def test_a_step_that_every_jump_leads_past_is_pointed_out(registry: Registry) -> None:
    assert found(registry, note("a", on_success="action_2"), note("b"), note("c")) == [
        Finding(
            WARNING,
            "demo.json, step action_1",
            "no run ever comes to this step: jumps lead past it",
            "let a jump lead to it, or take it out",
        )
    ]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("customer_mail", "customer_email"),
        ("customeremail", "customer_email"),
        ("invoice_nubmer", "invoice_number"),
        ("invoice_id", ""),
        ("customer_no", ""),
        ("total", ""),
    ],
)
def test_a_slip_is_told_from_another_word(word: str, meant: str) -> None:
    assert misspelt(word, ["customer_email", "customer_id", "invoice_number", "invoice_date", "amount"]) == meant
