"""Entries that were made, changed or cancelled become events."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from aie.events import Event
from aie.testing import Home
from aie_calendar.changes import EXAMPLE, ChangedData
from plugins.calendar.tests.steps import create, put


def look(home: Home) -> list[Event]:
    """What is told now, after a restart: everything is found by the cursor."""
    home.restart({})
    home.clock.move(minutes=1)
    return home.run_source("calendar.changes")


def told(events: list[Event]) -> list[tuple[str, str]]:
    """What became of which entry."""
    return [(event.data["change"], event.data["title"]) for event in events]


@pytest.fixture
def watched(home: Home) -> Home:
    put(home, "old")
    assert look(home) == []  # what was there at first is nothing new
    return home


def test_made_changed_and_cancelled(watched: Home) -> None:
    put(watched, "new")
    assert told(look(watched)) == [("created", "new")]
    put(watched, "new", "DTSTART:20260217T130000Z", title="renamed")
    assert told(look(watched)) == [("changed", "renamed")]
    (watched.vault / "Calendar" / "new.ics").unlink()
    assert told(look(watched)) == [("cancelled", "renamed")]
    assert look(watched) == []


def test_a_change_says_what_was_before(watched: Home) -> None:
    put(watched, "old", "DTSTART:20260217T150000Z", title="Other")
    (event,) = look(watched)
    assert (event.event_type, event.event_id) == ("calendar_changed", "main:1")
    expected = {
        "change": "changed", "uid": "old", "title": "Other", "start": "2026-02-17T16:00:00+01:00", "calendar": "main",
        "previous_title": "old", "previous_start": "2026-02-16T14:00:00+01:00", "repeats": False, "by_aie": False,
    }  # fmt: skip
    assert {name: event.data[name] for name in expected} == expected


def test_marked_as_cancelled_is_cancelled_and_back_again_is_created(watched: Home) -> None:
    put(watched, "old", "STATUS:CANCELLED")
    assert told(look(watched)) == [("cancelled", "old")]
    put(watched, "old", "STATUS:CONFIRMED")
    assert told(look(watched)) == [("created", "old")]


def test_bookkeeping_alone_is_no_change(watched: Home) -> None:
    put(watched, "old", "DTSTAMP:20260101T000000Z", "SEQUENCE:7", "LAST-MODIFIED:20260101T000000Z")
    assert look(watched) == []


def test_there_and_back_again_are_two_changes(watched: Home) -> None:
    changes: list[Any] = []
    for title in ("a", "b", "a", "b"):
        put(watched, "old", title=title)
        changes += told(look(watched))
    assert changes == [("changed", "a"), ("changed", "b"), ("changed", "a"), ("changed", "b")]


def test_one_occurrence_moved_changes_the_series(watched: Home) -> None:
    put(watched, "weekly", "RRULE:FREQ=WEEKLY")
    look(watched)
    put(watched, "weekly", "RRULE:FREQ=WEEKLY", "EXDATE:20260223T130000Z")
    (event,) = look(watched)
    assert (told([event]), event.data["repeats"]) == ([("changed", "weekly")], True)


def test_what_a_workflow_made_is_marked(watched: Home) -> None:
    create(watched, title="Ours", date="2026-02-16")
    (event,) = look(watched)
    assert (told([event]), event.data["by_aie"]) == ([("created", "Ours")], True)


def test_a_folder_that_is_gone_cancels_nothing(watched: Home) -> None:
    folder, away = watched.vault / "Calendar", watched.vault / "away"

    def back() -> None:
        away.rename(folder)
        put(watched, "new")

    meanwhile = {dt.timedelta(minutes=1): lambda: folder.rename(away), dt.timedelta(minutes=2): back}
    events = watched.run_source("calendar.changes", span=dt.timedelta(minutes=3), meanwhile=meanwhile)
    assert told(events) == [("created", "new")]


def test_an_entry_that_cannot_be_read_any_more_is_not_cancelled(watched: Home) -> None:
    meanwhile = {
        dt.timedelta(minutes=1): lambda: put(watched, "old", "DTSTART:soon"),
        dt.timedelta(minutes=2): lambda: put(watched, "new"),
    }
    events = watched.run_source("calendar.changes", span=dt.timedelta(minutes=3), meanwhile=meanwhile)
    assert told(events) == [("created", "new")]


def test_five_hundred_at_once_are_all_told_once(watched: Home) -> None:
    for number in range(500):
        put(watched, f"n{number}")
    events = look(watched)
    assert (len(events), len({event.event_id for event in events}), look(watched)) == (500, 500, [])


def test_the_example_has_what_the_model_describes() -> None:
    assert set(ChangedData.model_fields) <= set(EXAMPLE)
