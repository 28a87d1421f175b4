"""``aie approvals list``: what waits, and what was decided."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import rich_click as click

from aie.approvals import Approval, ApprovalState
from aie.cli.approvals.choosing import short_ids
from aie.cli.approvals.views import approval_record, what_of
from aie.cli.output import Output, common_options
from aie.cli.terminal import ago, safe
from aie.cli.vaults import load_config, read_history


@click.command("list")
@click.option("--all", "with_decided", is_flag=True, help="Those that were decided as well, newest first.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="At most so many decided ones.")
@common_options
def list_approvals(with_decided: bool, limit: int, vault: Path | None, output: Output) -> None:
    """The requests that wait, oldest first."""
    history = read_history(load_config(vault))
    waiting = history.approvals(pending=True) if history else []
    decided = history.approvals(pending=False, limit=limit) if history and with_decided else []
    shown = [*waiting, *decided]
    short, now = short_ids(shown), datetime.now(UTC)
    for approval in shown:
        output.record(approval_record(approval))
    columns = ["Id", "What", "Workflow", "Asked"]
    rows = [
        [short[each.approval_id], what_of(each), safe(each.workflow_id), ago(each.requested_at, now)] for each in shown
    ]
    if with_decided:
        columns.append("State")
        rows = [[*row, _stands(each)] for row, each in zip(rows, shown, strict=True)]
    output.table(columns, rows, empty="Nothing waits for a decision.")
    if waiting:
        output.line()
        example = short[waiting[0].approval_id]
        output.line(f"Look at one: aie approvals show {example}")
        output.line(f"Decide:      aie approvals approve {example}   or   aie approvals reject {example}")


def _stands(approval: Approval) -> str:
    if approval.state is ApprovalState.PENDING:
        return "waits"
    return safe(str(approval.state) + (f" by {approval.decided_by}" if approval.decided_by else ""))
