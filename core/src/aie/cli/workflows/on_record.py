"""What is on record of the workflows: how often each ran, and who switched it on or off."""

from __future__ import annotations

from typing import Any

from aie.cli.terminal import safe
from aie.cli.workflow_files import Looked
from aie.history import History
from aie.rows import WorkflowCount
from aie.workflow import Workflow

LOOK_BACK = 20_000  # audit records that are searched for who switched a workflow


class OnRecord:
    """Counters and switches of all workflows; nothing of either when nothing ever happened."""

    def __init__(self, history: History | None) -> None:
        self.counts = history.counts() if history else {}
        self.switches = history.switches() if history else {}
        self.people = _who_switched(history, set(self.switches)) if history else {}

    def count(self, found: Looked) -> WorkflowCount:
        return self.counts.get(found.workflow_id, WorkflowCount(0, None))

    def enabled(self, workflow: Workflow) -> bool:
        return self.switches.get(workflow.workflow_id, workflow.enabled)

    def by(self, workflow: Workflow) -> str:
        """Who decided whether it is enabled: a person, or ``file``."""
        if workflow.workflow_id not in self.switches:
            return "file"
        return self.people.get(workflow.workflow_id, "a person")

    def switched(self, workflow: Workflow) -> str:
        """``disabled by ana``; '' for what is enabled and always was."""
        by = self.by(workflow)
        if by == "file":
            return "" if workflow.enabled else "disabled in its file"
        if self.enabled(workflow) and workflow.enabled:
            return ""
        return f"{'en' if self.enabled(workflow) else 'dis'}abled by {safe(by)}"


def _who_switched(history: History, wanted: set[str]) -> dict[str, str]:
    """The person behind each switch, from the newest records that tell."""
    people: dict[str, str] = {}
    head = history.audit_head()
    end = head[0] if head else 0
    least = max(0, end - LOOK_BACK)
    while end > least and wanted - people.keys():
        start = max(least, end - 1_000)
        for record in reversed(history.audit(after=start, limit=end - start)):
            target = str(record.fields.get("target"))
            if record.fields.get("action") in ("workflow_enabled", "workflow_disabled") and target in wanted:
                people.setdefault(target, str(record.fields.get("actor") or "a person"))
        end = start
    return people


def workflow_record(found: Looked, on_record: OnRecord) -> dict[str, Any]:
    workflow, count = found.workflow, on_record.count(found)
    return {
        "workflow_id": found.workflow_id,
        "name": workflow.name if workflow else None,
        "trigger_event": workflow.trigger_event if workflow else None,
        "enabled": on_record.enabled(workflow) if workflow else None,
        "enabled_by": on_record.by(workflow) if workflow else None,
        "runs": count.runs,
        "last_run": count.last_started.isoformat() if count.last_started else None,
        "state": found.state,
        "needs": list(found.needs),
        "errors": len(found.errors),
        "file": str(found.path),
    }
