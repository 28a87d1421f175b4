"""Fault points: the places in a process at which it can be made to die, to lose power, or to find the disk full.

Nothing in the product knows of them. They are reached through its seams (the journal, the caller of plugins), through
Python's audit hook for files, and through a file system layer beneath SQLite.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

ANYWHERE = "anywhere"  # a plan for the n-th point of all, whatever its name


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to happen when the point of this name is reached for the n-th time."""

    name: str
    ordinal: int
    fault: str = "kill"  # kill, cut (power: what was not synced is gone), full (the disk: an error, not a death)

    def __str__(self) -> str:
        return f"{self.name}#{self.ordinal}!{self.fault}"

    @classmethod
    def parse(cls, text: str) -> Plan:
        place, _, fault = text.rpartition("!")
        name, _, ordinal = place.rpartition("#")
        return cls(name, int(ordinal), fault)


@dataclass(slots=True)
class Points:
    """Counts the points this process reaches, and carries the plan out at its place."""

    plan: Plan | None = None
    counts: Counter[str] = field(default_factory=Counter)
    before_death: list[Callable[[bool], None]] = field(default_factory=list)  # called with "is the power cut?"
    _total: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reach(self, name: str) -> bool:
        """Go through a point. True when the plan wants an error here; with a plan to die this does not return."""
        with self._lock:
            self.counts[name] += 1
            self._total += 1
            plan = self.plan
            reached = plan is not None and (
                (plan.name == name and plan.ordinal == self.counts[name])
                or (plan.name == ANYWHERE and plan.ordinal == self._total)
            )
        if not reached or plan is None:
            return False
        if plan.fault != "full":
            self.die(cut=plan.fault == "cut")
        return True

    def die(self, *, cut: bool = False) -> NoReturn:
        """End this process at once, as ``kill -9`` does."""
        for prepare in self.before_death:
            prepare(cut)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")

    def wants(self, name: str) -> bool:
        """Whether the plan is for the point of this name that comes next; asked by those who prepare for it."""
        plan = self.plan
        return plan is not None and plan.name == name and plan.ordinal == self.counts[name] + 1

    def as_json(self) -> str:
        return json.dumps(self.counts)
