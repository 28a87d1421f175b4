"""Plain JSON data: the only thing events, results, conditions and templates are made of."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
from decimal import Decimal
from typing import Any, NoReturn, TypeAlias

import msgspec

from aie.errors import EventError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

MAX_BYTES = 1_048_576
MAX_DEPTH = 50
MAX_INTEGER = 2**63 - 1

_CANONICAL = msgspec.json.Encoder(order="sorted")
# One counted unit of the walk is at most this many bytes of JSON: a long float, or an escape for a character.
_BYTES_PER_UNIT = 25


class _FoundError(Exception):
    """What was found and where, innermost key first."""

    def __init__(self, found: str, hint: str = "") -> None:
        super().__init__(found)
        self.found = found
        self.hint = hint
        self.keys: list[str | int] = []


def parse_json(text: str | bytes, *, where: str = "", max_bytes: int = MAX_BYTES) -> Json:
    """Data from JSON text. Raises EventError for what is not strict JSON, too large or too deep."""
    if isinstance(text, bytes):
        text = _decoded(text, where, max_bytes)
    if len(text) > max_bytes:
        raise _too_large(where, max_bytes)
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys)
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise EventError(message, where=where) from None
    except _FoundError as error:
        raise EventError(f"not strict JSON: {error.found}", where=where, hint=error.hint) from None
    except RecursionError:
        raise EventError(f"nested more than {MAX_DEPTH} levels deep", where=where) from None
    except ValueError:  # the digit limit of int()
        raise EventError("not strict JSON: an integer beyond 64 bits", where=where) from None
    return check_json(value, where=where, max_bytes=max_bytes)


def check_json(value: object, *, where: str = "", max_bytes: int = MAX_BYTES) -> Json:
    """A private deep copy of Python data that is JSON within the limits; tuples, dates and Decimal are converted.

    Anything else raises EventError naming the path from the value inward, such as ``data.items[3].price``.
    """
    walk = _Walk(max_bytes)
    try:
        copy = walk.copy(value, 0)
        if walk.units * _BYTES_PER_UNIT > max_bytes and len(dumps(copy).encode()) > max_bytes:
            raise _too_large(where, max_bytes)
    except _FoundError as error:
        path = path_text(error.keys[::-1]) or "the value"
        raise EventError(f"{path} {error.found}", where=where, hint=error.hint) from None
    return copy


def dumps(value: Json) -> str:
    """The canonical form: compact, keys sorted, equal for equal data. Text that UTF-8 cannot hold gets question marks.

    Plain data only, as :func:`check_json` makes it: NaN would come out as null.
    """
    try:
        return _CANONICAL.encode(value).decode()
    except UnicodeEncodeError:
        # Half of a surrogate pair: file names put it into error messages.
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8", "replace").decode()


def digest(value: Json) -> str:
    """``sha256:`` and the hex digest of the canonical form."""
    return "sha256:" + hashlib.sha256(dumps(value).encode()).hexdigest()


def path_text(keys: list[str | int]) -> str:
    """``items[3].price``, with keys that are not words quoted."""
    text = ""
    for key in keys:
        if isinstance(key, str) and key.isidentifier() and len(key) <= 60:
            text += f".{key}" if text else key
        else:
            text += f"[{shown(key)}]"
    return text


def shown(value: object, limit: int = 60) -> str:
    """A value quoted for a message, shortened."""
    if isinstance(value, str) and len(value) > limit:
        value = value[:limit] + "…"
    text = repr(value)
    return text if len(text) <= limit * 6 else text[:limit] + "…"


class _Walk:
    """One copy in progress; ``units`` counts what was copied so that shared structure cannot multiply."""

    __slots__ = ("max_bytes", "units")

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.units = 0

    def copy(self, value: object, depth: int) -> Json:
        kind = type(value)
        if kind is str:
            return self._text(value)  # type: ignore[arg-type]
        self.units += 1
        if value is None or kind is bool:
            return value  # type: ignore[return-value]
        if kind is int or kind is float:
            return self._number(value)  # type: ignore[arg-type]
        if self.units > self.max_bytes:
            raise _FoundError(f"makes the data larger than {self.max_bytes} bytes")
        if kind is dict:
            return self._dict(value, depth)  # type: ignore[arg-type]
        if kind is list or kind is tuple:
            return self._list(value, depth)  # type: ignore[arg-type]
        return self._converted(value, depth)

    def _number(self, value: int | float) -> int | float:
        if isinstance(value, int):
            if not -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
                raise _FoundError("is an integer beyond 64 bits", "send it as text")
        elif not math.isfinite(value):
            raise _FoundError(f"is {value}, which JSON does not have")
        return value

    def _text(self, text: str) -> str:
        self.units += len(text) + 2
        if self.units > self.max_bytes:
            raise _FoundError(f"makes the data larger than {self.max_bytes} bytes")
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                raise _FoundError("holds half of a surrogate pair, which is not text", "write it in UTF-8") from None
        return text

    def _dict(self, value: dict[object, object], depth: int) -> dict[str, Json]:
        if depth >= MAX_DEPTH:
            raise _FoundError(f"is nested more than {MAX_DEPTH} levels deep")
        copied: dict[str, Json] = {}
        key: object = None
        try:
            for key, item in value.items():
                if type(key) is str:
                    copied[self._text(key)] = self.copy(item, depth + 1)
                elif isinstance(key, str):
                    copied[self._text(str.__str__(key))] = self.copy(item, depth + 1)
                else:
                    raise _FoundError(f"has a key of type {type(key).__name__}; keys are text")
        except _FoundError as error:
            if isinstance(key, str):
                error.keys.append(str.__str__(key))
            raise
        return copied

    def _list(self, value: list[object] | tuple[object, ...], depth: int) -> list[Json]:
        if depth >= MAX_DEPTH:
            raise _FoundError(f"is nested more than {MAX_DEPTH} levels deep")
        copied: list[Json] = []
        try:
            for item in value:
                copied.append(self.copy(item, depth + 1))
        except _FoundError as error:
            error.keys.append(len(copied))
            raise
        return copied

    def _converted(self, value: object, depth: int) -> Json:
        """The plain form of a subclass (an enum member of text, an ordered dict), a date or a Decimal."""
        # The built-in types' own methods are called, so that a subclass cannot run code or answer twice differently.
        if isinstance(value, int | float):
            return self._number(int.__int__(value) if isinstance(value, int) else float.__float__(value))
        if isinstance(value, dict):
            return self._dict(dict(dict.items(value)), depth)
        if isinstance(value, list | tuple):
            plain = list.__iter__(value) if isinstance(value, list) else tuple.__iter__(value)
            return self._list(list(plain), depth)
        if isinstance(value, Decimal) and not value.is_finite():
            raise _FoundError(f"is {value}, which is not a number")
        if isinstance(value, str | Decimal):
            return self._text(str.__str__(value) if isinstance(value, str) else Decimal.__str__(value))
        if isinstance(value, dt.date):
            return self._text(value.isoformat())
        hint = "pass plain data: .model_dump(mode='json')" if hasattr(type(value), "model_dump") else ""
        raise _FoundError(f"is of type {type(value).__name__}, which is not JSON data", hint)


def _decoded(text: bytes, where: str, max_bytes: int) -> str:
    if len(text) > max_bytes:
        raise _too_large(where, max_bytes)
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise EventError(f"not UTF-8 text: byte {error.start + 1} does not belong", where=where) from None


def _too_large(where: str, max_bytes: int) -> EventError:
    return EventError(f"larger than {max_bytes} bytes", where=where, hint="pass a reference to the data instead")


def _refuse_constant(word: str) -> NoReturn:
    raise _FoundError(f"{word} is not a JSON number")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _FoundError(f"the key {shown(twice)} appears twice in one object", "keep one of them")
    return made
