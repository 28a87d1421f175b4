"""Match: an event and the workflows, to those that start, and for each that does not, why not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from aie.errors import ConditionError
from aie.events import EventType
from aie.plain import Json
from aie.workflow import Workflow


class Match(Struct, frozen=True):
    """One workflow's answer to an event. ``error``: its condition failed, which is never the same as false."""

    workflow: Workflow
    starts: bool
    reason: str = ""
    error: Mapping[str, str] | None = None


def match(
    event: Mapping[str, Json],
    workflows: Iterable[Workflow],
    *,
    addressed_to: str | None = None,
    switches: Mapping[str, bool] | None = None,
    forced: bool = False,
) -> Iterator[Match]:
    """Each workflow's answer. ``workflows`` are those on the event's type, or the one it is ``addressed_to``.

    Those alone that the index of :mod:`aie.index` names give the same, without the ones whose condition is false.

    ``switches`` are a person's words on whether a workflow is enabled; ``forced`` starts the addressed one whatever its
    condition says.
    """
    scope: dict[str, Json] = {"event": dict(event), "results": {}, "workflow": {}, "run": {}}
    for workflow in workflows:
        if addressed_to is not None:
            if workflow.workflow_id != addressed_to:
                continue
        elif workflow.schedule is not None and event["event_type"] == EventType.SCHEDULED_TRIGGER:
            yield Match(workflow, False, "it starts by its own schedule only")
            continue
        enabled = (switches or {}).get(workflow.workflow_id, workflow.enabled)
        if not enabled:
            yield Match(workflow, False, "it is disabled")
            continue
        yield Match(workflow, True) if forced else _judge(workflow, scope)


def _judge(workflow: Workflow, scope: Mapping[str, Json]) -> Match:
    if workflow.condition is None:
        return Match(workflow, True, "it has no condition")
    try:
        starts = workflow.condition.evaluate({**scope, "workflow": workflow.plain()})
    except ConditionError as error:
        return Match(workflow, False, f"its condition failed: {error.message}", error.as_dict())
    return Match(workflow, starts, "its condition is true" if starts else "its condition is false")
