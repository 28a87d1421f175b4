"""``aie why-not WORKFLOW``: when it last ran and next will, and what keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import rich_click as click

from aie.builtin.schedule import next_times, workflow_schedule
from aie.cli.event_views import answer_lines
from aie.cli.output import Output, common_options, local
from aie.cli.run_views import run_record
from aie.cli.terminal import ago, counted
from aie.cli.vaults import load_config, read_history
from aie.cli.workflow_files import Looked, listed_files, look_at, one_of
from aie.config import Config
from aie.cron import due_times
from aie.engine_lock import engine_at_work
from aie.history import History
from aie.inquiry import Answer, Inquiry, as_record
from aie.plugins.registry import Registry
from aie.readiness import missing_actions, missing_source
from aie.rows import EventRow, RunRow
from aie.run import RunStatus
from aie.workflow import Workflow

NEWEST_EVENTS = 50  # that are looked at
MOST_DUE = 1_000


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that keeps a workflow from running, and what to do about it."""

    kind: str  # broken, disabled, blocked, no_source, off, held, queued, waiting, condition, nothing
    text: str
    hint: str = ""


@click.command()
@click.argument("workflow_id", metavar="WORKFLOW")
@click.option("--limit", type=click.IntRange(1, NEWEST_EVENTS), default=3, show_default=True, help="Events to explain.")
@common_options
def command(workflow_id: str, limit: int, vault: Path | None, output: Output) -> None:
    """Why a workflow has not run: when it last did and next will, what it missed, and what keeps it."""
    config = load_config(vault)
    registry = Registry.load(config)
    found = one_of(workflow_id, look_at(listed_files(config), config, registry))
    sheet = _Sheet(config, registry, read_history(config), found, datetime.now(UTC))
    missed = sheet.missed(limit)
    reasons = sheet.reasons(missed)
    last, coming = sheet.last_started(), sheet.next()
    output.record(
        {
            "workflow_id": found.workflow_id,
            "file": str(found.path),
            "last_started": last.isoformat() if last else None,
            "expect": found.workflow.expect or None if found.workflow else None,
            "next": [time.isoformat() for time in coming],
            "reasons": [{"kind": one.kind, "reason": one.text, "hint": one.hint or None} for one in reasons],
            "open_runs": [run_record(run) for run in sheet.open_runs()],
            "missed": [{"event_id": row.event_id, "source": row.source, **as_record(one)} for row, one in missed],
        }
    )
    output.line(f"{found.workflow_id}  ({found.where})")
    output.line(
        f"  last started  {local(last, config.timezone, none='never')}" + (f", {sheet.ago(last)}" if last else "")
    )
    if coming:
        output.line(f"  next          {', '.join(f'{time:%a %Y-%m-%d %H:%M}' for time in coming)}")
    if found.workflow and found.workflow.expect:
        output.line(f"  expected      {found.workflow.expect}")
    for line in _reason_lines(reasons):
        output.line(line)
    for line in sheet.event_lines(missed):
        output.line(line)


def _reason_lines(reasons: list[Reason]) -> Iterator[str]:
    yield "\nWhat keeps it" if reasons else "\nNothing keeps it from starting."
    for reason in reasons:
        yield f"  {reason.text}"
        if reason.hint:
            yield f"      → {reason.hint}"


@dataclass(frozen=True, slots=True)
class _Sheet:
    config: Config
    registry: Registry
    history: History | None
    found: Looked
    now: datetime

    @property
    def workflow(self) -> Workflow | None:
        return self.found.workflow

    def last_started(self) -> datetime | None:
        count = self.history.counts().get(self.found.workflow_id) if self.history else None
        return count.last_started if count else None

    def ago(self, moment: datetime) -> str:
        return ago(moment, self.now)

    def next(self) -> list[datetime]:
        """The next three times of its own schedule; none while it is disabled."""
        workflow = self.workflow
        if workflow is None or workflow.schedule is None or not self._enabled(workflow):
            return []
        try:
            return next_times(workflow_schedule(workflow, self.config.timezone), self.now, 3)
        except ValueError:
            return []

    def _enabled(self, workflow: Workflow) -> bool:
        switch = self.history.switch(workflow.workflow_id) if self.history else None
        return workflow.enabled if switch is None else switch[0]

    def open_runs(self) -> list[RunRow]:
        """Its runs without an end, oldest first."""
        return (
            [self.history.run(seq) for seq in self.history.open_runs_of(self.found.workflow_id)] if self.history else []
        )

    def missed(self, limit: int) -> list[tuple[EventRow, Answer]]:
        """The newest events of its type that did not start it, and why."""
        workflow, history = self.workflow, self.history
        if workflow is None or history is None:
            return []
        inquiry = Inquiry.of(self.config, history)
        missed: list[tuple[EventRow, Answer]] = []
        for row in history.events(event_type=workflow.trigger_event, limit=NEWEST_EVENTS):
            mine = row.workflow_id == workflow.workflow_id or (row.workflow_id is None and workflow.schedule is None)
            answer = inquiry.answer(row, workflow) if mine and len(missed) < limit else None
            if answer is not None and not answer.started:
                missed.append((row, answer))
        return missed

    def reasons(self, missed: list[tuple[EventRow, Answer]]) -> list[Reason]:
        """What keeps it, the most thorough first."""
        workflow = self.workflow
        if workflow is None:
            return [Reason("broken", f"{each.where}: {each.message}", each.hint) for each in self.found.findings]
        return [
            *self._broken(), *self._switched_off(workflow), *self._lacking(workflow), *self._engine(workflow),
            *self._in_the_way(), *self._nothing_came(workflow, missed),
        ]  # fmt: skip

    def _broken(self) -> Iterator[Reason]:
        for finding in self.found.errors:
            yield Reason("broken", f"{finding.where}: {finding.message}", finding.hint)

    def _switched_off(self, workflow: Workflow) -> Iterator[Reason]:
        if self._enabled(workflow):
            return
        switch = self.history.switch(workflow.workflow_id) if self.history else None
        hint = f"aie workflows enable {workflow.workflow_id}"
        if switch is None or self.history is None:
            yield Reason("disabled", "it is disabled in its file", hint)
            return
        after = self.history.audit_at(switch[1] + timedelta(seconds=1))
        record = self.history.last_switch(workflow.workflow_id, before=after)
        by = record.fields["actor"] if record else "a person"
        yield Reason("disabled", f"it was disabled by {by} on {local(switch[1], self.config.timezone)}", hint)

    def _lacking(self, workflow: Workflow) -> Iterator[Reason]:
        for error in missing_actions(workflow, self.registry):
            yield Reason("blocked", error.message, error.hint)
        why, hint = missing_source(workflow, self.registry)
        if why:
            yield Reason("no_source", why, hint)

    def _engine(self, workflow: Workflow) -> Iterator[Reason]:
        if engine_at_work(self.config.state_dir):
            return
        passed = self._due_since_it_was_on(workflow)
        text = "aie start is not running"
        if passed:
            more = "more than " if len(passed) == MOST_DUE else ""
            times = "once" if len(passed) == 1 else f"{more}{len(passed):,} times"
            text += f", and its schedule came due {times} since, last on {passed[-1]:%a %Y-%m-%d %H:%M}"
        yield Reason("off", text, "aie start watches, and starts what is due")

    def _due_since_it_was_on(self, workflow: Workflow) -> list[datetime]:
        if workflow.schedule is None or self.history is None:
            return []
        try:
            schedule = workflow_schedule(workflow, self.config.timezone)
        except ValueError:
            return []
        cursor = self.history.cursor("source:core.schedule")
        entry = cursor.get(schedule.key) if isinstance(cursor, dict) else None
        if not isinstance(entry, dict) or entry.get("line") != schedule.cron:
            return []
        times: list[datetime] = []
        for time in due_times(schedule.cron, schedule.zone, datetime.fromisoformat(str(entry["done"]))):
            if time > self.now or len(times) == MOST_DUE:
                break
            times.append(time.astimezone(schedule.zone))
        return times

    def _in_the_way(self) -> Iterator[Reason]:
        runs = self.open_runs()
        for status, kind, what, hint in (
            (RunStatus.HELD, "held", "held, because there were too many", f"aie runs release {self.found.workflow_id}"),
            (RunStatus.QUEUED, "queued", "queued behind others of it", "aie runs list --status running"),
            (
                RunStatus.UNCERTAIN,
                "waiting",
                "waiting for your word on what happened",
                "aie runs list --status uncertain",
            ),
            (RunStatus.ASKING, "waiting", "waiting for your decision", "aie approvals list"),
            (RunStatus.WAITING, "waiting", "waiting for a time", "aie runs list --status waiting"),
            (RunStatus.BLOCKED, "blocked", "waiting for a plugin", "aie runs list --status blocked"),
        ):
            count = sum(run.status is status for run in runs)
            if count:
                held_by = next((str((run.error or {}).get("held_by")) for run in runs if run.status is status), "")
                name = held_by if status is RunStatus.HELD and held_by else ""
                yield Reason(
                    kind, f"{counted(count, 'run')} of it: {what}", f"aie runs release {name}" if name else hint
                )

    def _nothing_came(self, workflow: Workflow, missed: list[tuple[EventRow, Answer]]) -> Iterator[Reason]:
        if missed or self.last_started() is not None or workflow.schedule is not None:
            return
        known = self.history.events(event_type=workflow.trigger_event, limit=1) if self.history else []
        if not known:
            yield Reason("nothing", f"no {workflow.trigger_event} event has come yet", "")

    def event_lines(self, missed: list[tuple[EventRow, Answer]]) -> Iterator[str]:
        if not missed or self.history is None:
            return
        yield "\nThe newest events that did not start it"
        for row, answer in missed:
            when = local(row.received_at, self.config.timezone)
            yield f"  {when}  {row.event_type} from {row.source}  ({row.event_id})"
            _, *lines = answer_lines(answer, self.history, self.config)
            yield f"      {answer.reason}"
            yield from (f"  {line}" for line in lines)
