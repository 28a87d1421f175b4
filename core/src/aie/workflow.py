"""A workflow ready to run: conditions and templates parsed, jumps resolved, and who needs whose result known."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from aie.conditions import Condition
from aie.definition import (
    FileError,
    Mode,
    RetryDefinition,
    ScheduleDefinition,
    StepDefinition,
    WorkflowDefinition,
    parse_definition,
)
from aie.errors import AieError, DefinitionError
from aie.plain import Json, digest, dumps
from aie.templates import Template, TemplateCompiler

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One action; ``on_success`` and ``on_failure`` are step numbers, the number of steps meaning the end."""

    index: int
    id: str
    action_type: str
    parameters: Template
    condition: Condition | None
    on_success: int | None
    on_failure: int | None
    attempts: int
    retry: RetryDefinition
    timeout_s: float
    await_approval: bool
    needs: frozenset[int]  # earlier steps whose results this one uses
    uses_now: bool  # whether its parameters ask for the time

    @property
    def holds_the_line(self) -> bool:
        """Whether the steps after this one wait for its decision, because it decides the way or they were told to."""
        return self.await_approval or self.on_success is not None or self.on_failure is not None


@dataclass(frozen=True, slots=True)
class Workflow:
    """A definition, compiled. ``hash`` covers its content, so a run can be pinned to it."""

    workflow_id: str
    name: str
    description: str
    trigger_event: str
    condition: Condition | None
    schedule: ScheduleDefinition | None
    enabled: bool  # as the file says
    expect: str  # how often it has to run, as written: every 1d; '' when nothing is expected
    mode: Mode
    max_under_way: int | None  # how many of its runs may be under way at once; the others wait
    steps: tuple[Step, ...]
    hash: str
    body: str  # canonical JSON of the content: parsing it again gives an equal workflow
    where: str

    def plain(self) -> dict[str, Json]:
        """What conditions and templates see as ``workflow``."""
        return {"workflow_id": self.workflow_id, "name": self.name, "description": self.description}


def compile_workflow(definition: WorkflowDefinition, compiler: TemplateCompiler, *, where: str) -> Workflow:
    """Check and compile; :class:`FileError` has everything that is wrong, each with its step and field."""
    problems: list[DefinitionError] = []
    numbers = _step_numbers(definition, where, problems)
    source = definition.trigger_condition
    condition = _try(problems, lambda: _condition(source, f"{where}, trigger_condition"))
    count = len(definition.actions)
    steps = [
        _compile_step(step, index, numbers, count, compiler, where, problems)
        for index, step in enumerate(definition.actions)
    ]
    if problems:
        raise FileError(problems)
    content = definition.content()
    return Workflow(
        workflow_id=definition.workflow_id,
        name=definition.name or definition.workflow_id,
        description=definition.description,
        trigger_event=definition.trigger_event,
        condition=condition,
        schedule=definition.schedule,
        enabled=definition.enabled,
        expect=definition.expect or "",
        mode=definition.mode,
        max_under_way=1 if definition.mode == "queued" else definition.max,
        steps=tuple(step for step in steps if step is not None),
        hash=digest(content),
        body=dumps(content),
        where=where,
    )


def parse_workflow(text: str | bytes, compiler: TemplateCompiler, *, where: str) -> Workflow:
    """The workflow in one file, or in the journal's copy of it."""
    return compile_workflow(parse_definition(text, where=where), compiler, where=where)


def _try(problems: list[DefinitionError], compile_part: Callable[[], T]) -> T | None:
    """The part; or None, and what is wrong with it among the problems."""
    try:
        return compile_part()
    except DefinitionError as error:
        problems.append(error)
    except AieError as error:
        problems.append(DefinitionError(error.message, where=error.where, hint=error.hint))
    return None


def _step_numbers(definition: WorkflowDefinition, where: str, problems: list[DefinitionError]) -> dict[str, int]:
    """Every name a step answers to: ``action_N``, and its own id."""
    numbers = {f"action_{index}": index for index in range(len(definition.actions))}
    for index, step in enumerate(definition.actions):
        if step.id is None:
            continue
        if numbers.setdefault(step.id, index) != index:
            problems.append(
                DefinitionError(
                    f"the id {step.id!r} is taken by action_{numbers[step.id]}",
                    where=f"{where}, step action_{index}, id",
                    hint="give each step an id of its own",
                )
            )
    return numbers


def _compile_step(
    step: StepDefinition,
    index: int,
    numbers: dict[str, int],
    count: int,
    compiler: TemplateCompiler,
    where: str,
    problems: list[DefinitionError],
) -> Step | None:
    label = f"{where}, step {step.id or f'action_{index}'}"
    condition = _try(problems, lambda: _condition(step.condition, f"{label}, condition"))
    parameters = _try(problems, lambda: compiler.parse(step.parameters, where=f"{label}, parameters"))
    on_success = _try(problems, lambda: _jump(step.on_success, "on_success", index, numbers, count, label))
    on_failure = _try(problems, lambda: _jump(step.on_failure, "on_failure", index, numbers, count, label))
    if parameters is None:
        return None
    needs: frozenset[int] = frozenset()
    for field, used in (("condition", condition), ("parameters", parameters)):
        if used is not None:
            steps = _try(problems, partial(_needs, used.result_steps, index, numbers, f"{label}, {field}"))
            needs |= steps or frozenset()
    return Step(
        index=index,
        id=step.id or f"action_{index}",
        action_type=step.action_type,
        parameters=parameters,
        condition=condition,
        on_success=on_success,
        on_failure=on_failure,
        attempts=step.retry_count + 1,
        retry=step.retry,
        timeout_s=step.timeout,
        await_approval=step.await_approval,
        needs=needs,
        uses_now=any(path[0] == "now" for path in parameters.paths),
    )


def _condition(source: str | None, where: str) -> Condition | None:
    return None if source is None else Condition.parse(source, where=where)


def _jump(target: str | None, field: str, index: int, numbers: dict[str, int], count: int, label: str) -> int | None:
    """Jumps go forward only: a run then has an end, and each of its steps happens at most once."""
    if target is None:
        return None
    number = count if target in ("end", f"action_{count}") else numbers.get(target)
    if number is None:
        close = difflib.get_close_matches(target, [*numbers, f"action_{count}"], n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise DefinitionError(
            f"jumps to {target!r}, and there is no such step",
            where=f"{label}, {field}",
            hint=f"{hint}steps are action_0 to action_{count - 1} or their own ids; 'action_{count}' is the end",
        )
    if number <= index:
        raise DefinitionError(
            f"jumps back to {target!r}; jumps go forward only",
            where=f"{label}, {field}",
            hint="use retry_count to try a step again, or run_workflow to start a workflow again",
        )
    return number


def _needs(names: frozenset[str] | None, index: int, numbers: dict[str, int], where: str) -> frozenset[int]:
    """The earlier steps a step uses; all of them when its use of ``results`` cannot be told from the text."""
    if names is None:
        return frozenset(range(index))
    earlier = {known: place for known, place in numbers.items() if place < index}
    for name in sorted(names - earlier.keys()):
        close = difflib.get_close_matches(name, earlier, n=1)
        raise DefinitionError(
            f"uses results.{name}, and no earlier step has that name",
            where=where,
            hint=f"did you mean {close[0]!r}?" if close else f"earlier steps: {', '.join(earlier) or 'none'}",
        )
    return frozenset(earlier[name] for name in names)
