"""What a plugin says about an event source, and what the source is given while it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from aie.credentials import Credentials
from aie.events import Event
from aie.plain import Json
from aie.seams import Clock
from aie.touches import NOTHING, Touches


class ScheduledWorkflow(Protocol):
    """What the schedule source reads of a workflow."""

    @property
    def workflow_id(self) -> str: ...

    @property
    def schedule(self) -> Any: ...


class SourceContext(Protocol):
    """A source's way into aie. ``cursor`` is what it saved last (None on the very first start)."""

    settings: Any
    vault: Path
    timezone: ZoneInfo
    clock: Clock
    credentials: Credentials  # of the plugin's connection
    log: Logger
    cache_dir: Path  # a folder of the plugin's own, perhaps not there yet; what is in it can be lost

    @property
    def cursor(self) -> Json: ...

    async def emit(self, events: Sequence[Event], *, cursor: Json = None) -> int:
        """Record the events and the cursor in one transaction; durable on return. Gives how many were new.

        ``cursor=None`` leaves the saved cursor as it is. An event may leave ``source`` empty (then it is the source's
        name) and ``timestamp`` empty (then it is now).
        """
        ...

    def pending_approvals(self) -> int:
        """How many requests wait for a person."""
        ...

    def scheduled_workflows(self) -> Sequence[ScheduledWorkflow]:
        """The enabled workflows that carry a ``schedule`` of their own."""
        ...


@dataclass(frozen=True, slots=True)
class EventSource:
    """One source. ``run`` watches until it is cancelled; what it raises is logged and it is started again later."""

    name: str  # PLUGIN.NAME, for example vault.files
    event_types: tuple[str, ...]
    run: Callable[[SourceContext], Awaitable[None]]
    summary: str = ""
    watching: str = ""  # one line for a person: what it watches with these settings; "" when there is nothing to watch
    touches: Touches = NOTHING
