"""A tenure: what one process does as the engine of a state folder, from taking office to giving the folder back."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
from collections.abc import Coroutine
from functools import partial
from typing import Any

from filelock import FileLock

from aie.delivery import Delivery
from aie.desk import Channels
from aie.engine import Engine
from aie.feed import Feed
from aie.journal_watch import keep_in_place, read_through, warn_of_lost_records
from aie.lookout import Lookout
from aie.requests import Counter
from aie.retention import Keeper

LOOK_S = 1.0
CLOSE_WITHIN_S = 3.0
COLLECT_EVERY = 10_000  # new values that Python keeps an eye on, and 700 by default


class Tenure:
    """An engine that was started, and the loops beside it: for sinks, channels and other commands always; for sources
    and all that has to be watched once it serves.
    """

    def __init__(self, engine: Engine, lock: FileLock) -> None:
        self.engine = engine
        self._lock = lock
        self._tasks: list[asyncio.Task[Any]] = []
        self._failures: list[BaseException] = []
        self._failed = asyncio.Event()
        self._at_end = contextlib.ExitStack()
        engine.failure.add_done_callback(self._loop_ended)
        self.delivery = Delivery(engine, engine.registry.sinks())
        self.channels = Channels(engine, engine.registry.channels())

    def begin(self) -> None:
        """Feed the sinks, and answer other commands."""
        warn_of_lost_records(self.engine.config.vault, self.engine.journal.audit_seq)
        self._start(self.delivery.run(), Counter(self.engine).run())

    def serve(self) -> None:
        """Start all sources, watch the workflow files and keep the approval channels in step, until the end."""
        engine = self.engine
        self._collect_rarely()
        self._start(*self.channels.loops(), self._watch_workflows(), self._watch_pause())
        self._start(keep_in_place(engine.journal.path, engine.clock), read_through(engine.journal.path, larger=True))
        self._start(Keeper(engine, engine.registry.sinks()).run(), Lookout(engine).run())
        self._start(*(Feed(engine, offer).run() for offer in engine.registry.sources()))

    async def failure(self) -> None:
        """Wait until something breaks that aie cannot work on without, and raise what it was."""
        await self._failed.wait()
        raise self._failures[0]

    async def settle(self, linger_s: float) -> None:
        """Wait until nothing is being carried out any more, and the approval channels show what there is to show."""
        for _ in range(3):  # a channel may bring a decision, which starts something, which asks again
            await self.engine.idle(linger_s)
            revision = self.engine.approvals_revision
            await self.channels.sync()
            if self.engine.approvals_revision == revision:
                break
        await self.engine.idle(linger_s)

    async def end(self, *, deliver_within_s: float = math.inf) -> None:
        """Let what is going on come to rest or be cut off, tell sinks and channels, and give the folder back.

        A sink that is too far behind for ``deliver_within_s`` goes on where it stands with the next start.
        """
        self._at_end.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_WITHIN_S)  # a source that will not end is left behind
        flush = partial(self.delivery.flush, within_s=deliver_within_s)
        try:
            await self.channels.sync()
            await flush()
        finally:
            try:
                await self.engine.stop(last=flush)
            finally:
                self._lock.release()

    # --- the loops ------------------------------------------------------------------------------------------------

    def _start(self, *loops: Coroutine[Any, Any, Any]) -> None:
        for loop in loops:
            task = asyncio.create_task(loop)
            task.add_done_callback(self._loop_ended)
            self._tasks.append(task)

    def _loop_ended(self, loop: asyncio.Future[Any]) -> None:
        if not loop.cancelled() and (error := loop.exception()) is not None:
            self._failures.append(error)
            self._failed.set()

    async def _watch_workflows(self) -> None:
        while True:
            await self.engine.clock.sleep(LOOK_S)
            self.engine.library.glance()

    async def _watch_pause(self) -> None:
        """Take notice when the note that stops everything comes or goes."""
        before = self.engine.pause.note
        while True:
            await self.engine.clock.sleep(LOOK_S)
            if self.engine.pause.note != before:
                before = not before
                self.engine.take_notice_of_pause()

    def _collect_rarely(self) -> None:
        """Let Python look for garbage less often. Runs leave hardly any that it must look for, but those under way are
        many values that live for a while, and looking through them each time takes a tenth of the time there is.
        """
        before = gc.get_threshold()
        if before[0] < COLLECT_EVERY:
            gc.set_threshold(COLLECT_EVERY, *before[1:])
            self._at_end.callback(gc.set_threshold, *before)
