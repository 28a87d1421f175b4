"""A dry run: what workflows would do about an event. The machine decides, as always; nothing is carried out or kept.

Where a real run would call an action, a stand-in answers with marked values such as ``‹path of briefing›``; requests
count as approved, and waits as over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import apsw
from pydantic import BaseModel

from aie import machine
from aie.act import BoundTraits
from aie.actions import Outcome
from aie.builtin.flow import WAIT
from aie.config import Config
from aie.errors import AieError, ConditionError, EventError, ParameterError
from aie.history import History
from aie.journal import FILE_NAME, translate
from aie.judge import Judge, context_before, rule_book
from aie.machine import Call, Success
from aie.match import Match, match
from aie.permission import Permission
from aie.plain import Json, check_json
from aie.plugins.registry import Registry
from aie.rules import RuleBook
from aie.run import Run, RunStatus, StepStatus
from aie.workflow import Step, Workflow

RUN_ID = "‹run id›"
_PLANS = {
    StepStatus.SUCCEEDED: "run",
    StepStatus.SKIPPED: "skip",
    StepStatus.FAILED: "fail",
    StepStatus.BLOCKED: "blocked",
    StepStatus.REJECTED: "refuse",
}


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """What would become of one step: ``plan`` is run, skip, fail, blocked, refuse or not reached."""

    step_id: str
    action_type: str
    plan: str
    asks_first: bool = False
    params: Mapping[str, Json] | None = None
    reason: str = ""
    hint: str = ""
    waits_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one workflow would do. ``saw`` are the values its condition looked at."""

    workflow_id: str
    name: str
    starts: bool
    reason: str
    status: str = ""  # as the run would end, or be parked: succeeded, failed, blocked
    steps: tuple[PlannedStep, ...] = ()
    saw: tuple[tuple[str, Json], ...] = ()
    error: Mapping[str, str] | None = None


def plan(
    event: Mapping[str, Json],
    workflows: Iterable[Workflow],
    registry: Registry,
    config: Config,
    now: datetime,
    *,
    addressed_to: str | None = None,
    switches: Mapping[str, bool] | None = None,
    forced: bool = False,
) -> Iterator[Plan]:
    """Each workflow's plan; the arguments are those of :func:`aie.match.match`."""
    with untouched_history(config) as history:
        book = rule_book(registry, config, history, now)
    for found in match(event, workflows, addressed_to=addressed_to, switches=switches, forced=forced):
        workflow = found.workflow
        reason = found.reason or "whatever its condition says"
        whole = Plan(workflow.workflow_id, workflow.name, found.starts, reason, saw=seen(found, event))
        if not found.starts:
            yield replace(whole, error=found.error)
            continue
        rehearsal = _Rehearsal(registry, config, book)
        run, status = rehearsal.run(Run(RUN_ID, workflow, event, now, config.timezone), now)
        steps = tuple(rehearsal.step(run, step) for step in workflow.steps)
        yield replace(whole, status=str(status), steps=steps)


def seen(found: Match, event: Mapping[str, Json]) -> tuple[tuple[str, Json], ...]:
    """The values a workflow's condition looked at."""
    workflow = found.workflow
    if workflow.condition is None:
        return ()
    scope: dict[str, Json] = {"event": dict(event), "results": {}, "workflow": workflow.plain(), "run": {}}
    return tuple(workflow.condition.explain(scope))


@contextmanager
def untouched_history(config: Config) -> Iterator[History | None]:
    """The journal, read without leaving any trace, not even SQLite's own files; None if there is none yet."""
    path = config.state_dir / FILE_NAME
    if not path.exists():
        yield None
        return
    # Without a write-ahead log the file is all there is; with one, its index is only read or built in memory.
    way = "readonly_shm=1" if Path(f"{path}-wal").exists() else "immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    try:
        connection = apsw.Connection(f"{path.absolute().as_uri()}?mode=ro&{way}", flags=flags)
        try:
            yield History(connection)
        finally:
            connection.close()
    except apsw.Error as error:
        raise translate(error, path) from error


def recorded_switches(config: Config) -> dict[str, bool]:
    """Which workflows a person enabled or disabled, whatever their files say."""
    with untouched_history(config) as history:
        return history.switches() if history is not None else {}


@dataclass(frozen=True, slots=True)
class _Traits:
    """An action's traits, except that a stand-in for a result may have any form."""

    bound: BoundTraits
    stand_ins: set[str]

    @property
    def outside(self) -> bool:
        return self.bound.outside

    @property
    def repeatable(self) -> bool:
        return self.bound.repeatable

    @property
    def can_look(self) -> bool:
        return self.bound.can_look

    @property
    def optional(self) -> frozenset[str]:
        return self.bound.optional

    def check(self, params: Mapping[str, Json]) -> None:
        try:
            self.bound.check(params)
        except ParameterError:
            if not any(mark in text for text in _texts(dict(params)) for mark in self.stand_ins):
                raise

    def permission(self, run: Run, step: Step, params: Mapping[str, Json], now: datetime) -> Permission:
        return self.bound.permission(run, step, params, now)


@dataclass(slots=True)
class _Rehearsal:
    """One run, driven as the engine drives it, with an answer to everything."""

    registry: Registry
    config: Config
    book: RuleBook
    stand_ins: set[str] = field(default_factory=set)
    waits: dict[int, datetime] = field(default_factory=dict)

    def traits_of(self, action_type: str) -> _Traits:
        judge = Judge(self.book, partial(context_before, self.config))
        return _Traits(BoundTraits(self.registry.handler(action_type), judge), self.stand_ins)

    def run(self, run: Run, now: datetime) -> tuple[Run, RunStatus]:
        """The run at its end, or where it would be parked for good, and how it stands there."""
        while True:
            following = machine.advance(run, self.traits_of, now)
            run = following.run
            asked = [record.index for record in run.steps.values() if record.status is StepStatus.ASKED]
            if following.calls:
                for call in following.calls:
                    traits = self.traits_of(run.workflow.steps[call.index].action_type)
                    run = machine.settle(run, call, self._answer(run, call, traits), traits, now, 0.0)
            elif asked:
                run = machine.decide(run, asked[0], True, _approval(now), now)
            elif following.wake_at is not None:
                now = max(now, following.wake_at)
            else:
                return run, following.status

    def _answer(self, run: Run, call: Call, traits: _Traits) -> Success:
        step = run.workflow.steps[call.index]
        if traits.bound.handler is WAIT:
            wait = self._wait(run, step, call, traits)
            if wait is not None:
                assert wait.wait_until is not None
                self.waits[step.index] = wait.wait_until
                return Success(wait.result, wait.wait_until)
        return Success(self._result(run.workflow, step, traits))

    def _wait(self, run: Run, step: Step, call: Call, traits: _Traits) -> Outcome | None:
        """When a wait would be over: the action itself works that out and does nothing else."""
        context = context_before(self.config, run, step, traits.bound)
        try:
            return cast(Outcome, asyncio.run(WAIT.run(traits.bound.parsed(call.params), context)))  # type: ignore[arg-type]
        except AieError:
            return None

    def _result(self, workflow: Workflow, step: Step, traits: _Traits) -> dict[str, Json]:
        model = traits.bound.handler.result
        if model is not None:
            return self._from_model(model, step)
        # The action does not say what it gives back: whatever later steps ask it for.
        names = {f"action_{step.index}", step.id}
        result: dict[str, Json] = {}
        for later in workflow.steps[step.index + 1 :]:
            for path in (*later.parameters.paths, *(later.condition.paths if later.condition else ())):
                if path[0] == "results" and len(path) > 2 and path[1] in names:
                    result[path[2]] = self._mark(path[2], step)
        return result or {"result": self._mark("result", step)}

    def _from_model(self, model: type[BaseModel], step: Step) -> dict[str, Json]:
        result: dict[str, Json] = {}
        for name, info in model.model_fields.items():
            value: Any = info.get_default(call_default_factory=True) if not info.is_required() else None
            if info.is_required():
                value = info.examples[0] if info.examples else _plain_value(info.annotation)
                value = self._mark(name, step) if value is None else value
            try:
                result[name] = check_json(value)
            except EventError:
                result[name] = self._mark(name, step)
        return result

    def _mark(self, name: str, step: Step) -> str:
        mark = f"‹{name} of {step.id}›"
        self.stand_ins.add(mark)
        return mark

    def step(self, run: Run, step: Step) -> PlannedStep:
        """What became of one step of a run that was rehearsed to its end."""
        record = run.steps.get(step.index)
        if record is None:
            return PlannedStep(step.id, step.action_type, "not reached", reason=_why_not_reached(run, step))
        error, until = record.error or {}, self.waits.get(step.index)
        reason = error.get("error", "")
        if record.status is StepStatus.SKIPPED and not reason:
            reason = self._skipped_because(run, step)
        if not reason and (record.approval or {}).get("rule"):
            reason = f"the rule {(record.approval or {})['rule']!r} of aie.toml allows it without asking"
        return PlannedStep(
            step_id=step.id,
            action_type=step.action_type,
            plan=_PLANS.get(record.status, str(record.status)),
            asks_first=record.approval_id is not None,
            params=record.params,
            reason=reason,
            hint=error.get("hint", ""),
            waits_until=until.astimezone(self.config.timezone) if until else None,
        )

    def _skipped_because(self, run: Run, step: Step) -> str:
        assert step.condition is not None
        try:
            saw = ", ".join(f"{path} = {value!r}" for path, value in step.condition.explain(machine.scope(run, step)))
        except ConditionError:
            saw = ""
        return f"its condition is false: {step.condition.source}" + (f" ({saw})" if saw else "")


def _why_not_reached(run: Run, step: Step) -> str:
    before = [record for index, record in sorted(run.steps.items()) if index < step.index]
    blocked = next((record for record in before if record.status is StepStatus.BLOCKED), None)
    if blocked is not None:
        return f"waits for {run.workflow.steps[blocked.index].id}"
    if any(record.status is StepStatus.FAILED for record in before) and not _went_on_after(run, step):
        return "the run has failed before"
    return "the run jumps over it"


def _went_on_after(run: Run, step: Step) -> bool:
    return any(index > step.index for index in run.steps)


def _approval(now: datetime) -> dict[str, Json]:
    return {
        "approved": True,
        "decided_by": "‹you›",
        "channel": "‹channel›",
        "comment": "",
        "decided_at": now.isoformat(timespec="seconds"),
    }


def _plain_value(annotation: Any) -> Any:
    """A value of a type that text cannot stand in for; None for the others."""
    values: dict[Any, Any] = {bool: True, int: 0, float: 0.0, dict: {}, list: []}
    return values.get(getattr(annotation, "__origin__", annotation))


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
