"""What is installed now, seen by a process of its own: this one has its modules from before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from aie.cli.plugins.installer import InstallError
from aie.plugins.discovery import canonical


def listed_afresh(vault: Path | None) -> list[dict[str, Any]]:
    """The records of ``aie plugins list --json``."""
    command = [sys.executable, "-m", "aie", "plugins", "list", "--json", *(["--vault", str(vault)] if vault else [])]
    done = subprocess.run(  # noqa: S603 - ourselves
        command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    records = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0:
        error = records[-1] if records and "error" in records[-1] else {}
        message = (
            f"it is done, and aie plugins list does not work now: {error.get('error', done.stderr.strip()[-500:])}"
        )
        raise InstallError(
            message, where=error.get("where", ""), hint=error.get("hint", "see aie plugins list --verbose")
        )
    return records


def of_package(records: list[dict[str, Any]], package: str) -> list[dict[str, Any]]:
    """The plugins that a package brings."""
    return [record for record in records if canonical(record["package"]) == package]
