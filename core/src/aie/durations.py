"""Lengths of time and points in time as people write them in a workflow."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

MAX_WAIT_S = 366 * 86_400
LEAST_EXPECTED_S = 60
_UNITS = {
    1.0: ("s", "sec", "secs", "second", "seconds"),
    60.0: ("m", "min", "mins", "minute", "minutes"),
    3600.0: ("h", "hr", "hrs", "hour", "hours"),
    86_400.0: ("d", "day", "days"),
    604_800.0: ("w", "week", "weeks"),
}
_SECONDS = {word: seconds for seconds, words in _UNITS.items() for word in words}
_PART = re.compile(r"\s*(?:and\s+|,\s*)?([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([a-z]+)", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?", re.ASCII)
_CLOCK_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


def seconds_in(text: str) -> float:
    """``90s``, ``5m``, ``2h``, ``1 day``, ``1 hour 30 minutes``; a bare number is seconds.

    Raises ValueError, as a sentence.
    """
    plain = text.strip().lower()
    if _NUMBER.fullmatch(plain):
        return float(plain)
    total, place = 0.0, 0
    while place < len(plain):
        part = _PART.match(plain, place)
        if part is None or part[2] not in _SECONDS:
            raise ValueError(
                f"{text[:80]!r} is not a length of time; write seconds, or such as '90s', '5m', '2h', '1 day'"
            )
        total += float(part[1]) * _SECONDS[part[2]]
        place = part.end()
    if not plain:
        raise ValueError("a length of time is missing; write seconds, or such as '90s', '5m', '2h', '1 day'")
    return total


def expected_s(text: str) -> float:
    """The seconds of ``every 1d``. Raises ValueError, as a sentence."""
    word, _, length = text.strip().partition(" ")
    if word.lower() != "every" or not length:
        raise ValueError(f"{text[:80]!r} is not how often it has to run; write such as 'every 1d' or 'every 2 hours'")
    seconds = seconds_in(length)
    if not LEAST_EXPECTED_S <= seconds <= MAX_WAIT_S:
        raise ValueError(f"{text[:80]!r} is not within a minute and {MAX_WAIT_S // 86_400} days")
    return seconds


def instant_of(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The time meant, aware, UTC: ISO 8601 (``zone`` when it has none), or ``HH:MM`` for the next time it is that late.

    Raises ValueError, as a sentence.
    """
    plain = text.strip()
    if found := _CLOCK_TIME.fullmatch(plain):
        today = now.astimezone(zone).date()
        for day in (today, today + timedelta(days=1)):
            moment = datetime.combine(day, time(int(found[1]), int(found[2])), zone).astimezone(UTC)
            if moment > now:
                return moment
    try:
        moment = datetime.fromisoformat(plain)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text[:80]!r} is not a point in time; write such as '08:00', '2026-02-09T18:30' or "
            "'2026-02-09T18:30:00+01:00'"
        ) from None
