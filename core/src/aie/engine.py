"""The engine: a driver, and what persons may ask of it: to decide, to settle, to pause, to end, to do again, to let go.

Each answer is in the journal before anything is built on it, and the first one counts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from msgspec import structs

from aie import again, asking, machine
from aie.approvals import Approval, ApprovalState, Decision
from aie.driver import Driver
from aie.errors import (
    NotFoundError,
    ParameterError,
    PluginError,
    RefusedError,
)  # fmt: skip
from aie.journal import Batch
from aie.live import Live
from aie.plain import Json, digest
from aie.run import Run, RunStatus, StepRecord, StepStatus

RELEASE_SLICE = 500
MOVE_WITHIN_S = 2.0  # for a run to come to rest that is to be moved to another definition


class Engine(Driver):
    """One engine for one state folder."""

    # --- approvals -----------------------------------------------------------------------------------------------

    async def decide(
        self,
        approval_id: str,
        *,
        approved: bool,
        by: str,
        channel: str,
        evidence: str,
        comment: str = "",
        edits: Mapping[str, Json] | None = None,
    ) -> Decision:
        """The one way to decide: the first decision wins. It is recorded together with the event it makes.

        ``edits`` are parameters as the person wants them instead of those that were shown.
        """
        approval = self.history.approval(approval_id)
        place = self.history.approval_place(approval_id)
        if approval is None or place is None:
            return Decision(False, None, f"there is no approval {approval_id!r}")
        if approval.state is not ApprovalState.PENDING:
            return Decision(False, approval, asking.already(approval))
        if approval.required_channel not in ("", channel):
            way = f"aie approvals {'approve' if approved else 'reject'} {approval_id}"
            return Decision(False, approval, f"this one is decided in a terminal only: {way}")
        live = self._revive(*place)
        record = live.run.steps[place[1]]
        now = self.clock.now()
        if record.status is not StepStatus.ASKED or record.approval_id != approval_id:
            return Decision(False, approval, asking.already(approval))
        if record.wake_at is not None and record.wake_at <= now:
            self._nudge(live.seq)
            return Decision(False, approval, "nobody answered it in time: it has expired")
        if digest(dict(record.params or {})) != approval.digest or live.run.workflow.hash != approval.definition_hash:
            await self._ask_anew(live, record, approval)
            return Decision(False, approval, "what would run is not what was shown, so it is asked anew")
        decided = replace(
            approval, state=ApprovalState.APPROVED if approved else ApprovalState.REJECTED, decided_at=now,
            decided_by=by, channel=channel, comment=comment,
        )  # fmt: skip
        if edits and approved:
            try:
                decided = await self._edited(live.run, decided, place[1], edits)
            except (ParameterError, PluginError) as error:
                return Decision(False, approval, f"{error.message}{f'; {error.hint}' if error.hint else ''}")
            if live.run.steps[place[1]] is not record:  # decided while the preview was made
                return Decision(False, approval, asking.already(approval))
        live.run = machine.decide(
            live.run, place[1], approved, asking.how_decided(decided), now, decided.params if decided.edits else None
        )
        batch = Batch()
        asking.write_decision(batch, decided, evidence, now)
        batch.put_step(live.seq, live.run.steps[place[1]])
        self._mark_running(live, batch, now)
        self._announce(decided, evidence, live.depth, batch)
        await self._answered(live, batch)
        return Decision(True, decided, str(decided.state))

    async def _edited(self, run: Run, approval: Approval, position: int, edits: Mapping[str, Json]) -> Approval:
        step = run.workflow.steps[position]
        traits = self._equipment.traits_of(step.action_type)
        params, differences = asking.edited(approval, traits, edits)
        if not differences:
            return approval
        return await asking.as_edited(
            approval, traits, params, differences, self._equipment.context_of(run, step, traits)
        )

    async def _ask_anew(self, live: Live, record: StepRecord, approval: Approval) -> None:
        """Withdraw a request that is not about what would run; the machine asks again about what is."""
        now = self.clock.now()
        live.run = live.run.with_step(structs.replace(record, status=StepStatus.APPROVED, at=now, approval=None))
        batch = Batch()
        withdrawn = replace(approval, state=ApprovalState.CANCELLED, decided_at=now, decided_by="aie", channel="engine")
        asking.write_decision(batch, withdrawn, "what would run is not what was shown", now)
        batch.put_step(live.seq, live.run.steps[record.index])
        self._mark_running(live, batch, now)
        batch.audit.append(self.trail.approval_decided(withdrawn, "what would run is not what was shown"))
        await self._answered(live, batch)

    async def resolve(self, run_seq: int, position: int, *, happened: bool, result: Json, by: str) -> None:
        """A person says whether an uncertain attempt happened; if it did not, it is made again."""
        live = self._revive(run_seq, position)
        step = live.run.workflow.steps[position]
        record = live.run.steps.get(position)
        if record is None or record.status is not StepStatus.UNCERTAIN:
            raise NotFoundError(
                f"the step {step.id} is {record.status if record else 'not reached'}, not uncertain",
                where=live.run.run_id,
                hint=f"see how it stands with: aie runs show {live.run.run_id}",
            )
        now = self.clock.now()
        live.run = machine.resolve(live.run, position, happened, result, now)
        batch = Batch()
        batch.put_step(live.seq, live.run.steps[position])
        self._mark_running(live, batch, now)
        batch.audit.append(self.trail.uncertain_resolved(live.run, step, happened, now, by))
        await self._answered(live, batch)

    async def _answered(self, live: Live, batch: Batch) -> None:
        """Make a person's answer durable, and let the run go on with it only then."""
        live.answers += 1
        try:
            await self._ingest.commit(batch, surely=True)
        finally:
            live.answers -= 1
            self.approvals_revision += 1
            self._nudge(live.seq)

    # --- pausing -------------------------------------------------------------------------------------------------

    async def hold_back(self, why: str, *, by: str) -> bool:
        """Let nothing reach outside from now on; False if that was so already. Calls under way come to their end."""
        return await self._set_pause(why, by)

    async def let_on(self, *, by: str) -> bool:
        """Let everything go on; False if it was not held back, or still is, by a note in the vault."""
        return await self._set_pause("", by)

    async def _set_pause(self, why: str, by: str) -> bool:
        if why == self.pause.said:
            return False
        now, batch = self.clock.now(), Batch()
        self.pause.say(why, batch)
        done = "paused" if why else "resumed"
        details: dict[str, Json] = {"why": why} if why else {}
        batch.audit.append(
            self.trail.record(f"aie_{done}", "effects", done, now, actor=by, foreign=details, security_level="high")
        )
        await self._ingest.commit(batch, surely=True)
        self.take_notice_of_pause()
        return True

    def take_notice_of_pause(self) -> None:
        """Let runs go on that were held back, if nothing holds them back any more."""
        self._show_anew()
        if not self.pause.why():
            for seq, status, _ in self.history.open_runs():
                if status is RunStatus.BLOCKED:
                    self._nudge(seq)

    # --- ending and releasing ------------------------------------------------------------------------------------

    async def rerun(
        self,
        run_seq: int,
        *,
        since: str | None,
        current: bool,
        changes: Mapping[str, Json],
        by: str,
        answer: Callable[[Batch, int, again.Rerun], None] | None = None,
    ) -> tuple[int, again.Rerun]:
        """Do an ended run again, for the same event: the new run and its number.

        ``since`` is the id of the step from which on all is done anew; None: what did not succeed. ``current`` takes
        the definition of now, else the run's own. ``changes`` are paths into the event and their new values.
        ``answer`` may add to what is written with the run.
        """
        row = self.history.run(run_seq)
        pinned = partial(self._compile_pinned, row.hash, self.history.definition(row.hash))
        workflow = again.current(self.library.shelf, row.workflow_id) if current else pinned()
        plan = again.prepare(
            self.history, row, workflow, self._compile_pinned, run_id=self.ids.new("run"), now=self.clock.now(),
            zone=self.config.timezone, since=since, changes=changes,
        )  # fmt: skip
        run, seq = plan.run, self.journal.next_run()
        verdict = self.admission.judge(workflow, str(run.event["source"]), seq, run.created_at, guarded=False)
        if verdict.status is None:
            raise RefusedError(verdict.reason, where=workflow.workflow_id, hint="wait until it has ended")
        batch = Batch()
        plan.write(batch, seq, verdict.status, by)
        batch.audit.append(self.trail.run_again(run, row.run_id, since, plan.reused, plan.changes, by))
        batch.audit.append(self.trail.workflow_started(run, verdict.status, verdict.reason))
        live = Live(seq, run, self.history.event(row.event_seq).depth, verdict.status)
        batch.then.append(partial(self._spawn, live))
        batch.otherwise.append(partial(self.admission.forget, workflow.workflow_id, seq))
        if answer is not None:
            answer(batch, seq, plan)
        await self.commit(batch)
        return seq, plan

    async def migrate(self, run_seq: int, *, by: str) -> str:
        """Move a parked run to the current definition of its workflow; the hash of that."""
        with contextlib.suppress(TimeoutError):  # after a start, blocked runs are looked at and parked again
            await asyncio.wait_for(self.ended(run_seq), MOVE_WITHIN_S)
        row = self.history.run(run_seq)
        if self._is_under_way(run_seq):
            raise RefusedError("it is under way right now", where=row.run_id, hint="try again once it is parked")
        workflow = again.current(self.library.shelf, row.workflow_id)
        again.refuse_misfit(row, self.history.definition(row.hash), self.history.steps(run_seq), workflow)
        run = self.history.load_run(run_seq, lambda hash_, body: workflow, self.config.timezone)
        live = Live(run_seq, run, self.history.event(row.event_seq).depth, status=row.status, wake_at=row.wake_at)
        self._live[run_seq] = live
        self._pinned.setdefault(workflow.hash, workflow)
        now, batch = self.clock.now(), Batch()
        again.move(batch, run, run_seq)
        self._mark_running(live, batch, now)
        batch.audit.append(self.trail.run_migrated(run, row.hash, now, by))
        await self._answered(live, batch)
        return workflow.hash

    async def release(self, name: str, *, cancel: bool, by: str) -> int:
        """Let the runs go on that the flood guard holds for a workflow or a source, or drop them; how many."""
        held = self.admission.release(name)
        if not held:
            raise NotFoundError(f"nothing is held for {name!r}", where=name, hint="aie runs list --status held")
        now = self.clock.now()
        for begin in range(0, len(held), RELEASE_SLICE):
            batch = Batch()
            for seq in held[begin : begin + RELEASE_SLICE]:
                self._release_one(seq, cancel, now, by, batch)
            if begin == 0:
                batch.audit.append(self.trail.released(name, len(held), cancel, now, by))
            await self._ingest.commit(batch, surely=True)
        self.approvals_revision += 1
        return len(held)

    def _release_one(self, seq: int, cancel: bool, now: datetime, by: str, batch: Batch) -> None:
        if cancel:
            error = {"error": f"it was held by the flood guard, and {by} dropped it"}
            batch.set_run(seq, RunStatus.CANCELLED, now, None, error)
            return
        row = self.history.run(seq)
        verdict = self.admission.place(self._compile_pinned(row.hash, self.history.definition(row.hash)), seq)
        assert verdict.status is not None
        batch.set_run(seq, verdict.status, now, None, None)
        if verdict.status is RunStatus.RUNNING:
            batch.then.append(partial(self._rota.add, seq))
