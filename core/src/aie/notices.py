"""Notices: what waits for a person's word and is no request for approval, found in the journal."""

from __future__ import annotations

import json
import shlex

from aie.approvals import Notice
from aie.history import History, RunRow
from aie.run import RunStatus, StepRecord, StepStatus

MOST = 1_000  # runs looked at, newest first: nobody reads more notes than that


def open_notices(history: History) -> list[Notice]:
    """Steps that may have happened or not, and what the flood guard holds."""
    notices = [
        _uncertain(row, record, history)
        for row in history.runs(status=str(RunStatus.UNCERTAIN), limit=MOST)
        for record in history.steps(row.seq)
        if record.status is StepStatus.UNCERTAIN
    ]
    return notices + [
        Notice(
            notice_id=f"held/{name}/{first.run_id}",
            title=f"{name} starts too often: {count:,} wait",
            text=f"{(first.error or {}).get('error', '')}. The others wait, in case that is a mistake or a loop.",
            commands=(
                ("Look at them", "aie runs list --status held"),
                ("Let them go on", f"aie runs release {shlex.quote(name)}"),
                ("Drop them", f"aie runs release {shlex.quote(name)} --cancel"),
            ),
            since=first.created_at,
        )
        for name, count, first in history.held()
    ]


def _uncertain(row: RunRow, record: StepRecord, history: History) -> Notice:
    action = json.loads(history.definition(row.hash))["actions"][record.index]
    step_id = action.get("id") or f"action_{record.index}"
    command = f"aie runs resolve {row.run_id} {step_id}"
    return Notice(
        notice_id=f"uncertain/{row.run_id}/{step_id}/{record.attempt}",
        title=f"Did {action['action_type']} happen? {row.workflow_id} waits",
        text=f"{(record.error or {}).get('error', '')}\n\nLook at the service. Nothing is repeated before you say so.",
        commands=(
            ("It happened", f"{command} --happened"),
            ("Do it again", f"{command} --repeat"),
            ("All about it", f"aie runs show {row.run_id}"),
        ),
        since=record.at,
    )
