"""What every rendering of a template keeps to: how much it may take, and what it says of a value that is not there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aie.operations import Budget, OperationError, kind
from aie.plain import MAX_INTEGER, Json, check_json, path_text
from aie.references import Path, listed_keys, nearest

MAX_TEXT = 262_144
MAX_ROUNDS = 10_000
NOWHERE: Any = object()  # in place of the data that was asked, for a name that stands for nothing

_SHORT = 10_000


class MissingValueError(OperationError):
    """A value that is not there was needed; ``holder`` is the data that was asked for it, or :data:`NOWHERE`."""

    def __init__(self, holder: object, key: object) -> None:
        super().__init__(f"there is no {key!r}")
        self.holder = holder
        self.key = key

    def described(self, scope: Mapping[str, Json], paths: Iterable[Path]) -> tuple[str, str]:
        """A message that names where the value was looked for and what is there, and a hint."""
        base = _place_of(self.holder, scope) or self._static_base(scope, paths)
        if isinstance(self.holder, dict):
            hint = nearest(self.key, self.holder) if isinstance(self.key, str) else ""
            return f"{base or 'the mapping'} has no {self.key!r}; it has: {listed_keys(self.holder)}", hint
        if isinstance(self.holder, list):
            return f"{base or 'the list'} has no item {self.key!r}; it has {len(self.holder)} items", ""
        if self.holder is NOWHERE:
            return f"there is no {self.key!r} here; there is: {listed_keys(scope)}", ""
        return f"{base or 'the value'} is {kind(self.holder)}, so it has no {self.key!r}", ""

    def _static_base(self, scope: Mapping[str, Json], paths: Iterable[Path]) -> str:
        """For a holder that is no container: the written path that leads to it."""
        for path in sorted(paths):
            value: Any = scope
            for depth, key in enumerate(path):
                if not isinstance(value, Mapping):
                    if value is self.holder and key == self.key:
                        return path_text(list(path[:depth]))
                    break
                if key not in value:
                    break
                value = value[key]
        return ""


class Rendering(Budget):
    """The counters of one template being rendered, shared by all its texts."""

    __slots__ = ("length", "rounds")

    def __init__(self) -> None:
        # Not super().__init__(): one of these is made for every rendering.
        self.max_text = MAX_TEXT
        self.max_items = MAX_ROUNDS
        self.work = 0
        self.length = 0
        self.rounds = 0

    def loop(self, rounds: int) -> None:
        self.rounds += rounds
        if self.rounds > MAX_ROUNDS:
            raise OperationError(f"the loops of this template take more than {MAX_ROUNDS} rounds")

    def taken(self, piece: str) -> str:
        """A piece of text that becomes part of the result, if that does not get too long."""
        self.length += len(piece)
        if self.length > MAX_TEXT:
            raise OperationError(f"the texts would be longer than {MAX_TEXT} characters")
        return piece

    def copied(self, value: Any) -> Json:
        """A private copy of a value that becomes part of the result, charged for; EventError if it is not JSON."""
        kind = type(value)
        if kind is str and len(value) <= _SHORT and value.isascii():
            self.spend_text(len(value))
            return str(value)
        if kind is bool or value is None or (kind is int and abs(value) <= MAX_INTEGER):
            self.spend(1)
            return value  # type: ignore[no-any-return]
        self.weigh(value)
        return check_json(value)


def _place_of(holder: object, scope: Mapping[str, Json]) -> str:
    """The path at which a mapping or list stands in the scope."""
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), scope)]
    while stack and isinstance(holder, dict | list):
        path, value = stack.pop()
        if value is holder and path:
            return path_text(list(path))
        if isinstance(value, Mapping):
            stack.extend(((*path, key), each) for key, each in value.items() if isinstance(each, dict | list))
        elif isinstance(value, list):
            stack.extend(((*path, index), each) for index, each in enumerate(value) if isinstance(each, dict | list))
    return ""
