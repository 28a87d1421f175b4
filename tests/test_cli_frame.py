"""``aie`` itself: its help, its errors, and how fast it is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.aie_home import AieHome

HEAVY = ["apsw", "asyncio", "jinja2", "pydantic", "rich.table", "rich_click", "aie.engine", "aie.orchestrator"]


@pytest.fixture
def aie(tmp_path: Path) -> AieHome:
    return AieHome(tmp_path)


def test_help_imports_nothing_that_takes_time(aie: AieHome) -> None:
    code = (
        "import sys, aie.cli\n"
        "try: aie.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        f"sys.stderr.write(repr([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=aie.env, capture_output=True, text=True, check=True)
    assert done.stderr == "[]"


def test_help_fits_eighty_columns_and_names_every_command_in_its_panel(aie: AieHome) -> None:
    lines = aie("--help").out.splitlines()
    assert max(map(len, lines)) == 80
    panels: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("╭─ "):
            words = panels.setdefault(line.strip("╭─╮ "), [])
        elif line.startswith("│ "):
            words.append(line.split()[1])
    assert panels == {
        "Set up": ["init", "plugins", "connect", "doctor"],
        "Work": ["start", "run", "emit", "pause", "resume", "workflows", "events"],
        "Review": ["approvals", "runs", "why", "why-not", "audit"],
        "Options": ["--version", "-h,"],
    }


@pytest.mark.parametrize(
    "words",
    ["init", "start", "run", "emit", "doctor", "connect", "events", "events list", "events show", "runs",
     "pause", "resume", "runs list", "runs show", "runs rerun", "runs migrate", "why", "why-not", "audit", "audit show",
     "audit export", "audit verify"],
)  # fmt: skip
def test_the_help_of_every_command_fits_eighty_columns(aie: AieHome, words: str) -> None:
    lines = aie(*words.split(), "--help").out.splitlines()
    assert max(map(len, lines)) <= 80


def test_outside_a_vault_the_error_says_what_where_and_what_next(aie: AieHome) -> None:
    said = aie("runs", "list", code=1)
    assert said.out == ""
    assert said.err == (
        "Error: no aie.toml in this folder or any above it\n"
        f"  Where: {aie.home}\n"
        "  Next:  go to your vault, or make this folder one: aie init\n"
    )


def test_an_error_is_one_object_for_a_program(aie: AieHome) -> None:
    assert aie("runs", "list", "--json", code=1).record == {
        "error": "no aie.toml in this folder or any above it",
        "where": str(aie.home),
        "hint": "go to your vault, or make this folder one: aie init",
    }


def test_wrong_usage_ends_with_two_also_for_a_program(aie: AieHome) -> None:
    said = aie("runs", "list", "--json", "--limit", "none", code=2)
    assert said.record == {"error": "Invalid value for '--limit': 'none' is not a valid integer range."}


def test_a_traceback_shows_only_with_verbose(aie: AieHome) -> None:
    assert "Traceback" not in aie("runs", "list", code=1).err
    assert "Traceback" in aie("runs", "list", "--verbose", code=1).err
