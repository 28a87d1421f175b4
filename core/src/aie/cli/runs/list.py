"""``aie runs list``: the runs, newest first."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from aie.cli.output import Output, common_options, local
from aie.cli.run_views import run_record, words_for
from aie.cli.vaults import load_config, read_history
from aie.run import RunStatus


@click.command("list")
@click.option("--workflow", "workflow_id", default=None, help="Only runs of this workflow.")
@click.option("--status", type=click.Choice([str(status) for status in RunStatus]), default=None, help="Only these.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many, newest first.")
@common_options
def list_runs(workflow_id: str | None, status: str | None, limit: int, vault: Path | None, output: Output) -> None:
    """The runs, newest first."""
    config = load_config(vault)
    history = read_history(config)
    rows = history.runs(workflow_id=workflow_id, status=status, limit=limit) if history else []
    table = []
    for row in rows:
        assert history is not None
        output.record(run_record(row))
        table.append(
            (
                local(row.created_at, config.timezone)[:16],
                row.workflow_id,
                words_for(history, row, config.timezone),
                row.run_id,
            )
        )
    empty = "No such runs." if workflow_id or status else "Nothing has run yet. Try: aie emit, or aie start"
    output.table(("started", "workflow", "status", "run"), table, empty=empty, whole=("started", "run"))
    if len(rows) == limit:
        output.line(f"(the newest {limit}; --limit shows more)")
