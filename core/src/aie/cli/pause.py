"""``aie pause``: let nothing reach outside."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from aie.cli.output import Output, common_options
from aie.cli.terminal import person
from aie.cli.vaults import open_vault, wait_for
from aie.pause import NOTE


@click.command()
@click.option("--why", default="", help="A word for those who wonder.")
@common_options
def command(why: str, vault: Path | None, output: Output) -> None:
    """Let nothing reach outside until aie resume: no mail, no post, no invoice.

    Events are taken in, requests are made and decided, files are written; whatever would leave the house waits. What is
    on its way this moment comes to its end. A note named STOP.md at the vault's root does the same as long as it is
    there, from any device that syncs the vault.
    """
    wait_for(_pause(why, vault, output))


async def _pause(why: str, vault: Path | None, output: Output) -> None:
    by = person()
    async with open_vault(vault) as orchestrator:
        changed = await orchestrator.pause(why or f"{by} has paused it", by=by)
    output.record({"paused": True, "changed": changed})
    done = "Paused" if changed else "It was paused before"
    output.line(f"{done}: nothing reaches outside. aie resume lets it go on. (A note {NOTE} would do the same.)")
