"""The schedule: emits ``scheduled_trigger`` when a cron line is due, also for what came due while aie was off.

Named schedules of ``aie.toml`` emit events for whoever listens; a workflow's own schedule addresses that workflow.

The cursor has, per schedule, the last due time that is dealt with and the line that was about::

    {"morning": {"done": "2026-02-09T07:00:00+00:00", "line": "0 8 * * *", "timezone": "Europe/Berlin"}}

A schedule that is not in it, or whose line has changed, is new: it starts from now, and nothing old is caught up with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from aie.builtin.settings import CoreSettings, ScheduleSettings
from aie.cron import cron_problem, due_times, zone_problem
from aie.events import Event, EventType
from aie.plain import Json
from aie.sources import EventSource, ScheduledWorkflow, SourceContext

SOURCE = "schedule"
MAX_SLEEP_S = 30.0  # a clock that jumps, or a machine that was asleep, is noticed within this time
ON_TIME = timedelta(seconds=60)  # due longer ago than this is missed
MAX_CATCH_UP = 100
CLOCK_SLACK = timedelta(seconds=60)  # a clock set back by more than this starts its schedules over
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Schedule:
    """One cron line in one zone. ``key`` names it in the cursor and in event ids."""

    key: str
    name: str
    cron: str
    zone: ZoneInfo
    timezone: str | None = None  # as written; None follows the vault
    catch_up: str = "once"
    workflow_id: str | None = None

    def mark(self, done: datetime) -> dict[str, Json]:
        """Its entry in the cursor."""
        return {"done": done.astimezone(UTC).isoformat(), "line": self.cron, "timezone": self.timezone}


class Due(NamedTuple):
    """What has come due, the cursor that goes with it, and what a person should know, as sentences."""

    events: tuple[Event, ...]
    cursor: dict[str, Json]
    notes: tuple[str, ...] = ()


def due(schedules: Sequence[Schedule], cursor: Mapping[str, Json], now: datetime, pending_count: int = 0) -> Due:
    """The events to emit at ``now``, oldest first; reads no clock and keeps nothing."""
    found: list[tuple[datetime, Event]] = []
    entries: dict[str, Json] = {}
    notes: list[str] = []
    for schedule in schedules:
        entry = cursor.get(schedule.key)
        done = _done(schedule, entry)
        if done is None or done > now + CLOCK_SLACK:
            if done is not None:
                notes.append(
                    f"schedule {schedule.name!r} was last due at {done.isoformat()}, which is still to come: the clock "
                    "was set back; it goes on from now"
                )
            entries[schedule.key] = schedule.mark(now)
            continue
        times = _between(schedule, done, now)
        if not times:
            entries[schedule.key] = entry
            continue
        chosen = _chosen(schedule, times, now, notes)
        found += [(time, _event(schedule, time, now, pending_count)) for time in chosen]
        entries[schedule.key] = schedule.mark(times[-1])
    found.sort(key=lambda pair: pair[0])
    return Due(tuple(event for _, event in found), entries, tuple(notes))


def next_times(schedule: Schedule, now: datetime, n: int) -> list[datetime]:
    """The next ``n`` times it is due, in its own zone; fewer if there are no more."""
    return [time.astimezone(schedule.zone) for time in islice(due_times(schedule.cron, schedule.zone, now), n)]


def named_schedules(settings: CoreSettings | None, zone: ZoneInfo) -> list[Schedule]:
    """The schedules of ``aie.toml`` that run; ``zone`` is for those that name none."""
    tables: Mapping[str, ScheduleSettings] = settings.schedules if settings else {}
    return [
        Schedule(
            name, name, table.cron, ZoneInfo(table.timezone) if table.timezone else zone, table.timezone, table.catch_up
        )
        for name, table in tables.items()
        if table.enabled
    ]


def workflow_schedule(workflow: ScheduledWorkflow, zone: ZoneInfo) -> Schedule:
    """A workflow's own schedule; ValueError, as a sentence, if it cannot be used."""
    own: Any = workflow.schedule
    timezone = str(own.timezone) if own.timezone else None
    problem = cron_problem(own.cron) or (zone_problem(timezone) if timezone else "")
    if problem:
        raise ValueError(problem)
    return Schedule(
        key=f"workflow:{workflow.workflow_id}",  # ':' is in no name of aie.toml
        name=workflow.workflow_id,
        cron=own.cron,
        zone=ZoneInfo(timezone) if timezone else zone,
        timezone=timezone,
        catch_up=str(own.catch_up),
        workflow_id=workflow.workflow_id,
    )


def source(settings: CoreSettings | None) -> EventSource:
    """The source ``core.schedule``."""
    tables: Mapping[str, ScheduleSettings] = settings.schedules if settings else {}
    lines = [
        f"{name}: {table.cron}" + (f" ({table.timezone})" if table.timezone else "")
        for name, table in tables.items()
        if table.enabled
    ]
    return EventSource(
        name="core.schedule",
        event_types=(EventType.SCHEDULED_TRIGGER.value,),
        run=run,
        summary="Emits scheduled_trigger when a schedule is due",
        watching="; ".join([*lines, "the schedules of workflows"]),
    )


async def run(ctx: SourceContext) -> None:
    """Watch until cancelled. Workflows are asked for anew at each wake, so that edited ones are taken up."""
    saved = ctx.cursor
    cursor: dict[str, Json] = dict(saved) if isinstance(saved, dict) else {}
    complained: frozenset[str] = frozenset()
    while True:
        schedules, problems = _schedules(ctx)
        for problem in sorted(problems - complained):
            ctx.log.warning(problem)
        complained = problems
        now = ctx.clock.now()
        came = due(schedules, cursor, now, ctx.pending_approvals())
        for note in came.notes:
            ctx.log.warning(note)
        if came.events or came.cursor != cursor:
            await ctx.emit(came.events, cursor=came.cursor)
            cursor = came.cursor
        await ctx.clock.sleep(sleep_s(schedules, now))


def sleep_s(schedules: Sequence[Schedule], now: datetime) -> float:
    """How long nothing can come due, at most 30 seconds."""
    coming = (next(due_times(schedule.cron, schedule.zone, now), None) for schedule in schedules)
    return min([MAX_SLEEP_S, *((time - now).total_seconds() for time in coming if time is not None)])


def _schedules(ctx: SourceContext) -> tuple[list[Schedule], frozenset[str]]:
    """All that run now, and a sentence for each workflow whose schedule cannot be used."""
    schedules = named_schedules(ctx.settings, ctx.timezone)
    problems: set[str] = set()
    for workflow in ctx.scheduled_workflows():
        try:
            schedules.append(workflow_schedule(workflow, ctx.timezone))
        except ValueError as error:
            problems.add(f"workflow {workflow.workflow_id!r} is not started by its schedule: {error}")
    return schedules, frozenset(problems)


def _done(schedule: Schedule, entry: Json) -> datetime | None:
    """The last due time that is dealt with; None for a schedule that is new."""
    if not isinstance(entry, dict) or entry.get("line") != schedule.cron or entry.get("timezone") != schedule.timezone:
        return None
    try:
        done = datetime.fromisoformat(str(entry.get("done")))
        return done.astimezone(UTC) if done.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _between(schedule: Schedule, done: datetime, now: datetime) -> list[datetime]:
    """The due times later than ``done`` up to ``now``, ascending; only the newest if there are very many."""
    if next(due_times(schedule.cron, schedule.zone, done), now + CLOCK_SLACK) > now:
        return []
    # The newest are wanted, and after years off there may be millions: look back in windows that grow fourfold.
    window = timedelta(hours=2)
    while True:
        start = max(done, now - window)
        times: list[datetime] = []
        for time in due_times(schedule.cron, schedule.zone, start):
            if time > now:
                break
            times.append(time)
        if start == done or len(times) > MAX_CATCH_UP or (times and schedule.catch_up == "once"):
            return times
        window *= 4


def _chosen(schedule: Schedule, times: list[datetime], now: datetime, notes: list[str]) -> list[datetime]:
    """Those of the due times that its policy lets through; a note for what falls away unasked."""
    if schedule.catch_up == "skip":
        return [time for time in times if now - time <= ON_TIME]
    if schedule.catch_up != "all":
        return times[-1:]
    if len(times) > MAX_CATCH_UP:
        notes.append(
            f"schedule {schedule.name!r} missed more than {MAX_CATCH_UP} times; the newest {MAX_CATCH_UP} are caught "
            f"up with, those before {times[-MAX_CATCH_UP].isoformat()} are dropped"
        )
    return times[-MAX_CATCH_UP:]


def _event(schedule: Schedule, time: datetime, now: datetime, pending_count: int) -> Event:
    local = time.astimezone(schedule.zone)
    return Event(
        event_type=EventType.SCHEDULED_TRIGGER.value,
        source=SOURCE,
        data={
            "trigger_time": local.strftime("%H:%M"),
            "date": local.date().isoformat(),
            "weekday": WEEKDAYS[local.weekday()],
            "pending_count": pending_count,
            "schedule": schedule.name,
            "late": now - time > ON_TIME,
            "due_at": time.isoformat(),
        },
        timestamp=local.isoformat(),
        event_id=f"{schedule.key}@{time.isoformat()}",
        workflow_id=schedule.workflow_id,
    )
