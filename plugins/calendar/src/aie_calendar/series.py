"""A series: all that a calendar says under one UID, and when it takes place."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events
from icalendar import Component

from aie_calendar import rules
from aie_calendar.times import instant

MAX_OCCURRENCES = 10_000  # of one series in one look
SLOW_S = 1.0


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that something takes place. ``start`` and ``end`` are UTC; ``own_start`` is as the calendar has it."""

    uid: str
    href: str
    start: datetime
    end: datetime
    own_start: datetime | date
    original: str  # which one of its series: the start it had before it was moved, UTC or a date
    event: Component

    @property
    def all_day(self) -> bool:
        return not isinstance(self.own_start, datetime)

    @property
    def title(self) -> str:
        return text_of(self.event, "SUMMARY")

    @property
    def busy(self) -> bool:
        """Whether it takes up time: not when it is marked as free, as birthdays are."""
        return text_of(self.event, "TRANSP").upper() != "TRANSPARENT"


@dataclass(frozen=True, slots=True)
class Series:
    """What one calendar has under one UID. Without a master there are only single occurrences of somebody's series."""

    uid: str
    href: str
    master: Component | None
    overrides: tuple[Component, ...]
    fingerprint: str  # of everything but bookkeeping such as DTSTAMP

    @property
    def face(self) -> Component:
        """The entry that speaks for the series."""
        return self.master if self.master is not None else self.overrides[0]

    @property
    def repeats(self) -> bool:
        return self.master is not None and ("RRULE" in self.master or "RDATE" in self.master)

    @property
    def cancelled(self) -> bool:
        return self.master is not None and text_of(self.master, "STATUS").upper() == "CANCELLED"

    def as_one(self, zone: ZoneInfo) -> Occurrence:
        """The series as its master has it: its first time."""
        return _occurrence(self, self.face, zone)

    def occurrences(self, start: datetime, end: datetime, zone: ZoneInfo) -> list[Occurrence]:
        """Those that touch the time from ``start`` to ``end`` (aware), in order, without cancelled ones.

        ``zone`` is the one of days and of times without a zone. Raises ValueError, as a sentence, for a repetition
        that is not expanded.
        """
        if self.cancelled:
            return []
        events: Iterable[Component] = self.overrides
        if self.master is not None and not self.repeats and not self.overrides:
            events = (self.master,)
        elif self.master is not None:
            events = self._expanded(self.master, start, end, zone)
        found = [_occurrence(self, event, zone) for event in events if _takes_place(event)]
        return sorted(
            (one for one in found if one.start < end and (one.end > start or one.start == one.end >= start)),
            key=lambda one: one.start,
        )

    def _expanded(self, master: Component, start: datetime, end: datetime, zone: ZoneInfo) -> Sequence[Component]:
        rule = master.get("RRULE")
        if rule is not None and rules.too_many_steps(rule, instant(moment(master, "DTSTART"), zone), end):
            raise ValueError("repeats too often, since too long ago")
        calendar = icalendar.Calendar()
        for event in (master, *self.overrides):
            calendar.add_component(event)
        around = timedelta(days=2)  # times without a zone are compared with the zone of the question
        query = recurring_ical_events.of(calendar, components=("VEVENT",))
        events: list[Component] = query.between(start - around, end + around)[:MAX_OCCURRENCES]
        return events


@dataclass(slots=True)
class Expansion:
    """Expands many series within a limit of time: the cheap ones first, and those that proved slow not again."""

    zone: ZoneInfo
    slow: set[str] = field(default_factory=set)  # fingerprints

    def between(
        self, many: Iterable[Series], start: datetime, end: datetime, *, within_s: float = 5.0
    ) -> tuple[list[Occurrence], dict[str, str]]:
        """What takes place, in order, and by UID why a series could not be looked at."""
        began = time.monotonic()
        found: list[Occurrence] = []
        problems: dict[str, str] = {}
        for series in sorted(many, key=lambda series: series.repeats):
            if series.fingerprint in self.slow:
                problems[series.uid] = "takes too long to look at, and is left out"
                continue
            one = time.monotonic()
            if series.repeats and one - began > within_s:
                problems[series.uid] = "was not reached: the calendar has too much that is slow to look at"
                continue
            try:
                found += series.occurrences(start, end, self.zone)
            except Exception as error:  # the parser may trip over anything that came from outside
                problems[series.uid] = str(error)[:200] or type(error).__name__
            if time.monotonic() - one > SLOW_S:
                self.slow.add(series.fingerprint)
        found.sort(key=lambda one: (one.start, one.uid))
        return found, problems


def moment(event: Component, name: str) -> Any:
    """The date or time of a property; None when it is not there or cannot be read."""
    value = event.get(name)
    if isinstance(value, list):
        value = value[0] if value else None
    try:
        return value.dt if value is not None else None
    except (AttributeError, ValueError):
        return None


def text_of(event: Component, name: str) -> str:
    """A property as text; the first, if there are several."""
    value = event.get(name, "")
    if isinstance(value, list):
        value = value[0] if value else ""
    return str(value)


def ends(event: Component) -> datetime | date:
    """When an entry ends: by its end, its length, or the rule for those that have neither (RFC 5545, 3.6.1)."""
    start: datetime | date = moment(event, "DTSTART")
    end: datetime | date | None = moment(event, "DTEND")
    if end is not None and isinstance(end, datetime) == isinstance(start, datetime):
        return end
    length = moment(event, "DURATION")
    if isinstance(length, timedelta):
        return start + length
    return start if isinstance(start, datetime) else start + timedelta(days=1)


def occurrence_id(start: datetime | date, zone: ZoneInfo) -> str:
    """The name of one occurrence within its series: its original start, UTC, or its date."""
    if isinstance(start, datetime):
        return instant(start, zone).strftime("%Y%m%dT%H%M%SZ")
    return start.strftime("%Y%m%d")


def _takes_place(event: Component) -> bool:
    return text_of(event, "STATUS").upper() != "CANCELLED"


def _occurrence(series: Series, event: Component, zone: ZoneInfo) -> Occurrence:
    own_start = moment(event, "DTSTART")
    start = instant(own_start, zone)
    original = moment(event, "RECURRENCE-ID")
    name = occurrence_id(original if original is not None else own_start, zone)
    end = max(start, instant(ends(event), zone))
    return Occurrence(
        series.uid, series.href, start, end, own_start, name if series.repeats or original is not None else "", event
    )
