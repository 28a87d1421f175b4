"""What is known about a plugin and what it offers, as data for programs."""

from __future__ import annotations

from typing import Any

from pydantic import SecretBytes, SecretStr

from aie.approvals import ApprovalChannel
from aie.cli.plugins.fields import fields_of
from aie.connections import Connection
from aie.plugin_tables import CORE
from aie.plugins.plugin import Plugin, PluginInfo
from aie.records import AuditSink
from aie.touches import Touches

KINDS = {
    "actions": "actions",
    "event_types": "event types",
    "sources": "sources",
    "sinks": "audit sinks",
    "channels": "approval channels",
    "connections": "connections",
}


def info_record(info: PluginInfo) -> dict[str, Any]:
    """How a plugin stands, and the names of what it adds."""
    return {
        "name": info.name,
        "package": info.package,
        "version": info.version,
        "origin": info.origin,
        "publisher": info.publisher,
        "state": str(info.state),
        "reason": info.reason,
        "hint": info.hint,
        "adds": {kind: list(info.adds.get(kind, ())) for kind in KINDS},
    }


def offers_in_detail(plugin: Plugin) -> dict[str, list[dict[str, Any]]]:
    """Everything a plugin offers, by kind, and its settings."""
    return {
        "actions": [
            {
                "name": handler.name,
                "summary": handler.summary,
                "effect": str(handler.effect),
                "asks_first": handler.asks_first,
                "repeatable": handler.repeatable,
                "touches": touched(handler.touches),
                "parameters": fields_of(handler.params),
                "result": fields_of(handler.result) if handler.result else None,
                "example": dict(handler.example) if handler.example is not None else None,
            }
            for handler in plugin.handlers
        ],
        "event_types": [
            {"name": spec.name, "summary": spec.summary, "fields": fields_of(spec.model), "example": dict(spec.example)}
            for spec in plugin.event_types
        ],
        "sources": [
            {
                "name": source.name,
                "summary": source.summary,
                "event_types": list(source.event_types),
                "watching": source.watching,
                "touches": touched(source.touches),
            }
            for source in plugin.sources
        ],
        "sinks": [_named(sink) for sink in plugin.sinks],
        "channels": [_named(channel) for channel in plugin.channels],
        "connections": [_named(connection) for connection in plugin.connections],
        "settings": _settings(plugin),
    }


def _named(item: AuditSink | ApprovalChannel | Connection) -> dict[str, Any]:
    return {"name": item.name, "summary": item.summary, "touches": touched(item.touches)}


def touched(touches: Touches) -> dict[str, list[str]]:
    """What is touched, by kind."""
    return {"hosts": list(touches.hosts), "folders": list(touches.folders), "commands": list(touches.commands)}


def _settings(plugin: Plugin) -> list[dict[str, Any]]:
    if plugin.settings_model is None:
        return []
    secrets = {name for name, field in plugin.settings_model.model_fields.items() if _is_secret(field.annotation)}
    return [
        {
            **field,
            "key": field["name"] if plugin.name == CORE else f"[plugins.{plugin.name}] {field['name']}",
            "variable": f"AIE_{plugin.name}__{field['name']}".upper(),
            "secret": field["name"] in secrets,
        }
        for field in fields_of(plugin.settings_model)
    ]


def _is_secret(annotation: Any) -> bool:
    return any(kind.__name__ in str(annotation) for kind in (SecretStr, SecretBytes))
