"""The product's own seams, with fault points: the journal, the caller of plugins, the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw

from aie.act import BoundTraits, DirectCaller
from aie.actions import ActionContext
from aie.events import Event
from aie.journal import Batch, Journal
from aie.machine import Call, CallOutcome
from tests.crash.points import Points

LONGEST_SLEEP_S = 0.05


def journal_with(points: Points) -> Callable[[Path], Journal]:
    """Opens a journal that goes through fault points around each of its transactions."""

    class PointedJournal(Journal):
        def _insert(self, batches: Sequence[Batch]) -> None:
            if points.reach("journal: before the rows"):
                raise apsw.FullError("disk full")
            super()._insert(batches)
            if points.reach("journal: rows inserted"):
                raise apsw.FullError("disk full")

        def _commit_error(self) -> apsw.Error | None:
            if points.reach("journal: before the commit"):
                return apsw.FullError("disk full")
            error = super()._commit_error()
            points.reach("journal: committed")
            return error

    return PointedJournal


class PointedCaller:
    """Calls plugins directly, between two fault points."""

    def __init__(self, points: Points) -> None:
        self._points = points
        self._direct = DirectCaller()

    async def call(
        self, traits: BoundTraits, call: Call, context: ActionContext
    ) -> tuple[CallOutcome, tuple[Event, ...]]:
        what = f"{'look_up of ' if call.look_up else ''}{traits.handler.name}"
        self._points.reach(f"call: before {what}")
        answer = await self._direct.call(traits, call, context)
        self._points.reach(f"call: after {what}")
        return answer


class ShiftedClock:
    """The machine's clock, set wrong by some time, and with no patience: it sleeps a little at most."""

    def __init__(self, offset_s: float) -> None:
        self._offset = timedelta(seconds=offset_s)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(max(0.0, seconds), LONGEST_SLEEP_S))
