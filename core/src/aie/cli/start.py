"""``aie start``: watch everything and run workflows until stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import rich_click as click

from aie.builtin.schedule import next_times
from aie.cli.output import Output, clean, common_options, shorten, show_warnings
from aie.cli.vaults import open_vault, wait_for
from aie.doctor import missing_actions, missing_source, schedules_of
from aie.dry_run import untouched_history
from aie.errors import AieError, BusyError
from aie.library import Shelf
from aie.orchestrator import AsyncOrchestrator
from aie.plain import Json
from aie.plugins.plugin import PluginState
from aie.records import AuditRecord
from aie.run import RunStatus

LOOK_S = 0.1
PATIENCE_S = 2.0
STOP_WITHIN_S = 4.5
BATCH_SIZE = 500


@click.command()
@common_options
def command(vault: Path | None, output: Output) -> None:
    """Watch everything and run workflows until stopped with Ctrl-C.

    It shows what it watches, then a line for each thing that happens. Stopping it loses nothing: what is under way
    goes on with the next start, and a second Ctrl-C stops at once. Other aie commands work beside it. With --json
    each line is one audit record.
    """
    show_warnings()
    wait_for(_serve(open_vault(vault), output))


async def _serve(orchestrator: AsyncOrchestrator, output: Output) -> None:
    stopping = asyncio.Event()
    watchdog = _Watchdog()
    with _signals(lambda: _stop(stopping, watchdog)):
        await _open(orchestrator)
        try:
            assert orchestrator.engine is not None
            seq = orchestrator.engine.journal.audit_seq
            for line in _opening(orchestrator):
                output.line(line)
            orchestrator.serve()
            follower = asyncio.create_task(_follow(orchestrator, seq, output))
            await asyncio.wait({follower, asyncio.create_task(stopping.wait())}, return_when=asyncio.FIRST_COMPLETED)
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)
            if not stopping.is_set():
                follower.result()  # it failed: say why
            output.line("\nStopping …")
        finally:
            await orchestrator.close()  # the watchdog stays: ending the event loop waits for plugins as well
    output.line(_farewell(orchestrator))


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


# --- stopping -----------------------------------------------------------------------------------------------------


class _Watchdog:
    """Ends the process if stopping takes too long: a plugin that hangs must not keep aie from ending."""

    def __init__(self) -> None:
        self._timer = threading.Timer(STOP_WITHIN_S, self._end)
        self._timer.daemon = True

    def start(self) -> None:
        self._timer.start()

    def _end(self) -> None:
        sys.stderr.write("Warning: a plugin did not stop in time and was cut off; nothing is lost.\n")
        sys.stderr.flush()
        os._exit(0)


def _stop(stopping: asyncio.Event, watchdog: _Watchdog) -> None:
    if stopping.is_set():
        sys.stderr.write("Stopped at once. What was under way goes on with the next start.\n")
        sys.stderr.flush()
        os._exit(130)
    stopping.set()
    watchdog.start()


class _signals:  # noqa: N801 - used as a function
    """While inside, Ctrl-C and a request to end call this on the event loop."""

    def __init__(self, handle: Callable[[], None]) -> None:
        self._handle = handle
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(
                number, lambda *_: loop.call_soon_threadsafe(self._handle)
            )  # works where event loops know no signals, too

    def __exit__(self, *exc_info: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)


def _farewell(orchestrator: AsyncOrchestrator) -> str:
    with untouched_history(orchestrator.config) as history:
        statuses = Counter(status for _, status, _ in history.open_runs()) if history else Counter()
        pending = history.pending_count() if history else 0
    open_ends = [
        (statuses[RunStatus.RUNNING], "under way"),
        (statuses[RunStatus.WAITING], "waiting for their time"),
        (pending, "waiting for you"),
        (statuses[RunStatus.BLOCKED], "blocked"),
        (statuses[RunStatus.UNCERTAIN], "uncertain"),
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
    for offer in registry.sources():
        if offer.item.watching:
            yield f"  {offer.item.name:<14} {offer.item.watching}"
    schedules, problems = schedules_of(shelf, registry, config)
    for schedule in schedules:
        coming = next_times(schedule, datetime.now(UTC), 1)
        yield f"  next {schedule.name}: {coming[0]:%a %Y-%m-%d %H:%M %Z}" if coming else f"  never: {schedule.name}"
    for problem in problems:
        yield f"  {problem}"
    yield from _shelf_lines(orchestrator, shelf)
    assert orchestrator.engine is not None
    pending = orchestrator.history.pending_count()
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
        package = "" if missing else missing_source(workflow, orchestrator.registry)
        if package:
            advice[f"nothing installed brings {workflow.trigger_event}", f"pip install {package}, or aie emit"].append(
                workflow.workflow_id
            )
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


async def _follow(orchestrator: AsyncOrchestrator, seq: int, output: Output) -> None:
    """A line for each thing that goes on record after ``seq``, and for each change of the workflow files."""
    engine, zone = orchestrator.engine, orchestrator.config.timezone
    assert engine is not None
    shelf = orchestrator.library.shelf
    while True:
        if engine.journal.audit_seq > seq:
            for record in engine.history.audit(after=seq, limit=BATCH_SIZE):
                seq = record.seq
                output.record({**record.fields, "seq": seq})
                output.line(live_line(record, zone))
        if orchestrator.library.shelf is not shelf:
            before, shelf = shelf, orchestrator.library.shelf
            for line in _shelf_changes(before, shelf):
                if output.json:
                    sys.stderr.write(clean(line) + "\n")
                output.line(f"{datetime.now(zone):%H:%M:%S}  {line}")
        await asyncio.sleep(LOOK_S)


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
        case "approval_requested":
            return "asks you", f"{details.get('title', '')} ({details.get('approval_id', '')})"
        case "approval_decided":
            return (
                status,
                f"{details.get('title', '')}, by {details.get('decided_by', '')} ({details.get('channel', '')})",
            )
    return str(fields["action"]).replace("_", " "), f"{target} {status}{why}"
