"""Reruns: where a run stands that is to be done again, and what the new one goes on from."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from aie.plain import digest
from aie.run import ENDS, Earlier, Run, StepRecord, StepStatus
from aie.workflow import Step

_MAY_HAVE_HAPPENED = frozenset({StepStatus.SUCCEEDED, StepStatus.STARTED, StepStatus.UNCERTAIN})


def stands_at(run: Run) -> int | None:
    """The step that a run did not get past, because it failed, was rejected or has no end; None if it came through."""
    index = 0
    while index < len(run.workflow.steps):
        step, record = run.workflow.steps[index], run.steps.get(index)
        if record is None or not _stands(step, record):
            return index
        jump = step.on_success if record.status is StepStatus.SUCCEEDED else step.on_failure
        index = index + 1 if jump is None or record.status is StepStatus.SKIPPED else jump
    return None


def again(runs: Sequence[Run], new: Run, since: int | None) -> Run:
    """``new`` with the records it goes on from, and what it must know of the steps that it does anew.

    ``runs`` are all earlier ones for its event, oldest first; the last is the one that is done again. Steps from
    ``since`` on are done anew. None: those that did not succeed, and those that use their results. A step without a
    record to go on from is done in any case.
    """
    last, steps = runs[-1], {}
    anew: set[int] = set()
    for step in new.workflow.steps:
        record = _record_for(step, last)
        late = since is not None and step.index >= since
        if late or step.needs & anew or (record is not None and not _stands(step, record)):
            anew.add(step.index)
        elif record is not None:
            steps[step.index] = replace(record, index=step.index)
    earlier = {
        step.index: known
        for step in new.workflow.steps
        if step.index not in steps and (known := _known_of(step, runs)) != Earlier()
    }
    return replace(new, steps=steps, earlier=earlier)


def _stands(step: Step, record: StepRecord) -> bool:
    """Whether a step has an end that a run can go on from."""
    if record.status in (StepStatus.FAILED, StepStatus.REJECTED):
        return step.on_failure is not None
    return record.status in ENDS and not (record.status is StepStatus.SKIPPED and record.error)


def _record_for(step: Step, run: Run) -> StepRecord | None:
    """What a run has on record of the same step of its own definition.

    A step that has no name of its own is the same only with the same parameters: others may have come before it.
    """
    for other in run.workflow.steps:
        if other.id == step.id and other.action_type == step.action_type:
            named = step.id != f"action_{step.index}"
            same = named or other.parameters.source == step.parameters.source
            return run.steps.get(other.index) if same else None
    return None


def _known_of(step: Step, runs: Sequence[Run]) -> Earlier:
    """Whether it may have happened, and the newest approval that was given for it."""
    known = Earlier()
    for run in runs:
        for other in run.workflow.steps:
            record = run.steps.get(other.index)
            alike = other.id == step.id, other.parameters.source == step.parameters.source
            if record is None or other.action_type != step.action_type or not any(alike):
                continue
            acted = known.acted or record.status in _MAY_HAVE_HAPPENED
            if all(alike) and (record.approval or {}).get("approved") is True:
                shown = digest(dict(record.params or {}))
                known = Earlier(acted, shown, record.approval_id, record.approval)
            else:
                known = replace(known, acted=acted)
    return known
