"""The page on workflows: every field with its true default, every function and filter with an example that holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from aie.condition_evaluator import COMPARISONS, FUNCTIONS, METHODS, OPERATORS
from aie.conditions import Condition
from aie.cron import ALIASES, cron_problem
from aie.definition import RetryDefinition, ScheduleDefinition, StepDefinition, WorkflowDefinition
from aie.template_check import _COMPARE_TESTS, _DEFAULTS, LOOP_WORDS
from aie.template_filters import FILTERS, TESTS
from aie.templates import Template

PAGE = (Path(__file__).parent.parent / "docs" / "workflows.md").read_text(encoding="utf-8")
_CELL = re.compile(r"(?<!\\)\|")


def table(first: str) -> list[list[str]]:
    """The rows of the table whose first heading is this."""
    lines = PAGE.partition(f"\n| {first} |")[2].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("\\|", "|") for cell in _CELL.split(line)[1:-1]])
    return rows


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]*)`", cell)


def example_event() -> dict[str, Any]:
    text = PAGE.partition("The examples below are about this event:\n\n```\n")[2].partition("```")[0]
    event: dict[str, Any] = json.loads(text)
    return event


SCOPE = {"event": example_event(), "results": {}, "workflow": {}, "run": {}, "now": ""}


# --- fields ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "number", "model"),
    [
        ("field", 0, WorkflowDefinition),
        ("in `schedule`", 0, ScheduleDefinition),
        ("field", 1, StepDefinition),
        ("in `retry`", 0, RetryDefinition),
    ],
    ids=["workflow", "schedule", "step", "retry"],
)
def test_every_field_is_on_the_page_with_its_default_and_a_value_it_takes(
    heading: str, number: int, model: type[BaseModel]
) -> None:
    parts = PAGE.split(f"\n| {heading} |")
    rows = [line.split("|")[1:5] for line in parts[number + 1].splitlines()[2:] if line.startswith("| `")]
    own = {field.alias or name: field for name, field in model.model_fields.items()}
    rows = [row for row in rows if set(codes(row[0])) <= own.keys()]
    assert sorted(name for row in rows for name in codes(row[0])) == sorted(own)
    for names, default, examples, _ in rows:
        for name, example in zip(codes(names), codes(examples), strict=True):
            field = own[name]
            assert (default.strip() == "needed") == field.is_required(), name
            if codes(default) and default.strip() != "the `workflow_id`":
                value = field.get_default(call_default_factory=True)
                assert json.loads(codes(default)[0]) == value, name
            if "…" not in example:
                known = {"workflow_id": "w", "trigger_event": "e", "action_type": "wait", "cron": "0 8 * * *"}
                needed = {other: known[other] for other in known if other in own}
                if model is WorkflowDefinition:
                    needed["actions"] = [{"action_type": "wait"}]  # type: ignore[assignment]
                model.model_validate({**needed, name: json.loads(example)})


def test_null_is_the_same_as_leaving_a_field_out() -> None:
    step: dict[str, Any] = {"action_type": "wait"}
    needed: dict[str, Any] = {"workflow_id": "w", "trigger_event": "e", "actions": [step]}
    nulls = {field.alias or name: None for name, field in WorkflowDefinition.model_fields.items()}
    assert WorkflowDefinition.model_validate({**nulls, **needed}) == WorkflowDefinition.model_validate(needed)
    nulls = dict.fromkeys(StepDefinition.model_fields)
    assert StepDefinition.model_validate({**nulls, **step}) == StepDefinition.model_validate(step)


def test_the_forms_of_cron_lines_that_the_page_names_can_be_used() -> None:
    (row,) = (row for row in table("in `schedule`") if row[0] == "`cron`")
    names = [code for code in codes(row[3]) if code.startswith("@")]
    assert names == list(ALIASES)
    assert [cron_problem(line) for line in (*names, "*/15 6,18 L JAN MON", "0 1-5 * * 7", "0 0 * * 0")] == [""] * 8


# --- conditions --------------------------------------------------------------------------------------------------

CONDITIONS = [
    (row[0], example)
    for heading in ("to compare and combine", "function", "method of")
    for row in table(heading)
    for example in codes(row[1])[:1]
]


@pytest.mark.parametrize(("what", "source"), CONDITIONS, ids=[what for what, _ in CONDITIONS])
def test_a_condition_on_the_page_is_true_of_its_event_and_has_in_it_what_it_is_about(what: str, source: str) -> None:
    assert Condition.parse(source).evaluate(SCOPE) is True
    names = [name for name in codes(what) if name.isidentifier() and name not in ("or", "and", "not", "in", "is")]
    assert [name for name in names if f"{name}(" not in source] == []


def test_every_function_method_and_operator_of_conditions_is_on_the_page() -> None:
    assert sorted(name for row in table("function") for name in codes(row[0])) == sorted(FUNCTIONS)
    methods: dict[str, set[str]] = {"text": set(), "mapping": set(), "list": set()}
    for row in table("method of"):
        methods[row[0].partition(":")[0]] |= set(codes(row[0]))
    assert methods == {"text": set(METHODS[str]), "mapping": set(METHODS[dict]), "list": set(METHODS[list])}
    words = {word for row in table("to compare and combine") for word in codes(row[0])}
    assert {*OPERATORS.values(), *COMPARISONS.values(), "and", "or"} <= words


# --- templates ---------------------------------------------------------------------------------------------------

TEMPLATES = [
    (row[0], codes(row[1])[0], codes(row[2]))
    for heading in ("in templates", "filter", "test")
    for row in table(heading)
]


@pytest.mark.parametrize(("what", "source", "gives"), TEMPLATES, ids=[what for what, _, _ in TEMPLATES])
def test_a_template_on_the_page_gives_what_the_page_says(what: str, source: str, gives: list[str]) -> None:
    said = "\n".join(gives)
    found = Template.parse({"text": f"{source}."}).render(SCOPE)  # with the dot it is no lone value
    assert found == {"text": f"{said}."}


def test_every_filter_test_and_loop_word_of_templates_is_on_the_page() -> None:
    assert sorted(name for row in table("filter") for name in codes(row[0])) == sorted({*FILTERS, *_DEFAULTS})
    tests = {*TESTS, *_COMPARE_TESTS, "defined", "undefined"}
    assert sorted(name for row in table("test") for name in codes(row[0])) == sorted(tests)
    assert {f"loop.{word}" for word in LOOP_WORDS} <= set(codes(PAGE))
    for row in table("filter"):
        assert [name for name in codes(row[0]) if not re.search(rf"\| {name}\b", row[1])] == []


def test_the_arguments_that_the_page_names_as_usual_are_those() -> None:
    sentence = PAGE.partition("Left out, the arguments are:")[2].partition("`date` knows")[0]
    for name, arguments in re.findall(r"`(\w+)\(([^`]*)\)`", sentence):
        for value in ("' b  a '", "'2026-02-09T18:30:00'", "7.5", "['b', 'a']", "'x " + "long " * 80 + "'"):
            texts = [f"{{{{ {value} | {name}{call} }}}}" for call in ("", f"({arguments})")]
            try:
                first = Template.parse({"text": texts[0]}).render(SCOPE)
            except Exception:  # not what this filter takes
                continue
            assert first == Template.parse({"text": texts[1]}).render(SCOPE), name


def test_the_directives_of_dates_that_the_page_names_are_those_there_are() -> None:
    listed = re.findall(r"%[a-zA-Z%]", PAGE.partition("`date` knows `")[2].partition("`.")[0])
    for letter in "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%":
        source = f"{{{{ '2026-02-09T18:30:00' | date('%{letter}') }}}}."
        try:
            Template.parse({"text": source}).render(SCOPE)
            known = True
        except Exception:
            known = False
        assert known == (f"%{letter}" in listed), letter
