"""A mirror of one calendar in memory, kept fresh by asking only for what changed.

What it holds can be read anew from the calendar at any time; it outlives a service that is away for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from logging import Logger

from aie.errors import AieError, ConfigError, RetryableError
from aie_calendar.house import House
from aie_calendar.opening import open_store
from aie_calendar.reading import Reading, read
from aie_calendar.series import Series
from aie_calendar.settings import OneCalendar
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


class Mirror:
    """One calendar as it was last seen. ``revision`` grows whenever it may have changed; 0 until it was first read."""

    def __init__(self, house: House, name: str, said: Said) -> None:
        self.name = name
        self.calendar: OneCalendar = house.settings.all[name]
        self.series: Mapping[str, Series] = {}
        self.revision = 0
        self._house = house
        self._said = said
        self._store: Store | None = None
        self._objects: dict[str, tuple[str, Reading]] = {}  # href → etag, and what is in it
        self._next: datetime | None = None
        self._trouble = ""

    async def refresh(self, now: datetime) -> None:
        """Look again if it is time to. Trouble is logged, once, and what was seen last stays."""
        if self._next is not None and now < self._next:
            return
        self._next = now + timedelta(seconds=self.calendar.look_every_s)
        try:
            if self._store is None:
                self._store = open_store(self._house, self.name)
            pulled = await self._store.pull({href: etag for href, (etag, _) in self._objects.items()})
            await asyncio.to_thread(self._take, pulled)
        except AieError as error:
            await self._fails(error)
        else:
            self._works()

    async def aclose(self) -> None:
        if self._store is not None:
            await self._store.aclose()
            self._store = None

    def problem(self, uid: str, why: str) -> None:
        """Say what is wrong with an entry, once."""
        what = f"the entry {uid[:100]!r}" if uid else "it"
        self._said.once(f"calendar {self.name}: {what} {why}")

    def _take(self, pulled: Pulled) -> None:
        """Make what was pulled the content. What cannot be read any more stays as it was: it may be half written."""
        for href, why in pulled.problems.items():
            self._said.once(f"calendar {self.name}: {href} {why}")
        objects = {href: one for href, one in self._objects.items() if href not in pulled.gone}
        for href, stored in pulled.changed.items():
            before = objects.get(href)
            objects[href] = (stored.etag, self._read(href, stored, before[1] if before else None))
        if pulled.changed or pulled.gone or self.revision == 0:
            self._objects = objects
            self.series = self._by_uid()
            self.revision += 1

    def _read(self, href: str, stored: Stored, before: Reading | None) -> Reading:
        reading = read(stored.data, self._house.timezone, href=href, max_events=self.calendar.max_events)
        for uid, why in reading.problems.items():
            self.problem(uid, why if uid else f"({href}) {why}")
        if before is None:
            return reading
        if not reading.usable:
            return before
        kept = {uid: before.series[uid] for uid in reading.problems if uid in before.series}
        return Reading({**kept, **reading.series}, reading.problems)

    def _by_uid(self) -> dict[str, Series]:
        found: dict[str, Series] = {}
        for _, (_, reading) in sorted(self._objects.items()):
            for uid, series in reading.series.items():
                if uid in found and found[uid].href != series.href:
                    self.problem(uid, f"is in {found[uid].href} and in {series.href}; the first counts")
                elif len(found) < self.calendar.max_events:
                    found[uid] = series
        return found

    async def _fails(self, error: AieError) -> None:
        trouble = f"calendar {self.name}: {error.message}" + (f"; {error.hint}" if error.hint else "")
        if trouble != self._trouble:
            self._said.log.warning("%s", trouble)
        self._trouble = trouble
        if isinstance(error, RetryableError) and error.retry_after_s and self._next is not None:
            self._next += timedelta(seconds=min(error.retry_after_s, 3600))
        if isinstance(error, ConfigError):
            self._note(f"{self.name}: {error.message}")
            await self.aclose()  # opened anew, with the credentials there are by then

    def _works(self) -> None:
        if self._trouble:
            self._said.log.info("calendar %s: it can be read again", self.name)
            self._trouble = ""
        record = self._house.credentials.record
        if record is not None and record.trouble.startswith(f"{self.name}: "):
            self._note("")

    def _note(self, trouble: str) -> None:
        if self.calendar.provider != "ics" and self._house.credentials.record is not None:
            self._house.credentials.note(trouble=trouble)


class Mirrors:
    """The mirrors of all calendars, which both sources look into: each calendar is asked once, not twice."""

    def __init__(self) -> None:
        self._mirrors: dict[str, Mirror] = {}
        self._lock = asyncio.Lock()
        self._users = 0

    @contextlib.asynccontextmanager
    async def used(self, house: House, log: Logger) -> AsyncIterator[Mirrors]:
        """The mirrors, until the last user goes."""
        if self._users == 0:
            said = Said(log)
            self._lock = asyncio.Lock()
            self._mirrors = {name: Mirror(house, name, said) for name in house.settings.all}
        self._users += 1
        try:
            yield self
        finally:
            self._users -= 1
            if self._users == 0:
                for mirror in self._mirrors.values():
                    await mirror.aclose()

    async def refreshed(self, now: datetime) -> list[Mirror]:
        """All of them, each as fresh as it should be."""
        async with self._lock:
            await asyncio.gather(*(mirror.refresh(now) for mirror in self._mirrors.values()))
        return list(self._mirrors.values())
