"""Inquiry: why workflows started for an event and others did not, from what is on record and from their files.

What the record says comes first. What it does not say (that a condition was false) is found out anew: with the
definition the run is pinned to, else with the file, and then it is said when the file has changed since.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aie.audit import redact_fields
from aie.config import Config
from aie.errors import AieError
from aie.events import EventType
from aie.explain import Clause, Explanation, explain
from aie.history import EventRow, History, RunRow
from aie.library import Library, Shelf
from aie.plain import Json
from aie.records import AuditRecord
from aie.run import RunStatus
from aie.templates import TemplateCompiler
from aie.workflow import Workflow, parse_workflow

BATCH_SIZE = 1_000
LOOK_AHEAD = 20_000  # audit records that are searched for those of one event
FAILED = "its condition failed"
NO_CONDITION = Explanation(True)
_OF_AN_EVENT = frozenset({"workflow_started", "workflow_skipped"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What one workflow said to one event. ``note``: what makes this less than sure."""

    workflow_id: str
    started: bool
    reason: str
    runs: tuple[RunRow, ...] = ()  # oldest first, reruns included
    explanation: Explanation = NO_CONDITION
    note: str = ""

    @property
    def deciding(self) -> tuple[Clause, ...]:
        """The parts of its condition that decided; none where something else did."""
        return self.explanation.deciding if self.started or self.explanation.answer is not True else ()


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Answers from one journal and one state of the workflow files."""

    history: History
    shelf: Shelf
    compiler: TemplateCompiler

    @classmethod
    def of(cls, config: Config, history: History) -> Inquiry:
        """About the workflow files as they are now."""
        compiler = TemplateCompiler()
        library = Library(config.workflow_folders, compiler)
        library.refresh()
        return cls(history, library.shelf, compiler)

    def why(self, row: EventRow) -> list[Answer]:
        """Every workflow's answer to an event: those that started first, then the others, each by id."""
        runs: dict[str, list[RunRow]] = {}
        for run in self.history.runs_of_event(row.seq):
            runs.setdefault(run.workflow_id, []).append(run)
        answers = [self._started(row, found) for _, found in sorted(runs.items())]
        answers += [self._not_started(row, one) for one in self._candidates(row) if one.workflow_id not in runs]
        return answers

    def answer(self, row: EventRow, workflow: Workflow) -> Answer:
        """The answer of one workflow."""
        runs = [run for run in self.history.runs_of_event(row.seq) if run.workflow_id == workflow.workflow_id]
        return self._started(row, runs) if runs else self._not_started(row, workflow)

    def _candidates(self, row: EventRow) -> list[Workflow]:
        if row.workflow_id is not None:
            return [self.shelf.workflows[row.workflow_id]] if row.workflow_id in self.shelf.workflows else []
        return list(self.shelf.by_event.get(row.event_type, ()))

    # --- those that started ---------------------------------------------------------------------------------------

    def _started(self, row: EventRow, runs: list[RunRow]) -> Answer:
        run = runs[0]
        current = self.shelf.workflows.get(run.workflow_id)
        note = "its file is gone, or cannot be used now" if current is None else ""
        if current is not None and current.hash != run.hash:
            note = "its file has changed since; this is by what it said then"
        try:
            pinned = parse_workflow(self.history.definition(run.hash), self.compiler, where=run.workflow_id)
            explanation = explain(pinned, row.plain())
            reason = "its condition is true" if pinned.condition is not None else "it has no condition"
        except AieError as error:  # written for another version of aie
            explanation, reason, note = Explanation(True), "its condition was true", f"not to be read: {error.message}"
        if explanation.answer is not True:
            reason = "a person had it run, whatever its condition says"
        if run.status is RunStatus.HELD:
            reason += f"; it is held: {(run.error or {}).get('error', '')}"
        return Answer(run.workflow_id, True, reason, tuple(runs), explanation, note)

    # --- those that did not ---------------------------------------------------------------------------------------

    def _not_started(self, row: EventRow, workflow: Workflow) -> Answer:
        explanation = explain(workflow, row.plain())
        changed = _changed_after(workflow, row.received_at)
        note = "its file has changed since; this is by what it says now" if changed else ""
        own_schedule = workflow.schedule is not None and row.event_type == EventType.SCHEDULED_TRIGGER
        if own_schedule and row.workflow_id is None:
            reason = "it starts by its own schedule only"
            return Answer(workflow.workflow_id, False, reason, note=note)
        if not self._was_enabled(row, workflow):
            return Answer(workflow.workflow_id, False, "it was disabled", note=note)
        if explanation.answer is False and not changed:
            return Answer(workflow.workflow_id, False, "its condition is false", explanation=explanation)
        said = self._said(row, workflow.workflow_id)
        if said.startswith(FAILED) and explanation.answer is None:
            said = FAILED  # the part that failed says the rest
        if said:
            return Answer(workflow.workflow_id, False, said, explanation=explanation, note=note)
        if explanation.answer is True:
            reason, note = "it would start now: its file was not there, or another, at that time", ""
        else:
            reason = "its condition is false" if explanation.answer is False else FAILED
        return Answer(workflow.workflow_id, False, reason, explanation=explanation, note=note)

    def _was_enabled(self, row: EventRow, workflow: Workflow) -> bool:
        """Whether a workflow was enabled when an event came; by its file where no person had said anything."""
        switch = self.history.switch(workflow.workflow_id)
        if switch is None:
            return workflow.enabled
        if switch[1] <= row.received_at:
            return switch[0]
        received = self._received(row)
        before = received.seq if received else self.history.audit_before(row.seq) + 1
        earlier = self.history.last_switch(workflow.workflow_id, before=before)
        return workflow.enabled if earlier is None else earlier.fields["action"] == "workflow_enabled"

    def _said(self, row: EventRow, workflow_id: str) -> str:
        """Why a workflow did not start, where that is on record."""
        received = self._received(row)
        if received is None:
            return ""
        for record in self._after(received.seq):
            fields, details = record.fields, _details(record)
            if fields["action"] not in _OF_AN_EVENT or details.get("event_id") != _details(received).get("event_id"):
                return ""
            if fields["action"] == "workflow_skipped" and fields["target"] == workflow_id:
                return f"{FAILED}: {fields['error']}" if fields["error"] else str(details.get("reason", ""))
        return ""

    def _received(self, row: EventRow) -> AuditRecord | None:
        """The record of an event's arrival; those of the workflows it met come right after it."""
        wanted = redact_fields({"source": row.source, "event_id": row.event_id})
        for record in self._after(self.history.audit_before(row.seq)):
            if record.fields["action"] == "event_received":
                details = _details(record)
                if all(details.get(name) == value for name, value in wanted.items()):
                    return record
        return None

    def _after(self, seq: int) -> Iterator[AuditRecord]:
        end = seq + LOOK_AHEAD
        while seq < end and (batch := self.history.audit(after=seq, limit=BATCH_SIZE)):
            yield from batch
            seq = batch[-1].seq


def _details(record: AuditRecord) -> dict[str, Json]:
    details = record.fields["details"]
    return details if isinstance(details, dict) else {}


def _changed_after(workflow: Workflow, moment: datetime) -> bool:
    try:
        return datetime.fromtimestamp(Path(workflow.where).stat().st_mtime, UTC) > moment
    except OSError:
        return True


def as_record(answer: Answer) -> dict[str, Any]:
    """An answer for a program."""
    return {
        "workflow_id": answer.workflow_id,
        "started": answer.started,
        "reason": answer.reason,
        "deciding": [clause.plain() for clause in answer.deciding],
        "clauses": [clause.plain() for clause in answer.explanation.clauses],
        "runs": [{"run_id": run.run_id, "status": str(run.status), "again": run.generation > 0} for run in answer.runs],
        "note": answer.note or None,
    }
