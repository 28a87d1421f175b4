"""``aie workflows show``: one of them, step by step."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import rich_click as click

from aie.cli.output import Output, common_options, local
from aie.cli.terminal import counted, labelled, wrapped
from aie.cli.vaults import load_config, read_history
from aie.cli.workflow_files import Looked, listed_files, look_at, one_of
from aie.cli.workflows.on_record import OnRecord, workflow_record
from aie.config import Config
from aie.cron import due_times
from aie.errors import PluginError
from aie.lint import needed_package
from aie.plugins.registry import Registry
from aie.workflow import Step, Workflow


@click.command("show")
@click.argument("workflow_id", metavar="ID")
@common_options
def show_workflow(workflow_id: str, vault: Path | None, output: Output) -> int:
    """One workflow, step by step."""
    config = load_config(vault)
    registry = Registry.load(config)
    found = one_of(workflow_id, look_at(listed_files(config), config, registry))
    workflow, on_record = found.usable, OnRecord(read_history(config))
    output.record(
        {
            **workflow_record(found, on_record),
            "description": workflow.description,
            "condition": workflow.condition.source if workflow.condition else None,
            "schedule": workflow.schedule.model_dump() if workflow.schedule else None,
            "steps": [_step_fields(step, workflow, registry) for step in workflow.steps],
            "hash": workflow.hash,
        }
    )
    for line in _sheet(found, workflow, on_record, config, registry):
        output.line(line)
    return 0


def _step_fields(step: Step, workflow: Workflow, registry: Registry) -> dict[str, Any]:
    try:
        asks: bool | None = registry.handler(step.action_type).handler.asks_first
    except PluginError:
        asks = None
    return {
        "id": step.id,
        "action_type": step.action_type,
        "condition": step.condition.source if step.condition else None,
        "on_success": _target(step.on_success, workflow),
        "on_failure": _target(step.on_failure, workflow),
        "asks_first": asks,
        "await_approval": step.await_approval,
        "needs": needed_package(step.action_type, registry) or None,
        "attempts": step.attempts,
        "timeout_s": step.timeout_s,
        "parameters": step.parameters.source,
    }


def _target(index: int | None, workflow: Workflow) -> str | None:
    if index is None:
        return None
    return workflow.steps[index].id if index < len(workflow.steps) else "end"


def _sheet(found: Looked, workflow: Workflow, on_record: OnRecord, config: Config, registry: Registry) -> list[str]:
    lines = wrapped(workflow.name)
    if workflow.description:
        lines += wrapped(workflow.description)
    lines.append("")
    lines += labelled("Id", workflow.workflow_id)
    lines += labelled("File", found.where)
    spec = registry.event_type(workflow.trigger_event)
    lines += labelled("Starts on", workflow.trigger_event + (f" ({spec.summary})" if spec and spec.summary else ""))
    if workflow.condition:
        lines += labelled("Only if", workflow.condition.source)
    if workflow.schedule:
        lines += labelled("Schedule", _schedule(workflow, config))
    count = on_record.count(found)
    lines += labelled("State", ", ".join(filter(None, [on_record.switched(workflow), found.state])))
    last = f", last {local(count.last_started, config.timezone)}" if count.last_started else ""
    lines += labelled("Runs", f"{count.runs}{last}")
    lines.append("")
    for step in workflow.steps:
        lines += _step_lines(step, workflow, registry)
    if found.findings:
        lines += ["", f"{counted(len(found.findings), 'thing')} to look at: aie workflows check {found.workflow_id}"]
    return lines


def _schedule(workflow: Workflow, config: Config) -> str:
    assert workflow.schedule is not None
    zone = ZoneInfo(workflow.schedule.timezone) if workflow.schedule.timezone else config.timezone
    following = next(due_times(workflow.schedule.cron, zone, datetime.now(UTC)), None)
    return (
        f"{workflow.schedule.cron} ({zone.key}), next {local(following, zone)}; catch up: {workflow.schedule.catch_up}"
    )


def _step_lines(step: Step, workflow: Workflow, registry: Registry) -> list[str]:
    fields = _step_fields(step, workflow, registry)
    notes = []
    if fields["needs"]:
        notes.append(f"needs {fields['needs']}")
    elif fields["asks_first"] is None:
        notes.append("no such action")
    if fields["asks_first"]:
        notes.append("asks first")
    if step.await_approval:
        notes.append("the steps after it wait for the decision")
    head = f"  {step.index + 1:>2}. "
    own = f"{step.id}: " if step.id != f"action_{step.index}" else ""
    lines = wrapped(
        f"{own}{step.action_type}" + (f" ({', '.join(notes)})" if notes else ""), indent=head, more="      "
    )
    if step.condition:
        lines += labelled("only if", step.condition.source, indent="      ", width=9)
    jumps = [("success", fields["on_success"]), ("failure", fields["on_failure"])]
    for word, target in jumps:
        if target:
            goes_on = "ends the run" if target == "end" else f"goes on with {target}"
            lines += wrapped(f"after {word}, {goes_on}", indent="      ")
    return lines
