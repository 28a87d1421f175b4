"""What to tell a person whose workflow names an action nobody can carry out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from aie.catalogue import Catalogue
from aie.config import Config
from aie.config_file import FILE_NAME
from aie.errors import PluginError
from aie.plugins.discovery import canonical
from aie.plugins.plugin import BoundHandler, PluginInfo, PluginState
from aie.spelling import nearest


@dataclass(frozen=True, slots=True)
class _Known:
    infos: Mapping[str, PluginInfo]
    usable: Collection[str]
    catalogue: Catalogue


def missing_action(
    action_type: str,
    config: Config,
    infos: Mapping[str, PluginInfo],
    rivals: tuple[BoundHandler, ...],
    usable: Collection[str],
) -> PluginError:
    """Why there is no such action, and what to do. ``rivals`` all offer it; ``usable`` are the names that work."""
    known = _Known(infos, usable, Catalogue.load())
    plugin, dot, action = action_type.partition(".")
    if dot:
        return _not_in_plugin(action_type, plugin, action, known)
    if chosen := config.actions.get(action_type):
        error = _not_in_plugin(f"{chosen}.{action_type}", chosen, action_type, known)
        message = f"[actions] says {action_type} = {chosen!r}: {error.message}"
        return PluginError(message, where=str(config.vault / FILE_NAME), hint=error.hint)
    if rivals:
        names = " and ".join(bound.name for bound in rivals)
        choice = f'{action_type} = "{rivals[0].plugin}"'
        hint = f"write one of these names in the workflow, or choose in {FILE_NAME}: [actions] {choice}"
        return PluginError(f"{action_type} is ambiguous: {names}", where=action_type, hint=hint)
    if package := known.catalogue.actions.get(action_type):
        return _not_in_package(action_type, package, infos)
    near = nearest(action_type, usable)
    hint = f"did you mean {near!r}?" if near else "aie plugins list shows the actions there are"
    silent = [info.name for info in infos.values() if info.state is PluginState.BROKEN]
    if silent:
        hint += f"; it may also come from a plugin that is broken: {', '.join(dict.fromkeys(silent))}"
    return PluginError(f"no plugin offers the action {action_type!r}", where=action_type, hint=hint)


def _not_in_plugin(name: str, plugin: str, action: str, known: _Known) -> PluginError:
    info = known.infos.get(plugin)
    if info is None:
        if package := known.catalogue.plugins.get(plugin):
            return PluginError(f"{name} needs the package {package}", where=name, hint=f"aie plugins install {package}")
        near = nearest(plugin, known.infos)
        hint = f"did you mean {f'{near}.{action}'!r}?" if near else "aie plugins list shows what is installed"
        return PluginError(f"no plugin named {plugin!r} is installed", where=name, hint=hint)
    if info.state is not PluginState.OK:
        return _because_of(name, info)
    near = nearest(name, [other for other in known.usable if other.startswith(f"{plugin}.")])
    hint = f"did you mean {near!r}?" if near else f"aie plugins show {plugin} lists its actions"
    return PluginError(f"the plugin {plugin!r} has no action {action!r}", where=name, hint=hint)


def _not_in_package(action_type: str, package: str, infos: Mapping[str, PluginInfo]) -> PluginError:
    for info in infos.values():
        if canonical(info.package) == package and info.state is not PluginState.OK:
            return _because_of(action_type, info)
    for info in infos.values():
        if canonical(info.package) == package:
            hint = f"install a version that has it: aie plugins install --upgrade {package}"
            message = f"{action_type} is not in {package} {info.version}".rstrip()
            return PluginError(message, where=action_type, hint=hint)
    return PluginError(
        f"{action_type} needs the package {package}", where=action_type, hint=f"aie plugins install {package}"
    )


def _because_of(name: str, info: PluginInfo) -> PluginError:
    return unusable(f"{name} comes from the plugin {info.name!r}, which", info)


def unusable(subject: str, info: PluginInfo) -> PluginError:
    """That a plugin cannot be used and why, as a sentence about ``subject``."""
    stands = {
        PluginState.OFF: "is turned off",
        PluginState.BROKEN: "is broken",
        PluginState.FOUND: "was not loaded",
    }[info.state]
    reason = f": {info.reason}" if info.reason else ""
    return PluginError(f"{subject} {stands}{reason}", where=info.name, hint=info.hint)
