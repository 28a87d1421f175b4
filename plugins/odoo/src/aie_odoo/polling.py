"""A source that looks at the records of one model again and again, and turns what changed into events."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from logging import Logger
from typing import Any

from aie.errors import ActionError, ConfigError
from aie.events import Event
from aie.sources import SourceContext
from aie_odoo import watch
from aie_odoo.client import Odoo, Row, Session
from aie_odoo.watch import Change, Cursor, Record

MISSING_LOOK_S = 3600.0  # how often to see whether the module has been installed meanwhile


@dataclass(frozen=True, slots=True)
class Watched:
    """One kind of record."""

    model: str
    domain: Sequence[Any]  # which ones
    state_fields: tuple[str, ...]  # what the state is read from
    state: Callable[[Row], str]
    ended: frozenset[str]  # states that a record usually stays in
    still_open: Sequence[Any]  # the domain of those that have not ended
    events: Callable[[Session, Sequence[Change]], Awaitable[list[Event]]]  # what changes are told as
    missing: str  # what to say where the module is not installed


@dataclass(frozen=True, slots=True)
class Poller:
    """Looks until it is cancelled. What it has to remember is in the cursor, saved together with the events."""

    odoo: Odoo
    watched: Watched

    async def run(self, context: SourceContext) -> None:
        told = Told(context.log)
        while True:
            pause_s = self.odoo.settings.poll_interval_s
            try:
                async with self.odoo.session(context.credentials) as session:
                    if await session.fields(self.watched.model) is None:
                        told.trouble(self.watched.missing)
                        pause_s = MISSING_LOOK_S
                    else:
                        await self.look(session, context)
                        told.trouble("")
            except (ActionError, ConfigError) as error:  # all that Odoo can say; what goes wrong here is for the caller
                told.trouble(f"{error.message}; {self.watched.model} is looked at again later", error.hint)
            await context.clock.sleep(pause_s)

    async def look(self, session: Session, context: SourceContext) -> None:
        """One look: all that changed since the one before, told page by page; the first look tells nothing."""
        cursor = watch.from_saved(context.cursor)
        if cursor is None or cursor.server != self.odoo.server:
            cursor = await self._baseline(session)
            await context.emit([], cursor=cursor.saved())
            context.log.info("from now on %s of %s is watched", self.watched.model, self.odoo.server)
            return
        overlap_s = self.odoo.settings.poll_overlap_s
        floor = cursor.floor(overlap_s)
        seen: dict[int, Record] = {}
        recent = [["write_date", ">=", floor]] if floor else []
        async for records in self._pages(session, recent):
            seen |= {record.id: record for record in records}
            changed = watch.changes(cursor, records, floor)
            cursor = watch.noted(cursor, records)
            if changed:
                await context.emit(await self.watched.events(session, changed), cursor=cursor.saved())
        after = watch.closed(cursor, seen, self.watched.ended, overlap_s)
        if after.saved() != context.cursor:
            await context.emit([], cursor=after.saved())

    async def _baseline(self, session: Session) -> Cursor:
        """What there is already, in the server's own time."""
        newest = await session.search_read(
            self.watched.model, self.watched.domain, ["write_date"], limit=1, order="write_date desc, id desc"
        )
        cursor = Cursor(self.odoo.server, newest[0]["write_date"] if newest else "")
        floor = cursor.floor(self.odoo.settings.poll_overlap_s)
        for domain in (self.watched.still_open, [["write_date", ">=", floor]] if floor else None):
            if domain is not None:
                async for records in self._pages(session, domain):
                    cursor = watch.noted(cursor, records)
        return cursor

    async def _pages(self, session: Session, domain: Sequence[Any]) -> AsyncIterator[list[Record]]:
        fields = ["create_date", "write_date", *self.watched.state_fields]
        async for rows in session.pages(self.watched.model, [*self.watched.domain, *domain], fields):
            yield [
                Record(int(row["id"]), row["create_date"], row["write_date"], self.watched.state(row)) for row in rows
            ]


@dataclass(slots=True)
class Told:
    """What the log has been told, so that a server that is away for a night is told of once."""

    log: Logger
    last: str = ""

    def trouble(self, text: str, hint: str = "") -> None:
        if text and text != self.last:
            self.log.warning("%s%s", text, f" ({hint})" if hint else "")
        elif self.last and not text:
            self.log.info("Odoo is watched again")
        self.last = text


def company_domain(odoo: Odoo) -> list[list[Any]]:
    """Only the company that is worked in, where one is set."""
    return [["company_id", "=", odoo.settings.company_id]] if odoo.settings.company_id else []


def event(odoo: Odoo, kind: str, change: Change, model: str, about: str, data: Mapping[str, Any]) -> Event:
    """The event of a change; its id is the same whenever the same change is told. The time is the server's."""
    stamp = dt.datetime.fromisoformat(change.record.written).replace(tzinfo=dt.UTC)
    event_id = f"{odoo.server}/{model}/{change.record.id}/{about}"[-200:]
    return Event(kind, "", dict(data), stamp.isoformat(), event_id)
