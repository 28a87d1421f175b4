"""Scope: what the conditions and templates of a step see."""

from __future__ import annotations

from aie.plain import Json
from aie.run import Run, StepRecord, StepStatus
from aie.workflow import Step


def scope(run: Run, step: Step) -> dict[str, Json]:
    """What a step's condition and templates see. Of the results only those that it uses: the others cost time."""
    results: dict[str, Json] = {}
    for index in step.needs:
        record = run.steps.get(index)
        value = _result(record) if record is not None else None
        if value is not None:
            results[f"action_{index}"] = results[run.workflow.steps[index].id] = value
    seen = {**run.frame, "results": results}
    if step.uses_now:
        seen["now"] = run.reached_at(step).astimezone(run.zone).isoformat(timespec="seconds")
    return seen


def _result(record: StepRecord) -> Json:
    """``results.<id>``: the action's own result with ``status`` beside it; None while there is none."""
    match record.status:
        case StepStatus.SUCCEEDED:
            own = record.result if isinstance(record.result, dict) else {"result": record.result}
            return {**own, "status": "success"}
        case StepStatus.FAILED:
            return {"status": "failed", "error": (record.error or {}).get("error", "")}
        case StepStatus.SKIPPED | StepStatus.REJECTED:
            return {"status": str(record.status)}
    return None
