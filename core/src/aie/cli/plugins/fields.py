"""The fields of a model, as data with their types in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel


def fields_of(model: type[BaseModel]) -> list[dict[str, Any]]:
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
