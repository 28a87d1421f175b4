"""Ingest: events come in, once, together with the runs they start."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from msgspec import Struct

from aie import schema
from aie.config import Config
from aie.errors import EventError, JournalError, NotFoundError
from aie.events import Event
from aie.history import History
from aie.journal import Batch, Journal, stamp
from aie.library import Library
from aie.live import Live
from aie.match import Match, match
from aie.plain import Json, dumps
from aie.run import Run, RunStatus
from aie.seams import Clock, Ids
from aie.trail import Trail
from aie.workflow import Workflow

log = logging.getLogger("aie.engine")

JOURNAL_RETRY_S = 2.0
MAX_DEPTH = 16  # how many events may lead to one another before aie takes it for a loop
DECISIONS = "approvals"  # the source of the events that decisions make


class Accepted(Struct, frozen=True):
    """What became of an event: ``new`` is False when it had arrived before."""

    event_seq: int
    new: bool
    matches: tuple[Match, ...] = ()
    runs: tuple[tuple[int, str, str], ...] = ()  # (run seq, run id, workflow id)


class Ingest:
    """The door. What it takes in is in the journal, runs included, before anybody is told it was accepted."""

    def __init__(
        self, config: Config, library: Library, journal: Journal, trail: Trail, clock: Clock, ids: Ids
    ) -> None:
        self._config = config
        self._library = library
        self._journal = journal
        self._history = History(journal.reader)
        self._trail = trail
        self._clock = clock
        self._ids = ids
        self.switches = self._history.switches()  # a person's words on whether a workflow is enabled
        self.changed = asyncio.Event()  # set after every commit; whoever feeds on the journal clears it
        self._held_up_by = ""  # what keeps the journal from being written, in words
        self._stored: set[str] = set()  # the definitions that are known to be in the journal
        self._arriving: dict[tuple[str, str], asyncio.Event] = {}  # set once it is known to be there or not

    async def accept_all(
        self,
        events: Sequence[Event],
        *,
        depth: int = 0,
        forced: bool = False,
        batch: Batch | None = None,
        answer: Callable[[Batch, list[Accepted]], None] | None = None,
    ) -> tuple[list[Accepted], list[Live]]:
        """Record events and the runs they start, all in one transaction; durable on return. Known ones do nothing more.

        ``batch`` is written with them; ``answer`` may add to it once it is known what became of them. Gives the runs to
        drive as well.
        """
        batch = batch if batch is not None else Batch()
        checked = [own_source(event.checked()) for event in events]
        keys = [(event.source, event.event_id) for event in checked]
        # All waiting comes before the first is taken in: whoever holds one never waits for another.
        while (other := next((key for key in keys if key in self._arriving), None)) is not None:
            await self._arriving[other].wait()
        accepted: list[Accepted] = []
        spawned: list[Live] = []
        taken: dict[tuple[str, str], int] = {}
        try:
            for key, event in zip(keys, checked, strict=True):
                known = taken.get(key) or self._history.event_seq(*key)
                if known is not None:
                    accepted.append(self._known(known))
                    continue
                found, starting = self._take_in(event, depth, forced, batch)
                accepted.append(found)
                spawned += starting
                taken[key] = found.event_seq
            if answer is not None:
                answer(batch, accepted)
        except BaseException:
            self._arrived(batch)
            raise
        await self.commit(batch)
        return accepted, spawned

    def _known(self, event_seq: int) -> Accepted:
        """An event that arrived before, with the runs it started."""
        rows = self._history.runs_of_event(event_seq)
        return Accepted(event_seq, False, runs=tuple((row.seq, row.run_id, row.workflow_id) for row in rows))

    def _arrived(self, batch: Batch) -> None:
        for key in batch.keys:
            arriving = self._arriving.pop(key, None)
            if arriving is not None:
                arriving.set()

    def _take_in(self, event: Event, depth: int, forced: bool, batch: Batch) -> tuple[Accepted, list[Live]]:
        """Add a new event and its runs to the batch."""
        if depth > MAX_DEPTH:
            raise EventError(
                f"{depth} events in a row led to this {event.event_type}: aie takes that for a loop",
                where=event.source,
                hint="look for workflows that start one another",
            )
        now = self._clock.now()
        if not event.timestamp:
            event = replace(event, timestamp=now.astimezone(self._config.timezone).isoformat(timespec="seconds"))
        plain = event.plain()
        seq = self._journal.next_event()
        batch.add(
            schema.ADD_EVENT, seq, event.source, event.event_id, event.event_type, event.timestamp, stamp(now),
            event.workflow_id, depth, dumps(plain["data"]),
        )  # fmt: skip
        batch.audit.append(self._trail.event_received(plain, now))
        matches = tuple(
            match(
                plain,
                self._candidates(event),
                addressed_to=event.workflow_id,
                switches=self.switches,
                forced=forced,
            )
        )
        batch.keys.add((event.source, event.event_id))
        self._arriving[event.source, event.event_id] = asyncio.Event()
        spawned = []
        for found in matches:
            if found.starts:
                spawned.append(self._begin(found.workflow, plain, seq, depth, now, batch))
            elif found.error is not None:
                workflow = found.workflow
                batch.audit.append(
                    self._trail.condition_failed(workflow.workflow_id, workflow.name, found.error, plain, now)
                )
        runs = tuple((live.seq, live.run.run_id, live.run.workflow.workflow_id) for live in spawned)
        return Accepted(seq, True, matches, runs), spawned

    def _candidates(self, event: Event) -> Iterable[Workflow]:
        shelf = self._library.shelf
        if event.workflow_id is None:
            return shelf.by_event.get(event.event_type, ())
        if event.workflow_id not in shelf.workflows:
            raise NotFoundError(
                f"no workflow has the id {event.workflow_id!r}", where="workflow_id", hint="aie workflows list"
            )
        return (shelf.workflows[event.workflow_id],)

    def _begin(
        self, workflow: Workflow, event: Mapping[str, Json], event_seq: int, depth: int, now: datetime, batch: Batch
    ) -> Live:
        run = Run(self._ids.new("run"), workflow, event, now, self._config.timezone)
        seq = self._journal.next_run()
        if workflow.hash not in self._stored:
            batch.add(schema.ADD_DEFINITION, workflow.hash, workflow.workflow_id, workflow.body)
            batch.definitions.add(workflow.hash)
        batch.add(
            schema.ADD_RUN, seq, run.run_id, event_seq, workflow.workflow_id, 0, workflow.hash, str(RunStatus.RUNNING),
            stamp(now), stamp(now), None, None,
        )  # fmt: skip
        batch.audit.append(self._trail.workflow_started(run))
        return Live(seq, run, depth)

    async def commit(self, batch: Batch, *, surely: bool = False) -> None:
        """Make a batch durable; what feeds on the journal is told.

        ``surely``: while the disk is full or the journal is held by another, wait, because nothing may be built on air.
        """
        if not batch:
            return
        try:
            while True:
                try:
                    await self._journal.commit(batch)
                    break
                except JournalError as error:
                    if not (surely and error.passing):
                        raise
                    await self._hold_on(error)
        finally:
            if batch.keys:
                self._arrived(batch)
        if self._held_up_by:
            log.warning("the journal can be written again")
            self._held_up_by = ""
        self._stored |= batch.definitions
        self.changed.set()

    async def _hold_on(self, error: JournalError) -> None:
        if error.message != self._held_up_by:  # one line for all who wait
            self._held_up_by = error.message
            log.error("%s: %s; %s. All runs wait until it works.", error.where, error.message, error.hint)
        await self._clock.sleep(JOURNAL_RETRY_S)

    def emit(self, events: Sequence[Event], depth: int, batch: Batch) -> list[Live]:
        """Take events into a batch; those that are there already, or on their way, are left out."""
        own = Batch()
        spawned: list[Live] = []
        if not events:
            return spawned
        try:
            for event in events:
                key = event.source, event.event_id
                if key not in self._arriving and self._history.event_seq(*key) is None:
                    spawned += self._take_in(event, depth, False, own)[1]
        except BaseException:
            self._arrived(own)
            raise
        batch.join(own)
        return spawned


def own_source(event: Event) -> Event:
    """The event, unless it claims to come from a person's decision: those are made here, and only here."""
    if event.source == DECISIONS:
        raise EventError(
            f"no event may say it comes from {DECISIONS!r}: that is what decisions are known by",
            where="source",
            hint="give the name of whatever the event comes from",
        )
    return event
