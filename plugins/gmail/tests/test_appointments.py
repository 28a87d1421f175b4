"""Dates and times in the text of a mail: a table of phrases with expected results, and of texts that contain none."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from gmail_house import BERLIN
from hypothesis import given
from hypothesis import strategies as st

from aie_gmail.appointments import appointments

MONDAY = dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.timezone(dt.timedelta(hours=1)))

# Said on Monday, 23 November 2026, 09:00 +0100; in a vault in Berlin. Date, time, end; "?" where it may mean another.
PHRASES = """
tomorrow at 2pm                               | 2026-11-24 14:00
meeting tomorrow at 2pm                       | 2026-11-24 14:00
tomorrow at 2 p.m.                            | 2026-11-24 14:00
tomorrow 14:00                                | 2026-11-24 14:00
tomorrow at 2                                 | 2026-11-24 14:00 ?
tomorrow at 10                                | 2026-11-24 10:00 ?
today at 5pm                                  | 2026-11-23 17:00
this afternoon at 4                           | 2026-11-23 16:00 ?
tonight at 8                                  | 2026-11-23 20:00 ?
the day after tomorrow at 9:30am              | 2026-11-25 09:30
Tuesday 3pm                                   | 2026-11-24 15:00
next Tuesday at 10:00                         | 2026-11-24 10:00 ?
on Thursday at 10:00                          | 2026-11-26 10:00
Friday at noon                                | 2026-11-27 12:00
this Friday at 4:15 pm                        | 2026-11-27 16:15
Monday at 8:30                                | 2026-11-30 08:30
next week Wednesday at 11am                   | 2026-12-02 11:00
Wednesday next week at 11am                   | 2026-12-02 11:00
Wed, 25 Nov 2026 at 2.30pm                    | 2026-11-25 14:30
25 November at 14:00                          | 2026-11-25 14:00
November 25th, 2026, 2:30 pm                  | 2026-11-25 14:30
on the 3rd of December at 10 am               | 2026-12-03 10:00
10:30 am on 3 December                        | 2026-12-03 10:30
3 January at 9:00                             | 2027-01-03 09:00
2026-11-25 14:00                              | 2026-11-25 14:00
2026-11-25T14:00:00Z                          | 2026-11-25 15:00
2026-11-25T14:00+01:00                        | 2026-11-25 14:00
2026-11-25                                    | 2026-11-25
on 13/12 at 10:00                             | 2026-12-13 10:00
on 3/12/2026 at 10:00                         | 2026-12-03 10:00 ?
12/25 at 3pm                                  | 2026-12-25 15:00
between 2 and 4pm tomorrow                    | 2026-11-24 14:00-16:00
tomorrow 2-4pm                                | 2026-11-24 14:00-16:00
tomorrow 11-1pm                               | 2026-11-24 11:00-13:00
13:00-14:00 on Friday                         | 2026-11-27 13:00-14:00
Friday from 13:00 to 14:30                    | 2026-11-27 13:00-14:30
half past two tomorrow                        | 2026-11-24 14:30 ?
quarter to nine on Friday                     | 2026-11-27 08:45 ?
day after tomorrow at 5 o'clock               | 2026-11-25 17:00 ?
in two hours                                  | 2026-11-23 11:00
in 30 minutes                                 | 2026-11-23 09:30
in 3 days at 9am                              | 2026-11-26 09:00
a week from today at 10am                     | 2026-11-30 10:00
first Monday of December at 9:00              | 2026-12-07 09:00
on the 30th at 4pm                            | 2026-11-30 16:00
tomorrow at 2pm PT                            | 2026-11-24 23:00
tomorrow at 14:00 UTC                         | 2026-11-24 15:00
tomorrow at 14:00 GMT+2                       | 2026-11-24 13:00
tomorrow at 3pm EST                           | 2026-11-24 21:00
can you call at 3pm?                          | 2026-11-23 15:00 ?
morgen um 14 Uhr                              | 2026-11-24 14:00
übermorgen um 9:30 Uhr                        | 2026-11-25 09:30
heute Nachmittag um 15 Uhr                    | 2026-11-23 15:00
am Donnerstag um halb drei                    | 2026-11-26 14:30 ?
nächsten Freitag um 10 Uhr 30                 | 2026-11-27 10:30 ?
am 12. März 2027 um 10 Uhr                    | 2027-03-12 10:00
am 12.12. um 15:00                            | 2026-12-12 15:00
am 3.12.2026 um 8:00 Uhr                      | 2026-12-03 08:00
nächste Woche Mittwoch um 11 Uhr              | 2026-12-02 11:00
Freitag von 14 bis 16 Uhr                     | 2026-11-27 14:00-16:00
in zwei Wochen um 9 Uhr                       | 2026-12-07 09:00
demain à 14h                                  | 2026-11-24 14:00
après-demain à 9h15                           | 2026-11-25 09:15
jeudi à 14h30                                 | 2026-11-26 14:30
le 3 décembre à 10 heures                     | 2026-12-03 10:00
lundi prochain à 9h                           | 2026-11-30 09:00
vendredi de 14h à 16h                         | 2026-11-27 14:00-16:00
mañana a las 15:00                            | 2026-11-24 15:00
pasado mañana a las 9:30                      | 2026-11-25 09:30
el jueves a las 4 de la tarde                 | 2026-11-26 16:00
el 12 de diciembre a las 10:30                | 2026-12-12 10:30
el viernes a las dos y media                  | 2026-11-27 14:30 ?
"""
NONE = """
Invoice INV-2026-001 for $5000
Invoice 2026-11-30-17 is ready
invoice no. 30.11.2026 is attached
Rechnung vom 01.12.2026
call 555-1234 or +49 30 123456
Tel. 030 12 34 56 78
+1 (555) 010-9999 at your service
version 2.10.3 was released
v1.12.2026 is out
Python 3.11 and 3.12
It costs 12.50 EUR
at 14.30 EUR the pair
$10-12 per day
about €15.30 each
the ratio is 16:9
open 24/7
you may call us
we march on
the second part of it
the sun is out, we sat there
1/2 cup of sugar
3/4 of them agree
last Tuesday at 3pm we met
on 12 January 2020 at 10:00
every Monday at 10:00
jeden Montag um 10 Uhr
at 5 people we close
10% off at 20 stores
Guten Morgen
Buenos días, por la mañana
Order 10.12 pcs
the host is 10.12.20.26
page 12 of 30
ISO 9001:2015
Room 14, floor 3
2h of work
a 24h service
The price is 14.30 per unit
Ref 4711/12/26
we have 3 to 4 apples
serial 12:34:56:78:9a
May 2026 was good
see chapter 3.4. for it
it takes 30 minutes
Thanks a lot from 2 of us
"""


def rows(table: str) -> list[str]:
    return [line for line in table.splitlines() if line.strip()]


def found(text: str) -> str:
    first = next(iter(appointments(text, MONDAY, BERLIN)), None)
    if first is None:
        return ""
    when = f" {first.start:%H:%M}" if first.start else ""
    end = f"-{first.end:%H:%M}" if first.end else ""
    return f"{first.date}{when}{end}{' ?' if first.ambiguous else ''}"


@pytest.mark.parametrize("row", rows(PHRASES))
def test_a_phrase_means(row):
    phrase, _, expected = (part.strip() for part in row.partition("|"))
    assert found(phrase) == expected
    assert found(f"Hi Alice,\n\ncan we meet {phrase} to discuss the budget?\n\nThanks,\nBob") == expected


@pytest.mark.parametrize("text", rows(NONE))
def test_there_is_no_date_in(text):
    assert found(text) == ""
    assert found(f"Hello,\n\n{text}.\n\nRegards, Ann") == ""


def test_a_date_that_can_be_read_two_ways_is_told_both_ways():
    read = appointments("next Tuesday at 10:00", MONDAY, BERLIN)
    assert [(str(one.date), one.ambiguous) for one in read] == [("2026-11-24", True), ("2026-12-01", True)]
    read = appointments("on 3/4 at 10:00", MONDAY, BERLIN, day_first=False)
    assert [str(one.date) for one in read] == ["2027-03-04", "2027-04-03"]


def test_next_tuesday_said_on_a_friday_is_clear():
    friday = MONDAY + dt.timedelta(days=4)
    assert [str(one.date) for one in appointments("next Tuesday at 10:00", friday, BERLIN)] == ["2026-12-01"]


def test_several_dates_come_in_order_each_with_its_own_time():
    read = appointments("Either Wednesday at 9am, or Thursday at 3pm.", MONDAY, BERLIN)
    assert [(str(one.date), f"{one.start:%H:%M}", one.phrase) for one in read] == [
        ("2026-11-25", "09:00", "Wednesday at 9am"), ("2026-11-26", "15:00", "Thursday at 3pm"),
    ]  # fmt: skip


def test_the_day_in_the_subject_goes_with_the_time_in_the_text():
    assert found("Meeting tomorrow\n\nSee you at 2pm then.") == "2026-11-24 14:00"


def test_the_words_it_was_read_from_are_told():
    (one,) = appointments("So, how about  Friday\nat 4:15 pm?", MONDAY, BERLIN)
    assert one.plain() == {
        "date": "2026-11-27", "time": "16:15", "end": None, "phrase": "Friday at 4:15 pm", "ambiguous": False,
    }  # fmt: skip


@given(st.text(alphabet="0123456789:.,/-apmAPM hUhrtoandmondaymorgen\n", max_size=400))
def test_no_text_takes_long_or_crashes(text):
    began = time.process_time()
    for one in appointments(text, MONDAY, BERLIN):
        assert one.date >= MONDAY.date() - dt.timedelta(days=1)
    assert time.process_time() - began < 1
