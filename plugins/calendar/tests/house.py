"""What the engine gives the plugin's code, for tests: settings, credentials, a clock that stands still."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aie.actions import ActionContext
from aie.credentials import Credentials, CredentialStore
from aie.events import Event
from aie_calendar.settings import CalendarSettings

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = dt.datetime(2026, 2, 9, 17, 30, tzinfo=dt.UTC)


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, now: dt.datetime = MONDAY) -> None:
        self.time = now

    def now(self) -> dt.datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += dt.timedelta(seconds=seconds)
        await asyncio.sleep(0)


@dataclass
class House:
    """A vault with settings; also the context of a source, which keeps events and cursor together."""

    vault: Path
    tables: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    timezone: ZoneInfo = BERLIN
    cursor: Any = None
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.vault.mkdir(exist_ok=True)
        self.settings = CalendarSettings.model_validate(self.tables)
        self.store = CredentialStore(self.vault.parent / "credentials", {}, keyring=False)
        self.credentials: Credentials = self.store.of("calendar")
        if self.secrets:
            self.credentials.save(dict(self.secrets))
        self.log = logging.getLogger("aie.test.calendar")
        self.cache_dir = self.vault.parent / "cache"
        self.ids: set[str] = set()

    async def emit(self, events: Sequence[Event], *, cursor: Any = None) -> int:
        """As the journal does: an id that was there before is no new event."""
        new = [event for event in events if event.event_id not in self.ids]
        self.ids |= {event.event_id for event in new}
        self.events += new
        self.cursor = self.cursor if cursor is None else cursor
        return len(new)

    def pending_approvals(self) -> int:
        return 0

    def scheduled_workflows(self) -> tuple[()]:
        return ()

    def action(self, key: str = "run_1/action_0", attempt: int = 1) -> ActionContext:
        return ActionContext(
            run_id="run_1",
            step_id="action_0",
            workflow_id="w",
            workflow_name="W",
            event={},
            attempt=attempt,
            idempotency_key=key,
            now=self.clock.now(),
            timeout_s=30,
            timezone=self.timezone,
            vault=self.vault,
            settings=self.settings,
            log=self.log,
            credentials=self.credentials,
        )


def act(house: House, handler: Any, *, key: str = "run_1/action_0", **params: Any) -> dict[str, Any]:
    """The result of an action."""
    return asyncio.run(handler.run(handler.params.model_validate(params), house.action(key)))
