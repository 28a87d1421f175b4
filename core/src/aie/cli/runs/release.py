"""``aie runs release``: what the flood guard holds goes on, or is dropped."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from aie.cli.output import Output, common_options
from aie.cli.terminal import person
from aie.cli.vaults import open_vault, wait_for


@click.command("release")
@click.argument("name", metavar="WORKFLOW|SOURCE")
@click.option("--cancel", "drop", is_flag=True, help="Do not let them go on: cancel them all.")
@common_options
def release_runs(name: str, drop: bool, vault: Path | None, output: Output) -> int:
    """Let the runs go on that are held, because a workflow or a source started too many of them within a minute.

    Look first why there were so many: aie runs list --status held
    """
    return wait_for(_release(name, drop, vault, output))


async def _release(name: str, drop: bool, vault: Path | None, output: Output) -> int:
    async with open_vault(vault) as orchestrator:
        count = await orchestrator.release(name, cancel=drop, by=person())
        await orchestrator.settle()
        output.record({"name": name, "runs": count, "cancelled": drop})
        runs = "1 run" if count == 1 else f"{count:,} runs"
        output.line(f"{runs} of {name} cancelled." if drop else f"{runs} of {name} let go. See: aie runs list")
    return 0
