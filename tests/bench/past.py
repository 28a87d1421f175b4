"""Makes a vault with a past: its journal holds as many runs as asked for, every row as aie writes it.

Running them all would take hours for a million; playing the tape of one with other ids takes about a minute.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import apsw

from tests.bench import on_aie, work
from tests.bench.child import options
from tests.bench.recording import make_tape
from tests.bench.tape import Tape, Transaction

FIRST = 1_000  # the number of the first run that is filled in; lower ones are aie's own
BATCH = 5_000


async def begin(folder: Path) -> None:
    """A vault in which one run took place."""
    vault = work.make_vault(folder, work.WORKFLOW)
    async with on_aie.opened(vault, {"bench": on_aie.Actions()}) as office:
        await office.process(on_aie.make_event(0))


def fill(journal: Path, tape: Tape, runs: int) -> None:
    """Write the past without the care that a crash would ask for, and leave no sink anything to catch up with."""
    connection = apsw.Connection(str(journal))
    for sql in ("PRAGMA journal_mode=DELETE", "PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF"):
        connection.execute(sql).fetchall()
    past = tape.runs(FIRST, runs)
    while batch := list(islice(past, BATCH)):
        with connection:
            for sql in tape.statements:
                connection.executemany(sql, _rows(batch, sql))
    connection.execute("UPDATE cursor SET value = (SELECT max(seq) FROM audit) WHERE name LIKE 'sink:%'")
    connection.close()
    with journal.open("rb+") as file:
        os.fsync(file.fileno())  # else the system writes it out while others are being measured


def _rows(batch: list[list[Transaction]], sql: str) -> Iterator[tuple[object, ...]]:
    """The values for one statement, of all runs of the batch."""
    return (values for run in batch for transaction in run for text, values in transaction if text == sql)


def main() -> None:
    parser = options()
    parser.add_argument("--out", type=Path, required=True, help="the folder to make: vault and state")
    parser.add_argument("--runs", type=int, required=True)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True)
    asyncio.run(begin(chosen.out))
    journal = chosen.out / "state" / "journal.db"
    if chosen.runs:
        fill(journal, make_tape(chosen.folder), chosen.runs)
    print(json.dumps({"journal_mb": journal.stat().st_size / 1e6}))


if __name__ == "__main__":
    main()
