"""``aie workflows enable`` and ``disable``: a person's word, which counts for more than the file."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from aie.cli.output import Output, common_options
from aie.cli.terminal import person
from aie.cli.vaults import open_vault, wait_for
from aie.cli.workflow_files import listed_files, look_at, one_of
from aie.errors import NotFoundError


@click.command("enable")
@click.argument("workflow_id", metavar="ID")
@common_options
def enable(workflow_id: str, vault: Path | None, output: Output) -> None:
    """Let a workflow run, whatever its file says."""
    wait_for(_switch(workflow_id, True, vault, output))


@click.command("disable")
@click.argument("workflow_id", metavar="ID")
@common_options
def disable(workflow_id: str, vault: Path | None, output: Output) -> None:
    """Keep a workflow from starting, whatever its file says. Runs that are under way go on."""
    wait_for(_switch(workflow_id, False, vault, output))


async def _switch(workflow_id: str, enabled: bool, vault: Path | None, output: Output) -> None:
    async with open_vault(vault) as orchestrator:
        workflow = orchestrator.library.shelf.workflows.get(workflow_id)
        if workflow is None:
            config = orchestrator.config
            likely = one_of(workflow_id, look_at(listed_files(config), config, orchestrator.registry)).usable
            raise NotFoundError(
                f"no workflow has the id {workflow_id!r}",
                where="workflow_id",
                hint=f"did you mean {likely.workflow_id!r}?",
            )
        by = person()
        await orchestrator.switch(workflow_id, enabled, by=by)
    output.record({"workflow_id": workflow_id, "enabled": enabled, "by": by})
    done, otherwise = ("enabled", "disabled") if enabled else ("disabled", "enabled")
    differs = f" Its file says {otherwise}; yours counts." if workflow.enabled != enabled else ""
    output.line(f"{workflow_id} is {done} now.{differs}")
