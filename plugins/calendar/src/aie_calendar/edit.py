"""Changing an entry that is there, line by line: what is not meant stays as it is.

So alarms, attachments and what only some other program understands outlive a change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from icalendar import Event

from aie.errors import ActionError
from aie_calendar import content_lines
from aie_calendar.entry import Changes, write, zone_blocks
from aie_calendar.reading import entries
from aie_calendar.series import Occurrence, moment, occurrence_id

Block = tuple[str, ...]
_DATES = ("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID")


def changed(
    data: bytes, uid: str, changes: Changes, now: datetime, zone: ZoneInfo, occurrence: Occurrence | None = None
) -> bytes:
    """The file with the changes made to this UID's entry, or to one occurrence of it."""
    master, others = _members(data, uid, zone)
    if occurrence is None:
        target = master or next(iter(others.values()))
        return _file(data, {target: _rewritten(target, changes, now)}, changes)
    block = others.get(occurrence.original)
    if block is not None:
        return _file(data, {block: _rewritten(block, changes, now)}, changes)
    if master is None:
        raise ActionError("the calendar has no such occurrence", where=occurrence.original)
    one = _rewritten(_of_its_own(master, occurrence), changes, now)
    return _file(data, {master: [*master, *one]}, changes)


def without_occurrence(data: bytes, uid: str, occurrence: Occurrence, now: datetime, zone: ZoneInfo) -> bytes:
    """The file without one occurrence of the series."""
    master, others = _members(data, uid, zone)
    if master is None:
        raise ActionError("the calendar has only single occurrences of that series", where=uid)
    kept = content_lines.without(master, ("DTSTAMP", "LAST-MODIFIED", "SEQUENCE"))
    exception = _dated("EXDATE", master, _original(occurrence))
    new: dict[Block, Sequence[str]] = {master: [kept[0], *_bookkeeping(master, now), exception, *kept[1:]]}
    if occurrence.original in others:
        new[others[occurrence.original]] = []
    return _file(data, new, Changes())


def without(data: bytes, uid: str, zone: ZoneInfo) -> bytes | None:
    """The file without all that this UID has in it; None when nothing else is in there."""
    own = {block: () for block, _ in entries(data, uid, zone)}
    if len(own) == len(content_lines.cut(data).events):
        return None
    return _file(data, own, Changes())


def _members(data: bytes, uid: str, zone: ZoneInfo) -> tuple[Block | None, dict[str, Block]]:
    """The block of the series, and those of moved occurrences by their original start."""
    found = entries(data, uid, zone)
    if not found:
        raise ActionError("the entry cannot be read, so it cannot be changed", where=uid)
    masters = [block for block, event in found if "RECURRENCE-ID" not in event]
    others = {
        occurrence_id(moment(event, "RECURRENCE-ID"), zone): block for block, event in found if "RECURRENCE-ID" in event
    }
    return (masters[-1] if masters else None), others


def _rewritten(block: Sequence[str], changes: Changes, now: datetime) -> list[str]:
    names = (*changes.properties, "DTSTAMP", "LAST-MODIFIED", "SEQUENCE")
    kept = content_lines.without(block, names, alarms=changes.reminders is None)
    event = Event()
    write(event, changes)
    new = content_lines.unfolded(event.to_ical())[1:-2]  # without BEGIN, END and the blank behind the last line end
    return [kept[0], *_bookkeeping(block, now), *new, *kept[1:]]


def _bookkeeping(block: Sequence[str], now: datetime) -> list[str]:
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    sequence = content_lines.value_of(block, "SEQUENCE").strip()
    number = int(sequence) if sequence.isdecimal() and len(sequence) < 9 else 0
    return [f"DTSTAMP:{stamp}", f"LAST-MODIFIED:{stamp}", f"SEQUENCE:{number + 1}"]


def _of_its_own(master: Block, occurrence: Occurrence) -> list[str]:
    """An entry for one occurrence, as the series has it."""
    kept = content_lines.without(master, _DATES)
    dates = [
        _dated("RECURRENCE-ID", master, _original(occurrence)),
        _dated("DTSTART", master, occurrence.own_start),
    ]
    if (end := moment(occurrence.event, "DTEND")) is not None:
        dates.append(_dated("DTEND", master, end))
    return [kept[0], *dates, *kept[1:]]


def _original(occurrence: Occurrence) -> object:
    original = moment(occurrence.event, "RECURRENCE-ID")
    return occurrence.own_start if original is None else original


def _dated(name: str, master: Block, when: object) -> str:
    """A line for a moment in the same zone, and written the same way, as the series' start."""
    start = next(line for line in master if content_lines.name_of(line) == "DTSTART")
    parameters, value = start[len("DTSTART") :].rsplit(":", 1)
    if not isinstance(when, datetime):
        return f"{name};VALUE=DATE:{when:%Y%m%d}"
    if value.strip().endswith("Z"):
        return f"{name}{parameters}:{when.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f"{name}{parameters}:{when:%Y%m%dT%H%M%S}"


def _file(data: bytes, new: Mapping[Block, Sequence[str]], changes: Changes) -> bytes:
    """The file with some blocks replaced, and with the zones that the changes need."""
    lines = content_lines.unfolded(data)
    for block, replacement in new.items():
        first = next(place for place in range(len(lines)) if tuple(lines[place : place + len(block)]) == block)
        lines[first : first + len(block)] = replacement
    if changes.span is not None and not changes.span.all_day:
        event = Event()
        write(event, Changes(span=changes.span))
        there = {line.partition(":")[2].strip() for line in lines if content_lines.name_of(line) == "TZID"}
        missing = [line for name, zone in zone_blocks(event).items() if name not in there for line in zone]
        first = next(place for place, line in enumerate(lines) if line.upper().startswith("BEGIN:VEVENT"))
        lines[first:first] = missing
    return content_lines.folded(line for line in lines if line)
