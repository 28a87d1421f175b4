"""Loading one plugin: import it, read its hooks, call each once, check what it says."""

from __future__ import annotations

import inspect
from importlib.metadata import EntryPoint
from typing import Any, TypeVar

import pluggy
from pydantic import BaseModel
from stevedore.driver import DriverManager

from aie import hookspecs
from aie.actions import ActionHandler
from aie.approvals import ApprovalChannel
from aie.config import Config
from aie.connections import Connection, Inspection
from aie.events import EventTypeSpec
from aie.plugins.compatibility import refuse_other_version
from aie.plugins.discovery import Found
from aie.plugins.guard import BrokenPluginError, discard, guarded
from aie.plugins.local_file import LocalFile
from aie.plugins.offers import checked_offers
from aie.plugins.plugin import Plugin
from aie.plugins.settings import checked_settings
from aie.records import AuditSink
from aie.sources import EventSource
from aie.spelling import nearest

T = TypeVar("T")


class _Driver(DriverManager[Any]):
    """stevedore's driver for exactly this entry point.

    stevedore would look the name up in a cache it keeps on disk, which serves names that are gone and forgets which
    package an entry point belongs to. What is installed has been read already, so there is nothing to look up.
    """

    def __init__(self, entry_point: EntryPoint) -> None:
        self._entry_point = entry_point
        super().__init__(entry_point.group, entry_point.name)

    def list_entry_points(self) -> list[EntryPoint]:
        return [self._entry_point]


def import_entry_point(found: Found) -> Any:
    """The object the entry point names. Raises BrokenPluginError whatever goes wrong in there."""
    return guarded("importing it", lambda: _Driver(found.entry_point).driver)


def load_plugin(name: str, found: object, config: Config) -> Plugin:
    """The plugin behind ``found``: an entry point, a file or, handed over by the program, the object itself."""
    thing, package = found, ""
    if isinstance(found, Found):
        thing, package = import_entry_point(found), found.package
    elif isinstance(found, LocalFile):
        thing = guarded("importing it", found.module)
    refuse_other_version(thing, package)
    hooks = guarded("reading its hooks", read_hooks, name, thing)
    model = _settings_model(hooks)
    settings = checked_settings(name, model, config)

    def offers(hook: str, kind: type[T], **arguments: Any) -> tuple[T, ...]:
        answer = _answer(hooks, hook, **arguments)
        return () if answer is _NOT_THERE else guarded(hook, checked_offers, name, hook, kind, answer)

    return Plugin(
        name=name,
        hooks=hooks,
        settings=settings,
        settings_model=model,
        event_types=offers("aie_event_types", EventTypeSpec),
        sources=offers("aie_event_sources", EventSource, settings=settings),
        handlers=offers("aie_action_handlers", ActionHandler, settings=settings),
        sinks=offers("aie_audit_sinks", AuditSink, settings=settings),
        channels=offers("aie_approval_channels", ApprovalChannel, settings=settings),
        connections=offers("aie_connections", Connection, settings=settings),
        inspections=offers("aie_inspections", Inspection, settings=settings),
    )


_NOT_THERE = object()


def _answer(hooks: pluggy.PluginManager, hook: str, **arguments: Any) -> object:
    caller = getattr(hooks.hook, hook)
    if not caller.get_hookimpls():
        return _NOT_THERE
    answers = guarded(hook, caller, **arguments)
    return answers[0] if answers else None  # pluggy leaves out None


def _settings_model(hooks: pluggy.PluginManager) -> type[BaseModel] | None:
    answer = _answer(hooks, "aie_settings")
    if answer is _NOT_THERE:
        return None
    if isinstance(answer, type) and issubclass(answer, BaseModel):
        return answer
    discard(answer)
    found = "None" if answer is None else f"a {type(answer).__name__}"
    hint = "it returns the class of the settings, derived from pydantic.BaseModel"
    raise BrokenPluginError(f"aie_settings returned {found}", hint=hint)


def read_hooks(name: str, thing: object) -> pluggy.PluginManager:
    """The plugin's hooks, in a manager of its own: pluggy stops at the first plugin that raises."""
    if isinstance(thing, type):
        hint = "let the entry point name a module, or an instance"
        raise BrokenPluginError(f"its entry point names the class {thing.__name__}", hint=hint)
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    specs = {hook: _argument_names(manager, hook) for hook in vars(hookspecs) if hook.startswith("aie_")}
    implemented: list[str] = []
    for attribute in dir(thing):
        options = manager.parse_hookimpl_opts(thing, attribute)
        if options is None:
            _refuse_unmarked(thing, attribute, specs)
            continue
        hook = options.get("specname") or attribute
        if hook not in specs:
            near = nearest(hook, specs)
            hint = f"did you mean {near}?" if near else "the hooks are " + ", ".join(specs)
            raise BrokenPluginError(f"{hook} is not a hook of aie", hint=hint)
        if hook in implemented:
            raise BrokenPluginError(f"it implements {hook} twice", hint="keep one of the two")
        _refuse_arguments(hook, getattr(thing, attribute), specs[hook])
        implemented.append(hook)
    if not implemented:
        hint = "mark its functions with @hookimpl, from aie, and name them after the hooks: " + ", ".join(specs)
        raise BrokenPluginError("it implements no hook", hint=hint)
    manager.register(thing, name)
    return manager


def _argument_names(manager: pluggy.PluginManager, hook: str) -> tuple[str, ...]:
    spec = getattr(manager.hook, hook).spec
    return tuple(spec.argnames) if spec else ()


def _refuse_unmarked(thing: object, attribute: str, specs: dict[str, tuple[str, ...]]) -> None:
    """A function named like a hook and not marked as one would be passed over in silence."""
    value = inspect.getattr_static(thing, attribute, None)
    if attribute in specs and inspect.isfunction(value) and value is not getattr(hookspecs, attribute):
        raise BrokenPluginError(f"{attribute} is not marked as a hook", hint="put @hookimpl, from aie, above it")


def _refuse_arguments(hook: str, function: Any, allowed: tuple[str, ...]) -> None:
    """pluggy hands arguments over by name, and leaves out those that have a default."""
    right = f"write it as def {hook}({', '.join(allowed)})"
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.name in allowed and parameter.default is not parameter.empty:
            raise BrokenPluginError(f"{hook} has a default for {parameter.name!r}, and would only get that", hint=right)
        if parameter.name in allowed and parameter.kind is parameter.KEYWORD_ONLY:
            raise BrokenPluginError(f"{hook} takes {parameter.name!r} by keyword only", hint=right)
        if parameter.name not in allowed and parameter.default is parameter.empty:
            takes = ", ".join(repr(name) for name in allowed) or "no arguments"
            raise BrokenPluginError(f"{hook} takes the argument {parameter.name!r}, and is given {takes}", hint=right)
