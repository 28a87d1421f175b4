"""A plugin: what is known about it without importing it, and what it offers once it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

import click
import pluggy
from pydantic import BaseModel

from aie.actions import ActionHandler, Effect
from aie.approvals import ApprovalChannel
from aie.connections import Connection, Inspection
from aie.events import EventTypeSpec
from aie.plugins.guard import BrokenPluginError, guarded
from aie.records import AuditSink
from aie.sources import EventSource
from aie.touches import Touches

T = TypeVar("T")


class PluginState(StrEnum):
    """How a plugin stands."""

    OK = "ok"
    OFF = "off"  # aie.toml says so
    BROKEN = "broken"
    FOUND = "found"  # installed, and not imported in this process


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One installed plugin, for people and for ``--json``.

    ``reason`` is one sentence: why it is broken or off, or what of it is not used. ``adds`` has the names it offers
    under ``actions, event_types, sources, sinks, channels, connections``, and is empty unless the plugin was loaded.
    """

    name: str
    package: str
    version: str
    origin: str
    state: PluginState
    reason: str = ""
    hint: str = ""
    adds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    traceback_text: str = field(default="", repr=False)
    publisher: str = ""  # who made it, by what its package says of itself


@dataclass(frozen=True, slots=True)
class Offer(Generic[T]):
    """One thing a plugin offers, with the plugin's name and settings."""

    plugin: str
    item: T
    settings: Any


@dataclass(frozen=True, slots=True)
class BoundHandler:
    """One action, ready to be called. ``name`` is the qualified one, ``PLUGIN.ACTION``."""

    name: str
    plugin: str
    handler: ActionHandler
    settings: Any


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin that was loaded. ``settings`` is an instance of ``settings_model``; both are None without settings."""

    name: str
    hooks: pluggy.PluginManager = field(repr=False, compare=False)
    settings: Any = None
    settings_model: type[BaseModel] | None = None
    event_types: tuple[EventTypeSpec, ...] = ()
    sources: tuple[EventSource, ...] = ()
    handlers: tuple[ActionHandler, ...] = ()
    sinks: tuple[AuditSink, ...] = ()
    channels: tuple[ApprovalChannel, ...] = ()
    connections: tuple[Connection, ...] = ()
    inspections: tuple[Inspection, ...] = ()

    def command(self) -> click.Command | None:
        """The plugin's own command, or None. Raises BrokenPluginError if its hook fails."""
        answers = guarded("aie_cli", self.hooks.hook.aie_cli)
        if not self.hooks.hook.aie_cli.get_hookimpls():
            return None
        if len(answers) != 1 or not isinstance(answers[0], click.Command):
            found = type(answers[0]).__name__ if answers else "None"
            raise BrokenPluginError(f"aie_cli returned {found}", hint="it returns one click.Command or click.Group")
        return answers[0]

    @property
    def touches(self) -> Touches:
        """What all that it offers touches together."""
        items: tuple[Any, ...] = (*self.handlers, *self.sources, *self.sinks, *self.channels, *self.connections)
        together = Touches()
        for item in items:
            together |= item.touches
        return together

    @property
    def silent_actions(self) -> tuple[str, ...]:
        """The actions that act outside and do not say where."""
        outside = (handler for handler in self.handlers if handler.effect is Effect.EXTERNAL)
        return tuple(handler.name for handler in outside if not handler.touches)

    def adds(self) -> dict[str, tuple[str, ...]]:
        """The names of what it offers, by kind; kinds without any are left out."""
        offered: dict[str, tuple[Any, ...]] = {
            "actions": self.handlers,
            "event_types": self.event_types,
            "sources": self.sources,
            "sinks": self.sinks,
            "channels": self.channels,
            "connections": self.connections,
        }
        return {kind: tuple(item.name for item in items) for kind, items in offered.items() if items}
