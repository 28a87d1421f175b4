"""The world outside: what happened there, in order, as lines of one file that only grows.

What the processes under test were told and what they said goes into the same file, so that there is one order of
everything. A line is one ``write`` with O_APPEND, on the disk before the call returns. One that its process did not
survive may be half there; it begins on a line of its own and has told nobody anything.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_fsync, _write, _open = os.fsync, os.write, os.open  # this process may have fault points in those of the os module


@dataclass(frozen=True, slots=True)
class World:
    """One world, in a folder of its own; ``session`` says which process of its history is speaking."""

    folder: Path
    session: int = 0

    @property
    def _log(self) -> Path:
        return self.folder / "log.jsonl"

    @property
    def lines(self) -> Path:
        """The file that the source ``lines`` reads."""
        return self.folder / "lines.txt"

    def begin(self) -> None:
        for name in ("effects", "keyed"):
            (self.folder / name).mkdir(parents=True)
        self._log.touch()
        self.lines.touch()

    def say(self, what: str, **fields: Any) -> None:
        """Add a line."""
        line = "\n" + json.dumps({"what": what, "session": self.session, **fields}, default=str) + "\n"
        descriptor = _open(self._log, os.O_WRONLY | os.O_APPEND)
        try:
            _write(descriptor, line.encode())
            _fsync(descriptor)
        finally:
            os.close(descriptor)

    def heard(self) -> list[dict[str, Any]]:
        """All lines that are whole."""
        heard = []
        with self._log.open(encoding="utf-8") as file:
            for line in file:
                with contextlib.suppress(json.JSONDecodeError):
                    heard.append(json.loads(line))
        return heard

    def have_effect(self, run_id: str, step_id: str) -> int:
        """Something happens for this step, for ever; gives how often it has happened before."""
        before = 0
        while True:
            try:
                descriptor = _open(self._effect(run_id, step_id, before), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            except FileExistsError:
                before += 1
                continue
            os.close(descriptor)
            return before

    def have_keyed_effect(self, key: str) -> bool:
        """The same at a service that knows keys: a second time changes nothing, and gives False."""
        try:
            os.close(_open(self.folder / "keyed" / key, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    def keyed(self) -> set[str]:
        return set(os.listdir(self.folder / "keyed"))

    def happened(self, run_id: str, step_id: str) -> bool:
        return self._effect(run_id, step_id, 0).exists()

    def effects(self) -> dict[tuple[str, str], int]:
        """How often something happened, by run and step."""
        found: dict[tuple[str, str], int] = {}
        for name in os.listdir(self.folder / "effects"):
            run_id, step_id, _ = name.split(".")
            found[run_id, step_id] = found.get((run_id, step_id), 0) + 1
        return found

    def _effect(self, run_id: str, step_id: str, before: int) -> Path:
        return self.folder / "effects" / f"{run_id}.{step_id}.{before}"
