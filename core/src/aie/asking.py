"""Asking: the request for a decision on a step, and the event that a decision makes."""

from __future__ import annotations

import asyncio
import inspect
import logging
from datetime import datetime

from aie import schema
from aie.act import BoundTraits
from aie.actions import ActionContext
from aie.approvals import Approval, ApprovalState
from aie.events import Event, EventType
from aie.ingest import DECISIONS
from aie.journal import Batch, stamp
from aie.live import Live
from aie.plain import Json, digest
from aie.run import StepRecord
from aie.trail import Trail

log = logging.getLogger("aie.asking")

PREVIEW_WITHIN_S = 10.0


async def ask(live: Live, record: StepRecord, traits: BoundTraits, trail: Trail, context: ActionContext) -> None:
    """Add the request for a step to what the run writes."""
    run, handler, params = live.run, traits.handler, dict(record.params or {})
    action_type = run.workflow.steps[record.index].action_type
    title = str(params.get(handler.title_field or "") or f"{run.workflow.name}: {action_type}")
    reason = f"{run.event['event_type']} from {run.event['source']} ({run.event['event_id']})"
    if record.index in run.earlier and run.earlier[record.index].acted:
        reason += ". An earlier run for it has done this, or may have: to approve is to do it again"
    live.batch.add(
        schema.ADD_APPROVAL, record.approval_id, live.seq, record.index, action_type, handler.note_kind, title,
        await _shown(traits, params, context), digest(params), run.workflow.hash, reason, str(ApprovalState.PENDING),
        stamp(record.at), None, None, None, None, None, None,
    )  # fmt: skip
    live.batch.audit.append(trail.approval_requested(run, record, title, digest(params)))


async def _shown(traits: BoundTraits, params: dict[str, Json], context: ActionContext) -> str:
    """What will happen, in the action's own words if it has any and finds them in time."""
    handler = traits.handler
    body = str(params.get(handler.body_field or "") or "")
    if handler.preview is None:
        return body
    try:
        answer = handler.preview(traits.parsed(params), context)
        return str(await asyncio.wait_for(answer, PREVIEW_WITHIN_S) if inspect.isawaitable(answer) else answer)
    except Exception as error:  # plugin code: the request must come all the same, and it shows all values anyway
        log.error("the preview of %s failed: %s", traits.bound.name, error)
        return body


def how_decided(approval: Approval) -> dict[str, Json]:
    """What the step's handler is told about the decision."""
    assert approval.decided_at is not None
    return {
        "approved": approval.state is ApprovalState.APPROVED,
        "decided_by": approval.decided_by,
        "channel": approval.channel,
        "comment": approval.comment,
        "decided_at": approval.decided_at.isoformat(timespec="seconds"),
    }


def write_decision(batch: Batch, approval: Approval, evidence: str, decided_at: datetime) -> None:
    """Add the decision to a batch."""
    batch.add(
        schema.SET_APPROVAL, str(approval.state), stamp(decided_at), approval.decided_by, approval.channel, evidence,
        approval.comment, approval.approval_id,
    )  # fmt: skip


def approval_event(approval: Approval) -> Event:
    return Event(
        event_type=EventType.APPROVAL_RECEIVED,
        source=DECISIONS,
        event_id=approval.approval_id,
        data={
            "approval_id": approval.approval_id,
            "approved": approval.state is ApprovalState.APPROVED,
            "approval_type": approval.note_kind,
            "title": approval.title,
            "decided_by": approval.decided_by,
            "channel": approval.channel,
            "comment": approval.comment,
            "workflow_id": approval.workflow_id,
            "run_id": approval.run_id,
            "step_id": approval.step_id,
            "details": approval.params,
        },
    )


def already(approval: Approval) -> str:
    if approval.state is ApprovalState.PENDING:
        return "it is not waiting for a decision any more"
    when = f" on {approval.decided_at:%Y-%m-%d %H:%M} UTC" if approval.decided_at else ""
    return f"it was already {approval.state}{when}, by {approval.decided_by or 'aie'} ({approval.channel or 'engine'})"
