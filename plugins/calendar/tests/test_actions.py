"""Appointments in a folder of .ics files: made once, changed, cancelled; and when there is time."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aie.errors import ActionError, ConfigError, ParameterError, RetryableError
from aie.testing import Home
from aie_calendar import free_time
from aie_calendar.create import create_calendar_event, uid_of
from aie_calendar.settings import CalendarSettings
from plugins.calendar.tests.steps import BERLIN, KEY, Homes, cancel, create, taking_place, update

UID = uid_of(KEY)
MEETING = {"title": "Project Meeting", "date": "2026-02-16", "time": "14:00", "duration": "1 hour"}


def free(home: Home, **params: Any) -> list[tuple[str, str, int]]:
    found: Any = home.run_action("find_free_time", params).result
    return [(slot["start"][5:16], slot["end"][5:16], slot["free_minutes"]) for slot in found["slots"]]


def files(home: Home) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((home.vault / "Calendar").glob("*"))}


def entries(home: Home) -> list[icalendar.Event]:
    return [event for text in files(home).values() for event in icalendar.Calendar.from_ical(text).walk("VEVENT")]


def put(home: Home, name: str, *events: str) -> None:
    folder = home.vault / "Calendar"
    folder.mkdir(exist_ok=True)
    body = "\n".join(f"BEGIN:VEVENT\n{event}\nEND:VEVENT" for event in events)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{body}\nEND:VCALENDAR\n"
    (folder / name).write_bytes(text.replace("\n", "\r\n").encode())


# --- create ------------------------------------------------------------------------------------------------------


def test_an_appointment_is_a_valid_file_in_the_folder_without_any_settings(home: Home) -> None:
    result = create(home, **MEETING, description="From Ann:\n\nhello", location="Room 2", attendees=["ann@example.com"])

    (name,) = files(home)
    assert result == {
        "uid": UID, "calendar": "main", "title": "Project Meeting", "start": "2026-02-16T14:00:00+01:00",
        "end": "2026-02-16T15:00:00+01:00", "all_day": False, "etag": result["etag"],
        "path": f"Calendar/2026-02-16 Project Meeting {UID[:11]}.ics", "created": True,
    }  # fmt: skip
    assert f"Calendar/{name}" == result["path"]
    (event,) = entries(home)
    assert event.errors == []
    assert (event["UID"], event["SUMMARY"], event["DESCRIPTION"], event["LOCATION"], event["ATTENDEE"]) == (
        UID, "Project Meeting", "From Ann:\n\nhello", "Room 2", "mailto:ann@example.com",
    )  # fmt: skip
    assert (event["DTSTART"].dt, event["DTSTART"].params["TZID"]) == (
        dt.datetime(2026, 2, 16, 14, tzinfo=BERLIN), "Europe/Berlin",
    )  # fmt: skip
    raw = (home.vault / "Calendar" / name).read_bytes()
    assert raw.count(b"\n") == raw.count(b"\r\n") and max(map(len, raw.split(b"\r\n"))) <= 75


def test_a_second_attempt_makes_no_second_appointment(home: Home) -> None:
    first = create(home, **MEETING)
    before = files(home)
    assert create(home, **MEETING) == {**first, "created": False}
    assert create(home, **{**MEETING, "title": "Renamed by a person meanwhile"})["created"] is False
    assert files(home) == before


def test_two_attempts_at_once_make_one_appointment(home: Home) -> None:
    handler, context = home.action("create_calendar_event").handler, home.context("calendar")
    params = handler.params.model_validate(MEETING)

    async def both() -> list[Any]:
        return await asyncio.gather(*(handler.run(params, context) for _ in range(5)))

    results = home.wait_for(both())
    assert (sorted(result["created"] for result in results), len(files(home))) == ([False] * 4 + [True], 1)


def test_other_steps_make_other_appointments(home: Home) -> None:
    uids = {create(home, key=key, **MEETING)["uid"] for key in ("run_1/action_0", "run_1/action_1", "run_2/action_0")}
    assert (len(uids), len(entries(home))) == (3, 3)
    assert all(uid.startswith("aie") and set(uid) <= set("0123456789abcdefghijklmnopqrstuv") for uid in uids)


@pytest.mark.parametrize(
    ("params", "start", "end"),
    [
        ({"date": "2026-02-16", "time": "14:00"}, "2026-02-16T14:00:00+01:00", "2026-02-16T15:00:00+01:00"),
        ({"date": "2026-02-16", "time": "2:30 pm", "duration": "90m"},
         "2026-02-16T14:30:00+01:00", "2026-02-16T16:00:00+01:00"),
        ({"date": "2026-02-16T14:00"}, "2026-02-16T14:00:00+01:00", "2026-02-16T15:00:00+01:00"),
        ({"date": "2026-07-16T14:00Z"}, "2026-07-16T16:00:00+02:00", "2026-07-16T17:00:00+02:00"),
        ({"date": "2026-02-16", "time": "14:00", "timezone": "America/New_York"},
         "2026-02-16T14:00:00-05:00", "2026-02-16T15:00:00-05:00"),
        ({"date": "2026-02-16", "time": "14:00", "timezone": "Eastern Standard Time"},
         "2026-02-16T14:00:00-05:00", "2026-02-16T15:00:00-05:00"),
        ({"date": "2026-02-16"}, "2026-02-16", "2026-02-17"),
        ({"date": "2026-02-16", "time": None, "duration": "1 hour"}, "2026-02-16", "2026-02-17"),
        ({"date": "2026-02-16", "time": " ", "end": "2026-02-18"}, "2026-02-16", "2026-02-19"),
    ],
)  # fmt: skip
def test_loose_forms_are_understood(home: Home, params: dict[str, Any], start: str, end: str) -> None:
    result = create(home, title="x", **params)
    assert (result["start"], result["end"], len(entries(home))) == (start, end, 1)


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"date": "next Tuesday"}, "is not a date; write"),
        ({"date": "2026-02-16", "time": "later"}, "is not a time of day; write"),
        ({"date": "2026-02-16", "duration": "60"}, r"is not a length of time \(of what\?\); write"),
        ({"date": "2026-02-16", "timezone": "Mars/Base"}, "is not a time zone; write"),
        ({"date": "2026-02-16", "recurrence": "FREQ=SECONDLY"}, "repeats secondly.*; write an RRULE"),
        ({"date": "2026-02-16", "recurrence": "weekly"}, "in a way that is not known.*; write an RRULE"),
        ({"date": "2026-02-16", "attendees": ["Ann"]}, "is not a mail address; write"),
        ({"date": "2026-02-16", "reminders": ["soon"]}, "is not a length of time; write"),
        ({"date": "2026-02-16", "title": ""}, "at least 1 character"),
        ({"date": None}, "there is no date; give the step a condition"),
    ],
)
def test_what_cannot_be_read_is_refused_with_an_example(params: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        create_calendar_event(CalendarSettings()).params.model_validate({"title": "x", **params})


def test_parts_that_contradict_each_other_are_refused_and_nothing_is_made(home: Home) -> None:
    with pytest.raises(ActionError, match="both given"):
        create(home, title="x", date="2026-02-16", time="14:00", end="15:00", duration="1 hour")
    assert not (home.vault / "Calendar").exists()


def test_reminders_repetition_and_category_are_written(home: Home) -> None:
    create(home, **MEETING, reminders=[15, "1 hour"], recurrence="RRULE:FREQ=WEEKLY;COUNT=3", category="LinkedIn post")
    (event,) = entries(home)
    assert [alarm["TRIGGER"].dt for alarm in event.walk("VALARM")] == [
        -dt.timedelta(minutes=15),
        -dt.timedelta(hours=1),
    ]
    assert (event["RRULE"].to_ical(), event["CATEGORIES"].cats) == (b"FREQ=WEEKLY;COUNT=3", ["LinkedIn post"])


@given(title=st.text(min_size=1, max_size=200).filter(str.strip), description=st.text(max_size=500))
def test_any_text_makes_a_file_that_says_it_again(tmp_path_factory, title: str, description: str) -> None:
    with Home(tmp_path_factory.mktemp("any"), "calendar") as home:
        create(home, **{**MEETING, "title": title, "description": description})
    (name,) = os.listdir(home.vault / "Calendar")
    data = (home.vault / "Calendar" / name).read_bytes()
    (event,) = icalendar.Calendar.from_ical(data).walk("VEVENT")
    assert (event["UID"], event["DTSTART"].dt, event.errors) == (UID, dt.datetime(2026, 2, 16, 14, tzinfo=BERLIN), [])
    assert data.count(b"BEGIN:VEVENT") == 1 and len(icalendar.Calendar.from_ical(data).walk()) == len(
        [line for line in data.split(b"\r\n") if line.startswith(b"BEGIN:")]
    )


def test_a_calendar_that_is_not_there_is_refused_with_the_nearest(at_home: Homes) -> None:
    home = at_home(calendars={"work": {"folder": "Work"}, "feed": {"provider": "ics_url"}})
    with pytest.raises(ParameterError, match="there is no calendar 'wrok'") as wrong:
        create(home, **MEETING, calendar="wrok")
    assert wrong.value.hint == "did you mean 'work'?"
    with pytest.raises(ParameterError, match="'feed' can only be read"):
        create(home, **MEETING, calendar="feed")
    assert create(home, **MEETING)["path"].startswith("Work/")


def test_a_folder_behind_a_link_is_not_written_to(home: Home, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (home.vault / "Calendar").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="is a link"):
        create(home, **MEETING)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_beside_the_vault_works(at_home: Homes, tmp_path: Path) -> None:
    beside = tmp_path / "Calendars"
    beside.mkdir()
    home = at_home(calendars={"main": {"folder": str(beside)}})
    create(home, **MEETING)
    assert len(list(beside.glob("*.ics"))) == 1


def test_a_full_disk_is_worth_another_try(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RetryableError, match="No space left") as failed:
        create(home, **MEETING)
    assert failed.value.hint == "free some space on that disk, then start the run again"


# --- the note ----------------------------------------------------------------------------------------------------


def test_the_note_says_when_and_shows_what_else_is_there(home: Home) -> None:
    put(home, "dentist.ics", "UID:d\nSUMMARY:Dentist\nDTSTART:20260216T133000Z\nDTEND:20260216T143000Z")
    put(home, "birthday.ics", "UID:b\nSUMMARY:Birthday\nDTSTART;VALUE=DATE:20260216\nTRANSP:TRANSPARENT")
    put(home, "later.ics", "UID:l\nSUMMARY:Later\nDTSTART:20260216T150000Z\nDTEND:20260216T160000Z")
    more = {"timezone": "Europe/London", "attendees": "ann@example.com", "description": "Hello"}

    text = home.preview("create_calendar_event", {**MEETING, **more})

    assert text == (
        "Monday 2026-02-16, 15:00 to 16:00 (Europe/Berlin), which is 14:00 in Europe/London\n"
        "\n"
        "A new entry in the calendar main: Project Meeting\n"
        "Attendees: ann@example.com. Nobody tells them.\n"
        "\n"
        "At that time there is already:\n"
        "- Dentist: Monday 2026-02-16, 14:30 to 15:30 (Europe/Berlin) (calendar main)\n"
        "\n"
        "Hello"
    )


def test_the_note_says_when_a_calendar_could_not_be_looked_at(at_home: Homes) -> None:
    home = at_home(calendars={"main": {}, "away": {"provider": "ics_url", "url": "http://127.0.0.1:9/"}})
    text = home.preview("create_calendar_event", {"title": "x", "date": "2026-02-16"})
    assert text == (
        "Monday 2026-02-16, all day\n\nA new entry in the calendar main: x\n\n"
        "- the calendar away could not be looked at: the feed of 'away' does not answer: ConnectError"
    )


def test_rules_may_ask_about_what_follows_from_the_parameters(home: Home) -> None:
    handler = home.action("create_calendar_event").handler
    assert handler.facts is not None
    params = handler.params.model_validate({**MEETING, "category": "LinkedIn Post"})
    assert handler.facts(params, home.context("calendar")) == {
        "calendar": "main", "all_day": False, "minutes": 60, "days_ahead": 6, "attendee_count": 0, "repeats": False,
        "event_type": "linkedin_post",
    }  # fmt: skip


# --- update and cancel -------------------------------------------------------------------------------------------


def test_an_appointment_is_changed_and_the_rest_of_it_stays(home: Home) -> None:
    put(
        home, "theirs.ics",
        "UID:t\nSUMMARY:Old\nX-APPLE-SOMETHING;A=b:kept\nDTSTART;TZID=America/New_York:20260216T090000\n"
        "DTEND;TZID=America/New_York:20260216T103000\nSEQUENCE:4\nBEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT5M\nEND:VALARM",
    )  # fmt: skip

    result = update(home, uid="t", title="New", time="11:00")

    (event,) = entries(home)
    assert (result["changed"], result["start"], result["end"]) == (
        True, "2026-02-16T11:00:00-05:00", "2026-02-16T12:30:00-05:00",
    )  # fmt: skip
    assert (event["SUMMARY"], event["X-APPLE-SOMETHING"], event["SEQUENCE"]) == ("New", "kept", 5)
    assert event["DTSTART"].dt == dt.datetime(2026, 2, 16, 11, tzinfo=ZoneInfo("America/New_York"))
    assert [alarm["ACTION"] for alarm in event.walk("VALARM")] == ["AUDIO"]


def test_changing_again_to_the_same_changes_nothing(home: Home) -> None:
    create(home, **MEETING)
    first = update(home, uid=UID, date="2026-02-17", description="more")
    before = files(home)
    again = update(home, uid=UID, date="2026-02-17", description="more")
    assert (first["changed"], again["changed"], files(home)) == (True, False, before)
    assert (again["start"], again["end"]) == ("2026-02-17T14:00:00+01:00", "2026-02-17T15:00:00+01:00")


@pytest.mark.parametrize(
    ("change", "start", "end"),
    [
        ({"date": "2026-02-18"}, "2026-02-18T14:00:00+01:00", "2026-02-18T15:00:00+01:00"),
        ({"time": "09:00"}, "2026-02-16T09:00:00+01:00", "2026-02-16T10:00:00+01:00"),
        ({"duration": "2 hours"}, "2026-02-16T14:00:00+01:00", "2026-02-16T16:00:00+01:00"),
        ({"end": "14:30"}, "2026-02-16T14:00:00+01:00", "2026-02-16T14:30:00+01:00"),
        ({"date": "2026-02-18T09:00"}, "2026-02-18T09:00:00+01:00", "2026-02-18T10:00:00+01:00"),
        ({"timezone": "Europe/London"}, "2026-02-16T13:00:00+00:00", "2026-02-16T14:00:00+00:00"),
    ],
)
def test_what_is_not_said_of_the_time_stays(home: Home, change: dict[str, str], start: str, end: str) -> None:
    create(home, **MEETING)
    result = update(home, uid=UID, **change)
    assert (dt.datetime.fromisoformat(result["start"]), dt.datetime.fromisoformat(result["end"])) == (
        dt.datetime.fromisoformat(start), dt.datetime.fromisoformat(end),
    )  # fmt: skip


def test_a_whole_day_moves_as_a_whole_day_and_can_be_given_a_time(home: Home) -> None:
    create(home, title="x", date="2026-02-16", end="2026-02-17")
    moved = update(home, uid=UID, date="2026-03-01")
    assert (moved["start"], moved["end"]) == ("2026-03-01", "2026-03-03")
    timed = update(home, uid=UID, time="10:00")
    assert (timed["start"], timed["end"]) == ("2026-03-01T10:00:00+01:00", "2026-03-01T11:00:00+01:00")


def test_only_the_version_that_was_meant_is_changed(home: Home) -> None:
    made = create(home, **MEETING)
    update(home, uid=UID, title="By a person")
    with pytest.raises(ActionError, match="was changed since") as refused:
        update(home, uid=UID, title="By a workflow", etag=made["etag"])
    assert not isinstance(refused.value, RetryableError)
    assert entries(home)[0]["SUMMARY"] == "By a person"


WEEKLY = (
    "UID:w\nSUMMARY:Weekly\nDTSTART;TZID=Europe/Berlin:20260302T090000\n"
    "DTEND;TZID=Europe/Berlin:20260302T100000\nRRULE:FREQ=WEEKLY;COUNT=5"
)


def starts(home: Home) -> list[str]:
    """When everything in March and April takes place, one slot after the other."""
    found = taking_place(home, "main", first=dt.datetime(2026, 3, 1, tzinfo=BERLIN), days=61)
    return [f"{one.start.astimezone(BERLIN):%m-%d %H:%M} {one.title}" for one in found]


def test_one_occurrence_of_a_series_is_moved_then_renamed_then_cancelled(home: Home) -> None:
    put(home, "weekly.ics", WEEKLY)
    update(home, uid="w", occurrence="20260330T070000Z", time="11:00")
    update(home, uid="w", occurrence="2026-03-30T09:00+02:00", title="Moved")
    assert starts(home) == [
        "03-02 09:00 Weekly", "03-09 09:00 Weekly", "03-16 09:00 Weekly", "03-23 09:00 Weekly", "03-30 11:00 Moved",
    ]  # fmt: skip
    assert cancel(home, uid="w", occurrence="20260330T070000Z")["cancelled"] is True
    assert cancel(home, uid="w", occurrence="20260330T070000Z")["cancelled"] is False
    cancel(home, uid="w", occurrence="20260309T080000Z")
    assert starts(home) == ["03-02 09:00 Weekly", "03-16 09:00 Weekly", "03-23 09:00 Weekly"]
    assert len(files(home)) == 1


def test_a_series_in_a_zone_by_windows_name_keeps_it(home: Home) -> None:
    put(home, "weekly.ics", WEEKLY.replace("Europe/Berlin", "W. Europe Standard Time"))
    update(home, uid="w", occurrence="20260309T080000Z", title="Other")
    cancel(home, uid="w", occurrence="20260316T080000Z")
    assert starts(home) == ["03-02 09:00 Weekly", "03-09 09:00 Other", "03-23 09:00 Weekly", "03-30 09:00 Weekly"]
    (text,) = files(home).values()
    assert "EXDATE;TZID=W. Europe Standard Time:20260316T090000" in text
    assert "RECURRENCE-ID;TZID=W. Europe Standard Time:20260309T090000" in text


def test_cancelling_takes_the_entry_and_nothing_else(home: Home) -> None:
    put(home, "two.ics", "UID:a\nSUMMARY:A\nDTSTART:20260316T090000Z", "UID:b\nSUMMARY:B\nDTSTART:20260317T090000Z")
    assert cancel(home, uid="a") == {
        "uid": "a", "calendar": "main", "occurrence": None, "title": "A", "cancelled": True,
    }  # fmt: skip
    assert (starts(home), len(files(home))) == (["03-17 10:00 B"], 1)
    assert cancel(home, uid="b")["cancelled"] is True
    assert files(home) == {}
    assert cancel(home, uid="b")["cancelled"] is False


def test_the_notes_of_a_change_and_a_cancellation_say_what_will_be(home: Home) -> None:
    put(home, "weekly.ics", WEEKLY)
    change = {"uid": "w", "occurrence": "20260309T080000Z", "date": "2026-03-10", "location": "Room 1"}
    assert home.preview("update_calendar_event", change) == (
        "One occurrence of Weekly, in the calendar main:\n\n"
        "- was: Monday 2026-03-09, 09:00 to 10:00 (Europe/Berlin)\n"
        "- new: Tuesday 2026-03-10, 09:00 to 10:00 (Europe/Berlin)\n"
        "- place: (none) → Room 1\n\nNothing else is at that time."
    )
    assert home.preview("cancel_calendar_event", {"uid": "w"}) == (
        "Weekly\nMonday 2026-03-02, 09:00 to 10:00 (Europe/Berlin)\n\n"
        "It repeats, and goes with all its occurrences from the calendar main."
    )
    said = home.preview("cancel_calendar_event", {"uid": "gone"})
    assert said == "the calendar has no entry 'gone': there is nothing to cancel."


def test_an_entry_that_is_not_there_cannot_be_changed(home: Home) -> None:
    with pytest.raises(ActionError, match="has no entry 'x'"):
        update(home, uid="x", title="y")
    put(home, "weekly.ics", WEEKLY)
    with pytest.raises(ActionError, match="no occurrence '20260303T080000Z'"):
        update(home, uid="w", occurrence="20260303T080000Z", title="y")


# --- what is coming ---------------------------------------------------------------------------------------------------


def coming(home: Home, **params: Any) -> Any:
    return home.run_action("list_calendar_events", params).result


def test_what_is_coming_is_listed_in_order_with_what_repeats_and_what_takes_all_day(home: Home) -> None:
    create(home, key="a", title="Tasting", date="2026-02-12", time="14:00", location="Room 2")
    create(home, key="b", title="Daily", date="2026-02-09", time="08:00", recurrence="FREQ=DAILY;COUNT=4")
    create(home, key="c", title="Fair [x](y) <b>", date="2026-02-13")
    create(home, key="d", title="Later", date="2026-02-16", time="09:00")
    listed = coming(home, days=5)
    assert listed["text"].splitlines() == [
        "- Tuesday 2026-02-10, 08:00 to 09:00: Daily",
        "- Wednesday 2026-02-11, 08:00 to 09:00: Daily",
        "- Thursday 2026-02-12, 08:00 to 09:00: Daily",
        "- Thursday 2026-02-12, 14:00 to 15:00: Tasting (Room 2)",
        "- Friday 2026-02-13, all day: Fair (x)(y) ‹b>",
    ]
    assert (listed["count"], listed["calendars"]) == (5, ["main"])
    assert listed["events"][3] == {
        "title": "Tasting", "start": "2026-02-12T14:00:00+01:00", "end": "2026-02-12T15:00:00+01:00", "all_day": False,
        "location": "Room 2", "event_type": "", "calendar": "main", "uid": uid_of("a"), "attendees": [],
    }  # fmt: skip


def test_a_list_may_begin_on_another_day_and_a_limit_says_what_is_left_out(home: Home) -> None:
    for number, day in enumerate(("2026-02-16", "2026-02-17", "2026-02-18")):
        create(home, key=str(number), title=f"No {number}", date=day, time="09:00")
    listed = coming(home, first_day="2026-02-16", days=2, limit=1)
    assert (listed["count"], listed["text"]) == (2, "- Monday 2026-02-16, 09:00 to 10:00: No 0\n- and 1 more")
    assert coming(home, days=1)["text"] == "Nothing is in the calendar."


def test_a_calendar_that_cannot_be_read_is_not_an_empty_one(at_home: Homes) -> None:
    calendars = {"a": {"folder": "A"}, "gone": {"provider": "caldav", "url": "http://127.0.0.1:9", "user": "u"}}
    home = at_home(calendars=calendars)
    with pytest.raises(RetryableError, match="the calendar 'gone' could not be looked at"):
        coming(home)


# --- free time ---------------------------------------------------------------------------------------------------


def test_free_time_is_within_working_hours_and_beside_what_is_there(home: Home) -> None:
    put(home, "a.ics", "UID:a\nSUMMARY:A\nDTSTART;TZID=Europe/Berlin:20260216T093000\nDURATION:PT1H")
    put(home, "b.ics", "UID:b\nSUMMARY:B\nDTSTART;TZID=Europe/Berlin:20260216T120000\nDURATION:PT5H")
    put(home, "f.ics", "UID:f\nSUMMARY:Free\nDTSTART;VALUE=DATE:20260216\nTRANSP:TRANSPARENT")
    assert free(home, duration="1 hour", first_day="2026-02-14", last_day="2026-02-17", limit=4) == [
        ("02-16T10:30", "02-16T11:30", 90), ("02-17T09:00", "02-17T10:00", 480), ("02-17T10:00", "02-17T11:00", 420),
        ("02-17T11:00", "02-17T12:00", 360),
    ]  # fmt: skip


def test_a_buffer_is_kept_and_days_and_hours_can_be_others(home: Home) -> None:
    put(home, "a.ics", "UID:a\nSUMMARY:A\nDTSTART;TZID=Europe/Berlin:20260214T100000\nDURATION:PT1H")
    found = free(
        home, duration="30m", first_day="2026-02-14", last_day="2026-02-14", buffer="20 minutes",
        working_hours="09:00-12:00", working_days=["saturday"],
    )  # fmt: skip
    assert found == [("02-14T09:00", "02-14T09:30", 40), ("02-14T11:30", "02-14T12:00", 30)]


def test_several_calendars_count_together_and_one_that_cannot_be_read_is_not_free(at_home: Homes) -> None:
    away = {"provider": "ics_url", "url": "http://127.0.0.1:9/"}
    home = at_home(calendars={"a": {"folder": "A"}, "b": {"folder": "B"}, "away": away})
    create(home, key="1", title="x", date="2026-02-16", time="09:00", duration="4 hours", calendar="a")
    create(home, key="2", title="y", date="2026-02-16", time="12:00", duration="4 hours", calendar="b")
    asked = {"duration": "1 hour", "first_day": "2026-02-16", "last_day": "2026-02-16"}
    assert free(home, **asked, calendars=["a", "b"]) == [("02-16T16:00", "02-16T17:00", 60)]
    with pytest.raises(RetryableError, match="'away' could not be looked at"):
        free(home, **asked)


def test_the_past_is_not_proposed(home: Home) -> None:
    home.clock.move_to(dt.datetime(2026, 2, 16, 10, 7, tzinfo=dt.UTC))
    assert free(home, duration="1 hour", first_day="2026-02-16", limit=1) == [("02-16T11:15", "02-16T12:15", 345)]
    with pytest.raises(ActionError, match="is no time to look at"):
        free(home, duration="1 hour", last_day="2026-02-10")


@given(
    busy=st.lists(st.tuples(st.integers(0, 600), st.integers(1, 120)), max_size=12),
    length=st.integers(1, 120),
    step=st.sampled_from([1, 15, 30]),
)
def test_no_proposal_touches_what_is_there_or_leaves_the_hours(busy, length, step) -> None:
    zero = dt.datetime(2026, 2, 16, 8, tzinfo=dt.UTC)
    minute = dt.timedelta(minutes=1)
    taken = free_time.merged((zero + start * minute, zero + (start + for_) * minute) for start, for_ in busy)
    hours = [(zero, zero + 480 * minute)]
    found = list(free_time.proposals(hours, taken, length * minute, step))
    for start, until in found:
        end = start + length * minute
        assert zero <= start and end <= until <= hours[0][1] and start.minute % step == 0
        assert not any(start < taken_to and taken_from < end for taken_from, taken_to in taken)
    if not taken:
        assert len(found) >= 480 // (length + step)


# --- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        ({"calendars": {"Work!": {}}}, "cannot be the name of a calendar"),
        ({"calendars": {"a": {"provider": "outlook"}}}, "'ics', 'ics_url', 'caldav' or 'google'"),
        ({"calendars": {"a": {"provider": "caldav"}}}, "needs url and user"),
        ({"calendars": {"a": {"provider": "ics_url", "url": "example.com/a.ics"}}}, "begins with https://"),
        ({"calendars": {"a": {"folder": "../x"}}}, "folder: the path"),
        ({"calendars": {"a": {"folder": "Approved"}}}, "is aie's own"),
        ({"calendars": {"a": {}}, "calendar": "b"}, "there is only a"),
        ({"calendars": {"a": {"read_only": True}}, "calendar": "a"}, "can only be read"),
        ({"working_hours": "9 to 5"}, "is no span of hours"),
        ({"working_hours": "17:00-09:00"}, "ends before it begins"),
    ],
)
def test_settings_that_cannot_be_used_say_why(tables: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        CalendarSettings.model_validate(tables)
