"""The tables: medians with their spread, and the ratios beside what was promised."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Ratio:
    """One promise: a ratio, a sample per round, and what it must at least or at most be."""

    what: str
    samples: Sequence[float]
    at_least: float | None = None
    at_most: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def met(self) -> bool | None:
        """None where nothing was promised."""
        if self.at_least is not None:
            return self.median >= self.at_least
        return None if self.at_most is None else self.median <= self.at_most

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return f"≥ {number(self.at_least)}"
        return "" if self.at_most is None else f"≤ {number(self.at_most)}"

    def plain(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "median": self.median,
            "min": min(self.samples),
            "max": max(self.samples),
            "at_least": self.at_least,
            "at_most": self.at_most,
            "met": self.met,
        }


@dataclass(frozen=True)
class Table:
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """One part of the report; ``samples`` is all that was measured."""

    title: str
    tables: Sequence[Table] = ()
    ratios: Sequence[Ratio] = ()
    notes: Sequence[str] = ()
    samples: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "ratios": [ratio.plain() for ratio in self.ratios],
            "notes": list(self.notes),
            "samples": self.samples,
        }

    def lines(self) -> Iterable[str]:
        yield ""
        yield self.title
        yield "=" * len(self.title)
        for table in self.tables:
            yield from aligned(table)
            yield ""
        if self.ratios:
            yield from aligned(verdicts(self.ratios))
        yield from self.notes


def verdicts(ratios: Iterable[Ratio]) -> Table:
    words = {True: "met", False: "NOT MET", None: ""}
    rows = [(ratio.what, ratio.target, spread(ratio.samples), words[ratio.met]) for ratio in ratios]
    return Table(("ratio", "target", "median (min–max)", ""), rows)


def number(value: float) -> str:
    """Three digits that matter."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def spread(samples: Sequence[float]) -> str:
    middle = number(statistics.median(samples))
    return middle if len(samples) == 1 else f"{middle} ({number(min(samples))}–{number(max(samples))})"


def aligned(table: Table) -> Iterable[str]:
    """The first column to the left, the others to the right, two blanks between."""
    lines = [list(table.head), *map(list, table.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.head))]
    for line in lines:
        cells = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        yield "  ".join([line[0].ljust(widths[0]), *cells]).rstrip()
