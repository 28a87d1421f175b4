"""The machine: a definition and what is on record so far, to what happens next.

Pure: no clock, no file, no network, no chance. The engine drives it for real, a dry run by printing, tests by
asserting; nothing else decides what happens next.

The walk begins at the first step every time and follows the records. It stops at the step that is under way, except
that a step waiting for a person (and being carried out after the decision) is passed over: it holds up only what uses
its result, what its jumps decide, and everything when it says ``await_approval``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace
from tenacity import RetryCallState, wait_exponential

from aie.errors import AieError, ConditionError, ParameterError, PluginError, TemplateError
from aie.plain import Json
from aie.run import Run, RunStatus, StepRecord, StepStatus
from aie.workflow import Step


class Traits(Protocol):
    """What the machine needs to know of an action."""

    @property
    def asks_first(self) -> bool: ...
    @property
    def repeatable(self) -> bool: ...
    @property
    def can_look(self) -> bool: ...
    @property
    def optional(self) -> frozenset[str]:
        """The parameters that may be left out."""
        ...

    def check(self, params: Mapping[str, Json]) -> None:
        """:class:`ParameterError` if the action cannot take them."""
        ...


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


def decide(run: Run, index: int, approved: bool, approval: Mapping[str, Json], now: datetime) -> Run:
    """The run with a person's decision on record; the step must be waiting for one."""
    record = run.steps[index]
    if record.status is not StepStatus.ASKED:
        raise ValueError(f"step {index} of {run.run_id} is {record.status}, nobody was asked")
    status = StepStatus.APPROVED if approved else StepStatus.REJECTED
    return run.with_step(replace(record, status=status, at=now, approval=approval))


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


def approval_id(run_id: str, step_id: str) -> str:
    """The id of the request for a step: the same when it is asked again after a crash."""
    return "apr_" + hashlib.sha256(f"approval/{run_id}/{step_id}".encode()).hexdigest()[:16]


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


def advance(run: Run, traits_of: TraitsOf, now: datetime, busy: Collection[int] = frozenset()) -> Advance:
    """Everything that follows from what is on record at ``now``. ``busy`` are the steps being carried out right now."""
    if run.cancelled:
        return Advance(run, RunStatus.CANCELLED)
    walk = _Walk(run, traits_of, now, busy)
    walk.follow()
    status = walk.status()
    return Advance(
        walk.run,
        status,
        tuple(walk.changed.values()),
        tuple(walk.calls),
        min(walk.wakes, default=None),
        walk.failure if status is RunStatus.FAILED else None,
    )


class _Walk(Struct, eq=False):
    run: Run
    traits_of: TraitsOf
    now: datetime
    busy: Collection[int]
    changed: dict[int, StepRecord] = {}
    calls: list[Call] = []
    wakes: list[datetime] = []
    open: set[int] = set()  # steps without an end yet that the walk has passed or stopped at
    lost: set[int] = set()  # steps that will never have a result
    failure: Mapping[str, str] | None = None

    def follow(self) -> None:
        steps = self.run.workflow.steps
        index: int | None = 0
        while index is not None and index < len(steps):
            step, record = steps[index], self.run.steps.get(index)
            if record is not None and record.status is StepStatus.SUCCEEDED and index not in self.busy:
                # Many of a long run's steps, every time it goes on.
                index = index + 1 if step.on_success is None else step.on_success
            else:
                index = self._visit(step, record)

    def status(self) -> RunStatus:
        if self.calls or self.busy:
            return RunStatus.RUNNING
        statuses = {self.run.steps[index].status for index in self.open if index in self.run.steps}
        for step_status, run_status in _PARKED:
            if step_status in statuses:
                return run_status
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
        return any(later > index for later in self.run.steps) or any(later > index for later in self.busy)

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
            traits.check(params)
        except PluginError as error:
            before = self.run.steps.get(step.index)
            if before is not None and before.error == error.as_dict():
                return before
            return self._record(step, StepStatus.BLOCKED, error=error.as_dict())
        except (ConditionError, TemplateError, ParameterError) as error:
            return self._record(step, StepStatus.FAILED, error=error.as_dict())
        if traits.asks_first:
            return self._record(
                step, StepStatus.ASKED, params=params, approval_id=approval_id(self.run.run_id, step.id)
            )
        return self._call(step, traits, StepRecord(step.index, StepStatus.STARTED, self.now, params=params))

    def _go_on(self, step: Step, record: StepRecord) -> StepRecord:
        """A step that has begun and not ended, and that nobody is carrying out right now."""
        due = record.wake_at is not None and record.wake_at <= self.now
        if record.status is StepStatus.WAITING and due:
            return self._keep(replace(record, status=StepStatus.SUCCEEDED, at=self.now, wake_at=None))
        if record.status in (StepStatus.WAITING, StepStatus.RETRYING) and not due:
            assert record.wake_at is not None
            self.wakes.append(record.wake_at)
            return record
        if record.status in (StepStatus.ASKED, StepStatus.UNCERTAIN):
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
            return self._recover(step, traits, record)
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

    def _call(self, step: Step, traits: Traits, record: StepRecord) -> StepRecord:
        # Beside a step that is still open, what happens there may end the walk before it comes by here again: what is
        # called must be on record then, also when it may be repeated.
        intent_first = not traits.repeatable or bool(self.open)
        started = StepRecord(
            step.index, StepStatus.STARTED, self.now, record.attempt + 1, record.params,
            approval_id=record.approval_id, approval=record.approval,
        )  # fmt: skip
        key = idempotency_key(self.run.run_id, step.id)
        self.calls.append(Call(step.index, started.attempt, started.params or {}, key, intent_first))
        return self._keep(started) if intent_first else started

    def _record(self, step: Step, status: StepStatus, **fields: object) -> StepRecord:
        return self._keep(StepRecord(step.index, status, self.now, **fields))  # type: ignore[arg-type]

    def _keep(self, record: StepRecord) -> StepRecord:
        if self.run.steps.get(record.index) != record:
            self.changed[record.index] = record
            self.run = self.run.with_step(record)
        return record


_ENDS = frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.REJECTED})

_PARKED = (
    (StepStatus.UNCERTAIN, RunStatus.UNCERTAIN),
    (StepStatus.BLOCKED, RunStatus.BLOCKED),
    (StepStatus.ASKED, RunStatus.ASKING),
    (StepStatus.WAITING, RunStatus.WAITING),
    (StepStatus.RETRYING, RunStatus.WAITING),
    (StepStatus.APPROVED, RunStatus.BLOCKED),
)


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
