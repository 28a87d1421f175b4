"""The JSON of a workflow file, as written: its fields, their limits, and errors that say file, step and field."""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError, field_validator

from aie.errors import DefinitionError, EventError
from aie.plain import parse_json

MAX_STEPS = 200
MAX_TIMEOUT_S = 86_400
MAX_RETRIES = 100
MAX_FILE_BYTES = 2_000_000

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,119}$")]
StepId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,79}$")]
CatchUp = Literal["once", "all", "skip"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ScheduleDefinition(_Part):
    """When a workflow starts by itself."""

    cron: str = Field(description="five fields: minute hour day month weekday", examples=["0 8 * * 1-5"])
    timezone: str | None = Field(default=None, description="IANA zone; the vault's when left out")
    catch_up: CatchUp = Field(default="once", description="what to do about times that passed while aie was off")


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
    version: str | int | None = None
    trigger_event: str = Field(min_length=1, max_length=200, description="the event type that starts it")
    trigger_condition: str | None = Field(default=None, description="an expression; it starts only when this is true")
    schedule: ScheduleDefinition | None = Field(
        default=None, description="starts it by the clock (trigger_event scheduled_trigger)"
    )
    mode: Literal["parallel"] = Field(
        default="parallel", description="runs of this workflow do not wait for one another"
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

    @field_validator("schedule", mode="before")
    @classmethod
    def _cron_line_alone(cls, value: Any) -> Any:
        return {"cron": value} if isinstance(value, str) else value

    def content(self) -> dict[str, Any]:
        """What a run is pinned to: everything but the counters, the switch and the editor's ``$schema``."""
        return self.model_dump(
            mode="json", exclude={"schema_", "enabled", "created_at", "last_executed", "execution_count"}
        )


def parse_definition(text: str | bytes, *, where: str) -> WorkflowDefinition:
    """The definition in one file; :class:`DefinitionError` lists everything that is wrong with it."""
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
        problems = [_sentence(problem, value) for problem in error.errors(include_url=False)]
        first_place, first, hint = problems[0]
        more = "".join(f"\n{place}: {text}" + (f" ({note})" if note else "") for place, text, note in problems[1:])
        raise DefinitionError(
            first + more, where=f"{where}, {first_place}" if first_place else where, hint=hint
        ) from None


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null" if value is None else type(value).__name__)


def _sentence(problem: Any, value: dict[str, Any]) -> tuple[str, str, str]:
    """(place, what is wrong, what would be right) for one of pydantic's findings."""
    path = list(problem["loc"])
    place = _place(path, value)
    found = problem.get("input")
    if problem["type"] == "extra_forbidden":
        known = _fields_at(path)
        close = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
        return place, f"unknown key {str(path[-1])!r}", hint
    if problem["type"] == "missing":
        return (
            place,
            f"{path[-1]!r} is missing",
            "every workflow needs workflow_id, trigger_event and actions; every action an action_type",
        )
    message = re.sub(r"^Input should be", "must be", problem["msg"])
    return (
        place,
        f"{message}, found {found!r}"[:500]
        if not isinstance(found, (dict, list))
        else f"{message}, found {_kind(found)}",
        "",
    )


def _place(path: list[Any], value: dict[str, Any]) -> str:
    if len(path) >= 2 and path[0] == "actions" and isinstance(path[1], int):
        step = value["actions"][path[1]]
        name = step.get("id") if isinstance(step, dict) else None
        label = name if isinstance(name, str) else f"action_{path[1]}"
        return ", ".join([f"step {label}", *([".".join(map(str, path[2:]))] if path[2:] else [])])
    return ".".join(map(str, path))


def _fields_at(path: list[Any]) -> list[str]:
    model: type[BaseModel] = WorkflowDefinition
    if path[0] == "actions":
        model = RetryDefinition if "retry" in path[2:-1] else StepDefinition
    elif path[0] == "schedule":
        model = ScheduleDefinition
    return [field.alias or name for name, field in model.model_fields.items()]
