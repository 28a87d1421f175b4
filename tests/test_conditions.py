"""Conditions: what they mean, what is refused, and that nothing hostile gets through or costs much."""

from __future__ import annotations

import copy
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aie.conditions import Condition
from aie.errors import ConditionError
from aie.plain import MAX_BYTES, check_json

DATA = {
    "amount": 600,
    "subject": "URGENT: team meeting",
    "customer_email": "ada@example.com",
    "event_type": "linkedin_post",
    "trigger_time": "08:00",
    "nothing": None,
    "items": [{"name": "Lamp", "price": 3}, {"name": "Desk", "price": 4.5}],
    "tags": ["vip", "new"],
}
SCOPE = {
    "event": {"event_type": "invoice_created", "source": "odoo", "data": DATA},
    "results": {"action_0": {"status": "success"}},
    "workflow": {"workflow_id": "w"},
    "run": {"run_id": "r"},
}
EMPTY = {"event": {"data": {}}, "results": {}, "workflow": {}, "run": {}}


# The conditions of the shipped workflows, each with its answer for matching data and for none.
@pytest.mark.parametrize(
    ("source", "matching", "empty"),
    [
        ("event['data'].get('amount', 0) > 500", True, False),
        ("event['data'].get('amount', 0) > 100", True, False),
        ("event['data'].get('amount', 0) > 1000", False, False),
        ("event['data'].get('amount', 0) <= 1000", True, True),
        ("'urgent' in event['data'].get('subject', '').lower()", True, False),
        ("event['data'].get('customer_email') is not None", True, False),
        ("results.get('action_0', {}).get('status') == 'success'", True, False),
        (
            "'meeting' in event['data'].get('subject', '').lower()"
            " or 'appointment' in event['data'].get('subject', '').lower()",
            True,
            False,
        ),
        ("event['data'].get('event_type') == 'linkedin_post'", True, False),
        ("event['data'].get('trigger_time') == '08:00'", True, False),
    ],
)
def test_the_shipped_conditions_mean_what_python_means(source, matching, empty):
    condition = Condition.parse(source)
    assert (condition.evaluate(SCOPE), condition.evaluate(EMPTY)) == (matching, empty)
    for scope, answer in ((SCOPE, matching), (EMPTY, empty)):
        assert bool(eval(source, {}, copy.deepcopy(scope))) is answer


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("event.data.amount > 500", True),
        ("  event.data.amount > 500\n", True),
        ("event.data.items[0].price == 3", True),
        ("event.data.items[-1]['name'] == 'Desk'", True),
        ("len(event.data.items) == 2 and len(event.data.items()) == 8", True),
        ("len(event.data.items()) == len(event.data.keys()) == len(event.data.values())", True),
        ("sum(i.price for i in event.data.items) == 7.5", True),
        ("any(i.price > 4 for i in event.data.items if i.name != 'Lamp')", True),
        ("all([i.price > 4 for i in event.data.items])", False),
        ("max(i.price for i in event.data.items) == 4.5 and min(1, 2) == 1", True),
        ("sorted(event.data.tags)[0] == 'new'", True),
        ("'vip' in event.data.tags and 'x' not in event.data.tags", True),
        ("event.data.subject[0:6] == 'URGENT'", True),
        ("event.data.subject.lower().startswith(('urgent', 'asap'))", True),
        ("event.data.customer_email.split('@')[1] == 'example.com'", True),
        ("event.data.subject.replace('URGENT: ', '').strip() == 'team meeting'", True),
        ("[k for k, v in event.data.items() if v is None] == ['nothing']", True),
        ("event.data.amount in {100, 600}", True),
        ("event.event_type in ('invoice_created', 'x')", True),
        ("'big' if event.data.amount > 10 else ''", True),
        ("-event.data.amount < 0 < event.data.amount", True),
        ("event.data.amount // 7 % 2 * 2.5 + 1 / 2 - 1 == 2.0", True),
        ("round(event.data.amount / 7, 2) == 85.71", True),
        ("int('7') + float('0.5') + abs(-1) == 8.5 and str(7) == '7' and bool(1)", True),
        ("event.data.nothing is None", True),
        ("not event.data.nothing", True),
        ("event.data.tags", True),
        ("event.data.nothing", False),
        ("False and event.data.no_such_thing", False),
        ("{'a': 1}.get('a') == 1 and (1, 2) == (1, 2) and [1] + [2] == [1, 2]", True),
        ("event.data.tags.count('vip') == 1", True),
        ("'action_0' in results and run.run_id == 'r'", True),
        ("weekday('2026-02-09') == 'monday' and weekday('2026-02-15T23:30:00+01:00') == 'sunday'", True),
        ("9 <= hour('2026-02-09T18:30:00Z') < 17", False),
        ("hour('2026-02-09') == 0", True),
        ("days_between('2026-02-09', '2026-03-11T08:00:00+01:00') == 30", True),
        ("days_between('2026-02-09T23:59', '2026-02-10T00:01') == 1", True),
        ("days_between('2026-02-09', '2026-02-01') < 0", True),
        ("[day for day in ['2026-02-14', '2026-02-16'] if weekday(day) not in ['saturday', 'sunday']]", True),
    ],
)
def test_a_condition_is_answered(source, answer):
    assert Condition.parse(source).evaluate(SCOPE) is answer


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        (
            "event.data.amuont > 5",
            "'event.data' has no 'amuont'; 'event.data' has: amount, subject, customer_email, event_type, "
            "trigger_time, nothing, items, tags (in 'event.data.amuont > 5')",
            "did you mean 'amount'?",
        ),
        ("run['x'] == 1", "'run' has no 'x'; 'run' has: run_id (in \"run['x'] == 1\")", ""),
        ("event.data.items[2]", "'event.data.items' has no item 2; it has 2 items (in 'event.data.items[2]')", ""),
        ("event.data.nothing > 5", "cannot compare nothing (null) with a number (>) (in 'event.data.nothing > 5')", ""),
        ("event.data.subject + 5", "cannot use + with text and a number (in 'event.data.subject + 5')", ""),
        ("1 / (event.data.amount - 600)", "division by zero (/) (in '1 / (event.data.amount - 600)')", ""),
        ("'a' in event.data.nothing", "cannot look for text in nothing (null) (in \"'a' in event.data.nothing\")", ""),
        (
            "event.data.nothing.lower()",
            "'event.data.nothing' is nothing (null), which has no lower() (in 'event.data.nothing.lower()')",
            "",
        ),
        (
            "weekday(event.data.nothing) == 'monday'",
            "weekday needs a time in ISO 8601 such as 2026-02-09T18:30:00, not None "
            "(in \"weekday(event.data.nothing) == 'monday'\")",
            "",
        ),
        (
            "days_between(event.data.subject, '2026-02-09') > 1",
            "'URGENT: team meeting' is not a time in ISO 8601 such as 2026-02-09T18:30:00 "
            "(in \"days_between(event.data.subject, '2026-02-09') > 1\")",
            "",
        ),
        (
            "event.data.subject.lower == 'x'",
            "'event.data.subject' is text, so it has no 'lower' (in \"event.data.subject.lower == 'x'\")",
            "lower is a method: write lower()",
        ),
    ],
)
def test_a_condition_that_errors_says_what_is_missing_or_wrong(source, message, hint):
    condition = Condition.parse(source, where="w.json, trigger_condition")
    with pytest.raises(ConditionError) as caught:
        condition.evaluate(SCOPE)
    error = caught.value
    assert (error.message, error.where, error.hint) == (message, "w.json, trigger_condition", hint)


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ("evnt.data", "unknown name 'evnt', at column 1 ('evnt.data')", "did you mean 'event'?"),
        ("  1 and tru", "unknown name 'tru', at column 7 ('tru')", "did you mean 'run'?"),
        ("event.data.paid == true", "unknown name 'true', at column 20 ('true')", "write True"),
        (
            "amount > 5",
            "unknown name 'amount', at column 1 ('amount > 5')",
            "these names are known: event, results, run, workflow; data of the event is event.data.amount",
        ),
        ("event.data.a.lowr()", "'lowr' cannot be called in a condition, at column 1 ('event.data.a.lowr()')",
         "did you mean 'lower'?"),
        ("event.data.a = 1", "not a condition: invalid syntax at column 14", "use == to compare"),
        ("event.data.a & 1", "& is not allowed in a condition, at column 1 ('event.data.a & 1')", "write 'and'"),
        ("", "the condition is empty", "leave it out, or write null"),
        ("event.data.a is 5", "'is' is only for None, True and False, at column 1 ('event.data.a is 5')",
         "use == or !="),
        ("{{ event.x }}", "'{{' does not belong in a condition",
         "a condition is not a template: write event.data.amount without braces"),
    ],
)  # fmt: skip
def test_a_refused_condition_names_the_word_the_column_and_a_remedy(source, message, hint):
    with pytest.raises(ConditionError) as caught:
        Condition.parse(source)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("source", "paths", "required", "steps"),
    [
        ("event.data.amount > 1", {"event.data.amount"}, {"event.data.amount"}, set()),
        ("event['data'].get('amount', 0) > 1", {"event.data.amount"}, set(), set()),
        (
            "event.data.get('x') and event.data.x.lower() == results.a.id",
            {"event.data.x", "results.a.id"},
            {"event.data.x", "results.a.id"},
            {"a"},
        ),
        ("results['b'].ok or results.get('c', {}).get('ok')", {"results.b.ok", "results.c.ok"}, {"results.b.ok"},
         {"b", "c"}),
        ("'a' in results", {"results.a"}, set(), {"a"}),
        ("results[event.data.step].ok", {"event.data.step", "results"}, {"event.data.step", "results"}, None),
        ("any(r.ok for r in results.values())", {"results"}, {"results"}, None),
        ("event.data.get('a', event.data.b) == 1", {"event.data.a", "event.data.b"}, {"event.data.b"}, set()),
        ("event.data.items[0].price > 1", {"event.data.items"}, {"event.data.items"}, set()),
    ],
)  # fmt: skip
def test_a_condition_knows_what_it_reads(source, paths, required, steps):
    condition = Condition.parse(source)
    assert {".".join(path) for path in condition.paths} == paths
    assert {".".join(path) for path in condition.required_paths} == required
    assert condition.result_steps == steps


def test_explain_shows_the_value_at_each_path_and_what_is_missing():
    condition = Condition.parse("event.data.amount > 5 and event.data.get('x') and results.z.ok")
    assert condition.explain(SCOPE) == [
        ("event.data.amount", 600),
        ("event.data.x", "missing"),
        ("results.z.ok", "missing"),
    ]


def test_the_names_in_scope_are_the_callers_choice():
    condition = Condition.parse("params.to == 'ada'", names=frozenset({"params"}))
    assert condition.evaluate({"params": {"to": "ada"}})
    with pytest.raises(ConditionError, match="unknown name 'params'"):
        Condition.parse("params.to == 'ada'")
    with pytest.raises(ConditionError, match="there is no 'params' here"):
        condition.evaluate(SCOPE)


REFUSED = [
    # attributes and what hides behind them
    "event.__class__", "event.data.__class__.__mro__", "().__class__.__bases__[0].__subclasses__()",
    "event._＿class__", "event.__ｃlass__", "event.data._secret", "''.__class__", "(1).__class__", "[].__len__()",
    "event.data.get.__self__", "event.data.get.__globals__", "[x.__class__ for x in [1]]", "event.func_globals()",
    "(lambda: 0).__globals__", "(x for x in [1]).gi_frame.f_back()", "event.mro()",
    # built-ins and calls
    "__import__('os').system('id')", "eval('1')", "exec('1')", "open('/etc/passwd')", "getattr(event, 'x')",
    "globals()", "locals()", "vars()", "dir()", "type(event)", "isinstance(1, int)", "compile('1', '', 'eval')",
    "breakpoint()", "input()", "print(1)", "range(10)", "list(event)", "dict(a=1)", "set([1])", "tuple([1])",
    "map(len, [1])", "rand()", "randint(5)", "pow(9, 9)", "chr(1)", "bytes(99999999)", "len", "[len][0]([1])",
    "(len if 1 else len)([1])", "event()", "event.data()()", "event.data['get']('x')", "help()", "exit()", "quit()",
    "event.parse_raw(b'x', proto='pickle', allow_pickle=True)", "event.model_validate_json('{}')",
    "event.parse_file('/etc/passwd')", "event.data.get(key='x')", "event.data.get(*['x'])", "event.data.get(**{})",
    "len()", "len(1, 2)", "event.data.get()", "'a'.replace('b')",
    # writing
    "event.data.update({'a': 1})", "event.data.pop('a')", "event.data.clear()", "event.data.setdefault('a', 1)",
    "event.data.tags.append(1)", "event.data.tags.sort()", "event.data.amount = 500", "a = 1", "x := 1", "(x := 1)",
    "del event", "import os", "event.data.amount += 1", "1; 2", "assert 1", "raise 1", "return 1", "pass",
    "for x in [1]: x", "def f(): 1", "[event for event in [1]]", "[len for len in [1]]", "[_x for _x in [1]]",
    # texts: formats, padding, bytes
    "'{0.__class__}'.format(event)", "'{a}'.format_map(event)", "f'{event}'", "f'{1:2000000000}'", "b'a'",
    "'a'.ljust(400000000)", "'a'.center(400000000)", "'a'.zfill(400000000)", "'a'.expandtabs(400000000)",
    "'a'.join([1])", "'a'.translate({})", "'a'.encode()", "(1).to_bytes(400000000, 'big')", "'a'.rjust(9)",
    # numbers
    "4000000**4000000 > 1", "2**2", "7**3999999 % 1000003", "1 << 9999", "1 >> 1", "1 | 1", "1 ^ 1", "~1", "1 @ 1",
    "9223372036854775808", "0x" + "f" * 200, "1e999", "1j", "...", "9" * 1900, "+1",
    # shapes
    "[a for a in [1] for b in [1]]", "{a for a in [1]}", "{a: a for a in [1]}",
    "[[[1 for c in b] for b in a] for a in [1]]",
    "[*event]", "{**event}", "lambda: 1", "await event", "(yield)", "1 is 1", "event is event",
    "[x async for x in event]",
    "[(a, (b, c)) for a, (b, c) in []]",
    # sources
    "", "   ", "(" * 500, "not " * 400 + "1", "-" * 1900 + "1", "1+" * 900 + "1",
    "event" + ".a" * 900, "event" + "[0]" * 600, "event" + ".get('a')" * 200, "[" * 40 + "]" * 40,
    "1 in [" + "0," * 300 + "]", "a" * 2001, "'" + "a" * 1001 + "'", "1\0", "'\0'", "'\ud800'", "'\\ud800'", "'\\d'",
    "'\\N{BULLET}'", "{{event.data}}", "'{{x}}' == 1", "{% if 1 %}", "1 if", "event.data.", "'abc", ")", "\\", "#",
]  # fmt: skip

# Allowed by the grammar: an answer or a refusal, each within the counted limits.
BOUNDED = [
    "(" * 90 + "1" + ")" * 90,
    "(9223372036854775807 * 9223372036854775807) * (9223372036854775807 * 9223372036854775807) > 1",
    "'a' * 400000000", "[0] * 400000000", "'%400000000d' % 1", "'%.400000000f' % 1.5", "'%s' % event",
    "round(5, -400000000)", "round(5.5, 400000000)", "int('9' * 99999)", "int(1e308) > 1", "float('nan') > 1",
    "float('inf') > 1", "1e308 * 10", "int(1e308 * 10)", "-(1e308) * 10 < 0", "1 % 0", "1 // 0", "1.0 / 0",
    "sum([[1], [2]])", "sum(['a', 'b'])", "[i for i in event.data.many if i in event.data.many]",
    "[event.data.many[:] for i in event.data.many]", "[[i for j in event.data.many] for i in event.data.many]",
    "[i for i in event.data.many if event.data.many == event.data.more]",
    "[i for i in event.data.many if sorted(event.data.many)]", "[i for i in event.data.many if max(event.data.many)]",
    "[i for i in event.data.many if event.data.text.lower() == 'x']",
    "[i for i in event.data.many if event.data.text.split()]", "[i for i in event.data.many if 'x' in event.data.text]",
    "[i for i in event.data.many if event.data.text.replace('a', 'b')]",
    "[i for i in event.data.many if str(event.data.many)]", "[i for i in event.data.many if event.data.many.count(1)]",
    "event.data.text.replace('a', event.data.text)", "event.data.text.replace('a', 'b' + 'c' * 1)",
    "event.data.text.replace('', 'bbbbbbbbbb')", "event.data.text.strip(event.data.text)",
    "event.data.text + event.data.text", "event.data.many + event.data.many", "event.data.text.split('')",
    "event.data.text.find(event.data.text)", "event.data.text.count('')", "event.data.many[::0]",
    "event.data.many['a']",
    "event.data.many[1:'a']", "event.data[[]]", "event.data[1:2]", "{[]: 1}", "{[], 1}", "[] in {1}",
    "{} in event.data",
    "[a for a, b in event.data.many]", "[a for a in event.data.text]", "[a for a in 5]", "any(5)", "len(5)", "abs('a')",
    "min([])", "max(1, 'a')", "sorted([1, 'a'])", "event.data.get([])", "-'a'", "event.data.many < event.data.more",
    "event.data.deep == event.data.deeper", "'a'.startswith(1)", "'a'.startswith(['a'])", "event < event", "1 < 'a'",
    "str(event.data.deep)", "(event.data.many, event.data.many) == (event.data.many, event.data.many)",
]  # fmt: skip


def hostile_scope():
    deep: object = 1
    for _ in range(40):
        deep = [deep]
    data = {"many": [1] * 30_000, "more": [1] * 30_000, "text": "a b" * 150_000, "deep": deep, "deeper": deep}
    return {"event": check_json({"data": data}, max_bytes=2 * MAX_BYTES), "results": {}, "workflow": {}, "run": {}}


@pytest.mark.parametrize("source", REFUSED)
def test_a_hostile_condition_is_refused_when_it_is_loaded(source):
    with pytest.raises(ConditionError):
        Condition.parse(source)


@pytest.mark.parametrize("value", [None, 5, True, b"1", ["1"], {"a": 1}])
def test_a_condition_is_text(value):
    with pytest.raises(ConditionError, match="a condition is text"):
        Condition.parse(value)


@pytest.mark.parametrize("source", BOUNDED)
def test_a_costly_condition_ends_in_an_answer_or_a_condition_error(source):
    scope = hostile_scope()
    try:
        assert Condition.parse(source).evaluate(scope) in (True, False)
    except ConditionError as error:
        assert error.message
    assert scope == hostile_scope()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("[i for i in event.data.many]", "the condition takes more than 20000 steps"),
        ("[1 for i in event.data.many if event.data.many == event.data.more]", "this would take too much work"),
        ("[1 for i in event.data.many if 'x' in event.data.text]", "this would take too much work"),
        ("event.data.text + 'x'", "the text would be longer than 10000 characters"),
        ("event.data.many + [1]", "the list would be longer than 1000 items"),
        ("9223372036854775807 * 9223372036854775807 * 9", "the number is larger than 128 bits"),
        ("event.data.text.replace('a', 'bb')", "the text would be longer than 10000 characters"),
        ("event.data.text.split('a')", "the text falls into more than 10000 parts"),
    ],
)
def test_each_limit_is_an_error_that_names_itself(source, reason):
    with pytest.raises(ConditionError, match=reason):
        Condition.parse(source).evaluate(hostile_scope())


def test_the_whole_hostile_table_fits_in_little_memory_and_processor_time():
    script = """
        import resource, sys
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
        from test_conditions import BOUNDED, REFUSED, Condition, ConditionError, hostile_scope
        scope = hostile_scope()
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 200_000_000, used + 200_000_000))
        for source in REFUSED + BOUNDED:
            try:
                Condition.parse(source).evaluate(scope)
            except ConditionError as error:
                assert "MemoryError" not in error.message, (source, error.message)
        print("done")
    """
    environment = {"PYTHONPATH": ":".join([__file__.rpartition("/")[0], *sys.path]), "PATH": ""}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout) == (0, "done\n"), answer.stderr


@given(st.text(max_size=60) | st.text("event.data[]()'\"+-*/%<>=!, 0123456789abcxyz_{}:\\\n", max_size=60))
def test_parsing_arbitrary_text_raises_nothing_but_condition_errors(source):
    with suppress(ConditionError):
        Condition.parse(source).evaluate(SCOPE)


def test_equal_sources_make_equal_conditions_and_evaluations_share_nothing():
    first, second = Condition.parse("event.data.amount > 1", where="a"), Condition.parse("event.data.amount > 1")
    assert first == second
    assert [first.evaluate(SCOPE) for _ in range(3)] == [True, True, True]


def test_one_condition_may_be_evaluated_by_several_threads_at_once():
    condition = Condition.parse("sum([i for i in event.data.many]) == event.data.total")
    scopes = [{"event": {"data": {"many": [number] * 20, "total": 20 * number}}} for number in range(500)]
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(condition.evaluate, scopes)) == {True}
