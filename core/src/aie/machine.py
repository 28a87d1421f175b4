"""The machine: a definition and what is on record so far, to what happens next.

Pure: no clock, no file, no network, no chance. The engine drives it for real, a dry run by printing, tests by
asserting; nothing else decides what happens next.

The walk begins at the first step every time and follows the records. It stops at the step that is under way, except
that a step waiting for a person (and being carried out after the decision) is passed over: it holds up only what uses
its result, what its jumps decide, and everything when it says ``await_approval``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace
from tenacity import RetryCallState, wait_exponential

from aie.errors import AieError, ConditionError, ParameterError, PluginError, TemplateError
from aie.permission import EXPIRY, RULE, Permission
from aie.plain import Json, digest
from aie.run import Earlier, Run, RunStatus, StepRecord, StepStatus
from aie.workflow import Step


class Traits(Protocol):
    """What the machine needs to know of an action."""

    @property
    def outside(self) -> bool:
        """Whether it reaches outside the house."""
        ...

    @property
    def repeatable(self) -> bool: ...
    @property
    def can_look(self) -> bool: ...
    @property
    def optional(self) -> frozenset[str]:
        """The parameters that may be left out."""
        ...

    def check(self, params: Mapping[str, Json]) -> object:
        """What the action makes of them, for whoever calls it; :class:`ParameterError` if it cannot take them."""
        ...

    def permission(self, run: Run, step: Step, params: Mapping[str, Json], now: datetime) -> Permission:
        """Whether it may be carried out with these at once."""
        ...


LOOK_AGAIN_S = 60.0  # between two looks at a service that does not answer
LOOK_FOR = timedelta(days=1)  # after the attempt; then a person is asked

TraitsOf = Callable[[str], Traits]
"""Gives the traits of an action type; :class:`PluginError` when it is not there."""


class Call(Struct, frozen=True):
    """Carry out one attempt, or look whether an earlier one happened."""

    index: int
    attempt: int
    params: Mapping[str, Json]
    key: str  # the idempotency key
    intent_first: bool  # its record is durable before the call is made
    look_up: bool = False
    checked: object = None  # what the action made of the parameters just now


class Advance(Struct, frozen=True):
    """What follows: the run as it stands now, the records that changed, and what to carry out."""

    run: Run
    status: RunStatus
    changed: tuple[StepRecord, ...] = ()
    calls: tuple[Call, ...] = ()
    wake_at: datetime | None = None
    error: Mapping[str, str] | None = None


# --- outcomes of a call ------------------------------------------------------------------------------------------


class Success(Struct, frozen=True):
    result: Json = None
    wait_until: datetime | None = None


class Failure(Struct, frozen=True):
    """It did not happen."""

    error: Mapping[str, str]
    retryable: bool = False
    retry_after_s: float | None = None


class Unknown(Struct, frozen=True):
    """It may have happened."""

    error: Mapping[str, str]


class Looked(Struct, frozen=True):
    """What a look-up (or a person) says about an earlier attempt; None: it cannot be told."""

    happened: bool | None
    result: Json = None


CallOutcome = Success | Failure | Unknown | Looked


def settle(run: Run, call: Call, outcome: CallOutcome, traits: Traits, now: datetime, jitter: float) -> Run:
    """The run with the outcome of one call on record. ``jitter`` is from 0 up to 1."""
    step = run.workflow.steps[call.index]
    before = run.steps.get(call.index)
    approval_id, approval = (before.approval_id, before.approval) if before else (None, None)

    def record(status: StepStatus, **fields: Any) -> StepRecord:
        return StepRecord(
            call.index, status, now, call.attempt, call.params, approval_id=approval_id, approval=approval, **fields
        )

    def uncertain(error: Mapping[str, str] | None = None) -> StepRecord:
        return record(StepStatus.UNCERTAIN, error=_uncertain(run, step, error))

    match outcome:
        case Success(result, wait_until) if wait_until is not None and wait_until > now:
            after = record(StepStatus.WAITING, result=result, wake_at=wait_until)
        case Success(result) | Looked(True, result):
            after = record(StepStatus.SUCCEEDED, result=result)
        case Looked(False):
            after = record(StepStatus.RETRYING, wake_at=now)
        case Failure(error, True, after_s) if call.look_up and before is not None and now - before.at < LOOK_FOR:
            wake_at = now + timedelta(seconds=max(LOOK_AGAIN_S, after_s or 0.0))
            after = replace(before, error=error, wake_at=wake_at)
        case Failure(error) | Unknown(error) if call.look_up:
            after = uncertain(error)
        case Failure(error, retryable, retry_after_s):
            wait_s = _retry_wait_s(step, call.attempt, retry_after_s, jitter) if retryable else None
            after = _failed(record, error, now, wait_s)
        case Unknown(error) if traits.repeatable:
            after = _failed(record, error, now, _retry_wait_s(step, call.attempt, None, jitter))
        case Unknown(error) if traits.can_look:
            after = record(StepStatus.STARTED, error=error)
        case Unknown(error):
            after = uncertain(error)
        case _:
            after = uncertain()
    return run.with_step(after)


def _failed(
    record: Callable[..., StepRecord], error: Mapping[str, str], now: datetime, wait_s: float | None
) -> StepRecord:
    if wait_s is None:
        return record(StepStatus.FAILED, error=error)
    return record(StepStatus.RETRYING, error=error, wake_at=now + timedelta(seconds=wait_s))


def _retry_wait_s(step: Step, attempt: int, retry_after_s: float | None, jitter: float) -> float | None:
    """Seconds to the next attempt; None when this was the last."""
    if attempt >= step.attempts:
        return None
    return max(retry_delay_s(step, attempt, jitter), retry_after_s or 0.0)


def retry_delay_s(step: Step, attempt: int, jitter: float) -> float:
    """Seconds to wait after this attempt: exponential, plus up to ``retry.jitter`` of it."""
    wait = wait_exponential(multiplier=step.retry.initial_s, exp_base=step.retry.factor, max=step.retry.max_s)
    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    state.attempt_number = attempt
    return float(wait(state)) * (1 + step.retry.jitter * jitter)


def decide(
    run: Run,
    index: int,
    approved: bool,
    approval: Mapping[str, Json],
    now: datetime,
    params: Mapping[str, Json] | None = None,
) -> Run:
    """The run with a person's decision on record; the step must be waiting for one.

    ``params`` are what the person made of the parameters; the decision is bound to just these.
    """
    record = run.steps[index]
    if record.status is not StepStatus.ASKED:
        raise ValueError(f"step {index} of {run.run_id} is {record.status}, nobody was asked")
    status = StepStatus.APPROVED if approved else StepStatus.REJECTED
    final = record.params if params is None else params
    bound = {**approval, "digest": digest(dict(final or {})), "definition": run.workflow.hash}
    return run.with_step(replace(record, status=status, at=now, params=final, approval=bound, wake_at=None))


def resolve(run: Run, index: int, happened: bool, result: Json, now: datetime) -> Run:
    """The run after a person said whether an uncertain attempt happened; if not, it is made again."""
    record = run.steps[index]
    if record.status is not StepStatus.UNCERTAIN:
        raise ValueError(f"step {index} of {run.run_id} is {record.status}, not uncertain")
    if happened:
        return run.with_step(replace(record, status=StepStatus.SUCCEEDED, at=now, result=result, error=None))
    return run.with_step(replace(record, status=StepStatus.RETRYING, at=now, wake_at=now))


def suspect(run: Run, call: Call, error: str, now: datetime) -> Run:
    """The run with a call that is not made any more, because it brings aie down: a person must say what to do."""
    step = run.workflow.steps[call.index]
    before = run.steps.get(call.index)
    approval_id, approval = (before.approval_id, before.approval) if before else (None, None)
    record = StepRecord(
        call.index, StepStatus.UNCERTAIN, now, call.attempt, call.params,
        error=_uncertain(run, step, {"error": error}), approval_id=approval_id, approval=approval,
    )  # fmt: skip
    return run.with_step(record)


def idempotency_key(run_id: str, step_id: str) -> str:
    """The same for every attempt at a step, on every machine: 32 hex digits."""
    return hashlib.sha256(f"{run_id}/{step_id}".encode()).hexdigest()[:32]


def approval_id(run: Run, step: Step, params: Mapping[str, Json]) -> str:
    """The id of the request for a step: the same when it is asked again after a crash.

    Another one when it is about other parameters or another definition.
    """
    asked = f"approval/{run.run_id}/{step.id}/{run.workflow.hash}/{digest(dict(params))}"
    return "apr_" + hashlib.sha256(asked.encode()).hexdigest()[:16]


def scope(run: Run, step: Step) -> dict[str, Json]:
    """What a step's condition and templates see. Of the results only those that it uses: the others cost time."""
    results: dict[str, Json] = {}
    for index in step.needs:
        record = run.steps.get(index)
        value = _result(record) if record is not None else None
        if value is not None:
            results[f"action_{index}"] = results[run.workflow.steps[index].id] = value
    seen = {**run.frame, "results": results}
    if step.uses_now:
        seen["now"] = run.reached_at(step).astimezone(run.zone).isoformat(timespec="seconds")
    return seen


def _result(record: StepRecord) -> Json:
    """``results.<id>``: the action's own result with ``status`` beside it; None while there is none."""
    match record.status:
        case StepStatus.SUCCEEDED:
            own = record.result if isinstance(record.result, dict) else {"result": record.result}
            return {**own, "status": "success"}
        case StepStatus.FAILED:
            return {"status": "failed", "error": (record.error or {}).get("error", "")}
        case StepStatus.SKIPPED | StepStatus.REJECTED:
            return {"status": str(record.status)}
    return None


# --- the walk ----------------------------------------------------------------------------------------------------


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
        elif record.status not in _ENDS:
            record = self._go_on(step, record)
        if record.status not in _ENDS:
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
        said = _by_rule(permission, params, self.now) if permission.rule and permission.kind != "ask" else None
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
            return self._keep(_expired(record, self.now))
        if record.status in (StepStatus.ASKED, StepStatus.UNCERTAIN):
            if record.wake_at is not None:
                self.wakes.append(record.wake_at)
            return record
        try:
            traits = self.traits_of(step.action_type)
        except PluginError as error:
            if record.status is StepStatus.STARTED:
                told = _uncertain(self.run, step, error.as_dict())
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
            replace(record, status=StepStatus.UNCERTAIN, at=self.now, error=_uncertain(self.run, step, record.error))
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
        self.held = _paused(self.paused)
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


# --- again -------------------------------------------------------------------------------------------------------


def stands_at(run: Run) -> int | None:
    """The step that a run did not get past, because it failed, was rejected or has no end; None if it came through."""
    index = 0
    while index < len(run.workflow.steps):
        step, record = run.workflow.steps[index], run.steps.get(index)
        if record is None or not _stands(step, record):
            return index
        jump = step.on_success if record.status is StepStatus.SUCCEEDED else step.on_failure
        index = index + 1 if jump is None or record.status is StepStatus.SKIPPED else jump
    return None


def again(runs: Sequence[Run], new: Run, since: int | None) -> Run:
    """``new`` with the records it goes on from, and what it must know of the steps that it does anew.

    ``runs`` are all earlier ones for its event, oldest first; the last is the one that is done again. Steps from
    ``since`` on are done anew. None: those that did not succeed, and those that use their results. A step without a
    record to go on from is done in any case.
    """
    last, steps = runs[-1], {}
    anew: set[int] = set()
    for step in new.workflow.steps:
        record = _record_for(step, last)
        late = since is not None and step.index >= since
        if late or step.needs & anew or (record is not None and not _stands(step, record)):
            anew.add(step.index)
        elif record is not None:
            steps[step.index] = replace(record, index=step.index)
    earlier = {
        step.index: known
        for step in new.workflow.steps
        if step.index not in steps and (known := _known_of(step, runs)) != Earlier()
    }
    return replace(new, steps=steps, earlier=earlier)


def _stands(step: Step, record: StepRecord) -> bool:
    """Whether a step has an end that a run can go on from."""
    if record.status in (StepStatus.FAILED, StepStatus.REJECTED):
        return step.on_failure is not None
    return record.status in _ENDS and not (record.status is StepStatus.SKIPPED and record.error)


def _record_for(step: Step, run: Run) -> StepRecord | None:
    """What a run has on record of the same step of its own definition.

    A step that has no name of its own is the same only with the same parameters: others may have come before it.
    """
    for other in run.workflow.steps:
        if other.id == step.id and other.action_type == step.action_type:
            named = step.id != f"action_{step.index}"
            same = named or other.parameters.source == step.parameters.source
            return run.steps.get(other.index) if same else None
    return None


def _known_of(step: Step, runs: Sequence[Run]) -> Earlier:
    """Whether it may have happened, and the newest approval that was given for it."""
    known = Earlier()
    for run in runs:
        for other in run.workflow.steps:
            record = run.steps.get(other.index)
            alike = other.id == step.id, other.parameters.source == step.parameters.source
            if record is None or other.action_type != step.action_type or not any(alike):
                continue
            acted = known.acted or record.status in _MAY_HAVE_HAPPENED
            if all(alike) and (record.approval or {}).get("approved") is True:
                shown = digest(dict(record.params or {}))
                known = Earlier(acted, shown, record.approval_id, record.approval)
            else:
                known = replace(known, acted=acted)
    return known


_ENDS = frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.REJECTED})

_MAY_HAVE_HAPPENED = frozenset({StepStatus.SUCCEEDED, StepStatus.STARTED, StepStatus.UNCERTAIN})

_PARKED = (
    (StepStatus.UNCERTAIN, RunStatus.UNCERTAIN),
    (StepStatus.BLOCKED, RunStatus.BLOCKED),
    (StepStatus.ASKED, RunStatus.ASKING),
    (StepStatus.WAITING, RunStatus.WAITING),
    (StepStatus.RETRYING, RunStatus.WAITING),
    (StepStatus.STARTED, RunStatus.WAITING),  # for a service that is asked again whether it happened
    (StepStatus.APPROVED, RunStatus.BLOCKED),
)


def _paused(why: str) -> dict[str, str]:
    return {"error": f"aie is paused: {why}", "hint": "aie resume lets it go on"}


def _by_rule(permission: Permission, params: Mapping[str, Json], now: datetime) -> dict[str, Json]:
    """What is on record of a step that a rule decided about."""
    return {
        "approved": permission.kind == "allow", "decided_by": f"rule {permission.rule}", "channel": RULE,
        "comment": "", "decided_at": now.isoformat(timespec="seconds"), "rule": permission.rule,
        "digest": digest(dict(params)),
    }  # fmt: skip


def _expired(record: StepRecord, now: datetime) -> StepRecord:
    """A request that nobody answered in time: no answer means no."""
    said = {
        "approved": False, "decided_by": "aie", "channel": EXPIRY, "comment": "nobody answered in time",
        "decided_at": now.isoformat(timespec="seconds"),
    }  # fmt: skip
    error = {"error": "nobody answered the request in time, and no answer means no"}
    return replace(record, status=StepStatus.REJECTED, at=now, wake_at=None, approval=said, error=error)


def _is_what_was_approved(run: Run, record: StepRecord) -> bool:
    """Whether the parameters and the definition are those the decision was about."""
    said = record.approval or {}
    return (said.get("digest"), said.get("definition")) == (digest(dict(record.params or {})), run.workflow.hash)


def _uncertain(run: Run, step: Step, error: Mapping[str, str] | None = None) -> dict[str, str]:
    """What is known of an attempt that may have happened, and how a person settles it."""
    known = error or {"error": f"{step.action_type} was under way when aie stopped; it may have happened or not"}
    hint = f"look whether it happened, then say so: aie runs resolve {run.run_id} {step.id} --happened, or --repeat"
    return {**known, "hint": hint}


def error_of(error: BaseException) -> dict[str, str]:
    """What goes on record about an exception."""
    if isinstance(error, AieError):
        told = error.as_dict()
    else:
        try:
            told = {"error": f"{type(error).__name__}: {error}"[:2_000]}
        except BaseException:  # an exception of a plugin may fail even at saying what it is
            told = {"error": type(error).__name__}
    # File names put halves of surrogate pairs into messages, which no record can hold.
    return {name: text.encode("utf-8", "replace").decode() for name, text in told.items()}
