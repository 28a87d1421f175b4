"""Workflows carried out by the real engine, on a clock that is moved from timer to timer, and how their runs stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from aie.approvals import Approval
from aie.errors import NotFoundError, RefusedError
from aie.events import Event
from aie.history import History
from aie.orchestrator import AsyncOrchestrator
from aie.plain import Json
from aie.results import EventResult
from aie.run import StepStatus
from aie.testing.clock import FakeClock
from aie.testing.scratch import ENVIRONMENT
from aie.workflow import Workflow, parse_workflow

NOT_STARTED = "not started"
_TIMED = (StepStatus.WAITING, StepStatus.RETRYING)


@dataclass(frozen=True, slots=True)
class StepView:
    """How one step of a run stands. ``params`` are the resolved ones."""

    status: str
    result: Json = None
    error: Mapping[str, str] | None = None
    params: Mapping[str, Json] | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class RunView:
    """How a run stands now that nothing more happens by itself: ended, or waiting for a person.

    ``status`` is a word of :class:`~aie.run.RunStatus`, or "not started", and ``reason`` then says why. ``steps`` has
    those that were reached, by their id.
    """

    workflow_id: str
    status: str
    run_id: str = ""
    reason: str = ""
    error: Mapping[str, str] | None = None
    steps: Mapping[str, StepView] = field(default_factory=dict)
    waiting: tuple[Approval, ...] = ()

    @property
    def results(self) -> dict[str, Json]:
        """What the steps gave that succeeded, by their id."""
        return {name: step.result for name, step in self.steps.items() if step.status == StepStatus.SUCCEEDED}


class Works:
    """An orchestrator over a scratch vault. All of it happens on the event loop it was opened in."""

    def __init__(self, vault: Path, plugins: Mapping[str, object], clock: FakeClock) -> None:
        self._orchestrator = AsyncOrchestrator(vault, plugins=plugins, clock=clock, env=ENVIRONMENT)
        self._clock = clock

    async def open(self) -> None:
        await self._orchestrator.open()

    async def close(self) -> None:
        await self._orchestrator.close()

    async def run(self, workflow: Workflow, event: Event, see_through: timedelta) -> RunView:
        """Hand in the event, and move the clock until no run has anything to do before a person answers."""
        self._orchestrator.library.refresh()
        found = await self._orchestrator.process_event(event, linger_s=0)
        await self.see_through(see_through)
        mine = [run for run in found.runs if run.workflow_id == workflow.workflow_id]
        return self.view(mine[0].run_id) if mine else _not_started(workflow, found)

    async def see_through(self, span: timedelta) -> None:
        """Move the clock to each timer and retry within the span; the clock stays at the last of them."""
        await self._move(self._clock.now() + span, lambda: self._timers(requests=False))

    async def pass_time(self, span: timedelta) -> None:
        """Move the clock by the whole span, from timer to timer, requests that nobody answers included."""
        end = self._clock.now() + span
        await self._move(end, lambda: self._timers(requests=True))
        self._clock.move_to(end)
        await self._orchestrator.settle(0)

    async def _move(self, end: datetime, due: Callable[[], list[datetime]]) -> None:
        await self._orchestrator.settle(0)
        while (following := min(due(), default=None)) is not None and following <= end:
            self._clock.move_to(following)
            await self._orchestrator.settle(0)

    def _timers(self, *, requests: bool) -> list[datetime]:
        """When runs go on by themselves, with ``requests`` also because nobody has answered."""
        history, due = self._orchestrator.history, []
        for seq, _, wake_at in history.open_runs():
            due += [step.wake_at for step in history.steps(seq) if step.status in _TIMED and step.wake_at]
            due += [wake_at] if requests and wake_at else []
        return due

    async def decide(
        self, approval_id: str, approved: bool, comment: str, edits: Mapping[str, Json], see_through: timedelta
    ) -> RunView:
        """Decide a request as a person at the terminal does. Raises RefusedError where that is not accepted."""
        approval = self._orchestrator.history.approval(approval_id)
        if approval is None:
            raise NotFoundError(f"no request has the id {approval_id!r}", where="approval_id", hint="see run.waiting")
        answer = await self._orchestrator.decide(
            approval_id, approved=approved, by="the test", channel="cli", evidence="testing", comment=comment,
            edits=edits,
        )  # fmt: skip
        if not answer["accepted"]:
            raise RefusedError(str(answer["message"]), where=approval_id)
        await self.see_through(see_through)
        return self.view(approval.run_id)

    def view(self, run_id: str) -> RunView:
        """How a run stands. Raises NotFoundError if there is none with this id."""
        history = self._orchestrator.history
        found = history.find_runs(run_id)
        if not found:
            raise NotFoundError(f"no run has the id {run_id!r}", where="run_id")
        row = found[0]
        definition = history.definition(row.hash)  # that of the run, whatever the file says by now
        workflow = parse_workflow(definition, self._orchestrator.compiler, where=row.workflow_id)
        steps = {
            workflow.steps[step.index].id: StepView(
                str(step.status), step.result, step.error, step.params, step.attempt
            )
            for step in history.steps(row.seq)
        }
        waiting = tuple(approval for approval in history.approvals() if approval.run_id == run_id)
        return RunView(row.workflow_id, str(row.status), run_id, "", row.error, steps, waiting)

    @property
    def history(self) -> History:
        """All that is on record."""
        return self._orchestrator.history


def as_event(event: Event | Mapping[str, Any] | None, trigger: str, number: int) -> Event:
    """An event for a workflow; of one that is no Event, the data."""
    if isinstance(event, Event):
        return event
    return Event(trigger, "test", dict(event or {}), event_id=f"event_{number}")


def _not_started(workflow: Workflow, found: EventResult) -> RunView:
    skipped = {one["workflow_id"]: one["reason"] for one in found.skipped}
    usual = f"the event {found.event_id!r} is known already" if not found.new else "its event is of another type"
    return RunView(workflow.workflow_id, NOT_STARTED, reason=skipped.get(workflow.workflow_id, usual))


NOTHING: Mapping[Any, Any] = MappingProxyType({})
