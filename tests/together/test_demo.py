"""``make demo`` plays to its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_demo_shows_what_it_promises() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "tests.demo"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    for said in ("| Dear Kim,", "SUMMARY:Meeting about the spring menu", "Logs/audit: whole"):
        assert said in found.stdout
    assert found.stdout.rpartition("--- LinkedIn has\n")[2].startswith(
        "  | From March on we open at 8 (also on Sundays). #bakery\n"
    )
