"""Which requests a command means: by their ids, or all that wait."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import rich_click as click

from aie.approvals import Approval
from aie.cli.approvals.views import what_of
from aie.cli.ids import APPROVAL, next_step
from aie.cli.output import Output, WrongUseError
from aie.cli.terminal import counted, safe
from aie.errors import NotFoundError
from aie.history import History
from aie.spelling import nearest

F = TypeVar("F", bound=Callable[..., Any])

LEAST = 4  # characters of an id that must be given
SHORT = 6


def choice_options(function: F) -> F:
    """``ID...``, or ``--all`` with what narrows it down; passed on as :func:`choose` and :func:`is_meant` take them."""
    for option in (
        click.option("--yes", is_flag=True, help="With --all: do not ask whether it is meant."),
        click.option("--action", metavar="NAME", help="With --all: only those for this action."),
        click.option("--workflow", "workflow_id", metavar="ID", help="With --all: only those of this workflow."),
        click.option("--all", "everything", is_flag=True, help="All that wait; shows them first."),
        click.argument("approval_ids", metavar="ID...", nargs=-1),
    ):
        function = option(function)
    return function


def choose(
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


def is_meant(chosen: Sequence[Approval], yes: bool, output: Output) -> bool:
    """Show what is about to be decided, and hear whether it is meant."""
    short = short_ids(chosen)
    rows = [[short[each.approval_id], what_of(each), safe(each.workflow_id)] for each in chosen]
    output.table(["Id", "What", "Workflow"], rows, empty="")
    if yes:
        return True
    if not sys.stdin.isatty():
        raise WrongUseError("nobody is here to say whether that is meant", where="--all", hint="give --yes as well")
    return click.confirm(f"All {len(chosen)} of them?", default=False)


def short_ids(approvals: Iterable[Approval]) -> dict[str, str]:
    """The shortest ending of each id that tells it from the others."""
    ids = [approval.approval_id for approval in approvals]
    width = SHORT
    while len({each[-width:] for each in ids}) < len(set(ids)):
        width += 1
    return {each: each[-width:] for each in ids}


def find_approval(history: History | None, text: str) -> Approval:
    """The request whose id is this, or begins or ends with it. NotFoundError for none, WrongUseError for several."""
    exact = history.approval(text) if history else None
    if exact is not None:
        return exact
    wanted = text.strip().lower()
    plain = wanted.removeprefix(APPROVAL)
    if len(plain) < LEAST or not plain.isalnum():
        usual = f"give its first or last {LEAST} characters or more; aie approvals list shows them"
        raise NotFoundError(f"{text!r} is not the id of a request", where="id", hint=next_step(wanted, APPROVAL, usual))
    matches: dict[str, Approval] = {}
    for likely in (plain, APPROVAL + plain) if history else ():
        for each in history.find_approvals(likely) if history else ():
            own = each.approval_id.removeprefix(APPROVAL)
            if own.startswith(plain) or (own.endswith(plain) and not wanted.startswith(APPROVAL)):
                matches[each.approval_id] = each
    if len(matches) == 1:
        return next(iter(matches.values()))
    if not matches:
        raise _unknown(text, history)
    listed = "".join(f"\n  {each.approval_id}  {what_of(each)} ({each.state})" for each in matches.values())
    raise WrongUseError(
        f"{text!r} could be {counted(len(matches), 'request')}:{listed}", where="id", hint="give more of the id"
    )


def _unknown(text: str, history: History | None) -> NotFoundError:
    waiting = history.approvals(pending=True) if history else []
    ids = short_ids(waiting)
    near = nearest(text, [*ids, *ids.values()])
    hint = f"did you mean {near!r}?" if near else "aie approvals list --all shows all there are"
    return NotFoundError(f"no request has the id {text!r}", where="id", hint=hint)
