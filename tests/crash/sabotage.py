"""Engines that break a promise, each in one way: the harness has to notice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import apsw

from aie import ActionContext, ActionHandler, EventSource, hookimpl
from aie.act import BoundTraits
from aie.actions import LookUp
from aie.events import Event
from aie.journal import Batch
from aie.machine import Call, CallOutcome
from aie.sources import SourceContext
from tests.crash.actions import Harness, Work
from tests.crash.points import Points

Seams = dict[str, Any]


def hasty(points: Points, seams: Seams) -> Seams:
    """Acknowledges each group of transactions before it is committed, which is when the next one comes."""

    class HastyJournal(seams["open_journal"]):  # type: ignore[misc]
        def _insert(self, batches: Sequence[Batch]) -> None:
            points.reach("sabotage: before the commit that was promised")
            if self.writer.in_transaction:
                self.writer.execute("COMMIT")
            super()._insert(batches)

        def _commit_error(self) -> apsw.Error | None:
            return None

    return {"open_journal": HastyJournal}


def unsynced(points: Points, seams: Seams) -> Seams:
    """Leaves it to the operating system when what is committed gets to the disk."""

    class UnsyncedJournal(seams["open_journal"]):  # type: ignore[misc]
        def __init__(self, path: Path) -> None:
            super().__init__(path)
            self.writer.execute("PRAGMA synchronous=OFF")

    return {"open_journal": UnsyncedJournal}


def eager(points: Points, seams: Seams) -> Seams:
    """Makes each call twice."""
    once = seams["caller"]

    class EagerCaller:
        async def call(
            self, traits: BoundTraits, call: Call, context: ActionContext
        ) -> tuple[CallOutcome, tuple[Event, ...]]:
            await once.call(traits, call, context)
            answer: tuple[CallOutcome, tuple[Event, ...]] = await once.call(traits, call, context)
            return answer

    return {"caller": EagerCaller()}


@dataclass(frozen=True, slots=True)
class _Other(Harness):
    """The harness's plugin with one of its promises broken."""

    breaks: str = ""

    @hookimpl
    def aie_action_handlers(self, settings: object) -> list[ActionHandler]:
        handlers = Harness.aie_action_handlers(self, settings)
        if self.breaks == "guesses":
            return [replace(handler, repeatable=True) for handler in handlers]
        if self.breaks == "looks away":
            return [replace(handler, look_up=self._look_away) if handler.look_up else handler for handler in handlers]
        return handlers

    async def _look_away(self, work: Work, context: ActionContext) -> LookUp:
        return LookUp(False)

    @hookimpl
    def aie_event_sources(self, settings: object) -> list[EventSource]:
        if self.breaks != "reads again":
            return Harness.aie_event_sources(self, settings)

        async def read(context: SourceContext) -> None:
            await Harness._read_lines(self, _Apart(context, self.points))  # type: ignore[arg-type]

        return [EventSource("harness.lines", ("line",), read)]


@dataclass(slots=True)
class _Apart:
    """A source's context that saves the cursor after the events, not with them."""

    context: SourceContext
    points: Points

    @property
    def cursor(self) -> Any:
        return self.context.cursor

    async def emit(self, events: Sequence[Event], *, cursor: Any = None) -> int:
        new = await self.context.emit(events)
        self.points.reach("sabotage: between events and cursor")
        await self.context.emit([], cursor=cursor)
        return new


def _plugin(breaks: str) -> Callable[[Points, Seams], Seams]:
    def sabotage(points: Points, seams: Seams) -> Seams:
        harness: Harness = seams["harness"]
        return {"harness": _Other(harness.world, harness.points, harness.now, breaks)}

    return sabotage


SABOTAGES: dict[str, Callable[[Points, Seams], Seams]] = {
    "hasty": hasty,
    "unsynced": unsynced,
    "eager": eager,
    "guesses": _plugin("guesses"),
    "looks away": _plugin("looks away"),
    "reads again": _plugin("reads again"),
}
