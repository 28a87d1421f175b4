"""``aie workflows``: the workflow files, looked over and switched. One file per command."""

from __future__ import annotations

import rich_click as click

from aie.cli.workflows.check import check_workflows
from aie.cli.workflows.list import list_workflows
from aie.cli.workflows.schema import print_schema
from aie.cli.workflows.show import show_workflow
from aie.cli.workflows.switch import disable, enable


@click.group()
def command() -> None:
    """List, check and switch workflows."""


for each in (list_workflows, show_workflow, check_workflows, print_schema, enable, disable):
    command.add_command(each)
