"""Telling what an event would start, step by step, with nothing done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aie.cli.output import Output, shorten
from aie.dry_run import Plan, PlannedStep, plan, recorded_switches
from aie.events import Event
from aie.orchestrator import AsyncOrchestrator
from aie.plain import dumps
from aie.run import RunStatus


def show_plans(orchestrator: AsyncOrchestrator, event: Event, output: Output, *, forced: bool = False) -> int:
    """What the event would start, touching nothing; 1 when a run would fail, or the one asked for would not start."""
    now = datetime.now(UTC)
    config = orchestrator.config
    if not event.timestamp:
        event = replace(event, timestamp=now.astimezone(config.timezone).isoformat(timespec="seconds"))
    shelf = orchestrator.library.shelf
    workflows: Sequence[Any] = shelf.by_event.get(event.event_type, ())
    if event.workflow_id is not None:
        workflows = [shelf.workflows[event.workflow_id]]
    plans = list(
        plan(
            event.checked().plain(), workflows, orchestrator.registry, config, now,
            addressed_to=event.workflow_id, switches=recorded_switches(config), forced=forced,
        )
    )  # fmt: skip
    output.line("Dry run: nothing is done, and nothing is recorded.")
    if not plans:
        output.line(f"\nNo workflow is on {event.event_type}.")
    for one in plans:
        output.record(_plan_record(one))
        _tell_plan(one, output)
    wanted = event.workflow_id is not None and not any(one.starts for one in plans)
    return 1 if wanted or any(one.status == RunStatus.FAILED for one in plans) else 0


def _plan_record(one: Plan) -> dict[str, Any]:
    return {
        "workflow_id": one.workflow_id,
        "starts": one.starts,
        "reason": one.reason,
        "status": one.status or None,
        "saw": dict(one.saw),
        "error": one.error,
        "steps": [
            {
                "step_id": step.step_id,
                "action_type": step.action_type,
                "plan": step.plan,
                "asks_first": step.asks_first,
                "parameters": step.params,
                "reason": step.reason,
                "hint": step.hint,
                "waits_until": step.waits_until,
            }
            for step in one.steps
        ],
    }


_ENDS = {
    "succeeded": "It would succeed.",
    "failed": "It would FAIL.",
    "blocked": "It would be parked until that is installed.",
}


def _tell_plan(one: Plan, output: Output) -> None:
    output.line(f"\n{one.workflow_id} {'starts' if one.starts else 'does not start'}: {one.reason}")
    for path, value in one.saw:
        output.line(f"    saw {path} = {shorten(repr(value), 60)}")
    for number, step in enumerate(one.steps, 1):
        output.line(f"\n  {number}. {step.step_id}  {step.action_type}: {_plan_words(step)}")
        if step.reason:
            output.line(f"       {step.reason}")
        if step.hint:
            output.line(f"       → {step.hint}")
        for name, value in (step.params or {}).items():
            text = value if isinstance(value, str) else dumps(value)
            lines = text.split("\n")
            output.line(f"       {name}: {lines[0]}")
            for line in lines[1:]:
                output.line(f"       {' ' * len(name)}  {line}".rstrip())
    if one.starts:
        asks = any(step.asks_first for step in one.steps)
        end = "It would succeed, once you approve." if asks and one.status == "succeeded" else _ENDS.get(one.status, "")
        output.line(f"\n  {end}")


def _plan_words(step: PlannedStep) -> str:
    words = {"run": "runs", "skip": "is skipped", "fail": "FAILS", "blocked": "is blocked"}.get(step.plan, step.plan)
    if step.asks_first:
        return "asks you first" if step.plan == "run" else f"asks you first, then {words}"
    if step.waits_until is not None:
        return f"waits until {step.waits_until:%Y-%m-%d %H:%M:%S}"
    return words
