"""Engines, chosen by name from the entry-point group ``aie.engines``."""

from __future__ import annotations

from typing import Any

from aie.errors import PluginError
from aie.plugins.compatibility import misfit
from aie.plugins.discovery import ENGINES_GROUP, discover
from aie.plugins.guard import BrokenPluginError
from aie.plugins.loading import import_entry_point
from aie.spelling import nearest


def load_engine(name: str) -> Any:
    """The engine class installed under this name. Raises PluginError if there is none, or it cannot be imported."""
    installed = discover(ENGINES_GROUP)
    chosen = [found for found in installed if found.name == name]
    if not chosen:
        names = sorted({found.name for found in installed})
        near = nearest(name, names)
        hint = f"did you mean {near!r}?" if near else "installed are " + (", ".join(names) or "none")
        raise PluginError(f"no engine is named {name!r}", where=ENGINES_GROUP, hint=hint)
    if len(chosen) > 1:
        packages = " and ".join(found.package for found in chosen)
        hint = "uninstall one of them"
        raise PluginError(f"two packages offer an engine named {name!r}: {packages}", where=ENGINES_GROUP, hint=hint)
    package = chosen[0].package
    reason, hint = misfit(chosen[0])
    if reason:
        raise PluginError(f"the engine {name!r} cannot be used: {reason}", where=package, hint=hint)
    try:
        return import_entry_point(chosen[0])
    except BrokenPluginError as error:
        raise BrokenPluginError(
            f"the engine {name!r} of {package} is broken: {error.message}",
            where=package,
            hint=error.hint or f"look for a newer one: aie plugins install --upgrade {package}",
            traceback_text=error.traceback_text,
        ) from None
