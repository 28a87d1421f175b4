"""``aie events``: what happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from aie.cli.event_views import event_record, one_event
from aie.cli.output import Output, common_options, local, shorten
from aie.cli.run_views import run_record, words_for
from aie.cli.vaults import load_config, read_history
from aie.config import Config
from aie.history import History
from aie.inquiry import Inquiry
from aie.rows import EventRow


@click.group()
def command() -> None:
    """What happened."""


@command.command("list")
@click.option("--type", "event_type", default=None, help="Only events of this type.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many, newest first.")
@common_options
def list_events(event_type: str | None, limit: int, vault: Path | None, output: Output) -> None:
    """The events, newest first."""
    config = load_config(vault)
    history = read_history(config)
    rows = history.events(event_type=event_type, limit=limit) if history else []
    table = []
    for row in rows:
        assert history is not None
        started = len(history.runs_of_event(row.seq))
        output.record({**event_record(row), "runs": started})
        table.append(
            (local(row.received_at, config.timezone)[:16], row.event_type, row.source, str(started), row.event_id)
        )
    empty = f"No event of the type {event_type}." if event_type else "Nothing has happened yet. Try: aie emit"
    output.table(("received", "type", "source", "runs", "event"), table, empty=empty, whole=("received", "type"))
    if len(rows) == limit:
        output.line(f"(the newest {limit}; --limit shows more)")


@command.command("show")
@click.argument("event", metavar="EVENT")
@common_options
def show(event: str, vault: Path | None, output: Output) -> None:
    """One event: its data, the runs it started, and why other workflows did not start.

    The first characters of its id will do, or SOURCE/ID.
    """
    config = load_config(vault)
    history = read_history(config)
    row = one_event(history, event)
    assert history is not None
    runs = history.runs_of_event(row.seq)
    others = _others(config, history, row)
    output.record(
        {
            **event_record(row),
            "data": row.data,
            "runs": [run_record(run) for run in runs],
            "not_started_as_of_now": others,
        }
    )
    zone = config.timezone
    output.line(f"{row.event_type} from {row.source}  ({row.event_id})")
    output.line(f"  received {local(row.received_at, zone)}   timestamp {row.timestamp}")
    if row.workflow_id:
        output.line(f"  only for {row.workflow_id}")
    output.line("\nData")
    for name, value in row.data.items():
        output.line(f"  {name}: {shorten(value if isinstance(value, str) else repr(value), 300)}")
    if not row.data:
        output.line("  none")
    output.line("\nStarted")
    for run in runs:
        output.line(f"  {run.workflow_id}: {words_for(history, run, zone)}   ({run.run_id})")
    if not runs:
        output.line("  nothing")
    if others:
        output.line("\nNot started (aie why tells more)")
    for other in others:
        output.line(f"  {other['workflow_id']}: {other['reason']}")
        for path, value in other["saw"].items():
            output.line(f"      saw {path} = {shorten(repr(value), 60)}")


def _others(config: Config, history: History, row: EventRow) -> list[dict[str, Any]]:
    """Why each other workflow on this type did not start for the event."""
    return [
        {
            "workflow_id": answer.workflow_id,
            "reason": answer.reason,
            "saw": {path: value for clause in answer.explanation.clauses for path, value in clause.saw},
        }
        for answer in Inquiry.of(config, history).why(row)
        if not answer.started
    ]
