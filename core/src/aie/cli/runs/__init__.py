"""``aie runs``: what ran, and how it went. One file per command."""

from __future__ import annotations

import rich_click as click

from aie.cli.runs.cancel import cancel_run
from aie.cli.runs.list import list_runs
from aie.cli.runs.migrate import migrate_run
from aie.cli.runs.release import release_runs
from aie.cli.runs.rerun import rerun_run
from aie.cli.runs.resolve import resolve_step
from aie.cli.runs.show import show_run


@click.group()
def command() -> None:
    """What ran, and how it went."""


for each in (list_runs, show_run, resolve_step, cancel_run, rerun_run, migrate_run, release_runs):
    command.add_command(each)
