"""Pause: what holds back everything that would reach outside, a person's word or a note at the vault's root."""

from __future__ import annotations

import os
import time
from pathlib import Path

from aie import schema
from aie.history import History
from aie.journal import Batch
from aie.plain import dumps

NOTE = "STOP.md"
KEY = "paused"  # of the table meta
LOOK_S = 0.05


class Pause:
    """Asked before anything is carried out, so the note is looked for at most twenty times a second."""

    def __init__(self, vault: Path, history: History) -> None:
        self.said = history.paused()  # why a person has paused aie; '' if nobody has
        self._path = os.fspath(vault / NOTE)
        self._there = False
        self._looked_s = -LOOK_S

    def why(self) -> str:
        """Why nothing may reach outside; '' when it may."""
        return self.said or (f"{NOTE} lies in the vault" if self.note else "")

    @property
    def note(self) -> bool:
        """Whether the note is there. One that cannot be looked for counts as there."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            try:
                os.lstat(self._path)
                self._there = True
            except FileNotFoundError:
                self._there = False
            except OSError:
                self._there = True
        return self._there

    def say(self, why: str, batch: Batch) -> None:
        """Add to a batch what a person says; it counts at once for pausing, and once durable for going on."""
        batch.add(schema.PUT_META, KEY, dumps(why))
        if why:
            self.said = why
        else:
            batch.then.append(self._forget)

    def _forget(self) -> None:
        self.said = ""
