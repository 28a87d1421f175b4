"""What aie writes for one run, as a tape that can be played with other ids. :mod:`tests.bench.recording` makes it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Value = str | int | float | bytes | None
Statement = tuple[str, tuple[Value, ...]]
Transaction = list[Statement]

EVENT, RUN = "\ue000", "\ue001"  # stand where the ids of the event and of the run stood
PREFIX = re.compile(r"[a-z]+[-_]")


@dataclass(frozen=True)
class Tape:
    """The tables, the settings of the connection that writes, and the transactions of one run.

    In a statement's values ``[first, step]`` is a sequence: a number that rises by ``step`` from run to run.
    """

    schema: list[str]
    pragmas: list[str]
    event_id: str  # of the run that was recorded, as are the values
    run_id: str
    transactions: list[list[tuple[str, list[Any]]]]

    @property
    def statements(self) -> list[str]:
        """Each statement once, in the order of their first use."""
        return list(dict.fromkeys(sql for transaction in self.transactions for sql, _ in transaction))

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(self.__dict__), "utf-8")

    @classmethod
    def load(cls, path: Path) -> Tape:
        return cls(**json.loads(path.read_text("utf-8")))

    def runs(self, first: int, count: int) -> Iterator[list[Transaction]]:
        """The transactions of ``count`` runs, with ids of their own from number ``first`` on."""
        makers = [[(sql, [_maker(column) for column in columns]) for sql, columns in one] for one in self.transactions]
        for number in range(first, first + count):
            ids = _numbered(self.event_id, number), _numbered(self.run_id, number)
            yield [[(sql, tuple([make(number, ids) for make in columns])) for sql, columns in one] for one in makers]


def _numbered(id_: str, number: int) -> str:
    """An id with the same prefix and of the same length; later numbers sort later, as aie's ids do."""
    found = PREFIX.match(id_)
    assert found is not None
    return f"{found[0]}{number:0{len(id_) - found.end()}d}"


def _maker(column: Any) -> Callable[[int, tuple[str, str]], Value]:
    if isinstance(column, list):
        start, step = column
        return lambda number, ids: start + step * number
    if isinstance(column, str) and (EVENT in column or RUN in column):
        return lambda number, ids: column.replace(EVENT, ids[0]).replace(RUN, ids[1])
    return lambda number, ids: column
