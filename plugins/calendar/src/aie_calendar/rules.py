"""Which repetitions are expanded at all: those whose cost has a limit.

The expansion walks a rule step by step from its first day on, and a rule that never comes true it walks to the year
9999. Calendars come from outside, so what could take for ever is refused by its looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

MAX_STEPS = 60_000  # 160 years of days, 6 of hours
MAX_PER_DAY = 24
_PERIOD = {
    "YEARLY": timedelta(days=365),
    "MONTHLY": timedelta(days=28),
    "WEEKLY": timedelta(days=7),
    "DAILY": timedelta(days=1),
    "HOURLY": timedelta(hours=1),
}
_LONGEST = {1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}
_DAY_PARTS = ("BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS")
# What the parts may hold (RFC 5545, section 3.3.10), and where a part that narrows down nothing but costs is allowed.
_ONLY_IN = {
    "BYWEEKNO": ("YEARLY",),
    "BYYEARDAY": ("YEARLY",),
    "BYMONTHDAY": ("YEARLY", "MONTHLY", "DAILY"),
}


def refusal(rule: Mapping[str, Any]) -> str:
    """Why this rule is not expanded, as the rest of a sentence; '' when it is."""
    frequency = str(_first(rule, "FREQ", "")).upper()
    if frequency in ("SECONDLY", "MINUTELY"):
        return f"repeats {frequency.lower()}, and no appointment does"
    if frequency not in _PERIOD:
        return f"repeats in a way that is not known: FREQ={frequency[:20]!r}"
    if _int(_first(rule, "INTERVAL", 1)) < 1:
        return "repeats at an interval that is no number above 0"
    per_day = len(_all(rule, "BYSECOND") or [0]) * len(_all(rule, "BYMINUTE") or [0])
    per_day *= 24 if frequency == "HOURLY" else len(_all(rule, "BYHOUR") or [0])
    if per_day > MAX_PER_DAY:
        return f"repeats up to {per_day} times a day"
    for part, places in _ONLY_IN.items():
        if _all(rule, part) and frequency not in places:
            return f"has {part} where the standard has none, in a {frequency.lower()} repetition"
    if frequency == "HOURLY" and any(_all(rule, part) for part in _DAY_PARTS):
        return "repeats hourly on days that are hard to find"
    return "" if _can_happen(rule) else "repeats on days that no calendar has"


def too_many_steps(rule: Mapping[str, Any], start: datetime, until: datetime) -> bool:
    """Whether it takes more than a few steps from ``start`` to ``until``; both aware."""
    frequency = str(_first(rule, "FREQ", "")).upper()
    step = _PERIOD[frequency] * _int(_first(rule, "INTERVAL", 1))
    return bool((until - start) / step > MAX_STEPS)


def _can_happen(rule: Mapping[str, Any]) -> bool:
    months = [_int(month) for month in _all(rule, "BYMONTH")] or list(_LONGEST)
    days = [_int(day) for day in _all(rule, "BYMONTHDAY")]
    if days and not any(0 < abs(day) <= _LONGEST.get(month, 0) for day in days for month in months):
        return False
    limits = {"BYYEARDAY": 366, "BYWEEKNO": 53, "BYSETPOS": 366, "BYMONTH": 12}
    if any(not 0 < abs(_int(value)) <= limit for part, limit in limits.items() for value in _all(rule, part)):
        return False
    most = 5 if str(_first(rule, "FREQ", "")).upper() == "MONTHLY" or _all(rule, "BYMONTH") else 53
    ordinals = [_int("".join(char for char in str(day) if char.isdigit()) or 1) for day in _all(rule, "BYDAY")]
    return not ordinals or any(0 < ordinal <= most for ordinal in ordinals)


def _all(rule: Mapping[str, Any], part: str) -> list[Any]:
    value = rule.get(part)
    if value is None:
        return []
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]


def _first(rule: Mapping[str, Any], part: str, default: object) -> object:
    values = _all(rule, part)
    return values[0] if values else default


def _int(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return 0
