"""The index: which workflows an event may start, found without asking each of them. Pure, as matching is.

Conditions that begin with an equality or a range test on the same part of the event are answered together: that part is
looked up once. Who is left out would have said "its condition is false"; who is named is asked as always.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from aie.condition_check import tree_of
from aie.condition_closures import closure_of
from aie.condition_lead import Lead
from aie.plain import Json
from aie.workflow import Workflow

_TOO_FEW = 4  # for these it is quicker to ask each

Position = int
Number = int | float


class Index:
    """An index over workflows, which stay in the order they are given in."""

    def __init__(self, workflows: Sequence[Workflow]) -> None:
        self.workflows = tuple(workflows)
        by_subject: dict[str, list[tuple[Position, Lead]]] = {}
        others: list[Position] = []
        for position, workflow in enumerate(self.workflows):
            lead = workflow.condition.lead if workflow.condition is not None else None
            if lead is None:
                others.append(position)
            else:
                by_subject.setdefault(lead.subject, []).append((position, lead))
        self._subjects: list[_Subject] = []
        for text, leads in by_subject.items():
            if len(leads) < _TOO_FEW:
                others += [position for position, _ in leads]
            else:
                self._subjects.append(_Subject(text, leads))
        self._others = others

    def candidates(self, event: Mapping[str, Json]) -> Sequence[Workflow]:
        """All that may start, or whose condition may fail; every other one's is false."""
        if not self._subjects:
            return self.workflows
        scope: dict[str, Json] = {"event": dict(event)}
        positions = chain(self._others, *(subject.positions(scope) for subject in self._subjects))
        return [self.workflows[position] for position in sorted(positions)]


class _Subject:
    """One part of events, and all tests of it that conditions begin with."""

    def __init__(self, text: str, leads: Sequence[tuple[Position, Lead]]) -> None:
        self._value = closure_of(tree_of(f"({text})"))  # in parentheses it may go over several lines
        self._everyone = [position for position, _ in leads]
        self._equal: dict[Json, list[Position]] = {}
        self._ranges: list[_Range] = []
        for position, lead in leads:
            if lead.symbol == "in":
                for constant in lead.constants:
                    self._equal.setdefault(constant, []).append(position)
        for symbol in ("<", "<=", ">", ">="):
            limits = [
                (limit, position)
                for position, lead in leads
                for limit in lead.constants
                if lead.symbol == symbol and isinstance(limit, int | float)
            ]
            if limits:
                self._ranges.append(_Range(symbol, limits))

    def positions(self, scope: Mapping[str, Json]) -> Iterable[Position]:
        """Those whose test is true; all of them where that cannot be told, so that each says what is wrong."""
        if self._value is None:
            return self._everyone
        try:
            value = self._value(scope)
            return chain(self._equal.get(value, ()), *(each.positions(value) for each in self._ranges))
        except Exception:  # the closure is not sure, or this is nothing to look up or to put in order
            return self._everyone


class _Range:
    """Tests of one kind against many limits: the true ones are those up to a certain limit, or from it on."""

    def __init__(self, symbol: str, limits: list[tuple[Number, Position]]) -> None:
        limits.sort()
        self._limits = [limit for limit, _ in limits]
        self._positions = [position for _, position in limits]
        self._true_below = symbol in (">", ">=")  # value > limit is true of the limits below the value
        self._cut = bisect_left if symbol in (">", "<=") else bisect_right

    def positions(self, value: Number) -> list[Position]:
        cut = self._cut(self._limits, value)
        return self._positions[:cut] if self._true_below else self._positions[cut:]
