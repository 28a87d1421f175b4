"""Matching by the index: the same runs and the same failures as asking every workflow."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aie import AsyncOrchestrator, Event
from aie.conditions import Condition
from aie.index import Index
from aie.library import Library
from aie.match import match
from aie.requests import skipped_of
from aie.templates import TemplateCompiler
from aie.workflow import parse_workflow
from tests.stand_ins import Scripted, make_vault, workflow

PLAIN = parse_workflow(json.dumps(workflow("w", {"action_type": "note"})), TemplateCompiler(), where="w.json")
ON_THE_CLOCK = parse_workflow(
    json.dumps(workflow("w", {"action_type": "note"}, trigger="scheduled_trigger", schedule="0 8 * * *")),
    TemplateCompiler(),
    where="w.json",
)


def shelved(conditions, **fields):
    """A workflow for each condition, in order."""
    return [
        replace(
            PLAIN, workflow_id=f"w{number}", condition=source and Condition.parse(source, where=f"w{number}"), **fields
        )
        for number, source in enumerate(conditions)
    ]


def event(data, event_type="invoice_created"):
    return {"event_type": event_type, "source": "odoo", "data": data, "timestamp": "2026-02-09", "event_id": "e1"}


# --- random workflows and events --------------------------------------------------------------------------------------

SUBJECTS = st.sampled_from(
    ["event.data.a", "event['data'].get('a')", "event['data'].get('a', 0)", "event.data.b[0]", "event.data.a.lower()",
     "workflow.workflow_id"]
)  # fmt: skip
NUMBERS = st.integers(-3, 3) | st.sampled_from([0.5, 2.0, 2**62, 1e300])
SCALARS = st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "a", "b", "A", "2", "w1"])
LISTS = st.lists(SCALARS, min_size=1, max_size=3).map(repr)
ORDER = st.sampled_from(["<", "<=", ">", ">="])


def conditions(subjects):
    """Conditions that begin with a test of one of these, and ones that begin otherwise."""
    of_one = st.sampled_from(subjects)
    leads = st.one_of(
        st.tuples(of_one, st.just("=="), SCALARS.map(repr)),
        st.tuples(SCALARS.map(repr), st.just("=="), of_one),
        st.tuples(of_one, ORDER, NUMBERS.map(repr)),
        st.tuples(NUMBERS.map(repr), ORDER, of_one),
        st.tuples(NUMBERS.map(repr), ORDER, of_one, ORDER, NUMBERS.map(repr)),
        st.tuples(of_one, ORDER, NUMBERS.map(repr), st.just("and"), of_one, ORDER, NUMBERS.map(repr)),
        st.tuples(of_one, ORDER, SCALARS.map(repr)),
        st.tuples(
            of_one,
            st.just("in"),
            LISTS | LISTS.map(lambda items: f"({items[1:-1]},)") | LISTS.map(lambda items: f"{{{items[1:-1]}}}"),
        ),
        st.tuples(of_one, st.sampled_from(["!=", "is"]), st.just("None")),
        st.tuples(of_one),
    ).map(" ".join)
    return st.one_of(
        leads,
        leads,
        leads,
        st.tuples(leads, st.sampled_from(["and", "or"]), leads).map(" ".join),
        st.tuples(leads, leads, leads).map("({0[0]}\nand {0[1]}) and {0[2]}".format),
        leads.map("not ({})".format),
        st.none(),
    )


LISTED = st.tuples(st.lists(SUBJECTS, min_size=1, max_size=2), st.sampled_from([0, 12])).flatmap(
    lambda drawn: st.lists(
        st.tuples(conditions(drawn[0]), st.booleans(), st.booleans()), min_size=drawn[1], max_size=drawn[1] + 4
    )
)
VALUES = NUMBERS | NUMBERS | SCALARS | st.lists(SCALARS, min_size=1) | st.just({"a": 1}) | st.just("a" * 5_000)
DATA = st.just({}) | st.fixed_dictionaries({"a": VALUES}, optional={"b": VALUES})


def told(answers):
    """Everyone who starts, and everyone whose condition failed, with the error."""
    return [answer for answer in answers if answer.starts or answer.error is not None]


@settings(max_examples=200, deadline=None)
@given(LISTED, DATA, st.sampled_from(["invoice_created", "scheduled_trigger"]), st.dictionaries(
    st.sampled_from(["w0", "w1", "w2"]), st.booleans()
))  # fmt: skip
@example([("event.data.a == 'x'", True, False)] * 4 + [("event.data.a > 1", True, False)] * 4, {"a": "x"}, "", {})
@example([("event\n.data.a == 1".join("()"), True, False)] * 4, {"a": 2}, "", {})
@example([("workflow.workflow_id == 'w1'", True, False)] * 4, {}, "", {})
@example([(f"event.data.a > {limit}", True, False) for limit in (3, 0, 2, 1, -1)], {"a": 2}, "", {})
@example([("event.data.a == [1]", True, False)] * 4, {"a": [1]}, "", {})
@example([("event.data.a < 'b'", True, False)] * 4, {"a": "a"}, "", {})
@example([("event.data.a in [1, True]", True, False)] * 4, {"a": 1}, "", {})
@example([("event.data.a > 1", True, False), ("event.data.a == 2", True, False)] * 4, {"a": 2}, "", {})
@example([("event.data.a in {1, 2}", True, False)] * 4, {"a": [1]}, "", {})
@example([("event.data.a == 1", True, False)] * 4, {"a": True}, "", {})
@example([("event.data.a.lower() == 'x'", True, False)] * 4, {"a": "X" * 5_000}, "", {})
def test_asking_whom_the_index_names_tells_the_same_as_asking_everyone(listed, data, event_type, switches):
    workflows = [
        replace(each, enabled=enabled, schedule=ON_THE_CLOCK.schedule if on_the_clock else None)
        for each, (_, enabled, on_the_clock) in zip(
            shelved([condition for condition, _, _ in listed]), listed, strict=True
        )
    ]
    happened = event(data, event_type)
    named = Index(workflows).candidates(happened)
    everyone = list(match(happened, workflows, switches=switches))
    assert told(match(happened, named, switches=switches)) == told(everyone)
    others = {answer.reason for answer in everyone if answer.workflow not in named}
    assert others <= {"its condition is false", "it is disabled", "it starts by its own schedule only"}


# --- what the index is good for ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "true_for"),
    [
        ("event.data.n == {}", {7}),
        ("{} == event['data'].get('n')", {7}),
        ("event.data.n == {} and event.data.no_such_thing", {7}),
        ("event.data.n in [{}, -1] and (event.data.a or event.data.b)", {7}),
        ("event.data.n > {}", set(range(7))),
        ("event.data.n >= {}", set(range(8))),
        ("{} > event['data'].get('n', 0)", set(range(8, 100))),
        ("{} < event.data.n", set(range(7))),
        ("{} <= event.data.n", set(range(8))),
        ("{} >= event['data'].get('n', 0) > 3", set(range(7, 100))),
        ("{0} <= event.data.n < {0}.5", {7}),
        ("{0} <= event.data.n < {0}.5 + 1", set(range(8))),
        ("event.data.n >= {0} and event.data.n < {0}.5 and event.data.no_such_thing", {7}),
        ("(event.data.n <= 1{0} and event.data.n > {0}) and event.data.n < 6{0}", set(range(7))),
        ("event.data.n < 9 and event.data.m < {}", set(range(100))),
        ("event.data.n > {0} and event.data.n < {0}", set()),
    ],
)
def test_only_those_whose_first_tests_are_true_are_asked(form, true_for):
    workflows = shelved([form.format(number) for number in range(100)])
    named = Index(workflows).candidates(event({"n": 7}))
    assert [each.workflow_id for each in named] == [f"w{number}" for number in sorted(true_for)]


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("event.data.n == {}", {}),
        ("event.data.n > {}", {"n": "7"}),
        ("event.data.n > {0} and event.data.n < {0}", {"n": "7"}),
        ("event.data.n in {{{}}}", {"n": [7]}),
        ("event.data.n != {}", {"n": 7}),
        ("event.data.n == {} or event.data.a", {"n": 7}),
        ("results.a == {}", {"n": 7}),
        ("workflow.workflow_id == '{}'", {"n": 7}),
    ],
)
def test_everyone_is_asked_where_their_first_test_may_fail_or_does_not_decide(form, data):
    workflows = shelved([form.format(number) for number in range(100)])
    assert list(Index(workflows).candidates(event(data))) == workflows


def test_a_shelf_has_one_index_for_each_event_type_until_a_file_changes(tmp_path: Path):
    for name, amount in (("a", 1), ("b", 2)):
        content = workflow(name, {"action_type": "note"}, trigger_condition=f"event.data.n == {amount}")
        (tmp_path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    library = Library([tmp_path], TemplateCompiler())
    library.refresh()
    index = library.shelf.index("manual_trigger")
    assert index is library.shelf.index("manual_trigger")
    assert [each.workflow_id for each in index.workflows] == ["a", "b"]
    assert list(library.shelf.index("no_such_event").candidates(event({}))) == []
    (tmp_path / "a.json").unlink()
    library.refresh()
    assert [each.workflow_id for each in library.shelf.index("manual_trigger").workflows] == ["b"]


def test_the_engine_asks_whom_the_index_names_and_the_others_when_somebody_wants_to_know(tmp_path: Path):
    def listed(name, condition, **fields):
        return workflow(name, {"action_type": "note"}, trigger_condition=condition, **fields)

    vault = make_vault(
        tmp_path / "v",
        *[listed(f"n{number}", f"event.data.n == {number}") for number in range(6)],
        listed("off", "event.data.n == 3", enabled=False),
        listed("wrong", "event.data.missing == 3"),
    )
    happened = Event("manual_trigger", "test", {"n": 3}, event_id="e1")

    async def main():
        plugins = {"t": Scripted({"note": lambda params, context: None})}
        async with AsyncOrchestrator(vault, plugins=plugins, env={}) as orchestrator:
            accepted = await orchestrator.engine.accept(happened)
            skipped = [(skip["workflow_id"], skip["reason"], skip["failed"]) for skip in skipped_of(accepted)]
            await orchestrator.engine.idle()
            result = await orchestrator.process_event(replace(happened, event_id="e2"))
            return accepted, skipped, result

    accepted, skipped, result = asyncio.run(main())
    assert [(found.workflow.workflow_id, found.starts) for found in accepted.matches] == [
        ("n3", True), ("off", False), ("wrong", False),
    ]  # fmt: skip
    assert skipped == [
        *[(f"n{number}", "its condition is false", False) for number in (0, 1, 2, 4, 5)],
        ("off", "it is disabled", False),
        (
            "wrong",
            "its condition failed: 'event.data' has no 'missing'; 'event.data' has: n (in 'event.data.missing == 3')",
            True,
        ),
    ]
    assert [run.workflow_id for run in result.runs] == ["n3"]
    assert [(skip["workflow_id"], skip["reason"], skip["failed"]) for skip in result.skipped] == skipped
