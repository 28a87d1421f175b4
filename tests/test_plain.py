"""Plain JSON data: what is accepted, what is refused and how the refusal reads."""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import json
import math
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from aie.errors import EventError
from aie.plain import check_json, digest, dumps, parse_json

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=5)
    ),
    max_leaves=20,
)


class Colour(enum.StrEnum):
    RED = "red"


class Model(BaseModel):
    amount: int = 1


@given(JSON)
def test_any_json_survives_writing_and_parsing(value):
    assert parse_json(dumps(value)) == value
    assert dumps(parse_json(dumps(value))) == dumps(value)


@given(JSON)
def test_a_checked_copy_equals_its_original_and_shares_nothing_with_it(value):
    copy = check_json(value)
    assert (dumps(copy), digest(copy)) == (dumps(value), digest(value))
    assert not (isinstance(value, dict | list) and copy is value)


@given(st.text() | st.binary())
def test_parsing_arbitrary_text_raises_nothing_but_event_errors(text):
    with suppress(EventError):
        parse_json(text)


def test_the_canonical_form_is_sorted_compact_and_leaves_text_as_it_is():
    value = {"b": [1, 2.5, None], "a": "ü"}
    assert dumps(value) == '{"a":"ü","b":[1,2.5,null]}'
    assert digest(value) == "sha256:" + hashlib.sha256(dumps(value).encode()).hexdigest()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NaN", "not strict JSON: NaN is not a JSON number"),
        ("[-Infinity]", "not strict JSON: -Infinity is not a JSON number"),
        ('{"a": 1e999}', "a is inf, which JSON does not have"),
        ('{"a": 1, "a": 2}', "not strict JSON: the key 'a' appears twice in one object"),
        (r'["\ud800"]', "[0] holds half of a surrogate pair, which is not text"),
        (r'{"\udc00": 1}', r"['\udc00'] holds half of a surrogate pair, which is not text"),
        ("9223372036854775808", "the value is an integer beyond 64 bits"),
        ("9" * 5000, "not strict JSON: an integer beyond 64 bits"),
        ("[" * 100_000, "nested more than 50 levels deep"),
        ('{"a":\n  ?}', "not JSON: Expecting value at line 2, column 3"),
        ("", "not JSON: Expecting value at line 1, column 1"),
        (b"\xff", "not UTF-8 text: byte 1 does not belong"),
        (" " * 1_048_577, "larger than 1048576 bytes"),
    ],
)
def test_text_that_is_not_strict_json_is_refused_with_the_reason(text, message):
    with pytest.raises(EventError) as caught:
        parse_json(text, where="event.json")
    assert (str(caught.value), caught.value.where) == (message, "event.json")


def test_the_ends_of_the_64_bit_range_are_kept():
    assert parse_json("[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]


def test_tuples_dates_decimals_and_text_enums_become_plain():
    value = {
        "tuple": (1, 2),
        "time": dt.datetime(2026, 2, 9, 18, 30, tzinfo=dt.UTC),
        "day": dt.date(2026, 2, 9),
        "money": Decimal("500.10"),
        Colour.RED: Colour.RED,
    }
    copy = check_json(value)
    assert copy == {
        "tuple": [1, 2],
        "time": "2026-02-09T18:30:00+00:00",
        "day": "2026-02-09",
        "money": "500.10",
        "red": "red",
    }
    assert {type(key) for key in copy} == {str}
    assert type(copy["red"]) is str


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"data": {"items": [0, 1, 2, {"price": {1}}]}}, "data.items[3].price is of type set, which is not JSON data"),
        ({"data": Model()}, "data is of type Model, which is not JSON data"),
        ({"a b": {"c": b"x"}}, "['a b'].c is of type bytes, which is not JSON data"),
        ({"a": {1: 2}}, "a has a key of type int; keys are text"),
        ([math.nan], "[0] is nan, which JSON does not have"),
        ({"a": Decimal("NaN")}, "a is NaN, which is not a number"),
        (2**63, "the value is an integer beyond 64 bits"),
        (print, "the value is of type builtin_function_or_method, which is not JSON data"),
        ({"a": "x" * 1_048_576}, "a makes the data larger than 1048576 bytes"),
    ],
)
def test_what_is_not_json_is_named_with_its_path(value, message):
    with pytest.raises(EventError) as caught:
        check_json(value)
    assert str(caught.value) == message


def test_a_pydantic_model_is_refused_with_the_way_to_plain_data():
    with pytest.raises(EventError) as caught:
        check_json(Model(), where="event")
    assert caught.value.as_dict() == {
        "error": "the value is of type Model, which is not JSON data",
        "where": "event",
        "hint": "pass plain data: .model_dump(mode='json')",
    }


def test_structure_that_contains_itself_or_multiplies_by_sharing_is_refused():
    loop: list[object] = []
    loop.append(loop)
    many: object = "x"
    for _ in range(9):
        many = [many] * 100
    for value in (loop, many):
        with pytest.raises(EventError):
            check_json(value)


def test_fifty_levels_are_accepted_and_fifty_one_refused():
    deep: object = 1
    for _ in range(50):
        deep = [deep]
    assert check_json(deep) == deep
    with pytest.raises(EventError, match="nested more than 50 levels deep"):
        check_json([deep])


def test_the_size_limit_counts_bytes_of_the_canonical_form():
    value = ["é" * 50]
    assert check_json(value, max_bytes=104) == value
    with pytest.raises(EventError, match="larger than 103 bytes"):
        check_json(value, max_bytes=103)
    assert json.loads(dumps(value)) == value
