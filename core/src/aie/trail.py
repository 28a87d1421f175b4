"""What goes on record about each thing that happens: the fields of its audit record, free of secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aie.actions import Effect
from aie.approvals import Approval
from aie.audit import redact, redact_fields
from aie.journal import stamp
from aie.permission import RULE
from aie.plain import Json
from aie.run import Run, RunStatus, StepRecord, StepStatus
from aie.workflow import Step, Workflow

LEVELS = {Effect.NONE: "low", Effect.LOCAL: "normal", Effect.EXTERNAL: "high"}

_STEP_STATUS = {
    StepStatus.SUCCEEDED: "success",
    StepStatus.FAILED: "failed",
    StepStatus.WAITING: "waiting",
    StepStatus.RETRYING: "retrying",
    StepStatus.UNCERTAIN: "uncertain",
    StepStatus.BLOCKED: "blocked",
    StepStatus.SKIPPED: "skipped",
    StepStatus.REJECTED: "refused",  # by a rule; a person's no is on record as their decision
}
_RUN_STATUS = {RunStatus.SUCCEEDED: "success", RunStatus.FAILED: "failed", RunStatus.CANCELLED: "cancelled"}


@dataclass(frozen=True, slots=True)
class Trail:
    """Makes audit records for one session, from the start of a process to its end."""

    session_id: str

    def record(
        self,
        action: str,
        target: str,
        status: str,
        at: datetime,
        *,
        actor: str = "engine",
        details: dict[str, Json] | None = None,
        foreign: dict[str, Json] | None = None,
        error: str | None = None,
        approval_status: str | None = None,
        duration_ms: int | None = None,
        security_level: str = "low",
        run_id: str | None = None,
        step_id: str | None = None,
    ) -> dict[str, Json]:
        """``details`` are aie's own words and numbers; ``foreign`` ones came from outside and may hold secrets."""
        said: dict[str, Json] = details if details is not None else {}
        if foreign:
            said |= redact_fields(foreign)
        return {
            "timestamp": f"{stamp(at)[:23]}+00:00",
            "session_id": self.session_id,
            "actor": actor,
            "action": action,
            "target": target,
            "status": status,
            "approval_status": approval_status,
            "details": said,
            "error": None if error is None else str(redact(error)),
            "duration_ms": duration_ms,
            "security_level": security_level,
            "run_id": run_id,
            "step_id": step_id,
        }

    def event_received(self, event: Mapping[str, Json], at: datetime) -> dict[str, Json]:
        return self.record(
            "event_received", str(event["event_type"]), "accepted", at,
            actor=str(event["source"]),
            details={"event_type": event["event_type"]},
            foreign={"source": event["source"], "event_id": event["event_id"]},
        )  # fmt: skip

    def workflow_started(self, run: Run, status: RunStatus, reason: str = "") -> dict[str, Json]:
        """A new run; ``status`` says whether it is under way already, and ``reason`` why it is held if it is."""
        details: dict[str, Json] = {"workflow_name": run.workflow.name, "event": run.event["event_type"]}
        if reason:
            details["reason"] = reason
        return self.record(
            "workflow_started", run.workflow.workflow_id, "started" if status is RunStatus.RUNNING else str(status),
            run.created_at,
            details=details,
            foreign={"event_id": run.event["event_id"]},
            run_id=run.run_id,
        )  # fmt: skip

    def workflow_skipped(
        self, workflow: Workflow, reason: str, event: Mapping[str, Json], at: datetime
    ) -> dict[str, Json]:
        return self.record(
            "workflow_skipped", workflow.workflow_id, "skipped", at,
            details={"workflow_name": workflow.name, "reason": reason},
            foreign={"event_id": event["event_id"]},
        )  # fmt: skip

    def condition_failed(
        self, workflow: Workflow, error: Mapping[str, str], event: Mapping[str, Json], at: datetime
    ) -> dict[str, Json]:
        return self.record(
            "workflow_skipped", workflow.workflow_id, "error", at,
            details={"workflow_name": workflow.name},
            foreign={"event_id": event["event_id"], **error},
            error=error.get("error"),
        )  # fmt: skip

    def step(
        self, run: Run, record: StepRecord, *, effect: Effect | None = None, duration_ms: int | None = None
    ) -> dict[str, Json] | None:
        """What became of a step; None for what other records say (asked, approved, rejected) and for intents."""
        status = _STEP_STATUS.get(record.status)
        if status is None or (record.status is StepStatus.REJECTED and record.approval_id is not None):
            return None
        step = run.workflow.steps[record.index]
        details: dict[str, Any] = {"action_type": step.action_type, "workflow_id": run.workflow.workflow_id}
        if rule := (record.approval or {}).get("rule"):
            details["rule"] = rule
        if record.attempt:
            details["attempt"] = record.attempt
        if record.wake_at is not None:
            details["until"] = record.wake_at.isoformat(timespec="seconds")
        foreign: dict[str, Any] = {}
        if record.status is StepStatus.SUCCEEDED and record.result is not None:
            foreign["result"] = _brief(record.result)
        if record.error and "hint" in record.error:
            foreign["hint"] = record.error["hint"]
        return self.record(
            "action_execution", step.action_type, status, record.at,
            details=details,
            foreign=foreign,
            error=(record.error or {}).get("error") if record.status is not StepStatus.SKIPPED else None,
            approval_status=_approval_status(record),
            duration_ms=duration_ms,
            security_level=LEVELS[effect] if effect else "low",
            run_id=run.run_id,
            step_id=step.id,
        )  # fmt: skip

    def approval_requested(self, run: Run, record: StepRecord, title: str, digest: str) -> dict[str, Json]:
        step = run.workflow.steps[record.index]
        details: dict[str, Json] = {
            "approval_id": record.approval_id,
            "digest": digest,
            "workflow_id": run.workflow.workflow_id,
        }
        details |= {name: value for name, value in (record.approval or {}).items() if value}  # what rules have to say
        if record.wake_at is not None:
            details["expires_at"] = record.wake_at.isoformat(timespec="seconds")
        return self.record(
            "approval_requested", step.action_type, "pending", record.at,
            details=details,
            foreign={"title": title},
            approval_status="pending",
            security_level="high",
            run_id=run.run_id,
            step_id=step.id,
        )  # fmt: skip

    def approval_decided(self, approval: Approval, evidence: str) -> dict[str, Json]:
        assert approval.decided_at is not None
        said: dict[str, Json] = {
            "title": approval.title, "evidence": evidence, "decided_by": approval.decided_by,
            "comment": approval.comment,
        }  # fmt: skip
        if approval.edits:
            said["edits"] = [edit.plain() for edit in approval.edits]
        return self.record(
            "approval_decided", approval.action_type, str(approval.state), approval.decided_at,
            actor=approval.decided_by,
            details={"approval_id": approval.approval_id, "channel": approval.channel},
            foreign=said,
            approval_status=str(approval.state),
            security_level="high",
            run_id=approval.run_id,
            step_id=approval.step_id,
        )  # fmt: skip

    def uncertain_resolved(self, run: Run, step: Step, happened: bool, at: datetime, by: str) -> dict[str, Json]:
        return self.record(
            "uncertain_resolved", step.action_type, "happened" if happened else "repeated", at,
            actor=by,
            details={"workflow_id": run.workflow.workflow_id},
            security_level="high",
            run_id=run.run_id,
            step_id=step.id,
        )  # fmt: skip

    def run_again(
        self, run: Run, of_run: str, since: str | None, reused: Sequence[str], changes: Sequence[Json], by: str
    ) -> dict[str, Json]:
        """A person had a run done again; ``reused`` are the steps whose results it goes on from."""
        return self.record(
            "run_again", run.workflow.workflow_id, "started", run.created_at,
            actor=by,
            details={"of_run": of_run, "from": since, "reused": list(reused), "definition": run.workflow.hash},
            foreign={"changed": list(changes), "event_id": run.event["event_id"]},
            security_level="normal",
            run_id=run.run_id,
        )  # fmt: skip

    def run_migrated(self, run: Run, before: str, at: datetime, by: str) -> dict[str, Json]:
        """A person moved a run to another definition; ``before`` is the hash of the one it had."""
        return self.record(
            "run_migrated", run.workflow.workflow_id, "moved", at,
            actor=by,
            details={"definition_before": before, "definition": run.workflow.hash},
            security_level="normal",
            run_id=run.run_id,
        )  # fmt: skip

    def released(self, name: str, count: int, cancelled: bool, at: datetime, by: str) -> dict[str, Json]:
        return self.record(
            "runs_released", name, "cancelled" if cancelled else "released", at,
            actor=by,
            details={"runs": count},
            security_level="normal",
        )  # fmt: skip

    def run_ended(
        self, run: Run, status: RunStatus, at: datetime, error: Mapping[str, str] | None, by: str = "engine"
    ) -> dict[str, Json]:
        carried_out = sum(record.status is StepStatus.SUCCEEDED for record in run.steps.values())
        details = {
            "workflow_name": run.workflow.name,
            "event": run.event["event_type"],
            "actions_executed": carried_out,
        }
        return self.record(
            "workflow_execution", run.workflow.workflow_id, _RUN_STATUS[status], at,
            actor=by,
            details=details,
            error=None if error is None else _said(error),
            duration_ms=max(0, round((at - run.created_at).total_seconds() * 1000)),
            run_id=run.run_id,
        )  # fmt: skip


def _said(error: Mapping[str, str]) -> str:
    return f"step {error['step']}: {error.get('error', '')}" if "step" in error else error.get("error", "")


def _approval_status(record: StepRecord) -> str | None:
    if (record.approval or {}).get("channel") == RULE:
        return "allowed by rule" if record.attempt else "refused by rule"
    return "approved" if record.approval_id is not None and record.attempt else None


def _brief(result: Json) -> Json:
    """A result with its long texts cut: the whole of it is in the journal."""
    if not isinstance(result, dict):
        return result if not isinstance(result, (str, list)) else str(result)[:200]
    return {
        name: value[:200] if isinstance(value, str) else value
        for name, value in result.items()
        if not isinstance(value, (dict, list))
    }
