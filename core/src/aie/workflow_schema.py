"""The JSON Schema of a workflow file, made from what is installed: for completion and marks in an editor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aie.definition import WorkflowDefinition
from aie.plugins.plugin import BoundHandler
from aie.plugins.registry import Registry

Schema = dict[str, Any]

_TEMPLATE = {"$ref": "#/$defs/template"}
_NULLABLE = ("name", "description", "enabled", "mode")  # an explicit null is the same as leaving these out
_NULLABLE_IN_STEP = ("retry_count", "timeout", "retry", "parameters", "await_approval")
_NOTES = ("title", "description", "default", "examples", "deprecated")


def workflow_schema(registry: Registry) -> Schema:
    """JSON Schema 2020-12. Actions and event types are those of the plugins that are loaded; other keys are refused."""
    schema = WorkflowDefinition.model_json_schema(by_alias=True)
    definitions: Schema = schema.pop("$defs")
    for name in _NULLABLE:
        schema["properties"][name] = _or_null(schema["properties"][name])
    schema["properties"]["schedule"] = _schedule(schema["properties"]["schedule"])
    schema["properties"]["trigger_event"] = _one_of(
        {offer.item.name: offer.item.summary for offer in registry.event_types()}, "The event type that starts it"
    )
    step = definitions["StepDefinition"]
    for name in _NULLABLE_IN_STEP:
        step["properties"][name] = _or_null(step["properties"][name])
    step["properties"]["action_type"] = _one_of(
        {name: bound.handler.summary for name, bound in registry.actions().items()}, "What this step does"
    )
    definitions["template"] = {
        "description": "A text with {{ … }} in it, filled in when the step runs",
        "type": "string",
        "pattern": r"\{\{|\{%",
    }
    step["allOf"] = [
        _parameters_of(bound, names, definitions) for bound, names in _by_handler(registry.actions()).values()
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "A workflow",
        "description": "Something happens, and these actions follow. Written for the plugins installed here.",
        "$defs": definitions,
    }


def _by_handler(actions: Mapping[str, BoundHandler]) -> dict[str, tuple[BoundHandler, list[str]]]:
    """Each handler once, with every name a step can use for it."""
    grouped: dict[str, tuple[BoundHandler, list[str]]] = {}
    for name, bound in actions.items():
        grouped.setdefault(bound.name, (bound, []))[1].append(name)
    return grouped


def _one_of(descriptions: Mapping[str, str], description: str) -> Schema:
    """``enumDescriptions`` is what editors show beside each value; validators pass over it."""
    return {
        "description": description,
        "type": "string",
        "enum": list(descriptions),
        "enumDescriptions": list(descriptions.values()),
    }


def _parameters_of(bound: BoundHandler, names: list[str], definitions: Schema) -> Schema:
    """If the step's action is this one, then its parameters are these."""
    key = f"parameters.{bound.name}"
    definitions[key], inner = _parameters_schema(bound, key)
    definitions.update(inner)
    then: Schema = {"properties": {"parameters": {"$ref": f"#/$defs/{key}"}}}
    if definitions[key].get("required"):
        then["required"] = ["parameters"]
    else:
        then["properties"]["parameters"] = {"anyOf": [{"$ref": f"#/$defs/{key}"}, {"type": "null"}]}
    return {
        "if": {"properties": {"action_type": {"enum": names}}, "required": ["action_type"]},
        "then": then,
    }


def _parameters_schema(bound: BoundHandler, key: str) -> tuple[Schema, Schema]:
    """The schema of one action's parameters, and the definitions it refers to under names of their own."""
    try:
        schema = bound.handler.params.model_json_schema(by_alias=True, ref_template=f"#/$defs/{key}.{{model}}")
    except Exception:  # a plugin's model may hold types that JSON Schema has no words for
        return {"type": "object", "description": bound.handler.summary}, {}
    inner = {f"{key}.{name}": _within(each) for name, each in schema.pop("$defs", {}).items()}
    if "$ref" in schema:  # a model that refers to itself
        schema = {**inner[schema["$ref"].removeprefix("#/$defs/")]}
    else:
        schema = _within(schema)
    schema.setdefault("additionalProperties", False)
    if bound.handler.summary:
        schema["description"] = bound.handler.summary
    return schema, inner


def _within(schema: Schema) -> Schema:
    """The same schema, with every value inside it allowed to be a template as well."""
    changed = dict(schema)
    for word in ("properties", "patternProperties"):
        if word in changed:
            changed[word] = {name: _templated(each) for name, each in changed[word].items()}
    for word in ("items", "additionalProperties", "contains"):
        if isinstance(changed.get(word), dict):
            changed[word] = _templated(changed[word])
    if "prefixItems" in changed:
        changed["prefixItems"] = [_templated(each) for each in changed["prefixItems"]]
    for word in ("anyOf", "oneOf", "allOf"):
        if word in changed:
            changed[word] = [_within(each) for each in changed[word]]
    return changed


def _templated(schema: Schema) -> Schema:
    """This value, or a template; notes for people stay outside, where editors look for them."""
    inner = _within(schema)
    if not inner or _takes_any_text(inner):
        return inner
    notes = {word: inner.pop(word) for word in _NOTES if word in inner}
    return {**notes, "anyOf": [inner, _TEMPLATE]}


def _takes_any_text(schema: Schema) -> bool:
    if any(_takes_any_text(option) for option in schema.get("anyOf", ())):
        return True
    limits = {"enum", "const", "pattern", "format", "minLength", "maxLength"}
    return schema.get("type") == "string" and not limits & schema.keys()


def _or_null(schema: Schema) -> Schema:
    return _with(schema, lambda inner: {"anyOf": [inner, {"type": "null"}]})


def _schedule(schema: Schema) -> Schema:
    """A cron line alone is a schedule too."""
    line = {"type": "string", "description": "a cron line", "examples": ["0 8 * * 1-5"]}
    return {**schema, "anyOf": [line, *schema["anyOf"]]}


def _with(schema: Schema, wrap: Callable[[Schema], Schema]) -> Schema:
    inner = dict(schema)
    notes = {word: inner.pop(word) for word in _NOTES if word in inner}
    return {**notes, **wrap(inner)}
