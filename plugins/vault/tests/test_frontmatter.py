"""Front matter: read as YAML, written without touching what aie did not write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from aie_vault import frontmatter
from aie_vault.frontmatter import FrontMatter, body, quoted, read, scalar, with_keys

NOTE = """---
# made by hand
zip: 01234
time: 12:30
price: 1_000.50
aie_status: pending
tags:
  - one
  # between
  - two
long: >
  folded
  text
quoted: 'it''s'
---
body
"""


def test_properties_are_read_as_yaml():
    text = '---\na: 1\nb: [x, 2.5, true, null]\nday: 2026-11-23\nat: 2026-11-23T09:00:00\nlink: "[[Note]]"\n---\nbody'

    assert read(text) == FrontMatter(
        {"a": 1, "b": ["x", 2.5, True, None], "day": "2026-11-23", "at": "2026-11-23T09:00:00", "link": "[[Note]]"}
    )
    assert body(text) == "body"


@pytest.mark.parametrize(
    "text", ["", "body", " ---\na: 1\n---\n", "----\na: 1\n---\n", "text\n---\na: 1\n---\n", "--- a\n"]
)
def test_a_text_may_have_no_front_matter(text):
    assert (read(text), body(text)) == (FrontMatter({}, present=False), text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("---\naie_id: apr_1\n", {"aie_id": "apr_1"}),
        ("---\naie_id: apr_1\ntitle: a: b\n---\n", {"aie_id": "apr_1", "title": "a: b"}),
        ("---\naie_id: apr_1\naie_id: apr_2\n---\n", {"aie_id": "apr_1"}),
        ("---\naie_id: apr_1\nx: !!python/object/apply:os.system [ls]\n---\n", None),
        ("---\naie_id: apr_1\nx: {{template}}\n---\n", {"aie_id": "apr_1", "x": "{{template}}"}),
        ("---\n- a\n---\n", {}),
        ("---\nx: " + "[" * 3000 + "\n---\n", None),
        (
            "---\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
            "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n---\n",
            None,
        ),
        ("---\nx: " + "9" * 5000 + "\n---\n", None),
    ],
)
def test_front_matter_that_is_not_usable_yaml_is_read_line_by_line_and_marked(text, values):
    found = read(text)

    assert (found.present, found.broken) == (True, True)
    if values is not None:
        assert found.values == values


def test_setting_keys_changes_their_lines_only():
    assert with_keys(NOTE, {"aie_status": "done", "tags": "", "new": quoted("a: b")}) == (
        NOTE.replace("aie_status: pending", "aie_status: done")
        .replace("tags:\n  - one\n  # between\n  - two", "tags:\n  # between")
        .replace("quoted: 'it''s'\n", "quoted: 'it''s'\nnew: \"a: b\"\n")
    )


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_and_byte_order_mark_stay(mark, newline):
    text = mark + NOTE.replace("\n", newline)

    assert with_keys(text, {"aie_status": "done"}) == text.replace("pending", "done")


def test_a_text_without_front_matter_gets_one():
    assert with_keys("# Note\r\n", {"aie_id": "x"}) == "---\r\naie_id: x\r\n---\r\n\r\n# Note\r\n"


TEXT = st.text() | st.text(alphabet="a:-#[]{}&*!|>'\"%@`,\\ \n\t\u2028\x85\ufeff0.eyn~<=?")


@given(TEXT)
def test_any_text_written_as_a_value_is_read_back(value):
    if any("\ud800" <= char <= "\udfff" for char in value):
        return
    for written in (quoted(value), scalar(value)):
        text = with_keys("---\na: 1\n---\nbody\n", {"key": written})
        assert (read(text).values, body(text)) == ({"a": 1, "key": value or ("" if written else None)}, "body\n")


@given(st.dictionaries(st.sampled_from("abcdef"), TEXT.filter(lambda text: text.isprintable()), max_size=4), TEXT)
def test_setting_a_key_leaves_all_others_as_they_were(values, new):
    text = with_keys("---\nzip: 01234\n---\nbody\n", {key: quoted(value) for key, value in values.items()})
    changed = with_keys(text, {"a": quoted(new)})

    if not any("\ud800" <= char <= "\udfff" for char in new):
        assert read(changed).values == {**read(text).values, "a": new}
    assert with_keys(changed, {"a": quoted("x")}) == with_keys(text, {"a": quoted("x")})


LINE = st.sampled_from(
    [
        "a:",
        "b: word",
        "c: 2026-02-09T18:30:00",
        'd: "x: y"',
        "  - item",
        "  - null",
        "e: yes",
        "f: null",
        "g: 1",
        "",
        "a: x",
        " - x",
        "h: a-b/c.d",
        "i: e1",
        "  - y",
        "j: 2026-02-30T18:30:00",
        "k: .x",
        "l:x",
        "on: off",
        "m: word ",
        "m: \u0661",
    ]
)


@given(st.lists(LINE, max_size=8))
def test_the_quick_way_to_read_says_the_same_as_the_parser(lines):
    text = "\n".join([*lines, ""])
    quick = frontmatter._simple(text)
    if quick is None:
        return
    plain = frontmatter._Plain().of(YAML(typ="safe", pure=True).load(text) or {}, 0)
    assert quick == plain
