"""Actions that steer: waiting, asking a person, starting other workflows. None of them reaches outside the journal."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from aie.actions import ActionContext, ActionHandler, Effect, Outcome
from aie.durations import MAX_WAIT_S, instant_of, seconds_in
from aie.errors import ActionError
from aie.events import MAX_NAME_LENGTH, Event, EventType


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Result(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    status: str = Field(default="success", description="success")


def _wrong(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("not_usable", "{problem}", {"problem": sentence})


# --- wait ---------------------------------------------------------------------------------------------------------


class WaitParameters(_Parameters):
    """How long, or until when: one of the two."""

    duration: float | str | None = Field(
        default=None,
        description="How long: a number of seconds, or a text such as 90s, 5m, 2h, 1 day",
        examples=[2, "90s", "1 hour 30 minutes"],
    )
    until: str | None = Field(
        default=None,
        description="Until when: ISO 8601, in the vault's zone if it names none; or HH:MM, the next time it is that",
        examples=["08:00", "2026-02-09T18:30"],
    )

    @field_validator("duration", mode="before")
    @classmethod
    def _sensible(cls, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, bool):
            raise _wrong("a duration is a number of seconds or a text such as '5m', found true or false")
        seconds = value
        if isinstance(value, str):
            try:
                seconds = seconds_in(value)
            except ValueError as error:
                raise _wrong(str(error)) from None
        if isinstance(seconds, int | float) and not (math.isfinite(seconds) and 0 <= seconds <= MAX_WAIT_S):
            raise _wrong(f"a duration is from 0 seconds to 366 days, found {str(value)[:80]!r}")
        return value

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.duration is None) == (self.until is None):
            raise _wrong("give either duration or until" + ("" if self.until is None else ", not both"))
        return self


class WaitResult(_Result):
    waited_until: str = Field(description="The time at which the step ended, ISO 8601, in the vault's time zone")


async def wait(params: WaitParameters, context: ActionContext) -> Outcome:
    """Says when; whoever drives the run waits, across restarts too."""
    if params.until is not None:
        try:
            moment = instant_of(params.until, context.now, context.timezone)
        except ValueError as error:
            raise ActionError(str(error), where="parameters.until") from None
        if moment > context.now + timedelta(seconds=MAX_WAIT_S):
            raise ActionError(f"{params.until!r} is more than 366 days away", where="parameters.until")
    else:
        duration = params.duration
        seconds = seconds_in(duration) if isinstance(duration, str) else float(duration or 0)
        moment = context.now + timedelta(seconds=seconds)
    local = moment.astimezone(context.timezone)
    return Outcome(WaitResult(waited_until=local.isoformat()).model_dump(), wait_until=moment)


WAIT = ActionHandler(
    name="wait",
    params=WaitParameters,
    run=wait,
    summary="Waits before the next step",
    example={"duration": "1 hour 30 minutes"},
    result=WaitResult,
    effect=Effect.NONE,
    repeatable=True,
)


# --- request_approval ---------------------------------------------------------------------------------------------


class ApprovalParameters(_Parameters):
    """What the person is asked."""

    title: str = Field(min_length=1, description="The request in one line", examples=["Expense Approval Required"])
    description: str = Field(
        default="",
        description="What is to be decided, Markdown",
        examples=["Expense: Team lunch\nAmount: $620\n\nThis expense exceeds $500."],
    )


class ApprovalResult(_Result):
    status: str = Field(default="approved", description="approved; a rejection fails the step instead")
    approved: bool = Field(default=True, description="true; a rejection fails the step instead")
    decided_by: str = Field(description="Who decided")
    channel: str = Field(description="Where: a note, the command line, a rule of aie.toml, …")
    comment: str = Field(description="What the person wrote with it; '' if nothing")


async def request_approval(params: ApprovalParameters, context: ActionContext) -> dict[str, Any]:
    """The decision, which has been made by the time this runs."""
    decision = context.approval
    if decision is None or decision.get("approved", True) is not True:
        # No answer means no; reaching this without one would be a fault of whoever drives the run.
        raise ActionError(
            "nobody has approved this request",
            where=f"step {context.step_id}",
            hint="aie approvals list shows what waits",
        )
    said = {name: str(decision.get(name) or "") for name in ("decided_by", "channel", "comment")}
    return ApprovalResult(**said).model_dump()


REQUEST_APPROVAL = ActionHandler(
    name="request_approval",
    params=ApprovalParameters,
    run=request_approval,
    summary="Asks a person, and goes on when they approve",
    example={"title": "Expense Approval Required", "description": "Team lunch, $620: this expense exceeds $500."},
    result=ApprovalResult,
    effect=Effect.NONE,
    repeatable=True,
    asks=True,
    title_field="title",
    body_field="description",
)


# --- run_workflow and emit_event ----------------------------------------------------------------------------------


class RunWorkflowParameters(_Parameters):
    """Which workflow, and what it is given."""

    workflow_id: str = Field(
        min_length=1, max_length=MAX_NAME_LENGTH, description="The workflow to start", examples=["month_end"]
    )
    data: dict[str, Any] = Field(
        default_factory=dict, description="What it sees as event.data", examples=[{"customer_id": 7}]
    )


class StartedResult(_Result):
    workflow_id: str = Field(description="The workflow that was started")
    event_id: str = Field(description="The id of the event that starts it; aie events show says what became of it")


async def run_workflow(params: RunWorkflowParameters, context: ActionContext) -> Outcome:
    """The other workflow runs on its own: this step ends when its start is recorded, not when it is done."""
    event = Event(
        event_type=EventType.MANUAL_TRIGGER.value,
        source="run_workflow",
        data=params.data,
        timestamp=context.now.isoformat(),
        event_id=context.idempotency_key,
        workflow_id=params.workflow_id,
    )
    result = StartedResult(workflow_id=params.workflow_id, event_id=event.event_id)
    return Outcome(result.model_dump(), events=(event,))


RUN_WORKFLOW = ActionHandler(
    name="run_workflow",
    params=RunWorkflowParameters,
    run=run_workflow,
    summary="Starts another workflow and does not wait for it",
    example={"workflow_id": "month_end", "data": {"customer_id": 7}},
    result=StartedResult,
    effect=Effect.NONE,
    repeatable=True,
)


class EmitEventParameters(_Parameters):
    """The event to emit."""

    event_type: str = Field(
        min_length=1, max_length=MAX_NAME_LENGTH, description="Its type", examples=["expense_recorded"]
    )
    data: dict[str, Any] = Field(
        default_factory=dict,
        description="Its data",
        examples=[{"name": "Team lunch", "amount": 620, "date": "2026-02-09"}],
    )
    event_id: str | None = Field(
        default=None,
        max_length=MAX_NAME_LENGTH,
        description="Its id: one (source, id) starts each workflow once, for ever; the step's own key when left out",
        examples=["expense_2041"],
    )
    source: str | None = Field(
        default=None,
        max_length=MAX_NAME_LENGTH,
        description="Where it comes from; emit_event when left out",
        examples=["till"],
    )

    @field_validator("event_type")
    @classmethod
    def _no_decisions(cls, value: str) -> str:
        if value == EventType.APPROVAL_RECEIVED.value:
            raise _wrong("approval_received comes from a person's decision only; a workflow cannot emit it")
        return value


class EmittedResult(_Result):
    event_type: str = Field(description="The type of the event")
    event_id: str = Field(description="Its id")
    source: str = Field(description="Its source")


async def emit_event(params: EmitEventParameters, context: ActionContext) -> Outcome:
    """The event is recorded together with the step's result, so it is never lost and never doubled."""
    event = Event(
        event_type=params.event_type,
        source=(params.source or "").strip() or "emit_event",
        data=params.data,
        timestamp=context.now.isoformat(),
        event_id=(params.event_id or "").strip() or context.idempotency_key,
    )
    result = EmittedResult(event_type=params.event_type, event_id=event.event_id, source=event.source)
    return Outcome(result.model_dump(), events=(event,))


EMIT_EVENT = ActionHandler(
    name="emit_event",
    params=EmitEventParameters,
    run=emit_event,
    summary="Emits an event, which starts the workflows it triggers",
    example={
        "event_type": "expense_recorded",
        "data": {"name": "Team lunch", "amount": 620, "date": "2026-02-09"},
        "event_id": "expense_2041",
    },
    result=EmittedResult,
    effect=Effect.NONE,
    repeatable=True,
)
