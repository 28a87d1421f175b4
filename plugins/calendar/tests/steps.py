"""What tests do with a calendar of any kind, in a Home."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from aie.testing import Home
from aie_calendar.mirror import Mirror, Said
from aie_calendar.opening import look_into, opened
from aie_calendar.series import Occurrence, Series

Homes = Callable[..., Home]  # what makes one

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = dt.datetime(2026, 2, 9, 17, 30, tzinfo=dt.UTC)  # a Home's clock begins here
KEY = "run_1/action_0"  # and this is the key of what is done in it


def create(home: Home, key: str = KEY, **params: Any) -> Any:
    return home.run_action("create_calendar_event", params, idempotency_key=key).result


def update(home: Home, **params: Any) -> Any:
    return home.run_action("update_calendar_event", params).result


def cancel(home: Home, **params: Any) -> Any:
    return home.run_action("cancel_calendar_event", params).result


def put(home: Home, uid: str, *lines: str, title: str = "", folder: str = "Calendar") -> None:
    """Write an entry's file, as another program does. It begins on Monday 16 at 14:00, if the lines do not say when."""
    start = [] if any(line.startswith("DTSTART") for line in lines) else ["DTSTART:20260216T130000Z"]
    named = ["BEGIN:VCALENDAR", "BEGIN:VEVENT", f"UID:{uid}", f"SUMMARY:{title or uid}"]
    text = "\r\n".join([*named, *start, *lines, "END:VEVENT", "END:VCALENDAR", ""])
    (home.vault / folder).mkdir(exist_ok=True)
    (home.vault / folder / f"{uid}.ics").write_text(text, newline="")


def in_store(home: Home, calendar: str, work: Callable[[Any], Any]) -> Any:
    """What the work, given the calendar's store, comes to."""

    async def alone() -> Any:
        async with opened(home.context("calendar"), calendar) as store:
            return await work(store)

    return home.wait_for(alone())


def taking_place(home: Home, *calendars: str, first: dt.datetime = MONDAY, days: int = 60) -> list[Occurrence]:
    """All that is in the calendars then, in order."""
    last = first + dt.timedelta(days=days)
    found, problems = home.wait_for(look_into(home.context("calendar"), calendars, first, last))
    assert problems == {}
    return [one for _, one in found]


def mirrored(
    home: Home,
    calendar: str,
    *steps: Callable[[], object],
    shown: Callable[[Mapping[str, Series]], list[str]] = sorted,
) -> list[list[str]]:
    """What a mirror of the calendar holds, its UIDs: at first, and after each step."""
    context = home.context("calendar")

    async def follow() -> list[list[str]]:
        mirror = Mirror(context, calendar, Said(context.log))
        held = []
        for step in (lambda: None, *steps):
            await asyncio.to_thread(step)
            home.clock.move(minutes=15)
            await mirror.refresh(home.clock.now())
            held.append(shown(mirror.series))
        await mirror.aclose()
        return held

    return home.wait_for(follow())
