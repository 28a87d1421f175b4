"""Configuration: ``aie.toml`` at the vault's root, and the environment on top of it.

Environment variables win over the file:

- ``AIE_VAULT``: the vault, instead of looking for ``aie.toml`` upward from the current folder;
- ``AIE_STATE_DIR``, ``AIE_TIMEZONE``, ``AIE_MAX_RUNS``: the keys ``state_dir``, ``timezone``, ``max_runs``;
- ``AIE_KEYRING``: ``off`` keeps credentials in files even where the system has a keyring;
- ``AIE_<PLUGIN>__<FIELD>``: one setting of a plugin, ``AIE_<PLUGIN>__<TABLE>__<FIELD>`` one within a table of it. A
  value that starts with ``[`` or ``{`` is read as JSON, anything else is text. The plugin of the top-level tables
  ``schedules``, ``scripts``, ``logs`` and ``approvals`` is ``core``.

An empty variable counts as not set. Relative paths, in either place, start at the vault.
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import json
import os
import platform
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import platformdirs
import tzlocal

from aie.errors import ConfigError
from aie.plain import MAX_BYTES

FILE_NAME = "aie.toml"
CORE = "core"
CORE_TABLES = ("schedules", "scripts", "logs", "approvals")
DEFAULT_MAX_RUNS = 64
DEFAULT_STARTS_PER_MINUTE = 600
DEFAULT_ENGINE = "sqlite"
_KEYS = (
    "timezone",
    "workflow_folders",
    "state_dir",
    "engine",
    "max_runs",
    "max_event_bytes",
    "starts_per_minute",
    "retention",
    "actions",
    "plugins",
    *CORE_TABLES,
)
_VARIABLES = ("AIE_VAULT", "AIE_STATE_DIR", "AIE_TIMEZONE", "AIE_MAX_RUNS", "AIE_KEYRING")
_SETTING_VARIABLE = re.compile(r"AIE_([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)__([A-Z0-9_]+)")
_SYNCED = re.compile(
    r"(onedrive|dropbox|google ?drive|my drive|icloud ?drive|cloudstorage|nextcloud)( |-|$)"
    r"|(mobile documents|com~apple~clouddocs)$",
    re.IGNORECASE,
)

DEFAULT_TOML = """\
# Settings of this vault. Every line is optional; environment variables such as AIE_TIMEZONE win over it.
# Passwords and tokens do not belong in this file: keep them in the environment or in the system's keyring.

# The time zone of schedules and of times without a zone. Without it: the time zone of this computer.
# timezone = "Europe/Berlin"

# Where the workflow files are, relative to this folder.
# workflow_folders = ["workflows"]

# Where the journal lives. Keep it out of synced folders: they corrupt databases.
# state_dir = "/var/lib/aie"

# Which engine carries runs out; plugins may bring others.
# engine = "sqlite"

# How many runs may be under way at once.
# max_runs = 64

# When one workflow, or one source of events, starts more runs than this within a minute, the others wait until you
# say go on: aie runs release. 0 turns it off.
# starts_per_minute = 600

# How much of the past is kept. What has not ended is kept in any case; the rest goes, oldest first, whichever limit is
# reached first: days since it ended, number of runs, size of the journal. Logs/audit is kept until audit_days is set.
[retention]
# days = 400
# runs = 1000000
# size_mb = 5000
# audit_days = 3650

# Which plugin is meant when two of them offer an action of the same name.
[actions]
# create_file = "vault"

# A request that nobody answers is rejected after this time. Rules say what needs no question, or a stronger one:
# aie approvals rules --help
[approvals]
# expires_after = "7 days"

# Installed plugins that should stay off.
[plugins]
disabled = []

# Every plugin has a table of its own; `aie plugins show vault` lists its settings.
[plugins.vault]
watch = ["Inbox"]

# A schedule emits the event scheduled_trigger: minute, hour, day of month, month, day of week.
[schedules.morning]
cron = "0 8 * * *"
"""


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that looks most like this one, or ''."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else ""


def find_vault(start: Path, env: Mapping[str, str] | None = None) -> Path:
    """The vault ``start`` lies in: the closest folder, from there upward, with an ``aie.toml``.

    ``AIE_VAULT`` in ``env`` (None: the environment of this process) says it outright.
    """
    said = (os.environ if env is None else env).get("AIE_VAULT", "")
    if said:
        vault = Path(said).expanduser().resolve()
        if not (vault / FILE_NAME).is_file():
            raise ConfigError(
                f"AIE_VAULT names {said!r}, and there is no {FILE_NAME} in it",
                where="AIE_VAULT",
                hint=f"set AIE_VAULT to a vault, or make one there: aie init {said!r}",
            )
        return vault
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder
    raise ConfigError(
        f"no {FILE_NAME} in this folder or any above it",
        where=str(start),
        hint="go to your vault, or make this folder one: aie init",
    )


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of the past is kept, whichever limit is reached first. What has not ended is kept in any case."""

    days: int = 400  # a year to compare with, and a month to notice
    runs: int = 1_000_000
    size_mb: int = 5_000
    audit_days: int | None = None  # of the files in Logs/audit; None: for ever


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one vault. ``tables`` has the file's tables of the plugins, ``overrides`` the environment's."""

    vault: Path
    timezone: ZoneInfo
    state_dir: Path
    workflow_folders: tuple[Path, ...]
    engine: str = DEFAULT_ENGINE  # the name of an entry point in the group aie.engines
    max_runs: int = DEFAULT_MAX_RUNS
    max_event_bytes: int = MAX_BYTES
    starts_per_minute: int = DEFAULT_STARTS_PER_MINUTE  # 0: as many as come
    retention: Retention = Retention()
    actions: Mapping[str, str] = field(default_factory=dict)  # bare action name → the plugin that provides it
    disabled: frozenset[str] = frozenset()
    tables: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    overrides: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @classmethod
    def load(cls, vault: Path, env: Mapping[str, str]) -> Config:
        """What ``vault/aie.toml`` and ``env`` say; all defaults where there is no such file.

        Raises ConfigError for what cannot be used.
        """
        vault = vault.expanduser().resolve()
        if not vault.is_dir():
            raise ConfigError(f"there is no folder {str(vault)!r}", where=str(vault), hint="aie init makes a vault")
        file = _File(vault / FILE_NAME)
        state_dir = _state_dir(file, vault, env)
        folders, folder_warnings = _workflow_folders(file, vault)
        tables, disabled = _plugin_tables(file)
        return cls(
            vault=vault,
            timezone=_timezone(file, env),
            state_dir=state_dir,
            workflow_folders=folders,
            engine=file.text_of("engine") or DEFAULT_ENGINE,
            max_runs=_max_runs(file, env),
            starts_per_minute=file.number("starts_per_minute", DEFAULT_STARTS_PER_MINUTE, least=0, most=1_000_000),
            max_event_bytes=file.number("max_event_bytes", MAX_BYTES, least=1024, most=64 * MAX_BYTES),
            retention=_retention(file),
            actions=_actions(file),
            disabled=disabled,
            tables=tables,
            overrides=_overrides(env),
            warnings=(*folder_warnings, *place_warnings(state_dir, vault, env), *_variable_warnings(env)),
        )

    @property
    def credentials_dir(self) -> Path:
        """Where credentials are kept: beside the journal, but never in the vault."""
        inside = self.state_dir.is_relative_to(self.vault)
        return (_usual_state_dir(self.vault) if inside else self.state_dir) / "credentials"

    def cache_dir(self, plugin: str) -> Path:
        """A folder of the plugin's own, which may not be there yet. What is in it can be lost at any time."""
        return self.state_dir / "cache" / plugin

    def plugin_table(self, name: str) -> dict[str, Any]:
        """The settings of a plugin as written, the environment's over the file's; a copy."""
        return _merged(self.tables.get(name, {}), self.overrides.get(name, {}))

    def key(self, plugin: str, *path: str | int) -> str:
        """How a person finds a plugin's setting in ``aie.toml``: ``[plugins.vault] watch[0]``."""
        text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
        return text if plugin == CORE else f"[plugins.{plugin}] {text}".rstrip()

    def from_environment(self, plugin: str, *path: str | int) -> str:
        """The variable that set this setting, or '' if none did."""
        value: Any = self.overrides.get(plugin, {})
        names: list[str] = []
        for part in path:
            if not isinstance(value, dict) or part not in value:
                break
            names.append(str(part))
            value = value[part]
        return "__".join([f"AIE_{plugin}", *names]).upper() if names else ""


class _File:
    """``aie.toml`` as read, and the errors that name a place in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = ""
        if path.exists():
            try:
                self.text = path.read_bytes().decode("utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                hint = "save the file as UTF-8 text that you may read"
                raise ConfigError(f"aie.toml cannot be read: {error}", where=str(path), hint=hint) from None
        try:
            self.data = tomllib.loads(self.text.replace("\r\n", "\n"))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise self._syntax_error(error) from None
        for key in self.data:
            if key not in _KEYS:
                raise self.error(key, f"{key!r} is not a setting of aie.toml", self._unknown_hint(key))

    def _syntax_error(self, error: Exception) -> ConfigError:
        message, place = str(error) or type(error).__name__, ""
        if found := re.fullmatch(r"(.*) \(at (.*)\)", message, re.DOTALL):
            message, place = found[1], f", {found[2]}"
        hint = "correct that line; texts are written in double quotes, lists in square brackets"
        return ConfigError(f"not TOML: {message}", where=f"{self.path}{place}", hint=hint)

    def _unknown_hint(self, key: str) -> str:
        if near := nearest(key, _KEYS):
            return f"did you mean {near!r}?"
        if isinstance(self.data[key], dict):
            return f"the settings of a plugin go into its table: [plugins.{key}]"
        return "the keys are " + ", ".join(_KEYS)

    def error(self, key: str, message: str, hint: str) -> ConfigError:
        """An error about a key, dotted when it is in a table."""
        last = re.escape(key.rsplit(".", 1)[-1])
        line = re.search(rf"^\s*(?:\[[^\]\n]*\b)?[\"']?{last}[\"']?\s*[\]=.]", self.text, re.MULTILINE)
        number = f", line {self.text.count(chr(10), 0, line.end()) + 1}" if line else ""
        return ConfigError(message, where=f"{self.path}{number}, {key}", hint=hint)

    def wrong(self, key: str, found: object, wanted: str, hint: str) -> ConfigError:
        return self.error(key, f"{key} is {wanted}, found {found!r}"[:300], hint)

    def text_of(self, key: str) -> str:
        value = self.data.get(key, "")
        if not isinstance(value, str):
            raise self.wrong(key, value, "a text", f'write it as {key} = "…"')
        return value

    def number(self, key: str, default: int, *, least: int, most: int) -> int:
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(key, value, f"a whole number from {least} to {most}", f"write it as {key} = {default}")
        return value

    def texts(self, key: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self.wrong(key, value, "a list of texts", f'write it as {key.rsplit(".", 1)[-1]} = ["…"]')
        return tuple(value)

    def table(self, key: str) -> dict[str, Any]:
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, value, "a table", f"write it as [{key}] on a line of its own, its settings below")
        return value


def _timezone(file: _File, env: Mapping[str, str]) -> ZoneInfo:
    said = env.get("AIE_TIMEZONE", "") or file.text_of("timezone")
    if not said:
        return _machine_timezone()
    try:
        return ZoneInfo(said)
    except (ValueError, OSError, KeyError):  # KeyError: no such zone; OSError: the name of a folder of zones
        zones = available_timezones()
        near = nearest(said, zones) or next((zone for zone in sorted(zones) if zone.endswith(f"/{said}")), "")
        message = f"{said!r} is not a time zone"
        hint = f"did you mean {near!r}?" if near else 'name a zone of the IANA list, such as "Europe/Berlin"'
        if env.get("AIE_TIMEZONE"):
            raise ConfigError(message, where="AIE_TIMEZONE", hint=hint) from None
        raise file.error("timezone", message, hint) from None


def _machine_timezone() -> ZoneInfo:
    try:
        zone = tzlocal.get_localzone()
    except Exception:  # no zone set, or two settings that contradict each other
        return ZoneInfo("UTC")
    return zone if isinstance(zone, ZoneInfo) else ZoneInfo("UTC")


def _state_dir(file: _File, vault: Path, env: Mapping[str, str]) -> Path:
    if said := env.get("AIE_STATE_DIR", "") or file.text_of("state_dir"):
        return (vault / Path(said).expanduser()).resolve()
    return _usual_state_dir(vault)


def _usual_state_dir(vault: Path) -> Path:
    mark = hashlib.sha256(os.fsencode(vault)).hexdigest()[:8]
    return Path(platformdirs.user_state_dir("aie", appauthor=False)) / f"{vault.name or 'vault'}-{mark}"


def _workflow_folders(file: _File, vault: Path) -> tuple[tuple[Path, ...], list[str]]:
    if "workflow_folders" not in file.data:
        folders = [vault / "workflows"]
        if (adopted := vault / "integrations" / "workflows").is_dir():
            folders.append(adopted)
        return tuple(folders), []
    said = file.texts("workflow_folders", file.data["workflow_folders"])
    chosen = {name: (vault / Path(name).expanduser()).resolve() for name in said}
    warnings = [
        f"workflow_folders names {name!r}, and there is no such folder: make it, or correct the name in {file.path}"
        for name, folder in chosen.items()
        if not folder.is_dir()
    ]
    return tuple(chosen.values()), warnings


def _max_runs(file: _File, env: Mapping[str, str]) -> int:
    in_file = file.number("max_runs", DEFAULT_MAX_RUNS, least=1, most=10_000)
    said = env.get("AIE_MAX_RUNS", "")
    if not said:
        return in_file
    if not re.fullmatch(r"[0-9]{1,5}", said) or not 1 <= int(said) <= 10_000:
        message = f"AIE_MAX_RUNS is a whole number from 1 to 10000, found {said!r}"
        raise ConfigError(message, where="AIE_MAX_RUNS", hint=f"for example AIE_MAX_RUNS={DEFAULT_MAX_RUNS}")
    return int(said)


_LIMITS = {"days": (1, 36_500), "runs": (100, 10**9), "size_mb": (20, 10**7), "audit_days": (1, 36_500)}


def _retention(file: _File) -> Retention:
    said = file.table("retention")
    for name, value in said.items():
        if name not in _LIMITS:
            near = nearest(name, _LIMITS)
            hint = f"did you mean {near!r}?" if near else "its settings are " + ", ".join(_LIMITS)
            raise file.error(f"retention.{name}", f"{name!r} is not a setting of [retention]", hint)
        least, most = _LIMITS[name]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            wanted = f"a whole number from {least} to {most}"
            raise file.wrong(f"retention.{name}", value, wanted, f"for example: {name} = {max(least, 400)}")
    return Retention(**said)


def _actions(file: _File) -> dict[str, str]:
    chosen = file.table("actions")
    for action, plugin in chosen.items():
        if not isinstance(plugin, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", plugin):
            raise file.wrong(f"actions.{action}", plugin, "the name of a plugin", "aie plugins list shows the names")
    return dict(chosen)


def _plugin_tables(file: _File) -> tuple[dict[str, dict[str, Any]], frozenset[str]]:
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


def _overrides(env: Mapping[str, str]) -> dict[str, dict[str, Any]]:
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


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(dict(below))
    for key, value in above.items():
        under = result.get(key)
        both = isinstance(value, dict) and isinstance(under, dict)
        result[key] = _merged(under, value) if both and isinstance(under, dict) else copy.deepcopy(value)
    return result


def _variable_warnings(env: Mapping[str, str]) -> list[str]:
    unknown = sorted(name for name in env if name.startswith("AIE_") and name not in _VARIABLES and "__" not in name)
    close = [(name, difflib.get_close_matches(name, _VARIABLES, n=1, cutoff=0.8)) for name in unknown]
    return [f"aie does not know {name}; did you mean {near[0]}?" for name, near in close if near]


def place_warnings(state_dir: Path, vault: Path, env: Mapping[str, str]) -> list[str]:
    """Why the journal is not safe in this folder, one sentence each."""
    move = "set state_dir in aie.toml, or AIE_STATE_DIR, to a folder outside it"
    warnings = []
    if state_dir.is_relative_to(vault):
        warnings.append(f"the state folder {str(state_dir)!r} lies inside the vault; {move}")
    synced = next((part for part in state_dir.parts if _SYNCED.match(part)), "")
    if synced:
        warnings.append(
            f"the state folder {str(state_dir)!r} lies in {synced!r}, which is synced to other machines; {move}"
        )
    on_wsl = bool(env.get("WSL_DISTRO_NAME")) or "microsoft" in platform.release().lower()
    if on_wsl and re.match(r"/mnt/[a-z](/|$)", state_dir.as_posix()):
        warnings.append(
            f"the state folder {str(state_dir)!r} is on a Windows drive, where locks fail under WSL; {move}"
        )
    if str(state_dir).startswith(("\\\\", "//")):
        warnings.append(f"the state folder {str(state_dir)!r} is on a network drive, where locks may fail; {move}")
    return warnings
