"""``aie runs migrate``: a parked run gets its workflow as it is now."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from aie.cli.output import Output, common_options
from aie.cli.run_views import one_run, run_record, words_for
from aie.cli.terminal import person
from aie.cli.vaults import load_config, open_vault, read_history, wait_for
from aie.rows import RunRow
from aie.run import RunStatus


@click.command("migrate")
@click.argument("run", metavar="RUN")
@common_options
def migrate_run(run: str, vault: Path | None, output: Output) -> int:
    """Move a parked run to its workflow as it is now.

    Runs keep the workflow they began with, whatever becomes of its file. This one gets the new one, for the steps it
    has not come to. It is refused when a step that is on record is another one now.
    """
    row = one_run(read_history(load_config(vault)), run)
    return wait_for(_migrate(row, vault, output))


async def _migrate(row: RunRow, vault: Path | None, output: Output) -> int:
    async with open_vault(vault) as orchestrator:
        after = await orchestrator.migrate(row.seq, by=person())
        await orchestrator.settle()
        now = orchestrator.history.run(row.seq)
        output.record({**run_record(now), "definition_before": row.hash, "definition": now.hash})
        told = words_for(orchestrator.history, now, orchestrator.config.timezone)
        output.line(f"{now.run_id} has the workflow as it is now: {told}")
    return 1 if after.status is RunStatus.FAILED else 0
