"""A source at work without an engine: its way in keeps events and cursor as the journal keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from logging import Logger
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aie.credentials import Credentials
from aie.events import Event
from aie.plain import Json, check_json
from aie.seams import Clock
from aie.sources import EventSource, ScheduledWorkflow
from aie.testing.clock import FakeClock

END_WITHIN_S = 1.0  # for a source that was cancelled

Meanwhile = Mapping[timedelta, Callable[[], object]]


@dataclass
class Kept:
    """What the journal would have of one source: its cursor, and what it has told already."""

    cursor: Json = None
    told: set[tuple[str, str]] = field(default_factory=set)


@dataclass
class Watch:
    """Implements :class:`~aie.sources.SourceContext`. ``events`` are those that were new, in order."""

    source: EventSource
    kept: Kept
    settings: Any
    vault: Path
    timezone: ZoneInfo
    clock: Clock
    credentials: Credentials
    log: Logger
    cache_dir: Path
    events: list[Event] = field(default_factory=list)
    emitted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def cursor(self) -> Json:
        return self.kept.cursor

    async def emit(self, events: Sequence[Event], *, cursor: Json = None) -> int:
        """How many were new; an event is known by its source and id. Raises EventError as the engine does."""
        found = [self._complete(event) for event in events]
        new = {(event.source, event.event_id): event for event in reversed(found)}
        new = {key: event for key, event in reversed(new.items()) if key not in self.kept.told}
        self.kept.told |= set(new)
        self.events += new.values()
        if cursor is not None:
            self.kept.cursor = check_json(cursor, where="cursor")
        self.emitted.set()
        return len(new)

    def _complete(self, event: Event) -> Event:
        now = self.clock.now().astimezone(self.timezone).isoformat(timespec="seconds")
        source, timestamp = event.source or self.source.name, event.timestamp or now
        return replace(event, source=source, timestamp=timestamp).checked()

    def pending_approvals(self) -> int:
        return 0

    def scheduled_workflows(self) -> Sequence[ScheduledWorkflow]:
        return ()


class Span:
    """The clock of a source that is watched for a time: sleeps within it are seen through, one beyond it is the end.

    What happens ``meanwhile`` is done when the clock comes by, in the middle of a sleep.
    """

    def __init__(self, clock: FakeClock, span: timedelta, meanwhile: Meanwhile) -> None:
        self._clock = clock
        self._end = clock.now() + span
        self._coming = {clock.now() + after: meanwhile[after] for after in sorted(meanwhile)}
        self.over = asyncio.Event()

    def now(self) -> datetime:
        return self._clock.now()

    async def sleep(self, seconds: float) -> None:
        due = self.now() + timedelta(seconds=seconds)
        for moment in [moment for moment in self._coming if moment <= min(due, self._end)]:
            self._clock.move_to(moment)
            self._coming.pop(moment)()
        if due > self._end:
            self._clock.move_to(self._end)
            self.over.set()
            await asyncio.get_running_loop().create_future()
        self._clock.move_to(due)
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class Watched:
    """The events that were new; whether the source was still at work when its time was over, and ended when told to."""

    events: list[Event]
    overdue: bool
    ended: bool


async def watch(
    source: EventSource,
    context: Watch,
    over: asyncio.Event,
    until: Callable[[list[Event]], object] | None,
    within_s: float,
) -> Watched:
    """Let the source work until it is over, ``until`` says so, it ends, or ``within_s`` real seconds have passed.

    Raises what the source raises.
    """
    task = asyncio.ensure_future(source.run(context))
    ended = asyncio.ensure_future(over.wait())
    overdue = False
    try:
        async with asyncio.timeout(within_s):
            while not (task.done() or ended.done()):
                emitted = asyncio.ensure_future(context.emitted.wait())
                await asyncio.wait({task, ended, emitted}, return_when=asyncio.FIRST_COMPLETED)
                emitted.cancel()
                if context.emitted.is_set() and until and until(context.events):
                    break
                context.emitted.clear()
    except TimeoutError:
        overdue = True
    finally:
        ended.cancel()
        by_itself = task.done()
        stopped = await stop(task)
    if by_itself and not task.cancelled() and (error := task.exception()) is not None:
        raise error
    return Watched(list(context.events), overdue, stopped)


async def stop(task: asyncio.Future[Any]) -> bool:
    """Cancel it and wait a moment; whether it has ended."""
    task.cancel()
    await asyncio.wait({task}, timeout=END_WITHIN_S)
    return task.done()
