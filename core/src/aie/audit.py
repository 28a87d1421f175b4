"""The chain of audit records: made, kept free of secrets, and checked.

A record's hash is SHA-256 over a zero byte, the hash before it and its own canonical text, so no record can be changed,
left out, moved or put in without every later one showing it. That nothing is missing at the end only the journal knows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from aie.plain import Json, dumps
from aie.records import AuditRecord

GENESIS = "0" * 64
REDACTED = "‹redacted›"
MAX_LINE_BYTES = 16 * 1024 * 1024


def seal(fields: dict[str, Json], seq: int, prev: str) -> AuditRecord:
    """Record number ``seq`` of the chain whose last hash is ``prev`` (:data:`GENESIS` for the first)."""
    text = dumps({**fields, "seq": seq})
    return AuditRecord(seq, fields, text, prev, _hash(prev, text))


def audit_line(record: AuditRecord) -> str:
    """The record as a line of an audit file, without its end: its canonical text with ``prev`` and ``hash`` added."""
    return f'{record.text[:-1]},"prev":"{record.prev}","hash":"{record.hash}"}}'


def _hash(prev: str, text: str) -> str:
    return hashlib.sha256(f"\0{prev}{text}".encode()).hexdigest()


# --- checking -----------------------------------------------------------------------------------------------------


def verify_lines(
    records: Iterable[Path | AuditRecord],
    journal_head: tuple[int, str] | None = None,
    *,
    start: tuple[int, str] = (1, GENESIS),
) -> list[str]:
    """What is wrong with the chain, one sentence each; an empty list when nothing is.

    ``records`` are audit files, folders of them, or records. ``journal_head`` is the number and hash of the journal's
    last record; without it a cut tail cannot be seen. ``start`` is the number of the oldest record that must be there
    and the hash before it, for a chain whose beginning was deleted on purpose.
    """
    problems: list[str] = []
    pieces = sorted(_pieces(records, problems), key=lambda piece: (piece.first, piece.last))
    seq, digest = start[0] - 1, start[1]
    for piece in pieces:
        if piece.first > seq + 1:
            problems.append(f"{_numbers(seq + 1, piece.first - 1)} missing, before {piece.place}")
        elif piece.first <= seq:
            problems.append(f"{piece.place}: {_numbers(piece.first, min(piece.last, seq))} there more than once")
        elif piece.prev != digest:
            problems.append(_break_problem(piece.place, piece.first))
        if piece.last > seq:
            seq, digest = piece.last, piece.digest
    if journal_head is not None:
        problems += _end_problems(seq, digest, journal_head)
    return problems


@dataclass(slots=True)
class _Piece:
    """Records that follow one another without a gap: ``prev`` is before the first, ``digest`` the last one's hash."""

    place: str
    first: int
    last: int
    prev: str
    digest: str


def _pieces(records: Iterable[Path | AuditRecord], problems: list[str]) -> Iterator[_Piece]:
    """The unbroken pieces of each file; what is wrong within them is added to ``problems``.

    A file need not hold all records between its first and its last: a clock that was set back puts some into an earlier
    day's. But within a file numbers only rise.
    """
    piece: _Piece | None = None
    file = ""
    highest = 0
    for name, place, found in _found(records, problems):
        if name != file:
            file, highest = name, 0
        if found.seq < highest:
            problems.append(f"{place}: record {found.seq} stands after record {highest}: the order was changed")
        highest = max(highest, found.seq)
        if found.hash != _hash(found.prev, found.text):
            problems.append(f"{place}: record {found.seq} was changed: its hash does not fit it")
        if piece is not None and found.seq == piece.last + 1:
            if found.prev != piece.digest:
                problems.append(_break_problem(place, found.seq))
            piece.last, piece.digest = found.seq, found.hash
            continue
        if piece is not None:
            yield piece
        piece = _Piece(place, found.seq, found.seq, found.prev, found.hash)
    if piece is not None:
        yield piece


def _found(records: Iterable[Path | AuditRecord], problems: list[str]) -> Iterator[tuple[str, str, AuditRecord]]:
    """Each record with the file it is in and the place to name."""
    for item in records:
        if isinstance(item, AuditRecord):
            yield "journal", f"journal, record {item.seq}", item
            continue
        for path in sorted(item.glob("*.jsonl")) if item.is_dir() else [item]:
            if not path.is_file():
                problems.append(f"the audit file {path.name} is missing")
                continue
            yield from _read(path, problems)


def _read(path: Path, problems: list[str]) -> Iterator[tuple[str, str, AuditRecord]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES):
            number += 1
            place = f"{path.name} line {number}"
            if not line.endswith(b"\n"):
                problems.append(f"{place}: the line is not complete")
            record = _parsed(line.rstrip(b"\r\n"))
            if record is None:
                problems.append(f"{place}: this is not a record that aie wrote")
            else:
                yield path.name, place, record


def _parsed(line: bytes) -> AuditRecord | None:
    """The record on a line that is, byte for byte, as :func:`audit_line` writes it."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    seq, prev, digest = data.pop("seq", None), data.pop("prev", None), data.pop("hash", None)
    if type(seq) is not int or seq < 1 or not isinstance(prev, str) or not isinstance(digest, str):
        return None
    try:
        record = AuditRecord(seq, data, dumps({**data, "seq": seq}), prev, digest)
    except (TypeError, ValueError, RecursionError):  # numbers beyond what a record can hold
        return None
    return record if audit_line(record).encode("utf-8", "replace") == line else None


def _end_problems(seq: int, digest: str, head: tuple[int, str]) -> list[str]:
    if seq < head[0]:
        return [f"{_numbers(seq + 1, head[0])} missing at the end: the journal's last record is {head[0]}"]
    if seq > head[0]:
        return [f"{_numbers(head[0] + 1, seq)} not in the journal, whose last record is {head[0]}"]
    if digest != head[1]:
        return [f"the last record, {seq}, is not the journal's: its hash is another"]
    return []


def _break_problem(place: str, seq: int) -> str:
    return f"{place}: record {seq} does not continue record {seq - 1}: one of the two is not the original"


def _numbers(first: int, last: int) -> str:
    return f"record {first} is" if first == last else f"records {first} to {last} are"


# --- secrets ------------------------------------------------------------------------------------------------------

_SECRET_KEY = re.compile(r"pass|token|secret|authorization|cookie|api[-_]?key", re.IGNORECASE)
# What every such shape has in it. Asked first, because it is fast and nearly all texts have none of it.
_MAY_HAVE_SHAPE = re.compile(
    r"-----BEGIN|Bearer |bearer |Basic |basic |eyJ|gh[pousr]_|github_pat_|glpat-|xox|sk-|sk_live_|rk_live_|ya29|GOCSPX"
    r"|AIza|AKIA|ASIA"
)
# Shapes that are secrets wherever they stand. Each alternative begins with fixed text and repeats one class only, so a
# hostile text cannot make the search slow.
_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)"
    r"|(?P<scheme>\b[Bb]earer |\b[Bb]asic (?=[A-Za-z0-9+/]{16}))[A-Za-z0-9._~+/=-]{8,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|sk-|sk_live_|rk_live_|ya29\.|GOCSPX-|AIza)[A-Za-z0-9_./-]{16,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    re.DOTALL,
)
_IN_ADDRESS = re.compile(r"(?<=://)([^\s/:@]{0,200}):[^\s/@]{1,500}@")
_IN_QUERY = re.compile(
    r"([?&#;][\w.-]{0,40}(?:pass|token|secret|api[-_]?key)[\w.-]{0,40}=)[^\s&#;\"'<>]+", re.IGNORECASE
)


def redact(value: Json) -> Json:
    """The value without secrets: those under telling keys, and those that show by their shape; the rest as it is."""
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, dict):
        return redact_fields(value)
    if isinstance(value, list):
        items = [redact(item) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def redact_fields(value: dict[str, Json]) -> dict[str, Json]:
    """The same for a mapping."""
    clean = value
    for key, item in value.items():
        if item is None or item is True or item is False or item == "":
            continue
        new = REDACTED if _tells(key) else redact(item)
        if new is not item:
            if clean is value:
                clean = dict(value)
            clean[key] = new
    return clean


@lru_cache(maxsize=4096)
def _tells(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def _clean_text(text: str) -> str:
    clean = text
    if _MAY_HAVE_SHAPE.search(text):
        clean = _SHAPES.sub(lambda found: f"{found['scheme'] or ''}{REDACTED}", text)
    if "://" in clean:
        clean = _IN_ADDRESS.sub(rf"\1:{REDACTED}@", clean)
    if "=" in clean:
        clean = _IN_QUERY.sub(rf"\1{REDACTED}", clean)
    return clean
