"""Cron lines and time zones: what is wrong with one, and when it is due.

The rules are those of Debian's cron, as cronsim has them: a time that clocks going forward leave out comes as soon as
the gap is over, a time that clocks going back bring twice comes once, and lines that say every hour or every few
minutes keep to real time.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

ALIASES = MappingProxyType(
    {
        "@hourly": "0 * * * *",
        "@daily": "0 0 * * *",
        "@weekly": "0 0 * * 0",
        "@monthly": "0 0 1 * *",
        "@yearly": "0 0 1 1 *",
    }
)
MAX_LENGTH = 200
_FIELDS = (
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31, or L for the last"),
    ("month", "1 to 12, or JAN to DEC"),
    ("weekday", "0 to 7, or SUN to SAT; 0 and 7 are Sunday"),
)
_LEAP_YEAR = datetime(2024, 1, 1, tzinfo=UTC)


def cron_problem(text: str) -> str:
    """What is wrong with a cron line and what would be right, as a sentence; '' when it is fine."""
    if len(text) > MAX_LENGTH:
        return f"a cron line has up to {MAX_LENGTH} characters, found {len(text)}"
    if text.strip().startswith("@"):
        return "" if _expanded(text).strip()[:1] != "@" else _alias_problem(text.strip())
    fields = text.split()
    if len(fields) == 6:
        return (
            f"the cron line {text!r} has 6 fields, and schedules have no seconds: write 5 fields, minute hour day "
            f"month weekday, for example {' '.join(fields[1:])!r} if the first of the six is the seconds"
        )
    if len(fields) != 5:
        return (
            f"the cron line {text!r} has {len(fields)} {'field' if len(fields) == 1 else 'fields'}: write 5 fields, "
            "minute hour day month weekday, for example '0 8 * * 1-5' for 08:00 from Monday to Friday"
        )
    return _field_problem(text, fields)


def _field_problem(text: str, fields: list[str]) -> str:
    for number, (name, range_text) in enumerate(_FIELDS):
        alone = ["*"] * 5
        alone[number] = fields[number]
        if not _comes(" ".join(alone)):
            return f"the {name} {fields[number]!r} of the cron line {text!r} is not right: it is {range_text}"
    if not _comes(text):
        return f"the cron line {text!r} never comes: no month it names has such a day"
    return ""


def zone_problem(name: str) -> str:
    """What is wrong with a time zone's name, with the nearest right one, as a sentence; '' when it is fine."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # KeyError: no such zone; OSError: the name of a folder of zones
        near = _nearest_zone(name)
        hint = f"did you mean {near!r}?" if near else "write a name of the IANA list, such as 'Europe/Berlin'"
        return f"{name!r} is not a time zone; {hint}"
    return ""


def due_times(line: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """The instants later than ``after`` at which the line is due, ascending, in UTC."""
    latest = after.astimezone(UTC)
    for local in CronSim(_expanded(line), after.astimezone(zone)):
        due = local.astimezone(UTC)
        # Several times within a gap come at one instant, its end; and to a start within an hour that comes twice, the
        # times of its first coming are past.
        if due > latest:
            latest = due
            yield due


def _expanded(text: str) -> str:
    return ALIASES.get(text.strip().lower(), text)


def _alias_problem(text: str) -> str:
    near = difflib.get_close_matches(text.lower(), ALIASES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the short forms are {', '.join(ALIASES)}"
    return f"{text!r} is not a short form of a cron line; {hint}"


@lru_cache(maxsize=512)
def _comes(line: str) -> bool:
    try:
        return next(CronSim(line, _LEAP_YEAR), None) is not None
    except (CronSimError, ValueError, AssertionError, OverflowError, RecursionError):
        return False


def _nearest_zone(name: str) -> str:
    zones = sorted(available_timezones())
    wanted = re.sub(r"[\s_]+", "_", name.strip()).lower()
    by_ending = {zone.rsplit("/", 1)[-1].lower(): zone for zone in reversed(zones) if "/" in zone}
    by_name = {zone.lower(): zone for zone in zones}
    if wanted in by_name or wanted in by_ending:
        return by_name.get(wanted) or by_ending[wanted]
    near = difflib.get_close_matches(wanted, by_name, n=1, cutoff=0.7)
    if near:
        return by_name[near[0]]
    near = difflib.get_close_matches(wanted, by_ending, n=1, cutoff=0.7)
    return by_ending[near[0]] if near else ""
