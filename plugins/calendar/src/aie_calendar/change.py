"""The actions ``update_calendar_event`` and ``cancel_calendar_event``."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from aie.actions import ActionContext, ActionHandler, Effect
from aie.errors import ActionError, RetryableError
from aie_calendar import edit
from aie_calendar.create import (
    Addresses,
    Created,
    Reminders,
    Time,
    maybe,
    path_of,
    told_guests,
)
from aie_calendar.entry import Changes, clean
from aie_calendar.opening import look_into, meant, opened
from aie_calendar.reading import read
from aie_calendar.series import Occurrence, Series, occurrence_id, text_of
from aie_calendar.settings import CalendarSettings
from aie_calendar.store import ChangedMeanwhileError, Store, Stored
from aie_calendar.times import Span, instant, read_day, read_length, read_time, span
from aie_calendar.wording import addresses_of, conflict_lines, occurrence_span, said
from aie_calendar.zones import named

_OPTIONAL = BeforeValidator(lambda value: None if isinstance(value, str) and not value.strip() else value)
_AROUND = timedelta(days=400)  # how far an occurrence may have been moved


class WhichEntry(BaseModel):
    """An entry, by the names that events and create_calendar_event give."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    uid: str = Field(description="the entry's uid", min_length=1, max_length=500)
    calendar: Annotated[str | None, _OPTIONAL] = Field(default=None, description="the calendar, if not the usual one")
    occurrence: Annotated[str | None, _OPTIONAL, maybe(read_day)] = Field(
        default=None,
        description="one occurrence of a series, as in events: its original start; without it the whole series",
        examples=["20260216T130000Z"],
    )
    etag: Annotated[str | None, _OPTIONAL] = Field(
        default=None, description="only if the entry still is this version, as create_calendar_event gave it"
    )


class UpdateCalendarEvent(WhichEntry):
    """What is to be different; what is left out stays."""

    title: Annotated[str | None, _OPTIONAL] = Field(default=None, description="the new title", max_length=1000)
    date: Annotated[Time, maybe(read_day)] = Field(default=None, description="the new day", examples=["2026-02-17"])
    time: Annotated[Time, maybe(read_time)] = Field(default=None, description="when it begins", examples=["14:00"])
    end: Time = Field(default=None, description="when it ends, instead of duration", examples=["15:30"])
    duration: Annotated[Time, maybe(read_length)] = Field(default=None, description="how long it takes")
    timezone: Annotated[Time, maybe(named)] = Field(default=None, description="the zone of date and time")
    description: str | None = Field(default=None, description="the new text", max_length=100_000)
    location: str | None = Field(default=None, description="the new place", max_length=1000)
    attendees: Addresses | None = Field(default=None, description="all who are invited from now on")
    reminders: Reminders | None = Field(default=None, description="all reminders from now on, minutes before the start")


class CancelCalendarEvent(WhichEntry):
    """An entry that is not to take place."""


class Updated(Created):
    """The entry as it is now. ``created`` is always False; ``changed`` says whether this attempt changed it."""

    changed: bool = Field(description="whether this attempt changed it")


class Cancelled(BaseModel):
    """What was cancelled. ``cancelled`` is False when it was gone already."""

    uid: str = Field(description="the entry's uid")
    calendar: str = Field(description="the calendar it was in")
    occurrence: str | None = Field(description="the one occurrence that was cancelled; null: all of it")
    title: str = Field(description="what it was")
    cancelled: bool = Field(description="false when it was gone already")


def update_calendar_event(settings: CalendarSettings) -> ActionHandler:
    """The action with these settings."""
    return ActionHandler(
        name="update_calendar_event",
        params=UpdateCalendarEvent,
        run=_update,
        summary="change an appointment",
        example={"uid": "7f3c9a52-spring@example.org", "time": "15:00", "location": "Room 2"},
        result=Updated,
        effect=Effect.EXTERNAL,
        repeatable=True,  # an entry that is as wanted is left alone
        note_kind="CALENDAR",
        title_field="title",
        body_field="description",
        locked_fields=frozenset({"uid", "calendar", "occurrence", "etag", "attendees"}),
        preview=_preview_update,
        touches=settings.places(to_write=True),
    )


def cancel_calendar_event(settings: CalendarSettings) -> ActionHandler:
    """The action with these settings."""
    return ActionHandler(
        name="cancel_calendar_event",
        params=CancelCalendarEvent,
        run=_cancel,
        summary="take an appointment, or one occurrence of it, out of the calendar",
        example={"uid": "7f3c9a52-spring@example.org"},
        result=Cancelled,
        effect=Effect.EXTERNAL,
        repeatable=True,
        note_kind="CALENDAR",
        locked_fields=frozenset({"uid", "calendar", "occurrence", "etag"}),
        preview=_preview_cancel,
        touches=settings.places(to_write=True),
    )


# --- update ------------------------------------------------------------------------------------------------------


async def _update(params: UpdateCalendarEvent, context: ActionContext) -> dict[str, Any]:
    name = meant(context.settings, params.calendar, to_write=True)
    async with opened(context, name) as store:
        stored, series, one = await _found(store, params, context)
        changes = _changes(params, one, context)
        changed = not _is_so(one, changes, context.timezone)
        if changed:
            _refuse_other_version(params, stored)
            target = one if params.occurrence else None
            data = await asyncio.to_thread(
                edit.changed, stored.data, series.uid, changes, context.now, context.timezone, target
            )
            stored = await _replaced(store, stored, data, params)
        after = changes.span or occurrence_span(one, context.timezone)
    return {
        "uid": params.uid,
        "calendar": name,
        "title": changes.title or one.title,
        "start": after.start.isoformat(),
        "end": after.end.isoformat(),
        "all_day": after.all_day,
        "etag": stored.etag,
        "path": path_of(context.settings, name, stored.href),
        "created": False,
        "changed": changed,
    }


async def _preview_update(params: UpdateCalendarEvent, context: ActionContext) -> str:
    name = meant(context.settings, params.calendar, to_write=True)
    async with opened(context, name) as store:
        _, series, one = await _found(store, params, context)
    changes = _changes(params, one, context)
    before = occurrence_span(one, context.timezone)
    which = "One occurrence of " if params.occurrence else "Every occurrence of " if series.repeats else ""
    lines = [f"{which}{one.title or 'an entry without a title'}, in the calendar {name}:", ""]
    if changes.span is not None:
        lines += [f"- was: {said(before, context.timezone)}", f"- new: {said(changes.span, context.timezone)}"]
    for what, old, new in (
        ("title", one.title, changes.title),
        ("place", text_of(one.event, "LOCATION"), changes.location),
    ):
        if new is not None and new != old:
            lines.append(f"- {what}: {old or '(none)'} → {new or '(none)'}")
    if changes.attendees is not None:
        lines.append(f"- attendees from now on: {', '.join(changes.attendees) or '(none)'}")
    if changes.reminders is not None:
        lines.append(f"- reminders, minutes before: {', '.join(map(str, changes.reminders)) or '(none)'}")
    if changes.description is not None:
        lines += ["- the text becomes:", "", changes.description]
    lines += _about_guests(one, context.settings, name)
    if changes.span is not None:
        start, end = changes.span.instants(context.timezone)
        there, problems = await look_into(context, context.settings.all, start, end)
        others = [(where, other) for where, other in there if (where, other.uid) != (name, params.uid)]
        lines += ["", *conflict_lines(others, problems, context.timezone)]
    return "\n".join(lines)


def _changes(params: UpdateCalendarEvent, one: Occurrence, context: ActionContext) -> Changes:
    return Changes(
        title=params.title,
        span=_new_span(params, one, context),
        description=params.description,
        location=params.location,
        attendees=params.attendees,
        reminders=params.reminders,
    )


def _new_span(params: UpdateCalendarEvent, one: Occurrence, context: ActionContext) -> Span | None:
    """When it takes place from now on; what is not said is as it was. None when nothing is said."""
    if all(said is None for said in (params.date, params.time, params.end, params.duration, params.timezone)):
        return None
    before = occurrence_span(one, context.timezone)
    day, clock = _wall(before, named(params.timezone) if params.timezone else None)
    if params.date:
        new_day = read_day(params.date)
        day, clock = new_day, None if isinstance(new_day, datetime) else clock
    if params.time:
        clock = read_time(params.time)
    zone = named(params.timezone) if params.timezone else _zone_of(before) or context.timezone
    length = read_length(params.duration) if params.duration else None
    timed = clock is not None or isinstance(day, datetime)
    if length is None and params.end is None and timed is not before.all_day:
        length = before.length
    try:
        return span(day, clock, params.end, length, zone, timedelta(minutes=context.settings.default_minutes))
    except (ValueError, OverflowError) as error:
        raise ActionError(str(error), where="date, time, end, duration") from None


def _wall(before: Span, zone: ZoneInfo | None) -> tuple[date, time | None]:
    """The day and time of day it begins, as a clock on the wall shows them; in its own zone, or in the one given."""
    if not isinstance(before.start, datetime):
        return before.start, None
    start = before.start.astimezone(zone) if zone is not None else before.start
    return start.date(), start.time()


def _zone_of(before: Span) -> tzinfo | None:
    return before.start.tzinfo if isinstance(before.start, datetime) else None


def _is_so(one: Occurrence, changes: Changes, zone: ZoneInfo) -> bool:
    """Whether the entry is as wanted already."""
    now = {"SUMMARY": changes.title, "DESCRIPTION": changes.description, "LOCATION": changes.location}
    if any(new is not None and text_of(one.event, name) != clean(new) for name, new in now.items()):
        return False
    if changes.attendees is not None or changes.reminders is not None:
        return False  # written anew, which is the same the second time
    return changes.span is None or changes.span.instants(zone) == (one.start, one.end)


# --- cancel ------------------------------------------------------------------------------------------------------


async def _cancel(params: CancelCalendarEvent, context: ActionContext) -> dict[str, Any]:
    name = meant(context.settings, params.calendar, to_write=True)
    answer = {"uid": params.uid, "calendar": name, "occurrence": params.occurrence}
    async with opened(context, name) as store:
        try:
            stored, series, one = await _found(store, params, context)
        except _GoneError:
            return {**answer, "title": "", "cancelled": False}
        _refuse_other_version(params, stored)
        gone = True
        if params.occurrence:
            rest: bytes | None = await asyncio.to_thread(
                edit.without_occurrence, stored.data, series.uid, one, context.now, context.timezone
            )
        else:
            rest = await asyncio.to_thread(edit.without, stored.data, series.uid, context.timezone)
        if rest is not None:
            await _replaced(store, stored, rest, params)
        else:
            gone = await _removed(store, stored, params)
    return {**answer, "title": one.title, "cancelled": gone}


async def _preview_cancel(params: CancelCalendarEvent, context: ActionContext) -> str:
    name = meant(context.settings, params.calendar, to_write=True)
    async with opened(context, name) as store:
        try:
            _, series, one = await _found(store, params, context)
        except _GoneError as error:
            return f"{error.message}: there is nothing to cancel."
    title = one.title or "An entry without a title"
    lines = [title, said(occurrence_span(one, context.timezone), context.timezone), ""]
    if series.repeats and not params.occurrence:
        lines.append(f"It repeats, and goes with all its occurrences from the calendar {name}.")
    elif params.occurrence:
        lines.append(f"This occurrence goes from the calendar {name}; the others stay.")
    else:
        lines.append(f"It goes from the calendar {name}.")
    return "\n".join([*lines, *_about_guests(one, context.settings, name)])


def _about_guests(one: Occurrence, settings: CalendarSettings, name: str) -> list[str]:
    guests = addresses_of(one.event)
    return ["", f"Attendees: {', '.join(guests)}. {told_guests(settings, name)}"] if guests else []


# --- the entry that is meant -------------------------------------------------------------------------------------


class _GoneError(ActionError):
    """There is no such entry, or no such occurrence of it."""


async def _found(store: Store, params: WhichEntry, context: ActionContext) -> tuple[Stored, Series, Occurrence]:
    """The object, the series in it, and the occurrence that is meant: of a whole series, what its master says."""
    original = _original(params.occurrence, context.timezone)
    stored = await store.find(params.uid, original)
    if stored is None:
        raise _GoneError(f"the calendar has no entry {params.uid[:100]!r}", where="uid")
    reading = await asyncio.to_thread(read, stored.data, context.timezone, href=stored.href)
    series = reading.series.get(params.uid)
    if series is None:
        raise ActionError("the entry cannot be read, so it cannot be changed", where=params.uid[:100])
    if not original:
        return stored, series, series.as_one(context.timezone)
    about = instant(read_day(original), context.timezone)
    nearby = await asyncio.to_thread(series.occurrences, about - _AROUND, about + _AROUND, context.timezone)
    one = next((occurrence for occurrence in nearby if occurrence.original == original), None)
    if one is None:
        raise _GoneError(f"the series has no occurrence {params.occurrence!r}", where="occurrence")
    return stored, series, one


def _original(text: str | None, zone: ZoneInfo) -> str:
    """``20260216T130000Z`` for any way to write that moment, ``20260216`` for a day; '' for nothing."""
    return occurrence_id(read_day(text), zone) if text else ""


def _refuse_other_version(params: WhichEntry, stored: Stored) -> None:
    if params.etag is not None and params.etag != stored.etag:
        raise ActionError(
            "the entry was changed since this was asked for",
            where="etag",
            hint="look at the entry in the calendar, and run the workflow anew if it is still wanted",
        )


async def _replaced(store: Store, stored: Stored, data: bytes, params: WhichEntry) -> Stored:
    try:
        return await store.replace(stored, data)
    except ChangedMeanwhileError as error:
        raise _changed_meanwhile(error, params) from None


async def _removed(store: Store, stored: Stored, params: WhichEntry) -> bool:
    try:
        return await store.remove(stored)
    except ChangedMeanwhileError as error:
        raise _changed_meanwhile(error, params) from None


def _changed_meanwhile(error: ChangedMeanwhileError, params: WhichEntry) -> ActionError:
    """Somebody was faster. Nothing was done; unless one certain version is meant, the next attempt reads it anew."""
    if params.etag is not None:
        return ActionError(error.message, where="etag", hint="look at the entry in the calendar")
    return RetryableError(error.message, where=error.where)
