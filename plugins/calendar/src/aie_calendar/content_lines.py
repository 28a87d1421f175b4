"""iCalendar files as blocks of content lines (RFC 5545, section 3.1).

Files are cut into blocks before anything is parsed, so that what is wrong in one entry stays there, and an entry can be
changed without touching what aie knows nothing about.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z0-9-]+")
_DEPTH = 5  # blocks within blocks that are looked at; a calendar needs three


@dataclass(frozen=True, slots=True)
class Blocks:
    """A file, cut up. ``head`` has the calendar's own lines; ``whole`` says that it ended where it should."""

    head: tuple[str, ...]
    events: tuple[tuple[str, ...], ...]
    zones: tuple[tuple[str, ...], ...]
    others: tuple[tuple[str, ...], ...]
    whole: bool
    found: bool  # there was a calendar at all


def unfolded(data: bytes) -> list[str]:
    """The logical lines of a file. Bytes that are no UTF-8 are taken for Latin-1, as old programs wrote it."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"\n[ \t]", "", text).split("\n")


def folded(lines: Iterable[str]) -> bytes:
    """The file these logical lines make: CRLF, and no line longer than 75 bytes."""
    return "".join(f"{piece}\r\n" for line in lines for piece in _pieces(line)).encode()


def cut(data: bytes) -> Blocks:
    """The blocks of a file."""
    head: list[str] = []
    blocks: dict[str, list[tuple[str, ...]]] = {"VEVENT": [], "VTIMEZONE": [], "": []}
    stack: list[str] = []
    block: list[str] = []
    found = False
    for line in unfolded(data):
        word = line[:6].upper()
        if word == "BEGIN:":
            stack.append(line[6:].strip().upper())
            found = found or stack[-1] == "VCALENDAR"
        if len(stack) > 1 and len(stack) <= _DEPTH:
            block.append(line)
        elif line.strip() and word not in ("BEGIN:", "END:VC"):
            head.append(line)
        if word[:4] == "END:" and stack:
            stack.pop()
            if len(stack) == 1 and block:
                kind = block[0][6:].strip().upper()
                blocks[kind if kind in blocks else ""].append(tuple(block))
                block = []
    return Blocks(
        tuple(head),
        tuple(blocks["VEVENT"]),
        tuple(blocks["VTIMEZONE"]),
        tuple(blocks[""]),
        whole=not stack,
        found=found,
    )


def name_of(line: str) -> str:
    """The property a line is about, in capitals."""
    found = _NAME.match(line)
    return found[0].upper() if found else ""


def value_of(block: Sequence[str], name: str) -> str:
    """The value of a block's own first property of that name, as written; '' when there is none."""
    depth = 0
    for line in block:
        word = name_of(line)
        depth += (word == "BEGIN") - (word == "END")
        if word == name and depth == 1:
            return _value(line)
    return ""


def without(block: Sequence[str], names: Collection[str], *, alarms: bool = True) -> list[str]:
    """The block without its own properties of these names; without its alarms too if ``alarms`` is False."""
    kept: list[str] = []
    depth, skipping = 0, 0
    for line in block:
        word = name_of(line)
        if word == "BEGIN":
            depth += 1
            if not alarms and not skipping and _value(line).strip().upper() == "VALARM":
                skipping = depth
        if not skipping and not (depth == 1 and word in names):
            kept.append(line)
        if word == "END":
            if skipping == depth:
                skipping = 0
            depth -= 1
    return kept


def _value(line: str) -> str:
    """What stands behind the first colon that is not in quotes."""
    quoted = False
    for place, char in enumerate(line):
        if char == '"':
            quoted = not quoted
        elif char == ":" and not quoted:
            return line[place + 1 :]
    return ""


def _pieces(line: str) -> Iterable[str]:
    """A line in pieces of at most 75 bytes, the ones after the first with a blank before them."""
    if len(line.encode()) <= 75:
        yield line
        return
    piece, size = "", 0
    for char in line:
        width = len(char.encode())
        if size + width > 75:
            yield piece
            piece, size = " ", 1
        piece += char
        size += width
    yield piece
