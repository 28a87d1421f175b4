"""Entries that were made, changed or cancelled become events."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from aie_calendar.changes import EXAMPLE, ChangedData, Changes
from aie_calendar.create import create_calendar_event
from aie_calendar.mirror import Mirrors
from plugins.calendar.tests.house import House, act


class Watch:
    """A house with the source in it. ``look`` gives what became of which entry."""

    def __init__(self, vault: Path) -> None:
        self.house = House(vault)
        self.source = Changes(Mirrors())

    def look(self) -> list[tuple[str, str]]:
        before = len(self.house.events)
        self.house.clock.time += dt.timedelta(minutes=1)

        async def once() -> None:
            async with self.source.mirrors.used(self.house, self.house.log):
                await self.source.look(self.house)

        asyncio.run(once())
        self.source = Changes(Mirrors())  # as after a restart: everything is found by the cursor
        return [(event.data["change"], event.data["title"]) for event in self.house.events[before:]]

    def put(self, name: str, *lines: str, title: str = "") -> None:
        folder = self.house.vault / "Calendar"
        folder.mkdir(exist_ok=True)
        start = [] if any(line.startswith("DTSTART") for line in lines) else ["DTSTART:20260216T130000Z"]
        text = "\r\n".join(
            [
                "BEGIN:VCALENDAR",
                "BEGIN:VEVENT",
                f"UID:{name}",
                f"SUMMARY:{title or name}",
                *start,
                *lines,
                "END:VEVENT",
                "END:VCALENDAR",
                "",
            ]
        )
        (folder / f"{name}.ics").write_text(text, newline="")


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    watch = Watch(tmp_path / "vault")
    watch.put("old")
    assert watch.look() == []  # what was there at first is nothing new
    return watch


def test_made_changed_and_cancelled(watch: Watch) -> None:
    watch.put("new")
    assert watch.look() == [("created", "new")]
    watch.put("new", "DTSTART:20260217T130000Z", title="renamed")
    assert watch.look() == [("changed", "renamed")]
    (watch.house.vault / "Calendar" / "new.ics").unlink()
    assert watch.look() == [("cancelled", "renamed")]
    assert watch.look() == []


def test_a_change_says_what_was_before(watch: Watch) -> None:
    watch.put("old", "DTSTART:20260217T150000Z", title="Other")
    watch.look()
    (event,) = watch.house.events
    assert (event.event_type, event.event_id) == ("calendar_changed", "main:1")
    expected = {
        "change": "changed", "uid": "old", "title": "Other", "start": "2026-02-17T16:00:00+01:00", "calendar": "main",
        "previous_title": "old", "previous_start": "2026-02-16T14:00:00+01:00", "repeats": False, "by_aie": False,
    }  # fmt: skip
    assert {name: event.data[name] for name in expected} == expected


def test_marked_as_cancelled_is_cancelled_and_back_again_is_created(watch: Watch) -> None:
    watch.put("old", "STATUS:CANCELLED")
    assert watch.look() == [("cancelled", "old")]
    watch.put("old", "STATUS:CONFIRMED")
    assert watch.look() == [("created", "old")]


def test_bookkeeping_alone_is_no_change(watch: Watch) -> None:
    watch.put("old", "DTSTAMP:20260101T000000Z", "SEQUENCE:7", "LAST-MODIFIED:20260101T000000Z")
    assert watch.look() == []


def test_there_and_back_again_are_two_changes(watch: Watch) -> None:
    changes: list[Any] = []
    for title in ("a", "b", "a", "b"):
        watch.put("old", title=title)
        changes += watch.look()
    assert changes == [("changed", "a"), ("changed", "b"), ("changed", "a"), ("changed", "b")]


def test_one_occurrence_moved_changes_the_series(watch: Watch) -> None:
    watch.put("weekly", "RRULE:FREQ=WEEKLY")
    watch.look()
    watch.put("weekly", "RRULE:FREQ=WEEKLY", "EXDATE:20260223T130000Z")
    assert watch.look() == [("changed", "weekly")]
    assert watch.house.events[-1].data["repeats"] is True


def test_what_a_workflow_made_is_marked(watch: Watch) -> None:
    act(watch.house, create_calendar_event(watch.house.settings), title="Ours", date="2026-02-16")
    assert watch.look() == [("created", "Ours")]
    assert watch.house.events[-1].data["by_aie"] is True


def test_a_folder_that_is_gone_cancels_nothing(watch: Watch) -> None:
    folder = watch.house.vault / "Calendar"

    async def twice() -> None:
        async with watch.source.mirrors.used(watch.house, watch.house.log):
            await watch.source.look(watch.house)
            folder.rename(folder.with_name("away"))
            watch.house.clock.time += dt.timedelta(minutes=1)
            await watch.source.look(watch.house)

    asyncio.run(twice())
    assert watch.house.events == []


def test_an_entry_that_cannot_be_read_any_more_is_not_cancelled(watch: Watch) -> None:
    async def twice() -> None:
        async with watch.source.mirrors.used(watch.house, watch.house.log):
            await watch.source.look(watch.house)
            watch.put("old", "DTSTART:soon")
            watch.house.clock.time += dt.timedelta(minutes=1)
            await watch.source.look(watch.house)

    asyncio.run(twice())
    assert watch.house.events == []


def test_five_hundred_at_once_are_all_told_once(watch: Watch) -> None:
    for number in range(500):
        watch.put(f"n{number}")
    assert len(watch.look()) == 500
    assert watch.look() == []
    assert len({event.event_id for event in watch.house.events}) == 500


def test_the_example_has_what_the_model_describes() -> None:
    assert set(ChangedData.model_fields) <= set(EXAMPLE)
