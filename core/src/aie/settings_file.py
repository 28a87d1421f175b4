"""Writing settings into ``aie.toml`` for a person who asked for it; their own lines, order and comments stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable

from aie.config_file import FILE_NAME
from aie.errors import ConfigError
from aie.files import Files


def keep_settings(vault: Path, plugin: str, values: Mapping[str, Any]) -> None:
    """Set keys of ``[plugins.NAME]``; a nested mapping is a table of its own, None takes a key away."""

    def change(document: Any) -> None:
        plugins = _table(document, "plugins", is_super=True)
        _update(_table(plugins, plugin), values)

    what = f"the settings of {plugin} cannot be written"
    _rewrite(vault, change, what, f"put them into [plugins.{plugin}] yourself: {_plain(values)}")


def switch_plugin(vault: Path, plugin: str, *, on: bool) -> None:
    """Take a plugin out of ``[plugins] disabled``, or put it there."""

    def change(document: Any) -> None:
        plugins = _table(document, "plugins", is_super=True)
        names = plugins.setdefault("disabled", tomlkit.array())
        if on:
            while plugin in names:
                names.remove(plugin)
        elif plugin not in names:
            names.append(plugin)

    hint = f"{'take it out of' if on else 'put it into'} the list disabled in [plugins] yourself"
    _rewrite(vault, change, f"the plugin {plugin} cannot be turned {'on' if on else 'off'}", hint)


def _rewrite(vault: Path, change: Callable[[Any], None], what: str, hint: str) -> None:
    path = vault / FILE_NAME
    text = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
    try:
        document = tomlkit.parse(text)
        change(document)
        new = tomlkit.dumps(document)
    except (TOMLKitError, TypeError) as error:
        raise ConfigError(f"{what}: {error}", where=str(path), hint=hint) from None
    if new != text:
        Files().write(path, new.encode())


def _table(parent: Any, name: str, *, is_super: bool = False) -> Any:
    if name not in parent:
        parent[name] = tomlkit.table(is_super)
    if not isinstance(parent[name], AbstractTable) and not isinstance(parent[name], Mapping):
        raise TypeError(f"{name} is not a table")
    return parent[name]


def _update(table: Any, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        elif isinstance(value, Mapping):
            _update(_table(table, key), value)
        elif table.get(key) != value:
            table[key] = value


def _plain(values: Mapping[str, Any]) -> str:
    return tomlkit.dumps({key: value for key, value in values.items() if value is not None}).strip().replace("\n", "; ")
