"""What a plugin offers, as lines for a person."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aie.cli.terminal import labelled, wrapped


def sheet(details: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    """A block for each thing, then the settings."""
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
        lines += _touching(source)
    for word, kind in (("Audit sink", "sinks"), ("Approval channel", "channels"), ("Connection", "connections")):
        for item in details[kind]:
            lines += ["", *wrapped(_titled(word, item)), *_touching(item)]
    if details["settings"]:
        lines += ["", "Settings, in aie.toml or in the environment"]
        for setting in details["settings"]:
            where = "environment only" if setting["secret"] else setting["key"]
            lines += _field_line(setting, with_need=True)
            lines += wrapped(f"{where}, {setting['variable']}" if where else setting["variable"], indent="      ")
    return lines


def in_words(touched: Mapping[str, Sequence[str]]) -> str:
    """``network: shop.example; in the vault: Inbox, Logs``; '' for nothing."""
    labels = {"hosts": "network", "folders": "in the vault", "commands": "commands"}
    parts = {
        label: ", ".join("all of it" if name == "." else name for name in touched[kind])
        for kind, label in labels.items()
    }
    return "; ".join(f"{label}: {names}" for label, names in parts.items() if names)


def _touching(item: Mapping[str, Any]) -> list[str]:
    touched = in_words(item["touches"])
    return labelled("touches", touched, width=9) if touched else []


def _titled(kind: str, item: Mapping[str, Any]) -> str:
    return f"{kind} {item['name']}" + (f": {item['summary']}" if item["summary"] else "")


def _manner(action: Mapping[str, Any]) -> str:
    effects = {
        "none": "changes nothing outside aie",
        "local": "stays on this machine",
        "external": "acts outside the house",
    }
    touched = in_words(action["touches"])
    parts = [effects.get(action["effect"], action["effect"]) + (f" ({touched})" if touched else "")]
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
