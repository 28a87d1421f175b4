"""A run that is being driven: what the journal has of it, and what is on the way there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from aie.journal import Batch
from aie.machine import Call
from aie.run import Run, RunStatus, StepRecord


class Standing(Struct, frozen=True):
    """How a run stands once it came to rest: ended, or parked until ``wake_at``, for a person or for a plugin."""

    status: RunStatus
    wake_at: datetime | None = None
    error: Mapping[str, str] | None = None


class Attempt(Struct, eq=False):
    """A call that is being made, and by which task."""

    call: Call
    began: datetime
    task: asyncio.Task[Any] | None
    give_up_at_s: float  # on the loop's clock: a handler that is not back by then does not even end when cancelled


class Live(Struct, eq=False):
    """A run that is being driven."""

    seq: int
    run: Run
    depth: int
    status: RunStatus = RunStatus.RUNNING  # as the journal has it, or will once ``batch`` is written
    wake_at: datetime | None = None
    error: Mapping[str, str] | None = None
    batch: Batch = field(default_factory=Batch)  # waits to be committed
    busy: dict[int, Attempt | None] = {}  # by step; None: about to be made
    answers: int = 0  # of persons, on their way to the journal: nothing is built on them, and nobody lets go of the run
    to_ask: list[StepRecord] = []  # the requests that go with ``batch``
    nudge: asyncio.Event | None = None  # set when something changed from outside
    left_behind: set[asyncio.Task[Any] | None] = set()  # calls that would not end
