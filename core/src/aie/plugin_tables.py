"""What ``aie.toml`` and the environment say about plugins: their settings, and which may be used."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

from aie.config_file import ConfigFile
from aie.errors import ConfigError
from aie.spelling import nearest

CORE = "core"
CORE_TABLES = ("schedules", "scripts", "logs", "approvals")
_SETTING_VARIABLE = re.compile(r"AIE_([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)__([A-Z0-9_]+)")


def plugin_tables(file: ConfigFile) -> tuple[dict[str, dict[str, Any]], frozenset[str]]:
    plugins = dict(file.table("plugins"))
    disabled = frozenset(file.texts("plugins.disabled", plugins.pop("disabled", [])))
    if CORE in disabled:
        hint = "take it out of the list: waiting, approvals and schedules come from it"
        raise file.error("plugins.disabled", "the plugin 'core' cannot be turned off", hint)
    for name, table in plugins.items():
        if not isinstance(table, dict):
            near = nearest(name, ["disabled"])
            hint = f"did you mean {near!r}?" if near else f"write it as [plugins.{name}] on a line of its own"
            message = f"plugins.{name} is a plugin's table, found a {type(table).__name__}"  # its value may be a secret
            raise file.error(f"plugins.{name}", message, hint)
    if CORE in plugins:
        hint = "write them at the top level: " + ", ".join(f"[{name}]" for name in CORE_TABLES)
        raise file.error("plugins.core", "the settings of 'core' are not in a table of their own", hint)
    own = {name: file.data[name] for name in CORE_TABLES if name in file.data}
    return {**plugins, CORE: own} if own else plugins, disabled


def overrides(env: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {}
    for variable, text in sorted(env.items()):
        found = _SETTING_VARIABLE.fullmatch(variable)
        if not found or not text:
            continue
        table = tables.setdefault(found[1].lower(), {})
        *outer, last = found[2].lower().split("__")
        for name in outer:
            inner = table.setdefault(name, {})
            if not isinstance(inner, dict):
                raise ConfigError(
                    f"{variable} is a setting within one that another variable sets as a whole",
                    where=variable,
                    hint="unset one of the two",
                )
            table = inner
        table[last] = _value(variable, text)
    return tables


def _value(variable: str, text: str) -> Any:
    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f" at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
        message = f"{variable} starts like JSON and is not{place}"  # its value may be a secret
        raise ConfigError(message, where=variable, hint='write lists as ["a", "b"], tables as {"a": 1}') from None


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(dict(below))
    for key, value in above.items():
        under = result.get(key)
        both = isinstance(value, dict) and isinstance(under, dict)
        result[key] = merged(under, value) if both and isinstance(under, dict) else copy.deepcopy(value)
    return result
