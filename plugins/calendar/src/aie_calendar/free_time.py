"""The action ``find_free_time``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from aie.actions import ActionContext, ActionHandler, Effect
from aie.errors import ActionError, RetryableError
from aie_calendar.create import Time, maybe, readable
from aie_calendar.opening import look_into, meant
from aie_calendar.settings import DAYS, CalendarSettings, Day, Hours, hours
from aie_calendar.times import instant, read_day, read_length
from aie_calendar.zones import named

Interval = tuple[datetime, datetime]
MAX_DAYS = 92
_OPTIONAL = BeforeValidator(lambda value: None if isinstance(value, str) and not value.strip() else value)


class FindFreeTime(BaseModel):
    """When there is time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    duration: Annotated[str, readable(read_length)] = Field(description="how much time is needed", examples=["1 hour"])
    first_day: Annotated[Time, maybe(read_day)] = Field(
        default=None, description="from this day or moment on; without it from now on", examples=["2026-02-16"]
    )
    last_day: Annotated[Time, maybe(read_day)] = Field(
        default=None,
        description="until the end of this day, or this moment; without it a week",
        examples=["2026-02-20"],
    )
    calendars: list[str] | None = Field(default=None, description="the calendars to look into; without it all of them")
    working_hours: Annotated[Hours | None, _OPTIONAL] = Field(
        default=None, description="within which hours; else those of the settings", examples=["09:00-17:00"]
    )
    working_days: list[Day] | None = Field(default=None, description="on which days; else those of the settings")
    buffer: Annotated[Time, maybe(read_length)] = Field(
        default=None, description="how much is kept free before and after everything else", examples=["15 minutes"]
    )
    step_minutes: int = Field(default=15, ge=1, le=240, description="a proposal begins at a multiple of these minutes")
    limit: int = Field(default=5, ge=1, le=100, description="how many proposals")
    timezone: Annotated[Time, maybe(named)] = Field(default=None, description="the zone of days and hours")


class Slot(BaseModel):
    """A proposal: as long as was asked for."""

    start: str = Field(description="ISO 8601 with offset")
    end: str = Field(description="the same")
    date: str = Field(description="for create_calendar_event")
    time: str = Field(description="for create_calendar_event")
    free_minutes: int = Field(description="how long it is free from the start on")


class FreeTime(BaseModel):
    """The proposals, earliest first."""

    slots: list[Slot] = Field(description="when there is time")
    found: int = Field(description="how many proposals there are")
    calendars: list[str] = Field(description="the calendars that were looked into")


def find_free_time(settings: CalendarSettings) -> ActionHandler:
    """The action with these settings."""
    return ActionHandler(
        name="find_free_time",
        params=FindFreeTime,
        run=_run,
        summary="find when there is time for something, over several calendars",
        example={"duration": "1 hour", "first_day": "2026-02-16", "last_day": "2026-02-20"},
        result=FreeTime,
        effect=Effect.NONE,
        repeatable=True,
        touches=settings.places(),
    )


async def _run(params: FindFreeTime, context: ActionContext) -> dict[str, Any]:
    settings: CalendarSettings = context.settings
    zone = named(params.timezone) if params.timezone else context.timezone
    first, last = _bounds(params, context.now, zone)
    names = [meant(settings, name) for name in (params.calendars or settings.all)]
    there, problems = await look_into(context, names, first, last)
    for name, why in problems.items():  # a calendar that cannot be read is not an empty one
        raise RetryableError(f"the calendar {name!r} could not be looked at: {why}", where="calendars")
    buffer = read_length(params.buffer) if params.buffer else timedelta()
    busy = merged((one.start - buffer, one.end + buffer) for _, one in there if one.busy)
    days = params.working_days or settings.working_days
    open_hours = working(first, last, hours(params.working_hours or settings.working_hours), days, zone)
    slots = []
    for start, end in proposals(open_hours, busy, read_length(params.duration), params.step_minutes):
        local = start.astimezone(zone)
        slots.append(
            {
                "start": local.isoformat(),
                "end": (start + read_length(params.duration)).astimezone(zone).isoformat(),
                "date": f"{local:%Y-%m-%d}",
                "time": f"{local:%H:%M}",
                "free_minutes": int((end - start).total_seconds() // 60),
            }
        )
        if len(slots) == params.limit:
            break
    return {"slots": slots, "found": len(slots), "calendars": names}


def working(
    first: datetime, last: datetime, open_hours: tuple[time, time], days: Sequence[str], zone: ZoneInfo
) -> Iterator[Interval]:
    """The working hours between two moments, UTC; each day has its own offset."""
    day = first.astimezone(zone).date()
    while day <= last.astimezone(zone).date():
        if DAYS[day.weekday()] in days:
            start = datetime.combine(day, open_hours[0], zone).astimezone(UTC)
            end = datetime.combine(day, open_hours[1], zone).astimezone(UTC)
            if max(start, first) < min(end, last):
                yield max(start, first), min(end, last)
        day += timedelta(days=1)


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time without overlaps, in order."""
    result: list[Interval] = []
    for start, end in sorted(intervals):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def proposals(
    open_hours: Iterable[Interval], busy: Sequence[Interval], length: timedelta, step_minutes: int
) -> Iterator[Interval]:
    """Where ``length`` fits: its start, and until when it is free. One after the other, none overlapping."""
    for first, last in open_hours:
        start = _on_step(first, step_minutes)
        for taken_from, taken_to in [*busy, (last, last)]:
            if taken_to < start:
                continue
            free_until = min(taken_from, last)
            while start + length <= free_until:
                yield start, free_until
                start = _on_step(start + length, step_minutes)
            start = max(start, _on_step(taken_to, step_minutes))
            if start >= last:
                break


def _on_step(moment: datetime, minutes: int) -> datetime:
    """The next multiple of so many minutes past the hour, UTC; the moment itself if it is one."""
    step = minutes * 60
    return datetime.fromtimestamp(-(-moment.timestamp() // step) * step, UTC)


def _bounds(params: FindFreeTime, now: datetime, zone: ZoneInfo) -> Interval:
    first = max(now, instant(read_day(params.first_day), zone)) if params.first_day else now
    if params.last_day:
        day = read_day(params.last_day)
        last = instant(day if isinstance(day, datetime) else day + timedelta(days=1), zone)
    else:
        last = first + timedelta(days=7)
    if not first < last <= first + timedelta(days=MAX_DAYS):
        raise ActionError(
            f"from {first.astimezone(zone):%Y-%m-%d %H:%M} to {last.astimezone(zone):%Y-%m-%d %H:%M} "
            f"is no time to look at: it is in the future, and at most {MAX_DAYS} days",
            where="first_day, last_day",
        )
    return first, last
