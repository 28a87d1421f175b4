"""``aie approvals``: list, show, approve, reject."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rich_click as click

from aie.approvals import Approval, ApprovalState
from aie.cli.approval_rules import rules
from aie.cli.output import Output, WrongUseError, common_options, local, shorten
from aie.cli.terminal import ago, at_terminal, counted, labelled, person, safe, safe_lines, wrapped
from aie.cli.vaults import load_config, open_vault, read_history, wait_for
from aie.config import Config
from aie.errors import AieError, NotFoundError
from aie.history import History, RunRow
from aie.orchestrator import AsyncOrchestrator
from aie.plain import Json, parse_json
from aie.run import RunStatus, StepStatus
from aie.spelling import nearest

PREFIX = "apr_"
LEAST = 4  # characters of an id that must be given
SHORT = 6
REST_WITHIN_S = 60.0
LOOK_S = 0.1
STILL_LOOKS = 4  # looks in a row without a change that count as rest

_RESTING = frozenset(StepStatus) - {StepStatus.APPROVED, StepStatus.STARTED}


@click.group()
def command() -> None:
    """What waits for your decision."""


command.add_command(rules)


@command.command("list")
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
        output.record(_fields(approval))
    columns = ["Id", "What", "Workflow", "Asked"]
    rows = [
        [short[each.approval_id], _what(each), safe(each.workflow_id), ago(each.requested_at, now)] for each in shown
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


@command.command("show")
@click.argument("approval_id", metavar="ID")
@common_options
def show_approval(approval_id: str, vault: Path | None, output: Output) -> None:
    """Who asks, why, and exactly what will happen; or what came of it."""
    config = load_config(vault)
    history = read_history(config)
    approval = find_approval(history, approval_id)
    run = _run_of(history, approval)
    fields = {
        **_fields(approval),
        "body": approval.body,
        "params": approval.params,
        "step_result": approval.step_result,
    }
    output.record({**fields, "run_status": str(run.status) if run else None})
    for line in _sheet(approval, run, config):
        output.line(line)


@command.command("approve")
@click.argument("approval_ids", metavar="ID...", nargs=-1)
@click.option("--set", "edits", metavar="NAME=VALUE", multiple=True, help="Change a value first. For one request.")
@click.option("--all", "everything", is_flag=True, help="All that wait; shows them first.")
@click.option("--workflow", "workflow_id", metavar="ID", help="With --all: only those of this workflow.")
@click.option("--action", metavar="NAME", help="With --all: only those for this action.")
@click.option("--yes", is_flag=True, help="With --all: do not ask whether it is meant.")
@click.option("--comment", default="", help="A word with it, for the record.")
@common_options
def approve(
    approval_ids: tuple[str, ...], edits: tuple[str, ...], everything: bool, workflow_id: str | None,
    action: str | None, yes: bool, comment: str, vault: Path | None, output: Output,
) -> int:  # fmt: skip
    """Approve requests, see them carried out, and hear how it went.

    \b
    Examples:
      aie approvals approve 3kx9qd
      aie approvals approve 3kx9qd --set subject="Your invoice"
      aie approvals approve --all --workflow invoice_to_email
    """
    history = read_history(load_config(vault))
    chosen = _chosen(history, approval_ids, everything, workflow_id, action)
    if edits and len(chosen) != 1:
        raise WrongUseError(
            "--set changes one request", where="--set", hint="give the id of the one, and approve the others apart"
        )
    changes = _changes(chosen[0], edits) if edits else {}
    if everything and not _is_meant(chosen, yes, output):
        return 1
    return wait_for(_decide(chosen, True, comment, changes, vault, output))


@command.command("reject")
@click.argument("approval_ids", metavar="ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that wait; shows them first.")
@click.option("--workflow", "workflow_id", metavar="ID", help="With --all: only those of this workflow.")
@click.option("--action", metavar="NAME", help="With --all: only those for this action.")
@click.option("--yes", is_flag=True, help="With --all: do not ask whether it is meant.")
@click.option("--comment", default="", help="The reason, for the record.")
@common_options
def reject(
    approval_ids: tuple[str, ...], everything: bool, workflow_id: str | None, action: str | None, yes: bool,
    comment: str, vault: Path | None, output: Output,
) -> int:  # fmt: skip
    """Reject requests: what they asked for is not done."""
    history = read_history(load_config(vault))
    chosen = _chosen(history, approval_ids, everything, workflow_id, action)
    if everything and not _is_meant(chosen, yes, output):
        return 1
    return wait_for(_decide(chosen, False, comment, {}, vault, output))


# --- which ones -------------------------------------------------------------------------------------------------------


def _chosen(
    history: History | None, texts: Sequence[str], everything: bool, workflow_id: str | None, action: str | None
) -> list[Approval]:
    """The requests that are meant; nothing is decided unless every id is clear."""
    if not everything and (workflow_id or action):
        raise WrongUseError("--workflow and --action go with --all", where="--all", hint="give ids, or --all")
    if everything == bool(texts):
        raise WrongUseError(
            "which requests?", where="ID", hint="give their ids, or --all; aie approvals list shows them"
        )
    if not everything:
        return list({each.approval_id: each for each in (find_approval(history, text) for text in texts)}.values())
    waiting = history.approvals(pending=True) if history else []
    chosen = [
        each for each in waiting if workflow_id in (None, each.workflow_id) and action in (None, each.action_type)
    ]
    if not chosen:
        raise NotFoundError("nothing that waits is meant by that", where="--all", hint="aie approvals list")
    return chosen


def _changes(approval: Approval, edits: Sequence[str]) -> dict[str, Json]:
    """``--set`` as values: text stays text where the request has text, anything else is read as JSON if it is JSON."""
    changes: dict[str, Json] = {}
    for text in edits:
        name, equals, value = text.partition("=")
        if not equals:
            raise WrongUseError(f"{text!r} is not NAME=VALUE", where="--set", hint='for example --set subject="Hello"')
        before = approval.params.get(name)
        changes[name] = value if isinstance(before, str) else _read(value)
    return changes


def _read(value: str) -> Json:
    try:
        return parse_json(value, where="--set")
    except AieError:
        return value


def _is_meant(chosen: Sequence[Approval], yes: bool, output: Output) -> bool:
    """Show what is about to be decided, and hear whether it is meant."""
    short = short_ids(chosen)
    rows = [[short[each.approval_id], _what(each), safe(each.workflow_id)] for each in chosen]
    output.table(["Id", "What", "Workflow"], rows, empty="")
    if yes:
        return True
    if not sys.stdin.isatty():
        raise WrongUseError("nobody is here to say whether that is meant", where="--all", hint="give --yes as well")
    return click.confirm(f"All {len(chosen)} of them?", default=False)


# --- deciding -----------------------------------------------------------------------------------------------------


async def _decide(
    chosen: Sequence[Approval],
    approved: bool,
    comment: str,
    edits: Mapping[str, Json],
    vault: Path | None,
    output: Output,
) -> int:
    """Decide each, on record one by one. Exit code 1 if any was decided before, or did not work."""
    verb = "approve" if approved else "reject"
    answers: list[dict[str, Any]] = []
    async with open_vault(vault) as orchestrator:
        for approval in chosen:
            answer = await orchestrator.decide(
                approval.approval_id,
                approved=approved,
                by=person(),
                channel="cli",
                evidence=f"aie approvals {verb} {at_terminal()}",
                comment=comment,
                edits=edits,
            )
            answers.append(answer)
        accepted = [one for one, answer in zip(chosen, answers, strict=True) if answer["accepted"]]
        if accepted:
            await _come_to_rest(orchestrator, accepted)
        results = [_report(one, answer, orchestrator, output) for one, answer in zip(chosen, answers, strict=True)]
    return max(results)


async def _come_to_rest(orchestrator: AsyncOrchestrator, approvals: Sequence[Approval]) -> None:
    """Wait until what was decided is carried out, by this process or by the one that is running."""
    if orchestrator.engine is not None:
        await orchestrator.settle()
        return
    before: Any = None
    still = 0
    for _ in range(round(REST_WITHIN_S / LOOK_S)):
        now = [_standing(orchestrator.history, approval.approval_id) for approval in approvals]
        moving = any(step not in _RESTING or run is RunStatus.RUNNING for step, run in now)
        still = still + 1 if now == before and not moving else 0
        if still >= STILL_LOOKS:
            return
        before = now
        await asyncio.sleep(LOOK_S)


def _standing(history: History, approval_id: str) -> tuple[str, RunStatus | None]:
    approval = history.approval(approval_id)
    run = _run_of(history, approval) if approval else None
    return (approval.step_status if approval else "", run.status if run else None)


def _report(approval: Approval, answer: dict[str, Any], orchestrator: AsyncOrchestrator, output: Output) -> int:
    history = orchestrator.history
    after = history.approval(approval.approval_id) or approval
    run = _run_of(history, after)
    output.record(
        {
            "approval_id": after.approval_id,
            "accepted": answer["accepted"],
            "message": answer["message"],
            "state": str(after.state),
            "decided_by": after.decided_by,
            "workflow_id": after.workflow_id,
            "run_id": after.run_id,
            "step_id": after.step_id,
            "step_status": after.step_status,
            "step_result": after.step_result,
            "step_error": after.step_error,
            "edits": [edit.plain() for edit in after.edits],
            "run_status": str(run.status) if run else None,
        }
    )
    if not answer["accepted"]:
        message = (
            _already(after, orchestrator.config) if after.state is not ApprovalState.PENDING else answer["message"]
        )
        lines = wrapped(f"{after.title}: {message}.", indent="Not decided: ", more="  ")
        lines += labelled("Next:", f"aie approvals show {after.approval_id}", width=6)
        for line in lines:
            output.line(line)
        return 1
    for line in wrapped(f"{after.title}", indent=f"{str(after.state).capitalize()}: ", more="  "):
        output.line(line)
    for line in _edit_lines(after):
        output.line(line)
    for line in _outcome(after, run):
        output.line(line)
    broken = after.step_status in (StepStatus.FAILED, StepStatus.UNCERTAIN, StepStatus.BLOCKED)
    return 1 if after.state is ApprovalState.APPROVED and broken else 0


def _outcome(approval: Approval, run: RunRow | None) -> list[str]:
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


def _run_of(history: History | None, approval: Approval) -> RunRow | None:
    place = history.approval_place(approval.approval_id) if history else None
    return history.run(place[0]) if history and place else None


# --- finding ------------------------------------------------------------------------------------------------------


def short_ids(approvals: Iterable[Approval]) -> dict[str, str]:
    """The shortest ending of each id that tells it from the others."""
    ids = [approval.approval_id for approval in approvals]
    width = SHORT
    while len({each[-width:] for each in ids}) < len(set(ids)):
        width += 1
    return {each: each[-width:] for each in ids}


def find_approval(history: History | None, text: str) -> Approval:
    """The one request whose id is this, or begins or ends with it. Raises NotFoundError, or AieError for several."""
    exact = history.approval(text) if history else None
    if exact is not None:
        return exact
    wanted = text.strip().lower()
    plain = wanted.removeprefix(PREFIX)
    if len(plain) < LEAST or not plain.isalnum():
        raise NotFoundError(
            f"{text!r} is not the id of a request",
            where="id",
            hint=f"give its first or last {LEAST} characters or more; aie approvals list shows them",
        )
    matches: dict[str, Approval] = {}
    for likely in (plain, PREFIX + plain) if history else ():
        for each in history.find_approvals(likely) if history else ():
            own = each.approval_id.removeprefix(PREFIX)
            if own.startswith(plain) or (own.endswith(plain) and not wanted.startswith(PREFIX)):
                matches[each.approval_id] = each
    if len(matches) == 1:
        return next(iter(matches.values()))
    if not matches:
        raise _unknown(text, history)
    listed = "".join(f"\n  {each.approval_id}  {_what(each)} ({each.state})" for each in matches.values())
    raise AieError(
        f"{text!r} could be {counted(len(matches), 'request')}:{listed}", where="id", hint="give more of the id"
    )


def _unknown(text: str, history: History | None) -> NotFoundError:
    waiting = history.approvals(pending=True) if history else []
    ids = short_ids(waiting)
    near = nearest(text, [*ids, *ids.values()])
    hint = f"did you mean {near!r}?" if near else "aie approvals list --all shows all there are"
    return NotFoundError(f"no request has the id {text!r}", where="id", hint=hint)


# --- showing ------------------------------------------------------------------------------------------------------


def _what(approval: Approval) -> str:
    return safe(f"{approval.action_type}: {approval.title}")


def _stands(approval: Approval) -> str:
    if approval.state is ApprovalState.PENDING:
        return "waits"
    return safe(str(approval.state) + (f" by {approval.decided_by}" if approval.decided_by else ""))


def _already(approval: Approval, config: Config) -> str:
    by = f" by {approval.decided_by}" if approval.decided_by else ""
    through = f" ({approval.channel})" if approval.channel else ""
    return f"was already {approval.state}{by}{through} on {local(approval.decided_at, config.timezone)}"


def _fields(approval: Approval) -> dict[str, Any]:
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


def _edit_lines(approval: Approval) -> list[str]:
    """What the person who approved it changed."""
    lines: list[str] = []
    for edit in approval.edits:
        lines += labelled("Changed", f"{edit.field}: {_one_line(edit.before)} → {_one_line(edit.after)}", width=8)
    return lines


def _one_line(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shorten(text, 120)


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
    lines += wrapped(_already(approval, config).removeprefix("was already ").capitalize())
    if approval.comment:
        lines += labelled("Comment", approval.comment)
    lines += _edit_lines(approval)
    lines += _outcome(approval, run)
    if approval.step_result is not None:
        lines += labelled("Gave", json.dumps(approval.step_result, ensure_ascii=False), width=5)
    return lines
