"""What a plugin says of itself: summaries, descriptions, names and examples, for people who never read its code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from aie.actions import ActionHandler
from aie.events import EventType
from aie.plugin_tables import CORE
from aie.plugins.offers import NAME
from aie.testing.findings import Findings, NotTriedError, ViolationError, listed
from aie.testing.offered import Offered

_NOTE_KIND = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")


def examine_declared(offered: Offered, core_actions: frozenset[str], findings: Findings) -> None:
    """Check all that the plugin offers; nothing of it is carried out."""
    if offered.settings_model is not None:
        with findings.check("descriptions", "settings"):
            _described("setting", "settings", offered.settings_model)
    for spec in offered.event_types:
        subject = f"event type {spec.name}"
        with findings.check("descriptions", subject):
            _summary(spec.summary)
            _described("field", "fields", spec.model)
        if offered.name != CORE:
            with findings.check("names", subject):
                _refuse_known(spec.name, frozenset(EventType), "event type")
    for source in offered.sources:
        subject = f"source {source.name}"
        with findings.check("descriptions", subject):
            _summary(source.summary)
        with findings.check("events", subject):
            _known_events(source.event_types, offered)
    for handler in offered.actions:
        _examine_action(handler, offered, core_actions, findings)


def _examine_action(handler: ActionHandler, offered: Offered, core_actions: frozenset[str], findings: Findings) -> None:
    subject = f"action {handler.name}"
    with findings.check("descriptions", subject):
        _summary(handler.summary)
        _described("parameter", "parameters", handler.params)
    with findings.check("descriptions", f"result of {handler.name}"):
        if handler.result is None:
            raise NotTriedError("it has no result model, so a person cannot see what later steps may use")
        _described("result field", "result fields", handler.result)
    with findings.check("names", f"parameters of {handler.name}"):
        _names_of(handler)
        if offered.name != CORE:
            _refuse_known(handler.name, core_actions, "action")
    with findings.check("example", subject):
        _example(handler)


def _summary(text: object) -> None:
    if not isinstance(text, str) or not text.strip():
        raise ViolationError("it has no summary", 'say in one line what it does: summary="…"')


def _described(one: str, many: str, model: type[BaseModel]) -> None:
    missing = list(_undescribed(model))
    if missing:
        has = "has" if len(missing) == 1 else "have"
        raise ViolationError(
            f"its {listed(missing, one, many)} {has} no description", 'write Field(description="…") for each'
        )


def _undescribed(model: type[BaseModel], before: str = "", seen: frozenset[type] = frozenset()) -> Iterator[str]:
    for name, field in model.model_fields.items():
        path = f"{before}{field.alias or name}"
        if not (field.description or "").strip():
            yield path
        for inner in _models_in(field.annotation):
            if inner not in seen | {model}:
                yield from _undescribed(inner, f"{path}.", seen | {model})


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _names_of(handler: ActionHandler) -> None:
    odd = [
        field.alias or name
        for name, field in handler.params.model_fields.items()
        if not NAME.fullmatch(field.alias or name)
    ]
    if odd:
        raise ViolationError(
            f"its {listed(odd, 'parameter', 'parameters')} cannot be written in a template",
            "name them with lower-case letters, digits and underscores",
        )
    if not _NOTE_KIND.fullmatch(handler.note_kind):
        raise ViolationError(
            f"its note_kind is {handler.note_kind!r}, and notes are named after it",
            "write it in capitals, digits and underscores: EMAIL, LINKEDIN_POST",
        )


def _refuse_known(name: str, known: frozenset[str], word: str) -> None:
    if name in known:
        raise ViolationError(f"core has an {word} of that name", "name it differently, for example after the service")


def _known_events(names: tuple[str, ...], offered: Offered) -> None:
    known = {spec.name for spec in offered.event_types} | set(EventType)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ViolationError(
            f"it tells of {listed(unknown, 'the event type', 'the event types')}, which nobody describes",
            "let aie_event_types return an EventTypeSpec with a model and an example for each",
        )


def _example(handler: ActionHandler) -> None:
    if handler.example is None:
        raise ViolationError(
            "it has no example", "give it parameters as a workflow may have them: example={…}; people see them"
        )
    if handler.params.model_config.get("extra") == "allow":
        return
    known = {field.alias or name for name, field in handler.params.model_fields.items()}
    unknown = [name for name in handler.example if name not in known | set(handler.params.model_fields)]
    if unknown:
        raise ViolationError(
            f"its example has {listed(unknown, 'the parameter', 'the parameters')}, which it does not take",
            "correct the example, and let the model forbid what it does not know: "
            'model_config = ConfigDict(extra="forbid")',
        )
