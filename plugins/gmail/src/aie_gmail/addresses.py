"""Addresses in a header field: who, by name, and where."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aie_gmail.charsets import one_line
from aie_gmail.headers import words_decoded

MAX_ADDRESSES = 200
_PLAIN = re.compile(r"[^\s<>()\[\],;:\"\\@]{1,64}@[^\s<>()\[\],;:\"\\@]{1,253}")
_LAST_ANGLE = re.compile(r"<([^<>]{1,320})>[^<>]*\Z")


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox. ``name`` is what its owner wrote there: anybody can write anything, another address included."""

    address: str  # bare, domain in lower case; '' if none could be made out
    name: str = ""
    odd: bool = False  # it could only be guessed at


def addresses(field: str) -> list[Address]:
    """The addresses in a field whose encoded words are not decoded yet: a decoded comma would make two of one."""
    found = []
    for piece in _pieces(field):
        address = _address(piece)
        if address is not None:
            found.append(address)
        if len(found) == MAX_ADDRESSES:
            break
    return found


def single(field: str) -> Address:
    """The one address of a From field. Where there seem to be several or none, the last in angle brackets, as odd."""
    found = addresses(field)
    if len(found) == 1 and found[0].address:
        return found[0]
    angle = _LAST_ANGLE.search(field)
    bare = normal(angle[1]) if angle else next((one.address for one in found if one.address), "")
    name = field[: angle.start()] if angle else ""
    return Address(bare, _name(name), odd=True)


def normal(text: str) -> str:
    """A bare address with its domain in lower case; '' if it is none."""
    text = text.strip()
    if not _PLAIN.fullmatch(text):
        return ""
    local, _, domain = text.rpartition("@")
    return f"{local}@{domain.lower().rstrip('.')}"


def same(one: str, other: str) -> bool:
    """Whether two addresses are the same mailbox as far as anybody can tell from outside: case is not told apart."""
    return one.strip().casefold() == other.strip().casefold() != ""


def _address(piece: str) -> Address | None:
    piece = piece.strip()
    if not piece:
        return None
    bare = normal(piece)
    if bare:
        return Address(bare)
    before, angle, rest = piece.rpartition("<")
    if angle and not _open_quote(before):
        inner = rest.partition(">")[0]
        return Address(normal(inner.rpartition(":")[2]), _name(before), odd=not normal(inner))
    found = _PLAIN.search(re.sub(r"\([^()]*\)", " ", piece))
    comment = re.search(r"\(([^()]*)\)", piece)
    return Address(normal(found[0]) if found else "", _name(comment[1] if comment else ""), odd=comment is None)


def _name(text: str) -> str:
    text = text.strip()
    if text.startswith('"'):
        text = re.sub(r"\\(.)", r"\1", text[1:].removesuffix('"'))
    return one_line(words_decoded(text), 200)


def _open_quote(text: str) -> bool:
    return len(re.findall(r'(?<!\\)"', text)) % 2 == 1


def _pieces(field: str) -> list[str]:
    """The field cut at the commas that part addresses, group names taken off."""
    pieces: list[str] = []
    start, quoted, depth, angle = 0, False, 0, False
    place = 0
    while place < len(field):
        char = field[place]
        if char == "\\":
            place += 1
        elif char == '"' and not depth:
            quoted = not quoted
        elif not quoted:
            depth = max(0, depth + (char == "(") - (char == ")"))
            if not depth and char in "<>":
                angle = char == "<"
            if not depth and not angle and char in ",;:":
                if char != ":":
                    pieces.append(field[start:place])
                start = place + 1
        place += 1
    return [*pieces, field[start:]]
