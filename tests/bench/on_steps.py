"""aie: many small steps, one after the other in one run, beside as many durable commits of the same records."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from pathlib import Path
from typing import Any

import apsw
from pydantic import BaseModel

from aie import ActionContext, ActionHandler, Effect, hookimpl
from tests.bench import on_aie, work
from tests.bench.child import options
from tests.bench.on_floor import Floor
from tests.bench.recording import record
from tests.bench.tape import Tape

WARM_UP = 3


class Nothing(BaseModel):
    """No parameters."""


class NoOps:
    """Two actions that do nothing: one may be repeated, the other's attempts must be on disk before they are made."""

    @hookimpl
    def aie_action_handlers(self, settings: object) -> list[ActionHandler]:
        async def run(params: Nothing, context: ActionContext) -> None:
            return None

        return [
            ActionHandler("repeatable", Nothing, run, effect=Effect.LOCAL, repeatable=True),
            ActionHandler("once", Nothing, run, effect=Effect.LOCAL, repeatable=False),
        ]


def workflow(action: str, steps: int) -> dict[str, Any]:
    return {
        "workflow_id": "chain",
        "trigger_event": work.EVENT_TYPE,
        "actions": [{"action_type": action, "parameters": {}} for _ in range(steps)],
    }


class Small:
    """One small row, one durable commit: what the disk asks at the least."""

    def __init__(self, path: Path, tape: Tape) -> None:
        self._connection = apsw.Connection(str(path))
        for sql in tape.pragmas:
            self._connection.execute(sql).fetchall()
        self._connection.execute("CREATE TABLE small (number INTEGER PRIMARY KEY)")
        self._number = 0

    def commit(self) -> None:
        self._number += 1
        self._connection.execute("INSERT INTO small VALUES (?)", (self._number,))


async def run(folder: Path, tape: Tape, action: str, steps: int, runs: int) -> dict[str, Any]:
    """By turns: a run of aie's, the same transactions without aie, as many commits of one small row."""
    vault = work.make_vault(folder, workflow(action, steps))
    floor, small = Floor(folder / "floor.db", tape), Small(folder / "small.db", tape)
    samples: dict[str, list[float]] = {"step_ms": [], "same_records_ms": [], "small_row_ms": [], "commits_per_step": []}
    commits = len(tape.transactions)
    async with on_aie.opened(vault, {"bench": NoOps()}) as office:
        for number, transactions in enumerate(tape.runs(0, WARM_UP + runs)):
            before, began_s = office.commits, time.perf_counter()
            await office.process(on_aie.make_event(number))
            ended_s = time.perf_counter()
            await floor.write(transactions)
            written_s = time.perf_counter()
            for _ in range(commits):
                small.commit()
            samples["step_ms"].append((ended_s - began_s) / steps * 1e3)
            samples["same_records_ms"].append((written_s - ended_s) / commits * 1e3)
            samples["small_row_ms"].append((time.perf_counter() - written_s) / commits * 1e3)
            samples["commits_per_step"].append((office.commits - before) / steps)
    floor.close()
    if office.ended != {"chain succeeded": WARM_UP + runs}:
        raise SystemExit(f"the runs ended otherwise: {dict(office.ended)}")
    return {name: statistics.median(values[WARM_UP:]) for name, values in samples.items()}


def main() -> None:
    parser = options()
    parser.add_argument("--action", choices=("repeatable", "once"), required=True)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--runs", type=int, default=20)
    chosen = parser.parse_args()
    recorded, measured = chosen.folder / "recorded", chosen.folder / "measured"
    tape = record(recorded, {"bench": NoOps()}, workflow(chosen.action, chosen.steps))
    print(json.dumps(asyncio.run(run(measured, tape, chosen.action, chosen.steps, chosen.runs))))


if __name__ == "__main__":
    main()
