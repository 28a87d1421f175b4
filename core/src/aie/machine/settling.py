"""Settling: a run with the outcome of a call, or with a person's word, on record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace
from tenacity import RetryCallState, wait_exponential

from aie.machine.calls import Call, CallOutcome, Failure, Looked, Success, Traits, Unknown
from aie.machine.words import uncertain_error
from aie.plain import Json, digest
from aie.run import Run, StepRecord, StepStatus
from aie.workflow import Step

LOOK_AGAIN_S = 60.0  # between two looks at a service that does not answer
LOOK_FOR = timedelta(days=1)  # after the attempt; then a person is asked


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
        return record(StepStatus.UNCERTAIN, error=uncertain_error(run, step, error))

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
        error=uncertain_error(run, step, {"error": error}), approval_id=approval_id, approval=approval,
    )  # fmt: skip
    return run.with_step(record)
