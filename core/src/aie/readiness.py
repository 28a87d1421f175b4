"""Whether a workflow can do its work here: whether its actions are there, and what would start it."""

from __future__ import annotations

from aie.builtin.schedule import Schedule, named_schedules, workflow_schedule
from aie.catalogue import Catalogue
from aie.config import Config
from aie.errors import PluginError
from aie.library import Shelf
from aie.plugin_tables import CORE
from aie.plugins.plugin import PluginState
from aie.plugins.registry import Registry
from aie.workflow import Workflow


def missing_actions(workflow: Workflow, registry: Registry) -> list[PluginError]:
    """Why steps of a workflow could not be carried out: one error per action that is not there."""
    problems = []
    for action_type in dict.fromkeys(step.action_type for step in workflow.steps):
        try:
            registry.handler(action_type)
        except PluginError as error:
            problems.append(error)
    return problems


def missing_source(workflow: Workflow, registry: Registry) -> tuple[str, str]:
    """Why this workflow's events do not come, and the next step; both '' if they do, or if nobody knows a source."""
    event_type, catalogue = workflow.trigger_event, Catalogue.load()
    package = catalogue.event_types.get(event_type, "")
    if not package or any(event_type in offer.item.event_types for offer in registry.sources()):
        return "", ""
    plugin = next(name for name, its in catalogue.plugins.items() if its == package)
    if any(info.name == plugin and info.state is PluginState.OK for info in registry.plugins):
        return (
            f"{plugin} brings no {event_type} events before it is connected",
            f"aie connect {plugin}, or hand them in with aie emit",
        )
    return (
        f"nothing installed brings {event_type} events",
        f"aie plugins install {package}, or hand them in with aie emit",
    )


def schedules_of(shelf: Shelf, registry: Registry, config: Config) -> tuple[list[Schedule], list[str]]:
    """All schedules that run, named ones first, and a sentence for each workflow whose own cannot be used."""
    schedules = named_schedules(registry.plugin(CORE).settings, config.timezone)
    problems = []
    for workflow_id, workflow in sorted(shelf.workflows.items()):
        if workflow.schedule is not None and workflow.enabled:
            try:
                schedules.append(workflow_schedule(workflow, config.timezone))
            except ValueError as error:
                problems.append(f"workflow {workflow_id!r} is not started by its schedule: {error}")
    return schedules, problems
