"""Entries that are about to begin become events: on a clock that stands still until it is moved."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aie_calendar.mirror import Mirrors
from aie_calendar.upcoming import Upcoming
from plugins.calendar.tests.house import BERLIN, House


class Watch:
    """A house with the source in it. ``at`` moves the clock and looks; gives what is new."""

    def __init__(self, vault: Path, **tables: Any) -> None:
        self.house = House(vault, tables)
        self.runner = asyncio.Runner()
        self._start()

    def _start(self) -> None:
        self.source = Upcoming(Mirrors())
        self._using = self.source.mirrors.used(self.house, self.house.log)
        self.runner.run(self._using.__aenter__())

    def stop(self) -> None:
        self.runner.run(self._using.__aexit__(None, None, None))

    def restart(self, **tables: Any) -> None:
        self.stop()
        if tables:
            old = self.house
            self.house = House(old.vault, tables, clock=old.clock, cursor=old.cursor, events=old.events)
            self.house.ids = old.ids
        self._start()

    def at(self, *stamps: str) -> list[str]:
        before = len(self.house.events)
        for stamp in stamps:
            self.house.clock.time = dt.datetime.fromisoformat(f"2026-{stamp}").replace(tzinfo=BERLIN)
            self.soonest = self.runner.run(self.source.look(self.house))
        return [_shown(event.data) for event in self.house.events[before:]]

    def put(self, name: str, *lines: str, start: str = "DTSTART:20260216T130000Z") -> None:
        folder = self.house.vault / "Calendar"
        folder.mkdir(exist_ok=True)
        text = "\r\n".join(
            [
                "BEGIN:VCALENDAR",
                "BEGIN:VEVENT",
                f"UID:{name}",
                f"SUMMARY:{name}",
                start,
                *lines,
                "END:VEVENT",
                "END:VCALENDAR",
                "",
            ]
        )
        (folder / f"{name}.ics").write_text(text, newline="")


def _shown(data: Any) -> str:
    late = " late" if data["late"] else ""
    return f"{data['title']} {data['phase']} {data['lead_minutes']}{late}"


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Callable[..., Watch]]:
    """Makes a house with these settings."""
    made: list[Watch] = []

    def make(**tables: Any) -> Watch:
        made.append(Watch(tmp_path / "vault", **tables))
        return made[-1]

    yield make
    for watch in made:
        watch.stop()
        watch.runner.close()


@pytest.fixture
def watch(watching: Callable[..., Watch]) -> Watch:
    return watching()


def test_an_entry_is_told_at_its_start_once(watch: Watch) -> None:
    watch.put("a", "DURATION:PT1H")
    assert watch.at("02-16T13:00", "02-16T13:59:50") == []
    assert watch.at("02-16T14:00", "02-16T14:00:15", "02-16T14:05") == ["a start 0"]


def test_the_event_says_all_about_the_entry(watch: Watch) -> None:
    watch.put(
        "a", "DTEND:20260216T140000Z", "CATEGORIES:LinkedIn Post,Marketing", "LOCATION:Room 2",
        "ATTENDEE;CN=Ann:mailto:ann@example.com",
        "DESCRIPTION:<p>We <b>open</b> at 8.</p><p>Come by\\, all!</p>\\nimage_path: Assets/opening.png",
        "ORGANIZER:MAILTO:bo@example.com",
    )  # fmt: skip
    watch.at("02-16T13:00", "02-16T14:00")
    (event,) = watch.house.events
    assert (event.event_type, event.source, event.timestamp) == ("calendar_event", "", "")
    assert event.data == {
        "event_type": "linkedin_post", "title": "a", "start": "2026-02-16T14:00:00+01:00",
        "end": "2026-02-16T15:00:00+01:00",
        "all_day": False, "location": "Room 2",
        "description": "We open at 8.\n\nCome by, all!\n\nimage_path: Assets/opening.png",
        "post_content": "We open at 8.\n\nCome by, all!", "image_path": "Assets/opening.png", "calendar": "main",
        "uid": "a",
        "occurrence": None, "categories": ["LinkedIn Post", "Marketing"], "attendees": ["ann@example.com"],
        "organizer": "bo@example.com", "status": "confirmed", "phase": "start", "lead_minutes": 0,
        "due_at": "2026-02-16T13:00:00+00:00", "late": False,
    }  # fmt: skip


def test_properties_of_ours_win_over_category_and_description(watch: Watch) -> None:
    watch.put(
        "a",
        "CATEGORIES:Work",
        "DESCRIPTION:internal",
        "X-AIE-EVENT-TYPE:linkedin_post",
        "X-AIE-POST-CONTENT:Hello",
        "X-AIE-IMAGE-PATH:a.png",
    )
    watch.put("b", "DESCRIPTION:event_type: linkedin_post\\nHello from a phone")
    watch.at("02-16T13:00", "02-16T14:00")
    data = [event.data for event in watch.house.events]
    assert [(one["event_type"], one["post_content"], one["image_path"]) for one in data] == [
        ("linkedin_post", "Hello", "a.png"), ("linkedin_post", "Hello from a phone", None),
    ]  # fmt: skip


def test_minutes_before_at_the_start_and_at_the_end(watching: Callable[..., Watch]) -> None:
    watch = watching(calendars={"main": {"minutes_before": [60, 15, 0], "at_end": True}})
    watch.put("a", "DURATION:PT30M")
    stamps = [f"02-16T{hour:02}:{minute:02}" for hour in (12, 13, 14) for minute in range(0, 60, 5)]
    assert watch.at(*stamps) == ["a before 60", "a before 15", "a start 0", "a end 0"]


def test_a_categorys_times_count_instead_and_an_entrys_own_alarms_in_addition(tmp_path: Path) -> None:
    watch = Watch(
        tmp_path / "v",
        calendars={"main": {"minutes_before": [0], "categories": {"meeting": [10]}, "from_alarms": True}},
    )
    watch.put("a", "CATEGORIES:meeting", "BEGIN:VALARM", "TRIGGER:-PT30M", "END:VALARM")
    watch.put("b", "DURATION:PT1H", "BEGIN:VALARM", "TRIGGER;RELATED=END:-PT65M", "END:VALARM")
    watch.put(
        "c",
        "BEGIN:VALARM",
        "TRIGGER;VALUE=DATE-TIME:20260216T124000Z",
        "END:VALARM",
        "BEGIN:VALARM",
        "TRIGGER:PT5M",
        "END:VALARM",
    )
    stamps = [f"02-16T{hour:02}:{minute:02}" for hour in (13, 14) for minute in range(0, 60, 5)]
    assert watch.at(*stamps) == ["a before 30", "c before 20", "a before 10", "b before 5", "b start 0", "c start 0"]


def test_every_occurrence_is_told_over_both_changes_of_the_clocks(watch: Watch) -> None:
    watch.put("a", "RRULE:FREQ=DAILY", start="DTSTART;TZID=Europe/Berlin:20260301T023000")
    assert watch.at("03-28T02:00", "03-28T02:30") == ["a start 0"]
    watch.at("03-29T01:30")
    assert watch.at("03-29T03:29", "03-29T03:30", "03-29T03:31") == ["a start 0"]  # 02:30 is not there: 03:30 is meant
    watch.at("10-25T02:00")
    assert watch.at("10-25T02:30", "10-25T02:31", "10-25T03:31") == ["a start 0"]  # 02:30 is there twice: the first


def test_a_whole_day_begins_at_midnight(watch: Watch) -> None:
    watch.put("a", start="DTSTART;VALUE=DATE:20260216")
    assert watch.at("02-15T23:59", "02-16T00:00") == ["a start 0"]


def test_a_moved_entry_is_told_at_its_new_time_and_a_deleted_one_never(watch: Watch) -> None:
    watch.put("moved")
    watch.put("deleted")
    watch.put("told")
    watch.at("02-16T13:00")
    watch.put("moved", start="DTSTART:20260216T150000Z")
    (watch.house.vault / "Calendar" / "deleted.ics").unlink()
    assert watch.at("02-16T13:59:58", "02-16T14:00:20") == ["told start 0"]
    watch.put("told", start="DTSTART:20260216T153000Z")
    assert watch.at("02-16T16:00:20", "02-16T16:30:20") == ["moved start 0", "told start 0"]


def test_a_cancelled_occurrence_is_not_told_and_the_others_are(watch: Watch) -> None:
    watch.put("a", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260217T130000Z")
    assert watch.at("02-16T13:00", "02-16T14:00", "02-17T14:00", "02-18T14:00") == ["a start 0", "a start 0"]


def test_the_first_start_tells_nothing_of_before(watch: Watch) -> None:
    watch.put("a", "DURATION:PT2H")
    assert watch.at("02-16T14:05", "02-16T14:06") == []


def test_after_a_while_off_what_is_within_the_grace_is_told_late_and_the_rest_is_put_on_record(
    watch: Watch, caplog
) -> None:
    watch.put("early")
    watch.put("recent", start="DTSTART:20260216T145500Z")
    watch.at("02-16T13:00")
    watch.restart()
    with caplog.at_level(logging.WARNING):
        assert watch.at("02-16T16:00", "02-16T16:01") == ["recent start 0 late"]
    assert [record.getMessage() for record in caplog.records] == [
        "calendar main: 'early' was missed: it was due at 2026-02-16 14:00"
    ]


def test_a_lead_time_that_passed_while_off_is_told_late_as_long_as_the_entry_is_ahead(
    watching: Callable[..., Watch],
) -> None:
    watch = watching(calendars={"main": {"minutes_before": [1440]}})
    watch.put("a")
    watch.at("02-15T10:00")
    watch.restart()
    assert watch.at("02-16T09:00", "02-16T09:01") == ["a before 1440 late"]


def test_an_entry_made_after_its_lead_time_is_told_late(watching: Callable[..., Watch]) -> None:
    watch = watching(calendars={"main": {"minutes_before": [15]}})
    watch.at("02-16T13:30")
    watch.put("a")
    assert watch.at("02-16T13:52") == ["a before 15 late"]


def test_nothing_is_told_twice_after_a_restart_or_a_lost_cursor(watch: Watch) -> None:
    watch.put("a")
    assert watch.at("02-16T13:00", "02-16T14:00") == ["a start 0"]
    watch.restart()
    assert watch.at("02-16T14:01") == []
    watch.house.cursor = None
    watch.restart()
    assert watch.at("02-16T14:02") == []


def test_a_new_calendar_is_watched_from_then_on(watch: Watch) -> None:
    watch.put("a")
    watch.at("02-16T14:30")
    (watch.house.vault / "Second").mkdir()
    shutil.copy(watch.house.vault / "Calendar" / "a.ics", watch.house.vault / "Second" / "a.ics")
    watch.restart(calendars={"main": {}, "second": {"folder": "Second"}})
    assert watch.at("02-16T14:31", "02-16T14:32") == []
    assert set(watch.house.cursor["calendars"]) == {"main", "second"}


def test_a_broken_entry_is_logged_once_and_the_others_are_told(watch: Watch, caplog) -> None:
    watch.put("bad", start="DTSTART:soon")
    watch.put("worse", "RRULE:FREQ=SECONDLY")
    watch.put("good")
    (watch.house.vault / "Calendar" / "no.ics").write_text("hello")
    with caplog.at_level(logging.WARNING):
        assert watch.at("02-16T13:00", "02-16T13:30", "02-16T14:00") == ["good start 0", "worse start 0"]
    assert sorted(record.getMessage() for record in caplog.records) == [
        "calendar main: it (no.ics) is no calendar",
        "calendar main: the entry 'bad' has no start that can be read, and is left out",
        "calendar main: the entry 'worse' repeats secondly, and no appointment does: only its first time counts",
    ]


def test_a_file_that_is_half_written_keeps_what_it_said_before(watch: Watch) -> None:
    watch.put("a")
    watch.at("02-16T13:00")
    path = watch.house.vault / "Calendar" / "a.ics"
    path.write_bytes(path.read_bytes()[:60])
    assert watch.at("02-16T13:30", "02-16T14:00") == ["a start 0"]


def test_a_file_of_fifty_megabytes_is_not_read(watch: Watch, caplog) -> None:
    watch.put("a")
    with (watch.house.vault / "Calendar" / "huge.ics").open("wb") as file:
        file.truncate(50_000_000)
    with caplog.at_level(logging.WARNING):
        assert watch.at("02-16T13:00", "02-16T14:00") == ["a start 0"]
    assert [one.getMessage() for one in caplog.records] == [
        "calendar main: huge.ics has 50.0 MB, and is not read (max_size_mb)"
    ]


def test_a_folder_that_is_gone_for_a_while_is_told_once_and_what_was_known_counts(watch: Watch, caplog) -> None:
    watch.put("a")
    watch.at("02-16T13:00")
    folder = watch.house.vault / "Calendar"
    folder.rename(watch.house.vault / "away")
    with caplog.at_level(logging.INFO):
        assert watch.at("02-16T13:30", "02-16T13:40", "02-16T14:00") == ["a start 0"]
        (watch.house.vault / "away").rename(folder)
        watch.at("02-16T14:30")
    assert [one.getMessage() for one in caplog.records] == [
        "calendar main: the folder 'Calendar' is not there", "calendar main: it can be read again",
    ]  # fmt: skip


def test_the_source_sleeps_no_longer_than_until_something_is_due(watch: Watch) -> None:
    watch.put("a")
    watch.at("02-16T13:59:50")
    assert watch.soonest == dt.datetime(2026, 2, 16, 13, tzinfo=dt.UTC)


def test_the_source_itself_runs_until_it_is_cancelled(watch: Watch) -> None:
    watch.put("a")
    watch.house.clock.time = dt.datetime(2026, 2, 16, 12, 59, tzinfo=dt.UTC)

    async def run() -> None:
        task = asyncio.create_task(Upcoming(Mirrors()).run(watch.house))
        while not watch.house.events:  # noqa: ASYNC110 - it only has to be let run
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    watch.runner.run(run())
    (event,) = watch.house.events
    assert (event.data["late"], watch.house.clock.time < dt.datetime(2026, 2, 16, 13, 1, tzinfo=dt.UTC)) == (
        False,
        True,
    )
