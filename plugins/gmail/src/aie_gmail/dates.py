"""Dates in a text, by the words of four languages: ``tomorrow``, ``12. März``, ``lundi prochain``, ``in two weeks``."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from aie_gmail.date_words import (
    DAYS_AHEAD,
    EVENINGS,
    MONTHS,
    NUMBERS,
    ORDINALS,
    SHORT_WEEKDAYS,
    UNITS,
    WEEKDAYS,
    any_of,
)


@dataclass(frozen=True, slots=True)
class Day:
    """A date that was found, ``other`` being what it may mean as well; ``moment`` where a time came with it.

    One that is over or comes every week is no ``news``, but a time beside it belongs to it all the same.
    """

    first: int
    last: int
    date: dt.date
    other: dt.date | None = None
    moment: dt.datetime | None = None
    alone: bool = True  # whether it is a date without a time beside it
    evening: bool = False
    news: bool = True


_WEEKDAY = any_of(WEEKDAYS)
_MONTH = any_of(MONTHS)
_COUNT = rf"\d{{1,3}}|{any_of(NUMBERS)}"
_STAMP = re.compile(
    r"(?<![\w.-])(20\d\d)-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::\d\d(?:\.\d{1,6})?)?(Z\b|[+-]\d\d:?\d\d)?)?(?![\w-])"
)
_AHEAD = re.compile(
    rf"(?i)(?<!\w)(?<!guten )(?<!good )(?<!la )(?<!am )(?<!jeden )(?<!bis )({any_of(DAYS_AHEAD)})(?![\w-])"
)
_WEEK = re.compile(
    rf"""(?ix)(?<!\w)(?:
        (?:next[ ]week[ ,]{{1,2}}(?:on[ ])?|nächste[ ]woche[ ,]{{1,2}}(?:am[ ])?)(?P<after>{_WEEKDAY})
      | (?P<before>{_WEEKDAY})[ ,]{{1,2}}(?:of[ ])?(?:next[ ]week|nächster?[ ]woche|(?:de[ ]la[ ])?semaine[ ]prochaine
            |(?:de[ ]la[ ])?(?:próxima[ ]semana|semana[ ]que[ ]viene))
    )(?!\w)"""
)
_DAY_OF_WEEK = re.compile(
    rf"""(?ix)(?<!\w)
    (?P<how>(?:last|past|every|each|next|this|coming|letzten?|letzter|vergangenen?|jeden|nächsten?|nächster|kommenden?
        |diesen|chaque|tous[ ]les|cada|todos[ ]los|este|próximo|proximo)[ ])?
    (?P<name>{_WEEKDAY})(?P<after>[ ](?:prochain|dernier|passé|pasado|que[ ]viene|próximo))?(?!\w)"""
)
_SHORT_DAY = re.compile(rf"(?<!\w)({any_of(word.capitalize() for word in SHORT_WEEKDAYS)})\.?,?(?= (?:at |um |à )?\d)")
_NAMED = re.compile(
    rf"""(?ix)(?<![\w.,/-])(?:
        (?P<d1>\d{{1,2}})(?:st|nd|rd|th|er|\.|º)?[ ]?(?:of[ ]|de[ ])?(?P<m1>{_MONTH})\b\.?
            (?:,?[ ](?:de[ ]|del[ ])?(?P<y1>20\d\d)\b)?
      | (?P<m2>{_MONTH})\b\.?[ ](?:the[ ])?(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?(?![\w:/%]|[.]\d|,\d\d\d)
            (?:,?[ ](?P<y2>20\d\d)\b)?
    )"""
)
_DOTTED = re.compile(r"(?<![\w.,/:+-])(\d{1,2})\.[ ]?(\d{1,2})\.[ ]?(20\d\d|\d\d)?(?![\w-]|\.\d)")
_SLASHED = re.compile(r"(?<![\w.,/:+-])(\d{1,2})/(\d{1,2})(?:/(20\d\d|\d\d))?(?![\w/-]|[.,]\d)")
_SPAN = re.compile(
    rf"""(?ix)(?<!\w)(?:
        (?:in|dans|en|dentro[ ]de)[ ](?P<n>{_COUNT})[ ](?P<unit>{any_of(UNITS)})(?:[ ]time)?(?!\w)
      | (?P<n2>{_COUNT})[ ](?P<unit2>{any_of(UNITS)})[ ]from[ ](?P<from>today|now|tomorrow|{_WEEKDAY})\b
    )(?![ ](?:from|of|ago|or))"""
)
_NTH = re.compile(rf"(?i)(?<!\w)(first|second|third|fourth|last) ({_WEEKDAY}) (?:of|in) ({_MONTH})\b(?: (20\d\d))?")
_DAY_OF_MONTH = re.compile(
    r"(?i)(?<!\w)(?:on the (?P<en>\d{1,2})(?:st|nd|rd|th)|am (?P<de>\d{1,2})\.(?![\w\d]| ?\d)"
    r"|(?:le|el(?: día)?) (?P<fr>\d{1,2})(?= (?:à|vers|a las?) \d))(?![ ]?(?:of\b|de\b))"
)
_BEFORE_WORD = re.compile(
    r"(?i)(?:\b(?:v|ver|version|release|no|nr|num|number|invoice|rechnung|facture|factura|order|ref|dated|since|seit|vom|depuis"
    r"|desde|copyright|section|chapter|page|step|part|born|geboren)\.?|\#|№|[$€£]|\()[ ]?\Z"
)


def days(text: str, said: dt.datetime, *, day_first: bool) -> list[Day]:
    """The dates from the day the mail was sent on, in order, none within another. ``said`` is that mail's own time."""
    found: list[Day] = []
    for day in _all(text, said, day_first):
        inside = any(day.first < other.last and other.first < day.last for other in found)
        if not inside and not _BEFORE_WORD.search(text[max(0, day.first - 12) : day.first]):
            found.append(day if day.date >= said.date() else replace(day, news=False))
    return sorted(found, key=lambda day: day.first)


def _all(text: str, said: dt.datetime, day_first: bool) -> Iterator[Day]:
    """Those found by each rule; the more telling rules come first."""
    for match in _STAMP.finditer(text):
        yield from _stamp(match, said)
    for match in _SPAN.finditer(text):
        yield from _span(match, said)
    for match in _NTH.finditer(text):
        yield from _nth(match, said)
    for match in _NAMED.finditer(text):
        number, name, year = (
            (match["d1"], match["m1"], match["y1"]) if match["d1"] else (match["d2"], match["m2"], match["y2"])
        )
        yield from _of(match, _upcoming(said, int(number), MONTHS[name.lower()], year))
    yield from _numeric(text, said, day_first)
    for match in _WEEK.finditer(text):
        monday = said.date() - dt.timedelta(days=said.weekday()) + dt.timedelta(days=7)
        yield _day(match, monday + dt.timedelta(days=WEEKDAYS[(match["after"] or match["before"]).lower()]))
    for match in _AHEAD.finditer(text):
        word = match[1].lower()
        yield replace(_day(match, said.date() + dt.timedelta(days=DAYS_AHEAD[word])), evening=word in EVENINGS)
    for match in _DAY_OF_WEEK.finditer(text):
        yield from _weekday(match, said)
    for match in _SHORT_DAY.finditer(text):
        yield _day(match, _next_weekday(said, SHORT_WEEKDAYS[match[1].lower()]), alone=False)
    for match in _DAY_OF_MONTH.finditer(text):
        yield from _of(match, _day_of_month(said, int(match["en"] or match["de"] or match["fr"])))


def _day(match: re.Match[str], date: dt.date, other: dt.date | None = None, *, alone: bool = True) -> Day:
    return Day(match.start(), match.end(), date, other, alone=alone)


def _of(match: re.Match[str], date: dt.date | None) -> Iterator[Day]:
    if date is not None:
        yield _day(match, date)


def _stamp(match: re.Match[str], said: dt.datetime) -> Iterator[Day]:
    date = _date(int(match[1]), int(match[2]), int(match[3]))
    if date is None:
        return
    if not match[4]:
        yield _day(match, date)
    elif int(match[4]) < 24 and int(match[5]) < 60:
        zone = dt.datetime.fromisoformat(f"2000-01-01T00:00{match[6]}").tzinfo if match[6] else None
        moment = dt.datetime(date.year, date.month, date.day, int(match[4]), int(match[5]), tzinfo=zone)
        yield Day(match.start(), match.end(), date, moment=moment)


def _span(match: re.Match[str], said: dt.datetime) -> Iterator[Day]:
    count, unit = match["n"] or match["n2"], UNITS[(match["unit"] or match["unit2"]).lower()]
    number = int(count) if count.isdigit() else NUMBERS[count.lower()]
    begin = said
    if match["from"]:
        word = match["from"].lower()
        if word in WEEKDAYS:
            begin = said + (_next_weekday(said, WEEKDAYS[word]) - said.date())
        else:
            begin = said + dt.timedelta(days=DAYS_AHEAD.get(word, 0))
    moment = begin + dt.timedelta(**{unit: number})
    if unit in {"days", "weeks"}:
        yield _day(match, moment.date())
    else:
        moment = moment.replace(second=0, microsecond=0)
        yield Day(match.start(), match.end(), moment.date(), moment=moment.replace(tzinfo=None))


def _nth(match: re.Match[str], said: dt.datetime) -> Iterator[Day]:
    which, weekday, month = ORDINALS[match[1].lower()], WEEKDAYS[match[2].lower()], MONTHS[match[3].lower()]
    for year in [int(match[4])] if match[4] else [said.year, said.year + 1]:
        weeks = calendar.Calendar().monthdatescalendar(year, month)
        all_of_them = [week[weekday] for week in weeks if week[weekday].month == month]
        date = all_of_them[which if which < 0 else which - 1]
        if date >= said.date():
            yield _day(match, date)
            return


def _numeric(text: str, said: dt.datetime, day_first: bool) -> Iterator[Day]:
    for match in _DOTTED.finditer(text):
        if match[3] or re.search(
            r"(?i)(?:\b(?:am|den|dem|bis|zum|ab|der|the|on)|[a-zäöü],) \Z",
            text[max(0, match.start() - 8) : match.start()],
        ):
            yield from _of(match, _upcoming(said, int(match[1]), int(match[2]), match[3]))
    for match in _SLASHED.finditer(text):
        led = re.search(r"(?i)\b(?:on|for|by|am|le|el|day|di|of) \Z", text[max(0, match.start() - 6) : match.start()])
        one, two = int(match[1]), int(match[2])
        pairs = [(one, two), (two, one)] if day_first else [(two, one), (one, two)]
        dates = [date for day, month in pairs if (date := _upcoming(said, day, month, match[3]))]
        if dates:
            other = dates[1] if len(dates) > 1 and dates[1] != dates[0] else None
            yield _day(match, dates[0], other, alone=bool(match[3] or led))


def _weekday(match: re.Match[str], said: dt.datetime) -> Iterator[Day]:
    how, after = (match["how"] or "").strip().lower(), (match["after"] or "").strip().lower()
    past = {
        "last",
        "past",
        "every",
        "each",
        "jeden",
        "chaque",
        "tous les",
        "cada",
        "todos los",
        "dernier",
        "passé",
        "pasado",
    }
    if how in past or after in past or how.startswith(("letzt", "vergangen")):
        yield replace(_day(match, said.date()), news=False)
        return
    date = _next_weekday(said, WEEKDAYS[match["name"].lower()])
    this_week = date.isocalendar()[:2] == said.date().isocalendar()[:2]
    unclear = (how in {"next", "próximo", "proximo"} or how.startswith("nächst")) and this_week
    yield _day(match, date, date + dt.timedelta(days=7) if unclear else None)


def _next_weekday(said: dt.datetime, weekday: int) -> dt.date:
    """The next day of that name, today not counted."""
    return said.date() + dt.timedelta(days=(weekday - said.weekday() - 1) % 7 + 1)


def _upcoming(said: dt.datetime, day: int, month: int, year: str | None) -> dt.date | None:
    """The date; without a year the next there is."""
    if year:
        return _date(int(year) + (2000 if len(year) == 2 else 0), month, day)
    dates = (_date(said.year + later, month, day) for later in range(9))  # 29 February may be eight years off
    return next((date for date in dates if date and date >= said.date()), None)


def _day_of_month(said: dt.datetime, day: int) -> dt.date | None:
    months = ((said.year + (said.month - 1 + later) // 12, (said.month - 1 + later) % 12 + 1) for later in range(3))
    dates = (_date(year, month, day) for year, month in months)
    return next((date for date in dates if date and date >= said.date()), None)


def _date(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None
