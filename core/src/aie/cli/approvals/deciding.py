"""Deciding requests, and waiting until what was decided is carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aie.approvals import Approval, ApprovalState
from aie.cli.approvals.views import already_decided, edit_lines, outcome_lines, run_of
from aie.cli.output import Output
from aie.cli.terminal import at_terminal, labelled, person, wrapped
from aie.cli.vaults import open_vault
from aie.history import History
from aie.orchestrator import AsyncOrchestrator
from aie.plain import Json
from aie.run import RunStatus, StepStatus

REST_WITHIN_S = 60.0
LOOK_S = 0.1
STILL_LOOKS = 4  # looks in a row without a change that count as rest

_RESTING = frozenset(StepStatus) - {StepStatus.APPROVED, StepStatus.STARTED}


async def decide_all(
    chosen: Sequence[Approval],
    approved: bool,
    comment: str,
    edits: Mapping[str, Json],
    vault: Path | None,
    output: Output,
) -> int:
    """Decide each, on record one by one. Exit code 1 if any was decided before, or did not work."""
    verb = "approve" if approved else "reject"
    answers: list[dict[str, Any]] = []
    async with open_vault(vault) as orchestrator:
        for approval in chosen:
            answer = await orchestrator.decide(
                approval.approval_id,
                approved=approved,
                by=person(),
                channel="cli",
                evidence=f"aie approvals {verb} {at_terminal()}",
                comment=comment,
                edits=edits,
            )
            answers.append(answer)
        accepted = [one for one, answer in zip(chosen, answers, strict=True) if answer["accepted"]]
        if accepted:
            await _come_to_rest(orchestrator, accepted)
        results = [_report(one, answer, orchestrator, output) for one, answer in zip(chosen, answers, strict=True)]
    return max(results)


async def _come_to_rest(orchestrator: AsyncOrchestrator, approvals: Sequence[Approval]) -> None:
    """Wait until what was decided is carried out, by this process or by the one that is running."""
    if orchestrator.engine is not None:
        await orchestrator.settle()
        return
    before: Any = None
    still = 0
    for _ in range(round(REST_WITHIN_S / LOOK_S)):
        now = [_standing(orchestrator.history, approval.approval_id) for approval in approvals]
        moving = any(step not in _RESTING or run is RunStatus.RUNNING for step, run in now)
        still = still + 1 if now == before and not moving else 0
        if still >= STILL_LOOKS:
            return
        before = now
        await asyncio.sleep(LOOK_S)


def _standing(history: History, approval_id: str) -> tuple[str, RunStatus | None]:
    approval = history.approval(approval_id)
    run = run_of(history, approval) if approval else None
    return (approval.step_status if approval else "", run.status if run else None)


def _report(approval: Approval, answer: dict[str, Any], orchestrator: AsyncOrchestrator, output: Output) -> int:
    history = orchestrator.history
    after = history.approval(approval.approval_id) or approval
    run = run_of(history, after)
    output.record(
        {
            "approval_id": after.approval_id,
            "accepted": answer["accepted"],
            "message": answer["message"],
            "state": str(after.state),
            "decided_by": after.decided_by,
            "workflow_id": after.workflow_id,
            "run_id": after.run_id,
            "step_id": after.step_id,
            "step_status": after.step_status,
            "step_result": after.step_result,
            "step_error": after.step_error,
            "edits": [edit.plain() for edit in after.edits],
            "run_status": str(run.status) if run else None,
        }
    )
    if not answer["accepted"]:
        decided = after.state is not ApprovalState.PENDING
        message = already_decided(after, orchestrator.config) if decided else answer["message"]
        lines = wrapped(f"{after.title}: {message}.", indent="Not decided: ", more="  ")
        lines += labelled("Next:", f"aie approvals show {after.approval_id}", width=6)
        for line in lines:
            output.line(line)
        return 1
    for line in wrapped(f"{after.title}", indent=f"{str(after.state).capitalize()}: ", more="  "):
        output.line(line)
    for line in edit_lines(after):
        output.line(line)
    for line in outcome_lines(after, run):
        output.line(line)
    broken = after.step_status in (StepStatus.FAILED, StepStatus.UNCERTAIN, StepStatus.BLOCKED)
    return 1 if after.state is ApprovalState.APPROVED and broken else 0
