"""``aie start``: watch everything and run workflows until stopped."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from aie.builtin.schedule import next_times
from aie.cli.output import Output, clean, common_options, own_stdout, shorten, show_warnings
from aie.cli.terminal import counted
from aie.cli.vaults import open_vault, wait_for
from aie.cli.watchdog import Watchdog, say
from aie.config import Config
from aie.dry_run import untouched_history
from aie.errors import AieError, BusyError
from aie.library import Shelf
from aie.orchestrator import AsyncOrchestrator
from aie.plain import Json
from aie.plugins.plugin import PluginState
from aie.readiness import missing_actions, missing_source, schedules_of
from aie.records import AuditRecord
from aie.run import RunStatus

log = logging.getLogger("aie.start")

LOOK_S = 0.1
PATIENCE_S = 2.0
DELIVER_WITHIN_S = 0.5  # when stopping
BATCH_SIZE = 500
MOST_BEHIND = 5_000  # records; a person is shown the newest when more than these happen at once


class Start(click.Command):
    """Its help is drawn by rich-click, as that of all commands; what that needs is not kept while aie is at work."""

    def get_help(self, ctx: click.Context) -> str:
        from rich_click import RichCommand  # noqa: PLC0415

        drawn = RichCommand(name=self.name, params=self.params, help=self.help)
        with drawn.make_context(ctx.info_name, [], ctx.parent, resilient_parsing=True) as context:
            return drawn.get_help(context)


@click.command(cls=Start)
@common_options
def command(vault: Path | None, output: Output) -> None:
    """Watch everything and run workflows until stopped with Ctrl-C.

    It shows what it watches, then a line for each thing that happens. Stopping it loses nothing: what is under way
    goes on with the next start, and a second Ctrl-C stops at once. Other aie commands work beside it. With --json
    each line is one audit record.
    """
    show_warnings()
    with Watchdog() as watchdog:
        orchestrator = open_vault(vault)
        if not watchdog.asked.is_set():
            own = output if output.json else Output(stream=own_stdout())
            wait_for(_serve(orchestrator, Lines(own), watchdog))


async def _serve(orchestrator: AsyncOrchestrator, output: Lines, watchdog: Watchdog) -> None:
    stopping = watchdog.attach()
    await _open(orchestrator)
    try:
        if not stopping.is_set():
            await _work(orchestrator, output, stopping)
        output.line("\nStopping …")
    except BaseException:
        watchdog.code = 1
        watchdog.stop()
        raise
    finally:
        # The watchdog stays: ending the event loop waits for plugins as well.
        await orchestrator.close(deliver_within_s=DELIVER_WITHIN_S)
    output.line(farewell(orchestrator.config))


async def _work(orchestrator: AsyncOrchestrator, output: Lines, stopping: asyncio.Event) -> None:
    """Until it is asked to stop, or something breaks that it cannot work on without, which is then raised."""
    assert orchestrator.engine is not None
    seq = orchestrator.engine.journal.audit_seq
    for line in _opening(orchestrator):
        output.line(line)
    orchestrator.serve()
    stop = asyncio.create_task(stopping.wait())
    tasks = {stop, asyncio.create_task(_follow(orchestrator, seq, output)), asyncio.create_task(orchestrator.failure())}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    broken = [task for task in tasks - {stop} if task.done()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in broken:
        task.result()


async def _open(orchestrator: AsyncOrchestrator) -> None:
    """Become the engine. A command of a moment may be it just now, so this is tried for a while."""
    for left in reversed(range(round(PATIENCE_S / LOOK_S))):
        try:
            await orchestrator.open(serve=True)
            return
        except BusyError:
            if not left:
                raise
            await asyncio.sleep(LOOK_S)


class Lines:
    """Where the lines go. When nobody reads them any more, the work goes on without them."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.json = output.json

    def line(self, text: str) -> None:
        self._write(self._output.line, text)

    def record(self, fields: Mapping[str, Any]) -> None:
        self._write(self._output.record, fields)

    def _write(self, write: Callable[[Any], None], what: Any) -> None:
        try:
            write(what)
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            self._output.abandon()
            log.warning("what aie start prints cannot be written any more (%s); it works on", error)


def farewell(config: Config) -> str:
    """What is left open, in a sentence. That it cannot be told is no failure: the engine has stopped by now."""
    try:
        with untouched_history(config) as history:
            statuses = history.open_counts() if history else {}
            pending = history.pending_count() if history else 0
    except AieError as error:
        return f"Stopped; nothing is lost. What is open cannot be told just now: {error.message}"
    open_ends = [
        (statuses.get(RunStatus.RUNNING, 0), "under way"),
        (statuses.get(RunStatus.QUEUED, 0), "queued"),
        (statuses.get(RunStatus.HELD, 0), "held because they were too many"),
        (statuses.get(RunStatus.WAITING, 0), "waiting for their time"),
        (pending, "waiting for you"),
        (statuses.get(RunStatus.BLOCKED, 0), "blocked"),
        (statuses.get(RunStatus.UNCERTAIN, 0), "uncertain"),
    ]
    counts = ", ".join(f"{count} {what}" for count, what in open_ends if count)
    return f"Stopped; nothing is lost. {'Open: ' + counts + '.' if counts else 'Nothing is open.'}"


# --- what is there at the start -----------------------------------------------------------------------------------


def _opening(orchestrator: AsyncOrchestrator) -> Iterator[str]:
    config, registry, shelf = orchestrator.config, orchestrator.registry, orchestrator.library.shelf
    yield f"aie is at work in {config.vault}"
    for warning in (*config.warnings, *registry.warnings):
        yield f"  warning: {warning}"
    for info in registry.plugins:
        if info.state is PluginState.BROKEN:
            yield f"  the plugin {info.name} is broken: {info.reason}; {info.hint}"
    yield "Watching"
    watching = [offer.item for offer in registry.sources() if offer.item.watching]
    width = max((len(source.name) for source in watching), default=0)
    for source in watching:
        yield f"  {source.name:<{width}}  {source.watching}"
    schedules, problems = schedules_of(shelf, registry, config)
    for schedule in schedules:
        coming = next_times(schedule, datetime.now(UTC), 1)
        yield f"  next {schedule.name}: {coming[0]:%a %Y-%m-%d %H:%M %Z}" if coming else f"  never: {schedule.name}"
    for problem in problems:
        yield f"  {problem}"
    yield from _shelf_lines(orchestrator, shelf)
    assert orchestrator.engine is not None
    history = orchestrator.history
    under_way, requests = history.open_counts().get(RunStatus.RUNNING, 0), history.request_count()
    if under_way:
        yield f"Going on with {counted(under_way, 'run')} that {'was' if under_way == 1 else 'were'} under way"
    if requests:
        yield f"Taking in {counted(requests, 'request')} that other commands left"
    if why := orchestrator.engine.pause.why():
        yield f"PAUSED, so nothing reaches outside: {why}"
    pending = history.pending_count()
    if pending:
        yield f"Waiting for your decision: {pending}   (aie approvals list)"
    yield "Ctrl-C stops it.\n"


def _shelf_lines(orchestrator: AsyncOrchestrator, shelf: Shelf) -> Iterator[str]:
    assert orchestrator.engine is not None
    switches = orchestrator.engine.switches
    enabled = [one for one in shelf.workflows.values() if switches.get(one.workflow_id, one.enabled)]
    off = len(shelf.workflows) - len(enabled)
    yield f"Workflows: {len(enabled)} in use" + (f", {off} disabled" if off else "")
    advice: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for workflow in enabled:
        missing = missing_actions(workflow, orchestrator.registry)
        for error in missing:
            advice[error.message, error.hint].append(workflow.workflow_id)
        why, hint = ("", "") if missing else missing_source(workflow, orchestrator.registry)
        if why:
            advice[why, hint].append(workflow.workflow_id)
    for (message, hint), names in sorted(advice.items()):
        yield f"  {', '.join(sorted(names))}: {message}"
        yield f"      → {hint}"
    for problem in shelf.problems:
        yield from _problem_lines(problem)


def _problem_lines(problem: AieError) -> Iterator[str]:
    yield f"  not used: {problem.where}: {problem.message}"
    if problem.hint:
        yield f"      → {problem.hint}"


# --- what happens -------------------------------------------------------------------------------------------------


async def _follow(orchestrator: AsyncOrchestrator, seq: int, output: Lines) -> None:
    """A line for each thing that goes on record after ``seq``, and for each change of the workflow files."""
    engine, zone = orchestrator.engine, orchestrator.config.timezone
    assert engine is not None
    shelf = orchestrator.library.shelf
    while True:
        behind = engine.journal.audit_seq - seq
        if behind > MOST_BEHIND and not output.json:
            seq += behind - BATCH_SIZE
            output.line(f"  …       {behind - BATCH_SIZE:,} lines are left out; aie audit show has them all")
        if behind:
            for record in engine.history.audit(after=seq, limit=BATCH_SIZE):
                seq = record.seq
                output.record({**record.fields, "seq": seq})
                output.line(live_line(record, zone))
        if orchestrator.library.shelf is not shelf:
            before, shelf = shelf, orchestrator.library.shelf
            for line in _shelf_changes(before, shelf):
                if output.json:
                    say(clean(line))
                output.line(f"{datetime.now(zone):%H:%M:%S}  {line}")
        await asyncio.sleep(0 if engine.journal.audit_seq - seq > BATCH_SIZE else LOOK_S)


def _shelf_changes(before: Shelf, after: Shelf) -> Iterator[str]:
    old, new = before.workflows, after.workflows
    for workflow_id in sorted(new):
        if workflow_id not in old:
            yield f"workflow  {workflow_id} is new"
        elif old[workflow_id].hash != new[workflow_id].hash or old[workflow_id].enabled != new[workflow_id].enabled:
            yield f"workflow  {workflow_id} was changed; runs under way keep what they began with"
    for workflow_id in sorted(old.keys() - new.keys()):
        yield f"workflow  {workflow_id} is gone"
    known = {(problem.where, problem.message) for problem in before.problems}
    for problem in after.problems:
        if (problem.where, problem.message) not in known:
            kept = (
                "; its last good version stays in use"
                if any(one.where in problem.where for one in new.values())
                else ""
            )
            hint = f" → {problem.hint}" if problem.hint else ""
            yield " ".join(f"problem   {problem.where}: {problem.message}{hint}{kept}".split("\n"))


_STEP_WORDS = {
    "success": "done",
    "failed": "FAILED",
    "waiting": "waits",
    "retrying": "again",
    "uncertain": "UNCERTAIN",
    "blocked": "blocked",
    "skipped": "skipped",
}


def live_line(record: AuditRecord, zone: ZoneInfo) -> str:
    """``18:30:00  started   Large expense``: time, what, which; nothing in it can break the line."""
    fields = record.fields
    details = fields.get("details")
    word, text = _sentence(fields, details if isinstance(details, dict) else {})
    try:
        time = datetime.fromisoformat(str(fields["timestamp"])).astimezone(zone).strftime("%H:%M:%S")
    except ValueError:
        time = "--:--:--"
    return f"{time}  {word:<9} {shorten(text, 300)}"


def _sentence(fields: Mapping[str, Json], details: Mapping[str, Json]) -> tuple[str, str]:
    target, status = str(fields["target"]), str(fields["status"])
    why = f": {fields['error']}" if fields.get("error") else ""
    name = str(details.get("workflow_name") or target)
    match fields["action"]:
        case "event_received":
            return "event", f"{target} from {details.get('source', '')} ({details.get('event_id', '')})"
        case "workflow_started":
            return "started", name
        case "workflow_skipped":
            return "not run", f"{name}{why}"
        case "workflow_execution":
            return ("finished", name) if status == "success" else (status, f"{name}{why}")
        case "action_execution":
            until = f" until {details['until']}" if details.get("until") else ""
            place = f"{details.get('workflow_id', '')} / {fields.get('step_id', '')} ({target})"
            hint = f" → {details['hint']}" if why and details.get("hint") else ""
            return _STEP_WORDS.get(status, status), f"{place}{until}{why}{hint}"
        case "run_again":
            return "again", f"{target}: {details.get('of_run', '')}, by {fields['actor']}"
        case "run_migrated":
            return "moved", f"{target}: {fields.get('run_id', '')} has the workflow as it is now, by {fields['actor']}"
        case "approval_requested":
            return "asks you", f"{details.get('title', '')} ({details.get('approval_id', '')})"
        case "approval_decided":
            return (
                status,
                f"{details.get('title', '')}, by {details.get('decided_by', '')} ({details.get('channel', '')})",
            )
    return str(fields["action"]).replace("_", " "), f"{target} {status}{why}"
