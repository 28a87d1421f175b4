"""Again: a run done anew for the same event, and a parked run moved to another definition; both at a person's word."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import structs

from aie import machine, schema
from aie.errors import EventError, NotFoundError, RefusedError
from aie.history import History
from aie.journal import Batch, opt, stamp
from aie.library import Shelf
from aie.plain import Json, check_json, dumps
from aie.rows import RunRow
from aie.run import Run, RunStatus, StepRecord, StepStatus
from aie.workflow import Step, Workflow

PARKED = frozenset({RunStatus.WAITING, RunStatus.ASKING, RunStatus.BLOCKED, RunStatus.UNCERTAIN})
Compile = Callable[[str, str], Workflow]  # of a definition's hash and body


@dataclass(frozen=True, slots=True)
class Rerun:
    """A run done anew, ready to begin."""

    of: RunRow
    run: Run
    generation: int
    since: str | None  # the id of the step from which on all is done anew
    data: dict[str, Json] | None  # the event's, if changed
    changes: list[Json]

    @property
    def reused(self) -> list[str]:
        """The steps whose results it goes on from."""
        return [self.run.workflow.steps[index].id for index in sorted(self.run.steps)]

    def write(self, batch: Batch, seq: int, status: RunStatus, by: str) -> None:
        """Add the run as number ``seq`` to a batch."""
        run, hash_ = self.run, self.run.workflow.hash
        batch.add(schema.ADD_DEFINITION, hash_, run.workflow.workflow_id, run.workflow.body)
        batch.add(
            schema.ADD_RUN, seq, run.run_id, self.of.event_seq, run.workflow.workflow_id, self.generation, hash_,
            str(status), stamp(run.created_at), stamp(run.created_at), None, None,
        )  # fmt: skip
        earlier: dict[str, Json] = {str(index): structs.asdict(known) for index, known in run.earlier.items()}
        batch.add(
            schema.ADD_RERUN, seq, self.of.run_id, by, self.since, opt(self.data), dumps(self.changes), dumps(earlier)
        )
        for record in run.steps.values():
            batch.put_step(seq, record)


def prepare(
    history: History,
    row: RunRow,
    workflow: Workflow,
    compile_body: Compile,
    *,
    run_id: str,
    now: datetime,
    zone: ZoneInfo,
    since: str | None,
    changes: Mapping[str, Json],
) -> Rerun:
    """The run that does ``row`` again with a definition. :class:`RefusedError` says why it cannot be.

    ``since`` is the id of a step; None: from where the run did not get on. ``changes`` are paths such as
    ``event.data.amount`` and their new values.
    """
    rows = [one for one in history.runs_of_event(row.event_seq) if one.workflow_id == row.workflow_id]
    still_open = next((one for one in rows if not one.status.ended), None)
    if still_open is not None:
        raise RefusedError(
            f"{still_open.run_id} has not ended (it is {still_open.status}), and both would do the same",
            where=row.run_id,
            hint=f"let it go on, or end it first: aie runs cancel {still_open.run_id}",
        )
    runs = [history.load_run(one.seq, compile_body, zone) for one in rows if one.seq != row.seq]
    runs.append(history.load_run(row.seq, compile_body, zone))
    event = history.event_of(row)
    data, made = changed(event["data"], changes)
    new = Run(run_id, workflow, {**event, "data": data}, now, zone)
    start = None if since is None else _position(since, workflow)
    run = machine.again(runs, new, start)
    _refuse_what_passes_over_a_failure(runs[-1], run, start)
    kept_data = data if made or event["data"] != history.event(row.event_seq).data else None
    return Rerun(row, run, rows[-1].generation + 1, since, kept_data, made)


def _refuse_what_passes_over_a_failure(last: Run, run: Run, start: int | None) -> None:
    stands_at = machine.stands_at(last)
    if start is None:
        if stands_at is None:
            raise RefusedError(
                "it came through, so there is no step to begin with", where=last.run_id,
                hint="say which: --from STEP, or --from-start",
            )  # fmt: skip
        return
    open_before = [step.id for step in run.workflow.steps[:start] if step.index not in run.steps]
    failed = last.workflow.steps[stands_at].id if stands_at is not None else ""
    if failed in open_before:
        raise RefusedError(
            f"the step {failed} did not succeed, so {run.workflow.steps[start].id} cannot come before it",
            where=last.run_id,
            hint=f"begin there: --from {failed}",
        )


def _position(step_id: str, workflow: Workflow) -> int:
    for step in workflow.steps:
        if step_id in (step.id, f"action_{step.index}"):
            return step.index
    names = ", ".join(step.id for step in workflow.steps)
    raise NotFoundError(f"{workflow.workflow_id} has no step {step_id!r}", where="STEP", hint=f"its steps: {names}")


def current(shelf: Shelf, workflow_id: str) -> Workflow:
    """The definition a workflow has now."""
    workflow = shelf.workflows.get(workflow_id)
    if workflow is None:
        raise RefusedError(
            f"no workflow file that can be used has the id {workflow_id!r} now", where="workflow_id",
            hint="mend the file (aie workflows check), or do it as it was: aie runs rerun RUN --as-it-was",
        )  # fmt: skip
    return workflow


def changed(data: Json, changes: Mapping[str, Json]) -> tuple[dict[str, Json], list[Json]]:
    """The event's data with these values, and what that changed; EventError for a path that leads nowhere."""
    new = copy.deepcopy(data)
    assert isinstance(new, dict)
    made: list[Json] = []
    for path, value in changes.items():
        keys = path.split(".")
        if keys[:2] != ["event", "data"] or len(keys) < 3 or not all(keys):
            raise EventError(
                f"{path!r} cannot be set", where="--set", hint="set the event's data, such as event.data.amount=20"
            )
        before = _put(new, keys[2:], value, path)
        if before != value:
            made.append({"path": path, "before": before, "after": value})
    checked = check_json(new, where="event.data")
    assert isinstance(checked, dict)
    return checked, made


def _put(place: Json, keys: Sequence[str], value: Json, path: str) -> Json:
    """Set a value somewhere inside, and give what was there."""
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        if isinstance(place, dict) and (last or key in place):
            if last:
                before = place.get(key)
                place[key] = value
                return before
            place = place[key]
        elif isinstance(place, list) and key.isdecimal() and int(key) < len(place):
            if last:
                before, place[int(key)] = place[int(key)], value
                return before
            place = place[int(key)]
        else:
            raise EventError(f"{path!r} leads nowhere: there is no {key!r}", where="--set", hint="see aie events show")
    return None


# --- moving a parked run ------------------------------------------------------------------------------------------


def refuse_misfit(row: RunRow, body: str, records: Sequence[StepRecord], workflow: Workflow) -> None:
    """:class:`RefusedError` if what a run has on record does not fit a definition; ``body`` is the one it has now."""
    if row.status not in PARKED:
        hint = "see aie runs show" if row.status.ended else "wait until it is parked, or cancel it and do it again"
        raise RefusedError(
            f"only a run that is parked can be moved, and it is {row.status}", where=row.run_id, hint=hint
        )
    if row.hash == workflow.hash:
        raise RefusedError("it has the current definition already", where=row.run_id)
    actions = json.loads(body)["actions"]
    for record in records:
        if record.status is StepStatus.BLOCKED and record.params is None:
            continue  # it has not begun, so it may be anything
        problem = _misfit(record, actions[record.index], workflow)
        if problem:
            raise RefusedError(
                f"{problem}, so the run cannot be moved", where=row.run_id,
                hint=f"give it an end, then: aie runs rerun {row.run_id}",
            )  # fmt: skip


def _misfit(record: StepRecord, action: Mapping[str, Json], workflow: Workflow) -> str:
    name = str(action.get("id") or f"action_{record.index}")
    if record.index >= len(workflow.steps):
        return f"the step {name} is on record, and there is no such step any more"
    step: Step = workflow.steps[record.index]
    if (step.id, step.action_type) != (name, action["action_type"]):
        now = f"{step.id} ({step.action_type})"
        return f"step {record.index + 1} is on record as {name} ({action['action_type']}), and is {now} now"
    done = record.status in (StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.REJECTED)
    if not done and step.parameters.source != action["parameters"]:
        return f"the step {name} is {record.status} with parameters that are others now"
    return ""


def move(batch: Batch, run: Run, seq: int) -> None:
    """Add to a batch that a run has another definition, and that its open requests are for that one."""
    batch.add(schema.ADD_DEFINITION, run.workflow.hash, run.workflow.workflow_id, run.workflow.body)
    batch.add(schema.MOVE_RUN, run.workflow.hash, seq)
    for record in run.steps.values():
        if record.status in (StepStatus.ASKED, StepStatus.APPROVED) and record.approval_id is not None:
            batch.add(schema.MOVE_APPROVAL, run.workflow.hash, record.approval_id)
