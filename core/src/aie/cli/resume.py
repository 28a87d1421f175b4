"""``aie resume``: let everything go on after ``aie pause``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from aie.cli.output import Output, common_options
from aie.cli.terminal import person
from aie.cli.vaults import open_vault, wait_for


@click.command()
@common_options
def command(vault: Path | None, output: Output) -> int:
    """Let everything go on that aie pause held back. What was approved meanwhile is carried out now."""
    return wait_for(_resume(vault, output))


async def _resume(vault: Path | None, output: Output) -> int:
    async with open_vault(vault) as orchestrator:
        changed, still = await orchestrator.resume(by=person())
        await orchestrator.settle()
    output.record({"paused": bool(still), "changed": changed, "why": still})
    if still:
        output.line(f"It is still paused: {still}. Move that note away.")
        return 1
    output.line("It goes on." if changed else "It was not paused.")
    return 0
