"""A request as commands hand it to a program, and put it in words."""

from __future__ import annotations

import json
from typing import Any

from aie.approvals import Approval
from aie.cli.output import local, shorten
from aie.cli.terminal import labelled, safe
from aie.config import Config
from aie.history import History
from aie.plain import Json
from aie.rows import RunRow
from aie.run import RunStatus


def what_of(approval: Approval) -> str:
    return safe(f"{approval.action_type}: {approval.title}")


def already_decided(approval: Approval, config: Config) -> str:
    by = f" by {approval.decided_by}" if approval.decided_by else ""
    through = f" ({approval.channel})" if approval.channel else ""
    return f"was already {approval.state}{by}{through} on {local(approval.decided_at, config.timezone)}"


def approval_record(approval: Approval) -> dict[str, Any]:
    return {
        "approval_id": approval.approval_id,
        "state": str(approval.state),
        "title": approval.title,
        "action_type": approval.action_type,
        "workflow_id": approval.workflow_id,
        "workflow_name": approval.workflow_name,
        "run_id": approval.run_id,
        "step_id": approval.step_id,
        "reason": approval.reason,
        "requested_at": approval.requested_at.isoformat(),
        "expires_at": approval.expires_at.isoformat() if approval.expires_at else None,
        "decided_at": approval.decided_at.isoformat() if approval.decided_at else None,
        "decided_by": approval.decided_by,
        "channel": approval.channel,
        "comment": approval.comment,
        "step_status": approval.step_status,
        "step_error": approval.step_error,
        "rule": approval.rule,
        "required_channel": approval.required_channel,
        "editable": list(approval.editable),
        "edits": [edit.plain() for edit in approval.edits],
    }


def edit_lines(approval: Approval) -> list[str]:
    """What the person who approved it changed."""
    lines: list[str] = []
    for edit in approval.edits:
        lines += labelled("Changed", f"{edit.field}: {_one_line(edit.before)} → {_one_line(edit.after)}", width=8)
    return lines


def _one_line(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shorten(text, 120)


def outcome_lines(approval: Approval, run: RunRow | None) -> list[str]:
    """What has become of the step and of its run, for a person."""
    error = f": {approval.step_error}" if approval.step_error else ""
    step = {
        "asked": "waits for the decision",
        "approved": "is about to be carried out",
        "started": "is being carried out",
        "retrying": f"failed and is tried again{error}",
        "waiting": "is done after a wait",
        "uncertain": f"may have happened or not{error}",
        "blocked": f"cannot be carried out yet{error}",
        "succeeded": "is done",
        "failed": f"failed{error}",
        "skipped": "was skipped",
        "rejected": "is not done",
    }.get(approval.step_status, approval.step_status)
    lines = labelled("Step", f"{approval.action_type} ({approval.step_id}) {step}", width=5)
    if run is not None:
        stands = {
            RunStatus.QUEUED: "waits its turn",
            RunStatus.HELD: "is held: too many at once",
            RunStatus.RUNNING: "goes on",
            RunStatus.WAITING: "waits for a time",
            RunStatus.ASKING: "waits for another decision: aie approvals list",
            RunStatus.BLOCKED: "waits for a plugin",
            RunStatus.UNCERTAIN: "waits for you to say whether a step happened",
            RunStatus.SUCCEEDED: "has ended well",
            RunStatus.FAILED: "has failed",
            RunStatus.CANCELLED: "was cancelled",
        }[run.status]
        lines += labelled("Run", f"{approval.workflow_id} {stands} (aie runs show {run.run_id})", width=5)
    return lines


def run_of(history: History | None, approval: Approval) -> RunRow | None:
    place = history.approval_place(approval.approval_id) if history else None
    return history.run(place[0]) if history and place else None
