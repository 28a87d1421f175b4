"""Admission: whether a new run may start now, waits for others of its workflow, or is held until a person says go on.

Two things keep a run from starting at once. A workflow's ``mode`` says how its runs stand to one another; only runs
that are under way count there, so one that is parked never blocks the next. And the flood guard holds what starts too
often within a minute, per workflow and per source, because a loop or a source gone wild looks just like that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct

from aie.plain import Json
from aie.run import RunStatus
from aie.workflow import Workflow

WITHIN = timedelta(minutes=1)


class Verdict(Struct, frozen=True):
    """How a new run begins: running, queued or held. None: it does not start at all; ``reason`` says why."""

    status: RunStatus | None
    reason: str = ""
    held_by: str = ""

    @property
    def on_record(self) -> dict[str, Json] | None:
        """What the journal says of a run that is held."""
        if not self.held_by:
            return None
        hint = f"look why; then go on with: aie runs release {self.held_by!r}, or drop them all with --cancel"
        return {"error": self.reason, "hint": hint, "held_by": self.held_by}


_START = Verdict(RunStatus.RUNNING)


class Admission:
    """What is under way, waits and is held. The journal has it all; this is what a decision needs at hand."""

    def __init__(self, starts_per_minute: int, start: Callable[[int], None]) -> None:
        self._limit = starts_per_minute  # 0: no guard
        self._start = start  # is called with the number of a queued run when its turn has come
        self._under_way: dict[str, set[int]] = {}  # by workflow
        self._queues: dict[str, deque[int]] = {}
        self._limits: dict[str, int] = {}  # of the workflows that have a queue
        self._held: dict[str, set[int]] = {}  # by the name of the workflow or the source
        self._starts: dict[str, deque[datetime]] = {}

    def judge(self, workflow: Workflow, source: str, seq: int, now: datetime, *, guarded: bool) -> Verdict:
        """Decide on a new run and take note of it; :meth:`forget` it if it does not come about."""
        if guarded and self._limit:
            for name in (workflow.workflow_id, source):
                if self._is_flooded(name, now):
                    self._held.setdefault(name, set()).add(seq)
                    return Verdict(RunStatus.HELD, f"{name} started {self._limit} runs within a minute", name)
        if workflow.mode == "single" and self._under_way.get(workflow.workflow_id):
            return Verdict(None, "a run of it is under way, and its mode is single")
        return self.place(workflow, seq)

    def place(self, workflow: Workflow, seq: int) -> Verdict:
        """Let a run start, or wait in the queue of its workflow."""
        workflow_id, limit = workflow.workflow_id, workflow.max_under_way
        under_way = self._under_way.setdefault(workflow_id, set())
        if limit is not None and (self._queues.get(workflow_id) or len(under_way) >= limit):
            self._queues.setdefault(workflow_id, deque()).append(seq)
            self._limits[workflow_id] = limit
            return Verdict(RunStatus.QUEUED)
        under_way.add(seq)
        return _START

    def _is_flooded(self, name: str, now: datetime) -> bool:
        """Whether one more start would be too many; counts it if not. Stays so while anything is held."""
        if self._held.get(name):
            return True
        starts = self._starts.get(name)
        if starts is None:
            starts = self._starts[name] = deque(maxlen=self._limit)
        if starts and starts[-1] > now:  # the clock was set back
            starts.clear()
        if len(starts) == self._limit and now - starts[0] < WITHIN:
            return True
        starts.append(now)
        return False

    # --- what became of them ---------------------------------------------------------------------------------------

    def enter(self, workflow_id: str, seq: int) -> None:
        """A run is being driven."""
        self._under_way.setdefault(workflow_id, set()).add(seq)

    def leave(self, workflow_id: str, seq: int) -> None:
        """A run has ended or is parked: the next in the queue may start. Saying so twice does no harm."""
        under_way = self._under_way.setdefault(workflow_id, set())
        under_way.discard(seq)
        queue = self._queues.get(workflow_id)
        while queue and len(under_way) < self._limits[workflow_id]:
            following = queue.popleft()
            under_way.add(following)
            self._start(following)

    def forget(self, workflow_id: str, seq: int) -> None:
        """A run did not come about, or was cancelled."""
        for waiting in (self._queues.get(workflow_id), *self._held.values()):
            if waiting is not None and seq in waiting:
                waiting.remove(seq)
                return
        self.leave(workflow_id, seq)

    # --- beginning and releasing ------------------------------------------------------------------------------------

    def count(self, workflow_id: str, source: str, at: datetime) -> None:
        """A run that began before this process did."""
        for name in (workflow_id, source):
            self._starts.setdefault(name, deque(maxlen=self._limit)).append(at)

    def hold(self, name: str, seq: int) -> None:
        """A run that the journal has as held."""
        self._held.setdefault(name, set()).add(seq)

    def held(self) -> dict[str, int]:
        """How many runs are held, by the name of the workflow or source that started too often."""
        return {name: len(runs) for name, runs in self._held.items() if runs}

    def release(self, name: str) -> list[int]:
        """The runs that are held by this name, oldest first; they are not any more, and starts are counted anew."""
        self._starts.pop(name, None)
        return sorted(self._held.pop(name, ()))
