"""The index: which workflows an event may start, found without asking each of them. Pure, as matching is.

Conditions that begin with an equality test, or with tests that make a range, of the same part of the event are answered
together: that part is looked up once. Who is left out would have said "its condition is false"; who is named is asked
as always.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from aie.condition_check import tree_of
from aie.condition_closures import closure_of
from aie.condition_lead import Lead, Limit
from aie.plain import Json
from aie.workflow import Workflow

_TOO_FEW = 4  # for these it is quicker to ask each

Position = int
_Range = tuple[Limit, Limit, Position]


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
        ranges: list[_Range] = []
        for position, lead in leads:
            if lead.among is None:
                ranges.append((lead.low, max(lead.low, lead.high), position))  # one that no number is in says so itself
            else:
                for constant in lead.among:
                    self._equal.setdefault(constant, []).append(position)
        self._ranges = _Ranges.of(ranges)

    def positions(self, scope: Mapping[str, Json]) -> Iterable[Position]:
        """Those whose test is true; all of them where that cannot be told, so that each says what is wrong."""
        if self._value is None:
            return self._everyone
        try:
            value = self._value(scope)
            equal = self._equal.get(value, ())
            return equal if self._ranges is None else chain(equal, self._ranges.around(value))
        except Exception:  # the closure is not sure, or this is nothing to look up or to put in order
            return self._everyone


class _Ranges:
    """Ranges around a limit, and those wholly below and above it: an interval tree."""

    def __init__(self, middle: Limit, ranges: Sequence[_Range]) -> None:
        around = [each for each in ranges if each[0] <= middle <= each[1]]
        by_low, by_high = sorted(around), sorted(around, key=lambda each: each[1])
        self._middle = middle
        self._lows, self._from_low = [low for low, _, _ in by_low], [position for _, _, position in by_low]
        self._highs, self._to_high = [high for _, high, _ in by_high], [position for _, _, position in by_high]
        self._below = _Ranges.of([each for each in ranges if each[1] < middle])
        self._above = _Ranges.of([each for each in ranges if each[0] > middle])

    @classmethod
    def of(cls, ranges: Sequence[_Range]) -> _Ranges | None:
        if not ranges:
            return None
        limits = sorted(limit for low, high, _ in ranges for limit in (low, high) if math.isfinite(limit[0]))
        return cls(limits[len(limits) // 2] if limits else ranges[0][0], ranges)

    def around(self, value: Any) -> list[Position]:
        """Those that the value is in; it raises TypeError if it is no number."""
        limit, found = (value, 0), list[Position]()
        node: _Ranges | None = self
        while node is not None:
            if limit < node._middle:
                found += node._from_low[: bisect_right(node._lows, limit)]
                node = node._below
            else:
                found += node._to_high[bisect_left(node._highs, limit) :]
                node = node._above
        return found
