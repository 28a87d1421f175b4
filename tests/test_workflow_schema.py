"""The JSON Schema of workflow files, composed from what is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel

from aie.actions import ActionHandler
from aie.config import Config
from aie.definition import StepDefinition, WorkflowDefinition
from aie.hookspecs import hookimpl
from aie.plugins import Registry
from aie.workflow_schema import workflow_schema

TEMPLATE = {"$ref": "#/$defs/template"}


class Line(BaseModel):
    count: int


class Order(BaseModel):
    lines: list[Line]
    speed: Literal["slow", "fast"] = "slow"
    note: str = ""


class Shop:
    """A plugin with a nested model."""

    @hookimpl
    def aie_action_handlers(self, settings: Any) -> list[ActionHandler]:
        return [ActionHandler(name="order", params=Order, run=lambda params, context: None, summary="order things")]


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    vault = tmp_path_factory.mktemp("vault")
    config = Config(vault, ZoneInfo("UTC"), vault / "state", ())
    return workflow_schema(Registry.load(config, extra={"shop": Shop()}))


def test_the_top_level_has_the_keys_of_a_file_and_refuses_others(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema["properties"]) == {field.alias or name for name, field in WorkflowDefinition.model_fields.items()}
    assert (schema["additionalProperties"], schema["required"]) == (False, ["workflow_id", "trigger_event", "actions"])


def test_a_step_has_its_keys_and_refuses_others(schema: dict[str, Any]) -> None:
    step = schema["$defs"]["StepDefinition"]
    assert set(step["properties"]) == set(StepDefinition.model_fields)
    assert (step["additionalProperties"], step["required"]) == (False, ["action_type"])


def test_event_types_and_actions_come_with_their_descriptions(schema: dict[str, Any]) -> None:
    events, actions = (
        schema["properties"]["trigger_event"],
        schema["$defs"]["StepDefinition"]["properties"]["action_type"],
    )
    assert (
        dict(zip(events["enum"], events["enumDescriptions"], strict=True))["expense_recorded"]
        == "An expense was recorded"
    )
    assert dict(zip(actions["enum"], actions["enumDescriptions"], strict=True))["shop.order"] == "order things"
    assert {"order", "shop.order", "wait", "core.wait"} <= set(actions["enum"])


def test_an_action_brings_the_schema_of_its_parameters(schema: dict[str, Any]) -> None:
    rule = next(
        rule
        for rule in schema["$defs"]["StepDefinition"]["allOf"]
        if "order" in rule["if"]["properties"]["action_type"]["enum"]
    )
    assert rule == {
        "if": {"properties": {"action_type": {"enum": ["order", "shop.order"]}}, "required": ["action_type"]},
        "then": {
            "properties": {"parameters": {"$ref": "#/$defs/parameters.shop.order"}},
            "required": ["parameters"],
        },
    }


def test_every_value_may_be_a_template_at_any_depth_and_unknown_parameters_are_refused(schema: dict[str, Any]) -> None:
    order, line = schema["$defs"]["parameters.shop.order"], schema["$defs"]["parameters.shop.order.Line"]
    assert order == {
        "title": "Order",
        "description": "order things",
        "type": "object",
        "additionalProperties": False,
        "required": ["lines"],
        "properties": {
            "lines": {
                "title": "Lines",
                "anyOf": [
                    {
                        "type": "array",
                        "items": {"anyOf": [{"$ref": "#/$defs/parameters.shop.order.Line"}, TEMPLATE]},
                    },
                    TEMPLATE,
                ],
            },
            "speed": {
                "title": "Speed",
                "default": "slow",
                "anyOf": [{"type": "string", "enum": ["slow", "fast"]}, TEMPLATE],
            },
            "note": {"title": "Note", "default": "", "type": "string"},
        },
    }
    assert line["properties"]["count"] == {"title": "Count", "anyOf": [{"type": "integer"}, TEMPLATE]}


def test_nulls_and_a_cron_line_alone_are_allowed_where_files_may_have_them(schema: dict[str, Any]) -> None:
    step = schema["$defs"]["StepDefinition"]["properties"]
    assert all(
        {"type": "null"} in step[name]["anyOf"] for name in ("retry_count", "timeout", "parameters", "condition")
    )
    assert [option.get("type") for option in schema["properties"]["schedule"]["anyOf"]] == ["string", None, "null"]


def test_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*(references(each) for each in value.values()))
        return set().union(*(references(each) for each in value)) if isinstance(value, list) else set()

    known = {f"#/$defs/{name}" for name in schema["$defs"]}
    assert references(schema) <= known


def test_the_original_files_have_only_keys_the_schema_knows(schema: dict[str, Any]) -> None:
    for path in (Path(__file__).parent / "original" / "workflows").glob("*.json"):
        raw = json.loads(path.read_text())
        assert raw.keys() <= schema["properties"].keys()
        for action in raw["actions"]:
            assert action.keys() <= schema["$defs"]["StepDefinition"]["properties"].keys()
            own = schema["$defs"].get(f"parameters.vault.{action['action_type']}")
            assert own is None or action["parameters"].keys() <= own["properties"].keys()
