"""Simple texts: those of nothing but literals and placeholders like ``{{ event.data.amount }}``, split into these.

Most texts of most workflows are that simple. They are read and filled in here without Jinja, to the same result.
Whatever is not so simple, and whatever does not go smoothly when it is filled in, is left to Jinja, which also says
what an error is.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from aie.plain import Json
from aie.references import Path, References

# Together well below the number of parts that Jinja's texts may have.
MAX_PLACEHOLDERS = 30
_MAX_LINKS = 12
_LONG = 10_000

# A part of what Jinja takes, chosen so that there is nothing in it that Jinja could read in another way.
_LINK = r"""\.[A-Za-z][A-Za-z0-9_]*|\['[\w .-]+'\]|\["[\w .-]+"\]|\[(?:0|[1-9][0-9]{0,3})\]"""
_PLACEHOLDER = re.compile(rf"""\{{\{{ *([A-Za-z][A-Za-z0-9_]*)((?:{_LINK})*) *\}}\}}""")
_LINKS = re.compile(_LINK)
_MORE_THAN_TEXT = re.compile(r"\{\{|\{%|\{#|\r|\{\Z")


class UnsureError(Exception):
    """This is for Jinja."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Literals, and between them the ways to values: a name, then keys and indexes."""

    parts: tuple[str | tuple[str | int, ...], ...]

    @classmethod
    def of(cls, source: str, names: frozenset[str]) -> Pieces | None:
        """None when the text is for Jinja: it is not simple, or something is wrong with it."""
        split = _PLACEHOLDER.split(source)  # a literal, a name and its links in turn; a literal at the end
        literals = split[::3]
        if len(literals) > MAX_PLACEHOLDERS or any(map(_MORE_THAN_TEXT.search, literals)):
            return None
        parts: list[str | tuple[str | int, ...]] = []
        for literal, name, chain in zip(literals, split[1::3], split[2::3], strict=False):
            links = _LINKS.findall(chain)
            if name not in names or len(links) > _MAX_LINKS:
                return None
            parts += (literal, (name, *map(_key, links)))
        return cls(tuple(part for part in (*parts, literals[-1]) if part))

    @property
    def references(self) -> References:
        """Each way as far as it is one of keys; a value is required at all of them."""
        paths = frozenset(_path(part) for part in self.parts if not isinstance(part, str))
        return References(paths, paths)

    @property
    def is_lone(self) -> bool:
        return len(self.parts) == 1 and not isinstance(self.parts[0], str)

    def value(self, scope: Mapping[str, Json]) -> Any:
        """What a lone placeholder stands for, as it is in the scope. Raises anything when it is not there."""
        data: Any = scope
        return reduce(operator.getitem, self.parts[0], data)

    def text(self, scope: Mapping[str, Json]) -> str:
        """The text filled in. Raises anything when a value is not there, or is long, or no scalar."""
        data: Any = scope
        texts: list[str] = []
        for part in self.parts:
            if type(part) is str:
                texts.append(part)
                continue
            value = reduce(operator.getitem, part, data)
            kind = type(value)
            if kind is str and len(value) <= _LONG:
                texts.append(value)
            elif kind is int or kind is float or kind is bool:
                texts.append(str(value))
            elif value is not None:
                raise UnsureError
        return "".join(texts)


def _key(link: str) -> str | int:
    if link[0] == ".":
        return link[1:]
    return int(link[1:-1]) if link[1].isdecimal() else link[2:-2]


def _path(way: tuple[str | int, ...]) -> Path:
    path: list[str] = []
    for key in way:
        if not isinstance(key, str):
            break
        path.append(key)
    return tuple(path)
