"""``aie approvals``: what waits for a decision, and deciding it. One file per command."""

from __future__ import annotations

import rich_click as click

from aie.cli.approvals.approve import approve
from aie.cli.approvals.list import list_approvals
from aie.cli.approvals.reject import reject
from aie.cli.approvals.rules import rules
from aie.cli.approvals.show import show_approval


@click.group()
def command() -> None:
    """What waits for your decision."""


for each in (list_approvals, show_approval, approve, reject, rules):
    command.add_command(each)
