"""``aie runs``: what ran, and how it went."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import rich_click as click

from aie.cli.output import Output, WrongUseError, common_options, local, shorten
from aie.cli.terminal import person
from aie.cli.vaults import load_config, open_vault, read_history, wait_for
from aie.engine_lock import engine_at_work
from aie.errors import EventError
from aie.history import History, RerunRow, RunRow
from aie.plain import Json, dumps, parse_json
from aie.run import RunStatus, StepRecord, StepStatus

_STEP_WORDS = {
    StepStatus.ASKED: "waits for you",
    StepStatus.STARTED: "under way",
    StepStatus.RETRYING: "will be tried again",
}


@click.group()
def command() -> None:
    """What ran, and how it went."""


@command.command("list")
@click.option("--workflow", "workflow_id", default=None, help="Only runs of this workflow.")
@click.option("--status", type=click.Choice([str(status) for status in RunStatus]), default=None, help="Only these.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many, newest first.")
@common_options
def list_runs(workflow_id: str | None, status: str | None, limit: int, vault: Path | None, output: Output) -> None:
    """The runs, newest first."""
    config = load_config(vault)
    history = read_history(config)
    rows = history.runs(workflow_id=workflow_id, status=status, limit=limit) if history else []
    table = []
    for row in rows:
        assert history is not None
        output.record(run_record(row))
        table.append(
            (
                local(row.created_at, config.timezone)[:16],
                row.workflow_id,
                words_for(history, row, config.timezone),
                row.run_id,
            )
        )
    empty = "No such runs." if workflow_id or status else "Nothing has run yet. Try: aie emit, or aie start"
    output.table(("started", "workflow", "status", "run"), table, empty=empty, whole=("started", "run"))
    if len(rows) == limit:
        output.line(f"(the newest {limit}; --limit shows more)")


@command.command("show")
@click.argument("run", metavar="RUN")
@common_options
def show(run: str, vault: Path | None, output: Output) -> None:
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


@command.command("resolve")
@click.argument("run", metavar="RUN")
@click.argument("step", metavar="STEP")
@click.option(
    "--happened/--repeat", "happened", default=None, help="It happened; or it did not, and is to be done again."
)
@click.option("--result", metavar="JSON", help="What it gave, for later steps; with --happened.")
@common_options
def resolve(run: str, step: str, happened: bool | None, result: str | None, vault: Path | None, output: Output) -> int:
    """Say whether an uncertain step happened; the run then goes on.

    A step is uncertain when aie was cut off, or the answer lost, after an action may have reached outside. Look at the
    service first: --repeat does it again.
    """
    if happened is None:
        raise WrongUseError("did it happen or not?", where=step, hint="give --happened or --repeat")
    if result is not None and not happened:
        raise WrongUseError("what is repeated gives its own result", where="--result", hint="leave it out")
    history = read_history(load_config(vault))
    row = one_run(history, run)
    assert history is not None
    names = [step_id for step_id, _ in _steps(history, row)]
    if step not in names:
        raise WrongUseError(f"{row.run_id} has no step {step!r}", where="STEP", hint=f"its steps: {', '.join(names)}")
    given = None if result is None else parse_json(result, where="--result")
    return wait_for(_resolve(row, names.index(step), happened, given, vault, output))


async def _resolve(row: RunRow, position: int, happened: bool, result: Json, vault: Path | None, output: Output) -> int:
    async with open_vault(vault) as orchestrator:
        after = await orchestrator.resolve(row.seq, position, happened=happened, result=result, by=person())
        await orchestrator.settle()
        now = orchestrator.history.run(row.seq)
        output.record(run_record(now))
        output.line(f"{now.run_id}  {words_for(orchestrator.history, now, orchestrator.config.timezone)}")
    return 1 if after.status is RunStatus.FAILED else 0


@command.command("cancel")
@click.argument("run", metavar="RUN")
@common_options
def cancel(run: str, vault: Path | None, output: Output) -> int:
    """End a run here and now; what waits for your decision is not asked any more.

    What it has done stays done, and a call that is under way is not undone.
    """
    row = one_run(read_history(load_config(vault)), run)
    return wait_for(_cancel(row, vault, output))


async def _cancel(row: RunRow, vault: Path | None, output: Output) -> int:
    async with open_vault(vault) as orchestrator:
        cancelled = await orchestrator.cancel(row.seq, by=person())
        await orchestrator.settle()
        now = orchestrator.history.run(row.seq)
        output.record({**run_record(now), "cancelled": cancelled})
        told = words_for(orchestrator.history, now, orchestrator.config.timezone)
        output.line(f"{now.run_id}  {told}" if cancelled else f"{now.run_id} had ended before: {told}")
    return 0 if cancelled else 1


@command.command("rerun")
@click.argument("run", metavar="RUN")
@click.option("--from", "since", metavar="STEP", help="Do this step and all after it anew.")
@click.option("--from-start", is_flag=True, help="Do every step anew.")
@click.option(
    "--current/--as-it-was", default=True, show_default=True, help="With the workflow as it is now, or as it was then."
)
@click.option("--set", "changes", metavar="event.data.X=VALUE", multiple=True, help="With other data of the event.")
@common_options
def rerun(
    run: str,
    since: str | None,
    from_start: bool,
    current: bool,
    changes: tuple[str, ...],
    vault: Path | None,
    output: Output,
) -> int:
    """Do a run that has ended again, from where it failed.

    Results that are on record are reused, and what you approved and was not done is not asked again. What reached
    outside, may do harm twice and is done anew asks you first, also where it usually does not.

    It is a new run: services see new idempotency keys, so a step that succeeded before and is done anew happens twice.

    \b
    Examples:
      aie runs rerun 3fk2
      aie runs rerun 3fk2 --from pay --set event.data.amount=20
    """
    if since is not None and from_start:
        raise WrongUseError("--from and --from-start do not go together", where="--from", hint="give one of them")
    row = one_run(read_history(load_config(vault)), run)
    values = dict(_change(text) for text in changes)
    return wait_for(_rerun(row, "action_0" if from_start else since, current, values, vault, output))


def _change(text: str) -> tuple[str, Json]:
    path, equals, value = text.partition("=")
    if not equals:
        raise WrongUseError(f"{text!r} is not PATH=VALUE", where="--set", hint="for example event.data.amount=20")
    try:
        return path, parse_json(value)
    except EventError:
        return path, value


async def _rerun(
    row: RunRow, since: str | None, current: bool, changes: dict[str, Json], vault: Path | None, output: Output
) -> int:
    async with open_vault(vault) as orchestrator:
        answer, after = await orchestrator.rerun(row.seq, by=person(), since=since, current=current, changes=changes)
        await orchestrator.settle()
        history, now = orchestrator.history, orchestrator.history.run(answer["seq"])
        output.record({**run_record(now), "rerun": rerun_record(history.rerun(now.seq)), "reused": answer["reused"]})
        output.line(f"{now.run_id}  {words_for(history, now, orchestrator.config.timezone)}")
        if now.hash != row.hash:
            output.line("  with the workflow as it is now, which is not as it was")
        output.line(f"  reused: {', '.join(answer['reused']) or 'nothing'}")
        output.line(f"  All about it: aie runs show {now.run_id}")
    return 1 if after.status is RunStatus.FAILED else 0


@command.command("migrate")
@click.argument("run", metavar="RUN")
@common_options
def migrate(run: str, vault: Path | None, output: Output) -> int:
    """Move a parked run to its workflow as it is now.

    Runs keep the workflow they began with, whatever becomes of its file. This one gets the new one, for the steps it
    has not come to. It is refused when a step that is on record is another one now.
    """
    row = one_run(read_history(load_config(vault)), run)
    return wait_for(_migrate(row, vault, output))


async def _migrate(row: RunRow, vault: Path | None, output: Output) -> int:
    async with open_vault(vault) as orchestrator:
        after = await orchestrator.migrate(row.seq, by=person())
        await orchestrator.settle()
        now = orchestrator.history.run(row.seq)
        output.record({**run_record(now), "definition_before": row.hash, "definition": now.hash})
        told = words_for(orchestrator.history, now, orchestrator.config.timezone)
        output.line(f"{now.run_id} has the workflow as it is now: {told}")
    return 1 if after.status is RunStatus.FAILED else 0


@command.command("release")
@click.argument("name", metavar="WORKFLOW|SOURCE")
@click.option("--cancel", "drop", is_flag=True, help="Do not let them go on: cancel them all.")
@common_options
def release(name: str, drop: bool, vault: Path | None, output: Output) -> int:
    """Let the runs go on that are held, because a workflow or a source started too many of them within a minute.

    Look first why there were so many: aie runs list --status held
    """
    return wait_for(_release(name, drop, vault, output))


async def _release(name: str, drop: bool, vault: Path | None, output: Output) -> int:
    async with open_vault(vault) as orchestrator:
        count = await orchestrator.release(name, cancel=drop, by=person())
        await orchestrator.settle()
        output.record({"name": name, "runs": count, "cancelled": drop})
        runs = "1 run" if count == 1 else f"{count:,} runs"
        output.line(f"{runs} of {name} cancelled." if drop else f"{runs} of {name} let go. See: aie runs list")
    return 0


def one_run(history: History | None, text: str) -> RunRow:
    """The run with this id, or whose id alone begins or ends with it."""
    rows = history.find_runs(text) if history else []
    exact = [row for row in rows if row.run_id == text]
    if len(exact or rows) == 1:
        return (exact or rows)[0]
    if not rows:
        raise WrongUseError(f"no run has the id {text!r}", where="RUN", hint="aie runs list shows the runs")
    found = "\n".join(f"    {row.run_id}  {row.workflow_id}" for row in rows)
    raise WrongUseError(f"{len(rows)} runs answer to {text!r}:\n{found}", where="RUN", hint="give more of the id")


# --- as data ------------------------------------------------------------------------------------------------------


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
        for index, (step_id, action_type) in enumerate(_steps(history, row))
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
    steps = _steps(history, row)
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


def _steps(history: History, row: RunRow) -> list[tuple[str, str]]:
    """(id, action type) of each step, of the definition the run is pinned to."""
    actions = json.loads(history.definition(row.hash))["actions"]
    return [(action.get("id") or f"action_{index}", action["action_type"]) for index, action in enumerate(actions)]


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")


# --- in words -----------------------------------------------------------------------------------------------------


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
