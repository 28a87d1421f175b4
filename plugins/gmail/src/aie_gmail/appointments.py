"""Appointments in the text of a mail: the dates and times in it, put together."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from aie_gmail.dates import Day, days
from aie_gmail.times import Time, times

MAX_TEXT = 20_000
NEAR = 60  # characters between a date and its time at most
_SENTENCE_END = re.compile(r"[.!?](?=\s+[A-ZÄÖÜÉÀ¿¡])|\n\s*\n")


@dataclass(frozen=True, slots=True)
class Appointment:
    """When something may be meant to happen, in the vault's time zone, and the words that say so."""

    date: dt.date
    start: dt.time | None  # None: the whole day, or not said
    end: dt.time | None
    phrase: str
    ambiguous: bool  # the words can mean something else as well

    def plain(self) -> dict[str, Any]:
        return {
            "date": self.date.isoformat(),
            "time": f"{self.start:%H:%M}" if self.start else None,
            "end": f"{self.end:%H:%M}" if self.end else None,
            "phrase": self.phrase,
            "ambiguous": self.ambiguous,
        }


def appointments(text: str, said: dt.datetime, timezone: ZoneInfo, *, day_first: bool = True) -> list[Appointment]:
    """All that were found, the likeliest first: those with date and time, then dates, then times alone.

    ``said`` is the mail's own date, with its sender's offset: what ``tomorrow`` counts from. A time keeps the hour that
    was written unless the text names its zone; then it is told in ``timezone``.
    """
    text = re.sub(r"[ \t\xa0\u202f\u2009]+", " ", text[:MAX_TEXT])
    found_days, found_times = days(text, said, day_first=day_first), times(text)
    pairs: list[tuple[Day, Time | None]] = []
    used: set[int] = set()
    for day in found_days:
        time = None if day.moment else _nearest(day, found_times, found_days, used, text)
        if time is not None:
            used.add(time.first)
        if day.news and (time is not None or day.moment or day.alone):
            pairs.append((day, time))
    alone = [time for time in found_times if time.first not in used and time.sure]
    if len(alone) == 1 and len(pairs) == 1 and pairs[0] == (pairs[0][0], None) and pairs[0][0].moment is None:
        pairs = [(pairs[0][0], alone[0])]  # "Meeting tomorrow" in the subject, "see you at 2pm" in the text
    made = [one for day, time in pairs for one in _made(day, time, text, timezone)]
    if not made:
        made = [_of_time(time, said, text, timezone) for time in alone]
    made.sort(key=lambda one: one.start is None)
    return list(dict.fromkeys(made))[:20]


def _nearest(day: Day, found: list[Time], others: list[Day], used: set[int], text: str) -> Time | None:
    """The time that belongs to a date: the nearest in its sentence with no other date in between."""

    def distance(time: Time) -> int:
        return time.first - day.last if time.first >= day.last else day.first - time.last

    def between(time: Time) -> tuple[int, int]:
        return (day.last, time.first) if time.first >= day.last else (time.last, day.first)

    close = []
    for time in found:
        first, last = between(time)
        if (
            time.first in used
            or last < first
            or last - first > NEAR
            or _SENTENCE_END.search(text, max(0, first - 1), last + 3)
        ):
            continue
        if not any(other is not day and first <= other.first and other.last <= last for other in others):
            close.append(time)
    return min(
        close, key=lambda time: (distance(time) + (0 if time.first >= day.last else 5), time.first), default=None
    )


def _made(day: Day, time: Time | None, text: str, timezone: ZoneInfo) -> list[Appointment]:
    """What a date and its time come to; two of them where the date may mean either."""
    if day.moment is not None:
        local = day.moment.astimezone(timezone) if day.moment.tzinfo else day.moment
        return [Appointment(local.date(), local.time(), None, _phrase(day, None, text), ambiguous=False)]
    dates = [day.date, *([day.other] if day.other else [])]
    ambiguous = len(dates) > 1 or (time is not None and time.ambiguous)
    made = []
    if time is not None and day.evening and time.ambiguous and time.start.hour < 12:
        time = replace(time, start=time.start.replace(hour=time.start.hour + 12))
    for date in dates:
        first, start, end = _zoned(date, time, timezone) if time else (date, None, None)
        made.append(Appointment(first, start, end, _phrase(day, time, text), ambiguous))
    return made


def _of_time(time: Time, said: dt.datetime, text: str, timezone: ZoneInfo) -> Appointment:
    """A time without a date is today's, or tomorrow's when it has passed."""
    passed = time.zone is None and time.start <= said.time()
    when = _zoned(said.date() + dt.timedelta(days=int(passed)), time, timezone)
    return Appointment(*when, _cut(text, time.first, time.last), ambiguous=True)


def _zoned(date: dt.date, time: Time, timezone: ZoneInfo) -> tuple[dt.date, dt.time, dt.time | None]:
    if time.zone is None:
        return date, time.start, time.end
    start = dt.datetime.combine(date, time.start, time.zone).astimezone(timezone)
    end = dt.datetime.combine(date, time.end, time.zone).astimezone(timezone).time() if time.end else None
    return start.date(), start.time(), end


def _phrase(day: Day, time: Time | None, text: str) -> str:
    first = min(day.first, time.first) if time else day.first
    last = max(day.last, time.last) if time else day.last
    if time is not None and last - first > 2 * NEAR:
        return f"{_cut(text, day.first, day.last)} … {_cut(text, time.first, time.last)}"
    return _cut(text, first, last)


def _cut(text: str, first: int, last: int) -> str:
    return " ".join(text[first:last].split())[:200]
