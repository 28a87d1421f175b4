"""Templates: what they fill in, what is refused, and that data is never rendered and nothing costs much."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aie.errors import TemplateError
from aie.plain import MAX_BYTES, check_json
from aie.templates import Template, TemplateCompiler

DATA = {
    "amount": 1234.5,
    "code": "007",
    "subject": "Hi {{ 7*7 }} {% if %}",
    "nothing": None,
    "empty": "",
    "paid": True,
    "items": [{"name": "Lamp", "price": 3}, {"name": "Desk", "price": 4.5}],
    "tags": ["b", "a", "b"],
    "numbers": [3, 1, 2],
}
SCOPE = {
    "event": {"event_type": "invoice_created", "data": DATA},
    "results": {"action_0": {"status": "success"}},
    "workflow": {"workflow_id": "w"},
    "run": {"run_id": "r"},
    "now": "2026-02-09T18:30:00+00:00",
}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
    | st.sampled_from(
        ["{{ event }}", "{% for x in y %}", "{{ 7*7 }}", "007", "None", "1.10", "'quoted'", "{#", "[0, 0]"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc{%}"), inner, max_size=4),
    max_leaves=15,
)


def rendered(source, scope=SCOPE):
    return Template.parse(source).render(scope)


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("{{event.data.code}}", "007"),
        ("{{ event.data.amount }}", 1234.5),
        ("{{ event.data.nothing }}", None),
        ("{{ event.data.paid }}", True),
        ("{{ event.data.items }}", DATA["items"]),
        ("{{ event.data.items[1].name }}", "Desk"),
        ("{{ event.data.items.0.name }}", "Lamp"),
        ("{{ event['data']['code'] }}", "007"),
        (" {{ event.data.amount }}", " 1234.5"),
        ("{{ event.data.amount }}\n", "1234.5\n"),
        ("{{ event.data.code }}{{ event.data.code }}", "007007"),
        ("a{{event.data.nothing}}b {{ event.data.paid }}", "ab True"),
        ("<b>{{ '<&>' }}</b>", "<b><&></b>"),
        ("{{ results.action_0.status }} {{ workflow.workflow_id }} {{ run.run_id }} {{ now }}",
         "success w r 2026-02-09T18:30:00+00:00"),
        ("{{ event.data.missing | default('x') }}", "x"),
        ("{{ event.data.a.b.c | default('x') }}", "x"),
        ("{{ event.data.a.get('b') | default('x') }}", "x"),
        ("{{ event.data.nothing | default('x') }}", None),
        ("{{ event.data.empty | default('x', true) }}", "x"),
        ("{{ event.data.get('missing', 5) }}", 5),
        ("{{ event.data.get('missing') }}", None),
        ("{{ event.data.missing is defined }}", False),
        ("{{ event.data.a.b is undefined }}", True),
        ("{{ event.data.nothing is none and event.data.code is string and event.data.amount is number }}", True),
        ("{{ event.data is mapping and event.data.items is sequence and event.data.paid is boolean }}", True),
        ("{{ event.data.amount is gt 5 and event.data.code is in ['007'] and 1 is equalto 1 }}", True),
        ("{{ 'Lamp' in event.data.items[0].name and 1 < 2 <= 2 and not event.data.empty }}", True),
        ("{{ event.data.items[0].price * 2 + 1 - 4 / 2 }}", 5.0),
        ("{{ 7 // 2 % 2 }}{{ -1 }}{{ +1 }}", "1-11"),
        ("{{ 'a' ~ 5 ~ event.data.nothing }}", "a5"),
        ("{{ event.data.code[1:] }}", "07"),
        ("{{ {'a': [event.data.code, (1, 2)]} }}", {"a": ["007", [1, 2]]}),
        ("{{ 'yes' if event.data.paid else 'no' }}", "yes"),
        ("{{ 'yes' if not event.data.paid }}", None),
        ("{% if event.data.amount > 5 %}big{% elif event.data.paid %}paid{% else %}small{% endif %}", "big"),
        ("{% for i in event.data.items %}{{ loop.index }}/{{ loop.length }} {{ i.name }}"
         "{{ ', ' if not loop.last }}{% endfor %}", "1/2 Lamp, 2/2 Desk"),
        ("{% for i in event.data.items if i.price > 4 %}{{ i.name }}{% else %}none{% endfor %}", "Desk"),
        ("{% for k, v in event.data.items[0] | items %}{{ k }}={{ v }};{% endfor %}", "name=Lamp;price=3;"),
        ("{% for i in event.data.tags %}{% for n in event.data.numbers %}{{ i }}{{ n }} {% endfor %}{% endfor %}",
         "b3 b1 b2 a3 a1 a2 b3 b1 b2 "),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("{# a note #}{{ event.data.code }}", "007"),
        ("{# only a note #}", "{# only a note #}"),
        ("{{ 'ab' | upper | lower | title | capitalize }}", "Ab"),
        ("{{ '  x ' | trim }}", "x"),
        ("{{ 'a-b' | replace('-', '+') }}", "a+b"),
        ("{{ event.data.tags | join(', ') }}", "b, a, b"),
        ("{{ event.data.tags | unique | sort | reverse | join }}", "ba"),
        ("{{ event.data.tags | unique | join }}", "ba"),
        ("{{ event.data.tags | length }} {{ event.data.tags | count }}", "3 3"),
        ("{{ event.data.numbers | first }} {{ event.data.numbers | last }}", "3 2"),
        ("{{ event.data.numbers | sum }} {{ event.data.numbers | min }} {{ event.data.numbers | max }}", "6 1 3"),
        ("{{ event.data.numbers | sort(reverse=true) }}", [3, 2, 1]),
        ("{{ 2.345 | round(2) }} {{ 2.1 | round(0, 'ceil') }} {{ 2.9 | round(method='floor') }}", "2.35 3.0 2.0"),
        ("{{ '7' | int }} {{ 'x' | int(0) }} {{ '1.5' | float }} {{ 'x' | float(default=2) }} {{ -1 | abs }}",
         "7 0 1.5 2 1"),
        ("{{ 'one two three' | truncate(10) }}|{{ 'abcdef' | truncate(5, true, '…') }}", "one...|abcd…"),
        ("{{ {'b': 1, 'a': 'ü'} | tojson }}", '{"a":"ü","b":1}'),
        ("{{ now | date }} {{ now | date('%d.%m.%Y %H:%M') }} {{ '2026-02-09' | date(format='%j') }}",
         "2026-02-09 09.02.2026 18:30 040"),
        ("{{ '2026-02-09' | plus(days=30) }} {{ '2026-03-01' | plus(days=-1) | date('%d.%m.') }}", "2026-03-11 28.02."),
        ("{{ '2026-02-09' | plus(hours=36) }} {{ '2026-02-09T18:30:00+01:00' | plus(days=1, minutes=-31) }}",
         "2026-02-10T12:00:00 2026-02-10T17:59:00+01:00"),
        ("{{ now | plus(14) | date }}", "2026-02-23"),
        ("{{ event.data.amount | money }} {{ '0.005' | money }} {{ 2.675 | money }} {{ 1000000 | money }}",
         "1,234.50 0.01 2.68 1,000,000.00"),
        ("{{ 'a\nb' | indent(2) }}", "a\n  b"),
        ("{{ 5 | string }}", "5"),
    ],
)  # fmt: skip
def test_a_template_is_filled_in(source, result):
    answer = rendered(source)
    assert (answer, type(answer)) == (result, type(result))


def test_a_tree_of_parameters_is_filled_in_and_its_keys_and_other_values_stay():
    source = {
        "{{ key }}": 1,
        "a": [True, None, "{{ event.data.code }}", {"b": "x {{ event.data.amount }}"}],
        "c": [1, {}],
    }
    result = {"{{ key }}": 1, "a": [True, None, "007", {"b": "x 1234.5"}], "c": [1, {}]}
    template = Template.parse(source)
    first, second = template.render(SCOPE), template.render(SCOPE)
    assert (first, second, template.source) == (result, result, source)
    first["c"].append(2)
    first["a"][3]["b"] = ""
    assert template.render(SCOPE) == result


def test_rendered_data_is_new_and_the_scope_stays_as_it_was():
    before = json.dumps(SCOPE)
    rendered("{{ event.data.items }}").append("more")
    assert json.dumps(SCOPE) == before


@given(JSON)
def test_a_lone_placeholder_keeps_the_type_and_text_of_any_json_and_nothing_in_it_is_rendered(value):
    answer = Template.parse({"p": ["{{ event.data.v }}"]}).render({"event": {"data": {"v": value}}})
    assert json.dumps(answer) == json.dumps({"p": [value]})


@given(st.text(st.characters(codec="utf-8")) | st.sampled_from(["{{ event }}", "{% for x in y %}", "{{ 7*7 }}"]))
def test_text_from_data_stays_as_it_is_in_running_text(value):
    assert rendered("<{{ event.v }}>", {"event": {"v": value}}) == f"<{value}>"


@given(st.text(max_size=60) | st.text("event.data{}%#|[]()'\"+-*/ifor 01\n", max_size=60).map("{{{}".format))
def test_arbitrary_text_raises_nothing_but_template_errors(source):
    with suppress(TemplateError):
        Template.parse(source).render(SCOPE)


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ("{{ event.data.amuont }}",
         "event.data has no 'amuont'; it has: amount, code, subject, nothing, empty, paid, items, tags, numbers",
         "did you mean 'amount'?"),
        ("x {{ run.runid.x }}", "run has no 'runid'; it has: run_id", "did you mean 'run_id'?"),
        ("{{ event.data.nothing.name }}", "event.data.nothing is nothing (null), so it has no 'name'", ""),
        ("{{ event.data.items[5].name }}", "event.data.items has no item 5; it has 2 items", ""),
        ("{% for i in event.data.items %}{{ i.cost }}{% endfor %}",
         "event.data.items[0] has no 'cost'; it has: name, price", ""),
        ("{{ event.data.x | upper }}",
         "event.data has no 'x'; it has: amount, code, subject, nothing, empty, paid, items, tags, numbers", ""),
        ("{% if event.data.amuont %}1{% endif %}",
         "event.data has no 'amuont'; it has: amount, code, subject, nothing, empty, paid, items, tags, numbers",
         "did you mean 'amount'?"),
        ("{{ event.data.code + 1 }}", "cannot use + with text and a number (in '{{ event.data.code + 1 }}')", ""),
        ("{{ 'x' | int }}", "this text is not a whole number (in \"{{ 'x' | int }}\")", ""),
        ("{{ event.data.nothing | money }}",
        "an amount is needed here, not None (in '{{ event.data.nothing | money }}')",
         ""),
        ("{{ '2026-02-09' | plus(days='7') }}",
         "plus takes whole numbers of days, hours and minutes, not '7' (in \"{{ '2026-02-09' | plus(days='7') }}\")",
         ""),
        ("{{ '9999-12-31' | plus(days=1) }}",
         "'9999-12-31' cannot be moved that far (in \"{{ '9999-12-31' | plus(days=1) }}\")", ""),
        ("{{ event.data.nothing | plus(days=1) }}",
         "plus needs a time in ISO 8601 such as 2026-02-09T18:30:00, not None "
         "(in '{{ event.data.nothing | plus(days=1) }}')", ""),
        ("{{ 'soon' | date }}",
        "'soon' is not a time in ISO 8601 such as 2026-02-09T18:30:00 (in \"{{ 'soon' | date }}\")",
         ""),
    ],
)  # fmt: skip
def test_a_template_that_cannot_be_filled_in_says_why_and_where(source, message, hint):
    template = Template.parse({"to": [source]}, where="w.json: action_1.parameters")
    with pytest.raises(TemplateError) as caught:
        template.render(SCOPE)
    error = caught.value
    assert (error.message, error.where, error.hint) == (message, "w.json: action_1.parameters.to[0]", hint)


@pytest.mark.parametrize("source", ["{{ [event.run_id] }}", "{{ (1, event.run_id) }}", "{{ {'a': event.run_id} }}"])
def test_a_missing_value_inside_a_list_or_mapping_is_named_too(source):
    with pytest.raises(TemplateError) as caught:
        rendered(source)
    assert caught.value.message == "event has no 'run_id'; it has: event_type, data"


def test_only_a_lone_path_of_an_optional_parameter_may_lack_its_value():
    source = {"a": "{{ event.data.x }}", "b": "{{ event.data.code }}", "c": "{{ event.data.nothing.y.z }}"}
    template = Template.parse(source)
    assert template.render(SCOPE, optional=frozenset({"a", "c"})) == {"b": "007"}
    with pytest.raises(TemplateError, match="has no 'x'"):
        template.render(SCOPE, optional=frozenset({"c"}))
    for not_lone in ("{{ event.data.x | upper }}", "x {{ event.data.x }}", ["{{ event.data.x }}"]):
        with pytest.raises(TemplateError, match="has no 'x'"):
            Template.parse({"a": not_lone}).render(SCOPE, optional=frozenset({"a"}))


@pytest.mark.parametrize(
    ("source", "paths", "required", "steps"),
    [
        ("{{ event.data.a }} {{ event['b'] }}", {"event.data.a", "event.b"}, {"event.data.a", "event.b"}, set()),
        ("{{ event.data.a | default(event.c) }}", {"event.data.a", "event.c"}, {"event.c"}, set()),
        ("{{ event.data.a is defined and event.data.get('b', 1) }}", {"event.data.a", "event.data.b"}, set(), set()),
        ("{{ results.a.id }} {{ results['b'] }}", {"results.a.id", "results.b"}, {"results.a.id", "results.b"}, {"a",
        "b"}),
        ("{{ results[event.s] }}", {"results", "event.s"}, {"results", "event.s"}, None),
        ("{% for i in event.data.items %}{{ i.name }}{% endfor %}", {"event.data.items"}, {"event.data.items"}, set()),
        ("plain", set(), set(), set()),
    ],
)  # fmt: skip
def test_a_template_knows_what_it_reads(source, paths, required, steps):
    template = Template.parse({"x": [source]})
    assert {".".join(path) for path in template.paths} == paths
    assert {".".join(path) for path in template.required_paths} == required
    assert template.result_steps == steps


def test_explain_shows_the_value_at_each_path_and_what_is_missing():
    template = Template.parse(["{{ event.data.code }}", "{{ event.data.x }}"])
    assert template.explain(SCOPE) == [("event.data.code", "007"), ("event.data.x", "missing")]


def test_equal_texts_share_one_compiled_text_within_a_compiler():
    compiler = TemplateCompiler()
    first, second = compiler.parse({"a": "{{ now }}"}), compiler.parse({"b": "{{ now }}"}, where="elsewhere")
    assert first.part.parts[0][1].text is second.part.parts[0][1].text
    assert (first.render(SCOPE), second.render(SCOPE)) == ({"a": SCOPE["now"]}, {"b": SCOPE["now"]})


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ("{{ evnt.x }}", "unknown name 'evnt' (in '{{ evnt.x }}')", "did you mean 'event'?"),
        ("{{ event.x | uper }}", "unknown filter 'uper' (in '{{ event.x | uper }}')", "did you mean 'upper'?"),
        ("{{ event.x.upper() }}", "'upper' cannot be called in a template (in '{{ event.x.upper() }}')",
         "write it as a filter: {{ value | upper }}"),
        ("Hi\n{{ event.x", "unexpected end of template, expected 'end of print statement'. (line 2)"
         " (in 'Hi\\n{{ event.x')", "every {{ needs its }}"),
    ],
)  # fmt: skip
def test_a_refused_template_names_the_word_and_a_remedy(source, message, hint):
    with pytest.raises(TemplateError) as caught:
        Template.parse({"a": source}, where="parameters")
    assert (caught.value.message, caught.value.where, caught.value.hint) == (message, "parameters.a", hint)


REFUSED = [
    # attributes and what hides behind them
    "{{ event.__class__ }}", "{{ ''.__class__.__mro__ }}", "{{ event.data.__init__.__globals__ }}",
    "{{ ().__class__.__base__.__subclasses__() }}", "{{ event | attr('__class__') }}", "{{ event._x }}",
    "{{ event.data.items | map(attribute='__class__') | list }}", "{{ [1] | map('upper') }}",
    "{{ event.data.items() }}",
    "{{ event.data | selectattr('x') }}", "{{ event.data | groupby('x') }}", "{{ [1] | select('odd') }}",
    "{{ [1] | sum(attribute='__class__') }}", "{{ [1] | sort(attribute='x') }}", "{{ [1] | unique(attribute='x') }}",
    "{{ [1] | join(',', attribute='x') }}", "{{ [1] | min(attribute='x') }}", "{{ event | xmlattr }}",
    "{{ 1 | pprint }}",
    # calls
    "{{ range(999999999) }}", "{{ lipsum(n=9999) }}", "{{ cycler('a') }}", "{{ joiner() }}", "{{ namespace(a=1) }}",
    "{{ dict(a=1) }}", "{{ event() }}", "{{ event.data.get() }}", "{{ event.data.get('a', 'b', 'c') }}",
    "{{ event.data.get(key='a') }}", "{{ event.data.get(*['a']) }}", "{{ event.data.get(**{}) }}", "{{ ('a')() }}",
    "{{ '{0.__class__}'.format(event) }}", "{{ '{a}'.format_map(event) }}", "{{ '%s' | format(event) }}",
    "{{ event.parse_raw('x', proto='pickle', allow_pickle=true) }}", "{{ event.data.pop('a') }}",
    "{{ event.data.update({}) }}", "{{ event.data['get']('a') }}", "{{ super() }}",
    "{{ self._TemplateReference__context }}",
    "{{ 'x' | default(*[1]) }}", "{{ 'x' | upper(1) }}", "{{ 'x' | replace('a') }}",
    "{{ 'x' | date('%Y', format='%Y') }}",
    # names
    "{{ self }}", "{{ caller }}", "{{ varargs }}", "{{ kwargs }}", "{{ loop }}", "{{ loop.index }}", "{{ config }}",
    "{{ request }}", "{{ environment }}", "{{ context }}", "{{ missing }}", "{{ resolve }}", "{{ __builtins__ }}",
    "{% for i in [1] %}{{ loop }}{% endfor %}", "{% for i in [1] %}{{ loop.__class__ }}{% endfor %}",
    "{% for i in [1] %}{{ loop.cycle('a') }}{% endfor %}", "{% for i in [1] %}{{ loop([2]) }}{% endfor %}",
    "{% for i in [1] %}{{ loop.nextitem }}{% endfor %}", "{% for event in [1] %}{% endfor %}",
    "{% for loop in [1] %}{% endfor %}", "{% for _x in [1] %}{% endfor %}", "{% for a, (b, c) in [1] %}{% endfor %}",
    # statements
    "{% set a = 1 %}", "{% set a %}x{% endset %}", "{% macro m() %}{{ m() }}{% endmacro %}", "{% do event %}",
    "{% call event() %}{% endcall %}", "{% include 'x' %}", "{% import 'x' as y %}", "{% from 'x' import y %}",
    "{% extends 'x' %}", "{% block a %}{% endblock %}", "{% filter upper %}x{% endfilter %}",
    "{% with a=1 %}{% endwith %}",
    "{% autoescape true %}{% endautoescape %}", "{% trans %}x{% endtrans %}", "{% debug %}", "{% break %}", "{% x %}",
    "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{% for a in [1] %}{% for b in [1] %}{% for c in [1] %}{% endfor %}{% endfor %}{% endfor %}",
    # filters and tests that are not in the language
    "{{ 'a' | center(400000000) }}", "{{ 'a' | wordwrap(1) }}", "{{ [1] | batch(400000000, 1) | list }}",
    "{{ [1] | slice(400000000) | list }}", "{{ 'a' | urlize }}", "{{ 'a' | safe }}", "{{ 'a' | escape }}",
    "{{ 'a' | filesizeformat }}", "{{ [1] | random }}", "{{ 'a' | striptags }}", "{{ 1 is divisibleby 0 }}",
    "{{ 1 is sameas 1 }}", "{{ event is callable }}", "{{ 'a' is filter }}", "{{ 'a' is test }}", "{{ 1 is odd }}",
    "{{ 'a' | aie.get('b') }}", "{{ {'a': 1} | tojson(indent=400000000) }}",
    # numbers, shapes, sources
    "{{ 2 ** 9 }}", "{{ 9223372036854775808 }}", "{{ " + "9" * 60_000 + " }}", "{{ 1e999 }}",
    "{{ 0x" + "f" * 99 + " }}",
    "{{ " + "(" * 900 + "1" + ")" * 900 + " }}", "{{ " + "not " * 900 + "1 }}", "{{ " + "-" * 900 + "1 }}",
    "{{ event" + ".a" * 900 + " }}", "{{ event" + ".get('a')" * 300 + " }}", "{{ " + "[" * 60 + "]" * 60 + " }}",
    "{{ 1 }}" * 501, "{{ " + "1+" * 600 + "1 }}", "{% if 1 %}" * 60 + "{% endif %}" * 60, "{{ [" + "1," * 501 + "] }}",
    "{{ 1 }}" + "x" * 70_000, "{{ '\0' }}", "{{ '\ud800' }}", "{{", "{{ }}", "{{ 1", "{% if", "{{ 1 }} {% endif %}",
    "{{ 1 | }}", "{{ $ }}", "{{ 1 2 }}",
]  # fmt: skip

BOUNDED = [
    "{% if false %}{{ 'a' * 400000000 }}{% endif %}", "{{ 'a' * 400000000 }}", "{{ [0] * 400000000 }}",
    "{{ '%400000000d' % 1 }}", "{{ '%s' % event }}", "{{ 'a' | indent(400000000) }}", "{{ 5 | round(-400000000) }}",
    "{{ now | plus(9999999999) }}", "{{ now | plus(0, 999999, -999999) }}",
    "{{ event.data.text | plus(1) }}", "{{ 5.5 | round(400000000) }}", "{{ 5.5 | round(-400000000, 'ceil') }}",
    "{{ now | date('%999999999d') }}",
    "{{ now | date('%E') }}", "{{ 9223372036854775807 * 9223372036854775807 * 9223372036854775807 }}",
    "{{ 1e308 * 10 }}",
    "{{ 9223372036854775807 + 1 }}", "{{ 1 / 0 }}", "{{ 1 % 0 }}", "{{ 1e308 | money }}", "{{ 1e308 | int }}",
    "{{ ('9' ~ event.data.text) | int }}", "{{ event.data.text | replace('', event.data.text) }}",
    "{{ event.data.text | replace('a', 'b' ~ 'c') }}", "{{ event.data.many | join(event.data.text) }}",
    "{{ event.data.text ~ event.data.text }}", "{{ event.data.text + event.data.text }}", "x{{ event.data.text }}",
    "{% for i in event.data.many %}{% endfor %}", "{% for i in event.data.text %}{% endfor %}",
    "{% for a in event.data.some %}{% for b in event.data.some %}{% endfor %}{% endfor %}",
    "{% for a in event.data.some %}{{ event.data.text | upper }}{% endfor %}",
    "{% for a in event.data.some %}{% if event.data.text | upper == 'x' %}{% endif %}{% endfor %}",
    "{% for a in event.data.some %}{% if event.data.many == event.data.more %}{% endif %}{% endfor %}",
    "{% for a in event.data.some %}{% if event.data.many in [event.data.more] %}{% endif %}{% endfor %}",
    "{% for a in event.data.some %}{% if event.data.many | sort %}{% endif %}{% endfor %}",
    "{% for a in event.data.some %}{% if event.data.many | unique %}{% endif %}{% endfor %}",
    "{% for a in event.data.some %}{% if event.data.many[1:] %}{% endif %}{% endfor %}",
    "{% for a in event.data.some %}{% if event.data.many | tojson %}{% endif %}{% endfor %}",
    "{% for a in event.data.some %}{{ event.data.many }}{% endfor %}", "{{ event.data.many | tojson | indent(40) }}",
    "{{ [event.data.many, event.data.many, event.data.many, event.data.many] }}", "{{ event.data.text[::0] }}",
    "{{ event.data.many['x':] }}", "{{ {1: 2} }}", "{{ {event: 1} }}", "{{ event['__class__'] }}",
    "{{ ''['__class__'] }}",
    "{{ event['data']['get'] }}", "{{ event.get }}", "{{ event.data.text | truncate(-5) }}", "{{ event < event }}",
    "{{ event.data.deep | string | indent(40, true) }}", "{{ -event }}", "{{ 'a' | first | last }}", "{{ [] | first }}",
]  # fmt: skip


def hostile_scope():
    deep: object = 1
    for _ in range(40):
        deep = [deep]
    data = {"many": [1] * 30_000, "more": [1] * 30_000, "some": [1] * 1_000, "text": "a b" * 150_000, "deep": deep}
    event = check_json({"data": data}, max_bytes=2 * MAX_BYTES)
    return {"event": event, "results": {}, "workflow": {}, "run": {}, "now": SCOPE["now"]}


@pytest.mark.parametrize("source", REFUSED)
def test_a_hostile_template_is_refused_when_it_is_loaded(source):
    with pytest.raises(TemplateError):
        Template.parse(source)


@pytest.mark.parametrize("source", BOUNDED)
def test_a_costly_template_ends_in_data_or_a_template_error(source):
    scope = hostile_scope()
    try:
        answer = Template.parse(source).render(scope)
        assert len(json.dumps(answer)) < 2 * MAX_BYTES
        assert "built-in" not in str(answer)
    except TemplateError as error:
        assert error.message
    assert scope == hostile_scope()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{% for i in event.data.many %}{% endfor %}", "the loops of this template take more than 10000 rounds"),
        (["{% for i in event.data.some %}{% endfor %}"] * 11, "the loops of this template take more than 10000 rounds"),
        ("x{{ event.data.text }}", "the texts would be longer than 262144 characters"),
        (["x{{ now * 1 }}"], "cannot use \\* with text and a number"),
        ("{{ event.data.text ~ 'x' }}", "the text would be longer than 262144 characters"),
        ("{% for a in event.data.some %}{% if event.data.many == event.data.more %}{% endif %}{% endfor %}",
         "this would take too much work"),
        ("{{ 9223372036854775807 + 1 }}", "the value is an integer beyond 64 bits"),
    ],
)  # fmt: skip
def test_each_limit_is_an_error_that_names_itself(source, reason):
    with pytest.raises(TemplateError, match=reason):
        Template.parse(source).render(hostile_scope())


def test_the_whole_hostile_table_fits_in_little_memory_and_processor_time():
    script = """
        import resource, sys
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
        from test_templates import BOUNDED, REFUSED, Template, TemplateError, hostile_scope
        scope = hostile_scope()
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 200_000_000, used + 200_000_000))
        for source in REFUSED + BOUNDED:
            try:
                Template.parse(source).render(scope)
            except TemplateError as error:
                assert "MemoryError" not in error.message, (source, error.message)
        print("done")
    """
    environment = {"PYTHONPATH": ":".join([str(Path(__file__).parent), *sys.path]), "PATH": ""}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout) == (0, "done\n"), answer.stderr
