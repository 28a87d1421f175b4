"""``aie approvals approve``: as it was asked, or with other values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import rich_click as click

from aie.approvals import Approval
from aie.cli.approvals.choosing import choice_options, choose, is_meant
from aie.cli.approvals.deciding import decide_all
from aie.cli.output import Output, WrongUseError, common_options
from aie.cli.vaults import load_config, read_history, wait_for
from aie.errors import AieError
from aie.plain import Json, parse_json


@click.command("approve")
@click.option("--set", "edits", metavar="NAME=VALUE", multiple=True, help="Change a value first. For one request.")
@choice_options
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
    chosen = choose(history, approval_ids, everything, workflow_id, action)
    if edits and len(chosen) != 1:
        raise WrongUseError(
            "--set changes one request", where="--set", hint="give the id of the one, and approve the others apart"
        )
    changes = _changes(chosen[0], edits) if edits else {}
    if everything and not is_meant(chosen, yes, output):
        return 1
    return wait_for(decide_all(chosen, True, comment, changes, vault, output))


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
