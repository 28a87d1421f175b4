"""What aie is to do: the workflows, and the schedules that start them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from aie.builtin.schedule import next_times
from aie.config import Config
from aie.connections import Level
from aie.doctor.check import Check, with_place
from aie.events import EventType
from aie.library import Shelf
from aie.plugins.registry import Registry
from aie.readiness import missing_actions, missing_source, schedules_of


def workflow_checks(shelf: Shelf, registry: Registry) -> Iterator[Check]:
    count = len(shelf.workflows)
    yield Check(
        "workflows",
        Level.OK if count else Level.WARN,
        f"{count} can be used" if count else "there are none",
        "" if count else "aie init offers five to begin with",
    )
    for problem in shelf.problems:
        yield Check("workflow", Level.FAIL, with_place(problem), problem.hint)
    for workflow_id, workflow in sorted(shelf.workflows.items()):
        if not workflow.enabled:
            continue
        missing = missing_actions(workflow, registry)
        for error in missing:
            yield Check("workflow", Level.WARN, f"{workflow_id}: {error.message}", error.hint)
        why, hint = ("", "") if missing else missing_source(workflow, registry)
        if why:
            yield Check("workflow", Level.WARN, f"{workflow_id}: {why}", hint)


def schedule_checks(shelf: Shelf, registry: Registry, config: Config, now: datetime) -> Iterator[Check]:
    schedules, problems = schedules_of(shelf, registry, config)
    for problem in problems:
        yield Check("schedule", Level.FAIL, problem, "correct the workflow's schedule")
    listening = [
        workflow
        for workflow in shelf.by_event.get(EventType.SCHEDULED_TRIGGER, ())
        if workflow.enabled and workflow.schedule is None
    ]
    for schedule in schedules:
        times = ", ".join(f"{time:%a %Y-%m-%d %H:%M}" for time in next_times(schedule, now, 3))
        message = f"{schedule.name}: {times or 'never again'}"
        if schedule.workflow_id is None and not listening:
            yield Check("schedule", Level.WARN, f"{message}; no workflow listens to it", "see aie workflows list")
        else:
            yield Check("schedule", Level.OK, message)
