"""Plugins: found by their metadata, each loaded alone, what they offer in one registry."""

from aie.plugins.discovery import ENGINES_GROUP, PLUGINS_GROUP, Found, discover
from aie.plugins.engines import load_engine
from aie.plugins.plugin import BoundHandler, Offer, Plugin, PluginInfo, PluginState
from aie.plugins.registry import Registry

__all__ = [
    "ENGINES_GROUP",
    "PLUGINS_GROUP",
    "BoundHandler",
    "Found",
    "Offer",
    "Plugin",
    "PluginInfo",
    "PluginState",
    "Registry",
    "discover",
    "load_engine",
]
