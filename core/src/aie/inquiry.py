"""Inquiry: why workflows started for an event and others did not, from what is on record and from their files.

What the record says comes first. What it does not say (that a condition was false) is found out anew: with the
definition the run is pinned to, else with the file, and then it is said when the file has changed since.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from aie.audit import redact_fields
from aie.config import Config
from aie.errors import AieError
from aie.events import EventType
from aie.explain import Clause, Explanation, explain
from aie.history import History
from aie.library import Library, Shelf
from aie.plain import Json
from aie.records import AuditRecord
from aie.rows import EventRow, RunRow
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
        event = _Event(self.history, row)
        answers += [self._not_started(event, one) for one in self._candidates(row) if one.workflow_id not in runs]
        return answers

    def answer(self, row: EventRow, workflow: Workflow) -> Answer:
        """The answer of one workflow."""
        runs = [run for run in self.history.runs_of_event(row.seq) if run.workflow_id == workflow.workflow_id]
        return self._started(row, runs) if runs else self._not_started(_Event(self.history, row), workflow)

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
            moved = self.history.was_moved(run.run_id, after=self.history.audit_before(row.seq))
            forced = "a person had it run, whatever its condition says"
            reason = "its condition was true; the run was moved to another definition since" if moved else forced
        if run.status is RunStatus.HELD:
            reason += f"; it is held: {(run.error or {}).get('error', '')}"
        return Answer(run.workflow_id, True, reason, tuple(runs), explanation, note)

    # --- those that did not ---------------------------------------------------------------------------------------

    def _not_started(self, event: _Event, workflow: Workflow) -> Answer:
        row, explanation = event.row, explain(workflow, event.row.plain())
        changed = _changed_after(workflow, row.received_at)
        note = "its file has changed since; this is by what it says now" if changed else ""
        own_schedule = workflow.schedule is not None and row.event_type == EventType.SCHEDULED_TRIGGER
        if own_schedule and row.workflow_id is None:
            return Answer(workflow.workflow_id, False, "it starts by its own schedule only", note=note)
        if not self._was_enabled(event, workflow):
            return Answer(workflow.workflow_id, False, "it was disabled", note=note)
        if explanation.answer is False and not changed:
            return Answer(workflow.workflow_id, False, "its condition is false", explanation=explanation)
        said = event.said.get(workflow.workflow_id, "")
        if said.startswith(FAILED) and explanation.answer is None:
            said = FAILED  # the part that failed says the rest
        if said:
            return Answer(workflow.workflow_id, False, said, explanation=explanation, note=note)
        if explanation.answer is True:
            reason, note = "it would start now: its file was not there, or another, at that time", ""
        else:
            reason = "its condition is false" if explanation.answer is False else FAILED
        return Answer(workflow.workflow_id, False, reason, explanation=explanation, note=note)

    def _was_enabled(self, event: _Event, workflow: Workflow) -> bool:
        """Whether a workflow was enabled when an event came; by its file where no person had said anything."""
        switch = self.history.switch(workflow.workflow_id)
        if switch is None:
            return workflow.enabled
        if switch[1] <= event.row.received_at:
            return switch[0]
        earlier = self.history.last_switch(workflow.workflow_id, before=event.audit_seq)
        return workflow.enabled if earlier is None else earlier.fields["action"] == "workflow_enabled"


class _Event:
    """An event, and what is on record of its arrival; looked for once, and only if it is asked for."""

    def __init__(self, history: History, row: EventRow) -> None:
        self.row = row
        self._history = history

    @property
    def audit_seq(self) -> int:
        """The number of the record of its arrival, or of one some time before."""
        before = self._history.audit_before(self.row.seq)
        return self._records[0].seq if self._records else before + 1

    @cached_property
    def said(self) -> dict[str, str]:
        """Why workflows did not start, where that is on record, by their ids."""
        skipped = [record for record in self._records if record.fields["action"] == "workflow_skipped"]
        return {str(record.fields["target"]): _why_skipped(record) for record in skipped}

    @cached_property
    def _records(self) -> list[AuditRecord]:
        """That of its arrival, and those of the workflows it met, which come right after it."""
        wanted = redact_fields({"source": self.row.source, "event_id": self.row.event_id})
        found: list[AuditRecord] = []
        for record in self._from(self._history.audit_before(self.row.seq)):
            action, details = record.fields["action"], _details(record)
            if not found:
                if action == "event_received" and all(details.get(name) == value for name, value in wanted.items()):
                    found.append(record)
            elif action in _OF_AN_EVENT and details.get("event_id") == wanted["event_id"]:
                found.append(record)
            else:
                break
        return found

    def _from(self, seq: int) -> Iterator[AuditRecord]:
        end = seq + LOOK_AHEAD
        while seq < end and (batch := self._history.audit(after=seq, limit=BATCH_SIZE)):
            yield from batch
            seq = batch[-1].seq


def _why_skipped(record: AuditRecord) -> str:
    error = record.fields["error"]
    return f"{FAILED}: {error}" if error else str(_details(record).get("reason", ""))


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
