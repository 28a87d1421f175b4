"""Domains: which records a search finds."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
}
OPERATORS = {"=", "!=", "in", "not in", "like", "ilike", "=ilike", "=like", *COMPARE}


def matches(domain: list[Any], value_of: Callable[[str], Any], *, whole_seconds: bool) -> bool:
    """Polish notation, with ``&`` implied between what stands side by side."""
    rest = list(domain)
    results = []
    while rest:
        results.append(_term(rest, value_of, whole_seconds))
    return all(results)


def _term(rest: list[Any], value_of: Callable[[str], Any], whole_seconds: bool) -> bool:
    head = rest.pop(0)
    if head in ("&", "|"):
        one, other = _term(rest, value_of, whole_seconds), _term(rest, value_of, whole_seconds)
        return (one and other) if head == "&" else (one or other)
    if head == "!":
        return not _term(rest, value_of, whole_seconds)
    name, operator, wanted = head
    return _holds(value_of(name), operator, wanted, whole_seconds)


def _holds(value: Any, operator: str, wanted: Any, whole_seconds: bool) -> bool:
    if isinstance(value, dt.datetime):
        wanted = dt.datetime.fromisoformat(wanted)
        value = value.replace(microsecond=0) if whole_seconds else value
    if operator == "=":
        return value == wanted or (wanted is False and value in (False, None, ""))
    if operator == "!=":
        return not _holds(value, "=", wanted, whole_seconds)
    if operator == "in":
        return value in wanted or (isinstance(value, list) and bool(set(value) & set(wanted)))
    if operator == "not in":
        return value not in wanted
    if operator in COMPARE:
        return value not in (False, None, "") and COMPARE[operator](value, wanted)
    if value in (False, None):
        return False
    pattern = _pattern(wanted)
    flags = re.DOTALL | (re.IGNORECASE if operator in ("ilike", "=ilike") else 0)
    if operator in ("like", "ilike"):
        return re.search(pattern, value, flags) is not None
    return re.fullmatch(pattern, value, flags) is not None


def _pattern(text: str) -> str:
    """An SQL pattern as a regular expression: ``%`` and ``_`` stand for others, a backslash takes that away."""
    pieces = re.findall(r"\\.|.", text, re.DOTALL)
    stand_for = {"%": ".*", "_": "."}
    return "".join(stand_for.get(piece) or re.escape(piece[-1]) for piece in pieces)
