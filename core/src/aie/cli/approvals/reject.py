"""``aie approvals reject``: what was asked for is not done."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from aie.cli.approvals.choosing import choice_options, choose, is_meant
from aie.cli.approvals.deciding import decide_all
from aie.cli.output import Output, common_options
from aie.cli.vaults import load_config, read_history, wait_for


@click.command("reject")
@choice_options
@click.option("--comment", default="", help="The reason, for the record.")
@common_options
def reject(
    approval_ids: tuple[str, ...], everything: bool, workflow_id: str | None, action: str | None, yes: bool,
    comment: str, vault: Path | None, output: Output,
) -> int:  # fmt: skip
    """Reject requests: what they asked for is not done."""
    history = read_history(load_config(vault))
    chosen = choose(history, approval_ids, everything, workflow_id, action)
    if everything and not is_meant(chosen, yes, output):
        return 1
    return wait_for(decide_all(chosen, False, comment, {}, vault, output))
