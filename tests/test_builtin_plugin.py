"""Core's own plugin: what it offers, its settings, its event types."""

from __future__ import annotations

import inspect

import pluggy
import pytest
from pydantic import BaseModel, ValidationError

from aie import builtin, hookspecs
from aie.builtin.event_types import event_types
from aie.builtin.settings import CoreSettings
from aie.events import Event, EventType
from aie.plain import check_json

SETTINGS = CoreSettings()
ORIGINAL_KEYS = {
    "email_received": {"subject", "sender", "body", "received_at", "suggested_date", "suggested_time"},
    "calendar_event": {"event_type", "post_content", "image_path"},
    "invoice_created": {"invoice_number", "customer_id", "customer_email", "amount", "items"},
    "expense_recorded": {"name", "amount", "date"},
    "scheduled_trigger": {"trigger_time", "date", "pending_count"},
}


def test_it_answers_every_hook_it_implements_as_the_specification_asks():
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(builtin, "core")
    manager.check_pending()
    assert manager.hook.aie_settings() == [CoreSettings]
    (sources,) = manager.hook.aie_event_sources(settings=SETTINGS)
    (handlers,) = manager.hook.aie_action_handlers(settings=SETTINGS)
    (sinks,) = manager.hook.aie_audit_sinks(settings=SETTINGS)
    assert {
        "sources": [source.name for source in sources],
        "actions": [handler.name for handler in handlers],
        "sinks": [sink.name for sink in sinks],
        "events": [spec.name for spec in manager.hook.aie_event_types()[0]],
    } == {
        "sources": ["core.schedule"],
        "actions": ["wait", "request_approval", "run_workflow", "emit_event", "run_script"],
        "sinks": ["log_file", "audit_file"],
        "events": [kind.value for kind in EventType],
    }


def _models() -> list[type[BaseModel]]:
    handlers = builtin.aie_action_handlers(SETTINGS)
    return [
        *(spec.model for spec in event_types()),
        *(handler.params for handler in handlers),
        *(handler.result for handler in handlers if handler.result),
        CoreSettings,
    ]


@pytest.mark.parametrize("model", _models(), ids=lambda model: model.__name__)
def test_every_field_is_described(model):
    assert inspect.getdoc(model)
    assert [name for name, field in model.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("handler", builtin.aie_action_handlers(SETTINGS), ids=lambda handler: handler.name)
def test_every_parameter_without_a_default_has_examples_that_fit(handler):
    given = {name: field.examples[0] for name, field in handler.params.model_fields.items() if field.is_required()}
    given |= {"duration": "5m"} if handler.name == "wait" else {}
    assert handler.params.model_validate(given)


# --- event types ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", event_types(), ids=lambda spec: spec.name)
def test_the_example_of_an_event_type_fits_it_and_shows_every_field(spec):
    data = spec.model.model_validate(spec.example)
    assert data.model_dump() == spec.example
    assert set(spec.model.model_fields) <= set(spec.example)
    assert check_json(spec.example) == spec.example
    assert Event(spec.name, "test", spec.example, "", "id").checked().data == spec.example


@pytest.mark.parametrize("spec", event_types(), ids=lambda spec: spec.name)
def test_an_event_type_takes_data_of_any_program(spec):
    assert spec.model.model_validate({}).model_dump(exclude_unset=True) == {}
    assert spec.model.model_validate({"of_my_own": [1]}).model_dump(exclude_unset=True) == {"of_my_own": [1]}


def test_the_examples_have_what_the_original_events_carried():
    examples = {spec.name: set(spec.example) for spec in event_types()}
    assert {name: keys - examples[name] for name, keys in ORIGINAL_KEYS.items()} == {
        name: set() for name in ORIGINAL_KEYS
    }


# --- settings ---------------------------------------------------------------------------------------------------------


def test_settings_as_a_person_writes_them():
    settings = CoreSettings.model_validate(
        {
            "schedules": {"morning": {"cron": "0 8 * * *", "timezone": "Europe/Berlin", "catch_up": "skip"}},
            "scripts": {"backup": {"path": "scripts/backup.sh", "sha256": "sha256:" + "A" * 64, "timeout_s": 60}},
            "logs": {"enabled": False},
        }
    )
    assert settings.model_dump() == {
        "schedules": {
            "morning": {"cron": "0 8 * * *", "timezone": "Europe/Berlin", "catch_up": "skip", "enabled": True}
        },
        "scripts": {"backup": {"path": "scripts/backup.sh", "sha256": "a" * 64, "arguments": False, "timeout_s": 60.0}},
        "logs": False,
        "approvals": {"expires_after": "7 days", "rules": []},
    }
    assert CoreSettings().model_dump() == {
        "schedules": {},
        "scripts": {},
        "logs": True,
        "approvals": {"expires_after": "7 days", "rules": []},
    }


@pytest.mark.parametrize(
    ("table", "place", "message"),
    [
        (
            {"schedules": {"m": {"cron": "0 25 * * *"}}},
            ("schedules", "m", "cron"),
            "the hour '25' of the cron line '0 25 * * *' is not right: it is 0 to 23",
        ),
        (
            {"schedules": {"m": {"cron": "0 8 * * *", "timezone": "Berlin"}}},
            ("schedules", "m", "timezone"),
            "'Berlin' is not a time zone; did you mean 'Europe/Berlin'?",
        ),
        (
            {"schedules": {"a:b": {"cron": "@daily"}}},
            ("schedules",),
            "a name is 1 to 80 letters, digits, '_', '-' and '.', found 'a:b'",
        ),
        (
            {"scripts": {"s": {"path": "a.sh", "sha256": "abc"}}},
            ("scripts", "s", "sha256"),
            "sha256 is 64 hexadecimal digits, found 'abc'",
        ),
        (
            {"scripts": {"s": {"path": "a\n.sh"}}},
            ("scripts", "s", "path"),
            "the path of a script holds no control characters",
        ),
        ({"scripts": {"s": {"path": "a", "shell": 1}}}, ("scripts", "s", "shell"), "Extra inputs are not permitted"),
    ],
)
def test_settings_that_cannot_be_used_are_explained_where_they_stand(table, place, message):
    with pytest.raises(ValidationError) as caught:
        CoreSettings.model_validate(table)
    assert [(error["loc"], error["msg"]) for error in caught.value.errors()] == [(place, message)]
