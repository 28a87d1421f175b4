"""The JSON of a workflow file, as written: its fields, their limits, and errors that say file, step and field."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from aie.cron import cron_problem, zone_problem
from aie.durations import expected_s
from aie.errors import DefinitionError, EventError
from aie.plain import parse_json, shown

T = TypeVar("T")

MAX_STEPS = 200
MAX_TIMEOUT_S = 86_400
MAX_RETRIES = 100
MAX_FILE_BYTES = 2_000_000

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,119}$")]
StepId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,79}$")]
CatchUp = Literal["once", "all", "skip"]
Mode = Literal["parallel", "queued", "single", "restart"]
MODES = (
    "what a new run does while another of this workflow is under way: starts beside it (parallel), waits for it"
    " (queued), does not start (single), or cancels the earlier ones (restart); a run that waits for a time, a person"
    " or a plugin is in nobody's way"
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ScheduleDefinition(_Part):
    """When a workflow starts by itself."""

    cron: str = Field(description="five fields: minute hour day month weekday", examples=["0 8 * * 1-5"])
    timezone: str | None = Field(default=None, description="IANA zone; the vault's when left out")
    catch_up: CatchUp = Field(default="once", description="what to do about times that passed while aie was off")

    @field_validator("cron")
    @classmethod
    def _cron_line(cls, value: str) -> str:
        return _usable(value, cron_problem(value))

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        return value if value is None else _usable(value, zone_problem(value))


class RetryDefinition(_Part):
    """How long to wait between attempts: initial_s, then factor times longer each time, up to max_s."""

    initial_s: float = Field(default=1.0, ge=0, le=86_400)
    factor: float = Field(default=2.0, ge=1, le=10)
    max_s: float = Field(default=300.0, ge=0, le=86_400)
    jitter: float = Field(default=0.25, ge=0, le=1, description="up to this share is added by chance")


class StepDefinition(_Part):
    """One action of a workflow."""

    action_type: str = Field(min_length=1, max_length=200, description="an action, NAME or PLUGIN.NAME")
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict, description="what the action gets; texts may be templates"
    )
    id: StepId | None = Field(default=None, description="the step's name in results and jumps; action_N without one")
    condition: str | None = Field(default=None, description="the step is skipped when this is false")
    on_success: str | None = Field(
        default=None, description="the step to go on with after success; action_N = end when N is the number of steps"
    )
    on_failure: str | None = Field(default=None, description="the step to go on with after failure or rejection")
    retry_count: int = Field(default=3, ge=0, le=MAX_RETRIES, description="attempts after the first one")
    retry: RetryDefinition = Field(default_factory=RetryDefinition)
    timeout: float = Field(default=30.0, gt=0, le=MAX_TIMEOUT_S, description="seconds an attempt may take")
    await_approval: bool = Field(default=False, description="later steps wait until this one is decided and done")

    @field_validator("retry_count", "timeout", "retry", "parameters", "await_approval", mode="before")
    @classmethod
    def _null_means_default(cls, value: Any, info: Any) -> Any:
        """An explicit null, as the original files have them, is the same as leaving the field out."""
        return cls.model_fields[info.field_name].get_default(call_default_factory=True) if value is None else value


class WorkflowDefinition(_Part):
    """A whole file. ``created_at``, ``last_executed`` and ``execution_count`` are accepted and not used."""

    schema_: str | None = Field(default=None, alias="$schema")
    workflow_id: Name
    name: str = Field(default="", max_length=300)
    description: str = Field(default="", max_length=5_000)
    version: Annotated[str | int | None, Field(description="yours to count; aie does not read it")] = None
    trigger_event: str = Field(min_length=1, max_length=200, description="the event type that starts it")
    trigger_condition: str | None = Field(default=None, description="an expression; it starts only when this is true")
    schedule: ScheduleDefinition | None = Field(
        default=None, description="starts it by the clock (trigger_event scheduled_trigger)"
    )
    mode: Mode = Field(default="parallel", description=MODES)
    max: int | None = Field(
        default=None, ge=1, le=10_000, description="with mode parallel: how many runs may be under way; others wait"
    )
    expect: str | None = Field(
        default=None, description="how often it has to run; a note says so when it does not", examples=["every 1d"]
    )
    enabled: bool = True
    actions: list[StepDefinition] = Field(min_length=1, max_length=MAX_STEPS)
    created_at: str | None = None
    last_executed: str | None = None
    execution_count: int | None = None

    @field_validator("name", "description", "enabled", "mode", mode="before")
    @classmethod
    def _null_means_default(cls, value: Any, info: Any) -> Any:
        return cls.model_fields[info.field_name].default if value is None else value

    @field_validator("max")
    @classmethod
    def _max_goes_with_parallel(cls, value: int | None, info: ValidationInfo) -> int | None:
        mode = info.data.get("mode", "parallel")
        alone = value is None or mode == "parallel"
        return _usable(value, "" if alone else f"'max' goes with mode 'parallel', and the mode is {mode!r}")

    @field_validator("expect")
    @classmethod
    def _expected(cls, value: str | None) -> str | None:
        try:
            if value is not None:
                expected_s(value)
        except ValueError as error:
            return _usable(value, str(error))
        return value

    @field_validator("schedule", mode="before")
    @classmethod
    def _cron_line_alone(cls, value: Any) -> Any:
        return {"cron": value} if isinstance(value, str) else value

    def content(self) -> dict[str, Any]:
        """What a run is pinned to: everything but the counters, the switch, the editor's ``$schema`` and ``expect``."""
        return self.model_dump(
            mode="json", exclude={"schema_", "enabled", "expect", "created_at", "last_executed", "execution_count"}
        )


class FileError(DefinitionError):
    """Everything that is wrong with one file: says the first thing, lists the others, and has each in ``problems``."""

    def __init__(self, problems: Sequence[DefinitionError]) -> None:
        first, *others = problems
        more = "".join(
            f"\n{other.where}: {other.message}" + (f"; {other.hint}" if other.hint else "") for other in others
        )
        super().__init__(first.message + more, where=first.where, hint=first.hint)
        self.problems = tuple(problems)


def parse_definition(text: str | bytes, *, where: str) -> WorkflowDefinition:
    """The definition in one file. Raises FileError with all that is wrong with its fields, or DefinitionError when
    there are none to look at.
    """
    try:
        value = parse_json(text, where=where, max_bytes=MAX_FILE_BYTES)
    except EventError as error:
        raise DefinitionError(error.message, where=error.where or where, hint=error.hint or "mend the JSON") from None
    if not isinstance(value, dict):
        raise DefinitionError(
            f"a workflow is an object, found {_kind(value)}", where=where, hint='begin with {"workflow_id": …'
        )
    try:
        return WorkflowDefinition.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False)
    misspelt = {(*problem["loc"][:-1], _meant(problem)) for problem in found if problem["type"] == "extra_forbidden"}
    # A key that is there, misspelt, is not missing as well.
    found = [problem for problem in found if problem["type"] != "missing" or problem["loc"] not in misspelt]
    found = [problem for problem in found if problem["loc"] != ("version", "int")]
    raise FileError([_error(problem, value, where) for problem in found])


def _error(problem: ErrorDetails, value: dict[str, Any], where: str) -> DefinitionError:
    path = list(problem["loc"])
    place = _place(path, value)
    key = str(path[-1])
    if path[0] == "version":  # text or number: one finding is enough
        place, key = "version", "version"
    elif isinstance(path[-1], int):
        key = "an action"
    message, hint = _sentence(problem, key)
    return DefinitionError(message, where=f"{where}, {place}" if place else where, hint=hint)


def _sentence(problem: ErrorDetails, key: str) -> tuple[str, str]:
    """What is wrong, and what would be right, for one of pydantic's findings."""
    kind, found, limits = problem["type"], problem["input"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        known = _fields_at(problem)
        meant = _meant(problem)
        return f"unknown key {key!r}", f"did you mean {meant!r}?" if meant else f"known here: {', '.join(known)}"
    if kind == "missing":
        needed = "every workflow needs workflow_id, trigger_event and actions; every action an action_type"
        return f"{key!r} is missing", "a schedule needs a cron line" if key == "cron" else needed
    if kind == "not_usable":
        return problem["msg"], ""
    if kind == "string_pattern_mismatch":
        return f"{key!r} cannot be {shown(found)}", _NAME_RULES.get(key, "")
    if kind in ("string_too_short", "string_too_long"):
        limit = f"at most {limits['max_length']:,}" if "max_length" in limits else f"at least {limits['min_length']}"
        return f"{key!r} has {len(found):,} characters", f"write {limit}"
    if kind in ("too_short", "too_long"):
        return f"there are {len(found)} actions", f"a workflow has 1 to {MAX_STEPS}"
    wanted = _WANTED.get(kind) or re.sub(r"^Input should be (a valid )?", "", problem["msg"])
    if kind in _LIMITS:
        wanted = f"a number {_LIMITS[kind]} {next(iter(limits.values())):g}"
    quoted = isinstance(found, str) and re.fullmatch(r"-?[0-9.]+|true|false", found) and wanted != "text"
    subject = key if key == "an action" else repr(key)
    return f"{subject} must be {wanted}, found {_found(found)}", "write it without quotation marks" if quoted else ""


_NAME_RULES = {
    "workflow_id": "letters, digits, '_', '-' and '.', beginning with a letter or digit, up to 120 of them",
    "id": "letters, digits and '_', beginning with a letter or '_', up to 80 of them",
}
_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
_LIMITS = {
    "greater_than": "above",
    "greater_than_equal": "of at least",
    "less_than": "below",
    "less_than_equal": "of at most",
}


def _found(value: object) -> str:
    return _kind(value) if isinstance(value, (dict, list, bool, type(None))) else shown(value)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    names = {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number"}
    return names.get(type(value), "null" if value is None else type(value).__name__)


def _meant(problem: ErrorDetails) -> str:
    """The key that an unknown one looks like, or nothing."""
    close = difflib.get_close_matches(str(problem["loc"][-1])[:100], _fields_at(problem), n=1, cutoff=0.5)
    return close[0] if close else ""


def _place(path: list[Any], value: dict[str, Any]) -> str:
    if len(path) >= 2 and path[0] == "actions" and isinstance(path[1], int):
        step = value["actions"][path[1]]
        name = step.get("id") if isinstance(step, dict) else None
        label = name if isinstance(name, str) else f"action_{path[1]}"
        return ", ".join([f"step {label}", *([".".join(map(str, path[2:]))] if path[2:] else [])])
    return ".".join(map(str, path))


def _fields_at(problem: ErrorDetails) -> list[str]:
    path = problem["loc"]
    model: type[BaseModel] = WorkflowDefinition
    if path[0] == "actions" and len(path) > 1:
        model = RetryDefinition if "retry" in path[2:-1] else StepDefinition
    elif path[0] == "schedule" and len(path) > 1:
        model = ScheduleDefinition
    return [field.alias or name for name, field in model.model_fields.items()]


def _usable(value: T, problem: str) -> T:
    """The value; or the problem as a validation error whose message is that sentence and nothing else."""
    if problem:
        raise PydanticCustomError("not_usable", "{problem}", {"problem": problem})
    return value
