"""Opening a calendar by its name, and looking into several at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from aie.errors import AieError, ConfigError, ParameterError
from aie.spelling import nearest
from aie_calendar.house import House
from aie_calendar.ics_folder import IcsFolder
from aie_calendar.ics_url import IcsUrl
from aie_calendar.reading import read
from aie_calendar.series import Expansion, Occurrence, Series
from aie_calendar.settings import CalendarSettings, OneCalendar
from aie_calendar.store import Store, Stored

CONNECTION = "calendar"


def secret_key(name: str, what: str) -> str:
    """What a calendar's password or address is called among the credentials."""
    return f"calendars.{name}.{what}"


def open_store(house: House, name: str) -> Store:
    """The calendar's store. :class:`ConfigError` says what is missing."""
    settings: CalendarSettings = house.settings
    calendar = settings.all[name]
    if calendar.provider == "ics":
        return IcsFolder(house.vault, calendar.folder, calendar.max_bytes)
    if calendar.provider == "ics_url":
        address = _secret(house, name, "address") or calendar.url
        if not address:
            raise _not_connected(name, "address")
        return IcsUrl(name, address, calendar.max_bytes)
    if calendar.provider == "caldav":
        password = _secret(house, name, "password")
        if not password:
            raise _not_connected(name, "password")
        return _caldav(name, calendar, password)
    return _google(house, name, calendar)


@contextlib.asynccontextmanager
async def opened(house: House, name: str) -> AsyncIterator[Store]:
    """The store, for a while."""
    store = open_store(house, name)
    try:
        yield store
    finally:
        await store.aclose()


def meant(settings: CalendarSettings, name: str | None, *, to_write: bool = False) -> str:
    """The name of the calendar that is meant; :class:`ParameterError` when there is none like that."""
    chosen = name or settings.usual
    if not chosen:
        raise ParameterError(
            "every calendar here can only be read", where="calendar", hint="set one up that can be written to"
        )
    if chosen not in settings.all:
        near = nearest(chosen, settings.all)
        hint = f"did you mean {near!r}?" if near else "there is " + ", ".join(settings.all)
        raise ParameterError(f"there is no calendar {chosen!r}", where="calendar", hint=hint)
    if to_write and not settings.all[chosen].writable:
        raise ParameterError(
            f"the calendar {chosen!r} can only be read",
            where="calendar",
            hint=f"write to {settings.usual!r}" if settings.usual else "set one up that can be written to",
        )
    return chosen


async def look_into(
    house: House, names: Iterable[str], start: datetime, end: datetime
) -> tuple[list[tuple[str, Occurrence]], dict[str, str]]:
    """What takes place between two times, in order, with its calendar; and by calendar why it could not be read."""

    async def one(name: str) -> tuple[list[tuple[str, Occurrence]], str]:
        try:
            async with opened(house, name) as store:
                objects = await store.window(start, end)
            found = await asyncio.to_thread(_expanded, house, name, objects, start, end)
        except AieError as error:
            return [], error.message
        return [(name, occurrence) for occurrence in found], ""

    chosen = list(names)
    answers = await asyncio.gather(*(one(name) for name in chosen))
    found = sorted((pair for pairs, _ in answers for pair in pairs), key=lambda pair: (pair[1].start, pair[1].uid))
    return found, {name: problem for name, (_, problem) in zip(chosen, answers, strict=True) if problem}


def _expanded(house: House, name: str, objects: Iterable[Stored], start: datetime, end: datetime) -> list[Occurrence]:
    limit = house.settings.all[name].max_events
    series: dict[str, Series] = {}
    for stored in objects:
        for uid, one in read(stored.data, house.timezone, href=stored.href, max_events=limit).series.items():
            series.setdefault(uid, one)
    return Expansion(house.timezone).between(series.values(), start, end)[0]


def _secret(house: House, name: str, what: str) -> str | None:
    return house.credentials.of(CONNECTION).get(secret_key(name, what))


def _not_connected(name: str, what: str) -> ConfigError:
    variable = f"AIE_CALENDAR__CALENDARS__{name.upper()}__{what.upper()}"
    return ConfigError(
        f"the {what} of the calendar {name!r} is not known",
        where=f"[plugins.calendar.calendars.{name}]",
        hint=f"aie connect {CONNECTION} --set name={name}, or set {variable}",
    )


def _caldav(name: str, calendar: OneCalendar, password: str) -> Store:
    try:
        from aie_calendar.caldav_store import CaldavStore  # noqa: PLC0415 - an extra of this package
    except ImportError as error:
        raise _extra("caldav", error) from None
    return CaldavStore(name, calendar, password)


def _google(house: House, name: str, calendar: OneCalendar) -> Store:
    try:
        from aie_calendar.google_store import open_google  # noqa: PLC0415 - an extra of this package
    except ImportError as error:
        raise _extra("google", error) from None
    return open_google(house, name, calendar)


def _extra(name: str, error: ImportError) -> ConfigError:
    return ConfigError(
        f"{name} calendars need {error.name or 'a package'}, which is not installed",
        where=f'provider = "{name}"',
        hint=f"pip install 'aie-calendar[{name}]'",
    )
