"""``aie run``: run one workflow now, for an event of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import rich_click as click

from aie.builtin.schedule import WEEKDAYS, named_schedules, next_times
from aie.cli.event_input import given_data, read_file, refuse_unknown_workflow
from aie.cli.handing_in import hand_in
from aie.cli.output import Output, WrongUseError, common_options, shorten, show_warnings
from aie.cli.plans import show_plans
from aie.cli.vaults import open_vault, wait_for
from aie.dry_run import recorded_switches, seen, untouched_history
from aie.events import Event, EventType
from aie.match import Match, match
from aie.orchestrator import AsyncOrchestrator
from aie.plain import Json, parse_json
from aie.seams import RandomIds
from aie.workflow import Workflow

_EVENT_KEYS = frozenset({"event_type", "source", "data", "timestamp", "event_id"})


@click.command()
@click.argument("workflow_id", metavar="WORKFLOW")
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--event", "event_file", metavar="FILE", help="A JSON file: a whole event, or just its data. - reads it.")
@click.option("--data", metavar="JSON|@FILE", help="The event's data.")
@click.option("--example", is_flag=True, help="Use the example of the workflow's event type.")
@click.option("--dry-run", is_flag=True, help="Show what would happen; do and record nothing.")
@click.option("--force", is_flag=True, help="Run it even if its condition is false.")
@common_options
def command(
    workflow_id: str, pairs: tuple[str, ...], event_file: str | None, data: str | None, example: bool, dry_run: bool,
    force: bool, vault: Path | None, output: Output,
) -> int:  # fmt: skip
    """Run one workflow now, for an event of its own.

    A workflow on the clock needs no data; the others say what they need. Each call is a new event, also for the same
    file. The exit code is 1 when the run failed or did not start.

    \b
    Examples:
      aie run morning_automation
      aie run expense_approval name="Team lunch" amount=750 date=2026-02-09
      aie run invoice_to_email --example --dry-run
    """
    show_warnings()
    orchestrator = open_vault(vault)
    orchestrator.library.refresh()
    refuse_unknown_workflow(orchestrator, workflow_id)
    workflow = orchestrator.library.shelf.workflows[workflow_id]
    event = _event(orchestrator, workflow, event_file, data, pairs, example)
    if dry_run:
        return show_plans(orchestrator, event, output, forced=force)
    found = next(
        match(
            event.checked().plain(), [workflow], addressed_to=workflow_id,
            switches=recorded_switches(orchestrator.config), forced=force,
        )
    )  # fmt: skip
    if not found.starts:
        _tell_why_not(found, event, output)
        return 1
    return wait_for(hand_in(orchestrator, event, output, forced=force))


def _event(
    orchestrator: AsyncOrchestrator, workflow: Workflow, event_file: str | None, data: str | None,
    pairs: tuple[str, ...], example: bool,
) -> Event:  # fmt: skip
    """The event that was given, or that the clock or the example makes, addressed to the workflow."""
    if event_file is not None and (data is not None or example):
        raise WrongUseError("the event is given twice", hint="give --event, or --data, or --example")
    fields: dict[str, Json] = {}
    event = Event(workflow.trigger_event, "cli", {}, "", RandomIds().new("evt"), workflow.workflow_id)
    if event_file is not None:
        event = _from_file(event, event_file)
        fields.update(event.data)
    elif example:
        fields.update(_example(orchestrator, workflow))
    fields.update(given_data(data, pairs))
    if not fields and event_file is None and data is None:
        fields = _from_clock(orchestrator, workflow)
    return replace(event, data=fields)


def _from_file(event: Event, name: str) -> Event:
    value = parse_json(read_file(name, "--event"), where=name)
    if not isinstance(value, dict):
        raise WrongUseError("this is no JSON object", where=name, hint="write a whole event, or just its data")
    if not ({"event_type", "data"} <= value.keys() and value.keys() <= _EVENT_KEYS):
        return replace(event, data=value)
    if value["event_type"] != event.event_type:
        raise WrongUseError(
            f"the workflow is on {event.event_type}, and this event is {value['event_type']!r}",
            where=name,
            hint="aie emit hands in an event of any type; here give an event of this one, or just data",
        )
    given = value["data"]
    if not isinstance(given, dict):
        raise WrongUseError("the event's data is no object", where=name, hint='write it as "data": {"name": value, …}')
    return replace(
        event, data=given, source=str(value.get("source") or "cli"), timestamp=str(value.get("timestamp") or "")
    )


def _example(orchestrator: AsyncOrchestrator, workflow: Workflow) -> Mapping[str, Any]:
    spec = orchestrator.registry.event_type(workflow.trigger_event)
    if spec is None:
        raise WrongUseError(
            f"no installed plugin knows {workflow.trigger_event} events, so there is no example of one",
            where=workflow.workflow_id,
            hint="give the data: --data, --event or KEY=VALUE",
        )
    return spec.example


def _from_clock(orchestrator: AsyncOrchestrator, workflow: Workflow) -> dict[str, Json]:
    """The data of an event that needs no more than the time."""
    if workflow.trigger_event == EventType.MANUAL_TRIGGER:
        return {}
    if workflow.trigger_event != EventType.SCHEDULED_TRIGGER:
        needs = sorted({path[2] for path in _paths(workflow) if path[:2] == ("event", "data") and len(path) > 2})
        example = f"{needs[0] if needs else 'name'}=…"
        raise WrongUseError(
            f"{workflow.workflow_id} is on {workflow.trigger_event} and needs its data"
            + (f": {', '.join(needs)}" if needs else ""),
            where=workflow.workflow_id,
            hint=f"aie run {workflow.workflow_id} {example}, or --data, or --event FILE; --example uses an example",
        )
    own = workflow.schedule.timezone if workflow.schedule else None
    zone = ZoneInfo(own) if own else orchestrator.config.timezone
    now = datetime.now(UTC)
    local = now.astimezone(zone)
    with untouched_history(orchestrator.config) as history:
        pending_count = history.pending_count() if history else 0
    data: dict[str, Json] = {
        "trigger_time": local.strftime("%H:%M"),
        "date": local.date().isoformat(),
        "weekday": WEEKDAYS[local.weekday()],
        "pending_count": pending_count,
        "schedule": workflow.workflow_id,
        "late": False,
        "due_at": now.isoformat(timespec="seconds"),
    }
    return _as_scheduled(orchestrator, workflow, data)


def _as_scheduled(orchestrator: AsyncOrchestrator, workflow: Workflow, data: dict[str, Json]) -> dict[str, Json]:
    """The data as the first schedule of ``aie.toml`` would give it that starts this workflow; else as they are.

    Who runs a workflow for eight o'clock at ten past four means the eight o'clock one.
    """
    settings = orchestrator.registry.plugin("core").settings
    offers = [data]
    for schedule in named_schedules(settings, orchestrator.config.timezone):
        for due in next_times(schedule, datetime.now(UTC), 1):
            time = due.astimezone(schedule.zone).strftime("%H:%M")
            offers.append({**data, "trigger_time": time, "schedule": schedule.name})
    for offer in offers:
        event = Event(workflow.trigger_event, "schedule", offer, "", "once", workflow.workflow_id)
        if next(match(event.plain(), [replace(workflow, enabled=True)], addressed_to=workflow.workflow_id)).starts:
            return offer
    return data


def _paths(workflow: Workflow) -> set[tuple[str, ...]]:
    paths = set(workflow.condition.paths) if workflow.condition else set()
    for step in workflow.steps:
        paths |= step.parameters.paths | (step.condition.paths if step.condition else frozenset())
    return paths


def _tell_why_not(found: Match, event: Event, output: Output) -> None:
    workflow = found.workflow
    saw = seen(found, event.plain())
    output.record({"workflow_id": workflow.workflow_id, "started": False, "reason": found.reason, "saw": dict(saw)})
    output.line(f"{workflow.workflow_id} did not start: {found.reason}")
    if workflow.condition is not None:
        output.line(f"    {workflow.condition.source}")
    for path, value in saw:
        output.line(f"    saw {path} = {shorten(repr(value), 60)}")
    if "disabled" in found.reason:
        output.line(f"Next: aie workflows enable {workflow.workflow_id}")
    else:
        output.line("Next: give other data, or add --force to run it all the same. Nothing was recorded.")
