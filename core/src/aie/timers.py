"""Timers: when which run is due. Rows of the journal in memory; a suspended machine catches up when it wakes."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from datetime import datetime
from typing import Any

from aie.seams import Clock

LOOK_AT_LEAST_S = 30.0


class Timers:
    """Calls ``due(run seq)`` when a run's time has come."""

    def __init__(self, clock: Clock, due: Callable[[int], None]) -> None:
        self._clock = clock
        self._due = due
        self._heap: list[tuple[datetime, int]] = []
        self._added = asyncio.Event()

    def add(self, wake_at: datetime, seq: int) -> None:
        heapq.heappush(self._heap, (wake_at, seq))
        self._added.set()

    def any_by(self, moment: datetime) -> bool:
        """Whether one is due by then."""
        return bool(self._heap) and self._heap[0][0] <= moment

    async def run(self) -> None:
        """Keep time until cancelled; looks at the clock at least every 30 s, because it may have been set."""
        while True:
            now = self._clock.now()
            while self.any_by(now):
                self._due(heapq.heappop(self._heap)[1])
            until_s = (self._heap[0][0] - now).total_seconds() if self._heap else LOOK_AT_LEAST_S
            self._added.clear()
            await first(self._clock.sleep(min(LOOK_AT_LEAST_S, until_s)), self._added.wait())


async def first(*work: Any) -> None:
    """Wait until the first of these is done; coroutines among them are cancelled then, tasks go on."""
    own = [asyncio.ensure_future(item) for item in work if asyncio.iscoroutine(item)]
    tasks = [item for item in work if not asyncio.iscoroutine(item)]
    try:
        await asyncio.wait({*own, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for item in own:
            item.cancel()
