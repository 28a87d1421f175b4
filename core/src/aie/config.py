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

import difflib
import hashlib
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import platformdirs
import tzlocal

from aie.config_file import FILE_NAME, ConfigFile
from aie.errors import ConfigError
from aie.plain import MAX_BYTES
from aie.plugin_tables import CORE, CORE_TABLES, PluginTables, merged, overrides
from aie.spelling import nearest

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

# Installed plugins that should stay off. With allow or allow_publishers there are no others than those they name; files
# names plugins that are one file each, below this folder or elsewhere. A plugin is code that may do what you may do.
[plugins]
disabled = []
# allow = ["vault", "gmail"]
# allow_publishers = ["Example Ltd"]
# files = { greet = "plugins/greet.py" }

# Every plugin has a table of its own; `aie plugins show vault` lists its settings.
[plugins.vault]
watch = ["Inbox"]

# A schedule emits the event scheduled_trigger: minute, hour, day of month, month, day of week.
[schedules.morning]
cron = "0 8 * * *"
"""


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
    allow: frozenset[str] | None = None  # plugins and packages; with allow_publishers the only ones. None: no such list
    allow_publishers: frozenset[str] | None = None
    plugin_files: Mapping[str, Path] = field(default_factory=dict)  # plugins that are one file, by name
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
        file = ConfigFile(vault / FILE_NAME, _KEYS)
        state_dir = _state_dir(file, vault, env)
        folders, folder_warnings = _workflow_folders(file, vault)
        plugins = PluginTables.read(file)
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
            disabled=plugins.disabled,
            allow=plugins.allow,
            allow_publishers=plugins.allow_publishers,
            plugin_files={name: (vault / Path(path).expanduser()).resolve() for name, path in plugins.files.items()},
            tables=plugins.tables,
            overrides=overrides(env),
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
        return merged(self.tables.get(name, {}), self.overrides.get(name, {}))

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


def _timezone(file: ConfigFile, env: Mapping[str, str]) -> ZoneInfo:
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


def _state_dir(file: ConfigFile, vault: Path, env: Mapping[str, str]) -> Path:
    if said := env.get("AIE_STATE_DIR", "") or file.text_of("state_dir"):
        return (vault / Path(said).expanduser()).resolve()
    return _usual_state_dir(vault)


def _usual_state_dir(vault: Path) -> Path:
    mark = hashlib.sha256(os.fsencode(vault)).hexdigest()[:8]
    return Path(platformdirs.user_state_dir("aie", appauthor=False)) / f"{vault.name or 'vault'}-{mark}"


def _workflow_folders(file: ConfigFile, vault: Path) -> tuple[tuple[Path, ...], list[str]]:
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


def _max_runs(file: ConfigFile, env: Mapping[str, str]) -> int:
    in_file = file.number("max_runs", DEFAULT_MAX_RUNS, least=1, most=10_000)
    said = env.get("AIE_MAX_RUNS", "")
    if not said:
        return in_file
    if not re.fullmatch(r"[0-9]{1,5}", said) or not 1 <= int(said) <= 10_000:
        message = f"AIE_MAX_RUNS is a whole number from 1 to 10000, found {said!r}"
        raise ConfigError(message, where="AIE_MAX_RUNS", hint=f"for example AIE_MAX_RUNS={DEFAULT_MAX_RUNS}")
    return int(said)


_LIMITS = {"days": (1, 36_500), "runs": (100, 10**9), "size_mb": (20, 10**7), "audit_days": (1, 36_500)}


def _retention(file: ConfigFile) -> Retention:
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


def _actions(file: ConfigFile) -> dict[str, str]:
    chosen = file.table("actions")
    for action, plugin in chosen.items():
        if not isinstance(plugin, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", plugin):
            raise file.wrong(f"actions.{action}", plugin, "the name of a plugin", "aie plugins list shows the names")
    return dict(chosen)


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
