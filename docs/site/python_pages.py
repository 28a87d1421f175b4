"""The page on ``import aie``: its names, the hooks, and what ships for tests, from their docstrings."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from enum import StrEnum

import pluggy

import aie
from aie import hookspecs

_INNER = "bool | int | float | str | list[Json] | dict[str, Json] | None"
_JSON = f"bool | int | float | str | list[{_INNER}] | dict[str, {_INNER}] | None"  # aie.plain.Json, written out
_WHERE_FROM = re.compile(r"~(?:\w+\.)+")


def short_signature(
    app: object, what: str, name: str, obj: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """The same signature with ``Json`` for plain data, and names without the modules they are from."""
    return _short(signature), _short(returns)


def _short(text: str | None) -> str | None:
    return text and _WHERE_FROM.sub("", text).replace(_JSON, "Json")


def python_page() -> Iterator[str]:
    """reStructuredText, which the docstrings are written in."""
    yield from _title("In Python", "=")
    yield "What ``import aie`` gives; everything else may change without notice. ``Json`` is what JSON can say."
    for name in aie.__all__:
        yield from _title(name, "-")
        if isinstance(getattr(aie, name), pluggy.HookimplMarker):
            yield "Marks a function of a plugin as the answer to a hook, as in ``@hookimpl``."
        elif isinstance(getattr(aie, name), type):
            members = "   :undoc-members:" if issubclass(getattr(aie, name), StrEnum) else ""
            yield from (f".. autoclass:: aie.{name}", "   :members:", members)
        else:
            yield f".. autodata:: aie.{name}"
    yield from _title("Hooks", "-")
    yield (hookspecs.__doc__ or "").strip()
    for name in vars(hookspecs):
        if name.startswith("aie_"):
            yield from ("", f".. autofunction:: aie.hookspecs.{name}")
    if importlib.util.find_spec("aie.testing"):
        yield from _title("aie.testing", "-")
        yield from (".. automodule:: aie.testing", "   :members:", "   :imported-members:")


def _title(text: str, line: str) -> Iterator[str]:
    yield from ("", text, line * len(text), "")
