"""The tests that a condition begins with: where one is false, all of it is false, and nothing else is asked."""

from __future__ import annotations

import ast
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from aie.condition_closures import NOT_CONSTANT, constant_of
from aie.condition_evaluator import COMPARISONS
from aie.plain import Json

_MIRRORED: Mapping[str, str] = MappingProxyType({"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="})
_SCALARS = (str, int, float, bool, type(None))

Limit = tuple[float, int]
"""A number, and -1 for just below it, 0 for itself, 1 for just above it."""

_Test = tuple[ast.expr, str, ast.expr]


@dataclass(frozen=True, slots=True)
class Lead:
    """What the subject must be: one of some scalars, or a number from ``low`` to ``high``, both included.

    The subject is a chain of look-ups in the event, and of methods of texts.
    """

    subject: str  # as it is written
    among: tuple[Json, ...] | None = None  # None for a range
    low: Limit = (-math.inf, 0)
    high: Limit = (math.inf, 0)


def lead_of(tree: ast.expr, source: str) -> Lead | None:
    """The lead of the condition that ``source`` and its tree are; None if it begins in another way."""
    lead: Lead | None = None
    for test in _first_tests(tree):
        another = _lead(*test, source)
        if lead is None:
            lead = another
            if lead is None or lead.among is not None:
                break
        elif another is None or another.subject != lead.subject or another.among is not None:
            break
        else:
            lead = replace(lead, low=max(lead.low, another.low), high=min(lead.high, another.high))
    return lead


def _first_tests(tree: ast.expr) -> Iterator[_Test]:
    """The comparisons at the beginning, all of which must be true; a chain such as 0 < x < 5 is two of them."""
    for asked in _asked_in_turn(tree):
        if not isinstance(asked, ast.Compare):
            return
        sides = [asked.left, *asked.comparators]
        for left, operation, right in zip(sides, asked.ops, asked.comparators, strict=False):
            yield left, COMPARISONS[type(operation)], right


def _asked_in_turn(tree: ast.expr) -> Iterator[ast.expr]:
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        for value in tree.values:
            yield from _asked_in_turn(value)
    else:
        yield tree


def _lead(subject: ast.expr, symbol: str, other: ast.expr, source: str) -> Lead | None:
    if isinstance(constant_of(subject), _SCALARS) and symbol in _MIRRORED:
        subject, symbol, other = other, _MIRRORED[symbol], subject
    if not _is_chain_in_the_event(subject):
        return None
    text, constant = sys.intern(ast.get_source_segment(source, subject) or ""), constant_of(other)
    if symbol == "==" and isinstance(constant, _SCALARS):
        return Lead(text, (constant,))
    if symbol == "in" and isinstance(constant, list | tuple | set):
        return Lead(text, tuple(dict.fromkeys(constant)))
    if symbol not in _MIRRORED or not isinstance(constant, int | float):
        return None
    if symbol in (">", ">="):
        return Lead(text, low=(constant, 1 if symbol == ">" else 0))
    return Lead(text, high=(constant, -1 if symbol == "<" else 0))


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
