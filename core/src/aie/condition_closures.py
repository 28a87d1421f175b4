"""Conditions as closures: the plain ones, answered without walking a tree.

A closure answers only what it is sure of. Whatever it meets beyond that (a missing key, a kind that does not fit, a
value large enough to need charging) makes it raise something, anything: the counted evaluator is then asked, and what
that says holds. So a closure is never wrong about an error, because it does not report any.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import reduce
from types import MappingProxyType
from typing import Any, Final

from aie.condition_evaluator import COMPARISONS, FUNCTIONS, MAX_ITEMS, MAX_TEXT, METHODS
from aie.operations import BARE_COMPARISONS, Budget
from aie.plain import Json

Closure = Callable[[Mapping[str, Json]], Any]

NOT_CONSTANT: Final = object()

# What one operation may read without being charged for. A condition has a few hundred parts at most, so that all of
# them together stay far below what an evaluation may cost.
SMALL_TEXT = 4_000
SMALL_LIST = 100
_SMALL_ITEM = 100

_SCALARS = frozenset({int, float, bool, type(None)})
_KINDS: Mapping[type, Callable[[list[Any]], Any]] = MappingProxyType({ast.List: list, ast.Tuple: tuple, ast.Set: set})
_UNCHARGED = frozenset({"len", "bool", "abs", "int", "float", "round", "weekday", "hour", "days_between"})


class UnsureError(Exception):
    """This is for the counted evaluator."""


def closure_of(tree: ast.expr) -> Closure | None:
    """A function that answers the checked tree or raises; None for what only the evaluator can do."""
    try:
        return _closure(tree)
    except UnsureError:
        return None


def constant_of(node: ast.expr) -> Any:
    """The value that is written there: a scalar, or a list of scalars; NOT_CONSTANT for anything else."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            items = [constant_of(part) for part in parts]
            if any(item is NOT_CONSTANT or _is_container(item) for item in items):
                return NOT_CONSTANT
            return _KINDS[type(node)](items)
        case ast.Dict(keys=[]):
            return {}
    return NOT_CONSTANT


def _is_container(value: object) -> bool:
    return isinstance(value, list | tuple | set | dict)


def _closure(node: ast.expr) -> Closure:
    constant = constant_of(node)
    if constant is not NOT_CONSTANT:
        return lambda scope: constant
    match node:
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return _look_up(node)
        case ast.Call(func=ast.Attribute(value=value, attr="get"), args=[ast.Constant(value=str(key)), *default]):
            return _get(_closure(value), key, default)
        case ast.Call(func=ast.Attribute(value=value, attr=name), args=arguments):
            return _method(_closure(value), name, [_closure(each) for each in arguments])
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in _UNCHARGED:
            return _function(name, [_closure(each) for each in arguments])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            asked = _closure(operand)
            return lambda scope: not asked(scope)
        case ast.BoolOp(op=op, values=values):
            return _all_or_any([_closure(value) for value in values], until=isinstance(op, ast.Or))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            asked, yes, no = _closure(test), _closure(body), _closure(orelse)
            return lambda scope: yes(scope) if asked(scope) else no(scope)
        case ast.Compare():
            return _compare(node)
    raise UnsureError


def _look_up(node: ast.expr) -> Closure:
    """Dots and indexes, all that follow one another at once."""
    keys: list[str | int] = []
    while not isinstance(node, ast.Name):
        match node:
            case ast.Attribute(value=value, attr=key):
                keys.append(key)
                node = value
            case ast.Subscript(value=value, slice=key_node):
                keys.append(_key(key_node))
                node = value
            case _:
                base, rest = _closure(node), tuple(reversed(keys))
                return lambda scope: reduce(operator.getitem, rest, base(scope))
    path = (node.id, *reversed(keys))
    return lambda scope: reduce(operator.getitem, path, scope)  # type: ignore[arg-type]


def _key(node: ast.expr) -> str | int:
    key = constant_of(node)
    if type(key) is str or type(key) is int:
        return key
    raise UnsureError


def _get(base: Closure, key: str, default: list[ast.expr]) -> Closure:
    get = dict.get
    substitute = constant_of(default[0]) if default else None
    if substitute is NOT_CONSTANT:
        raise UnsureError
    return lambda scope: get(base(scope), key, substitute)


def _method(base: Closure, name: str, arguments: list[Closure]) -> Closure:
    """A method of a text; those of lists and mappings are for the evaluator."""
    call, least, most = METHODS[str].get(name, (None, 0, 0))
    if call is None or not least <= len(arguments) <= most:
        raise UnsureError

    def called(scope: Mapping[str, Json]) -> Any:
        text = base(scope)
        if type(text) is not str or len(text) > SMALL_TEXT:
            raise UnsureError
        return call(Budget(max_text=MAX_TEXT, max_items=MAX_ITEMS), text, *[each(scope) for each in arguments])

    return called


def _function(name: str, arguments: list[Closure]) -> Closure:
    call = FUNCTIONS[name][0]
    return lambda scope: call(None, *[each(scope) for each in arguments])


def _all_or_any(asked: list[Closure], *, until: bool) -> Closure:
    """``and`` goes on until something is false, ``or`` until something is true; either gives the last value."""
    *firsts, last = asked

    def answer(scope: Mapping[str, Json]) -> Any:
        for each in firsts:
            value = each(scope)
            if bool(value) is until:
                return value
        return last(scope)

    return answer


def _compare(node: ast.Compare) -> Closure:
    sides = [node.left, *node.comparators]
    constants = [constant_of(side) for side in sides]
    tests = [
        _test(COMPARISONS[type(operation)], left, right)
        for operation, left, right in zip(node.ops, constants, constants[1:], strict=False)
    ]
    first, *others = [_closure(side) for side in sides]
    if len(tests) == 1:
        return _compare_two(tests[0], first, others[0], constants[1])

    def answer(scope: Mapping[str, Json]) -> bool:
        left = first(scope)
        for test, other in zip(tests, others, strict=True):
            right = other(scope)
            if not test(left, right):
                return False
            left = right
        return True

    return answer


def _compare_two(test: Callable[[Any, Any], bool], left: Closure, right: Closure, constant: Any) -> Closure:
    if constant is not NOT_CONSTANT:
        return lambda scope: test(left(scope), constant)
    return lambda scope: test(left(scope), right(scope))


def _test(symbol: str, left: Any, right: Any) -> Callable[[Any, Any], bool]:
    """The comparison itself, with a look at the values first unless a constant on one side makes that needless."""
    test = BARE_COMPARISONS[symbol]
    if symbol in ("in", "not in"):
        return _looking_through(test) if right is NOT_CONSTANT else test
    if _is_container(left) or _is_container(right):
        raise UnsureError
    # Against a scalar or a short text nothing is charged that counts, and what does not fit is a TypeError.
    return _between_scalars(test) if left is NOT_CONSTANT and right is NOT_CONSTANT else test


def _between_scalars(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compared(left: Any, right: Any) -> bool:
        for value in (left, right):
            if type(value) not in _SCALARS and not (type(value) is str and len(value) <= SMALL_TEXT):
                raise UnsureError
        return test(left, right)

    return compared


def _looking_through(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compared(left: Any, right: Any) -> bool:
        if type(right) is str:
            if len(right) > SMALL_TEXT:
                raise UnsureError
        elif type(right) is list:
            if len(right) > SMALL_LIST or not all(map(_is_small, right)):
                raise UnsureError
        elif type(right) is not dict:
            raise UnsureError
        return test(left, right)

    return compared


def _is_small(item: object) -> bool:
    return type(item) in _SCALARS or (type(item) is str and len(item) <= _SMALL_ITEM)
