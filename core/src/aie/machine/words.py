"""Words: what goes on record about errors, and about what a rule, a pause or a time that is over has decided."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from aie.errors import AieError
from aie.permission import EXPIRY, RULE, Permission
from aie.plain import Json, digest
from aie.run import Run, StepRecord, StepStatus
from aie.workflow import Step


def paused_error(why: str) -> dict[str, str]:
    return {"error": f"aie is paused: {why}", "hint": "aie resume lets it go on"}


def said_by_rule(permission: Permission, params: Mapping[str, Json], now: datetime) -> dict[str, Json]:
    """What is on record of a step that a rule decided about."""
    return {
        "approved": permission.kind == "allow", "decided_by": f"rule {permission.rule}", "channel": RULE,
        "comment": "", "decided_at": now.isoformat(timespec="seconds"), "rule": permission.rule,
        "digest": digest(dict(params)),
    }  # fmt: skip


def expired(record: StepRecord, now: datetime) -> StepRecord:
    """A request that nobody answered in time: no answer means no."""
    said = {
        "approved": False, "decided_by": "aie", "channel": EXPIRY, "comment": "nobody answered in time",
        "decided_at": now.isoformat(timespec="seconds"),
    }  # fmt: skip
    error = {"error": "nobody answered the request in time, and no answer means no"}
    return replace(record, status=StepStatus.REJECTED, at=now, wake_at=None, approval=said, error=error)


def uncertain_error(run: Run, step: Step, error: Mapping[str, str] | None = None) -> dict[str, str]:
    """What is known of an attempt that may have happened, and how a person settles it."""
    known = error or {"error": f"{step.action_type} was under way when aie stopped; it may have happened or not"}
    hint = f"look whether it happened, then say so: aie runs resolve {run.run_id} {step.id} --happened, or --repeat"
    return {**known, "hint": hint}


def error_of(error: BaseException) -> dict[str, str]:
    """What goes on record about an exception."""
    if isinstance(error, AieError):
        told = error.as_dict()
    else:
        try:
            told = {"error": f"{type(error).__name__}: {error}"[:2_000]}
        except BaseException:  # an exception of a plugin may fail even at saying what it is
            told = {"error": type(error).__name__}
    # File names put halves of surrogate pairs into messages, which no record can hold.
    return {name: text.encode("utf-8", "replace").decode() for name, text in told.items()}
