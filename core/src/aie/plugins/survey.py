"""Every plugin there is and how it stands before anything of it is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from aie.config import Config
from aie.plugin_tables import CORE, RESERVED
from aie.plugins.compatibility import CORE_PACKAGE, misfit
from aie.plugins.discovery import PLUGINS_GROUP, Found, canonical, discover
from aie.plugins.local_file import LocalFile
from aie.plugins.offers import NAME
from aie.plugins.plugin import PluginInfo, PluginState

FOLDER = "plugins"  # of the vault: where its plugins that are one file are; aie.paths protects it
_PROGRAM = "the program itself"  # the origin of plugins that were handed over, not installed


def survey(config: Config, extra: Mapping[str, object]) -> list[tuple[PluginInfo, object]]:
    """Core first, then by name, each with what has to be loaded for it; of one name the usable one first.

    ``extra`` has plugins the program hands over, by name; each takes the place of all others of its name.
    """
    listed: list[tuple[PluginInfo, object]] = []
    for name, thing in extra.items():
        listed.append((_switched(PluginInfo(name, "", "", _PROGRAM, PluginState.FOUND), config), thing))
    claims: dict[str, list[tuple[PluginInfo, object]]] = {}
    for name, path in config.plugin_files.items():
        info = PluginInfo(name, "", "", f"file {path}", PluginState.FOUND)
        claims.setdefault(name, []).append((info, LocalFile(name, path)))
    for found in discover(PLUGINS_GROUP):
        info = PluginInfo(
            found.name, found.package, found.version, found.origin, PluginState.FOUND, publisher=found.publisher
        )
        claims.setdefault(found.name, []).append((info, found))
    for name, rivals in claims.items():
        if name not in extra:
            listed += _settled(rivals, config)
    return sorted(listed, key=lambda pair: (pair[0].name != CORE, pair[0].name, pair[0].state is PluginState.OFF))


def _settled(rivals: list[tuple[PluginInfo, object]], config: Config) -> list[tuple[PluginInfo, object]]:
    """All that claim one name. What is turned off or refused is out of the running."""
    standing = [(_switched(info, config), thing) for info, thing in rivals]
    running = [info for info, _ in standing if info.state is PluginState.FOUND]
    return [
        (_examined(info, thing, running, config) if info.state is PluginState.FOUND else info, thing)
        for info, thing in standing
    ]


def _switched(info: PluginInfo, config: Config) -> PluginInfo:
    """Off, if ``aie.toml`` says so or does not allow it."""
    if info.name in config.disabled:
        reason = "aie.toml has it in [plugins] disabled"
        return replace(info, state=PluginState.OFF, reason=reason, hint="take it out of that list to use it")
    if config.allow is None and config.allow_publishers is None:
        return info
    if not info.package or canonical(info.package) == CORE_PACKAGE:
        return info  # what has no package was named by the owner or by the program
    names = {canonical(name) for name in config.allow or ()}
    publishers = {_plain(name) for name in config.allow_publishers or ()}
    if canonical(info.name) in names or canonical(info.package) in names:
        return info
    if publishers & {_plain(name) for name in info.publisher.split(", ")} | publishers & {_plain(info.publisher)}:
        return info
    by = f"by {info.publisher}" if info.publisher else "which names no publisher"
    hint = f"to use it, add {info.package!r} to [plugins] allow in aie.toml"
    reason = f"aie.toml does not allow it: neither {info.name!r} nor {info.package!r}, {by}, is on its list"
    return replace(info, state=PluginState.OFF, reason=reason, hint=hint)


def _plain(publisher: str) -> str:
    return " ".join(publisher.split()).casefold()


def _examined(info: PluginInfo, thing: object, running: list[PluginInfo], config: Config) -> PluginInfo:
    """Broken, if that can be told without importing it."""
    reason, hint = _trouble(info, thing, running, config)
    return replace(info, state=PluginState.BROKEN, reason=reason, hint=hint) if reason else info


def _trouble(info: PluginInfo, thing: object, running: list[PluginInfo], config: Config) -> tuple[str, str]:
    packages = [claim for claim in running if claim.package]
    if len(packages) < len(running) > 1:
        names = " and ".join(claim.package for claim in packages)
        reason = f"aie.toml names a file for {info.name!r}, and a plugin of this name comes from {names}"
        away = f"take the package away: aie plugins remove {packages[0].package}"
        return reason, f"give the file another name in [plugins] files, or {away}"
    if len(packages) > 1:
        names = " and ".join(f"{claim.package} {claim.version}".strip() for claim in packages)
        reason = f"{len(packages)} packages offer a plugin named {info.name!r}: {names}"
        return reason, f"take one of them away: aie plugins remove {packages[-1].package}"
    if not NAME.fullmatch(info.name) or info.name in RESERVED:
        hint = "its author names the entry point with lower-case letters, digits and underscores"
        return f"{info.name!r} cannot be the name of a plugin", hint
    if isinstance(thing, LocalFile):
        return _file_trouble(thing.path, config)
    return misfit(thing) if isinstance(thing, Found) else ("", "")


def _file_trouble(path: Path, config: Config) -> tuple[str, str]:
    if path.is_relative_to(config.vault) and path.relative_to(config.vault).parts[0].casefold() != FOLDER:
        reason = f"its file {str(path.relative_to(config.vault))!r} is where a workflow could write"
        return reason, f"put it into the folder {FOLDER}, where none does, or outside the vault; name that in aie.toml"
    return ("", "") if path.is_file() else (f"there is no file {str(path)!r}", "correct its path in [plugins] files")
