"""Google's events and iCalendar, made into each other.

The field names are those of the Calendar API v3; its events of one series (a master and its exceptions) are one object
here, whose UID is the master's id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Alarm, Component, Event, vCalAddress

from aie_calendar import content_lines
from aie_calendar.entry import PRODID, clean
from aie_calendar.series import ends, moment, text_of
from aie_calendar.wording import addresses_of, categories_of
from aie_calendar.zones import iana_name

Json = Mapping[str, Any]
CATEGORY = "aie_category"  # a private property: Google's entries have no categories
NO_APPOINTMENTS = frozenset({"workingLocation", "birthday", "fromGmail", "focusTime", "outOfOffice"})
_RECURRENCE = re.compile(r"(RRULE|EXDATE|RDATE|EXRULE)[;:][^\r\n]+")


def object_of(uid: str, events: Iterable[Json]) -> bytes:
    """The iCalendar object of a series: its master, if it is among the events, and its exceptions."""
    blocks = [line for event in events for line in _block(uid, event)]
    return content_lines.folded(["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODID}", *blocks, "END:VCALENDAR"])


def body_of(block: Iterable[str], event: Component, zone: ZoneInfo) -> dict[str, Any]:
    """What the API is sent for an entry. ``zone`` is the one of times without a zone."""
    body: dict[str, Any] = {
        "summary": text_of(event, "SUMMARY"),
        "description": text_of(event, "DESCRIPTION"),
        "location": text_of(event, "LOCATION"),
        "start": _when_of(moment(event, "DTSTART"), zone),
        "end": _when_of(ends(event), zone),
        "attendees": [{"email": address} for address in addresses_of(event)],
        "reminders": _reminders_of(event),
        "recurrence": [line for line in block if content_lines.name_of(line) in ("RRULE", "EXDATE", "RDATE")],
    }
    if categories := categories_of(event):
        body["extendedProperties"] = {"private": {CATEGORY: categories[0]}}
    return body


def _block(uid: str, event: Json) -> list[str]:
    """The lines of one event; none for what cannot be an entry."""
    start = _moment(event.get("start") or event.get("originalStartTime"))
    if start is None:
        return []
    made = Event()
    made.add("UID", uid)
    made.add("DTSTART", start)
    end = _moment(event.get("end"))
    if end is not None:
        made.add("DTEND", end)
    if (original := _moment(event.get("originalStartTime"))) is not None:
        made.add("RECURRENCE-ID", original)
    for name, key in (("SUMMARY", "summary"), ("DESCRIPTION", "description"), ("LOCATION", "location")):
        if text := clean(str(event.get(key) or "")):
            made.add(name, text)
    made.add("STATUS", str(event.get("status") or "confirmed").upper())
    if event.get("transparency") == "transparent":
        made.add("TRANSP", "TRANSPARENT")
    _add_people(made, event)
    category = ((event.get("extendedProperties") or {}).get("private") or {}).get(CATEGORY)
    if category:
        made.add("CATEGORIES", [clean(str(category))])
    for reminder in (event.get("reminders") or {}).get("overrides") or ():
        alarm = Alarm()
        alarm.add("ACTION", "DISPLAY")
        alarm.add("DESCRIPTION", "Reminder")
        alarm.add("TRIGGER", timedelta(minutes=-int(reminder.get("minutes", 0))))
        made.add_component(alarm)
    lines = content_lines.unfolded(made.to_ical())[:-1]
    rules = [line for line in event.get("recurrence") or () if _RECURRENCE.fullmatch(str(line))]
    return [lines[0], *rules, *lines[1:]]


def _add_people(made: Event, event: Json) -> None:
    for person in event.get("attendees") or ():
        if email := str(person.get("email") or ""):
            made.add("ATTENDEE", vCalAddress(f"mailto:{email}"))
    if email := str((event.get("organizer") or {}).get("email") or ""):
        made.add("ORGANIZER", vCalAddress(f"mailto:{email}"))


def _moment(when: Json | None) -> datetime | date | None:
    """A start or end: ``{"date": …}``, or ``{"dateTime": …, "timeZone": …}``."""
    try:
        if when and when.get("date"):
            return date.fromisoformat(str(when["date"]))
        if when and when.get("dateTime"):
            found = datetime.fromisoformat(str(when["dateTime"]))
            name = iana_name(str(when.get("timeZone") or ""))
            return found.astimezone(ZoneInfo(name) if name else UTC)
    except ValueError:
        return None
    return None


def _when_of(when: Any, zone: ZoneInfo) -> dict[str, str]:
    if not isinstance(when, datetime):
        return {"date": when.isoformat()}
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone)
    return {"dateTime": when.isoformat(), "timeZone": getattr(when.tzinfo, "key", "UTC")}


def _reminders_of(event: Component) -> dict[str, Any]:
    triggers = [moment(alarm, "TRIGGER") for alarm in event.walk("VALARM")]
    minutes = [int(-one.total_seconds() // 60) for one in triggers if isinstance(one, timedelta) and one <= timedelta()]
    if not minutes:
        return {"useDefault": True}
    return {"useDefault": False, "overrides": [{"method": "popup", "minutes": number} for number in minutes[:5]]}
