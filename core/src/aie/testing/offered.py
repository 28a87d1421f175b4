"""What a plugin's hooks answer, each called on its own and watched, each element of an answer checked on its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy
from pydantic import BaseModel

from aie.actions import ActionHandler
from aie.approvals import ApprovalChannel
from aie.config import Config
from aie.connections import Connection, Inspection
from aie.errors import NotFoundError, PluginError
from aie.events import EventTypeSpec
from aie.plugins import PLUGINS_GROUP, Found, discover
from aie.plugins.guard import guarded
from aie.plugins.loading import import_entry_point, read_hooks
from aie.plugins.offers import checked_offers
from aie.plugins.settings import checked_settings
from aie.records import AuditSink
from aie.sources import EventSource
from aie.testing.findings import Findings, NotTriedError, ViolationError
from aie.testing.importing import MOST, imported
from aie.testing.touching import touched

HOOKS: Mapping[str, tuple[type[Any], str]] = {
    "aie_event_types": (EventTypeSpec, "event type"),
    "aie_event_sources": (EventSource, "source"),
    "aie_action_handlers": (ActionHandler, "action"),
    "aie_audit_sinks": (AuditSink, "audit sink"),
    "aie_approval_channels": (ApprovalChannel, "approval channel"),
    "aie_connections": (Connection, "connection"),
    "aie_inspections": (Inspection, "inspection"),
}


@dataclass
class Offered:
    """What can be used of a plugin: of each kind the elements that are whole. ``settings_model`` None: it has none."""

    name: str
    settings_model: type[BaseModel] | None = None
    items: dict[str, list[Any]] = field(default_factory=lambda: {hook: [] for hook in HOOKS})

    @property
    def event_types(self) -> list[EventTypeSpec]:
        return self.items["aie_event_types"]

    @property
    def sources(self) -> list[EventSource]:
        return self.items["aie_event_sources"]

    @property
    def actions(self) -> list[ActionHandler]:
        return self.items["aie_action_handlers"]


def ask(name: str, thing: object, config: Config, findings: Findings) -> Offered | None:
    """Import the plugin and ask every hook once; None if it cannot be imported or set up at all."""
    offered, whole = Offered(name), f"plugin {name}"
    with findings.check("import", whole):
        _check_import(thing)
    hooks = findings.value("hooks", whole, lambda: _hooks(name, thing))
    if hooks is None:
        return None
    made = findings.value("settings", whole, lambda: _settings(name, hooks, config))
    if made is None:
        for hook in HOOKS:
            findings.not_tried("hooks", hook, "its settings are not right")
        return None
    offered.settings_model, settings = made
    for hook in HOOKS:
        if getattr(hooks.hook, hook).get_hookimpls():
            _ask_hook(hooks, hook, settings, config.vault, findings, offered)
    return offered


def installed_or_given(plugin: str | Mapping[str, object]) -> tuple[str, object]:
    """The plugin's name, and its entry point or its object. Raises NotFoundError, PluginError for two of one name."""
    if not isinstance(plugin, str):
        ((name, thing),) = plugin.items()
        return name, thing
    found = [candidate for candidate in discover(PLUGINS_GROUP) if candidate.name == plugin]
    if not found:
        raise NotFoundError(
            f"no plugin named {plugin!r} is installed", where=PLUGINS_GROUP, hint="aie plugins list shows what is"
        )
    if len(found) > 1:
        packages = " and ".join(candidate.package for candidate in found)
        raise PluginError(f"two packages offer a plugin named {plugin!r}: {packages}", where=plugin)
    return plugin, found[0]


def _check_import(thing: object) -> None:
    if isinstance(thing, Found):
        module = thing.entry_point.module
    elif isinstance(thing, ModuleType):
        module = thing.__name__
    else:
        raise NotTriedError("it was handed over as an object, not as a module")
    try:
        found = imported(module)
    except RuntimeError as error:
        raise ViolationError(
            f"importing {module} in a process of its own fails: {error}",
            "let it import with nothing but its package there",
        ) from None
    if found.touched:
        raise ViolationError(
            f"importing {module} touches something: {'; '.join(found.touched)}",
            "do that in the action or source that needs it",
        )
    if found.times_core > MOST:
        raise ViolationError(
            f"importing {module} takes {found.times_core:.1f} times as long as all of aie itself, more than {MOST:g}",
            "import what is slow where it is used; python -X importtime shows what that is",
        )


def _hooks(name: str, thing: object) -> pluggy.PluginManager:
    found = import_entry_point(thing) if isinstance(thing, Found) else thing
    return guarded("reading its hooks", read_hooks, name, found)


def _settings(name: str, hooks: pluggy.PluginManager, config: Config) -> tuple[type[BaseModel] | None, Any]:
    model = _watched_model(hooks, config.vault) if hooks.hook.aie_settings.get_hookimpls() else None
    return model, checked_settings(name, model, config)


def _watched_model(hooks: pluggy.PluginManager, vault: Path) -> type[BaseModel]:
    with touched(vault) as told:
        answers = guarded("aie_settings", hooks.hook.aie_settings)
    model = answers[0] if answers else None
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise ViolationError("aie_settings returned no model", "return a class derived from pydantic.BaseModel")
    _refuse_touching("aie_settings", told)
    return model


def _ask_hook(
    hooks: pluggy.PluginManager, hook: str, settings: Any, vault: Path, findings: Findings, offered: Offered
) -> None:
    kind, word = HOOKS[hook]
    arguments = {} if hook == "aie_event_types" else {"settings": settings}
    answer: Any = None
    with findings.check("hooks", hook):
        with touched(vault) as told:
            answers = guarded(hook, getattr(hooks.hook, hook), **arguments)
        answer = answers[0] if answers else None
        if not isinstance(answer, (list, tuple)) or not all(isinstance(item, kind) for item in answer):
            checked_offers(offered.name, hook, kind, answer)  # says what is wrong with it
        _refuse_touching(hook, told)
    if not isinstance(answer, (list, tuple)):
        return
    names: set[str] = set()
    for item in answer:
        if not isinstance(item, kind):
            continue
        with findings.check("names", f"{word} {item.name}"):
            guarded(hook, checked_offers, offered.name, hook, kind, [item])
            if item.name in names:
                raise ViolationError("its name is there twice", "give each a name of its own")
            names.add(item.name)
            offered.items[hook].append(item)


def _refuse_touching(hook: str, told: list[str]) -> None:
    if told:
        raise ViolationError(
            f"{hook} does more than answer: it {'; it '.join(told)}",
            "let the action or source do that when it runs: every command asks the hooks, aie plugins list included",
        )
