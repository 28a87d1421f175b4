"""The walk: from what is on record to everything that follows from it.

It begins at the first step every time and follows the records. It stops at the step that is under way, except that a
step waiting for a person (and being carried out after the decision) is passed over: it holds up only what uses its
result, what its jumps decide, and everything when it says ``await_approval``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from aie.errors import ConditionError, ParameterError, PluginError, TemplateError
from aie.machine.calls import Advance, Call, Traits, TraitsOf
from aie.machine.keys import approval_id, idempotency_key
from aie.machine.scope import scope
from aie.machine.words import expired, paused_error, said_by_rule, uncertain_error
from aie.permission import Permission
from aie.plain import Json, digest
from aie.run import ENDS, Run, RunStatus, StepRecord, StepStatus
from aie.workflow import Step

_PARKED = (
    (StepStatus.UNCERTAIN, RunStatus.UNCERTAIN),
    (StepStatus.BLOCKED, RunStatus.BLOCKED),
    (StepStatus.ASKED, RunStatus.ASKING),
    (StepStatus.WAITING, RunStatus.WAITING),
    (StepStatus.RETRYING, RunStatus.WAITING),
    (StepStatus.STARTED, RunStatus.WAITING),  # for a service that is asked again whether it happened
    (StepStatus.APPROVED, RunStatus.BLOCKED),
)


def advance(
    run: Run, traits_of: TraitsOf, now: datetime, busy: Collection[int] = frozenset(), paused: str = ""
) -> Advance:
    """Everything that follows from what is on record at ``now``. ``busy`` are the steps being carried out right now.

    ``paused`` says why nothing may reach outside now; '' when it may.
    """
    if run.cancelled:
        return Advance(run, RunStatus.CANCELLED)
    walk = _Walk(run, traits_of, now, busy, paused)
    walk.follow()
    status = walk.status()
    return Advance(
        walk.run,
        status,
        tuple(walk.changed.values()),
        tuple(walk.calls),
        min(walk.wakes, default=None),
        walk.failure if status is RunStatus.FAILED else walk.held if status is RunStatus.BLOCKED else None,
    )


class _Walk(Struct, eq=False):
    run: Run
    traits_of: TraitsOf
    now: datetime
    busy: Collection[int]
    paused: str
    changed: dict[int, StepRecord] = {}
    calls: list[Call] = []
    wakes: list[datetime] = []
    open: set[int] = set()  # steps without an end yet that the walk has passed or stopped at
    lost: set[int] = set()  # steps that will never have a result
    failure: Mapping[str, str] | None = None
    held: Mapping[str, str] | None = None  # why something does not go on although it could

    def follow(self) -> None:
        steps, busy = self.run.workflow.steps, self.busy
        count, succeeded = len(steps), StepStatus.SUCCEEDED
        records = self.run.steps
        index: int | None = 0
        while index is not None and index < count:
            step, record = steps[index], records.get(index)
            if record is not None and record.status is succeeded and index not in busy:
                # Many of a long run's steps, every time it goes on.
                index = index + 1 if step.on_success is None else step.on_success
            else:
                index = self._visit(step, record)
                records = self.run.steps

    def status(self) -> RunStatus:
        if self.calls or self.busy:
            return RunStatus.RUNNING
        statuses = {self.run.steps[index].status for index in self.open if index in self.run.steps}
        for step_status, run_status in _PARKED:
            if step_status in statuses:
                return run_status if self.held is None or run_status is RunStatus.UNCERTAIN else RunStatus.BLOCKED
        if self.held is not None:
            return RunStatus.BLOCKED
        return RunStatus.FAILED if self.failure is not None else RunStatus.SUCCEEDED

    def _visit(self, step: Step, record: StepRecord | None) -> int | None:
        """Where the walk goes after this step; None where it stops."""
        if step.index in self.busy:
            return self._pass_over(step, record)
        if record is None or record.status is StepStatus.BLOCKED:
            record = self._reach(step)
            if record is None:
                return self._pass_over(step, None)
        elif record.status not in ENDS:
            record = self._go_on(step, record)
        if record.status not in ENDS:
            return self._pass_over(step, record)
        return self._after(step, record)

    def _after(self, step: Step, record: StepRecord) -> int | None:
        following = step.index + 1
        if record.status is StepStatus.SUCCEEDED:
            return following if step.on_success is None else step.on_success
        match record.status:
            case StepStatus.SKIPPED:
                if step.needs & self.lost:
                    self.lost.add(step.index)
                return following
            case StepStatus.REJECTED:
                if step.on_failure is not None:
                    return step.on_failure
                self.lost.add(step.index)
                return following
            case _:
                if step.on_failure is not None:
                    return step.on_failure
                if self.failure is None:
                    self.failure = {**(record.error or {}), "step": step.id}
                self.lost.add(step.index)
                return following  # on only to see to requests that are still open

    def _pass_over(self, step: Step, record: StepRecord | None) -> int | None:
        """A step without an end: the walk stops, unless a person was asked, or the line went past it before."""
        self.open.add(step.index)
        if step.holds_the_line:
            return None
        waits_for_others = record is None and step.index not in self.busy
        asked = record is not None and record.approval_id is not None
        return step.index + 1 if waits_for_others or asked or self._was_passed(step.index) else None

    def _was_passed(self, index: int) -> bool:
        return max(self.run.steps, default=-1) > index or max(self.busy, default=-1) > index

    def _reach(self, step: Step) -> StepRecord | None:
        """A step without a record: begin it, skip it, or leave it until the steps it needs have ended."""
        if self.failure is not None:
            # What waits for its plugin has a record, which would keep the run open: nothing comes of it any more.
            blocked = step.index in self.run.steps
            return self._record(step, StepStatus.SKIPPED, error={"error": "the run failed first"}) if blocked else None
        if step.needs & self.open:
            return None
        if step.needs & self.lost:
            names = ", ".join(self.run.workflow.steps[needed].id for needed in sorted(step.needs & self.lost))
            return self._record(step, StepStatus.SKIPPED, error={"error": f"needs {names}, which has no result"})
        try:
            seen = scope(self.run, step)
            if step.condition is not None and not step.condition.evaluate(seen):
                return self._record(step, StepStatus.SKIPPED)
            traits = self.traits_of(step.action_type)
            params = step.parameters.render(seen, optional=traits.optional)
            assert isinstance(params, dict)
            checked = traits.check(params)
        except PluginError as error:
            before = self.run.steps.get(step.index)
            if before is not None and before.error == error.as_dict():
                return before
            return self._record(step, StepStatus.BLOCKED, error=error.as_dict())
        except (ConditionError, TemplateError, ParameterError) as error:
            return self._record(step, StepStatus.FAILED, error=error.as_dict())
        permission = traits.permission(self.run, step, params, self.now)
        said = said_by_rule(permission, params, self.now) if permission.rule and permission.kind != "ask" else None
        if permission.kind == "refuse":
            refused = {"error": f"the rule {permission.rule!r} of aie.toml refuses it"}
            return self._record(step, StepStatus.REJECTED, params=params, error=refused, approval=said)
        before = self._as_before(step, traits, params, permission)
        if before is not None:
            return before
        if permission.kind == "ask":
            return self._ask(step, params, permission)
        return self._call(
            step, traits, StepRecord(step.index, StepStatus.STARTED, self.now, params=params, approval=said), checked
        )

    def _ask(self, step: Step, params: Mapping[str, Json], permission: Permission) -> StepRecord:
        """Ask a person; what the answer has to be like stays with the step until it comes."""
        after_s = permission.expires_after_s
        wake_at = None if after_s is None else self.now + timedelta(seconds=after_s)
        if wake_at is not None:
            self.wakes.append(wake_at)
        return self._record(
            step,
            StepStatus.ASKED,
            params=params,
            approval_id=approval_id(self.run, step, params),
            wake_at=wake_at,
            approval={"rule": permission.rule, "required_channel": permission.channel, "problem": permission.problem},
        )

    def _as_before(
        self, step: Step, traits: Traits, params: Mapping[str, Json], permission: Permission
    ) -> StepRecord | None:
        """In a rerun: how a step begins because of what earlier runs did; None if that changes nothing.

        What reached outside and may do harm twice needs a person's word, whatever its action says. What was approved
        and not done is not asked again.
        """
        earlier = self.run.earlier.get(step.index)
        if earlier is None:
            return None
        if earlier.acted and traits.outside:
            return None if traits.repeatable else self._ask(step, params, permission)
        if earlier.approval is None or permission.kind != "ask" or digest(dict(params)) != earlier.digest:
            return None
        if permission.channel not in ("", earlier.approval.get("channel")):
            return None
        granted = StepRecord(
            step.index, StepStatus.APPROVED, self.now, params=params, approval_id=earlier.approval_id,
            approval=earlier.approval,
        )  # fmt: skip
        return self._call(step, traits, self._keep(granted))

    def _go_on(self, step: Step, record: StepRecord) -> StepRecord:
        """A step that has begun and not ended, and that nobody is carrying out right now."""
        due = record.wake_at is not None and record.wake_at <= self.now
        if record.status is StepStatus.WAITING and due:
            return self._keep(replace(record, status=StepStatus.SUCCEEDED, at=self.now, wake_at=None))
        if record.status in (StepStatus.WAITING, StepStatus.RETRYING) and not due:
            assert record.wake_at is not None
            self.wakes.append(record.wake_at)
            return record
        if record.status is StepStatus.ASKED and due:
            return self._keep(expired(record, self.now))
        if record.status in (StepStatus.ASKED, StepStatus.UNCERTAIN):
            if record.wake_at is not None:
                self.wakes.append(record.wake_at)
            return record
        try:
            traits = self.traits_of(step.action_type)
        except PluginError as error:
            if record.status is StepStatus.STARTED:
                told = uncertain_error(self.run, step, error.as_dict())
                return self._keep(replace(record, status=StepStatus.UNCERTAIN, at=self.now, error=told))
            self.wakes.append(self.now + timedelta(minutes=5))  # the plugin may come back
            return record
        if record.status is StepStatus.STARTED:
            if record.wake_at is not None and not due:
                self.wakes.append(record.wake_at)
                return record
            return self._recover(step, traits, record)
        if record.status is StepStatus.APPROVED and not _is_what_was_approved(self.run, record):
            params = record.params or {}
            return self._ask(step, params, traits.permission(self.run, step, params, self.now))
        return self._call(step, traits, record)

    def _recover(self, step: Step, traits: Traits, record: StepRecord) -> StepRecord:
        """An attempt whose outcome nobody knows: repeat what is safe to repeat, look where one can, else ask."""
        if traits.repeatable:
            return self._call(step, traits, replace(record, attempt=record.attempt - 1))
        if traits.can_look:
            key = idempotency_key(self.run.run_id, step.id)
            self.calls.append(Call(step.index, record.attempt, record.params or {}, key, False, look_up=True))
            return record
        return self._keep(
            replace(
                record, status=StepStatus.UNCERTAIN, at=self.now, error=uncertain_error(self.run, step, record.error)
            )
        )

    def _call(self, step: Step, traits: Traits, record: StepRecord, checked: object = None) -> StepRecord:
        if self.paused and traits.outside:
            return self._hold(step)
        # Beside a step that is still open, what happens there may end the walk before it comes by here again: what is
        # called must be on record then, also when it may be repeated. So must what a rule allowed: it is counted.
        intent_first = not traits.repeatable or bool(self.open) or record.approval is not None
        started = StepRecord(
            step.index, StepStatus.STARTED, self.now, record.attempt + 1, record.params,
            approval_id=record.approval_id, approval=record.approval,
        )  # fmt: skip
        key = idempotency_key(self.run.run_id, step.id)
        params = started.params or {}
        self.calls.append(Call(step.index, started.attempt, params, key, intent_first, checked=checked))
        return self._keep(started) if intent_first else started

    def _hold(self, step: Step) -> StepRecord:
        """A step that would reach outside while aie is paused: it stays as it is, or waits to be reached anew."""
        self.held = paused_error(self.paused)
        before = self.run.steps.get(step.index)
        if before is not None and (before.status is not StepStatus.BLOCKED or before.error == self.held):
            return before
        return self._record(step, StepStatus.BLOCKED, error=self.held)

    def _record(self, step: Step, status: StepStatus, **fields: object) -> StepRecord:
        return self._keep(StepRecord(step.index, status, self.now, **fields))  # type: ignore[arg-type]

    def _keep(self, record: StepRecord) -> StepRecord:
        if self.run.steps.get(record.index) != record:
            self.changed[record.index] = record
            self.run = self.run.with_step(record)
        return record


def _is_what_was_approved(run: Run, record: StepRecord) -> bool:
    """Whether the parameters and the definition are those the decision was about."""
    said = record.approval or {}
    return (said.get("digest"), said.get("definition")) == (digest(dict(record.params or {})), run.workflow.hash)
