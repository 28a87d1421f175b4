"""Hostile and broken calendars: bounded, told once, and no entry hides another."""

from __future__ import annotations

import datetime as dt
import time
import tracemalloc
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aie_calendar.reading import read
from aie_calendar.series import Expansion

BERLIN = ZoneInfo("Europe/Berlin")
FIRST, LAST = dt.datetime(2026, 2, 1, tzinfo=dt.UTC), dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
GOOD = "BEGIN:VEVENT\nUID:good\nSUMMARY:good\nDTSTART:20260216T130000Z\nEND:VEVENT"


def calendar(*blocks: str) -> bytes:
    return "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *blocks, "END:VCALENDAR", ""]).encode()


def event(*lines: str) -> str:
    return "\n".join(["BEGIN:VEVENT", "UID:bad", "SUMMARY:bad", *lines, "END:VEVENT"])


def look(data: bytes) -> tuple[list[str], dict[str, str], float]:
    """What is found (titles), the problems, and the seconds it took."""
    began = time.monotonic()
    reading = read(data, BERLIN)
    found, problems = Expansion(BERLIN).between(reading.series.values(), FIRST, LAST)
    return [one.title for one in found], {**reading.problems, **problems}, time.monotonic() - began


START = "DTSTART:20260210T090000Z"
FIRST_TIME_ONLY = "only its first time counts"
HOSTILE = {
    "every second": (["RRULE:FREQ=SECONDLY"], "repeats secondly"),
    "every minute": (["RRULE:FREQ=MINUTELY;COUNT=9"], "repeats minutely"),
    "hidden seconds": (["RRULE:FREQ=DAILY;BYHOUR=0,1,2,3;BYMINUTE=0,1,2,3,4,5,6,7"], "up to 32 times a day"),
    "hidden seconds, hourly": (["RRULE:FREQ=HOURLY;BYSECOND=0,30"], "up to 48 times a day"),
    "the 30th of February": (["RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"], "no calendar has"),
    "the sixth Monday": (["RRULE:FREQ=MONTHLY;BYDAY=6MO"], "no calendar has"),
    "week 60": (["RRULE:FREQ=YEARLY;BYWEEKNO=60"], "no calendar has"),
    "a week number in a daily rule": (["RRULE:FREQ=DAILY;BYWEEKNO=1"], "where the standard has none"),
    "hours of the 29th of February": (["RRULE:FREQ=HOURLY;BYMONTHDAY=29;BYMONTH=2"], "where the standard has none"),
    "no frequency": (["RRULE:INTERVAL=2"], "a way that is not known"),
    "an unknown frequency": (["RRULE:FREQ=OFTEN"], "a way that cannot be read"),
    "an interval of nothing": (["RRULE:FREQ=DAILY;INTERVAL=0"], "interval that is no number"),
    "several rules": (["RRULE:FREQ=DAILY;COUNT=2", "RRULE:FREQ=WEEKLY;COUNT=2"], "by several rules"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_repetition_without_end_or_sense_counts_once_and_is_told(name: str) -> None:
    lines, why = HOSTILE[name]
    found, problems, took_s = look(calendar(event(START, *lines), GOOD))
    assert (found, list(problems)) == (["bad", "good"], ["bad"])
    assert why in problems["bad"] and FIRST_TIME_ONLY in problems["bad"]
    assert took_s < 2


BROKEN = {
    "no start": ([], "has no start that can be read"),
    "a start that is no date": (["DTSTART:soon"], "has no start that can be read"),
    "a start in the year 1": (["DTSTART:00010101T000000Z"], "in the year 1"),
    "a start in the year 9999": (["DTSTART:99991231T235959Z"], "in the year 9999"),
    "a name of an occurrence that is none": ([START, "RECURRENCE-ID:whatever"], "moves an occurrence"),
    "50,000 lines": ([START, *["X-A:b"] * 50_000], "larger than any appointment"),
    "a very long line": ([START, "DESCRIPTION:" + "x" * 2_000_000], "larger than any appointment"),
    "100,000 exceptions": (
        [START, "RRULE:FREQ=DAILY", "EXDATE:" + ",".join(["20260210T090000Z"] * 50_000)], "50000 exceptions",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_entry_is_left_out_and_told_and_the_others_are_there(name: str) -> None:
    lines, why = BROKEN[name]
    found, problems, took_s = look(calendar(event(*lines), GOOD))
    assert (found, list(problems), why in problems.get("bad", "")) == (["good"], ["bad"], True), problems
    assert took_s < 5


@pytest.mark.parametrize(
    "end", ["DTEND:later", "DTEND;VALUE=DATE:20260211", "DTEND:99990101T000000Z", "DTEND:20260101T000000Z"]
)
def test_an_end_that_makes_no_sense_leaves_the_start(end: str) -> None:
    found, _, _ = look(calendar(event(START, end), GOOD))
    assert found == ["bad", "good"]


@pytest.mark.parametrize(
    "line",
    ["\x00\x01;;;:::", "ATTENDEE:", "GEO:far;away", "CATEGORIES", "PRIORITY:high", "SEQUENCE:many", "DURATION:x"],
)
def test_a_property_that_makes_no_sense_leaves_the_entry(line: str) -> None:
    assert look(calendar(event(START, line), GOOD))[0] == ["bad", "good"]


def test_a_rule_since_ages_ago_is_told() -> None:
    found, problems, _ = look(calendar(event("DTSTART:17000101T000000Z", "RRULE:FREQ=DAILY"), GOOD))
    assert (found, problems) == (["good"], {"bad": "repeats too often, since too long ago"})


def test_a_zone_that_defines_itself_without_end_is_not_followed() -> None:
    zone = (
        "BEGIN:VTIMEZONE\nTZID:Trap\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n"
        "RRULE:FREQ=SECONDLY\nEND:STANDARD\nEND:VTIMEZONE"
    )
    found, problems, took_s = look(calendar(zone, event("DTSTART;TZID=Trap:20260210T090000"), GOOD))
    assert found == ["bad", "good"]
    assert "nobody knows" in problems["bad"]
    assert took_s < 2


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is no calendar"),
        (b"<html><body>Sign in</body></html>", "is no calendar"),
        (b"\x00" * 1000, "is no calendar"),
        (calendar(GOOD)[:-20], "breaks off before its end"),
        (b"BEGIN:VCALENDAR\r\n" * 5000, "breaks off before its end"),
        (b"BEGIN:VEVENT\r\nEND:VEVENT\r\n", "is no calendar"),
    ],
)
def test_what_is_no_whole_calendar_is_not_taken_for_an_empty_one(data: bytes, why: str) -> None:
    reading = read(data, BERLIN)
    assert (reading.usable, dict(reading.problems), dict(reading.series)) == (False, {"": why}, {})


def test_old_files_in_other_letters_are_read() -> None:
    data = calendar(event(START).replace("SUMMARY:bad", "SUMMARY:Büro")).decode().encode("latin-1")
    assert look(data)[0] == ["Büro"]
    assert look(b"\xef\xbb\xbf" + calendar(GOOD))[0] == ["good"]
    assert look(calendar(GOOD).replace(b"\n", b"\r"))[0] == ["good"]


def test_an_entry_without_uid_keeps_the_one_it_is_given() -> None:
    data = calendar(event(START).replace("UID:bad\n", ""))
    (first,), (second,) = read(data, BERLIN).series, read(data, BERLIN).series
    assert first == second != ""


def test_entries_beyond_the_limit_are_told_and_not_read() -> None:
    data = calendar(*(GOOD.replace("good", f"e{number}") for number in range(30)))
    reading = read(data, BERLIN, max_events=10)
    assert (len(reading.series), reading.problems) == (10, {"": "has 30 entries; only the first 10 are looked at"})


def many(count: int) -> bytes:
    entries = [
        GOOD.replace("good", f"entry {number}").replace("0216", f"02{number % 28 + 1:02}") for number in range(count)
    ]
    return calendar(*entries)


def test_ten_thousand_entries_take_seconds() -> None:
    found, problems, took_s = look(many(10_000))
    assert (len(found), problems) == (10_000, {})
    assert took_s < 20  # about 3 where nothing else runs


def test_an_entry_takes_a_few_kilobytes() -> None:
    data = many(1000)
    tracemalloc.start()
    reading = read(data, BERLIN)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(reading.series), peak < 20_000_000) == (1000, True)


def test_what_proved_slow_is_not_tried_again_and_cheap_entries_come_first(monkeypatch) -> None:
    slow = event("DTSTART:18800105T090000Z", "RRULE:FREQ=DAILY;INTERVAL=1;BYDAY=MO")
    series = read(calendar(slow, GOOD), BERLIN).series
    monkeypatch.setattr("aie_calendar.series.SLOW_S", 0.001)
    expansion = Expansion(BERLIN)
    first, _ = expansion.between(series.values(), FIRST, LAST)
    again, problems = expansion.between(series.values(), FIRST, LAST)
    assert [one.title for one in first].count("bad") == 4
    assert ([one.title for one in again], problems) == (["good"], {"bad": "takes too long to look at, and is left out"})


@settings(max_examples=200)
@given(st.lists(st.sampled_from([
    "BEGIN:VEVENT", "END:VEVENT", "BEGIN:VALARM", "END:VALARM", "BEGIN:VTIMEZONE", "END:VTIMEZONE", "UID:x", "TZID:Z",
    "DTSTART:20260210T090000Z", "DTSTART;TZID=Z:20260210T090000", "DTEND:x", "RRULE:FREQ=DAILY;COUNT=3", "RRULE:",
    "EXDATE:1",
    "RECURRENCE-ID:20260210T090000Z", "SUMMARY", ":", ";", " folded", "DURATION:P", "TRIGGER:-PT5M", "END:VCALENDAR",
]), max_size=25))  # fmt: skip
def test_no_arrangement_of_lines_breaks_the_reader_or_hides_the_good_entry(lines: list[str]) -> None:
    data = calendar(GOOD, *lines)
    reading = read(data, BERLIN)
    if reading.usable:
        assert "good" in reading.series
        Expansion(BERLIN).between(reading.series.values(), FIRST, LAST)
