"""aie in a vault with a past: what an event costs there, how long commands take, and how long to be ready."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from aie import Event
from tests.bench import on_aie
from tests.bench.child import options
from tests.bench.command import run_aie, started, stop
from tests.bench.load import Meter, figures, keep_in_flight

FIRST = 90_000_000  # the number of the first new event; the past has lower ones
WARM_UP, FRESH = 20, 100  # events: not measured, and measured right after opening
LOOK_S, IDLE, SETTLE_WITHIN_S = 0.5, 0.1, 300.0  # a process that uses less than a tenth of a core is idle


async def events(vault: Path, first: int, count: int) -> dict[str, Any]:
    """One event at a time, as the past stands now: right after opening, and once aie is done with looking around."""
    numbers = iter(range(first, first + per_turn(count)))

    def some(count: int) -> Iterator[Event]:
        return map(on_aie.make_event, islice(numbers, count))

    with Meter() as opening:
        manager = on_aie.opened(vault, {"bench": on_aie.Actions()})
        office = await manager.__aenter__()
    try:
        await keep_in_flight(office.process, some(WARM_UP), 1)
        fresh_s = await keep_in_flight(office.process, some(FRESH), 1)
        settled_s = await settled()
        with Meter() as meter:
            took_s = await keep_in_flight(office.process, some(count), 1)
    finally:
        await manager.__aexit__(None, None, None)
    if sum(office.ended.values()) != per_turn(count):
        raise SystemExit(f"the runs ended otherwise: {dict(office.ended)}")
    return figures(
        took_s,
        meter,
        open_ms=opening.wall_s * 1e3,
        fresh_p50_ms=statistics.median(fresh_s) * 1e3,
        settled_s=settled_s,
    )


def per_turn(count: int) -> int:
    """The events that a turn takes to measure ``count``."""
    return WARM_UP + FRESH + count


async def settled() -> float:
    """Wait until this process, with nothing to do, does next to nothing; how long that took."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < SETTLE_WITHIN_S:
        with Meter() as meter:
            await asyncio.sleep(LOOK_S)
        if meter.cpu_s < IDLE * meter.wall_s:
            return time.monotonic() - began_s - LOOK_S
    raise SystemExit(f"aie was still at work {SETTLE_WITHIN_S:g} s after its last event")


def command_ms(work: Callable[[], Any], times: int) -> float:
    took_s = []
    for _ in range(times):
        with Meter() as meter:
            work()
        took_s.append(meter.wall_s)
    return statistics.median(took_s) * 1e3


def start_ms(vault: Path, times: int) -> float:
    """From the command to the line with which it says that it is at work."""
    took_s = []
    for _ in range(times):
        with Meter() as meter:
            process = started(vault)
        stop(process)
        took_s.append(meter.wall_s)
    return statistics.median(took_s) * 1e3


def main() -> None:
    parser = options()
    parser.add_argument("--past", type=Path, required=True, help="the folder that tests.bench.past made")
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--turn", type=int, default=0, help="how often this was asked before: events are new each time")
    parser.add_argument("--times", type=int, default=3, help="how often each command is run")
    chosen = parser.parse_args()
    vault = chosen.past / "vault"
    first = FIRST + chosen.turn * per_turn(chosen.events)
    found = asyncio.run(events(vault, first, chosen.events))
    found["runs_list_ms"] = command_ms(lambda: run_aie(vault, "runs", "list"), chosen.times)
    found["workflows_list_ms"] = command_ms(lambda: run_aie(vault, "workflows", "list"), chosen.times)
    found["start_ms"] = start_ms(vault, chosen.times)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
