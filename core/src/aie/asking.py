"""Asking: the request for a decision on a step, what may be changed about it, and the event that a decision makes."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from aie import schema
from aie.act import BoundTraits
from aie.actions import ActionContext
from aie.approvals import Approval, ApprovalState, Edit
from aie.errors import ParameterError
from aie.events import Event, EventType
from aie.ingest import DECISIONS
from aie.journal import Batch, stamp
from aie.live import Live
from aie.plain import Json, digest, dumps
from aie.run import StepRecord
from aie.trail import Trail

log = logging.getLogger("aie.asking")

PREVIEW_WITHIN_S = 10.0
MAX_REASON = 200


async def ask(live: Live, record: StepRecord, traits: BoundTraits, trail: Trail, context: ActionContext) -> None:
    """Add the request for a step to what the run writes."""
    run, handler, params = live.run, traits.handler, dict(record.params or {})
    action_type = run.workflow.steps[record.index].action_type
    title = _title(traits, params, f"{run.workflow.name}: {action_type}")
    told = record.approval or {}
    why = reason(run.event)
    if record.index in run.earlier and run.earlier[record.index].acted:
        why += ". An earlier run for it has done this, or may have: to approve is to do it again"
    live.batch.add(
        schema.ADD_APPROVAL, record.approval_id, live.seq, record.index, action_type, handler.note_kind, title,
        await shown(traits, params, context), digest(params), run.workflow.hash, why,
        str(ApprovalState.PENDING), stamp(record.at), stamp(record.wake_at) if record.wake_at else None,
        None, None, None, None, None, str(told.get("rule") or ""), str(told.get("required_channel") or ""),
        str(told.get("problem") or ""), dumps(editable(traits, params)), _body_field(traits, params),
        _source_note(run.event), None,
    )  # fmt: skip
    live.batch.audit.append(trail.approval_requested(run, record, title, digest(params)))


def _title(traits: BoundTraits, params: Mapping[str, Json], otherwise: str) -> str:
    return str(params.get(traits.handler.title_field or "") or otherwise)


async def shown(traits: BoundTraits, params: Mapping[str, Json], context: ActionContext) -> str:
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


def reason(event: Mapping[str, Json]) -> str:
    """The event in one line: its type and source, and the first things it says."""
    data = event.get("data")
    said = [
        f"{name} {' '.join(str(value).split())}"
        for name, value in (data.items() if isinstance(data, dict) else ())
        if isinstance(value, (str, int, float)) and not isinstance(value, bool) and 0 < len(str(value)) <= 80
    ][:4]
    text = f"{event['event_type']} from {event['source']}" + (f": {', '.join(said)}" if said else "")
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"


def _source_note(event: Mapping[str, Json]) -> str:
    """The vault path that a file event is about."""
    data = event.get("data")
    path = data.get("file_path") if isinstance(data, dict) else None
    return path if isinstance(path, str) and len(path) <= 1024 and path.isprintable() else ""


# --- what a person may change -----------------------------------------------------------------------------------------


def editable(traits: BoundTraits, params: Mapping[str, Json]) -> list[Json]:
    """The parameters a person may change: those that are plain values, unless the action locks them."""
    locked = traits.handler.locked
    return [name for name, value in params.items() if name not in locked and _is_plain(value)]


def _is_plain(value: Json) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return value is None or isinstance(value, (str, int, float, bool))


def _body_field(traits: BoundTraits, params: Mapping[str, Json]) -> str:
    name = traits.handler.body_field
    return name if name and name in editable(traits, params) and isinstance(params[name], str) else ""


def edited(approval: Approval, traits: BoundTraits, edits: Mapping[str, Json]) -> tuple[dict[str, Json], list[Edit]]:
    """The parameters with a person's changes, and what differs; :class:`ParameterError` when they cannot be taken."""
    params = dict(approval.params)
    for name, value in edits.items():
        if name not in params:
            known = ", ".join(approval.editable) or "none"
            raise ParameterError(
                f"{name!r} is no parameter of this request", where=name, hint=f"to be changed: {known}"
            )
        if name not in approval.editable and value != params[name]:
            raise ParameterError(
                f"{name} cannot be changed while approving",
                where=name,
                hint="reject the request, and ask for it as it should be",
            )
        params[name] = value
    if params != approval.params:
        traits.check(params)
    differences = [Edit(name, approval.params[name], value) for name, value in params.items()]
    return params, [edit for edit in differences if edit.before != edit.after]


async def as_edited(
    approval: Approval, traits: BoundTraits, params: dict[str, Json], edits: list[Edit], context: ActionContext
) -> Approval:
    """The request as it stands with a person's changes in it."""
    return replace(
        approval,
        params=params,
        digest=digest(params),
        title=_title(traits, params, approval.title),
        body=await shown(traits, params, context),
        edits=tuple(edits),
    )


# --- decisions --------------------------------------------------------------------------------------------------------


def how_decided(approval: Approval) -> dict[str, Json]:
    """What the step's handler is told about the decision."""
    assert approval.decided_at is not None
    told: dict[str, Json] = {
        "approved": approval.state is ApprovalState.APPROVED,
        "decided_by": approval.decided_by,
        "channel": approval.channel,
        "comment": approval.comment,
        "decided_at": approval.decided_at.isoformat(timespec="seconds"),
    }
    if approval.edits:
        told["edits"] = [edit.plain() for edit in approval.edits]
    return told


def write_decision(batch: Batch, approval: Approval, evidence: str, decided_at: datetime) -> None:
    """Add the decision to a batch."""
    batch.add(
        schema.SET_APPROVAL, str(approval.state), stamp(decided_at), approval.decided_by, approval.channel, evidence,
        approval.comment, approval.title, approval.body, approval.digest,
        dumps([edit.plain() for edit in approval.edits]) if approval.edits else None, approval.approval_id,
    )  # fmt: skip


def approval_event(approval: Approval) -> Event:
    return Event(
        event_type=EventType.APPROVAL_RECEIVED,
        source=DECISIONS,
        event_id=approval.approval_id,
        data={
            "approval_id": approval.approval_id,
            "approved": approval.state is ApprovalState.APPROVED,
            "state": str(approval.state),
            "approval_type": approval.note_kind,
            "title": approval.title,
            "decided_by": approval.decided_by,
            "channel": approval.channel,
            "comment": approval.comment,
            "edits": [edit.plain() for edit in approval.edits],
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
