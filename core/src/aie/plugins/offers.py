"""Checks of what a plugin's hooks return, element by element. Each problem is one sentence that names the element."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from aie.actions import LOCKED_BY_DEFAULT, ActionHandler, Effect
from aie.approvals import ApprovalChannel
from aie.connections import Connection, Inspection
from aie.errors import EventError
from aie.events import EventTypeSpec
from aie.plain import check_json
from aie.plugins.guard import BrokenPluginError, discard, one_line
from aie.records import AuditSink
from aie.sources import EventSource
from aie.touches import Touches

T = TypeVar("T")
NAME = re.compile(r"[a-z][a-z0-9_]*")
_NAME_RULE = "a lower-case letter, then lower-case letters, digits and underscores"


def checked_offers(plugin: str, hook: str, kind: type[T], answer: object) -> tuple[T, ...]:
    """The answer of a hook as a tuple, every element of it usable. Raises BrokenPluginError."""
    wanted = f"it returns a list of {kind.__name__}, an empty one for none"
    if not isinstance(answer, (list, tuple)):
        discard(answer)
        raise BrokenPluginError(f"{hook} returned {_type_name(answer)}", hint=wanted)
    names: set[str] = set()
    for position, item in enumerate(answer):
        if not isinstance(item, kind):
            raise BrokenPluginError(f"{hook} returned {_type_name(item)} as element {position}", hint=wanted)
        problem, hint = _check_name(plugin, item)
        name = one_line(getattr(item, "name", ""))
        if not problem and name in names:
            problem, hint = "is there twice", "give each a name of its own"
        if not problem:
            problem, hint = _check_touches(item)
        if not problem:
            problem, hint = _CHECKS[kind](item)
        if problem:
            raise BrokenPluginError(f"{hook} returned {kind.__name__} {name!r}, which {problem}", hint=hint)
        names.add(name)
    return tuple(answer)


def _type_name(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _check_name(plugin: str, item: Any) -> tuple[str, str]:
    name = item.name
    if not isinstance(name, str):
        return f"has {_type_name(name)} as its name", f"a name is {_NAME_RULE}"
    prefix, dot, own = name.rpartition(".")
    if isinstance(item, EventSource) or (dot and isinstance(item, (AuditSink, ApprovalChannel))):
        if prefix != plugin or not NAME.fullmatch(own):
            return "is not named after the plugin", f"name it {plugin}.NAME; NAME is {_NAME_RULE}"
    elif not NAME.fullmatch(name):
        return "has a name that cannot be used", f"a name is {_NAME_RULE}"
    return "", ""


def _check_touches(item: Any) -> tuple[str, str]:
    touches = getattr(item, "touches", Touches())
    right = 'write touches=Touches(hosts=("shop.example",)), with Touches from aie.touches'
    if not isinstance(touches, Touches):
        return f"has {_type_name(touches)} as what it touches", right
    for kind in ("hosts", "folders", "commands"):
        names = getattr(touches, kind)
        if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
            return f"has {kind} it touches that are no tuple of texts", right
    return "", ""


def _is_model(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _check_handler(handler: Any) -> tuple[str, str]:
    if not _is_model(handler.params):
        return "has no pydantic model as params", "set params to a class derived from pydantic.BaseModel"
    if handler.result is not None and not _is_model(handler.result):
        return (
            "has a result that is no pydantic model",
            "set result to a class derived from pydantic.BaseModel, or None",
        )
    if not isinstance(handler.effect, Effect):
        return f"has the effect {one_line(repr(handler.effect))}", "set effect to Effect.NONE, .LOCAL or .EXTERNAL"
    for field in ("look_up", "preview", "facts"):
        if getattr(handler, field) is not None and not callable(getattr(handler, field)):
            return f"has a {field} that cannot be called", f"set {field} to a function, or None"
    named = [
        handler.title_field,
        handler.body_field,
        *sorted((handler.locked_fields or frozenset()) - LOCKED_BY_DEFAULT),
    ]
    for parameter in named:
        if parameter is not None and parameter not in handler.params.model_fields:
            fields = ", ".join(handler.params.model_fields) or "none"
            return f"names the parameter {parameter!r}, which its params do not have", f"the parameters are {fields}"
    if handler.example is not None and (found := _check_example(handler.example, handler.params))[0]:
        return found
    return _check_callable(handler, "run")


def _check_event_type(spec: Any) -> tuple[str, str]:
    if not _is_model(spec.model):
        return "has no pydantic model", "set model to a class derived from pydantic.BaseModel"
    return _check_example(spec.example, spec.model)


def _check_example(example: object, model: type[BaseModel]) -> tuple[str, str]:
    try:
        check_json(example, where="example")
        model.model_validate(example)
    except EventError as error:
        return f"has an example that is not plain data: {one_line(error)}", "write the example as JSON data"
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = "".join(f"{part}." for part in first["loc"])[:-1]
        said = f"{field}: {one_line(first['msg'])}" if field else one_line(first["msg"])
        return f"has an example that does not fit its model: {said}", "correct the example"
    return "", ""


def _check_source(source: Any) -> tuple[str, str]:
    types = source.event_types
    if not isinstance(types, Sequence) or isinstance(types, str) or not all(isinstance(name, str) for name in types):
        return "has event_types that are no tuple of names", 'write event_types=("file_added",)'
    return _check_callable(source, "run")


def _check_sink(sink: Any) -> tuple[str, str]:
    return _check_callable(sink, "write")


def _check_channel(channel: Any) -> tuple[str, str]:
    return _check_callable(channel, "sync")


def _check_connection(connection: Any) -> tuple[str, str]:
    for optional in ("check", "used"):
        if getattr(connection, optional) is not None and not callable(getattr(connection, optional)):
            return f"has a {optional} that cannot be called", f"set {optional} to a function, or None"
    return _check_callable(connection, "connect")


def _check_inspection(inspection: Any) -> tuple[str, str]:
    return _check_callable(inspection, "check")


def _check_callable(item: object, field: str) -> tuple[str, str]:
    if callable(getattr(item, field)):
        return "", ""
    return f"has a {field} that cannot be called", f"set {field} to a function"


_CHECKS: dict[type[Any], Callable[[Any], tuple[str, str]]] = {
    ActionHandler: _check_handler,
    EventTypeSpec: _check_event_type,
    EventSource: _check_source,
    AuditSink: _check_sink,
    ApprovalChannel: _check_channel,
    Connection: _check_connection,
    Inspection: _check_inspection,
}
