"""Documents as plain text: what an approval note shows, and reads like the paper it will become."""

from __future__ import annotations

import textwrap
from collections.abc import Awaitable, Sequence

from aie.errors import AieError

WIDTH = 72


def heading(title: str, *facts: tuple[str, str]) -> list[str]:
    """A title, and below it what it is about; facts without a value are left out."""
    there = [(name, value) for name, value in facts if value]
    widest = max((len(name) for name, _ in there), default=0)
    return [title, "", *(f"{name + ':':<{widest + 2}}{one_line(value)}" for name, value in there)]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows under headings: the first column is text and folds, the others are numbers and stand to the right."""
    widths = [max(len(cells[place]) for cells in (columns, *rows)) for place in range(1, len(columns))]
    first = max(16, WIDTH - sum(width + 2 for width in widths))
    lines = []
    for cells in (columns, *rows):
        folded = textwrap.wrap(one_line(cells[0]), first) or [""]
        numbers = "".join(f"  {cell:>{width}}" for cell, width in zip(cells[1:], widths, strict=True))
        lines += [f"{folded[0]:<{first}}{numbers}".rstrip(), *folded[1:]]
    lines.insert(1, "-" * (first + sum(width + 2 for width in widths)))
    return lines


def totals(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Sums, to the right."""
    widest = max(len(value) for _, value in rows)
    return [f"{name:>{WIDTH - widest - 2}}  {value:>{widest}}" for name, value in rows]


async def or_why_not(document: Awaitable[str]) -> str:
    """The document, or why it cannot be shown: whoever decides should know that it would fail."""
    try:
        return await document
    except AieError as error:
        return f"As things stand this cannot be carried out: {error.message}.\nNext: {error.hint or 'aie doctor'}."


def one_line(text: str) -> str:
    return " ".join(text.split())
