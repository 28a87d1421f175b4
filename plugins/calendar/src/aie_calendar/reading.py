"""Reading: from the bytes of a calendar file to its series, whatever is wrong in it.

One entry that cannot be read hides no other. What is wrong is told as sentences, for a log that says each once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Component, Event, vRecur

from aie_calendar import content_lines, rules
from aie_calendar.series import Series, moment
from aie_calendar.zones import Zones

MAX_ENTRY_LINES = 3_000
MAX_ENTRY_CHARS = 1_000_000
MAX_EXCEPTIONS = 3_000  # EXDATE, RDATE and moved occurrences of one series
_YEARS = range(1601, 2500)
_WITH_ZONE = re.compile(r"(DTSTART|DTEND|RECURRENCE-ID|EXDATE|RDATE)\b", re.IGNORECASE)
_ZONE = re.compile(r";TZID=(\"[^\"]*\"|[^;:]*)", re.IGNORECASE)
_BOOKKEEPING = ("DTSTAMP", "LAST-MODIFIED", "CREATED", "SEQUENCE")


@dataclass(frozen=True, slots=True)
class Reading:
    """The series of a file by UID, what is wrong by UID ('' for the file as a whole), and whether it is usable."""

    series: Mapping[str, Series] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    usable: bool = True


def read(data: bytes, zone: ZoneInfo, *, href: str = "", max_events: int = 20_000) -> Reading:
    """The series in a file. ``zone`` is the one of times in a zone that nobody knows."""
    blocks = content_lines.cut(data)
    if not blocks.found:
        return Reading(problems={"": "is no calendar"}, usable=False)
    if not blocks.whole:
        return Reading(problems={"": "breaks off before its end"}, usable=False)
    problems: dict[str, str] = {}
    zones = Zones(blocks.zones, zone)
    grouped: dict[str, list[tuple[Component, Sequence[str]]]] = {}
    for block in blocks.events[:max_events]:
        uid = _uid(block)
        event, problem = _event(block, zones)
        if problem:
            problems.setdefault(uid, problem)
        if event is not None:
            grouped.setdefault(uid, []).append((event, block))
    if len(blocks.events) > max_events:
        problems[""] = f"has {len(blocks.events)} entries; only the first {max_events} are looked at"
    series: dict[str, Series] = {}
    for uid, members in grouped.items():
        try:
            made, problem = _series(uid, href, members)
        except Exception as error:  # a broken property raises when it is looked at
            made, problem = None, f"cannot be read, and is left out: {type(error).__name__}: {str(error)[:150]}"
        if problem:
            problems.setdefault(uid, problem)
        if made is not None:
            series[uid] = made
    return Reading(series, problems)


def entries(data: bytes, uid: str, zone: ZoneInfo) -> list[tuple[tuple[str, ...], Component]]:
    """The blocks of one UID that can be read, as they stand in the file, with what they say."""
    blocks = content_lines.cut(data)
    zones = Zones(blocks.zones, zone)
    own = [block for block in blocks.events if _uid(block) == uid]
    return [(block, event) for block in own if (event := _event(block, zones)[0]) is not None]


def _uid(block: Sequence[str]) -> str:
    uid = content_lines.value_of(block, "UID").strip()[:500]
    return uid or f"without-uid-{_mark([block])[:24]}"


def _event(block: Sequence[str], zones: Zones) -> tuple[Component | None, str]:
    """The entry of a block, if it can be used, and what is wrong with it."""
    if len(block) > MAX_ENTRY_LINES or sum(map(len, block)) > MAX_ENTRY_CHARS:
        return None, f"is larger than any appointment ({len(block)} lines), and is left out"
    lines, unknown = _with_known_zones(block, zones)
    try:
        event = Event.from_ical("\r\n".join([*lines, ""]))
        start = moment(event, "DTSTART")
    except Exception as error:  # whatever a broken entry makes the parser raise
        return None, f"cannot be read, and is left out: {type(error).__name__}: {str(error)[:150]}"
    if not isinstance(start, date):
        return None, "has no start that can be read, and is left out"
    if start.year not in _YEARS:
        return None, f"begins in the year {start.year}, and is left out"
    problem = f"is in the time zone {unknown[:60]!r}, which nobody knows: taken for this vault's" if unknown else ""
    for name in ("DTEND", "RECURRENCE-ID"):
        if name in event and moment(event, name) is None:
            if name == "RECURRENCE-ID":
                return None, "moves an occurrence that cannot be told, and is left out"
            del event[name]
            problem = problem or "has an end that cannot be read; its start counts"
    end = moment(event, "DTEND")
    if end is not None and (end.year not in _YEARS or isinstance(end, datetime) != isinstance(start, datetime)):
        del event["DTEND"]
        problem = problem or "has an end that does not go with its start; its start counts"
    return event, problem


def _series(uid: str, href: str, members: Sequence[tuple[Component, Sequence[str]]]) -> tuple[Series | None, str]:
    masters = [event for event, _ in members if "RECURRENCE-ID" not in event]
    overrides = [event for event, _ in members if "RECURRENCE-ID" in event]
    master = max(masters, key=_sequence) if masters else None
    problem = "is there several times; the newest counts" if len(masters) > 1 else ""
    if master is not None and "RRULE" in master:
        why = _rule_problem(master["RRULE"])
        if why:
            del master["RRULE"]
            problem = f"{why}: only its first time counts"
    exceptions = len(overrides) + sum(_values(block) for _, block in members)
    if exceptions > MAX_EXCEPTIONS:
        return None, f"has {exceptions} exceptions to its repetition, and is left out"
    mark = _mark([block for _, block in members])
    return Series(uid, href, master, tuple(overrides), mark), problem


def _rule_problem(rule: Any) -> str:
    if isinstance(rule, list):
        return "repeats by several rules"
    return rules.refusal(rule) if isinstance(rule, vRecur) else "repeats in a way that cannot be read"


def _values(block: Sequence[str]) -> int:
    return sum(1 + line.count(",") for line in block if line[:6].upper() in ("EXDATE", "RDATE:", "RDATE;"))


def _sequence(event: Component) -> int:
    try:
        return int(event.get("SEQUENCE", 0))
    except (TypeError, ValueError):
        return 0


def _with_known_zones(block: Sequence[str], zones: Zones) -> tuple[list[str], str]:
    """The lines with zones that icalendar knows, and the name of one that nobody does."""
    unknown = ""

    def meant(found: re.Match[str]) -> str:
        nonlocal unknown
        name, certain = zones.meant(found[1].strip('"'))
        unknown = unknown or ("" if certain else found[1])
        return f";TZID={name}"

    return [_ZONE.sub(meant, line, count=1) if _WITH_ZONE.match(line) else line for line in block], unknown


def _mark(blocks: Sequence[Sequence[str]]) -> str:
    """Content without bookkeeping, in a few characters; the order of the lines does not count."""
    lines = sorted(line for block in blocks for line in block if content_lines.name_of(line) not in _BOOKKEEPING)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
