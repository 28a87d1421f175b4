"""Retention: keeps the journal within its limits. The oldest goes first, a little at a time, in between other things.

An event goes together with its runs, once all of them have ended; 16 bytes are left of it, so that it is known if it
comes again. Audit records go when every sink has them and the events of their time are gone. Each slice is one
transaction of the journal, so what is cut off at any point is as whole as before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aie import schema
from aie.builtin.audit_age import outdated
from aie.builtin.sinks import AUDIT_FOLDER
from aie.engine import Engine
from aie.errors import AieError, JournalError
from aie.history import AUDIT_START, FILES_CURSOR, FILES_START, seen_key
from aie.journal import WAL_SHRINKS_TO_BYTES, Batch, stamp
from aie.journal_file import fold_in, log_bytes
from aie.past import OldEvent, OldRun, Past
from aie.plain import dumps
from aie.plugins.plugin import Offer
from aie.records import AuditSink
from aie.run import RunStatus

log = logging.getLogger("aie.retention")

LOOK_S = 10.0
LONGEST_PAUSE_S = 600.0
SHARE_AT_ONCE = 50  # what comes in does not wait for the pause to end once it is a fiftieth of what is kept
LEAST_REST_S = 0.002
SLICE_ROWS = 1_000  # about 5 µs each
SLICE_BYTES = 1_000_000
PAGE = 100  # events looked at together
SETTLED = timedelta(seconds=10)  # whoever waited for a run has seen its end by then
LEAST_EVENTS = 1_000  # the newest stay however large the journal is
REQUESTS_KEPT = timedelta(days=1)
DEFINITIONS_AT_ONCE = 10
CLOCK_STEP = timedelta(days=1)
CLOCK_PROVEN = timedelta(hours=1)
LARGE_LOG_BYTES = 64_000_000
BEHIND = 1.1  # times its limit: from here on keeping up matters more than being out of the way
FREE_MOST, FREE_LEAST = 0.25, 0.1  # of the file: space for what comes next; what is free beyond it is given back
FREE_PAGES = 4_000  # never given back, because it is soon needed again

_ENDED = frozenset(str(status) for status in RunStatus if status.ended)
_ALL = 2**31  # more steps than a run has


@dataclass(slots=True)
class Removed:
    """What a sweep took away."""

    events: int = 0
    runs: int = 0
    audit: int = 0

    def __bool__(self) -> bool:
        return bool(self.events or self.runs or self.audit)


@dataclass(slots=True)
class _Slice:
    """What one transaction takes away: enough for a few milliseconds."""

    batch: Batch = field(default_factory=Batch)
    rows: int = 0  # looked at or taken away
    size_bytes: int = 0
    removed: Removed = field(default_factory=Removed)

    @property
    def full(self) -> bool:
        return self.rows >= SLICE_ROWS or self.size_bytes >= SLICE_BYTES

    def add(self, statement: str, *values: object, size_bytes: int = 0) -> None:
        self.batch.add(statement, *values)
        self.rows += 1
        self.size_bytes += size_bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the past ends, as of now. Times are text, as the journal writes them."""

    tomorrow: str
    cutoff: str  # what is older goes
    settled: str
    event_floor: int  # events without runs go up to here, and runs up to here
    run_floor: int
    last_event: int  # the last one that may go for its number
    last_by_size: int  # 0 when the journal is not too large
    newest_event: int  # these stay, so that no number is used twice
    newest_run: int

    def reach(self, event: OldEvent) -> bool:
        """Whether this event, or one after it, may go."""
        if event.received_at > self.tomorrow:  # the clock was wrong then: what came later is not held up by that
            return event.seq < self.newest_event
        due = event.received_at < self.cutoff or event.seq <= max(self.last_event, self.last_by_size)
        return due and event.received_at < self.settled and event.seq < self.newest_event

    def over(self, event: OldEvent, runs: Sequence[OldRun]) -> bool:
        """Whether it goes, its runs with it."""
        if not all(
            run.status in _ENDED and run.changed_at < self.settled and run.seq < self.newest_run for run in runs
        ):
            return False
        return (
            (event.received_at < self.cutoff and all(run.changed_at < self.cutoff for run in runs))
            or (event.seq <= self.event_floor if not runs else all(run.seq <= self.run_floor for run in runs))
            or event.seq <= self.last_by_size
        )


class Keeper:
    """Takes away what is past its time while the engine runs."""

    def __init__(self, engine: Engine, sinks: Sequence[Offer[AuditSink]]) -> None:
        self._engine = engine
        self._past = Past(engine.journal.reader)
        self._cursors = [f"sink:{offer.plugin}.{offer.item.name}" for offer in sinks]
        self._after = 0  # the sweep has seen the events up to here
        self._audit_held_up = False  # by a sink: while it is, taking events away would not make the journal small
        self._giving_back = False
        self._log_is_large = False
        self._files_trouble = ""
        self._seen: datetime | None = None  # the time when last looked at
        self._believed_from: datetime | None = None  # when nothing goes by age, until when

    async def run(self) -> None:
        """Sweep now and then, until cancelled: soon again while there was something to take away, else more seldom."""
        pause_s, waited_s, event_seq = LOOK_S, 0.0, 0
        while True:
            await self._engine.clock.sleep(LOOK_S)
            waited_s += LOOK_S
            try:
                await self._watch_log()
                came = self._engine.journal.event_seq - event_seq
                if waited_s < pause_s and came * SHARE_AT_ONCE < self._engine.config.retention.runs:
                    continue
                removed = await self.sweep()
                await self.clear_files()
            except JournalError as error:
                if error.damaged:
                    raise
                log.warning("what is past its time could not be taken away yet: %s", error)
                removed = Removed()
            pause_s = LOOK_S if removed else min(2 * pause_s, LONGEST_PAUSE_S)
            waited_s, event_seq = 0.0, self._engine.journal.event_seq

    async def _watch_log(self) -> None:
        """A reader that does not end keeps the write-ahead log growing; once it is gone, the log shrinks."""
        path = self._engine.journal.path
        size_bytes = log_bytes(path)
        if size_bytes > LARGE_LOG_BYTES and not self._log_is_large:
            log.warning(
                "%s-wal has grown to %d MB: another program has been reading the journal for long; close it",
                path, size_bytes // 1_000_000,
            )  # fmt: skip
        self._log_is_large = size_bytes > LARGE_LOG_BYTES
        if size_bytes > WAL_SHRINKS_TO_BYTES:
            await asyncio.to_thread(fold_in, path)

    async def sweep(self) -> Removed:
        """Take away everything that may go by now."""
        journal, loop = self._engine.journal, asyncio.get_running_loop()
        total, self._after = Removed(), 0
        self._believe(self._engine.clock.now())
        while True:
            began_s = loop.time()
            part = self._next_slice()
            took_s = 2 * (loop.time() - began_s)  # to take it away costs about as much as to find it
            if part.batch:
                await journal.commit(part.batch)
                total.events += part.removed.events
                total.runs += part.removed.runs
                total.audit += part.removed.audit
            elif not part.rows:
                break
            await self._make_way(took_s)
        if total:
            log.info("retention: %d events, %d runs, %d audit records", total.events, total.runs, total.audit)
        return total

    async def clear_files(self) -> None:
        """Delete the audit files that are older than ``audit_days``, when that is set."""
        days = self._engine.config.retention.audit_days
        if days is None or self._believed_from is not None or FILES_CURSOR not in self._cursors:
            return
        folder = self._engine.config.vault / AUDIT_FOLDER
        first_day = (self._engine.clock.now() - timedelta(days=days)).date().isoformat()
        start = self._past.audit_start(files=True)
        try:
            paths, after = await asyncio.to_thread(outdated, folder, first_day, start)
            if after != start:  # before they go, so that nobody misses them
                batch = Batch()
                batch.add(schema.PUT_META, FILES_START, dumps(list(after)))
                await self._engine.journal.commit(batch)
            for path in paths:
                await asyncio.to_thread(path.unlink)
                log.info("retention: %s", path.name)
        except (OSError, AieError) as error:
            if isinstance(error, JournalError):
                raise
            if str(error) != self._files_trouble:
                log.warning("the old files in %s stay: %s", folder, error)
            self._files_trouble = str(error)

    def _believe(self, now: datetime) -> None:
        """A clock that has jumped, or may have while aie was off, is given an hour to be put right.

        Otherwise one that says 2099 for a moment would take everything away.
        """
        if self._seen is None:
            newest = self._past.audit(after=self._engine.journal.audit_seq - 1, limit=1)
            self._seen = datetime.fromisoformat(str(newest[0].fields["timestamp"])) if newest else now
        if not self._seen - CLOCK_STEP <= now <= self._seen + CLOCK_STEP:
            self._believed_from = now + CLOCK_PROVEN
        elif self._believed_from is not None and now >= self._believed_from:
            self._believed_from = None
        self._seen = now

    async def _make_way(self, took_s: float) -> None:
        """Let others work; if any do, and it can wait, much longer than it took."""
        commits = self._engine.journal.commits
        await asyncio.sleep(LEAST_REST_S)
        if self._engine.journal.commits > commits and not self._is_behind():
            await asyncio.sleep(8 * took_s)

    def _is_behind(self) -> bool:
        kept = self._engine.config.retention
        return (
            self._past.runs_kept() > BEHIND * kept.runs or self._past.space().used_bytes > BEHIND * kept.size_mb * 1e6
        )

    # --- one slice -----------------------------------------------------------------------------------------------

    def _next_slice(self) -> _Slice:
        part, limits = _Slice(), self.limits()
        for take in (self._take_audit, self._take_events, self._take_requests, self._take_definitions, self._shrink):
            take(part, limits)
            if part.batch or part.full:
                break
        return part

    def limits(self) -> Limits:
        """Where the past ends now."""
        engine, kept = self._engine, self._engine.config.retention
        journal, now = engine.journal, engine.clock.now()
        event_floor, run_floor = journal.event_seq - kept.runs, journal.run_seq - kept.runs
        too_large = self._past.space().used_bytes > kept.size_mb * 1e6
        return Limits(
            tomorrow=stamp(now + timedelta(days=1)),
            cutoff=stamp(now - timedelta(days=kept.days)) if self._believed_from is None else "",
            settled=stamp(now - SETTLED),
            event_floor=event_floor,
            run_floor=run_floor,
            last_event=max(event_floor, self._past.event_of_run(run_floor)),
            last_by_size=journal.event_seq - LEAST_EVENTS if too_large and not self._audit_held_up else 0,
            newest_event=self._past.newest_event(),
            newest_run=self._past.newest_run(),
        )

    def _take_audit(self, part: _Slice, limits: Limits) -> None:
        """The audit records of the time before the oldest event that the sweep has not gone past, if every sink has
        them.
        """
        coming = next((event.seq for event in self._past.oldest(after=self._after)), limits.newest_event)
        mark = self._past.last_mark(event=coming, before=limits.cutoff)
        last = min(mark, self._delivered(), self._engine.journal.audit_seq - 1)
        self._audit_held_up = last < mark
        if last < self._past.audit_start()[0]:
            return
        going = 0
        for seq, size_bytes in self._past.audit_sizes(limit=SLICE_ROWS):
            if seq > last or part.full:
                break
            going = seq
            part.rows += 1
            part.size_bytes += size_bytes
        if going:
            start = dumps([going + 1, self._past.audit_hash(going)])
            part.batch.add(schema.PUT_META, AUDIT_START, start)
            if self._past.cursor(FILES_CURSOR) is None:  # no file has any of them: they begin here if they ever do
                part.batch.add(schema.PUT_META, FILES_START, start)
            part.batch.add(schema.DROP_AUDIT, going)
            part.batch.add(schema.DROP_MARKS, going)
            part.removed.audit = part.rows

    def _delivered(self) -> int:
        """Up to which number every sink has the audit records, for sure."""
        at = [self._past.cursor(name) for name in self._cursors]
        return min((seq if isinstance(seq, int) else 0 for seq in at), default=self._engine.journal.audit_seq)

    def _take_events(self, part: _Slice, limits: Limits) -> None:
        while page := self._past.oldest(after=self._after, limit=PAGE):
            for event in page:
                if not limits.reach(event):
                    return
                part.rows += 1
                runs = self._past.runs_from(event.seq)
                if limits.over(event, runs) and not self._take_event(part, event, runs):
                    return
                self._after = event.seq
                if part.full:
                    return

    def _take_event(self, part: _Slice, event: OldEvent, runs: Sequence[OldRun]) -> bool:
        """Whether all of it fits into the slice; the rest goes with the next ones."""
        for run in runs:
            for position, size_bytes in self._past.step_sizes(run.seq):
                if part.full:
                    part.batch.add(schema.DROP_STEPS, run.seq, position)
                    return False
                part.rows += 1
                part.size_bytes += size_bytes
            part.add(schema.DROP_STEPS, run.seq, _ALL)
            part.add(schema.DROP_APPROVALS, run.seq)
            part.add(schema.DROP_RULE_USES, run.seq)
            part.add(schema.DROP_CRASHES, run.seq)
            part.add(schema.DROP_RUN, run.seq)
            part.removed.runs += 1
            if part.full and run is not runs[-1]:
                return False
        part.add(schema.ADD_SEEN, seen_key(event.source, event.event_id))
        part.add(schema.DROP_EVENT, event.seq, size_bytes=event.size_bytes)
        part.removed.events += 1
        return True

    def _take_requests(self, part: _Slice, limits: Limits) -> None:
        before = stamp(self._engine.clock.now() - REQUESTS_KEPT)
        for number, size_bytes in self._past.answered(before=before, limit=SLICE_ROWS):
            part.add(schema.DROP_REQUEST, number, size_bytes=size_bytes)
            if part.full:
                return

    def _take_definitions(self, part: _Slice, limits: Limits) -> None:
        unused = [hash_ for hash_ in self._past.unused_definitions() if not self._engine.relies_on(hash_)]
        for hash_ in unused[:DEFINITIONS_AT_ONCE]:
            part.add(schema.DROP_DEFINITION, hash_)

    def _shrink(self, part: _Slice, limits: Limits) -> None:
        """Give space back to the disk when much of the file is free; some is left for what comes next."""
        space = self._past.space()
        share = FREE_LEAST if self._giving_back else FREE_MOST
        self._giving_back = space.can_shrink and space.free > max(FREE_PAGES, share * space.pages)
        if self._giving_back:
            part.add(schema.GIVE_PAGES_BACK)
