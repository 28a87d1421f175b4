"""Simple texts: split and filled in without Jinja, and never to another result than Jinja's."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aie.errors import EventError
from aie.operations import MAX_WORK, OperationError
from aie.plain import check_json
from aie.template_filters import FILTERS
from aie.template_pieces import Pieces
from aie.template_rendering import MAX_TEXT, MissingValueError, Rendering
from aie.template_texts import TextCompiler
from aie.templates import NAMES, Template

# --- random texts, simple ones and ones that nearly are ---------------------------------------------------------------

KEYS = st.sampled_from(["data", "a", "b", "items", "get", "if", "x-y", "x y", "größe", "0", "_a", ""])
LINKS = st.one_of(
    KEYS.map(".{}".format),
    KEYS.map("['{}']".format),
    KEYS.map('["{}"]'.format),
    st.sampled_from(["[0]", "[-1]", "[007]", "[1]", ".0", "[true]", " .a", "[ 'a' ]", "['a\\n']", ".get('a')", "[a]"]),
)
NAMED = st.sampled_from(["event", "event.data", "event['data']", "results", "now", "true", "loop", "self", "evnt"])
FILTERED = st.sampled_from(
    ["", "", *(f" | {word}" for word in FILTERS), "|money", "| d", " | upper | lower", " | x.y", " |"]
)
CHAINS = st.tuples(NAMED, st.lists(LINKS, max_size=3).map("".join), FILTERED).map("".join)
SPACE = st.sampled_from(["", " ", "  ", "\n", "\t", "-", "+"])
PLACEHOLDERS = st.tuples(st.just("{{"), SPACE, CHAINS, SPACE, st.just("}}")).map("".join)
OTHERS = st.sampled_from(
    ["{{ event.data.a | upper }}", "{{ event.data.a | default('-') }}", "{# x #}", "{% if now %}y{% endif %}",
     "{{ 1 }}", "{{", "}}", "{", "}", "{{ '{{' }}", "{%", "{#", "{% raw %}{{ now }}{% endraw %}"]
)  # fmt: skip
SIMPLE = st.lists(
    st.tuples(
        st.sampled_from(["event", "event.data", "event.data", "results", "now"]),
        st.lists(st.sampled_from([".a", ".b", "['items']", '["x-y"]', ".get", "[0]", "[1]", ".if"]), max_size=3).map(
            "".join
        ),
        FILTERED,
    ).map("{{{{ {0[0]}{0[1]}{0[2]} }}}}".format)
    | st.sampled_from(["", " ", "Dear ", "}\n"]),
    max_size=4,
).map("".join)
LITERALS = st.text("a {}%#'\"\n\r\\", max_size=4) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), max_size=5
)
SOURCES = st.lists(SIMPLE | PLACEHOLDERS | LITERALS | OTHERS, max_size=5).map("".join)
ANY_TEXT = SIMPLE | SOURCES | st.text("{}[].'\" event data 01_-|%#\n", max_size=30).map("{{{{{}".format)


@settings(max_examples=500, deadline=None)
@given(ANY_TEXT)
@example("{{{ now }}")
@example("{{ now }}}")
@example("{{ event[01] }}")
@example("{{ event['a'].b }}\r\n")
@example("{ {{ now }} }} {{ run.a }}\n")
@example("-{{ now }}" * 250)
@example("-{{ event.data.a }}" * 150)
@example(f"-{{{{ event{'.a' * 12} }}}}" * 29)
@example(f"-{{{{ event{'.a' * 12} }}}}" * 39)
@example("{{ event" + ".a" * 45 + " }}")
def test_what_counts_as_simple_is_read_by_jinja_in_the_same_way(source):
    if Pieces.of(source, NAMES) is not None:
        compiler = TextCompiler(NAMES)
        simple, by_jinja = compiler.text(source), compiler.read_by_jinja(source)
        assert (simple, simple.references) == (by_jinja, by_jinja.references)


# --- filling in -------------------------------------------------------------------------------------------------------

LARGE = {"long": "a" * 10_001, "longer": "ä" * 300_000, "many": ["b" * 1_000] * 300, "most": "c" * 2_000_000}
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
    | st.sampled_from(["{{ now }}", "007", *LARGE])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=6,
)
SCOPES = st.fixed_dictionaries(
    {"event": st.fixed_dictionaries({"data": st.dictionaries(KEYS, VALUES)}, optional={"a": SCALARS, "b": VALUES})},
    optional={"results": VALUES, "now": st.just("2026-02-09T18:30:00+00:00")},
)


def grown(value):
    """The same data with what is large in it."""
    if isinstance(value, dict):
        return {key: grown(each) for key, each in value.items()}
    if isinstance(value, list):
        return [grown(each) for each in value]
    return LARGE.get(value, value) if isinstance(value, str) else value


def outcome(render, scope, length, work):
    """The result and what it has cost, or the error."""
    rendering = Rendering()
    rendering.length, rendering.work = length, work
    try:
        result = render(scope, rendering)
    except MissingValueError as error:
        return error.described(scope, [])
    except (OperationError, EventError) as error:
        return error.message, error.hint
    return repr(result), rendering.length, rendering.work, rendering.rounds


@settings(max_examples=500, deadline=None)
@given(SIMPLE | SOURCES, SCOPES, st.sampled_from([0, MAX_TEXT - 3]), st.sampled_from([0, MAX_WORK - 3]))
@example("{{ event.data.a }}", {"event": {"data": {"a": "long"}}}, 0, 0)
@example("{{ event.data.a }}", {"event": {"data": {"a": "most"}}}, 0, 0)
@example("x{{ event.data.a }}", {"event": {"data": {"a": "longer"}}}, 0, 0)
@example("x{{ event.data.a }}", {"event": {"data": {"a": "abc"}}}, MAX_TEXT - 3, 0)
@example("{{ event.data.a }}", {"event": {"data": {"a": "abcdefgh"}}}, 0, MAX_WORK - 2)
@example("{{ event.data.a }}{{ event.data.b }}", {"event": {"data": {"a": None, "b": True}}}, 0, 0)
@example("{{ event.data.a }}{{ event.data.b }}", {"event": {"data": {"a": [1, "b"], "b": 1e300}}}, 0, 0)
def test_a_simple_text_is_filled_in_as_by_jinja_errors_and_costs_included(source, scope, length, work):
    try:
        text = TextCompiler(NAMES).text(source)
    except OperationError:
        return
    scope = grown(scope)
    assert outcome(text.render, scope, length, work) == outcome(text.render_by_jinja, scope, length, work)


@given(VALUES)
@example("long")
@example("most")
@example("x" * 10_000)
@example(2**64)
def test_what_becomes_part_of_a_result_is_copied_and_weighed_whole(value):
    def in_full(scope, rendering):
        rendering.weigh(scope)
        return check_json(scope)

    value = grown(value)
    assert outcome(lambda scope, rendering: rendering.copied(scope), value, 0, 0) == outcome(in_full, value, 0, 0)


# --- that Jinja is not asked ------------------------------------------------------------------------------------------

SCOPE = {
    "event": {"data": {"amount": 750.5, "name": "Ada", "items": [{"name": "Lamp"}], "nothing": None, "paid": True}}
}


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("{{ event.data.amount }}", 750.5),
        ("{{event['data'][\"name\"]}}", "Ada"),
        ("{{ event.data.items }}", [{"name": "Lamp"}]),
        ("{{ event.data.nothing }}", None),
        ("paid: {{ event.data.paid }}", "paid: True"),
        ("Dear {{ event.data.name }}, you owe {{ event.data.amount }}.\n", "Dear Ada, you owe 750.5.\n"),
        ("{{ event.data.items[0].name }}{{ event.data.nothing }}", "Lamp"),
        ('{"name": "{{ event.data.name }}"}', '{"name": "Ada"}'),
        ("{{ event.data.items | length }}", 1),
        ("{{ event.data.name|upper }} owes {{ event.data.amount | money }}", "ADA owes 750.50"),
    ],
)
def test_a_simple_text_is_filled_in_without_jinja(source, result):
    text = TextCompiler(NAMES).text(source)
    assert (text.render(SCOPE, Rendering()), "_compiled" in vars(text)) == (result, False)
    assert (text.render_by_jinja(SCOPE, Rendering()), "_compiled" in vars(text)) == (result, True)


def test_a_list_is_copied_whoever_fills_it_in():
    template = Template.parse({"items": "{{ event.data.items }}", "constant": [{"a": []}]})
    first, second = template.render(SCOPE), template.render(SCOPE)
    first["items"][0]["name"] = first["constant"][0]["a"] = "changed"
    assert second == template.render(SCOPE) == {"items": [{"name": "Lamp"}], "constant": [{"a": []}]}
