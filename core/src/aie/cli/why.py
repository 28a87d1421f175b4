"""``aie why EVENT``: what each workflow said to an event."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from aie.cli.event_views import answer_lines, event_record, one_event
from aie.cli.output import Output, common_options, local
from aie.cli.terminal import counted
from aie.cli.vaults import load_config, read_history
from aie.inquiry import Inquiry, as_record

MOST_SHOWN = 40  # workflows; --json has them all


@click.command()
@click.argument("event", metavar="EVENT")
@common_options
def command(event: str, vault: Path | None, output: Output) -> None:
    """Why each workflow on an event's type started for it, or did not.

    Shows the part of the condition that decided and the values it saw. The first characters of the event's id will do,
    or SOURCE/ID.
    """
    config = load_config(vault)
    history = read_history(config)
    row = one_event(history, event)
    assert history is not None
    inquiry = Inquiry.of(config, history)
    answers, unusable = inquiry.why(row), len(inquiry.shelf.problems)
    output.record({**event_record(row), "workflows": [as_record(answer) for answer in answers], "unusable": unusable})
    output.line(f"{row.event_type} from {row.source}  ({row.event_id}), {local(row.received_at, config.timezone)}")
    if row.workflow_id:
        output.line(f"  only for {row.workflow_id}")
    for answer in answers[:MOST_SHOWN]:
        output.line()
        for line in answer_lines(answer, history, config):
            output.line(line)
    if not answers:
        output.line(f"\nNo workflow is on {row.event_type}.")
    if len(answers) > MOST_SHOWN:
        output.line(f"\nand {len(answers) - MOST_SHOWN:,} more that did not start; --json shows all")
    if unusable:
        output.line(f"\n{counted(unusable, 'workflow file')} cannot be used and might be on it: aie workflows check")
