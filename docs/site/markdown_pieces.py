"""Pieces of Markdown that the pages of the reference are made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "table",
    "array": "list",
    "null": "null",
}


def heading(level: int, text: str) -> Iterator[str]:
    yield from ("", f"{'#' * level} {text}", "")


def cell(text: str) -> str:
    """The text for a table: in one line, with nothing in it that would end the cell or be read as markup."""
    flat = " ".join(text.replace("``", "`").split())
    return "`".join(
        part.replace("|", "\\|")
        if index % 2
        else part.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("[", "\\[")
        for index, part in enumerate(flat.split("`"))
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Nothing when there are no rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if lines:
        yield from (f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *lines)


def fields_table(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[str]:
    """The fields of an object described by a JSON Schema."""
    needed = schema.get("required", ())
    rows = [
        (
            f"`{name}`",
            cell(kind_in_words(field, definitions)),
            "needed" if name in needed else _default(field.get("default")),
            cell(field.get("description", "")),
        )
        for name, field in schema.get("properties", {}).items()
    ]
    yield from table(("field", "kind", "when left out", "what it is"), rows)


def kind_in_words(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """``list of text``, ``'once', 'all' or 'skip'``; the name of a model that has a table of its own."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        target = definitions.get(name, {})
        return name if "properties" in target else kind_in_words(target, definitions)
    if "enum" in schema:
        return "one of those installed" if len(schema["enum"]) > 12 else _either(map(repr, schema["enum"]))
    if "const" in schema:
        return repr(schema["const"])
    for word in ("anyOf", "oneOf"):
        if word in schema:
            kinds = dict.fromkeys(kind_in_words(option, definitions) for option in schema[word])
            return _either(kind for kind in kinds if kind != "null")
    if schema.get("type") == "array" and schema.get("items"):
        return f"list of {kind_in_words(schema['items'], definitions)}"
    if schema.get("type") == "object" and schema.get("additionalProperties"):
        inner = schema["additionalProperties"]
        return f"{kind_in_words(inner, definitions)} by name" if isinstance(inner, Mapping) else "table"
    return _KINDS.get(str(schema.get("type")), "anything")


def _either(words: Iterable[str]) -> str:
    *others, last = list(words) or ["anything"]
    return f"{', '.join(others)} or {last}" if others else last


def _default(value: Any) -> str:
    return "" if value in (None, "", [], {}) else f"`{json.dumps(value, ensure_ascii=False)}`"
