"""A home folder with a vault in it, and the real ``aie`` there: every command a process, ``aie start`` included."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEADLINE_S = 30.0


def until(true: Callable[[], Any], what: str) -> Any:
    """Look again and again until it is so, and give what was found."""
    end = time.monotonic() + DEADLINE_S
    while not (found := true()):
        assert time.monotonic() < end, f"waited {DEADLINE_S:g} s for {what}"
        time.sleep(0.02)
    return found


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def record(self) -> dict[str, Any]:
        (record,) = self.records
        return record


@dataclass(frozen=True)
class Started:
    """An ``aie start`` that is at work."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    def text(self) -> str:
        return self.out.read_text(encoding="utf-8")

    def says(self, words: str) -> None:
        def there() -> bool:
            ended = self.process.poll() is not None
            said = words in self.text()
            assert said or not ended, f"no {words!r} in:\n{self.text()}{self.err.read_text()}"
            return said

        until(there, f"{words!r} in what aie start prints")

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """The exit code, and how long it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S), time.monotonic() - began

    def press(self, number: int) -> int:
        """Send it again and again, as a person does who has waited long enough; the exit code."""
        until(lambda: self.process.poll() is not None or self.process.send_signal(number), "the end")
        return self.process.wait()


class AieHome:
    """Call it to run a command, which must end with the exit code that is expected."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.vault = root / "home" / "vault"
        self.state = root / "home" / "state"
        self.home.mkdir(parents=True)
        self.env = {
            **{name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LANG") if name in os.environ},
            "HOME": str(self.home),
            "AIE_STATE_DIR": str(self.state),
            "AIE_TIMEZONE": "Europe/Berlin",
            "COLUMNS": "80",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUTF8": "1",
        }
        self.command = [sys.executable, "-m", "aie"]
        self.encoding = "utf-8"

    def __call__(self, *words: str, code: int = 0, stdin: str = "") -> Said:
        done = subprocess.run(
            [*self.command, *words],
            cwd=self.vault if self.vault.is_dir() else self.home,
            env=self.env,
            input=stdin,
            capture_output=True,
            encoding=self.encoding,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, f"aie {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Said(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def started(self, *words: str) -> Iterator[Started]:
        """``aie start`` at work; killed at the end if the test did not stop it."""
        out, err = self.root / "start.out", self.root / "start.err"
        (self.state / "engine.pid").unlink(missing_ok=True)
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [*self.command, "start", *words],
                cwd=self.vault,
                env=self.env,
                stdout=stdout,
                stderr=stderr,
            )
        try:
            running = Started(process, out, err)
            if "--json" in words:
                until((self.state / "engine.pid").exists, "the engine")
            else:
                running.says("Ctrl-C stops it.")
            yield running
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def workflow(self, workflow_id: str, actions: list[dict[str, Any]], **fields: Any) -> Path:
        """Write a workflow file."""
        path = self.vault / "workflows" / f"{workflow_id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        fields = {"trigger_event": "expense_recorded", **fields}
        path.write_text(json.dumps({"workflow_id": workflow_id, "actions": actions, **fields}), encoding="utf-8")
        return path

    def with_vault(self) -> AieHome:
        """Make a vault with settings and no workflows."""
        self.vault.mkdir()
        (self.vault / "aie.toml").write_text("", encoding="utf-8")
        return self

    def snapshot(self) -> dict[str, tuple[int, int, bytes]]:
        """Every file and folder of the home, with mode, time and content."""
        found = {}
        for path in sorted(self.home.rglob("*")):
            status = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            found[str(path.relative_to(self.home))] = (status.st_mode, status.st_mtime_ns, content)
        return found
