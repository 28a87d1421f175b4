"""From an entry in a calendar file to a post: the original workflow, with the calendar plugin beside."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from plugins.linkedin.tests.linkedin_server import LinkedinServer
from plugins.linkedin.tests.test_whole import TEXT, aie, notes
from tests.aie_home import AieHome, until

__all__ = ["aie"]  # the fixture


def entry(text: str) -> str:
    """An appointment that begins in three seconds."""
    start = f"{dt.datetime.now(dt.UTC) + dt.timedelta(seconds=3):%Y%m%dT%H%M%SZ}"
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VEVENT", "UID:opening", f"DTSTAMP:{start}",
        f"DTSTART:{start}", f"DTEND:{start}", "SUMMARY:Opening hours", "CATEGORIES:LinkedIn Post",
        f"DESCRIPTION:{text}", "END:VEVENT", "END:VCALENDAR", "",
    ]  # fmt: skip
    return "\r\n".join(lines)


def test_a_calendar_entry_becomes_a_draft_at_its_time_and_a_post_once_that_is_approved(
    aie: AieHome, linkedin: LinkedinServer
) -> None:
    calendar: Path = aie.vault / "Calendar"
    with aie.started() as running:
        calendar.mkdir(exist_ok=True)
        (calendar / "opening.ics").write_text(entry(TEXT), encoding="utf-8", newline="")
        (note,) = until(lambda: notes(aie, "Pending_Approval"), "the draft")
        assert linkedin.texts == []
        note.rename(aie.vault / "Approved" / note.name)
        until(lambda: notes(aie, "Done"), "the note to be done with")
        running.stop()
    assert linkedin.texts == [TEXT]
