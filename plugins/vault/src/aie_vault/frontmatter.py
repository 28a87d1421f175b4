"""Front matter: read as YAML, written line by line so that everything aie did not write stays as it was."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from aie.plain import Json

MAX_CHARS = 65_536
_MAX_VALUES = 10_000
_MAX_DEPTH = 20
_MAX_INTEGER = 2**63 - 1
_BOM = "\ufeff"
_BLOCK = re.compile(r"---[ \t]*(\r\n|\n|\r)(.*?)(?<=[\r\n])(---|\.\.\.)[ \t]*(?:\r\n|\n|\r|\Z)", re.DOTALL)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+\Z")
_KEY = re.compile(r"([A-Za-z_][\w-]*):(?:[ \t]+(.*?))?[ \t]*")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*|\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2})?")
_SIMPLE = re.compile(
    r"""(?xa)
    (?: ([A-Za-z_]\w*):                                                        # a key, with
        (?: [ ] (?: ([A-Za-z][\w./-]*|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)        # a word or a time,
                  | "([ !\#-\[\]-~]*)" ) )?                                     # quoted text, or nothing
      | [ ]{2}-[ ]([A-Za-z][\w./-]*) )?                                       # or an item of the list before it
    """
)
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The properties of a note. ``broken``: not YAML, so the values are what single lines ``key: text`` say."""

    values: Mapping[str, Json]
    present: bool = True
    broken: bool = False


def read(text: str) -> FrontMatter:
    """The properties at the top of the text; none, and not ``present``, when it does not start with ``---``."""
    text = text.removeprefix(_BOM)
    first = _LINE.match(text)
    if first is None or first[0].rstrip() != "---":
        return FrontMatter({}, present=False)
    found = _BLOCK.match(text[: MAX_CHARS + 10])
    if found is None:  # no end: half-written, or too long
        return FrontMatter(_by_line(text[:MAX_CHARS]), broken=True)
    try:
        return FrontMatter(_parsed(found[2]))
    except Exception:
        return FrontMatter(_by_line(found[2]), broken=True)


def body(text: str) -> str:
    """What follows the front matter; the whole text when there is none."""
    text = text.removeprefix(_BOM)
    found = _BLOCK.match(text)
    return text[found.end() :] if found else text


def with_keys(text: str, values: Mapping[str, str]) -> str:
    """The text with these keys set to YAML already written (see :func:`scalar`), each on a line of its own.

    Only the lines of these keys change, what they held over several lines included; new keys go to the end of the
    front matter. Line ends and a BOM stay. A text without front matter gets one.
    """
    mark = _BOM if text.startswith(_BOM) else ""
    text = text.removeprefix(_BOM)
    found = _BLOCK.match(text)
    if found is None:
        newline = "\r\n" if "\r\n" in text else "\n"
        lines = [_set(key, value) for key, value in values.items()]
        return mark + newline.join(["---", *lines, "---", "", ""]) + text
    newline = found[1]
    lines = _LINE.findall(found[2])
    starts = [number for number, line in enumerate(lines) if _top_level(line)]
    ends = [after for _, after in pairwise([*starts, len(lines)])]
    changed = lines[: starts[0]] if starts else lines
    left = dict(values)
    for start, end in zip(starts, ends, strict=True):
        key = _key_of(lines[start])
        if key not in values:
            changed += lines[start:end]
        elif key in left:
            changed.append(_set(key, left.pop(key)) + newline)
            changed += [line for line in lines[start + 1 : end] if line.lstrip().startswith("#")]
    changed += [_set(key, value) + newline for key, value in left.items()]
    return mark + text[: found.start(2)] + "".join(changed) + text[found.end(2) :]


def scalar(value: str) -> str:
    """Text as YAML on one line: plain where that cannot be mistaken for anything else, quoted otherwise."""
    if not value or (_PLAIN.fullmatch(value) and value.lower() not in _WORDS):
        return value
    return '"' + "".join(_quoted(char) for char in value) + '"'


def quoted(value: str) -> str:
    """Text as YAML in double quotes, whatever it is."""
    return '"' + "".join(_quoted(char) for char in value) + '"'


def _quoted(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable() and char != _BOM:
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _set(key: str, value: str) -> str:
    return f"{key}: {value}" if value else f"{key}:"


def _top_level(line: str) -> bool:
    return bool(line.strip()) and line[0] not in " \t#-"


def _key_of(line: str) -> str:
    return line.split(":", 1)[0].strip().strip("\"'")


def _by_line(text: str) -> dict[str, Json]:
    values: dict[str, Json] = {}
    for line in _LINE.findall(text):
        found = _KEY.fullmatch(line.rstrip("\r\n"))
        if found and found[1] not in values:
            values[found[1]] = (found[2] or "").strip("\"'")
    return values


def _simple(text: str) -> dict[str, Json] | None:
    """The properties where each is a word, a date, quoted text or a list of words, as in aie's own notes; else None.

    The same as the YAML parser says, a hundred times faster: ten thousand notes are read in a second.
    """
    values: dict[str, Json] = {}
    last = ""
    words: list[Json] | None = None
    for line in text.split("\n"):
        found = _SIMPLE.fullmatch(line.removesuffix("\r"))
        if found is None:
            return None
        key, word, quotation, item = found.groups()
        if word is not None and word[0].isdigit() and not _is_time(word):
            return None
        if item is not None and words is not None and item.lower() not in _WORDS:
            values[last] = words = [*words, item]
        elif key is not None and key not in values and (word or "").lower() not in _WORDS:
            last, words = key, ([] if word is None and quotation is None else None)
            values[key] = word if word is not None else quotation
        elif line.strip():
            return None
    return values


def _is_time(word: str) -> bool:
    try:
        dt.datetime.fromisoformat(word)
    except ValueError:
        return False
    return True


def _parsed(text: str) -> dict[str, Json]:
    simple = _simple(text)
    if simple is not None:
        return simple
    # Imported here because the command line loads this package without reading a note, and the parser is slow to load.
    from ruamel.yaml import YAML  # noqa: PLC0415

    loaded = YAML(typ="safe", pure=True).load(text)
    if loaded is None:
        return {}
    plain = _Plain().of(loaded, 0)
    if not isinstance(plain, dict):
        raise TypeError("the front matter is not a set of properties")
    return plain


class _Plain:
    """YAML values as JSON, counted: a few aliases can stand for billions of values."""

    def __init__(self) -> None:
        self._left = _MAX_VALUES

    def of(self, value: object, depth: int) -> Json:
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            raise ValueError("more values than front matter may have")
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, dict):
            return {self._key(key): self.of(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple, set)):
            return [self.of(item, depth + 1) for item in value]
        if isinstance(value, (int, float)) and math.isfinite(value) and abs(value) <= _MAX_INTEGER:
            return value
        return value.isoformat() if isinstance(value, dt.date) else str(value)  # datetime is a date too

    def _key(self, key: object) -> str:
        plain = self.of(key, 0)
        return plain if isinstance(plain, str) else str(plain)
