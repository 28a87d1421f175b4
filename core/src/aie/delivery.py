"""Delivery: audit records from the journal to the sinks, each from where it stands, whatever the others do."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import time
from collections import deque
from collections.abc import Sequence
from itertools import islice

from aie.engine import Engine
from aie.errors import JournalError
from aie.journal import Batch
from aie.plugins.plugin import Offer
from aie.records import AuditRecord, AuditSink, SinkContext

log = logging.getLogger("aie.delivery")

BATCH_SIZE = 1_000
KEPT = 5_000  # records kept in memory until every sink has them; a sink further behind reads the journal
GATHER_S = 0.05  # records come in groups: one write, one cursor for what arrives within this time
RETRY_S = 5.0


class Delivery:
    """Feeds the sinks. A sink that fails keeps its place and is tried again; it holds up no other and fails no run."""

    def __init__(self, engine: Engine, sinks: Sequence[Offer[AuditSink]]) -> None:
        self._engine = engine
        self._sinks = {f"{offer.plugin}.{offer.item.name}": offer for offer in sinks}
        self._at: dict[str, int] = {}
        self._on_record: dict[str, int] = {}  # the same, as the journal has it
        self._failing: dict[str, str] = {}
        self._fresh: deque[AuditRecord] = deque(maxlen=KEPT)
        if sinks:
            engine.journal.on_audit = self._fresh.extend

    async def run(self) -> None:
        """Deliver whenever something was committed, until cancelled."""
        engine = self._engine
        while True:
            engine.changed.clear()
            failed = await self.flush()
            if failed:
                await engine.clock.sleep(RETRY_S)
                continue
            await engine.changed.wait()
            await engine.clock.sleep(GATHER_S)

    async def flush(self, *, within_s: float = math.inf) -> tuple[str, ...]:
        """Deliver all there is, or what can be within this time; the names of the sinks that failed."""
        end_s = time.monotonic() + within_s
        waiting = list(self._sinks)
        while waiting:  # a batch to each in turn: under load there is always more, and none may wait for that to end
            waiting = [name for name in waiting if await self._deliver_some(name) and time.monotonic() < end_s]
            done = min(self._at.values(), default=0)
            while self._fresh and self._fresh[0].seq <= done:
                self._fresh.popleft()
        return tuple(self._failing)

    async def _deliver_some(self, name: str) -> bool:
        """One batch to one sink, whatever it does; whether there may be more for it."""
        try:
            more = await self._deliver(name, self._sinks[name])
        except Exception as error:  # a sink is plugin code and may raise anything
            damaged = isinstance(error, JournalError) and error.damaged
            if damaged and not self._engine.failure.done():
                self._engine.failure.set_exception(error)
            if not damaged and self._failing.get(name) != str(error):  # damage ends aie, which says so itself
                log.error("the sink %s failed and is tried again: %s", name, error)
            self._failing[name] = str(error)
            return False
        if self._failing.pop(name, None):
            log.info("the sink %s works again", name)
        return more

    async def _deliver(self, name: str, offer: Offer[AuditSink]) -> bool:
        """One batch to one sink; False when there was nothing to deliver."""
        history = self._engine.history
        if name not in self._at:
            cursor = history.cursor(f"sink:{name}")
            self._at[name] = self._on_record[name] = cursor if isinstance(cursor, int) else 0
        records = self._after(self._at[name])
        if not records:
            return False
        wanted = records if offer.item.wants is None else list(filter(offer.item.wants, records))
        if wanted:
            await self._write(offer, wanted)
        self._at[name] = records[-1].seq
        if wanted or self._at[name] - self._on_record[name] >= BATCH_SIZE:
            batch = Batch()
            batch.put_cursor(f"sink:{name}", self._at[name])
            await self._engine.journal.commit(batch)  # not engine.commit: a cursor is no news to anybody
            self._on_record[name] = self._at[name]
        return True

    async def _write(self, offer: Offer[AuditSink], records: Sequence[AuditRecord]) -> None:
        config = self._engine.config
        context = SinkContext(offer.settings, config.vault, config.timezone, log)
        if inspect.iscoroutinefunction(offer.item.write):
            await offer.item.write(records, context)
        else:
            await asyncio.to_thread(offer.item.write, records, context)

    def _after(self, seq: int) -> Sequence[AuditRecord]:
        """The next records after number ``seq``: those at hand, or the journal's."""
        if self._fresh and self._fresh[0].seq <= seq + 1:
            begin = seq + 1 - self._fresh[0].seq
            return list(islice(self._fresh, begin, begin + BATCH_SIZE))
        return self._engine.history.audit(after=seq, limit=BATCH_SIZE)
