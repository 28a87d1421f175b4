"""What the orchestrators answer with: what became of an event, of a run, and how a workflow stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aie.run import RunStatus


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run an event started, and how it stands: ended, or parked for a time, a person or a plugin."""

    run_id: str
    workflow_id: str
    status: RunStatus
    error: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class EventResult:
    """What became of an event. ``new`` is False when it had arrived before; it then started nothing."""

    event_id: str
    new: bool
    runs: tuple[RunResult, ...]
    ask_skipped: Callable[[], Sequence[Mapping[str, Any]]] = field(default=tuple, repr=False, compare=False)

    @property
    def skipped(self) -> Sequence[Mapping[str, Any]]:
        """workflow_id, reason and failed for each that did not start; worked out now."""
        return self.ask_skipped()


@dataclass(frozen=True, slots=True)
class WorkflowView:
    """A workflow with its counters, which live in the journal and never in its file."""

    workflow_id: str
    name: str
    description: str
    trigger_event: str
    enabled: bool
    execution_count: int
    last_executed: datetime | None
    path: str
