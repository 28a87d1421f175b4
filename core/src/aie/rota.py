"""The rota: which runs are being driven, at most so many at once, and whose turn is next."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any


class Rota:
    """Gives each run that is to go on a driver when its turn has come: a task of its own, never two for one run."""

    def __init__(self, at_once: int, drive: Callable[[int], Coroutine[Any, Any, None]]) -> None:
        self._at_once = at_once
        self._drive = drive  # a run, given by its number, until it rests
        self._new: OrderedDict[int, None] = OrderedDict()
        self._left_over: OrderedDict[int, None] = OrderedDict()  # the same, from before this start
        self._turn = 0
        self._closed = False
        self.drivers: dict[int, asyncio.Task[None]] = {}  # by run
        self.alone: set[int] = set()  # runs that go on alone, one after another, before all others
        self.quiet = asyncio.Event()  # set while nothing is driven and nothing waits
        self.quiet.set()

    def __contains__(self, seq: int) -> bool:
        return any(seq in place for place in (self.drivers, self._new, self._left_over))

    @property
    def new(self) -> int:
        """How many new ones wait."""
        return len(self._new)

    @property
    def waits(self) -> bool:
        return bool(self._new or self._left_over)

    def leave_over(self, seq: int) -> None:
        """A run goes on that began before this start; :meth:`fill` once all of these are known."""
        self._left_over[seq] = None

    def add(self, seq: int) -> None:
        """A run goes on, now or as soon as fewer others do."""
        self._left_over.pop(seq, None)
        self._new[seq] = None
        self.fill()

    def fill(self) -> None:
        """Let as many go on as may."""
        at_once = 1 if self.alone else self._at_once
        while (waiting := self._next_in_turn()) and len(self.drivers) < at_once and not self._closed:
            seq, _ = waiting.popitem(last=False)
            if seq not in self.drivers:
                self.drivers[seq] = asyncio.create_task(self._drive(seq))
        if waiting or self.drivers:
            self.quiet.clear()
        else:
            self.quiet.set()

    def close(self) -> None:
        """Let none begin any more."""
        self._closed = True

    def _next_in_turn(self) -> OrderedDict[int, None] | None:
        """What is new and what was left over take turns, so that neither waits for all of the other."""
        if self.alone:
            return self._new or None
        self._turn = 1 - self._turn
        first, second = (self._new, self._left_over) if self._turn else (self._left_over, self._new)
        return first or second or None
