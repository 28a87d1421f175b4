"""The source ``calendar.changes``: entries that were made, changed or cancelled become ``calendar_changed``.

It compares what a calendar holds with what it held at the last look, which the cursor has: so nothing is lost while aie
is off, and nothing depends on a service's memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from aie.events import Event, EventTypeSpec
from aie.plain import Json
from aie.sources import EventSource, SourceContext
from aie_calendar.create import MADE_BY_AIE
from aie_calendar.mirror import Mirror, Mirrors
from aie_calendar.series import Series, moment, text_of
from aie_calendar.settings import CalendarSettings
from aie_calendar.times import instant
from aie_calendar.wording import entry_data

CALENDAR_CHANGED = "calendar_changed"
LOOK_S = 15.0
BATCH = 100
MARK = 16  # characters of a fingerprint that are kept
Known = dict[str, list[str]]  # UID → mark, title, start


class ChangedData(BaseModel):
    """What became of an entry; the fields of ``calendar_event`` are there as far as they are known."""

    model_config = ConfigDict(extra="allow", frozen=True)

    change: str | None = Field(None, description="created, changed or cancelled")
    uid: str | None = Field(None, description="The entry's UID")
    title: str | None = Field(None, description="Its title")
    start: str | None = Field(None, description="When it begins, or for the first time began, ISO 8601 with offset")
    end: str | None = Field(None, description="When it ends, ISO 8601 with offset")
    all_day: bool | None = Field(None, description="Whether it is whole days")
    calendar: str | None = Field(None, description="The calendar it is in")
    event_type: str | None = Field(None, description="Its category, such as linkedin_post or meeting")
    repeats: bool | None = Field(None, description="Whether it takes place more than once")
    by_aie: bool | None = Field(None, description="Whether a workflow made the entry: to keep out of circles")
    previous_title: str | None = Field(None, description="The title before, for changed entries")
    previous_start: str | None = Field(None, description="The start before, for changed entries")


EXAMPLE: Mapping[str, Json] = {
    "change": "changed",
    "uid": "7f3c9a52-budget@example.org",
    "title": "Budget meeting",
    "start": "2026-02-16T15:00:00+01:00",
    "end": "2026-02-16T16:00:00+01:00",
    "all_day": False,
    "calendar": "main",
    "event_type": "meeting",
    "location": "Room 2",
    "description": "",
    "attendees": ["ada@example.com"],
    "repeats": False,
    "by_aie": False,
    "previous_title": "Budget meeting",
    "previous_start": "2026-02-16T14:00:00+01:00",
}


def changed_type() -> EventTypeSpec:
    return EventTypeSpec(CALENDAR_CHANGED, ChangedData, EXAMPLE, "A calendar entry was made, changed or cancelled")


def changes_source(settings: CalendarSettings, mirrors: Mirrors) -> EventSource:
    """The source with these settings."""
    names = ", ".join(settings.all)
    return EventSource(
        name="calendar.changes",
        event_types=(CALENDAR_CHANGED,),
        run=Changes(mirrors).run,
        summary="calendar entries that were made, changed or cancelled",
        watching=f"changes in the calendars {names}" if len(settings.all) > 1 else f"changes in the calendar {names}",
        touches=settings.places(),
    )


@dataclass(slots=True)
class Changes:
    """Compares again and again."""

    mirrors: Mirrors
    compared: dict[str, int] = field(default_factory=dict)  # calendar → the revision that was compared last

    async def run(self, context: SourceContext) -> None:
        """Watch until cancelled."""
        self.compared.clear()
        async with self.mirrors.used(context, context.log):
            while True:
                await self.look(context)
                await context.clock.sleep(min(LOOK_S, context.settings.look_every_s))

    async def look(self, context: SourceContext) -> None:
        """One look at all calendars."""
        for mirror in await self.mirrors.refreshed(context.clock.now()):
            if mirror.revision and self.compared.get(mirror.name) != mirror.revision:
                revision = mirror.revision
                await self._compare(context, mirror)
                self.compared[mirror.name] = revision

    async def _compare(self, context: SourceContext, mirror: Mirror) -> None:
        """Record how the calendar differs from what the cursor knows; the first time, note what is there."""
        count, known = _cursor(context.cursor)
        series = mirror.series
        before = known.get(mirror.name)
        if before is None:
            known[mirror.name] = {uid: _mark(one, context.timezone) for uid, one in series.items()}
            context.log.info("calendar %s: watched for changes; it has %d entries now", mirror.name, len(series))
            await context.emit([], cursor=_saved(count, known))
            return
        own = dict(before)
        events: list[Event] = []
        for uid in [*series, *(uid for uid in before if uid not in series)]:
            event = _difference(mirror.name, uid, series.get(uid), own, context.timezone)
            if event is None:
                continue
            count += 1
            events.append(Event(CALENDAR_CHANGED, "", event, event_id=f"{mirror.name}:{count}"))
            if len(events) == BATCH:
                await context.emit(events, cursor=_saved(count, {**known, mirror.name: own}))
                events = []
        if events or own != before:
            await context.emit(events, cursor=_saved(count, {**known, mirror.name: own}))


def _difference(calendar: str, uid: str, series: Series | None, own: Known, zone: ZoneInfo) -> dict[str, Any] | None:
    """The data of the event there is for this UID, with ``own`` brought up to date; None when nothing happened."""
    before = own.get(uid)
    if series is None or series.cancelled:
        if before is None:
            return None
        del own[uid]
        data = {"uid": uid, "title": before[1], "start": before[2], "calendar": calendar, "by_aie": _by_aie(uid)}
        return {"change": "cancelled", **(_data(calendar, series, zone) if series else data)}
    now = _mark(series, zone)
    if before is not None and before[0] == now[0]:
        return None
    own[uid] = now
    data = _data(calendar, series, zone)
    if before is None:
        return {"change": "created", **data}
    return {"change": "changed", **data, "previous_title": before[1], "previous_start": before[2]}


def _data(calendar: str, series: Series, zone: ZoneInfo) -> dict[str, Any]:
    return {**entry_data(calendar, series.as_one(zone), zone), "repeats": series.repeats, "by_aie": _by_aie(series.uid)}


def _by_aie(uid: str) -> bool:
    return uid.startswith(MADE_BY_AIE) and len(uid) == len(MADE_BY_AIE) + 52


def _mark(series: Series, zone: ZoneInfo) -> list[str]:
    """What is kept of an entry: enough to see a change, and to say afterwards what it was."""
    start = instant(moment(series.face, "DTSTART"), zone).astimezone(zone)
    return [series.fingerprint[:MARK], text_of(series.face, "SUMMARY")[:100], start.isoformat()]


def _cursor(saved: Any) -> tuple[int, dict[str, Known]]:
    if not isinstance(saved, dict):
        return 0, {}
    return int(saved.get("count", 0)), {name: dict(known) for name, known in saved.get("known", {}).items()}


def _saved(count: int, known: Mapping[str, Known]) -> Json:
    saved: dict[str, Any] = {"count": count, "known": dict(known)}
    return saved
