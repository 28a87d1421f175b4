"""Feeds: event sources at work. One that fails is started again; it never takes another one down."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aie.credentials import Credentials
from aie.engine import Engine
from aie.errors import JournalError
from aie.events import Event
from aie.journal import Batch
from aie.plain import Json
from aie.plugins.plugin import Offer
from aie.seams import Clock
from aie.sources import EventSource
from aie.workflow import Workflow

MAX_RESTART_S = 300.0


class Feed:
    """One source's way into aie; implements :class:`~aie.sources.SourceContext`."""

    def __init__(self, engine: Engine, offer: Offer[EventSource]) -> None:
        self._engine = engine
        self._source = offer.item
        self._cursor_name = f"source:{offer.item.name}"
        self.settings: Any = offer.settings
        self.vault: Path = engine.config.vault
        self.timezone: ZoneInfo = engine.config.timezone
        self.clock: Clock = engine.clock
        self.credentials: Credentials = engine.credentials.of(offer.plugin)
        self.log = logging.getLogger(f"aie.plugin.{offer.plugin}")
        self.cache_dir: Path = engine.config.cache_dir(offer.plugin)
        self._cursor = engine.history.cursor(self._cursor_name)

    @property
    def cursor(self) -> Json:
        return self._cursor

    async def emit(self, events: Sequence[Event], *, cursor: Json = None) -> int:
        batch = Batch()
        if cursor is not None:
            batch.put_cursor(self._cursor_name, cursor)
        named = [event if event.source else replace(event, source=self._source.name) for event in events]
        if named:
            accepted = await self._engine.accept_all(named, batch=batch)
        else:
            accepted = []
            await self._engine.journal.commit(batch)
        if cursor is not None:
            self._cursor = cursor
        return sum(found.new for found in accepted)

    def pending_approvals(self) -> int:
        return self._engine.history.pending_count()

    def scheduled_workflows(self) -> Sequence[Workflow]:
        engine = self._engine
        return [
            workflow
            for workflow in engine.library.shelf.workflows.values()
            if workflow.schedule is not None and engine.switches.get(workflow.workflow_id, workflow.enabled)
        ]

    async def run(self) -> None:
        """Watch until cancelled; after a failure again, at growing intervals."""
        delay_s = 1.0
        while True:
            began = self.clock.now()
            try:
                await self._source.run(self)
                self.log.error("the source %s ended by itself; it is started again", self._source.name)
            except Exception as error:  # plugin code may raise anything
                if isinstance(error, JournalError) and error.damaged:
                    raise
                told = self._engine.credentials.masked(str(error) or type(error).__name__)
                self.log.error(
                    "the source %s failed and is started again in %g s: %s", self._source.name, delay_s, told
                )
            if (self.clock.now() - began).total_seconds() > MAX_RESTART_S:
                delay_s = 1.0
            await self.clock.sleep(delay_s)
            delay_s = min(delay_s * 2, MAX_RESTART_S)
