"""Conditions as closures: fast, and never of another opinion than the counted evaluator."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from aie.conditions import Condition
from aie.errors import ConditionError

# What takes long to read, by the name it has in a generated scope: Hypothesis writes down every scope it makes.
LONG_TEXT = "Ab " * 330_000
LARGE = {
    "long text": LONG_TEXT,
    "long items": [LONG_TEXT, 1] * 30,
    "many items": [1] * 101,
    "text above small": "a" * 4_001,
}

# --- random conditions: every form of the language, often about what is there, often about what is not ----------------

KEYS = st.sampled_from(["data", "a", "b", "items"])
TEXTS = st.sampled_from(["", "a", "b", "A", "ab", "7", "x y", "data"])
NUMBERS = st.integers(-3, 8) | st.sampled_from([0.5, 7.0, 2**63 - 1, 1e300])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS


def nested(scalars, size=3):
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=size) | st.dictionaries(KEYS | TEXTS, inner, max_size=size),
        max_leaves=6,
    )


CONSTANTS = SCALARS.map(repr) | st.sampled_from(["{}", "[]", "()", "{'a': 1}", "[[1], 'a']", "-7", "-0.5", "-True"])
CONTAINERS = st.lists(SCALARS, min_size=1, max_size=3).map(repr) | st.lists(SCALARS, min_size=2, max_size=3).map(
    lambda items: f"({', '.join(map(repr, items))})"
) | st.lists(SCALARS, min_size=1, max_size=3).map(lambda items: f"{{{', '.join(map(repr, items))}}}")  # fmt: skip
LINKS = st.one_of(
    KEYS.map(".{}".format),
    KEYS.map("['{}']".format),
    KEYS.map(".get('{}')".format),
    st.tuples(KEYS, CONSTANTS).map(lambda link: ".get('{}', {})".format(*link)),
    st.sampled_from(["[0]", "[-1]", "[True]", "[0.5]", "[1:]", ".get(workflow.a)"]),
)
PATHS = st.tuples(
    st.sampled_from(["event", "event.data", "event['data']", "event.data", "results", "workflow"]),
    st.lists(LINKS, max_size=3).map("".join),
).map("".join)
METHODS = st.sampled_from(
    [".lower()", ".upper()", ".strip()", ".strip('a')", ".startswith('a')", ".startswith(('a', 'b'))", ".endswith('b')",
     ".replace('a', 'ab')", ".replace('', 'xyz')", ".split()", ".split('a')", ".count('a')", ".find('b')", ".isdigit()",
     ".splitlines()", ".removeprefix('a')", ".keys()", ".values()", ".items()", ".get('a')"]
)  # fmt: skip
FUNCTIONS = st.sampled_from(
    ["len", "int", "float", "bool", "abs", "round", "str", "any", "all", "sum", "max", "weekday"]
)
ORDER = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


def combined(inner):
    return st.one_of(
        st.tuples(inner, ORDER, inner).map(" ".join),
        st.tuples(PATHS, ORDER, CONSTANTS).map(" ".join),
        st.tuples(CONSTANTS, ORDER, PATHS, ORDER, inner).map(" ".join),
        st.tuples(inner, st.sampled_from(["in", "not in"]), inner | CONTAINERS).map(" ".join),
        st.tuples(inner, st.sampled_from(["is", "is not"]), st.sampled_from(["None", "True", "False"])).map(" ".join),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
        inner.map("not {}".format),
        st.tuples(inner, inner, inner).map(lambda parts: "{} if {} else {}".format(*parts)),
        st.tuples(inner, METHODS).map(lambda parts: "({}){}".format(*parts)),
        st.tuples(FUNCTIONS, inner).map(lambda parts: "{}({})".format(*parts)),
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner).map(" ".join),
        st.tuples(inner, PATHS).map(lambda parts: "any([({}) for i in {}])".format(*parts)),
    ).map("({})".format)


SOURCES = st.recursive(PATHS | CONSTANTS | CONTAINERS, combined, max_leaves=8)
DATA = st.dictionaries(KEYS, nested(SCALARS | st.sampled_from(sorted(LARGE))))
SCOPES = st.fixed_dictionaries(
    {"event": st.fixed_dictionaries({"data": DATA}, optional={"a": SCALARS}), "workflow": st.just({"a": "data"})},
    optional={"results": st.dictionaries(KEYS, DATA, max_size=2)},
)


def grown(value):
    """The same data with what is large in it."""
    if isinstance(value, dict):
        return {key: grown(each) for key, each in value.items()}
    if isinstance(value, list):
        return [grown(each) for each in value]
    return LARGE.get(value, value) if isinstance(value, str) else value


def outcome(evaluate, scope):
    try:
        return evaluate(scope)
    except ConditionError as error:
        return error.message, error.where, error.hint


@settings(max_examples=500, deadline=None)
@given(SOURCES, SCOPES)
@example(" and ".join(["event.data.a == event.data.b"] * 12), {"event": {"data": {"a": "long text", "b": "long text"}}})
@example(" or ".join(["event.data.a.upper() == 'x'"] * 12), {"event": {"data": {"a": "long text"}}})
@example(" or ".join(["'x' in event.data.a"] * 12), {"event": {"data": {"a": "long text"}}})
@example("'Ab' in event.data.items", {"event": {"data": {"items": "long items"}}})
@example("event.data.items == [1]", {"event": {"data": {"items": "long items"}}})
@example("event.data.items[True] == 'a'", {"event": {"data": {"items": ["b", "a"]}}})
@example("0 < event.data.a <= event.data.b < 9", {"event": {"data": {"a": 7, "b": 8}}})
@example("0 < event.data.a <= event.data.b", {"event": {"data": {"a": 7, "b": "7"}}})
def test_a_closure_says_what_the_evaluator_says_errors_included(source, scope):
    try:
        condition = Condition.parse(source, where="w.json")
    except ConditionError:
        assume(False)
    scope = grown(scope)
    assert outcome(condition.evaluate, scope) == outcome(condition.evaluate_counted, scope)


# --- that closures answer at all --------------------------------------------------------------------------------------

SCOPE = {
    "event": {"data": {"amount": 600, "subject": "URGENT: meeting", "tags": ["vip"], "items": [{"price": 3}]}},
    "results": {"action_0": {"status": "success"}},
}


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("event['data'].get('amount', 0) > 500", True),
        ("event.data.amount > 500 and event.data.amount <= 600", True),
        ("500 < event.data.amount < 600", False),
        ("event.data.items[0].price == 3", True),
        ("event.data.items[-1]['price'] != 3", False),
        ("event['data'].get('customer_email') is not None", False),
        ("results.get('action_0', {}).get('status') == 'success'", True),
        ("'urgent' in event['data'].get('subject', '').lower()", True),
        ("event.data.subject.lower().startswith(('urgent', 'asap'))", True),
        ("'vip' in event.data.tags and len(event.data.tags) == 1", True),
        ("event.data.amount in (600, 700) or event.data.nothing", True),
        ("not ('action_1' in results)", True),
        ("-1 if event.data.amount == -1 else 0", False),
        ("event.data.amount > event.data.items[0].price", True),
    ],
)
def test_a_plain_condition_is_answered_without_the_evaluator(source, answer):
    condition = Condition.parse(source)
    assert condition.closure is not None
    assert bool(condition.closure(SCOPE)) is condition.evaluate_counted(SCOPE) is answer


@pytest.mark.parametrize(
    "source", ["event.data.amount + 1 > 5", "any(i.price > 4 for i in event.data.items)", "event.data.tags[0:1]"]
)
def test_what_only_the_evaluator_can_do_has_no_closure(source):
    condition = Condition.parse(source)
    assert condition.closure is None
    assert condition.evaluate(SCOPE) is condition.evaluate_counted(SCOPE)
