"""``aie approvals show``: one request in full."""

from __future__ import annotations

import json
from pathlib import Path

import rich_click as click

from aie.approvals import Approval, ApprovalState
from aie.cli.approvals.choosing import find_approval
from aie.cli.approvals.views import already_decided, approval_record, edit_lines, outcome_lines, run_of
from aie.cli.output import Output, common_options, local
from aie.cli.terminal import labelled, safe, safe_lines, wrapped
from aie.cli.vaults import load_config, read_history
from aie.config import Config
from aie.rows import RunRow


@click.command("show")
@click.argument("approval_id", metavar="ID")
@common_options
def show_approval(approval_id: str, vault: Path | None, output: Output) -> None:
    """Who asks, why, and exactly what will happen; or what came of it."""
    config = load_config(vault)
    history = read_history(config)
    approval = find_approval(history, approval_id)
    run = run_of(history, approval)
    fields = {
        **approval_record(approval),
        "body": approval.body,
        "params": approval.params,
        "step_result": approval.step_result,
    }
    output.record({**fields, "run_status": str(run.status) if run else None})
    for line in _sheet(approval, run, config):
        output.line(line)


def _sheet(approval: Approval, run: RunRow | None, config: Config) -> list[str]:
    zone = config.timezone
    lines = [*wrapped(approval.title), ""]
    lines += labelled("Id", approval.approval_id)
    lines += labelled("Asked by", f"{approval.workflow_name} ({approval.workflow_id}), step {approval.step_id}")
    lines += labelled("Because", approval.reason)
    lines += labelled("Asked", local(approval.requested_at, zone))
    if approval.expires_at:
        lines += labelled("Expires", local(approval.expires_at, zone))
    lines += labelled("Action", approval.action_type)
    if approval.rule:
        lines += labelled("Rule", f"{approval.rule} has it asked")
    if approval.problem:
        lines += labelled("Rules", f"one could not be applied: {approval.problem}")
    if approval.body and approval.body not in approval.params.values():
        lines += ["", "What it says", *safe_lines(approval.body, "  | ")]
    pending = approval.state is ApprovalState.PENDING
    lines += ["", "What will be carried out, exactly this" if pending else "What was asked for"]
    width = max((len(name) for name in approval.params), default=0) + 2
    for name, value in approval.params.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if "\n" in text:
            lines += [f"  {safe(name)}", *safe_lines(text, "  | ")]
        else:
            lines += labelled(name, text, width=width)
    lines.append("")
    if approval.state is ApprovalState.PENDING:
        short = approval.approval_id
        lines += [f"Approve: aie approvals approve {short}", f"Reject:  aie approvals reject {short}"]
        if approval.editable:
            lines += wrapped(
                f"aie approvals approve {short} --set NAME=VALUE; of these: {', '.join(approval.editable)}",
                indent="Change:  ", more="         ",
            )  # fmt: skip
        if approval.required_channel:
            lines += wrapped("Only a decision in a terminal counts for this one.")
        return lines
    lines += wrapped(already_decided(approval, config).removeprefix("was already ").capitalize())
    if approval.comment:
        lines += labelled("Comment", approval.comment)
    lines += edit_lines(approval)
    lines += outcome_lines(approval, run)
    if approval.step_result is not None:
        lines += labelled("Gave", json.dumps(approval.step_result, ensure_ascii=False), width=5)
    return lines
