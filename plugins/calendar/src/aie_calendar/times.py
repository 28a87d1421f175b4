"""Dates, times of day and lengths of time as people and the mail plugin write them.

Everything here raises ValueError as a sentence with an example when it cannot read something; nothing is guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

MAX_LENGTH = timedelta(days=366)
_TIME_24 = re.compile(r"([01]?[0-9]|2[0-3])(?:[:.h]([0-5][0-9])(?::([0-5][0-9]))?|h)", re.ASCII)
_TIME_12 = re.compile(r"(1[0-2]|0?[1-9])(?:[:.]([0-5][0-9]))? ?([ap])\.?m\.?", re.ASCII)
_UNITS = {
    "weeks": ("w", "week", "weeks"),
    "days": ("d", "day", "days"),
    "hours": ("h", "hr", "hrs", "hour", "hours"),
    "minutes": ("m", "min", "mins", "minute", "minutes"),
    "seconds": ("s", "sec", "secs", "second", "seconds"),
}
_UNIT = {word: unit for unit, words in _UNITS.items() for word in words}
_PART = re.compile(r"\s*(?:and\s+|,\s*)?([0-9]{1,6}(?:\.[0-9]{1,3})?)\s*([a-z]+)", re.ASCII)
_ISO_LENGTH = re.compile(
    r"p(?:(?P<weeks>[0-9]{1,4})w)?(?:(?P<days>[0-9]{1,4})d)?"
    r"(?:t(?:(?P<hours>[0-9]{1,5})h)?(?:(?P<minutes>[0-9]{1,6})m)?(?:(?P<seconds>[0-9]{1,6})s)?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when: both aware times, or both dates, the last of which is no part of it any more."""

    start: datetime | date
    end: datetime | date

    @property
    def all_day(self) -> bool:
        return not isinstance(self.start, datetime)

    @property
    def length(self) -> timedelta:
        """How long it takes; real time, also across a change of the clocks."""
        if isinstance(self.start, datetime) and isinstance(self.end, datetime):
            return self.end.astimezone(UTC) - self.start.astimezone(UTC)
        return timedelta(days=self.end.toordinal() - self.start.toordinal())

    def instants(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Start and end in UTC; days begin at midnight in ``zone``."""
        return instant(self.start, zone), instant(self.end, zone)


def instant(moment: datetime | date, zone: ZoneInfo) -> datetime:
    """The moment in UTC. What has no zone of its own, whole days included, is in ``zone``."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def read_day(text: str) -> date | datetime:
    """A date, or a whole ISO 8601 stamp: ``2026-02-16``, ``2026-02-16T14:00``, ``2026-02-16T14:00:00+01:00``."""
    plain = text.strip()
    try:
        return date.fromisoformat(plain)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(plain)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text[:80]!r} is not a date; write year-month-day such as '2026-02-16', "
            "or with the time: '2026-02-16T14:00'"
        ) from None


def read_time(text: str) -> time:
    """A time of day: ``14:00``, ``14:00:30``, ``14.30``, ``14h``, ``2 pm``, ``2:30pm``."""
    plain = text.strip().lower()
    if found := _TIME_24.fullmatch(plain):
        return time(int(found[1]), int(found[2] or 0), int(found[3] or 0))
    if found := _TIME_12.fullmatch(plain):
        return time(int(found[1]) % 12 + (12 if found[3] == "p" else 0), int(found[2] or 0))
    raise ValueError(f"{text[:80]!r} is not a time of day; write it such as '14:00' or '2:30 pm'")


def read_length(text: str) -> timedelta:
    """A length of time: ``1 hour``, ``90m``, ``1h 30m``, ``1.5 hours``, ``PT1H30M``, ``2 days``."""
    plain = text.strip().lower()
    length = _iso_length(plain) or _worded_length(plain)
    if length is None:
        unit = " (of what?)" if re.fullmatch(r"[0-9.]+", plain) else ""
        raise ValueError(f"{text[:80]!r} is not a length of time{unit}; write it such as '1 hour', '90m' or 'PT1H30M'")
    if not timedelta() < length <= MAX_LENGTH:
        raise ValueError(f"{text[:80]!r} is not a length for an appointment; it is more than 0 and at most a year")
    return length


def _iso_length(plain: str) -> timedelta | None:
    found = _ISO_LENGTH.fullmatch(plain)
    if found is None or plain in ("p", "pt") or plain.endswith("t"):
        return None
    return timedelta(**{unit: int(number) for unit, number in found.groupdict().items() if number})


def _worded_length(plain: str) -> timedelta | None:
    total, place = timedelta(), 0
    while place < len(plain):
        part = _PART.match(plain, place)
        if part is None or part[2] not in _UNIT:
            return None
        total += timedelta(**{_UNIT[part[2]]: float(part[1])})
        place = part.end()
    return total if plain else None


def span(
    day: date | datetime,
    time_of_day: time | None,
    end: str | None,
    length: timedelta | None,
    zone: tzinfo,
    usual: timedelta,
) -> Span:
    """What the words for day, time, end and length come to. Without any time it is a whole day.

    ``zone`` is the one of times that name none; ``usual`` is the length when nothing says it.
    """
    if isinstance(day, datetime) and time_of_day is not None:
        raise ValueError(f"the date {day.isoformat()!r} has a time of its own; leave time out, or the one in date")
    if not isinstance(day, datetime) and time_of_day is None:
        return _days(day, end, length)
    start = day if isinstance(day, datetime) else datetime.combine(day, time_of_day or time())
    if start.tzinfo is None:
        start = start.replace(tzinfo=zone)
    if end is not None and length is not None:
        raise ValueError("end and duration are both given; leave one out")
    if end is None:
        finish = (start.astimezone(UTC) + (usual if length is None else length)).astimezone(start.tzinfo)
    else:
        finish = _end(end, start)
    if finish.astimezone(UTC) <= start.astimezone(UTC):
        raise ValueError(f"it would end ({end!r}) before it begins ({start:%Y-%m-%d %H:%M})")
    return Span(start, finish)


def _days(day: date, end: str | None, length: timedelta | None) -> Span:
    if end is not None:
        last = read_day(end)
        if isinstance(last, datetime):
            raise ValueError(f"end is a time ({end!r}) and there is no time to begin at; give both or neither")
        if last < day:
            raise ValueError(f"it would end ({last}) before it begins ({day})")
        return Span(day, last + timedelta(days=1))
    if length is not None and length >= timedelta(days=1):
        return Span(day, day + timedelta(days=length.days))
    return Span(day, day + timedelta(days=1))


def _end(text: str, start: datetime) -> datetime:
    """A time of day on or after the start, or a whole stamp."""
    try:
        clock = read_time(text)
    except ValueError:
        moment = read_day(text)
        if not isinstance(moment, datetime):
            raise ValueError(f"end is a day ({text!r}) and the start has a time; write '15:00' or a stamp") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=start.tzinfo)
    return datetime.combine(start.date(), clock, start.tzinfo)
