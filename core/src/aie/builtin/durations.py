"""Points in time as people write them in a workflow, beside the lengths of :mod:`aie.durations`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from aie.durations import MAX_WAIT_S, seconds_in

__all__ = ["MAX_WAIT_S", "instant_of", "seconds_in"]

_CLOCK_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


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
