"""The schedule source and the cron lines it goes by."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aie.builtin import schedule as schedule_source
from aie.builtin.schedule import Due, Schedule, due, named_schedules, next_times, workflow_schedule
from aie.builtin.settings import CoreSettings
from aie.cron import cron_problem, due_times, zone_problem
from aie.events import Event

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
UTC_ZONE = ZoneInfo("UTC")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def daily(
    cron: str = "0 8 * * *", zone: ZoneInfo = BERLIN, catch_up: str = "once", workflow_id: str | None = None
) -> Schedule:
    return Schedule("morning", "morning", cron, zone, catch_up=catch_up, workflow_id=workflow_id)


def at_each(schedule: Schedule, *moments: str) -> list[tuple[str, bool]]:
    """Which due times are emitted when looked at in these moments, and whether late."""
    cursor: dict = {}
    seen = []
    for moment in moments:
        came = due([schedule], cursor, utc(moment))
        cursor = came.cursor
        seen += [(event.data["due_at"][:16], event.data["late"]) for event in came.events]
    return seen


# --- what an event says -----------------------------------------------------------------------------------------------


def test_an_event_says_when_it_was_due_in_the_schedules_own_zone():
    cursor = due([daily()], {}, utc("2026-02-09T06:59:00")).cursor
    came = due([daily()], cursor, utc("2026-02-09T07:00:10"), pending_count=3)
    assert came == Due(
        (
            Event(
                event_type="scheduled_trigger",
                source="schedule",
                data={
                    "trigger_time": "08:00",
                    "date": "2026-02-09",
                    "weekday": "Monday",
                    "pending_count": 3,
                    "schedule": "morning",
                    "late": False,
                    "due_at": "2026-02-09T07:00:00+00:00",
                },
                timestamp="2026-02-09T08:00:00+01:00",
                event_id="morning@2026-02-09T07:00:00+00:00",
            ),
        ),
        {"morning": {"done": "2026-02-09T07:00:00+00:00", "line": "0 8 * * *", "timezone": None}},
        (),
    )
    assert came.events[0].checked() == came.events[0]


def test_the_schedule_of_a_workflow_addresses_that_workflow():
    own = SimpleNamespace(cron="0 8 * * *", timezone="America/New_York", catch_up="skip")
    schedule = workflow_schedule(SimpleNamespace(workflow_id="briefing", schedule=own), BERLIN)
    assert schedule == Schedule(
        "workflow:briefing", "briefing", "0 8 * * *", NEW_YORK, "America/New_York", "skip", "briefing"
    )
    cursor = due([schedule], {}, utc("2026-02-09T12:00:00")).cursor
    (event,) = due([schedule], cursor, utc("2026-02-09T13:00:00")).events
    assert (event.workflow_id, event.event_id) == ("briefing", "workflow:briefing@2026-02-09T13:00:00+00:00")
    assert (event.data["schedule"], event.data["trigger_time"]) == ("briefing", "08:00")


# --- first start, catching up -----------------------------------------------------------------------------------------


def test_nothing_old_comes_at_the_first_start():
    assert at_each(daily("* * * * *"), "2026-02-09T07:00:30") == []


def test_a_time_is_emitted_once_however_often_one_looks():
    moments = ["2026-02-09T06:59:30", "2026-02-09T07:00:00", "2026-02-09T07:00:00", "2026-02-09T07:00:30"]
    assert at_each(daily(), *moments) == [("2026-02-09T07:00", False)]


@pytest.mark.parametrize(
    ("catch_up", "emitted"),
    [
        ("once", [("2026-02-12T07:00", True)]),
        ("all", [("2026-02-10T07:00", True), ("2026-02-11T07:00", True), ("2026-02-12T07:00", True)]),
        ("skip", []),
    ],
)
def test_times_missed_while_off_are_caught_up_with_as_the_policy_says(catch_up, emitted):
    assert at_each(daily(catch_up=catch_up), "2026-02-09T09:00:00", "2026-02-12T15:00:00") == emitted


def test_once_means_one_event_also_when_the_newest_is_due_right_now():
    assert at_each(daily(), "2026-02-09T09:00:00", "2026-02-12T07:00:20") == [("2026-02-12T07:00", False)]


def test_skip_keeps_what_is_due_within_the_last_minute():
    assert at_each(daily(catch_up="skip"), "2026-02-09T09:00:00", "2026-02-12T07:01:00") == [
        ("2026-02-12T07:00", False)
    ]
    assert at_each(daily(catch_up="skip"), "2026-02-09T09:00:00", "2026-02-12T07:01:01") == []


def test_all_is_capped_at_the_newest_hundred_and_says_so():
    every_minute = daily("* * * * *", catch_up="all")
    cursor = due([every_minute], {}, utc("2025-01-01T00:00:00")).cursor
    came = due([every_minute], cursor, utc("2026-02-09T08:00:00"))
    assert len(came.events) == 100
    assert [event.data["due_at"] for event in (came.events[0], came.events[-1])] == [
        "2026-02-09T06:21:00+00:00",
        "2026-02-09T08:00:00+00:00",
    ]
    assert came.notes == (
        "schedule 'morning' missed more than 100 times; the newest 100 are caught up with, "
        "those before 2026-02-09T06:21:00+00:00 are dropped",
    )
    assert due([every_minute], came.cursor, utc("2026-02-09T08:00:30")).events == ()


def test_several_schedules_come_in_the_order_of_their_times():
    hourly = Schedule("hourly", "hourly", "@hourly", UTC_ZONE, catch_up="all")
    schedules = [daily(catch_up="all"), hourly]
    cursor = due(schedules, {}, utc("2026-02-09T05:30:00")).cursor
    events = due(schedules, cursor, utc("2026-02-09T07:30:00")).events
    assert [event.event_id for event in events] == [
        "hourly@2026-02-09T06:00:00+00:00",
        "morning@2026-02-09T07:00:00+00:00",
        "hourly@2026-02-09T07:00:00+00:00",
    ]


def test_a_changed_line_is_a_new_schedule_and_fires_nothing_old():
    cursor = due([daily("0 8 * * *")], {}, utc("2026-02-09T05:00:00")).cursor
    came = due([daily("0 10 * * *")], cursor, utc("2026-02-09T14:00:00"))
    assert came == Due((), {"morning": daily("0 10 * * *").mark(utc("2026-02-09T14:00:00"))}, ())


def test_a_schedule_that_was_gone_for_a_while_fires_nothing_old_when_it_is_back():
    cursor = due([daily()], {}, utc("2026-02-01T00:00:00")).cursor
    cursor = due([], cursor, utc("2026-02-02T00:00:00")).cursor
    assert cursor == {}
    assert due([daily()], cursor, utc("2026-02-09T14:00:00")).events == ()


@pytest.mark.parametrize(
    "entry", ["text", 7, None, {}, {"done": "soon", "line": "0 8 * * *", "timezone": None}, {"done": "2026-02-09"}]
)
def test_a_cursor_that_cannot_be_read_counts_as_none(entry):
    assert due([daily()], {"morning": entry}, utc("2026-02-09T14:00:00")).events == ()


# --- clocks -----------------------------------------------------------------------------------------------------------


def test_a_clock_set_back_a_little_repeats_nothing():
    moments = ["2026-02-09T06:59:30", "2026-02-09T07:00:05", "2026-02-09T06:59:50", "2026-02-09T07:00:01"]
    assert at_each(daily(), *moments) == [("2026-02-09T07:00", False)]


def test_a_clock_that_was_years_ahead_does_not_silence_the_schedule():
    moments = ["2026-02-09T06:00:00", "2031-01-01T12:00:00", "2026-02-09T06:30:00", "2026-02-09T07:00:00"]
    assert at_each(daily(), *moments) == [("2031-01-01T07:00", True), ("2026-02-09T07:00", False)]


def test_a_clock_set_back_is_told():
    cursor = {"morning": daily().mark(utc("2031-01-01T07:00:00"))}
    came = due([daily()], cursor, utc("2026-02-09T06:30:00"))
    assert came.notes == (
        "schedule 'morning' was last due at 2031-01-01T07:00:00+00:00, which is still to come: the clock was set back; "
        "it goes on from now",
    )


@pytest.mark.parametrize(
    ("line", "zone", "day", "times"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-29", ["03:00+02:00"]),  # 02:30 is left out
        ("0,30 2 * * *", "Europe/Berlin", "2026-03-29", ["03:00+02:00"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25", ["02:30+02:00"]),  # 02:30 comes twice
        ("0 8 * * *", "Europe/Berlin", "2026-03-29", ["08:00+02:00"]),
        ("0 8 * * *", "Europe/Berlin", "2026-10-25", ["08:00+01:00"]),
        ("30 2 * * *", "America/New_York", "2026-03-08", ["03:00-04:00"]),
        ("30 1 * * *", "America/New_York", "2026-11-01", ["01:30-04:00"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", ["02:30+11:00"]),  # half an hour is left out
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", ["01:45+11:00"]),  # half an hour comes twice
        ("0 0 * * *", "Africa/Cairo", "2026-04-24", ["01:00+03:00"]),  # midnight is left out
        ("30 2 * * *", "Asia/Kolkata", "2026-03-29", ["02:30+05:30"]),
    ],
)
def test_a_time_of_day_comes_once_a_day_also_when_clocks_change(line, zone, day, times):
    schedule = daily(line, ZoneInfo(zone), "all")
    start = datetime.fromisoformat(day).replace(tzinfo=schedule.zone).astimezone(UTC) - timedelta(minutes=1)
    cursor = due([schedule], {}, start).cursor
    seen = []
    for minutes in range(0, 23 * 60, 10):
        came = due([schedule], cursor, start + timedelta(minutes=minutes))
        cursor = came.cursor
        seen += [event.timestamp for event in came.events]
    assert seen == [f"{day}T{time[:5]}:00{time[5:]}" for time in times]


@pytest.mark.parametrize(("day", "count"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-07-01", 24)])
def test_an_hourly_line_keeps_to_real_hours_when_clocks_change(day, count):
    midnight = datetime.fromisoformat(day).replace(tzinfo=BERLIN)
    next_midnight = (datetime.fromisoformat(day) + timedelta(days=1)).replace(tzinfo=BERLIN)
    times = [
        time
        for time in islice(due_times("0 * * * *", BERLIN, midnight - timedelta(seconds=1)), 30)
        if time < next_midnight
    ]
    assert len(times) == count


LINES = st.sampled_from(
    ["* * * * *", "*/7 * * * *", "30 2 * * *", "0,30 1-3 * * *", "@hourly", "0 */2 * * *", "0 0 * * *", "15 8 * * 1-5"]
)
ZONES = st.sampled_from(
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kolkata", "UTC"]
).map(ZoneInfo)
CHANGES = st.sampled_from(
    ["2026-03-28T20:00", "2026-10-24T20:00", "2026-03-08T04:00", "2026-04-04T10:00", "2026-06-01T00:00"]
)


@given(LINES, ZONES, CHANGES, st.sampled_from(["once", "all", "skip"]), st.lists(st.integers(0, 40_000), max_size=12))
def test_no_due_time_is_emitted_twice_and_none_that_is_not_due(line, zone, start, catch_up, steps):
    schedule = daily(line, zone, catch_up)
    now = utc(start)
    cursor: dict = {}
    seen: list[str] = []
    begun = now
    for step in [0, *steps]:
        now += timedelta(seconds=step)
        came = due([schedule], cursor, now)
        cursor = came.cursor
        seen += [event.data["due_at"] for event in came.events]
    wanted = []
    for time in due_times(line, zone, begun):
        if time > now:
            break
        wanted.append(time.isoformat())
    assert len(seen) == len(set(seen))
    assert sorted(seen) == seen
    assert set(seen) <= set(wanted)
    if catch_up == "all" and len(wanted) <= 100:
        assert seen == wanted


@given(LINES, ZONES, CHANGES, st.lists(st.integers(-100_000, 100_000), max_size=15))
def test_however_the_clock_jumps_one_instant_has_one_event_id(line, zone, start, steps):
    schedule = daily(line, zone, "all")
    now, cursor, journal = utc(start), {}, {}
    for step in [0, *steps]:
        now += timedelta(seconds=step)
        came = due([schedule], cursor, now)
        cursor = came.cursor
        for event in came.events:
            assert datetime.fromisoformat(event.data["due_at"]) <= now
            assert journal.setdefault(event.event_id, event.data["due_at"]) == event.data["due_at"]
    assert len(set(journal.values())) == len(journal)


@given(LINES, ZONES, CHANGES, st.integers(0, 200_000))
def test_due_times_do_not_depend_on_where_one_begins_to_look(line, zone, start, later):
    first, begin = utc(start), utc(start) + timedelta(seconds=later)
    end = begin + timedelta(hours=6)
    from_afar = [time for time in _until(due_times(line, zone, first), end) if time > begin]
    assert from_afar == list(_until(due_times(line, zone, begin), end))


def _until(times, end):
    for time in times:
        if time > end:
            return
        yield time


# --- the source -------------------------------------------------------------------------------------------------------


class EndOfTestError(Exception):
    """The clock of the test has come to its end."""


class FakeClock:
    """A clock that moves on by what is slept, and ``also`` lets something happen meanwhile."""

    def __init__(self, now: datetime, wakes: int) -> None:
        self.time = now
        self.wakes = wakes
        self.slept: list[float] = []
        self.also: dict[int, object] = {}

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)
        happens = self.also.get(len(self.slept))
        if callable(happens):
            happens()
        if len(self.slept) >= self.wakes:
            raise EndOfTestError


class FakeContext:
    """As the engine gives it, with what was emitted at hand."""

    def __init__(self, settings: CoreSettings, clock: FakeClock, cursor: object = None) -> None:
        self.settings = settings
        self.vault = Path()
        self.timezone = BERLIN
        self.clock = clock
        self.log = logging.getLogger("test.schedule")
        self.cursor = cursor
        self.workflows: list[object] = []
        self.emitted: list[str] = []

    async def emit(self, events: Sequence[Event], *, cursor: object = None) -> int:
        self.emitted += [event.checked().event_id for event in events]
        self.cursor = cursor if cursor is not None else self.cursor
        return len(events)

    def pending_approvals(self) -> int:
        return 2

    def scheduled_workflows(self) -> list[object]:
        return self.workflows


def watch(context: FakeContext) -> list[str]:
    with pytest.raises(EndOfTestError):
        asyncio.run(schedule_source.run(context))
    return context.emitted


def test_the_source_wakes_when_something_is_due_and_at_least_every_thirty_seconds():
    settings = CoreSettings.model_validate({"schedules": {"morning": {"cron": "0 8 * * *"}}})
    clock = FakeClock(utc("2026-02-09T06:58:50"), 4)
    context = FakeContext(settings, clock)
    assert watch(context) == ["morning@2026-02-09T07:00:00+00:00"]
    assert clock.slept == [30.0, 30.0, 10.0, 30.0]


def test_a_restart_goes_on_where_the_cursor_stands():
    settings = CoreSettings.model_validate({"schedules": {"morning": {"cron": "0 8 * * *"}}})
    first = FakeContext(settings, FakeClock(utc("2026-02-09T06:59:50"), 2))
    assert watch(first) == ["morning@2026-02-09T07:00:00+00:00"]
    again = FakeContext(settings, FakeClock(utc("2026-02-09T07:00:10"), 2), first.cursor)
    assert watch(again) == []
    late = FakeContext(settings, FakeClock(utc("2026-02-11T12:00:00"), 2), first.cursor)
    assert watch(late) == ["morning@2026-02-11T07:00:00+00:00"]


def test_workflows_that_come_and_go_are_taken_up_at_the_next_wake():
    clock = FakeClock(utc("2026-02-09T06:58:50"), 8)
    context = FakeContext(CoreSettings(), clock)
    own = SimpleNamespace(cron="* * * * *", timezone=None, catch_up="once")
    clock.also = {
        1: lambda: context.workflows.append(SimpleNamespace(workflow_id="minute", schedule=own)),
        6: context.workflows.clear,
    }
    assert watch(context) == ["workflow:minute@2026-02-09T07:00:00+00:00", "workflow:minute@2026-02-09T07:01:00+00:00"]
    assert context.cursor == {}


def test_a_workflow_with_an_unusable_schedule_is_told_once_and_stops_no_other(caplog):
    clock = FakeClock(utc("2026-02-09T06:59:50"), 4)
    context = FakeContext(CoreSettings(), clock)
    wrong = SimpleNamespace(cron="0 8 * * *", timezone="Berlin", catch_up="once")
    right = SimpleNamespace(cron="0 8 * * *", timezone=None, catch_up="once")
    context.workflows = [
        SimpleNamespace(workflow_id="wrong", schedule=wrong),
        SimpleNamespace(workflow_id="right", schedule=right),
    ]
    assert watch(context) == ["workflow:right@2026-02-09T07:00:00+00:00"]
    assert [record.getMessage() for record in caplog.records] == [
        "workflow 'wrong' is not started by its schedule: 'Berlin' is not a time zone; did you mean 'Europe/Berlin'?"
    ]


def test_schedules_that_are_off_do_not_run_and_are_not_shown():
    settings = CoreSettings.model_validate(
        {"schedules": {"a": {"cron": "@daily", "timezone": "UTC"}, "b": {"cron": "@daily", "enabled": False}}}
    )
    assert [schedule.name for schedule in named_schedules(settings, BERLIN)] == ["a"]
    assert schedule_source.source(settings).watching == "a: @daily (UTC); the schedules of workflows"


def test_the_next_times_are_shown_in_the_schedules_zone():
    assert [time.isoformat() for time in next_times(daily(), utc("2026-03-27T12:00:00"), 3)] == [
        "2026-03-28T08:00:00+01:00",
        "2026-03-29T08:00:00+02:00",
        "2026-03-30T08:00:00+02:00",
    ]


# --- cron lines and zones ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", ["0 8 * * 1-5", "*/15 8-17 * * MON-FRI", "0 0 L * *", "@hourly", "@daily", "@Weekly", "@monthly"]
)
def test_a_usable_cron_line_has_no_problem(line):
    assert cron_problem(line) == ""


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "0 0 8 * * *",
            "the cron line '0 0 8 * * *' has 6 fields, and schedules have no seconds: write 5 fields, minute hour day "
            "month weekday, for example '0 8 * * *' if the first of the six is the seconds",
        ),
        (
            "0 8 * *",
            "the cron line '0 8 * *' has 4 fields: write 5 fields, minute hour day month weekday, for example "
            "'0 8 * * 1-5' for 08:00 from Monday to Friday",
        ),
        ("0 25 * * *", "the hour '25' of the cron line '0 25 * * *' is not right: it is 0 to 23"),
        ("0 8 31 2 *", "the cron line '0 8 31 2 *' never comes: no month it names has such a day"),
        ("@dayly", "'@dayly' is not a short form of a cron line; did you mean '@daily'?"),
    ],
)
def test_an_unusable_cron_line_is_explained(line, problem):
    assert cron_problem(line) == problem


@given(st.text(alphabet="0123456789*/,-#L@MONWYdaily ", max_size=30))
def test_any_line_is_either_explained_or_has_times(line):
    if cron_problem(line) == "":
        assert next(due_times(line, BERLIN, utc("2026-02-09T08:00:00"))) > utc("2026-02-09T08:00:00")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Europe/Berlin", ""),
        ("UTC", ""),
        ("Berlin", "'Berlin' is not a time zone; did you mean 'Europe/Berlin'?"),
        ("Europe/Berlni", "'Europe/Berlni' is not a time zone; did you mean 'Europe/Berlin'?"),
        ("../etc/passwd", "'../etc/passwd' is not a time zone; write a name of the IANA list, such as 'Europe/Berlin'"),
    ],
)
def test_an_unknown_time_zone_is_answered_with_the_nearest(name, problem):
    assert zone_problem(name) == problem
