"""Core's own plugin keeps the contract that it asks of every other one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from aie.testing import Home, contract

SETTINGS = {
    "scripts": {"backup": {"path": "scripts/backup.sh", "arguments": True}},
    "schedules": {"minutely": {"cron": "* * * * *"}},
}
ALONE = ("wait", "request_approval", "run_workflow", "emit_event")  # the engine does the rest of what these are about


def test_core_keeps_the_contract_of_plugins(tmp_path: Path):
    held = tmp_path / "held"

    def write_script(home: Home) -> None:
        (home.vault / "scripts").mkdir()
        lines = ["#!/bin/sh", f"[ -e {held} ] && exec sleep 60", 'echo "$@"', ""]
        (home.vault / "scripts" / "backup.sh").write_text("\n".join(lines), encoding="utf-8")

    @contextlib.contextmanager
    def stalled() -> Iterator[None]:
        held.touch()
        yield
        held.unlink()

    report = contract("core", settings=SETTINGS, prepare=write_script, state=dict, stalled=stalled)
    assert [(check.name, check.subject, check.message) for check in report.not_tried] == [
        (name, f"action {action}", "it does not wait for the service")
        for action in ALONE
        for name in ("timeout", "cancellation")
    ]
