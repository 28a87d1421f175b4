"""``aie doctor``: how each part of the set-up stands, line by line."""

from __future__ import annotations

import os
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import rich_click as click

from aie.cli.output import Output, common_options
from aie.config import find_vault
from aie.connections import Level
from aie.doctor import examine
from aie.doctor.check import Check

WIDTH = 80


@click.command()
@click.option("--offline", is_flag=True, help="Ask no service whether its connection works.")
@common_options
def command(offline: bool, vault: Path | None, output: Output) -> int:
    """Check the whole set-up, and say what to mend first.

    Each line is ok, warn or FAIL. The exit code is 1 when anything is FAIL.
    """
    place = vault if vault is not None else find_vault(Path.cwd(), os.environ)
    checks = []
    for check in examine(place, os.environ, datetime.now(UTC), offline=offline):
        checks.append(check)
        output.record({"area": check.area, "level": str(check.level), "message": check.message, "hint": check.hint})
        for line in lines_of(check):
            output.line(line)
    failed = [check for check in checks if check.level is Level.FAIL]
    first = next((check for level in (Level.FAIL, Level.WARN) for check in checks if check.level is level), None)
    output.line()
    if first is None:
        output.line("All is well.")
    else:
        start = "Mend first" if failed else "It works. Worth a look"
        output.line(textwrap.fill(f"{start}: {first.area}: {first.hint or first.message}", WIDTH))
    return 1 if failed else 0


def lines_of(check: Check) -> list[str]:
    """A check as a person reads it: level, area, what there is, and below it the next step."""
    lead = " " * 17
    text = textwrap.wrap(check.message, WIDTH - len(lead), break_long_words=False, break_on_hyphens=False) or [""]
    hint = (
        textwrap.wrap(f"→ {check.hint}", WIDTH - len(lead), break_long_words=False, break_on_hyphens=False)
        if check.hint
        else []
    )
    return [f"{check.level:<5} {check.area:<10} {text[0]}", *(lead + line for line in (*text[1:], *hint))]
