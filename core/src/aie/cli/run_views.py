"""A run as commands find it, hand it to a program, and put it in words."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from aie.cli.ids import RUN, next_step
from aie.cli.output import WrongUseError, local
from aie.errors import NotFoundError
from aie.history import History
from aie.rows import RerunRow, RunRow
from aie.run import RunStatus, StepRecord, StepStatus


def one_run(history: History | None, text: str) -> RunRow:
    """The run with this id, or whose id alone begins or ends with it."""
    rows = history.find_runs(text) if history else []
    exact = [row for row in rows if row.run_id == text]
    if len(exact or rows) == 1:
        return (exact or rows)[0]
    if not rows:
        hint = next_step(text, RUN, "aie runs list shows the runs")
        raise NotFoundError(f"no run has the id {text!r}", where="RUN", hint=hint)
    found = "\n".join(f"    {row.run_id}  {row.workflow_id}" for row in rows)
    raise WrongUseError(f"{len(rows)} runs answer to {text!r}:\n{found}", where="RUN", hint="give more of the id")


def run_record(row: RunRow) -> dict[str, Any]:
    """A run for a program."""
    return {
        "run_id": row.run_id,
        "workflow_id": row.workflow_id,
        "status": str(row.status),
        "started_at": _iso(row.created_at),
        "changed_at": _iso(row.changed_at),
        "wake_at": _iso(row.wake_at),
        "error": row.error,
    }


def rerun_record(rerun: RerunRow | None) -> dict[str, Any] | None:
    """What a run is a rerun of, for a program."""
    if rerun is None:
        return None
    return {"of_run": rerun.of_run, "by": rerun.by, "from": rerun.since, "changed": rerun.changes}


def step_records(history: History, row: RunRow) -> list[dict[str, Any]]:
    """The steps of a run as its definition has them, those without a record included."""
    records = {record.index: record for record in history.steps(row.seq)}
    return [
        _step_record(step_id, action_type, records.get(index))
        for index, (step_id, action_type) in enumerate(steps_of(history, row))
    ]


def _step_record(step_id: str, action_type: str, record: StepRecord | None) -> dict[str, Any]:
    head: dict[str, Any] = {"step_id": step_id, "action_type": action_type}
    if record is None:
        return {**head, "status": "not reached"}
    return {
        **head,
        "status": str(record.status),
        "at": _iso(record.at),
        "attempts": record.attempt,
        "parameters": record.params,
        "result": record.result,
        "error": record.error,
        "wake_at": _iso(record.wake_at),
        "approval_id": record.approval_id,
        "approval": record.approval,
    }


def waits_of(history: History, row: RunRow) -> list[dict[str, Any]]:
    """What a run that has not ended waits for: requests, plugins, a word on what may have happened, or a time."""
    if row.status.ended:
        return []
    steps = steps_of(history, row)
    waits: list[dict[str, Any]] = []
    for record in history.steps(row.seq):
        step_id = steps[record.index][0]
        error = record.error or {}
        if record.status is StepStatus.ASKED and record.approval_id is not None:
            approval = history.approval(record.approval_id)
            title = approval.title if approval else ""
            waits.append({"step_id": step_id, "approval_id": record.approval_id, "title": title})
        elif record.status in (StepStatus.BLOCKED, StepStatus.UNCERTAIN):
            waits.append({"step_id": step_id, "reason": error.get("error", ""), "hint": error.get("hint", "")})
        elif record.wake_at is not None:
            reason = "it will be tried again" if record.status is StepStatus.RETRYING else "it waits"
            reason += f": {error['error']}" if "error" in error else ""
            waits.append({"step_id": step_id, "reason": reason, "until": _iso(record.wake_at)})
    return waits


def steps_of(history: History, row: RunRow) -> list[tuple[str, str]]:
    """(id, action type) of each step, of the definition the run is pinned to."""
    actions = json.loads(history.definition(row.hash))["actions"]
    return [(action.get("id") or f"action_{index}", action["action_type"]) for index, action in enumerate(actions)]


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")


def words_for(history: History, row: RunRow, zone: ZoneInfo) -> str:
    """How a run stands, for a person: ``waiting until …``, ``waits for you``, ``blocked (needs aie-gmail)``."""
    match row.status:
        case RunStatus.WAITING:
            return f"waiting until {local(row.wake_at, zone)}"
        case RunStatus.ASKING:
            return "waits for you"
        case RunStatus.BLOCKED:
            blocked = [record for record in history.steps(row.seq) if record.status is StepStatus.BLOCKED]
            text = (blocked[0].error or {}).get("error", "") if blocked else ""
            needs = re.search(r"needs the package (\S+)", text)
            return f"blocked (needs {needs[1]})" if needs else "blocked"
        case RunStatus.QUEUED:
            return "waits its turn"
        case RunStatus.HELD:
            return "held: too many at once"
    return str(row.status)
