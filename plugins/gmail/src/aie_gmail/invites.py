"""Calendar invitations in mails (RFC 5545 and 5546), as plain data."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from aie_gmail.addresses import normal
from aie_gmail.charsets import clean, one_line

MAX_BYTES = 131_072
MAX_LINES = 4_000
MAX_COMPONENTS = 200
MAX_ATTENDEES = 200


def invite_of(texts: Iterable[str], timezone: ZoneInfo) -> dict[str, Any] | None:
    """The invitation in these calendar texts; None if there is none. ``timezone`` is for times that float.

    An invitation often comes twice in a mail: the highest SEQUENCE counts. A recurring one is told by its rule and its
    first occurrence; nothing is expanded.
    """
    found = [invite for text in texts for invite in _invites(text, timezone)]
    whole = [invite for invite in found if not invite["recurrence_id"]]
    return max(whole or found, key=lambda invite: int(invite["sequence"]), default=None)


def _invites(text: str, timezone: ZoneInfo) -> list[dict[str, Any]]:
    if len(text) > MAX_BYTES or text.count("\n") > MAX_LINES or len(re.findall(r"(?im)^BEGIN:", text)) > MAX_COMPONENTS:
        return []
    from icalendar import Calendar  # noqa: PLC0415 - few mails need it, and it takes a while to import

    try:
        calendar = Calendar.from_ical(text)
        method = one_line(str(calendar.get("METHOD", "")), 40).upper() or "PUBLISH"
        events = calendar.walk("VEVENT")[:50]
    except Exception:  # the library raises many kinds of errors on malformed text, and there is nothing else to do
        return []
    return [invite for event in events if (invite := _invite_or_none(event, method, timezone))]


def _invite_or_none(event: Any, method: str, timezone: ZoneInfo) -> dict[str, Any] | None:
    try:
        return _invite(event, method, timezone)
    except Exception:  # as above, for this entry
        return None


def _invite(event: Any, method: str, timezone: ZoneInfo) -> dict[str, Any]:
    start = event["DTSTART"].dt
    end = _end(event, start)
    status = one_line(str(event.get("STATUS", "")), 40).upper()
    recurrence = event.get("RECURRENCE-ID")
    rule = event.get("RRULE")
    unknown = _unknown_zone(event)
    zone = None if unknown else timezone
    return {
        "method": "CANCEL" if status == "CANCELLED" else method,
        "uid": one_line(str(event.get("UID", "")), 300),
        "sequence": max(0, min(int(event.get("SEQUENCE", 0)), 2**31)),
        "title": one_line(str(event.get("SUMMARY", "")), 500),
        "start": _text(start, zone),
        "end": _text(end, zone),
        "unknown_timezone": unknown,
        "all_day": not isinstance(start, dt.datetime),
        "location": one_line(str(event.get("LOCATION", "")), 500),
        "description": clean(str(event.get("DESCRIPTION", "")))[:4000],
        "organizer": _address(event.get("ORGANIZER")),
        "attendees": [address for one in _several(event.get("ATTENDEE")) if (address := _address(one))],
        "rrule": one_line(rule.to_ical().decode("utf-8", "replace"), 500) if hasattr(rule, "to_ical") else "",
        "recurrence_id": _text(recurrence.dt, zone) if recurrence is not None else "",
    }


def _end(event: Any, start: dt.date) -> dt.date:
    if "DTEND" in event:
        end = event["DTEND"].dt
        return end if isinstance(end, dt.datetime) == isinstance(start, dt.datetime) else start
    if "DURATION" in event:
        return start + event["DURATION"].dt  # type: ignore[no-any-return]
    return start if isinstance(start, dt.datetime) else start + dt.timedelta(days=1)


def _text(moment: dt.date, timezone: ZoneInfo | None) -> str:
    """ISO 8601, with offset for times, unless nobody knows their zone."""
    if isinstance(moment, dt.datetime):
        zoned = moment if timezone is None or moment.utcoffset() is not None else moment.replace(tzinfo=timezone)
        return zoned.isoformat(timespec="seconds")
    return moment.isoformat()


def _unknown_zone(event: Any) -> str:
    """The zone that DTSTART names and nobody knows; '' where that is all right."""
    start = event["DTSTART"]
    named = one_line(str(start.params.get("TZID", "")), 100)
    naive = isinstance(start.dt, dt.datetime) and start.dt.utcoffset() is None
    return named if naive else ""


def _several(value: Any) -> list[Any]:
    return (value if isinstance(value, list) else [] if value is None else [value])[:MAX_ATTENDEES]


def _address(value: Any) -> str:
    return normal(re.sub(r"(?i)^mailto:", "", str(value or "")))
