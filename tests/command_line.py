"""The real command in a process of its own, in a vault of the test's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ran:
    """How it ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[Any]:
        """Standard output of ``--json``, an object per line."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class CommandLine:
    """``aie`` in a folder, with a state folder and (to install test plugins into) a site folder beside it.

    ``python`` is the interpreter it runs in; ``more_env`` goes over its environment.
    """

    vault: Path
    python: str = sys.executable
    more_env: Mapping[str, str] = field(default_factory=dict)

    @property
    def site(self) -> Path:
        return self.vault.parent / "site"

    @property
    def env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIE_")}
        return {
            **kept,
            "AIE_STATE_DIR": str(self.vault.parent / "state"),
            "AIE_TIMEZONE": "Europe/Berlin",
            "PYTHONPATH": str(self.site),
            "COLUMNS": "80",
            **self.more_env,
        }

    def __call__(self, *arguments: str, folder: Path | None = None) -> Ran:
        done = subprocess.run(
            [self.python, "-m", "aie", *arguments],
            cwd=folder or self.vault,
            env=self.env,
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self) -> subprocess.Popen[str]:
        """``aie start``, once it is at work."""
        process = subprocess.Popen(
            [self.python, "-m", "aie", "start"],
            cwd=self.vault,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
        )
        assert process.stdout is not None
        assert process.stdout.readline()
        return process

    def workflow(self, workflow_id: str, **fields: Any) -> Path:
        """A workflow file in the vault."""
        path = self.vault / "workflows" / f"{workflow_id}.json"
        path.write_text(json.dumps({"workflow_id": workflow_id, **fields}), encoding="utf-8")
        return path


def new_vault(folder: Path) -> CommandLine:
    """An empty vault below ``folder``."""
    vault = folder / "vault"
    (vault / "workflows").mkdir(parents=True)
    (vault / "aie.toml").touch()
    return CommandLine(vault.resolve())
