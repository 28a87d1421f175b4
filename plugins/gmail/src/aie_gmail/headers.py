"""The header block of a mail or of a part of it: fields by name, decoded, within limits.

Python's own header objects are not used: some raise on malformed fields, and some take quadratic time. Limits are
counted on the bytes, before anything is parsed.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from aie_gmail.charsets import clean, decoded, one_line

MAX_BLOCK_BYTES = 262_144
MAX_FIELD_BYTES = 16_384
MAX_FIELDS = 2_000
MAX_WORDS = 200

_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:(.*)", re.DOTALL)
_WORD = re.compile(r"=\?([A-Za-z0-9_.:*-]{1,60})\?([QqBb])\?([^?\s]{0,16384})\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)[ \t\n]+(=\?[A-Za-z0-9_.:*-]{1,60}\?[QqBb]\?)")
_PARAMETER = re.compile(r""";\s*([^\s=;"]{1,80})\s*=\s*("(?:[^"\\]|\\.){0,4096}"?|[^;]{0,4096})""", re.DOTALL)


class Headers:
    """The fields of one block, in order. Of a field that is there twice the first counts."""

    def __init__(self, fields: list[tuple[str, bytes]]) -> None:
        self.fields = fields

    @classmethod
    def parse(cls, block: bytes) -> Headers:
        fields: list[tuple[str, bytes]] = []
        for line in _unfolded(block[:MAX_BLOCK_BYTES]):
            found = _FIELD.fullmatch(line)
            if found and len(fields) < MAX_FIELDS:
                fields.append((found[1].decode("ascii").lower(), found[2].strip()[:MAX_FIELD_BYTES]))
        return cls(fields)

    def raw(self, name: str) -> bytes:
        """The field as it came, unfolded; empty if it is not there."""
        return next((value for key, value in self.fields if key == name), b"")

    def all_raw(self, name: str) -> list[bytes]:
        return [value for key, value in self.fields if key == name]

    def count(self, name: str) -> int:
        return sum(key == name for key, _ in self.fields)

    def text(self, name: str, limit: int = 1000) -> str:
        """The field for people: one line, encoded words decoded."""
        return one_line(words_decoded(self.source(name)), limit)

    def source(self, name: str) -> str:
        """The field with its encoded words as they are, for what has to be parsed before it is decoded."""
        return decoded(self.raw(name), None)

    def token(self, name: str) -> str:
        """The value before its parameters, lower case: ``text/plain``."""
        return self.source(name).partition(";")[0].strip().lower()[:200]

    def parameter(self, name: str, key: str) -> str:
        """A parameter of a field, such as ``charset`` of ``content-type``; '' if it is not there (RFC 2231 as well)."""
        source = ";" + self.source(name).partition(";")[2]
        found = {part[1].lower(): _unquoted(part[2].strip()) for part in _PARAMETER.finditer(source)}
        if key in found:
            return one_line(words_decoded(found[key]))
        return one_line(_extended(found, key))


def block_end(data: bytes, start: int = 0, end: int | None = None) -> tuple[int, int]:
    """Where the header block that begins at ``start`` ends, and where the content after the blank line begins."""
    end = len(data) if end is None else end
    if data.startswith((b"\n", b"\r\n"), start):
        return start, min(end, start + (1 if data.startswith(b"\n", start) else 2))
    places = [
        (place, place + len(blank))
        for blank in (b"\n\n", b"\n\r\n", b"\r\r")
        if (place := data.find(blank, start, end)) >= 0
    ]
    return min(places, default=(end, end))


def words_decoded(text: str) -> str:
    """RFC 2047 encoded words made text, the first of them; the others stay as they are."""
    if "=?" not in text:
        return text
    budget = MAX_WORDS
    pieces: list[str] = []
    place = 0
    text = _BETWEEN_WORDS.sub(r"\1\2", text)
    text = _BETWEEN_WORDS.sub(r"\1\2", text)  # a word between two others has been the end of a match
    for found in _WORD.finditer(text):
        if budget == 0:
            break
        budget -= 1
        pieces += [text[place : found.start()], _word(found)]
        place = found.end()
    return clean("".join([*pieces, text[place:]]))


def _word(found: re.Match[str]) -> str:
    charset, kind, coded = found[1].partition("*")[0], found[2].lower(), found[3].encode("ascii", "replace")
    try:
        data = (
            binascii.a2b_base64(coded + b"=" * (-len(coded) % 4))
            if kind == "b"
            else binascii.a2b_qp(coded, header=True)
        )
    except binascii.Error:
        return found[0]
    return decoded(data, charset) if data or not coded else found[0]


def _unfolded(block: bytes) -> Iterator[bytes]:
    """The lines of a block, continuation lines joined."""
    line: list[bytes] = []
    size = 0
    for piece in block.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if piece[:1] in (b" ", b"\t") and line:
            if size < MAX_FIELD_BYTES:
                line.append(b" " + piece.strip())
                size += len(piece)
            continue
        if line:
            yield b"".join(line)
        line, size = [piece], len(piece)
    if line:
        yield b"".join(line)


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    return re.sub(r"\\(.)", r"\1", text[1:].removesuffix('"'))


def _extended(found: dict[str, str], key: str) -> str:
    """``name*=utf-8''na%C3%AFve`` and ``name*0=…; name*1*=…`` (RFC 2231)."""
    if f"{key}*" in found:
        charset, _, rest = found[f"{key}*"].partition("'")
        return decoded(unquote_to_bytes(rest.partition("'")[2]), charset)
    pieces: list[bytes] = []
    charset = ""
    for number in range(100):
        plain, coded = found.get(f"{key}*{number}"), found.get(f"{key}*{number}*")
        if coded is not None:
            if number == 0 and coded.count("'") >= 2:
                charset, _, rest = coded.partition("'")
                coded = rest.partition("'")[2]
            pieces.append(unquote_to_bytes(coded))
        elif plain is not None:
            pieces.append(plain.encode())
        else:
            break
    return decoded(b"".join(pieces), charset)
