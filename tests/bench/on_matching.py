"""aie with many workflows: how long they take to load, what they weigh, and what an event costs that starts one."""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from simpleeval import SimpleEval

from aie import AsyncOrchestrator, Event
from tests.bench import on_aie, work
from tests.bench.child import options
from tests.bench.load import Meter, figures, rss_mb

CONTROL, OTHER = "linkedin_post", "expense_recorded"  # event types: with one workflow, with as many as asked for
WARM_UP = 5
EVALUATIONS = 3  # how often all conditions are evaluated


def condition(number: int, shape: str) -> str:
    """True for the event of this number and no other."""
    if shape == "equality":
        return f"event['data'].get('invoice_number') == 'INV-2026-{number:08d}'"
    low = 1_000 + 10 * number
    return f"event['data'].get('amount', 0) >= {low} and event['data'].get('amount', 0) < {low + 10}"


def event_for(number: int, shape: str, event_number: int, event_type: str = work.EVENT_TYPE) -> Event:
    """An event that makes the condition of this number true; ``event_number`` makes it new."""
    event = on_aie.make_event(event_number)
    field = {"invoice_number": f"INV-2026-{number:08d}"} if shape == "equality" else {"amount": 1_005 + 10 * number}
    return replace(event, event_type=event_type, data={**event.data, **field})


def workflows(count: int, shape: str, others: int) -> Iterator[dict[str, Any]]:
    """``count`` on the event's type, one on the control's, and ``others`` on a third."""
    for number, event_type in enumerate([work.EVENT_TYPE] * count + [CONTROL] + [OTHER] * others):
        matching = 0 if event_type == CONTROL else number
        yield {
            **work.WORKFLOW,
            "workflow_id": f"w{number:06d}",
            "trigger_event": event_type,
            "trigger_condition": condition(matching, shape),
        }


async def run(folder: Path, count: int, others: int, shape: str, events: int) -> dict[str, Any]:
    """By turns: an event whose type has ``count`` workflows, and one whose type has one."""
    vault = work.make_vault(folder, *workflows(count, shape, others))
    gc.collect()
    before_mb = rss_mb()
    with Meter() as loading:
        orchestrator = AsyncOrchestrator(vault, plugins={"bench": on_aie.Actions()}, env={})
        await orchestrator.open()
    gc.collect()
    memory_mb = rss_mb() - before_mb
    if len(orchestrator.library.shelf.workflows) != count + 1 + others:
        raise SystemExit(f"only {len(orchestrator.library.shelf.workflows)} workflows were loaded")
    orchestrator.serve()
    took_s: dict[str, list[float]] = {work.EVENT_TYPE: [], CONTROL: []}
    with Meter() as meter:
        for number in range(WARM_UP + events):
            target = number * 7919 % count
            event = event_for(target, shape, 2 * number)
            took_s[work.EVENT_TYPE].append(await _timed(orchestrator, event, f"w{target:06d}"))
            control = event_for(0, shape, 2 * number + 1, CONTROL)
            took_s[CONTROL].append(await _timed(orchestrator, control, f"w{count:06d}"))
    scope = {"event": event.plain(), "results": {}, "workflow": {}, "run": {}}
    evaluating_ms = _every_condition_ms(orchestrator, scope)
    await orchestrator.close()
    control_ms = statistics.median(took_s[CONTROL][WARM_UP:]) * 1e3
    found = figures(
        took_s[work.EVENT_TYPE][WARM_UP:],
        meter,
        load_s=loading.wall_s,
        memory_mb=memory_mb,
        control_p50_ms=control_ms,
        evaluate_all_ms=evaluating_ms,
        simpleeval_all_ms=_simpleeval_ms(count, shape, event),
    )
    return {**found, "matching_ms": max(0.0, found["p50_ms"] - control_ms)}


async def _timed(orchestrator: AsyncOrchestrator, event: Event, workflow_id: str) -> float:
    """Seconds from submit to done; this workflow and no other must have run."""
    began_s = time.perf_counter()
    result = await orchestrator.process_event(event)
    took_s = time.perf_counter() - began_s
    if [(found.workflow_id, str(found.status)) for found in result.runs] != [(workflow_id, "succeeded")]:
        raise SystemExit(f"{event.event_id} did not start {workflow_id} alone: {result.runs}")
    return took_s


def _every_condition_ms(orchestrator: AsyncOrchestrator, scope: dict[str, Any]) -> float:
    """Each condition of the event's type, evaluated as aie evaluates one."""
    conditions = [
        workflow.condition
        for workflow in orchestrator.library.shelf.workflows.values()
        if workflow.condition is not None and workflow.trigger_event == work.EVENT_TYPE
    ]
    return _median_ms(lambda: [condition.evaluate(scope) for condition in conditions])


def _simpleeval_ms(count: int, shape: str, event: Event) -> float:
    """The same conditions evaluated by simpleeval as it comes, each parsed before."""
    evaluator = SimpleEval(names={"event": event.plain()})
    parsed = [(source := condition(number, shape), evaluator.parse(source)) for number in range(count)]
    return _median_ms(lambda: [evaluator.eval(source, previously_parsed=tree) for source, tree in parsed])


def _median_ms(work: Callable[[], list[Any]]) -> float:
    took_s = []
    for _ in range(EVALUATIONS):
        began_s = time.perf_counter()
        answers = work()
        took_s.append(time.perf_counter() - began_s)
        if sum(answers) != 1:
            raise SystemExit(f"{sum(answers)} conditions are true, and not one")
    return statistics.median(took_s) * 1e3


def main() -> None:
    parser = options()
    parser.add_argument("--count", type=int, required=True, help="workflows on the event's type")
    parser.add_argument("--others", type=int, default=0, help="workflows on another type")
    parser.add_argument("--shape", choices=("equality", "range"), default="equality", help="of the conditions")
    parser.add_argument("--events", type=int, default=50)
    chosen = parser.parse_args()
    found = run(chosen.folder, chosen.count, chosen.others, chosen.shape, chosen.events)
    print(json.dumps(asyncio.run(found)))


if __name__ == "__main__":
    main()
