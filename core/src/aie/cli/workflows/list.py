"""``aie workflows list``: each with what starts it and how it stands."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import rich_click as click

from aie.cli.output import Output, common_options
from aie.cli.terminal import ago, safe
from aie.cli.vaults import load_config, read_history
from aie.cli.workflow_files import listed_files, look_at
from aie.cli.workflows.on_record import OnRecord, workflow_record
from aie.plugins.registry import Registry


@click.command("list")
@common_options
def list_workflows(vault: Path | None, output: Output) -> None:
    """Every workflow: what starts it, whether it is enabled, how often it ran, and whether it can run."""
    config = load_config(vault)
    looked = look_at(listed_files(config), config, Registry.load(config))
    on_record = OnRecord(read_history(config))
    rows = []
    for found in sorted(looked, key=lambda found: found.workflow_id):
        output.record(workflow_record(found, on_record))
        workflow = found.workflow
        state = ", ".join(filter(None, [on_record.switched(workflow) if workflow else "", found.state]))
        count = on_record.count(found)
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
