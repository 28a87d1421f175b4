"""What ``aie.toml`` and the environment say about plugins: their settings, and which may be used."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aie.config_file import ConfigFile
from aie.errors import ConfigError
from aie.spelling import nearest

CORE = "core"
CORE_TABLES = ("schedules", "scripts", "logs", "approvals")
_LISTS = ("disabled", "allow", "allow_publishers")
RESERVED = (*_LISTS, "files")  # keys of [plugins] that are not the table of a plugin
_SETTING_VARIABLE = re.compile(r"AIE_([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)__([A-Z0-9_]+)")


@dataclass(frozen=True, slots=True)
class PluginTables:
    """``[plugins]``: which plugins may be used, and the settings of each, core's own included."""

    tables: Mapping[str, dict[str, Any]]
    disabled: frozenset[str] = frozenset()
    allow: frozenset[str] | None = None  # names of plugins and of packages; None: there is no such list
    allow_publishers: frozenset[str] | None = None
    files: Mapping[str, str] = field(default_factory=dict)  # name → path, as written

    @classmethod
    def read(cls, file: ConfigFile) -> PluginTables:
        """Raises ConfigError for what cannot be meant."""
        plugins = dict(file.table("plugins"))
        said = {name: plugins.pop(name) for name in RESERVED if name in plugins}
        lists = {name: frozenset(file.texts(f"plugins.{name}", said[name])) for name in _LISTS if name in said}
        if CORE in lists.get("disabled", ()):
            hint = "take it out of the list: waiting, approvals and schedules come from it"
            raise file.error("plugins.disabled", "the plugin 'core' cannot be turned off", hint)
        _refuse_others(file, plugins)
        own = {name: file.data[name] for name in CORE_TABLES if name in file.data}
        return cls(
            tables={**plugins, CORE: own} if own else plugins,
            disabled=lists.get("disabled", frozenset()),
            allow=lists.get("allow"),
            allow_publishers=lists.get("allow_publishers"),
            files=_files(file, said.get("files", {})),
        )


def _refuse_others(file: ConfigFile, plugins: Mapping[str, object]) -> None:
    """Whatever is in ``[plugins]`` beside the lists is the table of a plugin, and not of core."""
    for name, table in plugins.items():
        if not isinstance(table, dict):
            near = nearest(name, RESERVED)
            hint = f"did you mean {near!r}?" if near else f"write it as [plugins.{name}] on a line of its own"
            message = f"plugins.{name} is a plugin's table, found a {type(table).__name__}"  # its value may be a secret
            raise file.error(f"plugins.{name}", message, hint)
    if CORE in plugins:
        hint = "write them at the top level: " + ", ".join(f"[{name}]" for name in CORE_TABLES)
        raise file.error("plugins.core", "the settings of 'core' are not in a table of their own", hint)


def _files(file: ConfigFile, said: object) -> dict[str, str]:
    if not isinstance(said, dict):
        raise file.wrong("plugins.files", said, "a table", 'write it as files = { greet = "plugins/greet.py" }')
    for name, path in said.items():
        if name == CORE or not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in RESERVED:
            hint = "a name is a lower-case letter, then lower-case letters, digits and underscores, and not taken"
            raise file.error(f"plugins.files.{name}", f"{name!r} cannot be the name of a plugin", hint)
        if not isinstance(path, str) or not path.endswith(".py"):
            hint = f'for example: {name} = "plugins/{name}.py"'
            raise file.wrong(f"plugins.files.{name}", path, "the path of a file of Python", hint)
    return dict(said)


def overrides(env: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The settings that variables have, by plugin. Raises ConfigError for two that contradict each other."""
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
    """A copy in which ``above`` wins, table by table."""
    result = copy.deepcopy(dict(below))
    for key, value in above.items():
        under = result.get(key)
        both = isinstance(value, dict) and isinstance(under, dict)
        result[key] = merged(under, value) if both and isinstance(under, dict) else copy.deepcopy(value)
    return result
