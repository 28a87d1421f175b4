"""Handing an event in, and telling what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aie.cli.output import Output, shorten
from aie.cli.run_views import run_record, waits_of, words_for
from aie.events import Event
from aie.orchestrator import AsyncOrchestrator
from aie.results import EventResult
from aie.run import RunStatus


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
            _tell_wait(waiting, output)
    for skipped in report.result.skipped:
        output.line(f"\n  {skipped['workflow_id']} did not start: {skipped['reason']}")
    if report.result.new and not report.runs and not report.result.skipped:
        output.line(f"\n  No workflow is on {event.event_type}; it is on record all the same.")
    if asked and report.channels:
        output.line(f"\n  Or: {report.channels[0]}.")


def _tell_wait(waiting: Mapping[str, Any], output: Output) -> None:
    """What a run waits for, and what to do about it."""
    if "approval_id" in waiting:
        output.line(f"      {waiting['step_id']}: {shorten(waiting['title'], 66)}")
        output.line(f"      → aie approvals approve {waiting['approval_id']}   (or reject)")
    else:
        output.line(f"      {waiting['step_id']}: {shorten(waiting['reason'], 300)}")
        if waiting.get("hint"):
            output.line(f"      → {waiting['hint']}")
