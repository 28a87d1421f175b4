"""The test that a condition begins with: where it is false, the whole condition is false, and nothing else is asked."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aie.condition_closures import NOT_CONSTANT, constant_of
from aie.condition_evaluator import COMPARISONS
from aie.plain import Json

_MIRRORED: Mapping[str, str] = MappingProxyType({"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="})
_SCALARS = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class Lead:
    """``subject symbol constant``; the subject is a chain of look-ups in the event, and of methods of texts."""

    subject: str  # as it is written
    symbol: str  # one of in < <= > >=
    constants: tuple[Json, ...]  # for "in" any number of scalars, else one number


def lead_of(tree: ast.expr, source: str) -> Lead | None:
    """The lead of the condition that ``source`` and its tree are; None if it begins in another way."""
    while isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        tree = tree.values[0]
    if not isinstance(tree, ast.Compare):
        return None
    # Of a chain such as 0 < x < 5 the first test decides in the same way.
    subject, symbol, other = tree.left, COMPARISONS[type(tree.ops[0])], tree.comparators[0]
    if isinstance(subject, ast.Constant) and symbol in _MIRRORED:
        subject, symbol, other = other, _MIRRORED[symbol], subject
    constant = constant_of(other)
    text = ast.get_source_segment(source, subject)
    if text is None or not _is_chain_in_the_event(subject):
        return None
    if symbol == "==" and isinstance(constant, _SCALARS):
        constants: tuple[Json, ...] = (constant,)
        symbol = "in"
    elif symbol == "in" and isinstance(constant, list | tuple | set):
        constants = tuple(dict.fromkeys(constant))
    elif symbol in _MIRRORED and isinstance(constant, int | float):
        constants = (constant,)
    else:
        return None
    return Lead(sys.intern(text), symbol, constants)


def _is_chain_in_the_event(node: ast.expr) -> bool:
    while not isinstance(node, ast.Name):
        match node:
            case ast.Attribute(value=value):
                node = value
            case ast.Subscript(value=value, slice=key) if _is_constant(key):
                node = value
            case ast.Call(func=ast.Attribute(value=value), args=arguments) if all(map(_is_constant, arguments)):
                node = value
            case _:
                return False
    return node.id == "event"


def _is_constant(node: ast.expr) -> bool:
    return constant_of(node) is not NOT_CONSTANT
