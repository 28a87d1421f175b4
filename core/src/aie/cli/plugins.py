"""``aie plugins``: list and show; and where ``aie PLUGIN …`` finds the plugin's own command."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import rich_click as click
from pydantic import BaseModel, SecretBytes, SecretStr

from aie.cli.output import Output, common_options
from aie.cli.terminal import labelled, safe, safe_lines, wrapped
from aie.config import CORE, Config, find_vault
from aie.errors import ConfigError
from aie.plugins.discovery import PLUGINS_GROUP, discover
from aie.plugins.plugin import Plugin, PluginInfo, PluginState
from aie.plugins.registry import Registry

KINDS = {
    "actions": "actions",
    "event_types": "event types",
    "sources": "sources",
    "sinks": "audit sinks",
    "channels": "approval channels",
    "connections": "connections",
}


def config_anywhere(vault: Path | None) -> Config:
    """The settings of the vault given or around us; all defaults where there is no vault."""
    if vault is None:
        try:
            vault = find_vault(Path.cwd(), os.environ)
        except ConfigError:
            if os.environ.get("AIE_VAULT"):
                raise
            vault = Path.cwd()
    return Config.load(vault, os.environ)


def plugin_command(name: str) -> click.Command | None:
    """The command behind ``aie NAME …``; None if no plugin has that name.

    Raises PluginError if the plugin cannot be used, UsageError if it has no command.
    """
    if not any(found.name == name for found in discover(PLUGINS_GROUP)):
        return None
    registry = Registry.load(config_anywhere(None), only={name})
    command = registry.plugin(name).command()
    if command is None:
        raise click.UsageError(f"The plugin {name!r} has no command of its own. Try: aie plugins show {name}")
    return command


@click.group()
def command() -> None:
    """What is installed, and what it adds."""


@command.command("list")
@common_options
def list_plugins(vault: Path | None, output: Output) -> None:
    """Every installed plugin, whether it works, and what it adds."""
    registry = Registry.load(config_anywhere(vault))
    for info in registry.plugins:
        output.record(_record(info))
    output.table(
        ("Plugin", "Package", "Version", "State", "Adds"),
        [
            (safe(info.name), safe(info.package or info.origin), safe(info.version), info.state, _adds(info))
            for info in registry.plugins
        ],
        empty="No plugins are installed, not even aie's own: install aie-core again.",
    )
    for info in registry.plugins:
        if info.reason:
            output.line()
            for line in _reason(info):
                output.line(line)
    for warning in registry.warnings:
        output.line()
        for line in wrapped(warning, indent="Warning: ", more="         "):
            output.line(line)


@command.command("show")
@click.argument("name")
@common_options
@click.pass_context
def show_plugin(context: click.Context, name: str, vault: Path | None, output: Output) -> None:
    """One plugin: its events, actions and their parameters, settings, and what it touches."""
    registry = Registry.load(config_anywhere(vault), only={name})
    info = registry.info(name)
    verbose = bool(context.meta.get("aie.verbose"))
    plugin = registry.plugin(name) if info.state is PluginState.OK else None
    details = _details(plugin) if plugin else {kind: [] for kind in (*KINDS, "settings")}
    record = {**_record(info), **details}
    if verbose and info.traceback_text:
        record["traceback"] = info.traceback_text
    output.record(record)
    if output.json:
        return
    for line in _head(info):
        output.line(line)
    for line in _sheet(details):
        output.line(line)
    if verbose and info.traceback_text:
        output.line()
        for line in safe_lines(info.traceback_text):
            output.line(line)


def _record(info: PluginInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "package": info.package,
        "version": info.version,
        "origin": info.origin,
        "state": str(info.state),
        "reason": info.reason,
        "hint": info.hint,
        "adds": {kind: list(info.adds.get(kind, ())) for kind in KINDS},
    }


def _adds(info: PluginInfo) -> str:
    return "\n".join(safe(f"{KINDS[kind]}: {', '.join(names)}") for kind, names in info.adds.items()) or "-"


def _reason(info: PluginInfo) -> list[str]:
    lines = wrapped(f"{info.name}: {info.reason}")
    return [*lines, *(labelled("Next:", info.hint, width=6) if info.hint else [])]


def _head(info: PluginInfo) -> list[str]:
    package = f"{info.package} {info.version}".strip()
    lines = wrapped(f"{info.name}: {package}" if package else info.name)
    lines += labelled("State", info.state)
    lines += labelled("From", info.origin)
    if info.reason:
        lines += labelled("Why" if info.state is not PluginState.OK else "Note", info.reason)
        lines += labelled("Next", info.hint) if info.hint else []
    return lines


# --- what a plugin offers, as data -------------------------------------------------------------------------------


def _details(plugin: Plugin) -> dict[str, list[dict[str, Any]]]:
    return {
        "actions": [
            {
                "name": handler.name,
                "summary": handler.summary,
                "effect": str(handler.effect),
                "asks_first": handler.asks_first,
                "repeatable": handler.repeatable,
                "touches": list(handler.touches),
                "parameters": _fields(handler.params),
                "result": _fields(handler.result) if handler.result else None,
                "example": dict(handler.example) if handler.example is not None else None,
            }
            for handler in plugin.handlers
        ],
        "event_types": [
            {"name": spec.name, "summary": spec.summary, "fields": _fields(spec.model), "example": dict(spec.example)}
            for spec in plugin.event_types
        ],
        "sources": [
            {
                "name": source.name,
                "summary": source.summary,
                "event_types": list(source.event_types),
                "watching": source.watching,
            }
            for source in plugin.sources
        ],
        "sinks": [{"name": sink.name, "summary": sink.summary} for sink in plugin.sinks],
        "channels": [{"name": channel.name, "summary": channel.summary} for channel in plugin.channels],
        "connections": [{"name": each.name, "summary": each.summary} for each in plugin.connections],
        "settings": _settings(plugin),
    }


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
        for field in _fields(plugin.settings_model)
    ]


def _is_secret(annotation: Any) -> bool:
    return any(kind.__name__ in str(annotation) for kind in (SecretStr, SecretBytes))


def _fields(model: type[BaseModel]) -> list[dict[str, Any]]:
    """name, type in words, required, default and description of each field."""
    try:
        schema = model.model_json_schema(by_alias=True)
    except Exception:  # a plugin's model may hold types that JSON Schema has no words for
        return [
            {
                "name": field.alias or name,
                "type": str(field.annotation),
                "required": field.is_required(),
                "default": None,
                "description": field.description or "",
            }
            for name, field in model.model_fields.items()
        ]
    definitions = schema.get("$defs", {})
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[-1]]
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "type": type_in_words(each, definitions),
            "required": name in required,
            "default": each.get("default"),
            "description": each.get("description", ""),
        }
        for name, each in schema.get("properties", {}).items()
    ]


_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "array": "list",
    "null": "null",
}


def type_in_words(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """``list of text``, ``'low', 'normal' or 'high'``."""
    if "$ref" in schema:
        target = definitions.get(schema["$ref"].rsplit("/", 1)[-1], {})
        return "object" if target.get("type") == "object" else type_in_words(target, {})
    if "enum" in schema or "const" in schema:
        return _either(repr(value) for value in schema.get("enum", [schema.get("const")]))
    for word in ("anyOf", "oneOf"):
        if word in schema:
            kinds = [type_in_words(option, definitions) for option in schema[word]]
            return _either(kind for kind in dict.fromkeys(kinds) if kind != "null")
    kind = schema.get("type")
    if kind == "array" and isinstance(schema.get("items"), dict) and schema["items"]:
        return f"list of {type_in_words(schema['items'], definitions)}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return "objects by name" if schema["additionalProperties"] else "object"
    return _WORDS.get(str(kind), "anything")


def _either(words: Iterable[str]) -> str:
    *others, last = list(words) or ["anything"]
    return f"{', '.join(others)} or {last}" if others else last


# --- the same for a person ----------------------------------------------------------------------------------------


def _sheet(details: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    lines: list[str] = []
    for action in details["actions"]:
        lines += ["", *wrapped(_titled("Action", action))]
        lines += wrapped(_manner(action), indent="  ")
        lines += _field_lines(action["parameters"], "takes nothing")
        results = ", ".join(field["name"] for field in action["result"] or ())
        lines += labelled("gives", results, width=7) if results else []
        if action["example"] is not None:
            lines += labelled("example", json.dumps(action["example"], ensure_ascii=False), width=9)
    for spec in details["event_types"]:
        lines += ["", *wrapped(_titled("Event", spec))]
        lines += _field_lines(spec["fields"], "any data", with_need=False)
        lines += labelled("example", json.dumps(spec["example"], ensure_ascii=False), width=9)
    for source in details["sources"]:
        lines += ["", *wrapped(_titled("Source", source))]
        lines += labelled("emits", ", ".join(source["event_types"]), width=9)
        lines += labelled("watches", source["watching"], width=9) if source["watching"] else []
    for word, kind in (("Audit sink", "sinks"), ("Approval channel", "channels"), ("Connection", "connections")):
        for item in details[kind]:
            lines += ["", *wrapped(_titled(word, item))]
    if details["settings"]:
        lines += ["", "Settings, in aie.toml or in the environment"]
        for setting in details["settings"]:
            where = "environment only" if setting["secret"] else setting["key"]
            lines += _field_line(setting, with_need=True)
            lines += wrapped(f"{where}, {setting['variable']}" if where else setting["variable"], indent="      ")
    return lines


def _titled(kind: str, item: Mapping[str, Any]) -> str:
    return f"{kind} {item['name']}" + (f": {item['summary']}" if item["summary"] else "")


def _manner(action: Mapping[str, Any]) -> str:
    effects = {
        "none": "touches nothing outside aie",
        "local": "stays on this machine",
        "external": "acts outside the house",
    }
    parts = [effects.get(action["effect"], action["effect"])]
    if action["touches"]:
        parts.append(f"touches {', '.join(action['touches'])}")
    parts.append("asks first" if action["asks_first"] else "does not ask")
    parts.append("safe to repeat" if action["repeatable"] else "is never repeated by guessing")
    return "; ".join(parts)


def _field_lines(fields: list[dict[str, Any]], empty: str, *, with_need: bool = True) -> list[str]:
    if not fields:
        return [f"    {empty}"]
    return [line for field in fields for line in _field_line(field, with_need=with_need)]


def _field_line(field: Mapping[str, Any], *, with_need: bool) -> list[str]:
    need = "required" if field["required"] else ""
    if not field["required"] and field["default"] not in (None, "", [], {}):
        need = f"default {json.dumps(field['default'], ensure_ascii=False)}"
    notes = ", ".join(filter(None, [field["type"], need if with_need else ""]))
    text = f"{field['name']} ({notes})" + (f": {field['description']}" if field["description"] else "")
    return wrapped(text, indent="    ", more="      ")
