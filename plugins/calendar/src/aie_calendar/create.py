"""The action ``create_calendar_event``."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from aie.actions import ActionContext, ActionHandler, Effect
from aie.errors import ActionError
from aie.plain import Json
from aie_calendar.entry import Changes, checked_rule, new_entry
from aie_calendar.opening import look_into, meant, opened
from aie_calendar.settings import CalendarSettings
from aie_calendar.store import Draft
from aie_calendar.times import Span, read_day, read_length, read_time, span
from aie_calendar.wording import conflict_lines, event_type, said
from aie_calendar.zones import named

MADE_BY_AIE = "aie"  # how the UIDs begin of what aie made


def readable(read: Callable[[str], object]) -> AfterValidator:
    """A text that ``read`` can read; the text itself stays, as a person wrote it."""

    def check(text: str) -> str:
        read(text)
        return text

    return AfterValidator(check)


def _blank_is_nothing(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _listed(value: object) -> object:
    """One address, or several behind commas, as a list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _address(text: str) -> str:
    name, at, domain = text.partition("@")
    if not (name and at and "." in domain) or any(char.isspace() or char in "<>,;:\"'" for char in text):
        raise ValueError(f"{text[:100]!r} is not a mail address; write it such as 'ada@example.com'")
    return text


def _minutes(value: object) -> object:
    """A reminder as minutes: 15, '15', '15 minutes', '1 hour'."""
    if isinstance(value, str) and not value.strip().isdecimal():
        return int(read_length(value).total_seconds() // 60)
    return value


def _given(value: object) -> object:
    """A mail in which no date was found has none: that is said in words."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ValueError("there is no date; give the step a condition, or write such as '2026-02-16'")
    return value


Day = Annotated[str, BeforeValidator(_given), readable(read_day)]
Time = Annotated[str | None, BeforeValidator(_blank_is_nothing)]
Length = Annotated[str | None, BeforeValidator(_blank_is_nothing)]
Address = Annotated[str, AfterValidator(_address)]
Addresses = Annotated[list[Address], Field(max_length=200), BeforeValidator(_listed)]
Reminder = Annotated[int, Field(ge=0, le=40_320), BeforeValidator(_minutes)]
Reminders = Annotated[list[Reminder], Field(max_length=5), BeforeValidator(lambda v: v if isinstance(v, list) else [v])]
Zone = Annotated[str | None, BeforeValidator(_blank_is_nothing)]


def maybe(read: Callable[[str], object]) -> AfterValidator:
    """The same for what may be left out."""
    return AfterValidator(lambda text: text if text is None or (read(text), True)[1] else None)


class CreateCalendarEvent(BaseModel):
    """An appointment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(
        description="what it is, in one line", min_length=1, max_length=1000, examples=["Budget meeting"]
    )
    date: Day = Field(description="the day, or day and time in one", examples=["2026-02-16", "2026-02-16T14:00+01:00"])
    time: Annotated[Time, maybe(read_time)] = Field(
        default=None, description="when it begins; without a time it is a whole day", examples=["14:00", "2:30 pm"]
    )
    end: Time = Field(
        default=None, description="when it ends, instead of duration; of whole days the last", examples=["15:30"]
    )
    duration: Annotated[Length, maybe(read_length)] = Field(
        default=None, description="how long it takes", examples=["1 hour", "90m", "PT1H30M"]
    )
    timezone: Annotated[Zone, maybe(named)] = Field(
        default=None, description="the zone of date and time; else the vault's", examples=["Europe/Berlin"]
    )
    description: str = Field(default="", description="the text of the entry", max_length=100_000)
    location: str = Field(default="", description="where", max_length=1000)
    attendees: Addresses = Field(default=[], description="addresses of those invited", examples=[["ada@example.com"]])
    reminders: Reminders = Field(default=[], description="reminders, in minutes before the start", examples=[[15]])
    recurrence: Annotated[Zone, maybe(checked_rule)] = Field(
        default=None, description="how it repeats, an RRULE", examples=["FREQ=WEEKLY;COUNT=10"]
    )
    category: str = Field(default="", description="its category", max_length=100, examples=["linkedin_post"])
    calendar: Zone = Field(default=None, description="the calendar, if it is not the usual one", examples=["work"])


class Created(BaseModel):
    """The entry. ``created`` is False when an earlier attempt had made it already."""

    uid: str = Field(description="what update_calendar_event and cancel_calendar_event know it by")
    calendar: str = Field(description="the calendar it is in")
    title: str = Field(description="what it is, in one line")
    start: str = Field(description="ISO 8601 with offset; of whole days the date")
    end: str = Field(description="the same; of whole days the one after the last")
    all_day: bool = Field(description="whether it is whole days")
    etag: str = Field(description="its version; changes whenever the entry does")
    path: str = Field(description="the file or object it is")
    created: bool = Field(description="false when an earlier attempt had made it already")


def create_calendar_event(settings: CalendarSettings) -> ActionHandler:
    """The action with these settings."""
    return ActionHandler(
        name="create_calendar_event",
        params=CreateCalendarEvent,
        run=_run,
        summary="make an appointment",
        example={"title": "Budget meeting", "date": "2026-02-16", "time": "14:00", "duration": "1 hour"},
        result=Created,
        effect=Effect.EXTERNAL,
        repeatable=True,  # the UID comes from the step's key: a second attempt finds the entry of the first
        note_kind="CALENDAR",
        title_field="title",
        body_field="description",
        locked_fields=frozenset({"attendees", "calendar"}),
        preview=_preview,
        facts=_facts,
        touches=settings.places(to_write=True),
    )


def uid_of(key: str) -> str:
    """The UID of what a step makes: only ``0-9`` and ``a-v``, so that Google takes it for an event's id, too."""
    return MADE_BY_AIE + base64.b32hexencode(hashlib.sha256(key.encode()).digest()).decode().rstrip("=").lower()


def path_of(settings: CalendarSettings, name: str, href: str) -> str:
    """Where the object is: a file with its folder, or its address at the service."""
    calendar = settings.all[name]
    return f"{calendar.folder.rstrip('/')}/{href}" if calendar.provider == "ics" else href


def told_guests(settings: CalendarSettings, name: str) -> str:
    """Whether attendees hear of it, as a sentence."""
    calendar = settings.all[name]
    if calendar.provider == "google" and calendar.notify_guests != "none":
        return "Google tells them."
    return "Nobody tells them."


def span_of(params: CreateCalendarEvent, context: ActionContext) -> Span:
    """When it takes place; :class:`ActionError` when the parts contradict each other."""
    zone = named(params.timezone) if params.timezone else context.timezone
    usual = timedelta(minutes=context.settings.default_minutes)
    length = read_length(params.duration) if params.duration else None
    clock = read_time(params.time) if params.time else None
    try:
        return _in_a_zone(span(read_day(params.date), clock, params.end, length, zone, usual), zone)
    except (ValueError, OverflowError) as error:
        raise ActionError(str(error), where="date, time, end, duration") from None


def _in_a_zone(found: Span, zone: ZoneInfo) -> Span:
    """Times with a bare offset, put into ``zone``: a calendar needs to know when the clocks change there."""
    if found.all_day or isinstance(getattr(found.start, "tzinfo", None), ZoneInfo):
        return found
    start, end = found.instants(zone)
    return Span(start.astimezone(zone), end.astimezone(zone))


def _changes(params: CreateCalendarEvent, found: Span) -> Changes:
    return Changes(
        title=params.title,
        span=found,
        description=params.description,
        location=params.location,
        attendees=params.attendees,
        reminders=params.reminders,
        recurrence=checked_rule(params.recurrence) if params.recurrence else None,
        category=params.category,
    )


async def _run(params: CreateCalendarEvent, context: ActionContext) -> dict[str, Any]:
    name = meant(context.settings, params.calendar, to_write=True)
    found = span_of(params, context)
    uid = uid_of(context.idempotency_key)
    data = new_entry(uid, _changes(params, found), context.now)
    async with opened(context, name) as store:
        stored, created = await store.create(Draft(uid, data, params.title, found.start.strftime("%Y-%m-%d")))
    return {
        "uid": uid,
        "calendar": name,
        "title": params.title,
        "start": found.start.isoformat(),
        "end": found.end.isoformat(),
        "all_day": found.all_day,
        "etag": stored.etag,
        "path": path_of(context.settings, name, stored.href),
        "created": created,
    }


async def _preview(params: CreateCalendarEvent, context: ActionContext) -> str:
    """What a person reads before saying yes."""
    name = meant(context.settings, params.calendar, to_write=True)
    found = span_of(params, context)
    lines = [said(found, context.timezone), "", f"A new entry in the calendar {name}: {params.title}"]
    if params.location:
        lines.append(f"Where: {params.location}")
    if params.recurrence:
        lines.append(f"Repeats: {params.recurrence}")
    if params.reminders:
        lines.append("Reminders, minutes before: " + ", ".join(map(str, params.reminders)))
    if params.attendees:
        lines.append(f"Attendees: {', '.join(params.attendees)}. {told_guests(context.settings, name)}")
    start, end = found.instants(context.timezone)
    there, problems = await look_into(context, context.settings.all, start, end)
    lines += ["", *conflict_lines(there, problems, context.timezone)]
    if params.description:
        lines += ["", params.description]
    return "\n".join(lines)


def _facts(params: CreateCalendarEvent, context: ActionContext) -> Mapping[str, Json]:
    """What approval rules may ask: which calendar, how long, how soon, whether others are named."""
    found = span_of(params, context)
    return {
        "calendar": meant(context.settings, params.calendar, to_write=True),
        "all_day": found.all_day,
        "minutes": int(found.length.total_seconds() // 60),
        "days_ahead": (found.instants(context.timezone)[0] - context.now).days,
        "attendee_count": len(params.attendees),
        "repeats": params.recurrence is not None,
        "event_type": event_type(params.category),
    }
