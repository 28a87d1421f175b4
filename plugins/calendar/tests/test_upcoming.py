"""Entries that are about to begin become events: on a clock that goes on without a wait."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping

from aie.events import Event
from aie.testing import Home
from plugins.calendar.tests.steps import BERLIN, Homes, put

NOTHING: Mapping[str, Callable[[], object]] = {}


def moment(stamp: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"2026-{stamp}").replace(tzinfo=BERLIN).astimezone(dt.UTC)


def watch(
    home: Home, first: str, last: str = "", meanwhile: Mapping[str, Callable[[], object]] = NOTHING
) -> list[Event]:
    """The events of a source that is started at one time and at work until another, and what is done meanwhile."""
    home.clock.move_to(moment(first))
    then = {moment(stamp) - moment(first): do for stamp, do in meanwhile.items()}
    return home.run_source("calendar.upcoming", span=moment(last or first) - moment(first), meanwhile=then)


def told(home: Home, first: str, last: str = "", meanwhile: Mapping[str, Callable[[], object]] = NOTHING) -> list[str]:
    """The same in short."""
    found = [event.data for event in watch(home, first, last, meanwhile)]
    return [f"{one['title']} {one['phase']} {one['lead_minutes']}{' late' if one['late'] else ''}" for one in found]


def test_an_entry_is_told_at_its_start_once(home: Home) -> None:
    put(home, "a", "DURATION:PT1H")
    assert told(home, "02-16T13:00", "02-16T13:59:59") == []
    assert told(home, "02-16T14:00", "02-16T14:05") == ["a start 0"]


def test_the_event_says_all_about_the_entry(home: Home) -> None:
    put(home,
        "a", "DTEND:20260216T140000Z", "CATEGORIES:LinkedIn Post,Marketing", "LOCATION:Room 2",
        "ATTENDEE;CN=Ann:mailto:ann@example.com",
        "DESCRIPTION:<p>We <b>open</b> at 8.</p><p>Come by\\, all!</p>\\nimage_path: Assets/opening.png",
        "ORGANIZER:MAILTO:bo@example.com",
    )  # fmt: skip
    (event,) = watch(home, "02-16T13:00", "02-16T14:00")
    assert (event.event_type, event.source, event.timestamp) == (
        "calendar_event", "calendar.upcoming", "2026-02-16T14:00:00+01:00",
    )  # fmt: skip
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


def test_properties_of_ours_win_over_category_and_description(home: Home) -> None:
    put(
        home,
        "a",
        "CATEGORIES:Work",
        "DESCRIPTION:internal",
        "X-AIE-EVENT-TYPE:linkedin_post",
        "X-AIE-POST-CONTENT:Hello",
        "X-AIE-IMAGE-PATH:a.png",
    )
    put(home, "b", "DESCRIPTION:event_type: linkedin_post\\nHello from a phone")
    data = [event.data for event in watch(home, "02-16T13:00", "02-16T14:00")]
    assert [(one["event_type"], one["post_content"], one["image_path"]) for one in data] == [
        ("linkedin_post", "Hello", "a.png"), ("linkedin_post", "Hello from a phone", None),
    ]  # fmt: skip


def test_minutes_before_at_the_start_and_at_the_end(at_home: Homes) -> None:
    home = at_home(calendars={"main": {"minutes_before": [60, 15, 0], "at_end": True}})
    put(home, "a", "DURATION:PT30M")
    assert told(home, "02-16T12:00", "02-16T14:55") == ["a before 60", "a before 15", "a start 0", "a end 0"]


def test_a_categorys_times_count_instead_and_an_entrys_own_alarms_in_addition(at_home: Homes) -> None:
    home = at_home(calendars={"main": {"minutes_before": [0], "categories": {"meeting": [10]}, "from_alarms": True}})
    put(home, "a", "CATEGORIES:meeting", "BEGIN:VALARM", "TRIGGER:-PT30M", "END:VALARM")
    put(home, "b", "DURATION:PT1H", "BEGIN:VALARM", "TRIGGER;RELATED=END:-PT65M", "END:VALARM")
    put(
        home,
        "c",
        "BEGIN:VALARM",
        "TRIGGER;VALUE=DATE-TIME:20260216T124000Z",
        "END:VALARM",
        "BEGIN:VALARM",
        "TRIGGER:PT5M",
        "END:VALARM",
    )
    assert told(home, "02-16T13:00", "02-16T14:55") == [
        "a before 30",
        "c before 20",
        "a before 10",
        "b before 5",
        "b start 0",
        "c start 0",
    ]


def test_every_occurrence_is_told_over_both_changes_of_the_clocks(home: Home) -> None:
    put(home, "a", "RRULE:FREQ=DAILY", "DTSTART;TZID=Europe/Berlin:20260301T023000")
    days = ("03-28", "03-29", "10-25")
    assert [[event.timestamp for event in watch(home, f"{day}T01:30", f"{day}T03:31")] for day in days] == [
        ["2026-03-28T02:30:00+01:00"],
        ["2026-03-29T03:30:00+02:00"],  # 02:30 is not there: 03:30 is meant
        ["2026-10-25T02:30:00+02:00"],  # 02:30 is there twice: the first
    ]


def test_a_whole_day_begins_at_midnight(home: Home) -> None:
    put(home, "a", "DTSTART;VALUE=DATE:20260216")
    assert told(home, "02-15T23:59", "02-15T23:59:59") == []
    assert told(home, "02-16T00:00") == ["a start 0"]


def test_a_moved_entry_is_told_at_its_new_time_and_a_deleted_one_never(home: Home) -> None:
    put(home, "moved")
    put(home, "deleted")
    put(home, "told")

    def first() -> None:
        put(home, "moved", "DTSTART:20260216T150000Z")
        (home.vault / "Calendar" / "deleted.ics").unlink()

    def then() -> None:
        put(home, "told", "DTSTART:20260216T153000Z")

    assert told(home, "02-16T13:00", "02-16T16:31", {"02-16T13:30": first, "02-16T14:30": then}) == [
        "told start 0", "moved start 0", "told start 0",
    ]  # fmt: skip


def test_a_cancelled_occurrence_is_not_told_and_the_others_are(home: Home) -> None:
    put(home, "a", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260217T130000Z")
    days = ("02-16", "02-17", "02-18")
    assert [told(home, f"{day}T13:55", f"{day}T14:05") for day in days] == [["a start 0"], [], ["a start 0"]]


def test_the_first_start_tells_nothing_of_before(home: Home) -> None:
    put(home, "a", "DURATION:PT2H")
    assert told(home, "02-16T14:05", "02-16T14:06") == []


def test_after_a_while_off_what_is_within_the_grace_is_told_late_and_the_rest_is_put_on_record(
    home: Home, caplog
) -> None:
    put(home, "early")
    put(home, "recent", "DTSTART:20260216T145500Z")
    watch(home, "02-16T13:00")
    home.restart({})
    with caplog.at_level(logging.WARNING):
        assert told(home, "02-16T16:00", "02-16T16:01") == ["recent start 0 late"]
    assert [record.getMessage() for record in caplog.records] == [
        "calendar main: 'early' was missed: it was due at 2026-02-16 14:00"
    ]


def test_a_lead_time_that_passed_while_off_is_told_late_as_long_as_the_entry_is_ahead(at_home: Homes) -> None:
    settings = {"calendars": {"main": {"minutes_before": [1440]}}}
    home = at_home(**settings)
    put(home, "a")
    watch(home, "02-15T10:00")
    home.restart({"calendar": settings})
    assert told(home, "02-16T09:00", "02-16T09:01") == ["a before 1440 late"]


def test_an_entry_made_after_its_lead_time_is_told_late(at_home: Homes) -> None:
    home = at_home(calendars={"main": {"minutes_before": [15]}})
    made = {"02-16T13:52": lambda: put(home, "a")}
    assert told(home, "02-16T13:30", "02-16T13:53", made) == ["a before 15 late"]


def test_nothing_is_told_twice_after_a_restart_or_a_lost_cursor(home: Home, at_home: Homes) -> None:
    put(home, "a")
    assert told(home, "02-16T13:00", "02-16T14:00") == ["a start 0"]
    home.restart({})
    assert told(home, "02-16T14:01") == []
    assert told(at_home(), "02-16T14:02") == []  # the same vault, and nothing is known of before


def test_a_new_calendar_is_watched_from_then_on(home: Home) -> None:
    put(home, "a")
    watch(home, "02-16T14:05")
    put(home, "a", folder="Second")
    put(home, "b", "DTSTART:20260216T130730Z", folder="Second")
    home.restart({"calendar": {"calendars": {"main": {}, "second": {"folder": "Second"}}}})
    assert told(home, "02-16T14:06", "02-16T14:08") == ["b start 0"]  # "a" would be within the grace


def test_a_broken_entry_is_logged_once_and_the_others_are_told(home: Home, caplog) -> None:
    put(home, "bad", "DTSTART:soon")
    put(home, "worse", "RRULE:FREQ=SECONDLY")
    put(home, "good")
    (home.vault / "Calendar" / "no.ics").write_text("hello")
    with caplog.at_level(logging.WARNING):
        assert told(home, "02-16T13:00", "02-16T14:00") == ["good start 0", "worse start 0"]
    assert sorted(record.getMessage() for record in caplog.records) == [
        "calendar main: it (no.ics) is no calendar",
        "calendar main: the entry 'bad' has no start that can be read, and is left out",
        "calendar main: the entry 'worse' repeats secondly, and no appointment does: only its first time counts",
    ]


def test_a_file_that_is_half_written_keeps_what_it_said_before(home: Home) -> None:
    put(home, "a")
    path = home.vault / "Calendar" / "a.ics"
    cut = {"02-16T13:30": lambda: path.write_bytes(path.read_bytes()[:60])}
    assert told(home, "02-16T13:00", "02-16T14:00", cut) == ["a start 0"]


def test_a_file_of_fifty_megabytes_is_not_read(home: Home, caplog) -> None:
    put(home, "a")
    with (home.vault / "Calendar" / "huge.ics").open("wb") as file:
        file.truncate(50_000_000)
    with caplog.at_level(logging.WARNING):
        assert told(home, "02-16T13:00", "02-16T14:00") == ["a start 0"]
    assert [one.getMessage() for one in caplog.records] == [
        "calendar main: huge.ics has 50.0 MB, and is not read (max_size_mb)"
    ]


def test_a_folder_that_is_gone_for_a_while_is_told_once_and_what_was_known_counts(home: Home, caplog) -> None:
    put(home, "a")
    folder, away = home.vault / "Calendar", home.vault / "away"
    meanwhile = {"02-16T13:30": lambda: folder.rename(away), "02-16T14:15": lambda: away.rename(folder)}
    with caplog.at_level(logging.INFO):
        assert told(home, "02-16T13:00", "02-16T14:30", meanwhile) == ["a start 0"]
    assert [one.getMessage() for one in caplog.records] == [
        "calendar main: the folder 'Calendar' is not there", "calendar main: it can be read again",
    ]  # fmt: skip


def test_the_source_sleeps_no_longer_than_until_something_is_due(home: Home) -> None:
    put(home, "a")
    (event,) = watch(home, "02-16T13:59:50", "02-16T14:01")
    assert (event.timestamp, event.data["late"]) == ("2026-02-16T14:00:00+01:00", False)


def test_the_source_itself_runs_until_it_is_cancelled(home: Home) -> None:
    put(home, "a")
    home.clock.move_to(moment("02-16T13:59"))
    found = home.watch("calendar.upcoming", span=dt.timedelta(hours=1), until=bool)
    assert ([event.data["late"] for event in found.events], found.ended) == ([False], True)
    assert home.clock.now() < moment("02-16T14:01")
