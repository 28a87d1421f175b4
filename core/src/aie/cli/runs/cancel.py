"""``aie runs cancel``: a person ends a run."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from aie.cli.output import Output, common_options
from aie.cli.run_views import one_run, run_record, words_for
from aie.cli.terminal import person
from aie.cli.vaults import load_config, open_vault, read_history, wait_for
from aie.rows import RunRow


@click.command("cancel")
@click.argument("run", metavar="RUN")
@common_options
def cancel_run(run: str, vault: Path | None, output: Output) -> int:
    """End a run here and now; what waits for your decision is not asked any more.

    What it has done stays done, and a call that is under way is not undone.
    """
    row = one_run(read_history(load_config(vault)), run)
    return wait_for(_cancel(row, vault, output))


async def _cancel(row: RunRow, vault: Path | None, output: Output) -> int:
    async with open_vault(vault) as orchestrator:
        cancelled = await orchestrator.cancel(row.seq, by=person())
        await orchestrator.settle()
        now = orchestrator.history.run(row.seq)
        output.record({**run_record(now), "cancelled": cancelled})
        told = words_for(orchestrator.history, now, orchestrator.config.timezone)
        output.line(f"{now.run_id}  {told}" if cancelled else f"{now.run_id} had ended before: {told}")
    return 0 if cancelled else 1
