"""Dates, times and lengths as people write them."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aie_calendar.times import Span, read_day, read_length, read_time, span

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("1 hour", 60), ("2 hours", 120), ("90m", 90), ("90 min", 90), ("1h30m", 90), ("1h 30m", 90),
        ("1 hour 30 minutes", 90), ("1 hour and 30 minutes", 90), ("1 hour, 30 minutes", 90), ("1.5 hours", 90),
        ("PT1H30M", 90), ("PT90M", 90), ("pt45m", 45), ("P1D", 1440), ("P1DT2H", 1560), ("1 day", 1440),
        ("2 Weeks", 20160), (" 45 Minutes ", 45), ("1hr", 60), ("P1W", 10080),
    ],
)  # fmt: skip
def test_a_length_is_read(text: str, minutes: int) -> None:
    assert read_length(text) == dt.timedelta(minutes=minutes)


@pytest.mark.parametrize(
    "text", ["", "an hour", "60", "1 fortnight", "0 minutes", "-1 hour", "1 hour maybe", "PT", "P", "9999 weeks", "1h?"]
)
def test_a_length_that_cannot_be_read_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"'1 hour'|at most a year"):
        read_length(text)


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("14:00", (14, 0)), ("9:05", (9, 5)), ("09:05:30", (9, 5, 30)), ("14.30", (14, 30)), ("14h", (14, 0)),
        ("14h30", (14, 30)), ("2 pm", (14, 0)), ("2pm", (14, 0)), ("2:30 PM", (14, 30)), ("12 am", (0, 0)),
        ("12 pm", (12, 0)), ("2:30 p.m.", (14, 30)), ("00:00", (0, 0)), ("23:59", (23, 59)),
    ],
)  # fmt: skip
def test_a_time_of_day_is_read(text: str, clock: tuple[int, ...]) -> None:
    assert read_time(text) == dt.time(*clock)


@pytest.mark.parametrize(
    "text", ["", "24:00", "14", "14:60", "half past two", "13 pm", "0 am", "14:00 Uhr", "2026-02-16"]
)
def test_a_time_of_day_that_cannot_be_read_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="'14:00' or '2:30 pm'"):
        read_time(text)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-02-16", dt.date(2026, 2, 16)),
        ("20260216", dt.date(2026, 2, 16)),
        ("2026-02-16T14:00", dt.datetime(2026, 2, 16, 14)),  # noqa: DTZ001
        ("2026-02-16 14:00:30", dt.datetime(2026, 2, 16, 14, 0, 30)),  # noqa: DTZ001
        ("2026-02-16T14:00Z", dt.datetime(2026, 2, 16, 14, tzinfo=dt.UTC)),
    ],
)
def test_a_day_is_read(text: str, day: dt.date) -> None:
    assert read_day(text) == day


@pytest.mark.parametrize("text", ["", "next Tuesday", "16.02.2026", "02/03/2026", "2026-02-30", "2026-13-01", "None"])
def test_a_day_that_cannot_be_read_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="'2026-02-16'"):
        read_day(text)


def at(day: int, hour: int, minute: int = 0, zone: dt.tzinfo = BERLIN) -> dt.datetime:
    return dt.datetime(2026, 2, day, hour, minute, tzinfo=zone)


@pytest.mark.parametrize(
    ("day", "clock", "end", "length", "expected"),
    [
        ("2026-02-16", "14:00", None, None, Span(at(16, 14), at(16, 15))),
        ("2026-02-16", "14:00", None, "90m", Span(at(16, 14), at(16, 15, 30))),
        ("2026-02-16", "14:00", "15:30", None, Span(at(16, 14), at(16, 15, 30))),
        ("2026-02-16T14:00", None, "2026-02-17T09:00", None, Span(at(16, 14), at(17, 9))),
        ("2026-02-16T14:00+01:00", None, None, "1 hour", Span(at(16, 14), at(16, 15))),
        ("2026-02-16", None, None, None, Span(dt.date(2026, 2, 16), dt.date(2026, 2, 17))),
        ("2026-02-16", None, None, "1 hour", Span(dt.date(2026, 2, 16), dt.date(2026, 2, 17))),
        ("2026-02-16", None, "2026-02-18", None, Span(dt.date(2026, 2, 16), dt.date(2026, 2, 19))),
        ("2026-02-16", None, None, "2 days", Span(dt.date(2026, 2, 16), dt.date(2026, 2, 18))),
        ("2026-02-16", "23:30", None, "1 hour", Span(at(16, 23, 30), at(17, 0, 30))),
    ],
)
def test_the_parts_make_a_span(day, clock, end, length, expected) -> None:
    found = span(
        read_day(day), read_time(clock) if clock else None, end, read_length(length) if length else None, BERLIN, HOUR
    )
    assert found == expected


@pytest.mark.parametrize(
    ("day", "clock", "end", "length", "why"),
    [
        ("2026-02-16T14:00", "15:00", None, None, "has a time of its own"),
        ("2026-02-16", "14:00", "15:00", "1 hour", "both given"),
        ("2026-02-16", "14:00", "13:00", None, "before it begins"),
        ("2026-02-16", "14:00", "2026-02-18", None, "is a day"),
        ("2026-02-16", None, "15:00", None, "is not a date"),
        ("2026-02-16", None, "2026-02-15", None, "before it begins"),
        ("2026-02-16", None, "2026-02-17T10:00", None, "no time to begin at"),
        ("2026-02-16", "14:00", "later", None, "is not a date"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(day, clock, end, length, why) -> None:
    with pytest.raises(ValueError, match=why):
        span(
            read_day(day),
            read_time(clock) if clock else None,
            end,
            read_length(length) if length else None,
            BERLIN,
            HOUR,
        )


def test_an_hour_is_an_hour_also_when_the_clocks_change() -> None:
    found = span(dt.date(2026, 3, 29), dt.time(1, 30), None, HOUR, BERLIN, HOUR)
    assert (found.end.isoformat(), found.length) == ("2026-03-29T03:30:00+02:00", HOUR)


@given(st.text(max_size=40))
def test_no_text_breaks_a_reader(text: str) -> None:
    for read in (read_day, read_time, read_length):
        try:
            read(text)
        except ValueError as error:
            assert "write" in str(error) or "at most" in str(error)
