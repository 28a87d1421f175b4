"""A scratch vault: its ``aie.toml``, and the plugins that are loaded for it. Nothing outside its folder is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomlkit

from aie.config import Config
from aie.config_file import FILE_NAME
from aie.errors import PluginError
from aie.plugin_tables import CORE
from aie.plugins import PLUGINS_GROUP, PluginState, Registry, discover

ENVIRONMENT = {"AIE_KEYRING": "off"}  # the whole of it: a test does not depend on the variables of whoever runs it

Plugins = str | Sequence[str] | Mapping[str, object]


def given_objects(plugins: Plugins) -> Mapping[str, object]:
    """The plugins that were handed over, by name; an installed one is known by its name alone."""
    return dict(plugins) if isinstance(plugins, Mapping) else {}


def names_of(plugins: Plugins) -> tuple[str, ...]:
    """The names of the plugins, without core's."""
    names = (plugins,) if isinstance(plugins, str) else tuple(plugins)
    return tuple(name for name in names if name != CORE)


def write_settings(folder: Path, plugins: Plugins, settings: Mapping[str, Mapping[str, Any]], timezone: str) -> Path:
    """Make the vault with these settings, its state beside it, every other installed plugin turned off."""
    vault = folder / "vault"
    (vault / "workflows").mkdir(parents=True, exist_ok=True)
    wanted = {CORE, *names_of(plugins)}
    others = sorted({found.name for found in discover(PLUGINS_GROUP)} - wanted)
    tables = {name: _writable(table) for name, table in settings.items()}
    own = tables.pop(CORE, {})
    document = {"timezone": timezone, "state_dir": "../state", **own, "plugins": {"disabled": others, **tables}}
    (vault / FILE_NAME).write_text(tomlkit.dumps(document), encoding="utf-8")
    return vault


def load(vault: Path, plugins: Plugins) -> tuple[Config, Registry]:
    """The vault's settings, and the registry with the plugins. Raises PluginError when one of them cannot be used."""
    config = Config.load(vault, ENVIRONMENT)
    registry = Registry.load(config, extra=given_objects(plugins))
    for name in names_of(plugins):
        info = registry.info(name)
        if info.state is not PluginState.OK:
            error = PluginError(f"the plugin {name!r} is {info.state}: {info.reason}", where=name, hint=info.hint)
            if info.traceback_text:
                error.add_note(info.traceback_text)
            raise error
    return config, registry


def _writable(value: Any) -> Any:
    """The value as TOML has it: a path is text, and what is not set is not there."""
    if isinstance(value, Mapping):
        return {name: _writable(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, (list, tuple)):
        return [_writable(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value
