"""The registry: every installed plugin with its state, and what the loaded ones offer."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from aie.approvals import ApprovalChannel
from aie.catalogue import Catalogue
from aie.config import Config
from aie.connections import Connection, Inspection
from aie.errors import NotFoundError
from aie.events import EventTypeSpec
from aie.plugin_tables import CORE
from aie.plugins.advice import missing_action, unusable
from aie.plugins.discovery import PLUGINS_GROUP
from aie.plugins.guard import BrokenPluginError
from aie.plugins.loading import load_plugin
from aie.plugins.plugin import BoundHandler, Offer, Plugin, PluginInfo, PluginState
from aie.plugins.survey import survey
from aie.records import AuditSink
from aie.sources import EventSource
from aie.spelling import nearest


class Registry:
    """What is installed and what it offers. Core comes first, the other plugins by name."""

    def __init__(self, config: Config, infos: Iterable[PluginInfo], plugins: Iterable[Plugin] = ()) -> None:
        self._config = config
        self._plugins = {plugin.name: plugin for plugin in plugins}
        self._listed = tuple(infos)
        self._offered: dict[str, list[BoundHandler]] = {}
        for plugin in self._plugins.values():
            for handler in plugin.handlers:
                bound = BoundHandler(f"{plugin.name}.{handler.name}", plugin.name, handler, plugin.settings)
                self._offered.setdefault(handler.name, []).append(bound)
        self._actions = self._usable_actions()
        self._event_types = self._settle_event_types()
        self._infos = {info.name: info for info in reversed(self._listed)}
        self.warnings = tuple(self._config_warnings())

    @classmethod
    def discover(cls, config: Config, *, extra: Mapping[str, object] = MappingProxyType({})) -> Registry:
        """Who is there, without importing anything: no plugin is more than "found"."""
        return cls(config, [info for info, _ in survey(config, extra)])

    @classmethod
    def load(
        cls, config: Config, *, only: Collection[str] | None = None, extra: Mapping[str, object] = MappingProxyType({})
    ) -> Registry:
        """All plugins that are not off, imported and asked once each; ``only`` limits that to the plugins it names.

        ``extra`` has plugins the program hands over, by name; each takes the place of an installed one.
        """
        infos, plugins = [], []
        for info, found in survey(config, extra):
            if info.state is not PluginState.FOUND or (only is not None and info.name not in only):
                infos.append(info)
                continue
            try:
                plugin = load_plugin(info.name, found, config)
            except BrokenPluginError as error:
                infos.append(_broken(info, error))
            else:
                infos.append(dataclasses.replace(info, state=PluginState.OK, adds=plugin.adds()))
                plugins.append(plugin)
        return cls(config, infos, plugins)

    @property
    def plugins(self) -> tuple[PluginInfo, ...]:
        """Every installed plugin, whatever its state; one name twice if two packages claim it."""
        return self._listed

    def info(self, name: str) -> PluginInfo:
        """What is known about one plugin. Raises NotFoundError if none has the name."""
        if name in self._infos:
            return self._infos[name]
        raise NotFoundError(f"no plugin named {name!r} is installed", where=PLUGINS_GROUP, hint=self._absent(name))

    def _absent(self, name: str) -> str:
        """The next step when no installed plugin has the name."""
        if package := Catalogue.load().plugins.get(name):
            return f"aie plugins install {package}"
        near = nearest(name, self._infos)
        return f"did you mean {near!r}?" if near else "aie plugins list shows what is installed"

    def plugin(self, name: str) -> Plugin:
        """A loaded plugin. Raises PluginError if it is off, broken or not loaded, NotFoundError if there is none."""
        info = self.info(name)
        if name in self._plugins:
            return self._plugins[name]
        raise unusable(f"the plugin {name!r}", info)

    def handler(self, action_type: str) -> BoundHandler:
        """The action behind a step's type, ``ACTION`` or ``PLUGIN.ACTION``.

        Raises PluginError if nobody offers it, or several do and ``[actions]`` in ``aie.toml`` does not say which.
        """
        if action_type in self._actions:
            return self._actions[action_type]
        rivals = tuple(self._offered.get(action_type, ()))
        raise missing_action(action_type, self._config, self._infos, rivals, tuple(self._actions))

    def actions(self) -> Mapping[str, BoundHandler]:
        """Every name a step can use, bare (where it is clear who is meant) and qualified, in order."""
        return MappingProxyType(self._actions)

    def event_type(self, name: str) -> EventTypeSpec | None:
        """What the plugin that defines it says about a type of event."""
        offer = self._event_types.get(name)
        return offer.item if offer else None

    def event_types(self) -> tuple[Offer[EventTypeSpec], ...]:
        return tuple(self._event_types.values())

    def sources(self) -> tuple[Offer[EventSource], ...]:
        return tuple(Offer(p.name, item, p.settings) for p in self._plugins.values() for item in p.sources)

    def sinks(self) -> tuple[Offer[AuditSink], ...]:
        return tuple(Offer(p.name, item, p.settings) for p in self._plugins.values() for item in p.sinks)

    def channels(self) -> tuple[Offer[ApprovalChannel], ...]:
        return tuple(Offer(p.name, item, p.settings) for p in self._plugins.values() for item in p.channels)

    def connections(self) -> tuple[Offer[Connection], ...]:
        return tuple(Offer(p.name, item, p.settings) for p in self._plugins.values() for item in p.connections)

    def inspections(self) -> tuple[Offer[Inspection], ...]:
        return tuple(Offer(p.name, item, p.settings) for p in self._plugins.values() for item in p.inspections)

    def _usable_actions(self) -> dict[str, BoundHandler]:
        usable = {bound.name: bound for offers in self._offered.values() for bound in offers}
        for action, offers in self._offered.items():
            chosen = self._config.actions.get(action)
            meant = [bound for bound in offers if chosen in (None, bound.plugin)]
            if len(meant) == 1:
                usable[action] = meant[0]
        return dict(sorted(usable.items()))

    def _settle_event_types(self) -> dict[str, Offer[EventTypeSpec]]:
        """The first plugin to define a type keeps it; a later one's is not used, and its plugin's reason says so."""
        settled: dict[str, Offer[EventTypeSpec]] = {}
        reasons: dict[str, str] = {}
        for plugin in self._plugins.values():
            refused = []
            for spec in plugin.event_types:
                first = settled.setdefault(spec.name, Offer(plugin.name, spec, plugin.settings))
                if first.item != spec:
                    refused.append((spec.name, first.plugin))
            if refused:
                what = " and ".join(f"{name} (defined by {owner})" for name, owner in refused)
                reasons[plugin.name] = f"its event types are not used where another plugin has them: {what}"
        self._listed = tuple(
            dataclasses.replace(info, reason=reasons[info.name], hint="its author can name them differently")
            if info.name in reasons
            else info
            for info in self._listed
        )
        return settled

    def _config_warnings(self) -> Iterable[str]:
        """Names in the configuration that nothing installed answers to."""
        config = self._config
        named = {name: f"AIE_{name.upper()}__…" for name in config.overrides}
        named |= {name: f"[plugins.{name}]" for name in config.tables}
        named |= {name: f"[plugins] disabled = [{name!r}]" for name in sorted(config.disabled)}
        named |= {name: f"[actions] {action} = {name!r}" for action, name in config.actions.items()}
        for name, place in named.items():
            if name not in self._infos and name != CORE:
                yield f"{place} names a plugin that is not installed: {self._absent(name)}"


def _broken(info: PluginInfo, error: BrokenPluginError) -> PluginInfo:
    again = f"look for a newer one: aie plugins install --upgrade {info.package}; " if info.package else ""
    return dataclasses.replace(
        info,
        state=PluginState.BROKEN,
        reason=error.message,
        hint=error.hint or f"{again}aie plugins show {info.name} --verbose shows the details",
        traceback_text=error.traceback_text,
    )
