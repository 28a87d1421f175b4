"""The floor: the bare journal. The records of aie's own runs, from a tape, and no engine that makes them.

Many transactions share a commit: rows are inserted on the event loop's thread, COMMIT goes to a helper thread, and what
arrives meanwhile forms the next group. A lone transaction is committed where it stands. The rows are made beforehand.
"""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw

from tests.bench.child import load_options
from tests.bench.load import Meter, figures, keep_in_flight
from tests.bench.tape import Tape, Transaction

WARM_UP = 100


class Floor:
    """A journal with the tables and settings of aie's, and nothing around it."""

    def __init__(self, path: Path, tape: Tape) -> None:
        self.connection = apsw.Connection(str(path))
        for sql in tape.pragmas:
            self.connection.execute(sql).fetchall()
        with self.connection:
            for sql in tape.schema:
                self.connection.execute(sql)
        self.commits = 0
        self._rows: dict[str, list[Any]] = {sql: [] for sql in tape.statements}
        self._waiting: list[tuple[Transaction, asyncio.Future[None]]] = []
        self._flushing = False
        self._thread = ThreadPoolExecutor(1)

    async def write(self, transactions: Sequence[Transaction]) -> None:
        """One run: each transaction durable before the next."""
        for transaction in transactions:
            await self._commit(transaction)

    async def _commit(self, transaction: Transaction) -> None:
        loop = asyncio.get_running_loop()
        durable: asyncio.Future[None] = loop.create_future()
        self._waiting.append((transaction, durable))
        if not self._flushing:
            self._flushing = True
            loop.call_soon(self._flush)
        await durable

    def _flush(self) -> None:
        group, self._waiting = self._waiting, []
        if not group:
            self._flushing = False
            return
        for transaction, _ in group:
            for sql, values in transaction:
                self._rows[sql].append(values)
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        for sql, rows in self._rows.items():
            if rows:
                self.connection.executemany(sql, rows)
                rows.clear()
        self.commits += 1
        if len(group) == 1:
            execute("COMMIT")
            self._finish(group)
            return
        done = asyncio.get_running_loop().run_in_executor(self._thread, execute, "COMMIT")
        done.add_done_callback(lambda done: self._finish(group, done.result()))

    def _finish(self, group: list[tuple[Transaction, asyncio.Future[None]]], _committed: object = None) -> None:
        for _, durable in group:
            durable.set_result(None)
        asyncio.get_running_loop().call_soon(self._flush)

    def close(self) -> None:
        self._thread.shutdown()
        self.connection.close()


async def run(folder: Path, tape: Tape, runs: int, in_flight: int, *, warm_up: int = WARM_UP) -> dict[str, Any]:
    floor = Floor(folder / "journal.db", tape)
    await keep_in_flight(floor.write, tape.runs(0, warm_up), in_flight)
    jobs = list(tape.runs(warm_up, runs))
    gc.collect()
    gc.freeze()  # rows made beforehand are no garbage to look through
    before = floor.commits
    with Meter() as meter:
        took_s = await keep_in_flight(floor.write, jobs, in_flight)
    commits = floor.commits - before
    floor.close()
    return figures(took_s, meter, commits_per_run=commits / runs, rows_per_run=sum(map(len, tape.transactions)))


def main() -> None:
    parser = load_options(default_runs=2_000)
    parser.add_argument("--tape", type=Path, required=True, help="the tape to play")
    options = parser.parse_args()
    tape = Tape.load(options.tape)
    print(json.dumps(asyncio.run(run(options.folder, tape, options.runs, options.in_flight))))


if __name__ == "__main__":
    main()
