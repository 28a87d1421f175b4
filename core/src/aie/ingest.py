"""Ingest: events come in, once, together with the runs they start."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from msgspec import Struct

from aie import schema
from aie.admission import Admission
from aie.config import Config
from aie.errors import EventError, JournalError, NotFoundError
from aie.events import Event
from aie.history import History
from aie.journal import Batch, Journal, opt, stamp
from aie.library import Library
from aie.live import Live
from aie.match import Match, match
from aie.plain import Json, dumps
from aie.run import Run
from aie.seams import Clock, Ids
from aie.trail import Trail
from aie.workflow import Workflow

log = logging.getLogger("aie.engine")

JOURNAL_RETRY_S = 2.0
MAX_DEPTH = 16  # how many events may lead to one another before aie takes it for a loop
DECISIONS = "approvals"  # the source of the events that decisions make


class Accepted(Struct, frozen=True):
    """What became of an event: ``new`` is False when it had arrived before.

    ``matches`` has everyone who started or failed; ``ask_everyone`` works out the answer of each workflow.
    """

    event_seq: int
    new: bool
    matches: tuple[Match, ...] = ()
    runs: tuple[tuple[int, str, str], ...] = ()  # (run seq, run id, workflow id)
    ask_everyone: Callable[[], Iterable[Match]] = tuple


class Ingest:
    """The door. What it takes in is in the journal, runs included, before anybody is told it was accepted."""

    def __init__(
        self,
        config: Config,
        library: Library,
        journal: Journal,
        trail: Trail,
        clock: Clock,
        ids: Ids,
        admission: Admission,
        spawn: Callable[[Live], None],
    ) -> None:
        self._config = config
        self._library = library
        self._journal = journal
        self._history = History(journal.reader)
        self._trail = trail
        self._clock = clock
        self._ids = ids
        self._admission = admission
        self._spawn = spawn  # is given each run that begins, once it is durable
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
    ) -> list[Accepted]:
        """Record events and the runs they start, all in one transaction; durable on return. Known ones do nothing more.

        ``batch`` is written with them; ``answer`` may add to it once it is known what became of them.
        """
        batch = batch if batch is not None else Batch()
        checked = [own_source(event.checked()) for event in events]
        keys = [(event.source, event.event_id) for event in checked]
        # All waiting comes before the first is taken in: whoever holds one never waits for another.
        while (other := next((key for key in keys if key in self._arriving), None)) is not None:
            await self._arriving[other].wait()
        accepted: list[Accepted] = []
        taken: dict[tuple[str, str], int] = {}
        try:
            for key, event in zip(keys, checked, strict=True):
                known = taken.get(key) or self._history.event_seq(*key)
                if known is not None:
                    accepted.append(self._known(known))
                    continue
                found = self._take_in(event, depth, forced, batch)
                accepted.append(found)
                taken[key] = found.event_seq
            if answer is not None:
                answer(batch, accepted)
        except BaseException:
            batch.give_up()
            raise
        await self.commit(batch)
        return accepted

    def _known(self, event_seq: int) -> Accepted:
        """An event that arrived before, with the runs it started."""
        rows = self._history.runs_of_event(event_seq)
        return Accepted(event_seq, False, runs=tuple((row.seq, row.run_id, row.workflow_id) for row in rows))

    def _arrived(self, key: tuple[str, str]) -> None:
        self._arriving.pop(key).set()

    def _take_in(self, event: Event, depth: int, forced: bool, batch: Batch) -> Accepted:
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
        ask = partial(match, plain, addressed_to=event.workflow_id, switches=dict(self.switches), forced=forced)
        everyone = asked = self._candidates(event)
        if event.workflow_id is None and not forced:
            asked = self._library.shelf.index(event.event_type).candidates(plain)
        matches = tuple(ask(asked))
        key = event.source, event.event_id
        self._arriving[key] = asyncio.Event()
        arrived = partial(self._arrived, key)
        batch.then.append(arrived)
        batch.otherwise.append(arrived)
        guarded = not forced and event.source != DECISIONS  # a person does not run wild
        answers, runs = [], []
        for found in matches:
            answer = found
            if found.starts:
                live, reason = self._begin(found.workflow, plain, seq, depth, now, batch, guarded)
                if live is None:
                    answer = Match(found.workflow, False, reason)
                else:
                    runs.append((live.seq, live.run.run_id, live.run.workflow.workflow_id))
            elif found.error is not None:
                batch.audit.append(self._trail.condition_failed(found.workflow, found.error, plain, now))
            answers.append(answer)
        return Accepted(seq, True, tuple(answers), tuple(runs), partial(ask, everyone))

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
        self,
        workflow: Workflow,
        event: Mapping[str, Json],
        event_seq: int,
        depth: int,
        now: datetime,
        batch: Batch,
        guarded: bool,
    ) -> tuple[Live | None, str]:
        """Add a new run to the batch; None, and why, if it does not start."""
        workflow_id = workflow.workflow_id
        seq = self._journal.next_run()
        verdict = self._admission.judge(workflow, str(event["source"]), seq, now, guarded=guarded)
        if verdict.status is None:
            batch.audit.append(self._trail.workflow_skipped(workflow, verdict.reason, event, now))
            return None, verdict.reason
        run = Run(self._ids.new("run"), workflow, event, now, self._config.timezone)
        if workflow.hash not in self._stored:
            batch.add(schema.ADD_DEFINITION, workflow.hash, workflow_id, workflow.body)
            batch.then.append(partial(self._stored.add, workflow.hash))
        batch.add(
            schema.ADD_RUN, seq, run.run_id, event_seq, workflow_id, 0, workflow.hash, str(verdict.status),
            stamp(now), stamp(now), None, opt(verdict.on_record),
        )  # fmt: skip
        batch.audit.append(self._trail.workflow_started(run, verdict.status, verdict.reason))
        live = Live(seq, run, depth, verdict.status)
        batch.then.append(partial(self._spawn, live))
        batch.otherwise.append(partial(self._admission.forget, workflow_id, seq))
        return live, ""

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
        except JournalError:
            batch.give_up()
            raise
        if self._held_up_by:
            log.warning("the journal can be written again")
            self._held_up_by = ""
        self.changed.set()

    def relies_on(self, hash_: str) -> bool:
        """Whether runs may begin without writing this definition again."""
        return hash_ in self._stored

    async def _hold_on(self, error: JournalError) -> None:
        if error.message != self._held_up_by:  # one line for all who wait
            self._held_up_by = error.message
            log.error("%s: %s; %s. All runs wait until it works.", error.where, error.message, error.hint)
        await self._clock.sleep(JOURNAL_RETRY_S)

    def emit(self, events: Sequence[Event], depth: int, batch: Batch) -> None:
        """Take events into a batch; those that are there already, or on their way, are left out."""
        own = Batch()
        try:
            for event in events:
                key = event.source, event.event_id
                if key not in self._arriving and self._history.event_seq(*key) is None:
                    self._take_in(event, depth, False, own)
        except BaseException:
            own.give_up()
            raise
        batch.join(own)


def own_source(event: Event) -> Event:
    """The event, unless it claims to come from a person's decision: those are made here, and only here."""
    if event.source == DECISIONS:
        raise EventError(
            f"no event may say it comes from {DECISIONS!r}: that is what decisions are known by",
            where="source",
            hint="give the name of whatever the event comes from",
        )
    return event
