"""The source ``vault.files``: new files in the watched folders become ``file_added`` events.

Files that aie wrote itself as notification or approval notes do not. A file that ``create_file`` puts into a watched
folder does: a workflow on ``file_added`` should write somewhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from logging import Logger
from typing import Any

from aie.errors import EventError
from aie.events import Event, EventType
from aie.files import Files
from aie.sources import EventSource, SourceContext
from aie.touches import Touches
from aie_vault import file_events, listing, scanner
from aie_vault.listing import Found, Reading
from aie_vault.moves import MOVES, Move, Moves
from aie_vault.native import changes
from aie_vault.scanner import State
from aie_vault.settings import VaultSettings

BATCH = 100  # files read and recorded together


def file_source(settings: VaultSettings, files: Files | None = None, moves: Moves = MOVES) -> EventSource:
    """The source that watches the folders of these settings."""
    watcher = Watcher(settings, files or Files(), moves)
    return EventSource(
        name="vault.files",
        event_types=(EventType.FILE_ADDED,),
        run=watcher.run,
        summary="new files in the vault's watched folders, once they are complete",
        watching=f"new files in {', '.join(settings.watch)}" if settings.watch else "",
        touches=Touches(folders=tuple(settings.watch)),
    )


@dataclass(frozen=True, slots=True)
class Watcher:
    """Looks again and again. All it remembers is in the state it passes on, and that is rebuilt from the cursor."""

    settings: VaultSettings
    files: Files
    moves: Moves = MOVES

    async def run(self, context: SourceContext) -> None:
        """Watch until cancelled."""
        state = scanner.from_cursor(context.cursor)
        told = Told(context.log)
        async with contextlib.AsyncExitStack() as stack:
            moves = stack.enter_context(self.moves.heard(context.vault))
            changed = await stack.enter_async_context(changes(context.vault, self.settings, context.log))
            while True:
                changed.clear()
                state, more = await self.look(context, state, told, _taken(moves))
                if not more:
                    await _first(context.clock.sleep(self._pause_s(state)), changed.wait())

    async def look(
        self, context: SourceContext, before: State, told: Told, moves: Sequence[Move] = ()
    ) -> tuple[State, bool]:
        """One look: the state after it, recorded if it differs, and whether more files are ready than it took.

        ``moves`` are those that aie has made since the last one.
        """
        now_s = context.clock.now().timestamp()
        state = scanner.moved(before, moves, before.folders or ())
        found = await asyncio.to_thread(listing.look, context.vault, self.settings)
        told.about(found)
        paths = scanner.ready(state, found.listing, now_s)
        readings = await asyncio.to_thread(self._read, context, paths[:BATCH])
        failed = [path for path, reading in readings.items() if reading is None]
        told.unreadable(failed)
        complete = {path: reading for path, reading in readings.items() if reading is not None}
        there = dict(found.listing.files) | {path: reading.entry for path, reading in complete.items()}
        seen = replace(found.listing, files=there)
        after, added = scanner.step(state, seen, now_s, read=frozenset(complete))
        after = scanner.put_back(after, failed, now_s)
        events = [event for path in added if (event := self._event(context, path, complete[path]))]
        if events or self._durable(after) != self._durable(before):
            await context.emit(events, cursor=scanner.to_cursor(after))
        return after, len(paths) > BATCH and len(complete) > 0

    def _read(self, context: SourceContext, paths: tuple[str, ...]) -> dict[str, Reading | None]:
        return {path: listing.read(self.files, context.vault, path) for path in paths}

    def _event(self, context: SourceContext, path: str, reading: Reading) -> Event | None:
        event = file_events.file_added(path, reading, context.timezone)
        if event is None:
            return None
        try:
            replace(event, source="vault.files").checked()
        except EventError as error:  # the properties of one note must not hold up all other files
            context.log.warning("%s: its front matter is left out of the event: %s", path, error)
            return replace(event, data={**event.data, "front_matter": {}})
        return event

    def _durable(self, state: State) -> object:
        return (state.folders, state.known, state.gone)

    def _pause_s(self, state: State) -> float:
        interval_s = self.settings.scan_interval_s
        return min(interval_s, scanner.SETTLED_S) if state.waiting else interval_s


@dataclass(slots=True)
class Told:
    """What the log has been told already, so that it is told once and not every two seconds."""

    log: Logger
    paths: set[str] = field(default_factory=set)

    def about(self, found: Found) -> None:
        for path in sorted(found.conflicts - self.paths):
            self.log.warning("%s is a sync tool's conflict copy: no event; keep one of the two files", path)
        for path in sorted(found.links - self.paths):
            self.log.warning("%s is or lies behind a link and is not watched: put the folder itself into watch", path)
        self.paths |= found.conflicts | found.links

    def unreadable(self, paths: Iterable[str]) -> None:
        for path in paths:
            if path not in self.paths:
                self.log.warning("%s cannot be read; aie keeps trying", path)
                self.paths.add(path)


def _taken(moves: deque[Move]) -> list[Move]:
    return [moves.popleft() for _ in range(len(moves))]


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait until one is over, and stop the others."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
