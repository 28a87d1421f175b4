"""How times and entries are said to a person, and how an entry becomes the data of an event."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Component

from aie_calendar.series import Occurrence, text_of
from aie_calendar.times import Span

MAX_TEXT = 20_000  # characters of a description that go into an event
MAX_ATTENDEES = 200
MAX_CONFLICTS = 10
_KEY_LINE = re.compile(r"^[ \t]*(event_type|image_path):[ \t]*(\S.{0,300}?)[ \t]*$\n?", re.MULTILINE | re.IGNORECASE)
_TAG = re.compile(r"<(/?[a-z][a-z0-9]*)\b[^<>]*>", re.IGNORECASE)


def said(span: Span, zone: ZoneInfo) -> str:
    """When, in the user's zone; with its own behind it when that shows another time."""
    if not isinstance(span.start, datetime) or not isinstance(span.end, datetime):
        last = span.end - timedelta(days=1)
        if last <= span.start:
            return f"{span.start:%A %Y-%m-%d}, all day"
        return f"{span.start:%A %Y-%m-%d} to {last:%A %Y-%m-%d}, all day"
    start, end = span.start.astimezone(zone), span.end.astimezone(zone)
    until = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%A %Y-%m-%d %H:%M}"
    text = f"{start:%A %Y-%m-%d}, {start:%H:%M} to {until} ({zone.key})"
    own = span.start
    if own.utcoffset() != start.utcoffset():
        text += f", which is {own:%H:%M} in {getattr(own.tzinfo, 'key', None) or own.tzname()}"
    return text


def conflict_lines(found: Iterable[tuple[str, Occurrence]], problems: dict[str, str], zone: ZoneInfo) -> list[str]:
    """What else is at that time, as a list for a note."""
    there = [(name, one) for name, one in found if one.busy]
    lines = []
    if there:
        lines.append("At that time there is already:")
        for name, one in there[:MAX_CONFLICTS]:
            when = said(_in_zone(one, zone), zone)
            lines.append(f"- {one_line(one.title) or 'an entry without a title'}: {when} (calendar {name})")
        if len(there) > MAX_CONFLICTS:
            lines.append(f"- and {len(there) - MAX_CONFLICTS} more")
    elif not problems:
        lines.append("Nothing else is at that time.")
    lines += [f"- the calendar {name} could not be looked at: {one_line(why)}" for name, why in problems.items()]
    return lines


def occurrence_span(one: Occurrence, zone: ZoneInfo) -> Span:
    """Its times as the calendar has them: days for days, else in its own zone."""
    if one.all_day:
        last = one.end.astimezone(zone)
        return Span(one.own_start, last.date())
    return Span(one.start.astimezone(getattr(one.own_start, "tzinfo", None) or zone), one.end)


def said_shortly(one: Occurrence, zone: ZoneInfo) -> str:
    """The same for a list in which everything is in the user's zone."""
    return said(_in_zone(one, zone), zone).removesuffix(f" ({zone.key})")


def _in_zone(one: Occurrence, zone: ZoneInfo) -> Span:
    """The same in the user's zone: whose zone it was made in does not matter beside another entry."""
    return occurrence_span(one, zone) if one.all_day else Span(one.start.astimezone(zone), one.end.astimezone(zone))


def one_line(text: str, limit: int = 200) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def entry_data(calendar: str, one: Occurrence, zone: ZoneInfo) -> dict[str, Any]:
    """What an event says of an entry, in the words of the original system where it had any."""
    event = one.event
    description = plain_text(text_of(event, "DESCRIPTION"))[:MAX_TEXT]
    text, told = _without_keys(description)
    categories = categories_of(event)
    kind = _own(event, "EVENT-TYPE") or told.get("event_type") or (categories[0] if categories else "")
    return {
        "event_type": event_type(kind),
        "title": one.title[:1000],
        "start": one.start.astimezone(zone).isoformat(),
        "end": one.end.astimezone(zone).isoformat(),
        "all_day": one.all_day,
        "location": text_of(event, "LOCATION")[:1000],
        "description": description,
        "post_content": _own(event, "POST-CONTENT")[:MAX_TEXT] or text,
        "image_path": _own(event, "IMAGE-PATH")[:1000] or told.get("image_path"),
        "calendar": calendar,
        "uid": one.uid,
        "occurrence": one.original or None,
        "categories": categories,
        "attendees": addresses_of(event),
        "organizer": _address(event.get("ORGANIZER")) or None,
        "status": text_of(event, "STATUS").lower() or "confirmed",
    }


def event_type(text: str) -> str:
    """``LinkedIn Post`` as ``linkedin_post``; '' for nothing."""
    return re.sub(r"[^\w]+", "_", text.strip().lower()).strip("_")[:100]


def categories_of(event: Component) -> list[str]:
    """The categories, in order, without doubles."""
    found: dict[str, None] = {}
    for value in _all(event, "CATEGORIES"):
        for category in getattr(value, "cats", [value]):
            if text := str(category).strip():
                found[text[:100]] = None
    return list(found)[:50]


def addresses_of(event: Component) -> list[str]:
    """The attendees' addresses."""
    found = (_address(value) for value in _all(event, "ATTENDEE"))
    return [address for address in found if address][:MAX_ATTENDEES]


def plain_text(text: str) -> str:
    """Text without HTML, which some calendars put into descriptions; text that has none stays as it is."""
    if not _TAG.search(text):
        return text.strip()
    reader = _TextOfHtml()
    reader.feed(text[: 10 * MAX_TEXT])
    reader.close()
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+", " ", "".join(reader.pieces))).strip()


class _TextOfHtml(HTMLParser):
    _BLOCKS = frozenset({"p", "div", "br", "li", "ul", "ol", "tr", "h1", "h2", "h3", "h4", "blockquote"})
    _HIDDEN = frozenset({"script", "style", "head"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in self._HIDDEN
        if tag in self._BLOCKS:
            self.pieces.append("\n- " if tag == "li" else "\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - (tag in self._HIDDEN))
        if tag == "p":
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)


def _own(event: Component, name: str) -> str:
    """One of our properties, such as X-AIE-EVENT-TYPE."""
    return text_of(event, f"X-AIE-{name}").strip()


def _without_keys(description: str) -> tuple[str, dict[str, str]]:
    """The text without lines such as ``event_type: linkedin_post``, and what they say.

    Google's and many phones' calendars have no categories; a line in the description does there.
    """
    told = {found[1].lower(): found[2] for found in _KEY_LINE.finditer(description)}
    return _KEY_LINE.sub("", description).strip(), told


def _all(event: Component, name: str) -> list[Any]:
    value = event.get(name, [])
    return value if isinstance(value, list) else [value]


def _address(value: object) -> str:
    text = re.sub(r"^mailto:", "", str(value or ""), flags=re.IGNORECASE).strip()
    return text[:320] if "@" in text else ""
