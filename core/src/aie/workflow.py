"""A workflow ready to run: conditions and templates parsed, jumps resolved, and who needs whose result known."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from aie.conditions import Condition
from aie.definition import RetryDefinition, ScheduleDefinition, StepDefinition, WorkflowDefinition, parse_definition
from aie.errors import AieError, DefinitionError
from aie.plain import Json, digest, dumps
from aie.templates import Template, TemplateCompiler


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
    steps: tuple[Step, ...]
    hash: str
    body: str  # canonical JSON of the content: parsing it again gives an equal workflow
    where: str

    def plain(self) -> dict[str, Json]:
        """What conditions and templates see as ``workflow``."""
        return {"workflow_id": self.workflow_id, "name": self.name, "description": self.description}


def compile_workflow(definition: WorkflowDefinition, compiler: TemplateCompiler, *, where: str) -> Workflow:
    """Check and compile; :class:`DefinitionError` names the step and the field."""
    numbers = _step_numbers(definition, where)
    condition = None
    if definition.trigger_condition is not None:
        condition = _condition(definition.trigger_condition, f"{where}, trigger_condition")
    steps = tuple(
        _compile_step(step, index, numbers, len(definition.actions), compiler, where)
        for index, step in enumerate(definition.actions)
    )
    content = definition.content()
    return Workflow(
        workflow_id=definition.workflow_id,
        name=definition.name or definition.workflow_id,
        description=definition.description,
        trigger_event=definition.trigger_event,
        condition=condition,
        schedule=definition.schedule,
        enabled=definition.enabled,
        steps=steps,
        hash=digest(content),
        body=dumps(content),
        where=where,
    )


def parse_workflow(text: str | bytes, compiler: TemplateCompiler, *, where: str) -> Workflow:
    """The workflow in one file, or in the journal's copy of it."""
    return compile_workflow(parse_definition(text, where=where), compiler, where=where)


def _step_numbers(definition: WorkflowDefinition, where: str) -> dict[str, int]:
    """Every name a step answers to: ``action_N``, and its own id."""
    numbers = {f"action_{index}": index for index in range(len(definition.actions))}
    for index, step in enumerate(definition.actions):
        if step.id is None:
            continue
        if numbers.get(step.id, index) != index:
            raise DefinitionError(
                f"the id {step.id!r} is taken by step {numbers[step.id] + 1}",
                where=f"{where}, step {step.id}, id",
                hint="give each step an id of its own",
            )
        numbers[step.id] = index
    return numbers


def _compile_step(
    step: StepDefinition, index: int, numbers: dict[str, int], count: int, compiler: TemplateCompiler, where: str
) -> Step:
    label = f"{where}, step {step.id or f'action_{index}'}"
    condition = None
    if step.condition is not None:
        condition = _condition(step.condition, f"{label}, condition")
    try:
        parameters = compiler.parse(step.parameters, where=f"{label}, parameters")
    except AieError as error:
        raise DefinitionError(error.message, where=error.where, hint=error.hint) from error
    used = [parameters.result_steps, *([condition.result_steps] if condition else [])]
    return Step(
        index=index,
        id=step.id or f"action_{index}",
        action_type=step.action_type,
        parameters=parameters,
        condition=condition,
        on_success=_jump(step.on_success, "on_success", index, numbers, count, label),
        on_failure=_jump(step.on_failure, "on_failure", index, numbers, count, label),
        attempts=step.retry_count + 1,
        retry=step.retry,
        timeout_s=step.timeout,
        await_approval=step.await_approval,
        needs=_needs(used, index, numbers, label),
    )


def _condition(source: str, where: str) -> Condition:
    try:
        return Condition.parse(source, where=where)
    except AieError as error:
        raise DefinitionError(error.message, where=error.where, hint=error.hint) from error


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


def _needs(used: list[frozenset[str] | None], index: int, numbers: dict[str, int], label: str) -> frozenset[int]:
    """The earlier steps a step uses; all of them when its use of ``results`` cannot be told from the text."""
    needs: set[int] = set()
    for names in used:
        if names is None:
            needs.update(range(index))
            continue
        for name in names:
            number = numbers.get(name)
            if number is None or number >= index:
                earlier = [known for known, place in numbers.items() if place < index]
                close = difflib.get_close_matches(name, earlier, n=1)
                raise DefinitionError(
                    f"uses results.{name}, and no earlier step has that name",
                    where=label,
                    hint=f"did you mean {close[0]!r}?" if close else f"earlier steps: {', '.join(earlier) or 'none'}",
                )
            needs.add(number)
    return frozenset(needs)
