"""A mirror of one calendar in memory, kept fresh by asking only for what changed.

What it holds can be read anew from the calendar at any time; it outlives a service that is away for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from logging import Logger
from zoneinfo import ZoneInfo

from aie.errors import AieError
from aie_calendar.opening import House, open_store
from aie_calendar.reading import Reading, read
from aie_calendar.series import Series
from aie_calendar.store import Pulled, Store, Stored

MAX_PROBLEMS_SAID = 500


@dataclass(slots=True)
class Said:
    """What the log was told already, so that it is told once, and not at every look."""

    log: Logger
    before: set[str] = field(default_factory=set)

    def once(self, text: str) -> None:
        if text not in self.before and len(self.before) < MAX_PROBLEMS_SAID:
            self.before.add(text)
            self.log.warning("%s", text)

    def over(self, text: str) -> None:
        """The trouble is over; the next time it is said again."""
        self.before.discard(text)


class Mirror:
    """One calendar as it was last seen. ``revision`` grows whenever its content changes; 0 until it was first read."""

    def __init__(self, house: House, name: str, said: Said) -> None:
        self.name = name
        self.series: Mapping[str, Series] = {}
        self.revision = 0
        self._house = house
        self._zone: ZoneInfo = house.timezone
        self._calendar = house.settings.all[name]
        self._said = said
        self._store: Store | None = None
        self._objects: dict[str, tuple[str, Reading]] = {}  # href → etag, what is in it
        self._due: datetime | None = None
        self._trouble = ""

    async def refresh(self, now: datetime) -> None:
        """Look again if it is time to. Trouble is logged, once, and what was seen last stays."""
        if self._due is not None and now < self._due:
            return
        try:
            if self._store is None:
                self._store = open_store(self._house, self.name)
            pulled = await self._store.pull({href: etag for href, (etag, _) in self._objects.items()})
            await asyncio.to_thread(self._take, pulled)
        except AieError as error:
            self._failed(error)
        else:
            if self._trouble:
                self._said.log.info("the calendar %s can be read again", self.name)
                self._said.over(self._trouble)
                self._trouble = ""
                self._house.credentials.note(trouble="")
        self._due = now + (self._calendar_pause())

    async def aclose(self) -> None:
        if self._store is not None:
            await self._store.aclose()
            self._store = None

    def _calendar_pause(self) -> timedelta:
        return timedelta(seconds=self._calendar.look_every_s)
