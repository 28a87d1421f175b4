"""When an entry is due: pure, from occurrences, settings and a time to what has to be emitted.

Nothing is remembered about single entries: what is due is found anew at every look, and the id of an event says which
occurrence and lead time it is for, so that the journal knows it was there already.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from aie_calendar.series import Occurrence, moment
from aie_calendar.settings import OneCalendar
from aie_calendar.wording import categories_of

ON_TIME = timedelta(seconds=90)
MAX_ALARMS = 10  # of one entry
MAX_LEAD = timedelta(weeks=4)


@dataclass(frozen=True, slots=True)
class Due:
    """One occurrence at one of its times. ``at`` is when the event should come, ``anchor`` what it is about."""

    occurrence: Occurrence
    phase: str  # before, start, end
    lead: timedelta
    anchor: datetime
    at: datetime

    def event_id(self, calendar: str) -> str:
        """The same for ever for this occurrence at this time; another once it was moved."""
        one = self.occurrence
        what = [one.uid, one.original, self.anchor.isoformat(), self.phase == "end", self.lead.total_seconds()]
        return f"{calendar}:{hashlib.sha256(json.dumps(what).encode()).hexdigest()[:40]}"


def dues(occurrence: Occurrence, calendar: OneCalendar) -> Iterator[Due]:
    """All the times of an occurrence."""
    for lead in sorted(leads(occurrence, calendar), reverse=True):
        phase = "before" if lead else "start"
        yield Due(occurrence, phase, lead, occurrence.start, occurrence.start - lead)
    if calendar.at_end:
        yield Due(occurrence, "end", timedelta(), occurrence.end, occurrence.end)


def leads(occurrence: Occurrence, calendar: OneCalendar) -> set[timedelta]:
    """How long before its start."""
    own = [calendar.categories[name] for name in categories_of(occurrence.event) if name in calendar.categories]
    minutes = {number for numbers in own for number in numbers} if own else set(calendar.minutes_before)
    found = {timedelta(minutes=number) for number in minutes}
    return found | set(_alarms(occurrence)) if calendar.from_alarms else found


def furthest(calendar: OneCalendar) -> timedelta:
    """How long before a start anything can be due."""
    if calendar.from_alarms:
        return MAX_LEAD
    numbers = [*calendar.minutes_before, *(number for own in calendar.categories.values() for number in own)]
    return timedelta(minutes=max(numbers, default=0))


def ready(
    found: Iterable[Due], since: datetime, before: datetime, now: datetime, grace: timedelta
) -> tuple[list[Due], list[Due]]:
    """What is to be emitted at ``now``, and what was missed since the look at ``before``.

    ``since``: what was due by then was due before this calendar was watched at all.
    """
    to_emit, missed = [], []
    for due in found:
        if not since < due.at <= now:
            continue
        if now <= due.anchor + grace or (due.at > before and now - due.at <= ON_TIME):
            to_emit.append(due)
        elif due.at > before:
            missed.append(due)
    return to_emit, missed


def _alarms(occurrence: Occurrence) -> Iterator[timedelta]:
    """The reminders of the entry itself, as lengths of time before its start; those after it do not count."""
    for alarm in occurrence.event.walk("VALARM")[:MAX_ALARMS]:
        trigger = moment(alarm, "TRIGGER")
        if isinstance(trigger, datetime) and trigger.tzinfo is not None and not occurrence.original:
            lead = occurrence.start - trigger
        elif isinstance(trigger, timedelta):
            at_end = "END" in str(getattr(alarm.get("TRIGGER"), "params", {}).get("RELATED", "")).upper()
            lead = -trigger - (occurrence.end - occurrence.start if at_end else timedelta())
        else:
            continue
        if timedelta() <= lead <= MAX_LEAD:
            yield lead
