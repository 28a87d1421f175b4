"""Makes a tape: what aie writes to its journal for one run, statement by statement.

Nothing of it is written down here: it is taken from SQLite's own trace of real runs, three in a row. A whole number
that rises from run to run is a sequence; the ids of the event and the run are replaced wherever they stand; all else
is kept as it was.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from aie import AsyncOrchestrator, Event
from tests.bench import on_aie, work
from tests.bench.child import options
from tests.bench.tape import EVENT, RUN, Tape, Transaction, Value

WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)
WARM_UP, RECORDED = 3, 3


@dataclass
class Recorder:
    """The transactions of every connection that is opened while it listens."""

    transactions: list[Transaction] = field(default_factory=list)
    pragmas: dict[int, list[str]] = field(default_factory=dict)  # of each connection
    writer: int = 0  # the connection that wrote last

    def listen(self, connection: apsw.Connection) -> None:
        pending: Transaction = []
        pragmas = self.pragmas[id(connection)] = []

        def trace(cursor: apsw.Cursor, sql: str, bindings: Any) -> bool:
            word = sql.lstrip()[:8].upper()
            if word.startswith("PRAGMA") and "=" in sql:
                pragmas.append(sql)
            elif WRITES.match(sql):
                self.writer = id(connection)
                pending.append((sql, tuple(bindings or ())))
            if pending and (word.startswith("COMMIT") or not connection.in_transaction):
                self.transactions.append(list(pending))
                pending.clear()
            elif word.startswith("ROLLBACK"):
                pending.clear()
            return True

        connection.exec_trace = trace


@dataclass(frozen=True)
class _Run:
    event_id: str
    run_id: str
    transactions: list[Transaction]

    def anonymous(self) -> list[Transaction]:
        """The transactions without the ids."""

        def clean(value: Value) -> Value:
            return value.replace(self.event_id, EVENT).replace(self.run_id, RUN) if isinstance(value, str) else value

        return [[(sql, tuple(map(clean, values))) for sql, values in one] for one in self.transactions]


def record(folder: Path, plugins: Mapping[str, object], workflow: Mapping[str, Any]) -> Tape:
    """The tape of a run of this workflow. Its vault has no logs: where a sink stands is no run's record."""
    vault = work.make_vault(folder, workflow, settings="logs = false\n")
    recorder = Recorder()
    apsw.connection_hooks.append(recorder.listen)
    try:
        runs = asyncio.run(_runs(vault, plugins, recorder))
    finally:
        apsw.connection_hooks.remove(recorder.listen)
    connection = apsw.Connection(str(folder / "state" / "journal.db"))
    rows = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    schema = [str(row[0]) for row in rows]
    connection.close()
    return Tape(
        schema=schema,
        pragmas=recorder.pragmas[recorder.writer],
        event_id=runs[0].event_id,
        run_id=runs[0].run_id,
        transactions=[_merged(group) for group in zip(*(run.anonymous() for run in runs), strict=True)],
    )


async def _runs(vault: Path, plugins: Mapping[str, object], recorder: Recorder) -> list[_Run]:
    """The last runs of a few, one at a time."""
    runs = []
    async with AsyncOrchestrator(vault, plugins=plugins, env={}) as orchestrator:
        for number in range(WARM_UP + RECORDED):
            recorder.transactions.clear()
            event: Event = on_aie.make_event(number)
            result = await orchestrator.process_event(event)
            await orchestrator.settle()
            runs.append(_Run(event.event_id, result.runs[0].run_id, list(recorder.transactions)))
    return runs[WARM_UP:]


def _merged(group: Sequence[Transaction]) -> list[tuple[str, list[Any]]]:
    """The same transaction of three runs as one, with what rises from run to run as ``[first, step]``."""
    merged = []
    for statements in zip(*group, strict=True):
        texts = {sql for sql, _ in statements}
        if len(texts) > 1:
            raise SystemExit(f"runs of one kind wrote differently: {texts}")
        columns = zip(*(values for _, values in statements), strict=True)
        merged.append((texts.pop(), [_column(*values) for values in columns]))
    return merged


def _column(one: Value, two: Value, three: Value) -> Any:
    if isinstance(one, int) and isinstance(two, int) and isinstance(three, int):
        step = two - one
        if step > 0 and three - two == step:
            return [one, step]
    return one


def make_tape(folder: Path) -> Tape:
    """The tape of the work that is measured."""
    return record(folder, {"bench": on_aie.Actions()}, work.WORKFLOW)


def main() -> None:
    parser = options()
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    chosen = parser.parse_args()
    tape = make_tape(chosen.folder)
    tape.save(chosen.out)
    print(json.dumps({"transactions": len(tape.transactions), "rows": sum(map(len, tape.transactions))}))


if __name__ == "__main__":
    main()
