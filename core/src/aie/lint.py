"""Looking over a workflow that compiles: what would fail, or never happen, once it runs with the plugins there are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from aie.catalogue import Catalogue
from aie.cron import due_times
from aie.durations import expected_s
from aie.errors import AieError, PluginError
from aie.events import EventType
from aie.lint_flow import Before, before_each
from aie.lint_paths import miss_in, misspelt, suggestion
from aie.plain import Json, path_text, shown
from aie.plugins.discovery import canonical
from aie.plugins.plugin import BoundHandler
from aie.plugins.registry import Registry
from aie.references import Path, References
from aie.templates import TemplateCompiler
from aie.workflow import Step, Workflow

EVENT_KEYS = ("event_type", "source", "data", "timestamp", "event_id")
WORKFLOW_KEYS = ("workflow_id", "name", "description")
RUN_KEYS = ("run_id", "started_at")
A_DAY = datetime(2026, 1, 1, tzinfo=UTC)  # from which a schedule is looked at
DUE_TIMES = 100
STATUS_KEYS = ("status", "error")  # of any step that was come to, whatever became of it


class Severity(StrEnum):
    """An error fails when it runs, as far as can be told; a warning may be meant."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend. ``where`` is file, step and field, ``message`` what is there, ``hint`` what would be right."""

    severity: Severity
    where: str
    message: str
    hint: str = ""


def lint(workflow: Workflow, registry: Registry) -> list[Finding]:
    """Everything to say about a workflow, in the order of its file."""
    return list(_Linter(workflow, registry).findings())


def needed_package(action_type: str, registry: Registry) -> str:
    """The package to install for an action that is not there; '' if it is, or if none is known to bring it."""
    plugin, dot, _ = action_type.partition(".")
    catalogue = Catalogue.load()
    package = catalogue.plugins.get(plugin, "") if dot else catalogue.actions.get(action_type, "")
    installed = {canonical(info.package) for info in registry.plugins}
    return package if package and action_type not in registry.actions() and canonical(package) not in installed else ""


@dataclass(slots=True)
class _Linter:
    workflow: Workflow
    registry: Registry

    def findings(self) -> Iterator[Finding]:
        yield from self._trigger()
        if self.workflow.condition is not None:
            place = f"{self.workflow.where}, trigger_condition"
            yield from self._references(self.workflow.condition.references, place, None, None)
        before = before_each(self.workflow)
        texts = TemplateCompiler()
        for step, sure in zip(self.workflow.steps, before, strict=True):
            label = f"{self.workflow.where}, step {step.id}"
            if sure is None:
                hint = "let a jump lead to it, or take it out"
                yield Finding(Severity.WARNING, label, "no run ever comes to this step: jumps lead past it", hint)
            yield from self._action(step, label)
            guards = step.condition.references if step.condition is not None else References()
            if step.condition is not None:
                yield from self._references(guards, f"{label}, condition", step, sure)
            for keys, text in _texts(step.parameters.source):
                references = texts.parse(text).references
                place = f"{label}, parameters.{path_text(list(keys))}"
                yield from self._references(references, place, step, sure, guards.paths)

    # --- when it starts -------------------------------------------------------------------------------------------

    def _trigger(self) -> Iterator[Finding]:
        trigger, place = self.workflow.trigger_event, f"{self.workflow.where}, trigger_event"
        if self.registry.event_type(trigger) is None:
            known = [offer.item.name for offer in self.registry.event_types()]
            package = Catalogue.load().event_types.get(trigger)
            if package:
                yield Finding(
                    Severity.WARNING,
                    place,
                    f"events of type {trigger!r} come from {package}",
                    f"aie plugins install {package}",
                )
            else:
                severity = Severity.ERROR if misspelt(trigger, known) else Severity.WARNING
                message = f"no installed plugin knows the event type {trigger!r}"
                yield Finding(severity, place, message, suggestion(trigger, known))
        if self.workflow.schedule is not None and trigger != EventType.SCHEDULED_TRIGGER:
            message = f"a schedule starts it with a scheduled_trigger event, and the rest is written for {trigger}"
            hint = 'write "trigger_event": "scheduled_trigger", or take the schedule out'
            yield Finding(Severity.WARNING, f"{self.workflow.where}, schedule", message, hint)
        yield from self._expectation()

    def _expectation(self) -> Iterator[Finding]:
        schedule, expect = self.workflow.schedule, self.workflow.expect
        if not expect or schedule is None:
            return
        times = list(islice(due_times(schedule.cron, ZoneInfo(schedule.timezone or "UTC"), A_DAY), DUE_TIMES))
        longest = max((later - earlier for earlier, later in pairwise(times)), default=timedelta.max)
        if longest.total_seconds() > expected_s(expect):
            message = f"it is expected {expect}, and its own schedule does not start it as often"
            hint = "let expect be longer than the longest time between two starts"
            yield Finding(Severity.WARNING, f"{self.workflow.where}, expect", message, hint)

    # --- what conditions and templates read -----------------------------------------------------------------------

    def _references(
        self,
        references: References,
        place: str,
        step: Step | None,
        sure: Before | None,
        guarded: Collection[Path] = (),
    ) -> Iterator[Finding]:
        for path in sorted(references.paths):
            match path:
                case ("event", "data", _, *_):
                    yield from self._event_data(path, place)
                case ("event", key, *_) if key not in EVENT_KEYS:
                    spec = self.registry.event_type(self.workflow.trigger_event)
                    fields = tuple(spec.model.model_fields) if spec else ()
                    near = misspelt(key, EVENT_KEYS)
                    inside = key if not near and key in fields else misspelt(key, fields)
                    hint = f"did you mean event.data.{inside}?" if inside and not near else suggestion(key, EVENT_KEYS)
                    yield Finding(Severity.ERROR, place, f"an event has no {key!r}", hint)
                case ("workflow", key, *_) if key not in WORKFLOW_KEYS:
                    yield Finding(Severity.ERROR, place, f"workflow has no {key!r}", suggestion(key, WORKFLOW_KEYS))
                case ("results" | "run", *_) if step is None:
                    message = f"{path_text(list(path))} is not there yet when a workflow is about to start"
                    yield Finding(Severity.ERROR, place, message, "move the question into the condition of a step")
                case ("run", key, *_) if key not in RUN_KEYS:
                    yield Finding(Severity.ERROR, place, f"run has no {key!r}", suggestion(key, RUN_KEYS))
                case ("results", _, *_) if sure is not None:
                    asked = {*guarded, *(references.paths - references.required_paths)}
                    yield from self._result(path, place, sure, path in references.required_paths, asked)

    def _event_data(self, path: Path, place: str) -> Iterator[Finding]:
        trigger = self.workflow.trigger_event
        spec = self.registry.event_type(trigger)
        miss = miss_in(path[2:], spec.model) if spec is not None else None
        if miss is None:
            return
        yield self._missing(miss.path, miss.known, place, "event.data", f"{trigger} events have")

    def _result(
        self, path: Path, place: str, sure: Before, required: bool, asked: Collection[Path]
    ) -> Iterator[Finding]:
        index = next(step.index for step in self.workflow.steps if path[1] in (step.id, f"action_{step.index}"))
        source = self.workflow.steps[index]
        field = path[2] if len(path) > 2 else "status"
        yield from self._result_field(path, place, source)
        is_asked = any(other[:2] == path[:2] for other in asked)
        if not required or is_asked:
            return
        if index not in sure.visited:
            message = f"results.{path[1]} may not be there: a jump can lead past that step"
        elif field not in STATUS_KEYS and index not in sure.succeeded:
            message = f"results.{path[1]}.{field} may not be there: that step can be skipped or fail before this one"
        else:
            return
        get = f"results.get({path[1]!r}, {{}}).get({field!r})"
        yield Finding(Severity.WARNING, place, message, f"ask for it in the step's condition, or write {get}")

    def _result_field(self, path: Path, place: str, source: Step) -> Iterator[Finding]:
        bound = self.registry.actions().get(source.action_type)
        if bound is None or bound.handler.result is None or len(path) < 3 or path[2] in STATUS_KEYS:
            return
        miss = miss_in(path[2:], bound.handler.result)
        if miss is not None:
            known = (*miss.known, "status") if len(miss.path) == 1 else miss.known
            yield self._missing(
                miss.path, known, place, f"results.{path[1]}", f"the result of {source.action_type} has"
            )

    def _missing(self, path: Path, known: tuple[str, ...], place: str, root: str, owner: str) -> Finding:
        """A name that is not in a model. Other names may be there all the same, so it takes a slip to make an error."""
        *outer, name = path
        base = ".".join([root, *outer])
        if not known:
            return Finding(
                Severity.WARNING, place, f"{base} is no object, so {base}.{name} is not there", f"write {base}"
            )
        severity = Severity.ERROR if misspelt(name, known) else Severity.WARNING
        return Finding(severity, place, f"{owner} no {base}.{name}", suggestion(name, known))

    # --- what actions take ----------------------------------------------------------------------------------------

    def _action(self, step: Step, label: str) -> Iterator[Finding]:
        try:
            bound = self.registry.handler(step.action_type)
        except PluginError as error:
            yield Finding(Severity.ERROR, f"{label}, action_type", error.message, error.hint)
            return
        assert isinstance(step.parameters.source, dict)
        yield from _parameters(step.parameters.source, bound, f"{label}, parameters")


def _texts(value: Json, keys: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text with placeholders, and the keys that lead to it."""
    if isinstance(value, str):
        if _is_template(value):
            yield keys, value
        return
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*keys, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*keys, index))


def _is_template(text: str) -> bool:
    return "{{" in text or "{%" in text


def _parameters(given: Mapping[str, Json], bound: BoundHandler, place: str) -> Iterator[Finding]:
    """Names against the action's model, and the values that are as they will be."""
    model, action = bound.handler.params, bound.name
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    extra = model.model_config.get("extra", "ignore")
    see = f"aie plugins show {bound.plugin} lists its parameters"
    names = {*fields, *(model.model_fields if model.model_config.get("populate_by_name") else ())}
    for name in given:
        meant = misspelt(name, fields)
        if name in names or (extra == "allow" and not meant):
            continue
        severity = Severity.ERROR if extra == "forbid" or meant else Severity.WARNING
        hint = suggestion(name, tuple(fields)) if fields else "it takes none"
        yield Finding(severity, f"{place}.{name}", f"{action} takes no parameter {name!r}", hint)
    misspelt_names = {misspelt(name, fields) for name in given if name not in names}
    for name, field in fields.items():
        if field.is_required() and name not in given and name not in misspelt_names:
            message = f"{action} needs the parameter {name!r}"
            yield Finding(Severity.ERROR, place, message, field.description or see)
    yield from _values(given, model, place, see)


def _values(given: Mapping[str, Json], model: type[BaseModel], place: str, see: str) -> Iterator[Finding]:
    literal = {name: value for name, value in given.items() if next(_texts(value), None) is None}
    problem = _problem(model.model_validate, literal)
    if isinstance(problem, ValidationError):
        for error in problem.errors(include_url=False):
            path = error["loc"]
            whole = not path and len(literal) == len(given)
            if whole or (path and path[0] in literal and error["type"] not in ("missing", "extra_forbidden")):
                yield Finding(Severity.ERROR, _field(place, path), _said(error["msg"], error["input"], bool(path)), see)
            elif len(path) > 1 and path[0] in literal:
                word = "is missing" if error["type"] == "missing" else "is not known"
                yield Finding(Severity.ERROR, _field(place, path), f"{path[-1]!r} {word}", see)
    elif isinstance(problem, AieError):
        yield Finding(Severity.ERROR, place, problem.message, problem.hint or see)
    elif problem is not None and len(literal) == len(given):
        message = f"the action's own check of its parameters failed: {type(problem).__name__}: {shown(str(problem))}"
        yield Finding(Severity.WARNING, place, message, "tell the author of the plugin")


def _problem(check: Callable[[Mapping[str, Json]], object], values: Mapping[str, Json]) -> Exception | None:
    try:
        check(values)
    except Exception as error:  # a plugin's model may raise anything
        return error
    return None


def _field(place: str, path: tuple[str | int, ...]) -> str:
    return f"{place}.{path_text(list(path))}" if path else place


def _said(message: str, found: object, with_value: bool) -> str:
    """pydantic's sentence as one of ours."""
    text = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    text = text.replace("Input should be", "must be", 1)
    text = text[:1].lower() + text[1:]
    return f"{text}, found {shown(found)}" if with_value and shown(found) not in text else text
