"""Which steps a run is sure to have been through when it comes to a step. Jumps go forward only, so one walk tells."""

from __future__ import annotations

from dataclasses import dataclass

from aie.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Before:
    """What is sure at the moment a run comes to a step, by step number."""

    visited: frozenset[int]  # has a status: success, failed, skipped or rejected
    succeeded: frozenset[int]  # has its action's own result

    def __and__(self, other: Before) -> Before:
        return Before(self.visited & other.visited, self.succeeded & other.succeeded)


def before_each(workflow: Workflow) -> list[Before | None]:
    """For each step what is sure before it; None when no run ever comes to it."""
    count = len(workflow.steps)
    arriving: list[Before | None] = [None] * (count + 1)
    arriving[0] = Before(frozenset(), frozenset())
    for step in workflow.steps:
        here = arriving[step.index]
        if here is None:
            continue
        visited = here.visited | {step.index}
        ways = [(step.on_success if step.on_success is not None else step.index + 1, here.succeeded | {step.index})]
        if step.condition is not None:
            ways.append((step.index + 1, here.succeeded))
        if step.on_failure is not None:
            ways.append((step.on_failure, here.succeeded))
        for target, succeeded in ways:
            known, coming = arriving[target], Before(visited, succeeded)
            arriving[target] = coming if known is None else known & coming
    return arriving[:count]
