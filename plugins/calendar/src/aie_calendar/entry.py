"""Entries as iCalendar: what an action was given, written down."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import icalendar
from icalendar import Alarm, Event, vCalAddress, vRecur

from aie_calendar import content_lines, rules
from aie_calendar.series import moment
from aie_calendar.times import Span

PRODID = "-//aie//aie-calendar//EN"


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be different; None leaves it as it is."""

    title: str | None = None
    span: Span | None = None
    description: str | None = None
    location: str | None = None
    attendees: Sequence[str] | None = None
    reminders: Sequence[int] | None = None  # minutes before
    recurrence: str | None = None
    category: str | None = None

    @property
    def properties(self) -> frozenset[str]:
        """The properties these changes write anew."""
        written = {
            "SUMMARY": self.title,
            "DESCRIPTION": self.description,
            "LOCATION": self.location,
            "ATTENDEE": self.attendees,
            "RRULE": self.recurrence,
            "CATEGORIES": self.category,
        }
        names = {name for name, value in written.items() if value is not None}
        return frozenset(names | ({"DTSTART", "DTEND", "DURATION"} if self.span is not None else set()))


def new_entry(uid: str, changes: Changes, now: datetime) -> bytes:
    """A calendar file with one entry."""
    event = Event()
    event.add("UID", uid)
    event.add("DTSTAMP", now.astimezone(UTC))
    event.add("SEQUENCE", 0)
    write(event, changes)
    zones = [line for lines in zone_blocks(event).values() for line in lines]
    entry = content_lines.unfolded(event.to_ical())[:-1]
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODID}"]
    return content_lines.folded([*head, *zones, *entry, "END:VCALENDAR"])


def checked_rule(text: str) -> str:
    """An RRULE that is expanded, without the name in front; ValueError, as a sentence, for any other."""
    plain = text.strip().upper().removeprefix("RRULE:")
    try:
        rule = vRecur.from_ical(plain)
        why = rules.refusal(rule)
    except Exception:  # whatever the parser raises
        why = "cannot be read"
    if why or "\n" in plain:
        raise ValueError(f"the recurrence {text[:80]!r} {why}; write an RRULE such as 'FREQ=WEEKLY;COUNT=10'")
    return plain


def clean(text: str) -> str:
    """Text without characters that are not for reading; line ends as ``\\n``."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char for char in text if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs"))


def write(event: Event, changes: Changes) -> None:
    """Add the properties and alarms that the changes name."""
    texts = (("SUMMARY", changes.title), ("DESCRIPTION", changes.description), ("LOCATION", changes.location))
    for name, text in texts:
        if text:
            event.add(name, clean(text))
    if changes.span is not None:
        event.add("DTSTART", changes.span.start)
        event.add("DTEND", changes.span.end)
    if changes.category:
        event.add("CATEGORIES", [clean(changes.category)])
    if changes.recurrence:
        event.add("RRULE", vRecur.from_ical(changes.recurrence))
    for address in changes.attendees or ():
        event.add("ATTENDEE", vCalAddress(f"mailto:{address}"))
    for minutes in changes.reminders or ():
        alarm = Alarm()
        alarm.add("ACTION", "DISPLAY")
        alarm.add("DESCRIPTION", clean(changes.title or "Reminder"))
        alarm.add("TRIGGER", timedelta(minutes=-minutes))
        event.add_component(alarm)


def zone_blocks(event: Event) -> dict[str, list[str]]:
    """The definitions of the zones an entry is in, by name, from its year on for some years."""
    calendar = icalendar.Calendar()
    calendar.add_component(event)
    start: date = moment(event, "DTSTART")
    calendar.add_missing_timezones(first_date=date(start.year, 1, 1), last_date=date(start.year + 10, 1, 1))
    zones = [part for part in calendar.subcomponents if part.name == "VTIMEZONE"]
    return {str(zone["TZID"]): content_lines.unfolded(zone.to_ical())[:-1] for zone in zones}
