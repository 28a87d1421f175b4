"""A mail taken apart into its parts.

Plain searches over the bytes, so that the time it takes grows with their number and with nothing else; nesting, parts
and headers are limited. What is malformed is read as far as it can be.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from aie_gmail.headers import Headers, block_end

MAX_DEPTH = 20
MAX_PARTS = 1_000
MAX_DELIMITERS = 5_000  # lines looked at that begin as a boundary does


@dataclass(frozen=True, slots=True)
class Part:
    """One part. ``parts`` are those within it; a leaf has none."""

    headers: Headers
    content: bytes  # still in its transfer encoding
    parts: tuple[Part, ...] = ()

    @property
    def kind(self) -> str:
        """``text/plain``; that too where nothing or nonsense is said."""
        said = self.headers.token("content-type")
        return said if re.fullmatch(r"[\w.+-]{1,80}/[\w.+*-]{1,120}", said) else "text/plain"

    @property
    def filename(self) -> str:
        return self.headers.parameter("content-disposition", "filename") or self.headers.parameter(
            "content-type", "name"
        )

    @property
    def is_attachment(self) -> bool:
        """Whether it is a thing to keep rather than text to read."""
        disposition = self.headers.token("content-disposition")
        return disposition == "attachment" or bool(self.filename) or not self.kind.startswith("text/")

    def leaves(self) -> Iterator[Part]:
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()

    def data(self) -> bytes:
        """The content, transfer encoding undone."""
        encoding = self.headers.token("content-transfer-encoding")
        if encoding == "base64":
            return _from_base64(self.content)
        if encoding == "quoted-printable":
            return binascii.a2b_qp(self.content)
        return self.content


def take_apart(raw: bytes) -> Part:
    """The mail as a tree of parts."""
    return _part(raw, 0, len(raw), depth=0, budget=[MAX_PARTS])


def _part(raw: bytes, start: int, end: int, *, depth: int, budget: list[int]) -> Part:
    budget[0] -= 1
    head, body = block_end(raw, start, end)
    headers = Headers.parse(raw[start:head])
    if not headers.fields and depth == 0:
        body = start  # no headers at all: all of it is text
    boundary = headers.parameter("content-type", "boundary").encode("utf-8", "replace")
    if headers.token("content-type").startswith("multipart/") and boundary and depth < MAX_DEPTH:
        places = _between(raw, body, end, boundary)
        parts = tuple(
            _part(raw, first, last, depth=depth + 1, budget=budget) for first, last in places if budget[0] > 0
        )
        if parts:
            return Part(headers, b"", parts)
    return Part(headers, raw[body:end])


def _between(raw: bytes, start: int, end: int, boundary: bytes) -> list[tuple[int, int]]:
    """Where the parts between the delimiter lines begin and end. The last one may lack its end."""
    mark = b"--" + boundary
    spans: list[tuple[int, int]] = []
    opened = -1
    place = start if raw.startswith(mark, start) else _next(raw, mark, start, end)
    for _ in range(MAX_DELIMITERS):
        if place < 0:
            break
        line_end = raw.find(b"\n", place, end)
        line_end = end if line_end < 0 else line_end
        rest = raw[place + len(mark) : min(line_end, place + len(mark) + 200)].strip()
        if rest in (b"", b"--"):
            if opened >= 0:
                spans.append((opened, _before_line(raw, place, opened)))
            opened = -1 if rest else min(line_end + 1, end)
            if rest:
                return spans
        place = _next(raw, mark, line_end, end)
    if opened >= 0:
        spans.append((opened, end))
    return spans


def _next(raw: bytes, mark: bytes, start: int, end: int) -> int:
    place = raw.find(b"\n" + mark, start, end)
    return place + 1 if place >= 0 else -1


def _before_line(raw: bytes, place: int, start: int) -> int:
    """The end of the line before, its line end left out."""
    place -= 1
    if place > start and raw[place - 1 : place] == b"\r":
        place -= 1
    return max(place, start)


def _from_base64(content: bytes) -> bytes:
    """All that can be read; a broken end costs its last bytes and nothing more."""
    letters = content.translate(None, _NOT_BASE64)
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))  # blanks, line ends, and the "=" that some put in the middle
