"""The test that a condition begins with: where it is false, the whole condition is false, and nothing else is asked."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aie.condition_closures import UnsureError, constant_of
from aie.condition_evaluator import COMPARISONS
from aie.plain import Json

_MIRRORED: Mapping[str, str] = MappingProxyType({"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="})
_SCALARS = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class Lead:
    """``subject symbol constant``; the subject is an expression in the event alone."""

    subject: str
    symbol: str  # one of in < <= > >=
    constants: tuple[Json, ...]  # for "in" any number of scalars, else one number


def lead_of(tree: ast.expr) -> Lead | None:
    """None for a condition that begins in another way."""
    while isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        tree = tree.values[0]
    if not isinstance(tree, ast.Compare):
        return None
    # Of a chain such as 0 < x < 5 the first test decides in the same way.
    subject, symbol, other = tree.left, COMPARISONS[type(tree.ops[0])], tree.comparators[0]
    if isinstance(subject, ast.Constant) and symbol in _MIRRORED:
        subject, symbol, other = other, _MIRRORED[symbol], subject
    try:
        constant = constant_of(other)
    except UnsureError:
        return None
    if not _is_about_the_event(subject):
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
    return Lead(sys.intern(ast.unparse(subject)), symbol, constants)


def _is_about_the_event(node: ast.expr) -> bool:
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return names == {"event"}
