"""Clocks that jump: timers and schedules fire once, nothing spins, and no length of time is negative."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from aie import AsyncOrchestrator, Event, RetryableError
from aie.builtin.schedule import Schedule, due
from aie.durations import instant_of
from aie.run import RunStatus
from tests.stand_ins import MONDAY, Scripted, make_vault, workflow

HOUR = timedelta(hours=1)
YEAR = timedelta(days=365)
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")


class JumpingClock:
    """A clock that tests let run, and whose hands they turn. Who sleeps does so by the first and not by the second."""

    def __init__(self, now: datetime = MONDAY) -> None:
        self._elapsed_s = 0.0
        self._start = now
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self.naps = 0  # how often somebody lay down to sleep

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_s)

    async def sleep(self, seconds: float) -> None:
        self.naps += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._elapsed_s + max(0.0, seconds), future))
        await future

    def turn_to(self, moment: datetime) -> None:
        self._start = moment - timedelta(seconds=self._elapsed_s)

    async def run(self, **by: float) -> None:
        """Let time pass, waking each sleeper at its time."""
        end_s = self._elapsed_s + timedelta(**by).total_seconds()
        await turns()
        while due := [nap for nap in self._sleepers if nap[0] <= end_s]:
            self._elapsed_s = max(self._elapsed_s, min(at_s for at_s, _ in due))
            for nap in [nap for nap in due if nap[0] <= self._elapsed_s]:
                self._sleepers.remove(nap)
                if not nap[1].done():
                    nap[1].set_result(None)
            await turns()
        self._elapsed_s = end_s


async def turns() -> None:
    """Some turns of the event loop: enough for whoever woke to come to rest."""
    for _ in range(25):
        await asyncio.sleep(0)


async def rest(orchestrator: AsyncOrchestrator) -> RunStatus:
    assert orchestrator.engine is not None
    await turns()
    await orchestrator.engine.idle()
    return orchestrator.history.runs()[0].status


async def emit(orchestrator: AsyncOrchestrator) -> None:
    assert orchestrator.engine is not None
    await orchestrator.engine.accept(Event("manual_trigger", "test", {}, event_id="e1"))


# --- waits and retries ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "moments",
    [
        [MONDAY - timedelta(days=1), MONDAY + HOUR],
        [MONDAY + timedelta(days=1)],
        [datetime(1970, 1, 1, tzinfo=UTC), MONDAY + HOUR],
        [datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC), MONDAY],
        [datetime(2028, 2, 29, 12, 0, tzinfo=UTC), MONDAY - YEAR, MONDAY + HOUR],
        [MONDAY + HOUR - timedelta(microseconds=1), MONDAY + HOUR, MONDAY],
    ],
    ids=["back a day", "forward a day", "1970", "2038 and back", "a leap day and back", "to the very moment"],
)
def test_a_wait_is_over_once_however_the_clock_jumps_meanwhile(tmp_path: Path, moments: list[datetime]) -> None:
    scripted, clock = Scripted({"note": lambda params, context: None}), JumpingClock()
    wait = {"action_type": "wait", "parameters": {"duration": "1 hour"}}
    vault = make_vault(tmp_path / "v", workflow("w", wait, {"action_type": "note"}))

    async def main() -> tuple[list[Any], list[int], int]:
        async with AsyncOrchestrator(vault, plugins={"t": scripted}, clock=clock, env={}) as orchestrator:
            await emit(orchestrator)
            assert await rest(orchestrator) is RunStatus.WAITING
            seen: list[Any] = []
            naps = clock.naps
            for moment in moments:
                clock.turn_to(moment)
                await clock.run(seconds=35)  # a clock that was set is looked at within 30 s
                seen.append((clock.now() >= MONDAY + HOUR, await rest(orchestrator)))
            durations = [record.fields["duration_ms"] for record in orchestrator.history.audit()]
            return seen, [each for each in durations if isinstance(each, int)], clock.naps - naps

    seen, durations_ms, naps = asyncio.run(main())
    over = [any(past for past, _ in seen[: index + 1]) for index in range(len(seen))]
    assert [status for _, status in seen] == [RunStatus.SUCCEEDED if past else RunStatus.WAITING for past in over]
    assert over[-1], "the wait was over in the end"
    assert len(scripted.calls) == 1
    assert min(durations_ms) >= 0
    assert naps < 12 * 35 * len(moments), "ten looks a second for requests, and hardly any others"


def test_a_retry_comes_once_when_the_clock_jumps_back_and_forth_while_it_is_due(tmp_path: Path) -> None:
    failures = [RetryableError("busy", retry_after_s=600)]

    def flaky(params: Any, context: Any) -> None:
        if failures:
            raise failures.pop()

    scripted, clock = Scripted({"flaky": flaky}), JumpingClock()
    vault = make_vault(tmp_path / "v", workflow("w", {"action_type": "flaky", "retry_count": 3}))

    async def main() -> RunStatus:
        async with AsyncOrchestrator(vault, plugins={"t": scripted}, clock=clock, env={}) as orchestrator:
            await emit(orchestrator)
            await rest(orchestrator)
            for days in (0, -1, 1, -400, 400, 0):
                clock.turn_to(MONDAY + timedelta(days=days))
                await clock.run(seconds=35)
            await clock.run(seconds=700)
            return await rest(orchestrator)

    assert asyncio.run(main()) is RunStatus.SUCCEEDED
    assert [attempt for _, _, attempt in scripted.calls] == [1, 2]


# --- schedules --------------------------------------------------------------------------------------------------------


def test_a_schedule_at_work_fires_once_for_each_due_time_while_the_clock_jumps(tmp_path: Path) -> None:
    scripted, clock = Scripted({"note": lambda params, context: None}), JumpingClock()
    note = {"action_type": "note", "parameters": {"due": "{{ event.data.due_at }}"}}
    vault = make_vault(tmp_path / "v", workflow("w", note, trigger="scheduled_trigger"))
    with (vault / "aie.toml").open("a", encoding="utf-8") as file:
        file.write('[schedules.evening]\ncron = "0 19 * * *"\n')  # 18:00 UTC; it is 17:30

    async def main() -> tuple[int, int]:
        orchestrator = AsyncOrchestrator(vault, plugins={"t": scripted}, clock=clock, env={})
        await orchestrator.open(serve=True)
        try:
            orchestrator.serve()
            await clock.run(seconds=70)
            quiet, naps = clock.naps, clock.naps
            for hour, minute in ((17, 59), (18, 0), (17, 50), (18, 0), (18, 30), (17, 0), (18, 1)):
                clock.turn_to(MONDAY.replace(hour=hour, minute=minute))
                await clock.run(seconds=70)
            await rest(orchestrator)
            return quiet, clock.naps - naps
        finally:
            await orchestrator.close()

    quiet, naps = asyncio.run(main())
    assert [params["due"] for _, params, _ in scripted.calls] == ["2026-02-09T18:00:00+00:00"]
    assert naps < 1.1 * 7 * quiet, "all loops together look as often as when no clock jumps"


@pytest.mark.parametrize(
    ("line", "zone", "day", "times"),
    [
        ("30 0 * * *", "Asia/Beirut", "2026-03-29", ["01:00+03:00"]),  # 00:00 to 01:00 is left out
        ("0 0 * * *", "Asia/Beirut", "2026-03-29", ["01:00+03:00"]),
        ("30 23 * * *", "Asia/Beirut", "2026-10-24", ["23:30+03:00"]),  # 23:00 to 24:00 comes twice
        ("30 0 * * *", "Asia/Beirut", "2026-10-25", ["00:30+02:00"]),
        ("30 0 * * *", "America/Havana", "2026-03-08", ["01:00-04:00"]),
        ("30 0 * * *", "America/Havana", "2026-11-01", ["00:30-04:00"]),  # 00:00 to 01:00 comes twice
    ],
)
def test_a_time_around_midnight_comes_once_where_clocks_change_at_midnight(
    line: str, zone: str, day: str, times: list[str]
) -> None:
    schedule = Schedule("night", "night", line, ZoneInfo(zone), catch_up="all")
    start = datetime.fromisoformat(day).replace(tzinfo=schedule.zone).astimezone(UTC) - timedelta(minutes=1)
    cursor = due([schedule], {}, start).cursor
    seen = []
    for minutes in range(0, 25 * 60, 5):
        came = due([schedule], cursor, start + timedelta(minutes=minutes))
        cursor = came.cursor
        seen += [event.timestamp for event in came.events if event.timestamp.startswith(day)]
    assert seen == [f"{day}T{time[:5]}:00{time[5:]}" for time in times]


@pytest.mark.parametrize(
    ("before", "after", "emitted"),
    [
        (BERLIN, NEW_YORK, ["2026-02-09T07:00", "2026-02-09T13:00", "2026-02-10T13:00"]),  # that day has a second 08:00
        (NEW_YORK, BERLIN, ["2026-02-09T13:00", "2026-02-10T07:00", "2026-02-11T07:00"]),
    ],
)
def test_when_the_computers_zone_changes_the_next_times_are_those_of_the_new_one_and_none_is_caught_up_with(
    before: ZoneInfo, after: ZoneInfo, emitted: list[str]
) -> None:
    """A schedule that names no zone follows the computer's, which is read when aie starts."""
    start = datetime(2026, 2, 9, 6, 0, tzinfo=UTC)
    cursor = due([Schedule("m", "m", "0 8 * * *", before)], {}, start).cursor
    seen: list[Any] = []
    for hours in range(2, 50):
        moved = bool(seen)
        schedule = Schedule("m", "m", "0 8 * * *", after if moved else before, catch_up="all")
        came = due([schedule], cursor, start + timedelta(hours=hours))
        cursor = came.cursor
        seen += [event.data["due_at"] for event in came.events]
    assert [time[:16] for time in seen] == emitted


@pytest.mark.parametrize(
    ("until", "now", "moment"),
    [
        ("02:30", "2026-03-28T22:00", "2026-03-29T01:30"),  # left out: as long after two as it would have been
        ("02:30", "2026-10-24T22:00", "2026-10-25T00:30"),  # the first of two
        ("02:30", "2026-10-25T00:45", "2026-10-26T01:30"),  # between the two: once a day
        ("03:00", "2026-10-25T00:45", "2026-10-25T02:00"),
        ("2026-03-29T02:30", "2026-03-28T22:00", "2026-03-29T01:30"),
    ],
)
def test_waiting_until_a_time_of_day_is_right_on_the_days_when_clocks_change(until: str, now: str, moment: str) -> None:
    found = instant_of(until, datetime.fromisoformat(now).replace(tzinfo=UTC), BERLIN)
    assert found == datetime.fromisoformat(moment).replace(tzinfo=UTC)
