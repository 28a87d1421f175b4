"""The action ``list_calendar_events``: what is coming, for a briefing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from aie.actions import ActionContext, ActionHandler, Effect
from aie.errors import RetryableError
from aie_calendar.create import Time, maybe
from aie_calendar.opening import look_into, meant
from aie_calendar.series import Occurrence, text_of
from aie_calendar.settings import CalendarSettings
from aie_calendar.times import instant, read_day
from aie_calendar.wording import entry_data, one_line, said_shortly

KEYS = ("title", "start", "end", "all_day", "location", "event_type", "calendar", "uid", "attendees")


class ListCalendarEvents(BaseModel):
    """Which days."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: int = Field(default=7, ge=1, le=92, description="how many days")
    first_day: Annotated[Time, maybe(read_day)] = Field(
        default=None, description="from the beginning of this day on; without it from now on", examples=["2026-02-16"]
    )
    calendars: list[str] | None = Field(default=None, description="the calendars to look into; without it all of them")
    limit: int = Field(default=100, ge=1, le=1000, description="the most that are listed")


class Agenda(BaseModel):
    """What takes place, in order."""

    count: int = Field(description="how many entries there are, also beyond the limit")
    events: list[dict[str, Any]] = Field(description="title, start, end, all_day, location, calendar, uid … of each")
    text: str = Field(description="the same as lines in Markdown; one sentence when there are none")
    calendars: list[str] = Field(description="the calendars that were looked into")


def list_calendar_events(settings: CalendarSettings) -> ActionHandler:
    """The action with these settings."""
    return ActionHandler(
        name="list_calendar_events",
        params=ListCalendarEvents,
        run=_run,
        summary="list what is in the calendars for the next days",
        result=Agenda,
        effect=Effect.NONE,
        repeatable=True,
        example={"days": 7},
        touches=settings.places(),
    )


async def _run(params: ListCalendarEvents, context: ActionContext) -> dict[str, Any]:
    settings: CalendarSettings = context.settings
    zone = context.timezone
    first = instant(read_day(params.first_day), zone) if params.first_day else context.now
    # Whole days by the calendar, also where one of them has 23 or 25 hours.
    last = instant(first.astimezone(zone).date() + timedelta(days=params.days), zone)
    names = [meant(settings, name) for name in (params.calendars or settings.all)]
    there, problems = await look_into(context, names, first, last)
    for name, why in problems.items():  # a calendar that cannot be read is not an empty one
        raise RetryableError(f"the calendar {name!r} could not be looked at: {why}", where="calendars")
    shown = there[: params.limit]
    told = [entry_data(name, one, zone) for name, one in shown]
    return {
        "count": len(there),
        "events": [{key: data[key] for key in KEYS} for data in told],
        "text": _text((one for _, one in shown), len(there), zone),
        "calendars": names,
    }


def _text(shown: Iterable[Occurrence], count: int, zone: ZoneInfo) -> str:
    lines = [f"- {said_shortly(one, zone)}: {_plain(one.title) or 'without a title'}{_place(one)}" for one in shown]
    if count > len(lines):
        lines.append(f"- and {count - len(lines)} more")
    return "\n".join(lines) or "Nothing is in the calendar."


def _place(one: Occurrence) -> str:
    place = _plain(text_of(one.event, "LOCATION"))
    return f" ({place})" if place else ""


def _plain(text: str) -> str:
    """A line for a note: anybody can send an invitation, and it must not be able to do anything there."""
    return one_line(text.translate(_INERT))


_INERT = str.maketrans({"[": "(", "]": ")", "<": "‹", "`": "'", "|": "/"})
