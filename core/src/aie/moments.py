"""What the condition and template languages know of time: texts in ISO 8601, reckoned with as they are written."""

from __future__ import annotations

import datetime as dt
from typing import Any

from aie.operations import OperationError
from aie.plain import shown

_LONGEST = 64
_MOST = 1_000_000  # of each unit that is added
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def moment(value: Any, asked_by: str) -> dt.datetime:
    """The time a text says; midnight if it says a day only."""
    if type(value) is not str or len(value) > _LONGEST:
        raise OperationError(f"{asked_by} needs a time in ISO 8601 such as 2026-02-09T18:30:00, not {shown(value)}")
    try:
        return dt.datetime.fromisoformat(value)
    except ValueError:
        raise OperationError(f"{shown(value)} is not a time in ISO 8601 such as 2026-02-09T18:30:00") from None


def weekday(value: Any) -> str:
    """``monday`` to ``sunday``."""
    return _WEEKDAYS[moment(value, "weekday").weekday()]


def hour(value: Any) -> int:
    """The hour that is written there, 0 to 23."""
    return moment(value, "hour").hour


def days_between(earlier: Any, later: Any) -> int:
    """How many days the second is after the first, by the dates that are written there; negative if it is before."""
    first, second = moment(earlier, "days_between"), moment(later, "days_between")
    return (second.date() - first.date()).days


def plus(value: Any, days: Any, hours: Any, minutes: Any) -> str:
    """The time so much later, or earlier with negative numbers; a day alone stays one if only days are added."""
    for number in (days, hours, minutes):
        if type(number) is not int or abs(number) > _MOST:
            raise OperationError(f"plus takes whole numbers of days, hours and minutes, not {shown(number)}")
    start = moment(value, "plus")
    try:
        end = start + dt.timedelta(days=days, hours=hours, minutes=minutes)
    except OverflowError:
        raise OperationError(f"{shown(value)} cannot be moved that far") from None
    return end.date().isoformat() if _is_day(value) and not (hours or minutes) else end.isoformat()


def _is_day(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True
