"""The driver: drives the machine for real. Every change is in the journal before anything is built on it.

A run is *live* while something of it is being carried out; one that waits, for a time, a person or a plugin, is only
rows in the journal. Each live run has one driver: it asks the machine what follows, commits that, and carries it out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aie import asking, machine, probation, schema
from aie.act import GRACE_S, BoundTraits, DirectCaller, PluginCaller, overdue
from aie.actions import Effect
from aie.admission import WITHIN, Admission
from aie.approvals import Approval, ApprovalState
from aie.config import Config
from aie.credentials import CredentialStore
from aie.equipment import Equipment
from aie.errors import DefinitionError, EventError, JournalError, NotFoundError
from aie.events import Event
from aie.history import History
from aie.ingest import Accepted, Ingest, own_source
from aie.journal import FILE_NAME, Batch, Journal, stamp
from aie.judge import Judge, rule_book
from aie.library import Library
from aie.live import Attempt, Live, Standing
from aie.machine import Call, CallOutcome, Failure, Unknown
from aie.pause import Pause
from aie.permission import EXPIRY
from aie.plugins.registry import Registry
from aie.rota import Rota
from aie.run import RunStatus, StepRecord, StepStatus
from aie.seams import Clock, Ids, RandomIds, SystemClock
from aie.templates import TemplateCompiler
from aie.timers import Timers, first
from aie.trail import Trail
from aie.workflow import Workflow, parse_workflow

log = logging.getLogger("aie.engine")

STOP_WITHIN_S = 3.0
KEPT_AT_HAND = 2_000  # new runs that wait for a driver


class Driver:
    """Takes events in and drives runs; begin with :meth:`start` in a running event loop, end with :meth:`stop`."""

    def __init__(
        self,
        config: Config,
        registry: Registry,
        library: Library,
        compiler: TemplateCompiler,
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        caller: PluginCaller | None = None,
        open_journal: Callable[[Path], Journal] = Journal,
        credentials: CredentialStore | None = None,
    ) -> None:
        self.config = config
        self.credentials = credentials or CredentialStore(None, {})
        self.registry = registry
        self.library = library
        self.clock: Clock = clock or SystemClock()
        self.ids: Ids = ids or RandomIds()
        self.trail = Trail(self.ids.new("ses"))
        self.approvals_revision = 0
        self._compiler = compiler
        self._caller = caller or DirectCaller()
        self._open_journal = open_journal
        self._equipment = Equipment(config, registry, self.credentials)
        self._pinned: dict[str, Workflow] = {}
        self._live: dict[int, Live] = {}
        self._rota = Rota(config.max_runs, self._drive_to_rest)
        self._timers = Timers(self.clock, self._nudge)
        self.admission = Admission(config.starts_per_minute, self._rota.add)
        self._watchers: dict[int, list[asyncio.Future[Standing]]] = {}
        self.failure: asyncio.Future[None]  # fails when nothing more can be built on the journal
        self._stopping = False
        self._loops: list[asyncio.Task[None]] = []

    # --- life ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the journal and go on with every run where it stood."""
        self.failure = asyncio.get_running_loop().create_future()
        self.failure.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen, also if nobody asks
        self.journal = self._open_journal(self.config.state_dir / FILE_NAME)
        try:
            self.history = History(self.journal.reader)
            self._ingest = Ingest(
                self.config, self.library, self.journal, self.trail, self.clock, self.ids, self.admission, self._spawn
            )
            now = self.clock.now()
            self._judge = Judge(rule_book(self.registry, self.config, self.history, now), self._equipment.context_of)
            self._equipment.judge = self._judge
            self.pause = Pause(self.config.vault, self.history)
            await self._forget_requests(now)
            self.library.refresh()
            await self._go_on()
        except BaseException:
            self.journal.close()
            raise
        self._loops = [asyncio.create_task(self._timers.run()), asyncio.create_task(self._watch_attempts())]

    async def _go_on(self) -> None:
        """Take up every run where it stood."""
        batch, now = Batch(), self.clock.now()
        crashes = probation.blame(self.history, self.config.max_runs, batch)
        await self.commit(batch)
        self._rota.alone = {seq for seq, count in crashes.items() if count == probation.ALONE_FROM}
        for seq, count in crashes.items():
            if count >= probation.PARKED_FROM:
                await self._park(seq)
        queued = self._restore_admission(now)
        for seq in sorted(self._rota.alone):
            self._rota.add(seq)
        for seq, status, wake_at in self.history.open_runs():
            if status in (RunStatus.RUNNING, RunStatus.BLOCKED) and seq not in self._rota.alone:
                self._rota.leave_over(seq)
            if wake_at is not None:
                self._timers.add(wake_at, seq)
        self._rota.fill()
        for seq, hash_ in queued:
            workflow = self._compile_pinned(hash_, self.history.definition(hash_))
            if self.admission.place(workflow, seq).status is RunStatus.RUNNING:
                self._rota.add(seq)

    def _restore_admission(self, now: datetime) -> list[tuple[int, str]]:
        """Tell it what is under way and held, and what began lately; gives (number, definition hash) of the queued."""
        for workflow_id, source, at in self.history.recent_starts(now - WITHIN, self.config.starts_per_minute):
            self.admission.count(workflow_id, source, at)
        queued = []
        for seq, workflow_id, hash_, status, held_by in self.history.open_by_workflow():
            if status is RunStatus.HELD:
                self.admission.hold(held_by, seq)
            elif status is RunStatus.QUEUED:
                queued.append((seq, hash_))
            else:
                self.admission.enter(workflow_id, seq)
        return queued

    async def _park(self, seq: int) -> None:
        """Leave what a run does next to a person's word, because aie has died of it or beside it too often."""
        live, now = self._revive(seq), self.clock.now()
        following = machine.advance(live.run, self._equipment.traits_of, now)
        if not following.calls:  # nothing that could have done it: it goes on, or ends, as any other
            del self._live[seq]
            return
        live.run = following.run
        for record in following.changed:
            self._put_step(live, record)
        for call in following.calls:
            action_type = live.run.workflow.steps[call.index].action_type
            error = f"aie died {probation.PARKED_FROM} times while {action_type} was under way"
            live.run = machine.suspect(live.run, call, error, now)
            self._put_step(live, live.run.steps[call.index])
        after = machine.advance(live.run, self._equipment.traits_of, now)
        live.batch.set_run(seq, after.status, now, after.wake_at, after.error)
        await self._write(live)
        del self._live[seq]

    async def _forget_requests(self, now: datetime) -> None:
        """Drop what other commands asked and were answered long ago."""
        before = stamp(now - timedelta(days=1))
        if self.history.answered_before(before):
            batch = Batch()
            batch.add(schema.PRUNE_INTAKE, before)
            await self.commit(batch)

    @property
    def changed(self) -> asyncio.Event:
        """Set after every commit; whoever feeds on the journal clears it."""
        return self._ingest.changed

    @property
    def switches(self) -> dict[str, bool]:
        """A person's words on whether a workflow is enabled, which outweigh its file."""
        return self._ingest.switches

    def relies_on(self, hash_: str) -> bool:
        """Whether a definition that the journal has must stay there, because runs may begin that refer to it."""
        return self._ingest.relies_on(hash_)

    async def stop(self, *, last: Callable[[], Awaitable[Any]] | None = None) -> None:
        """Let what is being carried out come to its end or be cut off, then close. Nothing is lost either way.

        ``last`` is called when nothing more will happen and the journal is still open.
        """
        self._stopping = True
        self._rota.close()
        for loop in self._loops:
            loop.cancel()
        drivers = set(self._rota.drivers.values())
        if drivers:
            _, late = await asyncio.wait(drivers, timeout=STOP_WITHIN_S)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=GRACE_S)
        await self.journal.rest()  # a source that was cut off may have handed something in
        if self._rota.waits or drivers:
            with contextlib.suppress(JournalError):  # then these runs count as having been there when aie died
                await self.journal.commit(probation.stopped())
        try:
            if last is not None:
                await last()
        finally:
            self.journal.close()

    async def idle(self, linger_s: float = 0.0) -> None:
        """Wait until every run has ended or is parked; timers due within ``linger_s`` from now are waited for."""
        until = self.clock.now() + timedelta(seconds=linger_s)
        while True:
            await self._rota.quiet.wait()
            if not self._timers.any_by(until) and self._rota.quiet.is_set():
                return
            await asyncio.sleep(0.005)

    # --- events --------------------------------------------------------------------------------------------------

    async def accept(self, event: Event) -> Accepted:
        """Record one event and the runs it starts; see :meth:`accept_all`."""
        return (await self.accept_all([event]))[0]

    async def accept_all(
        self,
        events: Sequence[Event],
        *,
        forced: bool = False,
        batch: Batch | None = None,
        answer: Callable[[Batch, list[Accepted]], None] | None = None,
    ) -> list[Accepted]:
        """Record events and drive the runs they start; see :meth:`Ingest.accept_all`."""
        return await self._ingest.accept_all(events, forced=forced, batch=batch, answer=answer)

    async def commit(self, batch: Batch) -> None:
        """Make a batch durable; what feeds on the journal is told."""
        await self._ingest.commit(batch)

    async def switch(self, workflow_id: str, enabled: bool, *, by: str) -> None:
        """A person enables or disables a workflow, whatever its file says."""
        if workflow_id not in self.library.shelf.workflows:
            raise NotFoundError(
                f"no workflow has the id {workflow_id!r}", where="workflow_id", hint="aie workflows list"
            )
        now = self.clock.now()
        batch = Batch()
        batch.add(schema.PUT_SWITCH, workflow_id, int(enabled), stamp(now))
        done = "enabled" if enabled else "disabled"
        batch.audit.append(self.trail.record(f"workflow_{done}", workflow_id, done, now, actor=by))
        await self.commit(batch)
        self.switches[workflow_id] = enabled

    # --- runs ----------------------------------------------------------------------------------------------------

    async def ended(self, run_seq: int) -> Standing:
        """How a run stands once it has ended or is parked."""
        if not self._is_under_way(run_seq):
            row = self.history.run(run_seq)
            if row.status is not RunStatus.QUEUED:
                return Standing(row.status, row.wake_at, row.error)
        future: asyncio.Future[Standing] = asyncio.get_running_loop().create_future()
        self._watchers.setdefault(run_seq, []).append(future)
        return await future

    def _is_under_way(self, run_seq: int) -> bool:
        return run_seq in self._live or run_seq in self._rota

    def _spawn(self, live: Live) -> None:
        """Drive a new run, now or as soon as fewer than ``max_runs`` others are being driven."""
        self._pinned.setdefault(live.run.workflow.hash, live.run.workflow)
        if live.status is not RunStatus.RUNNING:  # its turn comes later
            self.approvals_revision += live.status is RunStatus.HELD
            return
        if self._rota.new < KEPT_AT_HAND:  # else it is loaded when its turn comes
            self._live[live.seq] = live
        self._rota.add(live.seq)

    def _revive(self, seq: int, position: int | None = None) -> Live:
        """A parked run, back in memory; whoever does this changes it or drives it.

        With a ``position`` only if that step waits for a person, so that a refused answer leaves nothing behind.
        """
        live = self._live.get(seq)
        if live is None:
            row = self.history.run(seq)
            run = self.history.load_run(seq, self._compile_pinned, self.config.timezone)
            depth = self.history.event(row.event_seq).depth
            live = Live(seq, run, depth, status=row.status, wake_at=row.wake_at)
            if position is None or run.waits_for_a_person(position):
                self._live[seq] = live
        return live

    def _compile_pinned(self, hash_: str, body: str) -> Workflow:
        workflow = self._pinned.get(hash_)
        if workflow is None:
            workflow = parse_workflow(body, self._compiler, where=f"the journal's copy {hash_[:15]}")
            self._pinned[hash_] = workflow
        return workflow

    async def _drive_to_rest(self, seq: int) -> None:
        me = asyncio.current_task()
        standing: Standing | BaseException = asyncio.CancelledError()
        try:
            if seq in self._rota.alone:
                await self._ingest.commit(probation.alone(seq), surely=True)
            live = self._revive(seq)
            live.nudge = asyncio.Event()
            self.admission.enter(live.run.workflow.workflow_id, seq)
            if live.run.workflow.mode == "restart" and not live.run.steps:
                await self._cancel_earlier(live)
            await self._drive(live)
            standing = Standing(live.status, live.wake_at, live.error)
            if seq in self._rota.alone:
                await self._ingest.commit(probation.alone(None), surely=True)
        except DefinitionError as error:  # what the journal has of it was written for another version of aie
            standing = await self._block(seq, error)
        except Exception as error:
            standing = error
            if not (isinstance(error, JournalError) and error.damaged):
                log.critical("run number %d could not be driven on", seq, exc_info=True)
            elif not self.failure.done():
                self.failure.set_exception(error)
        finally:
            if self._rota.drivers.get(seq) is me:  # else it was left behind, and the run goes on elsewhere
                del self._rota.drivers[seq]
                self._rota.alone.discard(seq)
                self._let_go(seq, standing)
            self._rota.fill()

    async def _block(self, seq: int, error: DefinitionError) -> Standing:
        log.error("run number %d cannot go on: %s", seq, error)
        batch = Batch()
        batch.set_run(seq, RunStatus.BLOCKED, self.clock.now(), None, error.as_dict())
        await self._ingest.commit(batch, surely=True)
        return Standing(RunStatus.BLOCKED, None, error.as_dict())

    def _let_go(self, seq: int, standing: Standing | BaseException) -> None:
        """Forget a run that has ended, is parked, or could not be driven on; who waits for it is told."""
        live = self._live.pop(seq, None)
        self.admission.leave(live.run.workflow.workflow_id if live else self.history.run(seq).workflow_id, seq)
        for watcher in self._watchers.pop(seq, ()):
            if watcher.done():
                continue
            if isinstance(standing, Standing):
                watcher.set_result(standing)
            elif isinstance(standing, asyncio.CancelledError):
                watcher.cancel()
            else:
                watcher.set_exception(standing)
        if isinstance(standing, Standing) and standing.wake_at is not None and not standing.status.ended:
            self._timers.add(standing.wake_at, seq)

    async def _drive(self, live: Live) -> None:
        """Drive a run until it rests, or until this driver is left behind."""
        assert live.nudge is not None
        me = asyncio.current_task()
        calls: set[asyncio.Task[None]] = set()
        try:
            while not self._stopping:
                live.nudge.clear()
                if live.answers:
                    await live.nudge.wait()
                    continue
                following = self._advance(live)
                await self._write(live)
                if len(following.calls) == 1 and not calls:
                    await self._carry_out(live, following.calls[0])
                    if self._rota.drivers.get(live.seq) is not me:
                        return
                    continue
                calls |= {asyncio.create_task(self._carry_out(live, call)) for call in following.calls}
                if calls:
                    await first(live.nudge.wait(), *calls)
                    calls = {call for call in calls if not call.done() and call not in live.left_behind}
                elif not live.nudge.is_set() and not live.answers:
                    return
            await asyncio.gather(*calls)
            await self._write(live)
        finally:
            for call in calls:
                call.cancel()

    def _advance(self, live: Live) -> machine.Advance:
        """Ask the machine what follows, and add it to what is to be written."""
        now = self.clock.now()
        following = machine.advance(live.run, self._equipment.traits_of, now, live.busy, self.pause.why())
        live.run = following.run
        for record in following.changed:
            self._put_step(live, record)
        for call in following.calls:
            live.busy[call.index] = None
        status, wake_at = following.status, following.wake_at
        if status is not live.status or wake_at != live.wake_at:
            live.batch.set_run(live.seq, status, now, wake_at, following.error)
            if status.ended:
                live.batch.audit.append(self.trail.run_ended(live.run, status, now, following.error))
            live.status, live.wake_at, live.error = status, wake_at, following.error
        return following

    def _put_step(self, live: Live, record: StepRecord, duration_ms: int | None = None) -> None:
        live.batch.put_step(live.seq, record)
        self._judge.count(live.seq, record, live.batch)
        if record.status is StepStatus.ASKED:
            live.to_ask.append(record)
        elif record.status is StepStatus.REJECTED and (record.approval or {}).get("channel") == EXPIRY:
            self._expire(live, record)
        elif record.approval_id is not None or record.status is StepStatus.UNCERTAIN:
            live.batch.then.append(self._show_anew)
        traits = self._equipment.known(live.run.workflow.steps[record.index].action_type)
        effect: Effect | None = traits.handler.effect if traits else None
        fields = self.trail.step(live.run, record, effect=effect, duration_ms=duration_ms)
        if fields is not None:
            live.batch.audit.append(fields)

    async def _write(self, live: Live) -> None:
        """Commit what the run has gathered, then start the runs that came with it."""
        while live.to_ask:
            record = live.to_ask.pop(0)
            traits = self._equipment.traits_of(live.run.workflow.steps[record.index].action_type)
            context = self._equipment.context_of(live.run, live.run.workflow.steps[record.index], traits)
            await asking.ask(live, record, traits, self.trail, context)
            live.batch.then.append(self._show_anew)
        if not live.batch:
            return
        batch, live.batch = live.batch, Batch()
        batch.at_once = len(self._rota.drivers) == 1
        await self._ingest.commit(batch, surely=True)

    def _show_anew(self) -> None:
        """Approvals or notices are others than before, and channels should look."""
        self.approvals_revision += 1

    async def _carry_out(self, live: Live, call: Call) -> None:
        """Make one call and take its outcome into the run."""
        step = live.run.workflow.steps[call.index]
        traits = self._equipment.traits_of(step.action_type)
        task = asyncio.current_task()
        give_up_at_s = asyncio.get_running_loop().time() + step.timeout_s + 2 * GRACE_S
        attempt = live.busy[call.index] = Attempt(call, self.clock.now(), task, give_up_at_s)
        outcome: CallOutcome
        try:
            context = self._equipment.context_of(live.run, step, traits, call)
            outcome, events = await self._caller.call(traits, call, context)
        except asyncio.CancelledError:
            if self._stopping or task is None:
                raise
            task.uncancel()
            outcome, events = Unknown({"error": "the action cancelled the task it ran in"}), ()
        if live.busy.get(call.index) is attempt:  # else it was left behind, and its outcome is on record
            self._take(live, attempt, traits, outcome, events)

    def _take(
        self, live: Live, attempt: Attempt, traits: BoundTraits, outcome: CallOutcome, events: Sequence[Event]
    ) -> None:
        """The outcome of a call, into the run and into what it writes next."""
        call = attempt.call
        outcome = self._equipment.masked(outcome)
        try:
            if events:
                self._ingest.emit([own_source(event) for event in events], live.depth + 1, live.batch)
        except (EventError, NotFoundError) as error:
            outcome = Failure(machine.error_of(error))
        now = self.clock.now()
        live.run = machine.settle(live.run, call, outcome, traits, now, self.ids.jitter())
        del live.busy[call.index]
        duration_ms = max(0, round((now - attempt.began).total_seconds() * 1000))
        self._put_step(live, live.run.steps[call.index], duration_ms)

    async def _watch_attempts(self) -> None:
        """Look for handlers that do not even end when cancelled, and let their runs go on without them."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(GRACE_S)
            now_s = loop.time()
            for live in list(self._live.values()):
                for attempt in list(live.busy.values()):
                    if attempt is not None and attempt.give_up_at_s <= now_s:
                        self._leave_behind(live, attempt)

    def _leave_behind(self, live: Live, attempt: Attempt) -> None:
        step = live.run.workflow.steps[attempt.call.index]
        log.error("%s of %s does not end; the run goes on without it", step.id, live.run.run_id)
        traits = self._equipment.traits_of(step.action_type)
        self._take(live, attempt, traits, overdue(traits.handler, step.timeout_s), ())
        assert live.nudge is not None
        if attempt.task is self._rota.drivers[live.seq]:
            del self._rota.drivers[live.seq]
            self._rota.add(live.seq)
        else:
            live.left_behind.add(attempt.task)
            live.nudge.set()

    def _nudge(self, seq: int) -> None:
        """Let a run take notice of a change, by its driver if it has one."""
        if seq not in self._rota.drivers:
            self._rota.add(seq)
        elif seq in self._live and (nudge := self._live[seq].nudge) is not None:
            nudge.set()

    def _mark_running(self, live: Live, batch: Batch, now: datetime) -> None:
        """Add to a batch that the run goes on, so that it also does when nothing after this batch is written."""
        batch.set_run(live.seq, RunStatus.RUNNING, now, live.wake_at, None)
        live.status = RunStatus.RUNNING

    # --- ends that nobody need ask for ------------------------------------------------------------------------------

    def _expire(self, live: Live, record: StepRecord) -> None:
        """Add to what the run writes that a request was rejected, because nobody answered it in time."""
        approval = self.history.approval(record.approval_id or "")
        if approval is None or approval.state is not ApprovalState.PENDING:
            return
        expired = replace(
            approval, state=ApprovalState.EXPIRED, decided_at=record.at, decided_by="aie", channel=EXPIRY,
            comment="nobody answered in time",
        )  # fmt: skip
        asking.write_decision(live.batch, expired, "its time is over", record.at)
        self._announce(expired, "its time is over", live.depth, live.batch)

    def _announce(self, decided: Approval, evidence: str, depth: int, batch: Batch) -> None:
        """Add to a batch what a decision says to others."""
        batch.audit.append(self.trail.approval_decided(decided, evidence))
        try:
            self._ingest.emit([asking.approval_event(decided)], depth + 1, batch)
        except EventError as error:  # too long a chain of events: the decision counts all the same
            log.error("nobody hears of the decision on %s: %s", decided.approval_id, error)

    async def cancel(self, run_seq: int, *, by: str, reason: str) -> bool:
        """End a run here and now; False if it has ended. A call that is under way is not made undone."""
        row, live = self.history.run(run_seq), self._live.get(run_seq)
        if (live.status if live else row.status).ended:
            return False
        run = live.run if live else self.history.load_run(run_seq, self._compile_pinned, self.config.timezone)
        now, error = self.clock.now(), {"error": reason}
        batch = Batch()
        batch.set_run(run_seq, RunStatus.CANCELLED, now, None, error)
        batch.add(schema.CANCEL_APPROVALS, stamp(now), by, run_seq)
        batch.audit.append(self.trail.run_ended(run, RunStatus.CANCELLED, now, error, by))
        if live is not None:
            live.run, live.status, live.wake_at, live.error = run.as_cancelled(), RunStatus.CANCELLED, None, error
        await self._ingest.commit(batch, surely=True)
        self.approvals_revision += 1
        self.admission.forget(row.workflow_id, run_seq)
        if run_seq in self._rota.drivers:
            self._nudge(run_seq)
        else:
            self._let_go(run_seq, Standing(RunStatus.CANCELLED, None, error))
        return True

    async def _cancel_earlier(self, live: Live) -> None:
        """Mode restart: earlier runs of the workflow are over, but for what a person must say about them."""
        for seq in self.history.open_runs_of(live.run.workflow.workflow_id):
            if seq < live.seq and self.history.run(seq).status is not RunStatus.UNCERTAIN:
                await self.cancel(
                    seq, by="engine", reason=f"{live.run.run_id} starts anew, because the mode is restart"
                )
