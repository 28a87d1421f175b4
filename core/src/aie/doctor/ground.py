"""What aie stands on: its settings, the folders, the disk, SQLite, and the plugins."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import apsw

from aie.config import Config
from aie.config_file import FILE_NAME
from aie.connections import Level
from aie.doctor.check import Check
from aie.engine_lock import FILE_NAME as LOCK_NAME
from aie.engine_lock import engine_at_work, holder
from aie.journal import FILE_NAME as JOURNAL_NAME
from aie.journal import WAL_SAFE_FROM
from aie.pause import NOTE as STOP_NOTE
from aie.plugins.plugin import PluginState
from aie.plugins.registry import Registry

LITTLE_SPACE_BYTES = 1_000_000_000
NO_SPACE_BYTES = 100_000_000


def setting_checks(config: Config, registry: Registry, env: Mapping[str, str]) -> Iterator[Check]:
    path = config.vault / FILE_NAME
    if path.exists():
        yield Check("settings", Level.OK, str(path))
    else:
        yield Check("settings", Level.WARN, f"there is no {FILE_NAME} in {config.vault}", f"aie init {config.vault}")
    for warning in (*config.warnings, *registry.warnings):
        message, _, hint = warning.partition("; ")
        yield Check("settings", Level.WARN, message, hint)
    zone = config.timezone.key
    if zone == "UTC" and not _says_timezone(path, env):
        hint = f'set it in {FILE_NAME}, for example: timezone = "Europe/Berlin"'
        yield Check("time zone", Level.WARN, "UTC, because this computer says nothing else", hint)
    else:
        yield Check("time zone", Level.OK, zone)


def _says_timezone(path: Path, env: Mapping[str, str]) -> bool:
    return bool(env.get("AIE_TIMEZONE")) or (
        path.exists() and "timezone" in tomllib.loads(path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    )


def folder_checks(config: Config) -> Iterator[Check]:
    folders = [config.vault, *(path for path in sorted(config.vault.iterdir()) if path.is_dir())]
    own = [path for path in folders if not path.name.startswith(".") or path == config.vault]
    shut = [path for path in own if not os.access(path, os.W_OK | os.X_OK)]
    for path in shut:
        yield Check("vault", Level.FAIL, f"{path} cannot be written", "check its owner and permissions")
    if not shut:
        yield Check("vault", Level.OK, f"{config.vault} can be written")
    if (config.vault / STOP_NOTE).exists():
        hint = "move that note away to let it go on"
        yield Check("pause", Level.WARN, f"nothing reaches outside, because {STOP_NOTE} lies in the vault", hint)
    gone = [path for path in config.workflow_folders if not path.is_dir()]
    for path in gone:
        yield Check("vault", Level.WARN, f"there is no workflow folder {path}", f"mkdir {path}")


def state_checks(config: Config) -> Iterator[Check]:
    folder = config.state_dir
    ground = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    if not os.access(ground, os.W_OK | os.X_OK):
        hint = "check its permissions, or set state_dir in aie.toml to a folder of yours"
        yield Check("state", Level.FAIL, f"{ground} cannot be written", hint)
        return
    if not folder.exists():
        yield Check("state", Level.OK, f"{folder} (made when aie first runs)")
    elif shut := [name for name in (JOURNAL_NAME, LOCK_NAME) if not _writable(folder / name)]:
        yield Check("state", Level.FAIL, f"{folder / shut[0]} cannot be written", "check its owner and permissions")
        return
    elif os.name == "posix" and folder.stat().st_mode & 0o077:
        yield Check("state", Level.WARN, f"other users can look into {folder}", f"chmod 700 {folder}")
    else:
        yield Check("state", Level.OK, str(folder))
    free = shutil.disk_usage(ground).free
    level = Level.FAIL if free < NO_SPACE_BYTES else Level.WARN if free < LITTLE_SPACE_BYTES else Level.OK
    hint = "free some space: aie takes nothing in once the disk is full" if level is not Level.OK else ""
    yield Check("disk", level, f"{free / 1e9:,.1f} GB free", hint)
    if engine_at_work(folder):
        yield Check("engine", Level.OK, f"at work, process {holder(folder) or 'unknown'}")
    else:
        yield Check("engine", Level.OK, "not running", "aie start watches and runs workflows")


def _writable(path: Path) -> bool:
    return not path.exists() or os.access(path, os.W_OK)


def sqlite_check() -> Check:
    version = apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")) >= WAL_SAFE_FROM:
        return Check("SQLite", Level.OK, version)
    wanted = ".".join(map(str, WAL_SAFE_FROM))
    return Check("SQLite", Level.WARN, f"{version}: safe, but slower than {wanted}", "pip install --upgrade apsw")


def plugin_checks(registry: Registry) -> Iterator[Check]:
    for info in registry.plugins:
        name = f"{info.name} {info.version}".strip()
        if info.state is PluginState.BROKEN:
            yield Check("plugin", Level.FAIL, f"{name} is broken: {info.reason}", info.hint)
        elif info.state is PluginState.OFF:
            yield Check("plugin", Level.OK, f"{name} is off: {info.reason}")
        else:
            level = Level.WARN if info.reason else Level.OK
            yield Check("plugin", level, f"{name}: {info.reason}" if info.reason else name, info.hint)
