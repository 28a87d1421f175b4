"""``aie workflows``: list, show, check, schema, enable, disable."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import rich_click as click

from aie.cli.anywhere import config_anywhere
from aie.cli.output import Output, common_options, local
from aie.cli.terminal import ago, counted, labelled, person, safe, wrapped
from aie.cli.vaults import load_config, open_vault, read_history, wait_for
from aie.cli.workflow_files import Looked, json_files, listed_files, look_at, one_of
from aie.config import Config
from aie.cron import due_times
from aie.errors import DefinitionError, NotFoundError, PluginError
from aie.history import History, WorkflowCount
from aie.lint import Severity, needed_package
from aie.plugins.registry import Registry
from aie.workflow import Step, Workflow
from aie.workflow_schema import workflow_schema

SCHEMA_FILE = "workflow.schema.json"
LOOK_BACK = 20_000  # audit records that are searched for who switched a workflow


@click.group()
def command() -> None:
    """List, check and switch workflows."""


@command.command("list")
@common_options
def list_workflows(vault: Path | None, output: Output) -> None:
    """Every workflow: what starts it, whether it is enabled, how often it ran, and whether it can run."""
    config = load_config(vault)
    looked = look_at(listed_files(config), config, Registry.load(config))
    past = _Past(read_history(config))
    rows = []
    for found in sorted(looked, key=lambda found: found.workflow_id):
        output.record(_fields(found, past))
        workflow = found.workflow
        state = ", ".join(filter(None, [past.switched(workflow) if workflow else "", found.state]))
        count = past.count(found)
        rows.append(
            (
                safe(found.workflow_id),
                safe(workflow.trigger_event) if workflow else "-",
                str(count.runs) if workflow else "-",
                ago(count.last_started, datetime.now(UTC)),
                state,
            )
        )
    output.table(
        ("Workflow", "Starts on", "Runs", "Last run", "State"),
        rows,
        empty=f"No workflows yet. Put JSON files into {config.workflow_folders[0]}, or let aie init offer some.",
    )
    if any(found.errors for found in looked):
        output.line()
        output.line("What is wrong, and what would be right: aie workflows check")


@command.command("show")
@click.argument("workflow_id", metavar="ID")
@common_options
def show_workflow(workflow_id: str, vault: Path | None, output: Output) -> int:
    """One workflow, step by step."""
    config = load_config(vault)
    registry = Registry.load(config)
    found = one_of(workflow_id, look_at(listed_files(config), config, registry))
    if found.workflow is None:
        first = found.findings[0]
        raise DefinitionError(first.message, where=first.where, hint=first.hint)
    past = _Past(read_history(config))
    workflow = found.workflow
    output.record(
        {
            **_fields(found, past),
            "description": workflow.description,
            "condition": workflow.condition.source if workflow.condition else None,
            "schedule": workflow.schedule.model_dump() if workflow.schedule else None,
            "steps": [_step_fields(step, workflow, registry) for step in workflow.steps],
            "hash": workflow.hash,
        }
    )
    for line in _sheet(found, workflow, past, config, registry):
        output.line(line)
    return 0


@command.command("check")
@click.argument("what", metavar="[FILES|IDS]...", nargs=-1)
@common_options
def check_workflows(what: tuple[str, ...], vault: Path | None, output: Output) -> int:
    """Look over files, or workflows by their ids; all of the vault when none is named.

    Finds misspelt keys, unknown actions, jumps and values, and says what would be right. Exit code 1 if there is an
    error; warnings are for you to judge.
    """
    config = config_anywhere(vault)
    registry = Registry.load(config)
    looked = _chosen(what, config, registry)
    past = _Past(read_history(config))
    for found in looked:
        output.record(
            {
                "file": str(found.path.resolve()),
                "workflow_id": found.workflow_id,
                "ok": not found.errors,
                "enabled": past.enabled(found.workflow) if found.workflow else None,
                "findings": [
                    {"severity": each.severity, "where": each.where, "message": each.message, "hint": each.hint}
                    for each in found.findings
                ],
            }
        )
        for each in found.findings:
            for line in _block(each.severity, each.message, each.where, each.hint):
                output.line(line)
            output.line()
    _summary(looked, past, output)
    return 1 if any(found.errors for found in looked) else 0


@command.command("schema")
@click.option("--write", "write_file", is_flag=True, help=f"Write it to {SCHEMA_FILE} in the vault instead.")
@common_options
def print_schema(write_file: bool, vault: Path | None, output: Output) -> None:
    """The JSON Schema of a workflow file, for completion in an editor; made from the plugins installed here."""
    config = load_config(vault) if write_file else config_anywhere(vault)
    schema = workflow_schema(Registry.load(config))
    if not write_file:
        output.record(schema)
        output.line(json.dumps(schema, indent=2, ensure_ascii=False))
        return
    path = config.vault / SCHEMA_FILE  # not beside the workflows: every JSON file there is taken for one
    draft = path.with_name(f".{SCHEMA_FILE}.{os.getpid()}")
    draft.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)
    link = Path(os.path.relpath(path, config.workflow_folders[0])).as_posix()
    output.record({"path": str(path), "$schema": link})
    output.line(f"Written to {path}.")
    output.line(f'An editor uses it when a workflow begins with  "$schema": "{link}",')


@command.command("enable")
@click.argument("workflow_id", metavar="ID")
@common_options
def enable(workflow_id: str, vault: Path | None, output: Output) -> None:
    """Let a workflow run, whatever its file says."""
    wait_for(_switch(workflow_id, True, vault, output))


@command.command("disable")
@click.argument("workflow_id", metavar="ID")
@common_options
def disable(workflow_id: str, vault: Path | None, output: Output) -> None:
    """Keep a workflow from starting, whatever its file says. Runs that are under way go on."""
    wait_for(_switch(workflow_id, False, vault, output))


async def _switch(workflow_id: str, enabled: bool, vault: Path | None, output: Output) -> None:
    async with open_vault(vault) as orchestrator:
        workflow = orchestrator.library.shelf.workflows.get(workflow_id)
        if workflow is None:
            found = one_of(
                workflow_id, look_at(listed_files(orchestrator.config), orchestrator.config, orchestrator.registry)
            )
            if found.workflow is None:
                first = found.findings[0]
                raise DefinitionError(first.message, where=first.where, hint=first.hint)
            raise NotFoundError(
                f"no workflow has the id {workflow_id!r}",
                where="workflow_id",
                hint=f"did you mean {found.workflow_id!r}?",
            )
        by = person()
        await orchestrator.switch(workflow_id, enabled, by=by)
    done = "enabled" if enabled else "disabled"
    output.record({"workflow_id": workflow_id, "enabled": enabled, "by": by})
    differs = (
        ""
        if workflow.enabled == enabled
        else f" Its file says {'en' if workflow.enabled else 'dis'}abled; yours counts."
    )
    output.line(f"{workflow_id} is {done} now.{differs}")


# --- what is on record --------------------------------------------------------------------------------------------


class _Past:
    """Counters and switches of all workflows; nothing of either when nothing ever happened."""

    def __init__(self, history: History | None) -> None:
        self.counts = history.counts() if history else {}
        self.switches = history.switches() if history else {}
        self.people = _who_switched(history, set(self.switches)) if history else {}

    def count(self, found: Looked) -> WorkflowCount:
        return self.counts.get(found.workflow_id, WorkflowCount(0, None))

    def enabled(self, workflow: Workflow) -> bool:
        return self.switches.get(workflow.workflow_id, workflow.enabled)

    def by(self, workflow: Workflow) -> str:
        """Who decided whether it is enabled: a person, or ``file``."""
        if workflow.workflow_id not in self.switches:
            return "file"
        return self.people.get(workflow.workflow_id, "a person")

    def switched(self, workflow: Workflow) -> str:
        """``disabled by ana``; '' for what is enabled and always was."""
        by = self.by(workflow)
        if by == "file":
            return "" if workflow.enabled else "disabled in its file"
        if self.enabled(workflow) and workflow.enabled:
            return ""
        return f"{'en' if self.enabled(workflow) else 'dis'}abled by {safe(by)}"


def _who_switched(history: History, wanted: set[str]) -> dict[str, str]:
    """The person behind each switch, from the newest records that tell."""
    people: dict[str, str] = {}
    head = history.audit_head()
    end = head[0] if head else 0
    least = max(0, end - LOOK_BACK)
    while end > least and wanted - people.keys():
        start = max(least, end - 1_000)
        for record in reversed(history.audit(after=start, limit=end - start)):
            target = str(record.fields.get("target"))
            if record.fields.get("action") in ("workflow_enabled", "workflow_disabled") and target in wanted:
                people.setdefault(target, str(record.fields.get("actor") or "a person"))
        end = start
    return people


def _fields(found: Looked, past: _Past) -> dict[str, Any]:
    workflow, count = found.workflow, past.count(found)
    return {
        "workflow_id": found.workflow_id,
        "name": workflow.name if workflow else None,
        "trigger_event": workflow.trigger_event if workflow else None,
        "enabled": past.enabled(workflow) if workflow else None,
        "enabled_by": past.by(workflow) if workflow else None,
        "runs": count.runs,
        "last_run": count.last_started.isoformat() if count.last_started else None,
        "state": found.state,
        "needs": list(found.needs),
        "errors": len(found.errors),
        "file": str(found.path),
    }


# --- check --------------------------------------------------------------------------------------------------------


def _chosen(what: tuple[str, ...], config: Config, registry: Registry) -> list[Looked]:
    if not what:
        return look_at(listed_files(config), config, registry)
    paths: dict[Path, None] = {}
    known: list[Looked] | None = None
    for name in what:
        path = Path(name)
        if path.is_dir():
            paths.update(dict.fromkeys(json_files(path)))
        elif path.exists():
            paths[path] = None
        elif path.suffix == ".json" or len(path.parts) > 1:
            raise NotFoundError(f"there is no file {name!r}", where=str(Path.cwd()), hint="check the path")
        else:
            known = look_at(listed_files(config), config, registry) if known is None else known
            paths[one_of(name, known).path] = None
    return look_at(paths, config, registry)


def _block(severity: Severity, message: str, where: str, hint: str) -> list[str]:
    """A finding as errors look everywhere in aie."""
    word = "Error: " if severity is Severity.ERROR else "Warning: "
    lines = wrapped(message, indent=word, more=" " * len(word))
    lines += labelled("Where:", where, width=7)
    return [*lines, *(labelled("Next:", hint, width=7) if hint else [])]


def _summary(looked: list[Looked], past: _Past, output: Output) -> None:
    if not looked:
        output.line("There are no workflow files to check.")
        return
    bad = [found for found in looked if found.errors]
    warned = sum(len(found.findings) - len(found.errors) for found in looked)
    disabled = [found.workflow_id for found in looked if found.workflow and not past.enabled(found.workflow)]
    parts = [counted(len(looked), "file") + " checked", f"{len(looked) - len(bad)} in order"]
    parts += [f"{len(bad)} with errors"] if bad else []
    parts += [counted(warned, "warning")] if warned else []
    output.line(", ".join(parts) + ".")
    if disabled:
        output.line(f"Disabled: {safe(', '.join(disabled))}.")


# --- show ---------------------------------------------------------------------------------------------------------


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


def _sheet(found: Looked, workflow: Workflow, past: _Past, config: Config, registry: Registry) -> list[str]:
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
    count = past.count(found)
    lines += labelled("State", ", ".join(filter(None, [past.switched(workflow), found.state])))
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
