"""``aie runs show``: one run in full, and what to do about it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import rich_click as click

from aie.cli.output import Output, common_options, local, shorten
from aie.cli.run_views import one_run, rerun_record, run_record, step_records, waits_of, words_for
from aie.cli.vaults import load_config, read_history
from aie.engine_lock import engine_at_work
from aie.history import History
from aie.plain import dumps
from aie.rows import RerunRow, RunRow
from aie.run import RunStatus, StepStatus

_STEP_WORDS = {
    StepStatus.ASKED: "waits for you",
    StepStatus.STARTED: "under way",
    StepStatus.RETRYING: "will be tried again",
}


@click.command("show")
@click.argument("run", metavar="RUN")
@common_options
def show_run(run: str, vault: Path | None, output: Output) -> None:
    """One run, step by step, and what it waits for. The first or last characters of its id will do."""
    config = load_config(vault)
    history = read_history(config)
    row = one_run(history, run)
    assert history is not None
    event = history.event(row.event_seq)
    steps = step_records(history, row)
    waits = waits_of(history, row)
    rerun, later = history.rerun(row.seq), _later(history, row)
    output.record(
        {
            **run_record(row), "event": history.event_of(row), "steps": steps, "waits_for": waits,
            "rerun": rerun_record(rerun) if rerun else None,
            "done_again_by": [other.run_id for other in later],
        }
    )  # fmt: skip
    zone = config.timezone
    output.line(f"{row.run_id}  {row.workflow_id}: {words_for(history, row, zone)}")
    output.line(f"  event    {event.event_type} from {event.source}  ({event.event_id})")
    output.line(f"  started  {local(row.created_at, zone)}   last change {local(row.changed_at, zone)}")
    for line in _rerun_lines(rerun):
        output.line(f"  {line}")
    for other in later:
        output.line(f"  again    as {other.run_id}: {words_for(history, other, zone)}")
    if row.error and "step" not in row.error:
        output.line(f"  {shorten(row.error.get('error', ''), 300)}")
    for step in steps:
        _tell_step(step, zone, output)
    _tell_next(row, waits, engine_at_work(config.state_dir), output)


def _later(history: History, row: RunRow) -> list[RunRow]:
    """The runs that a person had done again after this one, for the same event and workflow."""
    others = history.runs_of_event(row.event_seq)
    return [one for one in others if one.workflow_id == row.workflow_id and one.generation > row.generation]


def _rerun_lines(rerun: RerunRow | None) -> list[str]:
    if rerun is None:
        return []
    since = f", from {rerun.since}" if rerun.since else ""
    lines = [f"again    {rerun.of_run}{since}, started by {rerun.by}"]
    for change in rerun.changes:
        before, after = (shorten(dumps(change[key]), 60) for key in ("before", "after"))
        lines.append(f"changed  {change['path']}: {after}, was {before}")
    return lines


def _tell_step(step: dict[str, Any], zone: ZoneInfo, output: Output) -> None:
    status = StepStatus(step["status"]) if step["status"] != "not reached" else None
    words = _STEP_WORDS.get(status, str(status)) if status else "not reached"
    output.line(f"\n  {step['step_id']}  {step['action_type']}: {words}")
    if status is None:
        return
    facts = [local(datetime.fromisoformat(step["at"]), zone)]
    if step["attempts"] > 1:
        facts.append(f"attempt {step['attempts']}")
    if step["wake_at"]:
        facts.append(f"until {local(datetime.fromisoformat(step['wake_at']), zone)}")
    output.line(f"      {', '.join(facts)}")
    if step["approval_id"]:
        output.line(f"      approval {step['approval_id']}{_decision(step['approval'])}")
    for edit in (step["approval"] or {}).get("edits") or ():
        change = f"{shorten(dumps(edit['before']), 100)} → {shorten(dumps(edit['after']), 100)}"
        output.line(f"      changed before: {edit['field']}, {change}")
    if (step["approval"] or {}).get("rule") and not step["approval_id"]:
        output.line(f"      by the rule {step['approval']['rule']!r} of aie.toml")
    if step["result"] is not None:
        output.line(f"      result {shorten(dumps(step['result']), 200)}")
    if step["error"]:
        output.line(f"      {shorten(step['error'].get('error', ''), 300)}")
        if step["error"].get("hint"):
            output.line(f"      → {step['error']['hint']}")


def _decision(approval: dict[str, Any] | None) -> str:
    if not approval or "approved" not in approval:
        return ""
    said = "approved" if approval.get("approved") else "rejected"
    comment = f": {shorten(str(approval['comment']), 60)}" if approval.get("comment") else ""
    return f", {said} by {approval.get('decided_by') or 'aie'} ({approval.get('channel') or 'engine'}){comment}"


def _tell_next(row: RunRow, waits: list[dict[str, Any]], engine: bool, output: Output) -> None:
    steps = [row.error["hint"]] if row.error and row.error.get("hint") and not row.status.ended else []
    for waiting in waits:
        if "approval_id" in waiting:
            steps.append(f"aie approvals approve {waiting['approval_id']}   (or reject)")
        elif waiting.get("hint"):
            steps.append(waiting["hint"])
    if row.status in (RunStatus.FAILED, RunStatus.CANCELLED):
        steps.append(f"aie runs rerun {row.run_id}   does it again from there")
    if not (row.status.ended or row.status is RunStatus.HELD or engine):
        steps.append("aie start goes on with it; it is not running")
    if steps:
        output.line("\nNext:")
    for step in dict.fromkeys(steps):
        output.line(f"  {step}")
