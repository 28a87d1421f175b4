"""A run that is being driven: what the journal has of it, and what is on the way there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from aie.journal import Batch
from aie.run import Run, RunStatus


@dataclass(slots=True)
class Live:
    """A run that is being driven."""

    seq: int
    run: Run
    depth: int
    status: RunStatus = RunStatus.RUNNING  # as the journal has it, or will once ``batch`` is written
    wake_at: datetime | None = None
    batch: Batch = field(default_factory=Batch)  # waits to be committed
    busy: set[int] = field(default_factory=set)
    spawned: list[Live] = field(default_factory=list)  # runs that start once the batch is durable
    nudge: asyncio.Event | None = None  # set when something changed from outside
    driven: bool = False
