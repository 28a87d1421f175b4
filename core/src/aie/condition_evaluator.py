"""The second gate of the condition language: a counted evaluation that never touches an attribute of a value."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from simpleeval import EvalWithCompoundTypes  # type: ignore[import-untyped]

from aie.moments import days_between, hour, weekday
from aie.operations import (
    Budget,
    OperationError,
    absolute,
    argument,
    binary,
    compared,
    count_of,
    decimal_number,
    extreme,
    items_of,
    kind,
    missing_item,
    negative,
    ordered,
    replaced,
    rounded,
    sliced,
    total,
    whole_number,
)
from aie.plain import Json

MAX_STEPS = 20_000
MAX_TEXT = 10_000
MAX_ITEMS = 1_000
MAX_SPLIT = 10_000

# What a name or an index hands on, its function first, then the least and greatest number of arguments.
Callables = Mapping[str, tuple[Callable[..., Any], int, int]]


class Evaluator(EvalWithCompoundTypes):  # type: ignore[misc]
    """Evaluates one checked tree once, over plain data. Nothing is shared between evaluations."""

    def __init__(self, scope: Mapping[str, Json]) -> None:
        # Not super().__init__(): it builds tables of operators and functions that this language does not have.
        self.names: dict[str, Any] = dict(scope)
        self.nodes = None
        self.budget = Budget(max_text=MAX_TEXT, max_items=MAX_ITEMS)
        self.steps = 0

    def _eval(self, node: ast.AST) -> Any:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise OperationError(f"the condition takes more than {MAX_STEPS} steps")
        return _HANDLERS[type(node)](self, node)

    def _eval_constant(self, node: ast.Constant) -> Any:
        return node.value

    def _eval_name(self, node: ast.Name) -> Any:
        try:
            return self.names[node.id]
        except KeyError:
            raise OperationError(f"there is no {node.id!r} here") from None

    def _eval_attribute(self, node: ast.Attribute) -> Any:
        value = self._eval(node.value)
        if type(value) is dict and node.attr in value:
            return value[node.attr]
        error = missing_item(written(node.value), value, node.attr)
        if any(node.attr in table for table in METHODS.values()):
            error.hint = f"{node.attr} is a method: write {node.attr}()"
        raise error

    def _eval_subscript(self, node: ast.Subscript) -> Any:
        value, key = self._eval(node.value), self._eval(node.slice)
        if type(key) is slice:
            return sliced(self.budget, value, key)
        if type(value) is dict:
            if type(key) is str and key in value:
                return value[key]
        elif type(value) in (list, tuple, str) and type(key) is int and -len(value) <= key < len(value):
            return value[key]
        raise missing_item(written(node.value), value, key if type(key) in (str, int) else kind(key))

    def _eval_call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Name):
            function = FUNCTIONS[node.func.id][0]
            return function(self.budget, *[self._eval(each) for each in node.args])
        assert isinstance(node.func, ast.Attribute)
        value, name = self._eval(node.func.value), node.func.attr
        found = METHODS.get(type(value), {}).get(name)
        if found is None:
            raise OperationError(f"{written(node.func.value)!r} is {kind(value)}, which has no {name}()")
        arguments = [self._eval(each) for each in node.args]
        if not found[1] <= len(arguments) <= found[2]:
            raise OperationError(f"{name}() of {kind(value)} does not take {len(arguments)} arguments")
        return found[0](self.budget, value, *arguments)

    def _eval_unaryop(self, node: ast.UnaryOp) -> Any:
        value = self._eval(node.operand)
        return not value if isinstance(node.op, ast.Not) else negative(value)

    def _eval_binop(self, node: ast.BinOp) -> Any:
        return binary(self.budget, OPERATORS[type(node.op)], self._eval(node.left), self._eval(node.right))

    def _eval_compare(self, node: ast.Compare) -> bool:
        left = self._eval(node.left)
        for operation, comparator in zip(node.ops, node.comparators, strict=True):
            right = self._eval(comparator)
            if not compared(self.budget, COMPARISONS[type(operation)], left, right):
                return False
            left = right
        return True

    def _eval_comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> list[Any]:
        generator = node.generators[0]
        items = items_of(self.budget, self._eval(generator.iter))
        outer = self.names
        self.names = dict(outer)
        made: list[Any] = []
        try:
            for item in items:
                self._bind(generator.target, item)
                if all(self._eval(test) for test in generator.ifs):
                    made.append(self._eval(node.elt))
        finally:
            self.names = outer
        return made

    def _bind(self, target: ast.expr, item: Any) -> None:
        if isinstance(target, ast.Name):
            self.names[target.id] = item
            return
        assert isinstance(target, ast.Tuple)
        if type(item) not in (list, tuple) or len(item) != len(target.elts):
            raise OperationError(f"{kind(item)} does not fall into {len(target.elts)} loop variables")
        for name, part in zip(target.elts, item, strict=True):
            self._bind(name, part)


def written(node: ast.AST) -> str:
    """The source of a part of a condition, shortened, for messages."""
    text = ast.unparse(node)
    return text if len(text) <= 60 else text[:60] + "…"


def _text_of(budget: Budget, value: Any) -> str:
    budget.weigh(value)
    return str(value)


def _split(budget: Budget, text: str, separator: Any = None) -> list[str]:
    budget.spend_text(len(text))
    parts = text.split(None if separator is None else argument(separator), MAX_SPLIT)
    budget.spend(len(parts))
    if len(parts) > MAX_SPLIT:
        raise OperationError(f"the text falls into more than {MAX_SPLIT} parts")
    return parts


def _lines(budget: Budget, text: str) -> list[str]:
    budget.spend(len(text))
    return text.splitlines()


def _plain(method: Callable[[str], Any]) -> Callable[[Budget, str], Any]:
    """A method of text that reads it once and makes it at most a little longer."""

    def call(budget: Budget, text: str) -> Any:
        budget.spend_text(len(text))
        return method(text)

    return call


def _searching(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of text that takes another, shorter text."""

    def call(budget: Budget, text: str, *others: Any) -> Any:
        budget.spend_text(len(text))
        return method(text, *[argument(other) for other in others])

    return call


def _prefixed(method: Callable[[str, Any], bool]) -> Callable[[Budget, str, Any], bool]:
    """startswith and endswith, which also take several texts in parentheses."""

    def call(budget: Budget, text: str, wanted: Any) -> bool:
        several = items_of(budget, wanted) if type(wanted) is tuple else [wanted]
        return any(method(text, argument(each)) for each in several)

    return call


def _get(budget: Budget, value: dict[str, Any], key: Any, default: Any = None) -> Any:
    if type(key) is not str:
        raise OperationError(f"keys are text, not {kind(key)}")
    return value.get(key, default)


def _items(budget: Budget, value: dict[str, Any]) -> list[Any]:
    budget.spend(len(value) * 2)
    return [list(pair) for pair in value.items()]


def _values(budget: Budget, value: dict[str, Any]) -> list[Any]:
    budget.spend(len(value))
    return list(value.values())


def _count(budget: Budget, value: list[Any], item: Any) -> int:
    budget.weigh(value)
    return value.count(item)


def _extreme(choose: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda budget, *values: extreme(budget, choose, values[0] if len(values) == 1 else values)


FUNCTIONS: Callables = MappingProxyType(
    {
        "len": (lambda budget, value: count_of(value), 1, 1),
        "str": (_text_of, 1, 1),
        "int": (lambda budget, value: whole_number(value), 1, 1),
        "float": (lambda budget, value: decimal_number(value), 1, 1),
        "bool": (lambda budget, value: bool(value), 1, 1),
        "abs": (lambda budget, value: absolute(value), 1, 1),
        "round": (lambda budget, value, digits=None: rounded(value, digits), 1, 2),
        "min": (_extreme(min), 1, 20),
        "max": (_extreme(max), 1, 20),
        "sum": (total, 1, 1),
        "any": (lambda budget, value: any(items_of(budget, value)), 1, 1),
        "all": (lambda budget, value: all(items_of(budget, value)), 1, 1),
        "sorted": (ordered, 1, 1),
        "weekday": (lambda budget, value: weekday(value), 1, 1),
        "hour": (lambda budget, value: hour(value), 1, 1),
        "days_between": (lambda budget, earlier, later: days_between(earlier, later), 2, 2),
    }
)

_PLAIN_TEXT = (
    "lower",
    "upper",
    "title",
    "capitalize",
    "casefold",
    "isdigit",
    "isalpha",
    "isalnum",
    "isspace",
    "isupper",
)

_TEXT_METHODS: Callables = MappingProxyType(
    {name: (_plain(getattr(str, name)), 0, 0) for name in _PLAIN_TEXT}
    | {name: (_searching(getattr(str, name)), 0, 1) for name in ("strip", "lstrip", "rstrip")}
    | {name: (_searching(getattr(str, name)), 1, 1) for name in ("count", "find", "removeprefix", "removesuffix")}
    | {name: (_prefixed(getattr(str, name)), 1, 1) for name in ("startswith", "endswith")}
    | {"replace": (replaced, 2, 2), "split": (_split, 0, 1), "splitlines": (_lines, 0, 0)}
)

METHODS: Mapping[type, Callables] = MappingProxyType(
    {
        str: _TEXT_METHODS,
        dict: {"get": (_get, 1, 2), "keys": (items_of, 0, 0), "values": (_values, 0, 0), "items": (_items, 0, 0)},
        list: {"count": (_count, 1, 1)},
    }
)

OPERATORS: Mapping[type, str] = MappingProxyType(
    {
        ast.Add: "+",
        ast.Sub: "-",
        ast.Mult: "*",
        ast.Div: "/",
        ast.FloorDiv: "//",
        ast.Mod: "%",
        ast.USub: "-",
        ast.Not: "not",
    }
)
COMPARISONS: Mapping[type, str] = MappingProxyType(
    {
        ast.Eq: "==",
        ast.NotEq: "!=",
        ast.Lt: "<",
        ast.LtE: "<=",
        ast.Gt: ">",
        ast.GtE: ">=",
        ast.In: "in",
        ast.NotIn: "not in",
        ast.Is: "is",
        ast.IsNot: "is not",
    }
)
_HANDLERS: Mapping[type, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        ast.Constant: Evaluator._eval_constant,
        ast.Name: Evaluator._eval_name,
        ast.Attribute: Evaluator._eval_attribute,
        ast.Subscript: Evaluator._eval_subscript,
        ast.Slice: Evaluator._eval_slice,
        ast.Call: Evaluator._eval_call,
        ast.UnaryOp: Evaluator._eval_unaryop,
        ast.BinOp: Evaluator._eval_binop,
        ast.BoolOp: Evaluator._eval_boolop,
        ast.Compare: Evaluator._eval_compare,
        ast.IfExp: Evaluator._eval_ifexp,
        ast.List: Evaluator._eval_list,
        ast.Tuple: Evaluator._eval_tuple,
        ast.Dict: Evaluator._eval_dict,
        ast.Set: Evaluator._eval_set,
        ast.ListComp: Evaluator._eval_comprehension,
        ast.GeneratorExp: Evaluator._eval_comprehension,
    }
)
