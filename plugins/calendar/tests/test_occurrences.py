"""When things take place: a table of repetitions and zones, each with the occurrences it must have.

``find`` says from which day to which (Berlin) is looked; what is expected is in UTC, as ``MM-DD HH:MM`` or with the
year, and for whole days (midnight in Berlin) in Berlin time.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events
from hypothesis import given
from hypothesis import strategies as st

from aie_calendar.reading import read
from aie_calendar.series import Expansion

BERLIN = ZoneInfo("Europe/Berlin")


def calendar(*events: str, zones: str = "") -> bytes:
    body = "\n".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT" for event in events)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\n{zones}\n{body}\nEND:VCALENDAR\n"
    return "\n".join(line for line in text.split("\n") if line).replace("\n", "\r\n").encode() + b"\r\n"


def entry(start: str, *more: str, uid: str = "one") -> str:
    separator = "" if start.startswith((";", ":")) else ":"
    return "\n".join([f"UID:{uid}", "SUMMARY:x", f"DTSTART{separator}{start}", *more])


def day(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def found(data: bytes, first: str, last: str) -> tuple[list[str], dict[str, str]]:
    reading = read(data, BERLIN)
    occurrences, problems = Expansion(BERLIN).between(reading.series.values(), day(first), day(last))
    shown = [
        (one.start.astimezone(BERLIN).strftime("%m-%d") if one.all_day else one.start.strftime("%m-%d %H:%M"))
        for one in occurrences
    ]
    return shown, {**reading.problems, **problems}


NY = ";TZID=America/New_York:"
DE = ";TZID=Europe/Berlin:"
CUSTOM_ZONE = """BEGIN:VTIMEZONE
TZID:Our Office
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
END:VTIMEZONE"""

TABLE = {
    # --- once
    "once, in UTC": ([entry("20260216T130000Z")], "2026-02-16", "2026-02-17", ["02-16 13:00"]),
    "once, in a zone": ([entry(f"{DE}20260216T140000")], "2026-02-16", "2026-02-17", ["02-16 13:00"]),
    "once, floating, is in the vault's zone": ([entry("20260716T140000")], "2026-07-16", "2026-07-17", ["07-16 12:00"]),
    "once, a whole day": ([entry(";VALUE=DATE:20260216")], "2026-02-16", "2026-02-17", ["02-16"]),
    "a whole day is over at midnight": ([entry(";VALUE=DATE:20260215")], "2026-02-16", "2026-02-17", []),
    "days until a day that is not included": (
        [entry(";VALUE=DATE:20260214", "DTEND;VALUE=DATE:20260217")], "2026-02-16", "2026-02-17", ["02-14"],
    ),
    "days until a day that is not included, after it": (
        [entry(";VALUE=DATE:20260214", "DTEND;VALUE=DATE:20260217")], "2026-02-17", "2026-02-18", [],
    ),
    "a length instead of an end": (
        [entry("20260215T220000Z", "DURATION:PT3H")], "2026-02-16", "2026-02-17", ["02-15 22:00"],
    ),
    "marked as cancelled": ([entry("20260216T130000Z", "STATUS:CANCELLED")], "2026-02-16", "2026-02-17", []),
    # --- zones
    "a zone by Windows' name": (
        [entry(";TZID=W. Europe Standard Time:20260716T140000")], "2026-07-16", "2026-07-17", ["07-16 12:00"],
    ),
    "a zone by Windows' name, in quotes": (
        [entry(';TZID="Eastern Standard Time":20260716T140000')], "2026-07-16", "2026-07-17", ["07-16 18:00"],
    ),
    "a zone behind a vendor's path": (
        [entry(";TZID=/freeassociation.sourceforge.net/Europe/Berlin:20260716T140000")],
        "2026-07-16", "2026-07-17", ["07-16 12:00"],
    ),
    "a zone with three names behind a path": (
        [entry(";TZID=/x/America/Argentina/Buenos_Aires:20260716T140000")], "2026-07-16", "2026-07-17", ["07-16 17:00"],
    ),
    "a zone in other letters": (
        [entry(";TZID=europe/berlin:20260716T140000")], "2026-07-16", "2026-07-17", ["07-16 12:00"],
    ),
    "half hours from UTC": ([entry(";TZID=Asia/Kolkata:20260716T140000")], "2026-07-16", "2026-07-17", ["07-16 08:30"]),
    "three quarters of an hour": (
        [entry(";TZID=Asia/Kathmandu:20260716T140000")], "2026-07-16", "2026-07-17", ["07-16 08:15"],
    ),
    "across the date line": (
        [entry(";TZID=Pacific/Kiritimati:20260717T010000")], "2026-07-16", "2026-07-17", ["07-16 11:00"],
    ),
    # --- both changes of the clocks
    "daily, over spring forward in Berlin": (
        [entry(f"{DE}20260328T090000", "RRULE:FREQ=DAILY;COUNT=3")], "2026-03-01", "2026-04-30",
        ["03-28 08:00", "03-29 07:00", "03-30 07:00"],
    ),
    "daily, over fall back in Berlin": (
        [entry(f"{DE}20261024T090000", "RRULE:FREQ=DAILY;COUNT=3")], "2026-10-01", "2026-11-30",
        ["10-24 07:00", "10-25 08:00", "10-26 08:00"],
    ),
    "daily at 02:30, which is missing on one day": (
        [entry(f"{DE}20260328T023000", "RRULE:FREQ=DAILY;COUNT=3")], "2026-03-01", "2026-04-30",
        ["03-28 01:30", "03-29 01:30", "03-30 00:30"],
    ),
    "daily at 02:30, which is there twice on one day": (
        [entry(f"{DE}20261024T023000", "RRULE:FREQ=DAILY;COUNT=3")], "2026-10-01", "2026-11-30",
        ["10-24 00:30", "10-25 00:30", "10-26 01:30"],
    ),
    "daily at 02:00 in New York, over fall back": (
        [entry(f"{NY}20261031T020000", "RRULE:FREQ=DAILY;COUNT=3")], "2026-10-01", "2026-11-30",
        ["10-31 06:00", "11-01 07:00", "11-02 07:00"],
    ),
    "weekly in New York, over spring forward": (
        [entry(f"{NY}20260304T100000", "RRULE:FREQ=WEEKLY;COUNT=2")], "2026-03-01", "2026-03-31",
        ["03-04 15:00", "03-11 14:00"],
    ),
    "weekly in Sydney, where autumn is in April": (
        [entry(";TZID=Australia/Sydney:20260402T100000", "RRULE:FREQ=WEEKLY;COUNT=2")], "2026-03-01", "2026-04-30",
        ["04-01 23:00", "04-09 00:00"],
    ),
    "daily in UTC knows no change": (
        [entry("20260328T090000Z", "RRULE:FREQ=DAILY;COUNT=3")], "2026-03-01", "2026-04-30",
        ["03-28 09:00", "03-29 09:00", "03-30 09:00"],
    ),
    "floating, over spring forward": (
        [entry("20260328T090000", "RRULE:FREQ=DAILY;COUNT=2")], "2026-03-01", "2026-04-30",
        ["03-28 08:00", "03-29 07:00"],
    ),
    "whole days, over spring forward": (
        [entry(";VALUE=DATE:20260328", "RRULE:FREQ=DAILY;COUNT=3")], "2026-03-01", "2026-04-30",
        ["03-28", "03-29", "03-30"],
    ),
    # --- rules
    "COUNT": (
        [entry("20260101T090000Z", "RRULE:FREQ=DAILY;COUNT=2")], "2026-01-01", "2026-02-01",
        ["01-01 09:00", "01-02 09:00"],
    ),
    "UNTIL is included": (
        [entry("20260101T090000Z", "RRULE:FREQ=DAILY;UNTIL=20260103T090000Z")], "2026-01-01", "2026-02-01",
        ["01-01 09:00", "01-02 09:00", "01-03 09:00"],
    ),
    "UNTIL in UTC for a start in a zone": (
        [entry(f"{NY}20260101T200000", "RRULE:FREQ=DAILY;UNTIL=20260103T010000Z")], "2026-01-01", "2026-02-01",
        ["01-02 01:00", "01-03 01:00"],
    ),
    "UNTIL as a day for whole days": (
        [entry(";VALUE=DATE:20260101", "RRULE:FREQ=DAILY;UNTIL=20260103")], "2026-01-01", "2026-02-01",
        ["01-01", "01-02", "01-03"],
    ),
    "an interval": (
        [entry("20260101T090000Z", "RRULE:FREQ=DAILY;INTERVAL=10")], "2026-01-05", "2026-01-25",
        ["01-11 09:00", "01-21 09:00"],
    ),
    "every second week on two days": (
        [entry("20260105T090000Z", "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR")], "2026-01-05", "2026-01-25",
        ["01-05 09:00", "01-09 09:00", "01-19 09:00", "01-23 09:00"],
    ),
    "every second week, weeks that begin on Sunday": (
        [entry("20260804T090000Z", "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU")],
        "2026-08-01", "2026-09-30", ["08-04 09:00", "08-16 09:00", "08-18 09:00", "08-30 09:00"],
    ),
    "every second week, weeks that begin on Monday": (
        [entry("20260804T090000Z", "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO")],
        "2026-08-01", "2026-09-30", ["08-04 09:00", "08-09 09:00", "08-18 09:00", "08-23 09:00"],
    ),
    "the last working day of the month": (
        [entry("20260130T090000Z", "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3")],
        "2026-01-01", "2026-04-30", ["01-30 09:00", "02-27 09:00", "03-31 09:00"],
    ),
    "the second Tuesday of the month": (
        [entry("20260113T090000Z", "RRULE:FREQ=MONTHLY;BYDAY=2TU;COUNT=3")], "2026-01-01", "2026-04-30",
        ["01-13 09:00", "02-10 09:00", "03-10 09:00"],
    ),
    "the last Sunday of the month": (
        [entry("20260125T090000Z", "RRULE:FREQ=MONTHLY;BYDAY=-1SU;COUNT=2")], "2026-01-01", "2026-04-30",
        ["01-25 09:00", "02-22 09:00"],
    ),
    "the last day of the month": (
        [entry("20260131T090000Z", "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3")], "2026-01-01", "2026-04-30",
        ["01-31 09:00", "02-28 09:00", "03-31 09:00"],
    ),
    "the 31st, in months that have one": (
        [entry("20260131T090000Z", "RRULE:FREQ=MONTHLY;COUNT=3")], "2026-01-01", "2026-06-30",
        ["01-31 09:00", "03-31 09:00", "05-31 09:00"],
    ),
    "a birthday on the 29th of February": (
        [entry(";VALUE=DATE:20240229", "RRULE:FREQ=YEARLY")], "2025-01-01", "2029-01-01", ["02-29"],
    ),
    "a birthday since 1931": (
        [entry(";VALUE=DATE:19310407", "RRULE:FREQ=YEARLY")], "2026-01-01", "2027-01-01", ["04-07"],
    ),
    "Thanksgiving": (
        [entry(f"{NY}20251127T120000", "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH")], "2026-01-01", "2027-01-01",
        ["11-26 17:00"],
    ),
    "the hundredth day of the year": (
        [entry("20260410T090000Z", "RRULE:FREQ=YEARLY;BYYEARDAY=100;COUNT=2")], "2026-01-01", "2028-01-01",
        ["04-10 09:00", "04-10 09:00"],
    ),
    "the Monday of week 20": (
        [entry("20260511T090000Z", "RRULE:FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=1")], "2026-01-01", "2027-01-01",
        ["05-11 09:00"],
    ),
    "three times a day": (
        [entry("20260101T090000Z", "RRULE:FREQ=DAILY;BYHOUR=9,12,15;COUNT=4")], "2026-01-01", "2026-01-03",
        ["01-01 09:00", "01-01 12:00", "01-01 15:00", "01-02 09:00"],
    ),
    "Friday the 13th": (
        [entry("20260213T090000Z", "RRULE:FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=3")], "2026-01-01", "2026-12-31",
        ["02-13 09:00", "03-13 09:00", "11-13 09:00"],
    ),
    "every fourth hour": (
        [entry("20260101T000000Z", "RRULE:FREQ=HOURLY;INTERVAL=8;COUNT=3")], "2026-01-01", "2026-01-03",
        ["01-01 00:00", "01-01 08:00", "01-01 16:00"],
    ),
    # --- exceptions
    "EXDATE": (
        [entry(f"{DE}20260105T090000", "RRULE:FREQ=WEEKLY;COUNT=3", f"EXDATE{DE}20260112T090000")],
        "2026-01-01", "2026-02-01", ["01-05 08:00", "01-19 08:00"],
    ),
    "EXDATE in UTC for a start in a zone": (
        [entry(f"{DE}20260105T090000", "RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE:20260112T080000Z")],
        "2026-01-01", "2026-02-01", ["01-05 08:00", "01-19 08:00"],
    ),
    "two EXDATEs in one line": (
        [entry("20260105T090000Z", "RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE:20260112T090000Z,20260105T090000Z")],
        "2026-01-01", "2026-02-01", ["01-19 09:00"],
    ),
    "EXDATE as a day for whole days": (
        [entry(";VALUE=DATE:20260105", "RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE;VALUE=DATE:20260112")],
        "2026-01-01", "2026-02-01", ["01-05", "01-19"],
    ),
    "RDATE adds one": (
        [entry("20260105T090000Z", "RRULE:FREQ=WEEKLY;COUNT=2", "RDATE:20260107T150000Z")],
        "2026-01-01", "2026-02-01", ["01-05 09:00", "01-07 15:00", "01-12 09:00"],
    ),
    "RDATE alone": (
        [entry("20260105T090000Z", "RDATE:20260107T150000Z,20260109T150000Z")],
        "2026-01-01", "2026-02-01", ["01-05 09:00", "01-07 15:00", "01-09 15:00"],
    ),
    "an occurrence moved to another day": (
        [
            entry("20260105T090000Z", "RRULE:FREQ=WEEKLY;COUNT=3"),
            entry("20260113T110000Z", "RECURRENCE-ID:20260112T090000Z"),
        ],
        "2026-01-01", "2026-02-01", ["01-05 09:00", "01-13 11:00", "01-19 09:00"],
    ),
    "an occurrence moved out of what is looked at": (
        [
            entry("20260105T090000Z", "RRULE:FREQ=WEEKLY;COUNT=3"),
            entry("20260401T110000Z", "RECURRENCE-ID:20260112T090000Z"),
        ],
        "2026-01-01", "2026-02-01", ["01-05 09:00", "01-19 09:00"],
    ),
    "an occurrence moved into what is looked at": (
        [
            entry("20260105T090000Z", "RRULE:FREQ=WEEKLY;COUNT=3"),
            entry("20260401T110000Z", "RECURRENCE-ID:20260112T090000Z"),
        ],
        "2026-03-30", "2026-04-05", ["04-01 11:00"],
    ),
    "an occurrence cancelled": (
        [
            entry("20260105T090000Z", "RRULE:FREQ=WEEKLY;COUNT=3"),
            entry("20260112T090000Z", "RECURRENCE-ID:20260112T090000Z", "STATUS:CANCELLED"),
        ],
        "2026-01-01", "2026-02-01", ["01-05 09:00", "01-19 09:00"],
    ),
    "this one and all after it moved": (
        [
            entry("20260105T090000Z", "RRULE:FREQ=WEEKLY;COUNT=4"),
            entry("20260119T110000Z", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260119T090000Z"),
        ],
        "2026-01-01", "2026-02-01", ["01-05 09:00", "01-12 09:00", "01-19 11:00", "01-26 11:00"],
    ),
    "one occurrence of somebody else's series": (
        [entry("20260112T090000Z", "RECURRENCE-ID:20260112T090000Z")], "2026-01-01", "2026-02-01", ["01-12 09:00"],
    ),
    "two series side by side": (
        [
            entry("20260105T090000Z", "RRULE:FREQ=WEEKLY;COUNT=2"),
            entry("20260106T090000Z", "RRULE:FREQ=WEEKLY;COUNT=2", uid="two"),
        ],
        "2026-01-01", "2026-02-01", ["01-05 09:00", "01-06 09:00", "01-12 09:00", "01-13 09:00"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_it_takes_place_when_it_should(name: str) -> None:
    events, first, last, expected = TABLE[name]
    assert found(calendar(*events), first, last) == (expected, {})


def test_a_zone_of_the_files_own_is_understood() -> None:
    events = [entry(";TZID=Our Office:20260328T090000", "RRULE:FREQ=DAILY;COUNT=3")]
    assert found(calendar(*events, zones=CUSTOM_ZONE), "2026-03-01", "2026-04-30") == (
        ["03-28 08:00", "03-29 07:00", "03-30 07:00"], {},
    )  # fmt: skip


def test_one_files_zone_is_not_another_files_even_by_the_same_name() -> None:
    event = entry(";TZID=Our Office:20260716T090000")
    elsewhere = CUSTOM_ZONE.replace("+0200", "-0500").replace("+0100", "-0600")
    assert found(calendar(event, zones=CUSTOM_ZONE), "2026-07-16", "2026-07-17") == (["07-16 07:00"], {})
    assert found(calendar(event, zones=elsewhere), "2026-07-16", "2026-07-17") == (["07-16 14:00"], {})


def test_a_zone_nobody_knows_counts_as_the_vaults_and_that_is_said() -> None:
    assert found(calendar(entry(";TZID=Mars/Base:20260716T090000")), "2026-07-16", "2026-07-17") == (
        ["07-16 07:00"],
        {"one": "is in the time zone 'Mars/Base', which nobody knows: taken for this vault's"},
    )


def test_a_day_has_its_own_length_when_the_clocks_change() -> None:
    reading = read(calendar(entry(";VALUE=DATE:20260329"), entry(";VALUE=DATE:20261025", uid="two")), BERLIN)
    spring, autumn = Expansion(BERLIN).between(reading.series.values(), day("2026-01-01"), day("2027-01-01"))[0]
    assert (spring.end - spring.start, autumn.end - autumn.start) == (dt.timedelta(hours=23), dt.timedelta(hours=25))


@given(
    frequency=st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    interval=st.integers(1, 5),
    days=st.lists(st.sampled_from(["MO", "WE", "SU"]), unique=True),
    hour=st.integers(0, 23),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "UTC", "Australia/Lord_Howe"]),
)
def test_a_series_alone_is_found_as_in_a_calendar_read_as_a_whole(frequency, interval, days, hour, zone) -> None:
    by_day = f";BYDAY={','.join(days)}" if days else ""
    rule = f"RRULE:FREQ={frequency};INTERVAL={interval}{by_day}"
    data = calendar(entry(f";TZID={zone}:20260301T{hour:02}1500", "DURATION:PT1H", rule))
    first, last = day("2026-03-01"), day("2026-12-01")
    whole = recurring_ical_events.of(icalendar.Calendar.from_ical(data)).between(first, last)
    expected = sorted(event["DTSTART"].dt.astimezone(dt.UTC) for event in whole)
    ours, problems = Expansion(BERLIN).between(read(data, BERLIN).series.values(), first, last)
    assert ([one.start for one in ours], problems) == (expected, {})
