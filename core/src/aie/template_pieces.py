"""Simple texts: those of nothing but literals and placeholders like ``{{ event.data.amount }}``, split into these.

A placeholder may have one filter that needs no argument: ``{{ event.data.amount | money }}``. Most texts of most
workflows are that simple. They are read and filled in here without Jinja, to the same result. Whatever is not so
simple, and whatever does not go smoothly when it is filled in, is left to Jinja, which also says what an error is.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from aie.plain import Json
from aie.references import Path, References
from aie.template_filters import FILTERS
from aie.template_rendering import Rendering

# Together well below the number of parts that Jinja's texts may have.
MAX_PLACEHOLDERS = 30
_MAX_LINKS = 12
_LONG = 10_000

# A part of what Jinja takes, chosen so that there is nothing in it that Jinja could read in another way.
_LINK = r"""\.[A-Za-z][A-Za-z0-9_]*|\['[\w .-]+'\]|\["[\w .-]+"\]|\[(?:0|[1-9][0-9]{0,3})\]"""
_PLACEHOLDER = re.compile(rf"""\{{\{{ *([A-Za-z][A-Za-z0-9_]*)((?:{_LINK})*)(?: *\| *([a-z]+))? *\}}\}}""")
_LINKS = re.compile(_LINK)
_MORE_THAN_TEXT = re.compile(r"\{\{|\{%|\{#|\r|\{\Z")


Way = tuple[str | int, ...]  # to a value: a name, then keys and indexes


class UnsureError(Exception):
    """This is for Jinja."""


@dataclass(frozen=True, slots=True)
class Filtered:
    """The way to a value, and the filter that it goes through."""

    way: Way
    function: Callable[..., Any]

    def value(self, scope: Any, rendering: Rendering) -> Any:
        rendering.spend(1)
        return self.function(rendering, reduce(operator.getitem, self.way, scope))


@dataclass(frozen=True, slots=True)
class Pieces:
    """Literals, and between them what is filled in."""

    parts: tuple[str | Way | Filtered, ...]

    @classmethod
    def of(cls, source: str, names: frozenset[str]) -> Pieces | None:
        """None when the text is for Jinja: it is not simple, or something is wrong with it."""
        split = _PLACEHOLDER.split(source)  # a literal, a name, its links and a filter in turn; a literal at the end
        literals = split[::4]
        if len(literals) > MAX_PLACEHOLDERS or any(map(_MORE_THAN_TEXT.search, literals)):
            return None
        parts: list[str | Way | Filtered] = []
        for literal, name, chain, word in zip(literals, split[1::4], split[2::4], split[3::4], strict=False):
            links = _LINKS.findall(chain)
            function, arguments = FILTERS.get(word, (None, ()))
            if name not in names or len(links) > _MAX_LINKS or arguments or (word and function is None):
                return None
            way = (name, *map(_key, links))
            parts += (literal, way if function is None else Filtered(way, function))
        return cls(tuple(part for part in (*parts, literals[-1]) if part))

    @property
    def references(self) -> References:
        """Each way as far as it is one of keys; a value is required at all of them."""
        ways = (part.way if isinstance(part, Filtered) else part for part in self.parts if not isinstance(part, str))
        paths = frozenset(map(_path, ways))
        return References(paths, paths)

    @property
    def is_lone(self) -> bool:
        return len(self.parts) == 1 and not isinstance(self.parts[0], str)

    @property
    def is_lone_path(self) -> bool:
        return len(self.parts) == 1 and isinstance(self.parts[0], tuple)

    def value(self, scope: Mapping[str, Json], rendering: Rendering) -> Any:
        """What a lone placeholder stands for, as it is in the scope. Raises anything when it is not there."""
        data: Any = scope
        part: Any = self.parts[0]
        return part.value(data, rendering) if isinstance(part, Filtered) else reduce(operator.getitem, part, data)

    def text(self, scope: Mapping[str, Json], rendering: Rendering) -> str:
        """The text filled in. Raises anything when a value is not there, or is long, or no scalar."""
        data: Any = scope
        texts: list[str] = []
        for part in self.parts:
            if type(part) is str:
                texts.append(part)
                continue
            value = part.value(data, rendering) if isinstance(part, Filtered) else reduce(operator.getitem, part, data)
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
