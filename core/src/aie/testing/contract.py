"""The contract that every plugin keeps, as one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any

from aie.plain import Json
from aie.testing.home import Home
from aie.testing.report import Report

NOTHING: Mapping[str, Any] = MappingProxyType({})


def contract(
    plugin: str | Mapping[str, object],
    *,
    settings: Mapping[str, Any] = NOTHING,
    credentials: Mapping[str, str] = NOTHING,
    prepare: Callable[[Home], object] | None = None,
    state: Callable[[], Json] | None = None,
    stalled: Callable[[], AbstractContextManager[object]] | None = None,
    params: Mapping[str, Callable[[Home], Mapping[str, Json]]] = NOTHING,
) -> Report:
    """Examine the plugin, and raise an AssertionError that lists every violation; otherwise the report.

    The arguments are those of :func:`examine`.
    """
    report = examine(
        plugin, settings=settings, credentials=credentials, prepare=prepare, state=state, stalled=stalled, params=params
    )
    if not report.ok:
        raise AssertionError(report.text())
    return report


def examine(
    plugin: str | Mapping[str, object],
    *,
    settings: Mapping[str, Any] = NOTHING,
    credentials: Mapping[str, str] = NOTHING,
    prepare: Callable[[Home], object] | None = None,
    state: Callable[[], Json] | None = None,
    stalled: Callable[[], AbstractContextManager[object]] | None = None,
    params: Mapping[str, Callable[[Home], Mapping[str, Json]]] = NOTHING,
) -> Report:
    """What the plugin says of itself and how it behaves, check by check, without raising.

    ``plugin`` is the name of an installed one, or a mapping from its name to its object. ``settings`` and
    ``credentials`` are its own; no secret among the latter may appear in what the plugin writes or says.

    Without ``state`` nothing of the plugin is carried out but its hooks. With it every action is tried with its example
    against the stand-in of the service that the settings lead to: ``state`` gives what that stand-in has, as plain
    data, so that it can be seen that nothing was touched, or nothing twice. ``stalled`` makes a context in which the
    stand-in takes connections and never answers. ``prepare`` is called with each new Home, before anything is tried in
    it, and ``params`` has, by action, what to try it with instead of its example: a function that makes what the
    parameters name, in the stand-in or the vault, and gives them.
    """
    raise NotImplementedError
