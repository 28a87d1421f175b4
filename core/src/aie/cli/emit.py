"""``aie emit``, and what ``aie run`` shares with it: reading an event, handing it in, telling what became of it."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rich_click as click

from aie.cli.output import Output, WrongUseError, common_options, shorten, show_warnings
from aie.cli.run_views import run_record, waits_of, words_for
from aie.cli.vaults import open_vault, wait_for
from aie.dry_run import Plan, PlannedStep, plan, recorded_switches
from aie.errors import EventError
from aie.events import Event, EventType
from aie.orchestrator import AsyncOrchestrator
from aie.plain import Json, dumps, parse_json
from aie.results import EventResult
from aie.run import RunStatus
from aie.seams import RandomIds

OWN_SOURCES = ("approvals", "schedule")  # aie's own: an id used up under their names would hide a true event


@click.command()
@click.argument("event_type", metavar="TYPE")
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1)
@click.option(
    "--data", metavar="JSON|@FILE", help="The event's data: JSON, or @ and a file that holds it (@- reads it)."
)
@click.option("--source", default="cli", show_default=True, help="Where it comes from.")
@click.option(
    "--id", "event_id", default=None, help="Its id: one SOURCE and ID are one event, for ever. Made up if left out."
)
@click.option("--workflow", "workflow_id", default=None, help="Only for this workflow.")
@click.option("--dry-run", is_flag=True, help="Show what would happen; do and record nothing.")
@click.option("--force", is_flag=True, help="Take it even if nothing knows the type.")
@common_options
def command(
    event_type: str, pairs: tuple[str, ...], data: str | None, source: str, event_id: str | None,
    workflow_id: str | None, dry_run: bool, force: bool, vault: Path | None, output: Output,
) -> int:  # fmt: skip
    """Hand in an event, run what it starts, and say what became of it.

    Where aie start is running, it does the work. Values that look like JSON are read as such, so amount=750 is a
    number. The exit code is 1 when a run or a condition failed.

    \b
    Examples:
      aie emit expense_recorded name="Team lunch" amount=750 date=2026-02-09
      aie emit invoice_created --data @invoice.json --dry-run
    """
    show_warnings()
    event = Event(
        event_type=event_type,
        source=source,
        data=given_data(data, pairs),
        event_id=event_id or RandomIds().new("evt"),
        workflow_id=workflow_id,
    )
    orchestrator = open_vault(vault)
    orchestrator.library.refresh()
    if workflow_id is not None:
        known_workflow(orchestrator, workflow_id)
    if not force:
        _refuse_unknown(orchestrator, event_type)
    if dry_run:
        return show_plans(orchestrator, event, output)
    if source in OWN_SOURCES or (event_type == EventType.APPROVAL_RECEIVED and not force):
        raise WrongUseError(
            f"{'the source ' + repr(source) if source in OWN_SOURCES else event_type} is kept for aie's own events",
            where="--source" if source in OWN_SOURCES else "TYPE",
            hint="choose another source" if source in OWN_SOURCES else "try a workflow on it with --dry-run",
        )
    return wait_for(hand_in(orchestrator, event, output))


# --- reading what was given ---------------------------------------------------------------------------------------


def given_data(data: str | None, pairs: Iterable[str]) -> dict[str, Json]:
    """The event's data: what ``--data`` says, with the ``key=value`` arguments on top."""
    fields = read_object(data, "--data") if data is not None else {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise WrongUseError(
                f"{pair!r} is not KEY=VALUE", where="data", hint="for example amount=750, or --data '{\"amount\": 750}'"
            )
        fields[key] = _value(key, text)
    return fields


def _value(key: str, text: str) -> Json:
    """JSON where it is JSON, else the text as it stands."""
    try:
        return parse_json(text, where=key)
    except EventError:
        if text.lstrip().startswith(("{", "[")):
            raise
        return text


def read_object(text: str, where: str) -> dict[str, Json]:
    """The JSON object in this text, or in the file that ``@`` names; ``@-`` is standard input."""
    value = parse_json(read_file(text[1:], where) if text.startswith("@") else text, where=where)
    if not isinstance(value, dict):
        raise WrongUseError("the data is no JSON object", where=where, hint='write it as {"amount": 750}')
    return value


def read_file(name: str, where: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).expanduser().read_bytes()
    except OSError as error:
        raise WrongUseError(f"{name!r} cannot be read: {error.strerror}", where=where, hint="check the name") from None


def _refuse_unknown(orchestrator: AsyncOrchestrator, event_type: str) -> None:
    known = {offer.item.name for offer in orchestrator.registry.event_types()} | set(
        orchestrator.library.shelf.by_event
    )
    if event_type in known:
        return
    near = difflib.get_close_matches(event_type, known, n=1, cutoff=0.4)
    guess = f"did you mean {near[0]}? " if near else ""
    raise WrongUseError(
        f"no plugin and no workflow knows the event type {event_type!r}",
        where="TYPE",
        hint=f"{guess}--force takes it all the same",
    )


def known_workflow(orchestrator: AsyncOrchestrator, workflow_id: str) -> None:
    """Refuse an id that no usable workflow has, naming the nearest, or the file that is bad."""
    workflows = orchestrator.library.shelf.workflows
    if workflow_id in workflows:
        return
    near = difflib.get_close_matches(workflow_id, workflows, n=1)
    bad = len(orchestrator.library.shelf.problems)
    hint = f"did you mean {near[0]}?" if near else "aie workflows list shows them"
    if bad and not near:
        hint = f"{bad} of the workflow files cannot be used: aie workflows check"
    raise WrongUseError(f"no workflow has the id {workflow_id!r}", where="workflow", hint=hint)


# --- for real -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Report:
    """What became of an event, as far as it is known when the command ends."""

    result: EventResult
    event: Event
    runs: tuple[dict[str, Any], ...]  # as run_record has them, with what each waits for
    words: tuple[str, ...]  # each run's status for a person
    channels: tuple[str, ...]  # where requests can be answered besides the command line
    elsewhere: bool  # a running aie start did it


async def hand_in(orchestrator: AsyncOrchestrator, event: Event, output: Output, *, forced: bool = False) -> int:
    """Process the event, tell what became of it, and give the exit code."""
    async with orchestrator:
        result = await orchestrator.process_event(event, forced=forced)
        await orchestrator.settle(0)
        report = _report(orchestrator, event, result)
    output.record(
        {
            "event_id": event.event_id,
            "source": event.source,
            "event_type": str(event.event_type),
            "new": result.new,
            "runs": report.runs,
            "skipped": [dict(skipped) for skipped in result.skipped],
        }
    )
    _tell(report, output)
    failed = any(run["status"] == RunStatus.FAILED for run in report.runs)
    return 1 if failed or any(skipped["failed"] for skipped in result.skipped) else 0


def _report(orchestrator: AsyncOrchestrator, event: Event, result: EventResult) -> Report:
    history, zone = orchestrator.history, orchestrator.config.timezone
    event_seq = history.event_seq(event.source, event.event_id)
    rows = history.runs_of_event(event_seq) if event_seq is not None else []
    return Report(
        result=result,
        event=event,
        runs=tuple({**run_record(row), "waits_for": waits_of(history, row)} for row in rows),
        words=tuple(words_for(history, row, zone) for row in rows),
        channels=tuple(offer.item.summary for offer in orchestrator.registry.channels() if offer.item.summary),
        elsewhere=orchestrator.engine is None,
    )


def _tell(report: Report, output: Output) -> None:
    event = report.event
    if not report.result.new:
        output.line(f"The event {event.event_id} from {event.source} had arrived before: it starts nothing again.")
    else:
        by = ", handed to the running aie" if report.elsewhere else ""
        output.line(f"Accepted: {event.event_type} {event.event_id} from {event.source}{by}")
    asked = False
    for run, words in zip(report.runs, report.words, strict=True):
        output.line(f"\n  {run['workflow_id']}: {words}   ({run['run_id']})")
        if run.get("error"):
            step = run["error"].get("step", "")
            output.line(f"      {'step ' + step + ': ' if step else ''}{shorten(run['error'].get('error', ''), 300)}")
            if run["error"].get("hint"):
                output.line(f"      → {run['error']['hint']}")
        for waiting in run["waits_for"]:
            asked = asked or "approval_id" in waiting
            tell_wait(waiting, output)
    for skipped in report.result.skipped:
        output.line(f"\n  {skipped['workflow_id']} did not start: {skipped['reason']}")
    if report.result.new and not report.runs and not report.result.skipped:
        output.line(f"\n  No workflow is on {event.event_type}; it is on record all the same.")
    if asked and report.channels:
        output.line(f"\n  Or: {report.channels[0]}.")


def tell_wait(waiting: Mapping[str, Any], output: Output) -> None:
    """What a run waits for, and what to do about it."""
    if "approval_id" in waiting:
        output.line(f"      {waiting['step_id']}: {shorten(waiting['title'], 66)}")
        output.line(f"      → aie approvals approve {waiting['approval_id']}   (or reject)")
    else:
        output.line(f"      {waiting['step_id']}: {shorten(waiting['reason'], 300)}")
        if waiting.get("hint"):
            output.line(f"      → {waiting['hint']}")


# --- for show -----------------------------------------------------------------------------------------------------


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
