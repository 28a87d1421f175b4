"""Times of day in a text: ``2pm``, ``14:00 Uhr``, ``à 14h30``, ``between 2 and 4pm``, ``half past two``."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from aie_gmail.date_words import MIDNIGHT, NOON, NUMBERS, ZONE_NAMES, ZONES_MIN, any_of


@dataclass(frozen=True, slots=True)
class Time:
    """A time that was found. ``sure`` when it can be nothing else, so that it needs no date beside it."""

    first: int  # where it begins in the text
    last: int  # where it ends
    start: dt.time
    end: dt.time | None
    zone: dt.tzinfo | None  # None: not said
    sure: bool
    ambiguous: bool = False  # morning or afternoon was not said


_HALF = r"[ap]\.[ ]?m\.|[ap][ ]?m\b"
_PART = (
    r"in[ ]the[ ](?:morning|afternoon|evening)|at[ ]night|morgens|vormittags|nachmittags|abends|früh"
    r"|du[ ]matin|de[ ]l['’]après-midi|du[ ]soir|de[ ]la[ ](?:mañana|tarde|noche)"
)
_WORD_HOURS = any_of(word for word, number in NUMBERS.items() if word not in ("a", "an", "un", "ein"))
_CLOCK = (
    rf"(?P<{{0}}hour>\d{{{{1,2}}}}|(?:{_WORD_HOURS})\b)"
    r"(?:(?P<{0}sign>[:.h]|[ ]?Uhr[ ]?|[ ]h[ ])(?P<{0}minute>[0-5]\d))?"
)
_UNIT = (
    r"[ ]?(?:(?P<{0}half>"
    + _HALF
    + r")|(?P<{0}clock>Uhr\b|o['’]?clock\b|heures?\b(?:[ ](?P<{0}after>[0-5]\d)\b)?|hrs\b|h\b))?"
)
_ONE = _CLOCK + _UNIT
_TIME = re.compile(
    rf"""(?ix)
    (?<![\w.,:/$€£\#+-]) (?<![$€£\#][ ])
    (?:(?P<lead>\b(?:at|from|between|um|gegen|ab|von|zwischen|à|vers|dès|de|entre|(?:a|sobre|desde)[ ]las?|las)[ ]))?
    {_ONE.format("a")}
    (?:[ ]?(?P<dash>-|–|—|to|until|till|and|bis|und|à|et|a|y|hasta)[ ]?(?:a[ ])?(?:las[ ])?{_ONE.format("b")})?
    (?![\w:/%€$£]|[.,]\d|[ ][€$£%]|-\w)
    (?:[ ](?P<part>{_PART})\b)?
    """
)
_SPOKEN = re.compile(
    rf"""(?ix)
    (?<!\w)(?:
        (?P<how>half[ ]past|quarter[ ]past|quarter[ ]to|halb|viertel[ ]nach|viertel[ ]vor|dreiviertel)[ ]
        (?P<hour>\d{{1,2}}|{_WORD_HOURS})(?![\w:.])
      | (?:a[ ]las?[ ])(?P<eshour>\d{{1,2}}|{_WORD_HOURS})[ ](?P<espart>y[ ]media|y[ ]cuarto|menos[ ]cuarto)\b
      | (?P<noon>{any_of(NOON.split())})(?!\w) | (?P<midnight>{any_of(MIDNIGHT.split())})(?!\w)
    )(?:[ ]?(?P<half>{_HALF}))?(?:[ ](?P<part>{_PART})\b)?
    """
)
_ZONE = re.compile(
    rf"""(?ix)[ ]?\(?(?:(?:UTC|GMT)?(?P<offset>[+-](?:0?\d|1[0-4])(?::?[0-5]\d)?)(?!\d)
    |(?P<name>{any_of([*ZONES_MIN, *ZONE_NAMES])})\b)\)?"""
)
_NOT_A_TIME_AFTER = re.compile(
    r"(?ix)[ ]?(?:%|percent|people|persons?|items?|units?|pcs|pieces?|copies|pages?|days?|weeks?|months?|years?|hours?"
    r"|minutes?|eur|usd|gbp|dollars?|euros?|kg|km|stück|personen|seiten|tage|jahre|wochen|monate|stunden|minuten|jours"
    r"|semaines|personnes|días|semanas|personas|st|nd|rd|th|january|february|march|april|may|june|july|august|september"
    r"|october|november|december)\b"
)
_SHIFTS = {
    "half past": (0, 30), "quarter past": (0, 15), "quarter to": (-1, 45), "halb": (-1, 30), "viertel nach": (0, 15),
    "viertel vor": (-1, 45), "dreiviertel": (-1, 45), "y media": (0, 30), "y cuarto": (0, 15), "menos cuarto": (-1, 45),
}  # fmt: skip


def times(text: str) -> list[Time]:
    """The times of day, in order, none within another."""
    found = [time for match in _SPOKEN.finditer(text) if (time := _spoken(match, text))]
    taken = [(time.first, time.last) for time in found]
    for match in _TIME.finditer(text):
        if any(match.start() < last and first < match.end() for first, last in taken):
            continue
        time = _written(match, text)
        if time is not None:
            found.append(time)
    return sorted(found, key=lambda time: time.first)


def _spoken(match: re.Match[str], text: str) -> Time | None:
    last, zone = _zone(text, match.end())
    if match["noon"] or match["midnight"]:
        return Time(match.start(), last, dt.time(12 if match["noon"] else 0), None, zone, sure=False)
    how = re.sub(r"\s+", " ", (match["how"] or match["espart"]).lower())
    hour = _number(match["hour"] or match["eshour"])
    if hour is None or hour > 24:
        return None
    shift, minute = _SHIFTS[how]
    when, guessed = _in_day((hour + shift) % 24, match["half"], match["part"], ambiguous=hour <= 12)
    return Time(match.start(), last, dt.time(when, minute), None, zone, sure=False, ambiguous=guessed)


def _written(match: re.Match[str], text: str) -> Time | None:
    """The time, or range of times, that was written in digits or words; None if the numbers mean something else."""
    hour, end_hour = _number(match["ahour"]), _number(match["bhour"])
    ranged = end_hour is not None and end_hour <= 24 and _is_range(match)
    ends = match.end()
    if match["bhour"] and not ranged:
        ends = max(match.end(name) for name in ("ahour", "aminute", "ahalf", "aclock"))
    half = match["ahalf"] or (match["bhalf"] if ranged else None)
    marked = bool(half or match["aclock"] or (ranged and match["bclock"]))
    colon = (match["asign"] or ".") != "." or bool(match["asign"] and match["aclock"])
    if hour is None or hour > 23 or not _is_time(match, text[ends : ends + 20], marked, colon, ranged):
        return None
    part = match["part"] if not match["bhour"] or ranged else None
    bare = not (marked or colon) or "clock" in (match["aclock"] or "").lower()
    unclear = bare or (colon and hour <= 6 and len(match["ahour"]) == 1)
    start, guessed = _in_day(hour, half, part, ambiguous=unclear)
    end = _end_of(match, start, half, part, guessed) if ranged else None
    if end is not None and half and not match["ahalf"] and end.hour < start:
        start = hour % 12  # 11-1pm begins in the morning
    last, zone = _zone(text, ends)
    bare_h = (match["aclock"] or "").lower() == "h" and not match["lead"]
    sure = bool(half) or bool(match["aclock"] and not bare_h) or (colon and bool(match["lead"]))
    minute = int(match["aminute"] or match["aafter"] or 0)
    return Time(match.start(), last, dt.time(start, minute), end, zone, sure, guessed)


def _is_time(match: re.Match[str], after: str, marked: bool, colon: bool, ranged: bool) -> bool:
    """Whether the number is a time: it is written as one, or a word before it says so and nothing behind denies it."""
    lead = (match["lead"] or "").strip().lower()
    if not (marked or colon or lead) or (match["asign"] == "." and not (marked or lead)):
        return False
    if match["ahour"].isalpha() and not (lead or match["aclock"]):
        return False
    if match["ahalf"] and not 1 <= int(_number(match["ahour"]) or 0) <= 12:
        return False
    if not marked and _NOT_A_TIME_AFTER.match(after):
        return False
    return bool(lead not in {"de", "from", "von", "ab"} or marked or colon or ranged)


def _end_of(match: re.Match[str], start: int, half: str | None, part: str | None, guessed: bool) -> dt.time:
    """The end of a range; where its begin was taken for the afternoon, so is it."""
    hour = (_number(match["bhour"]) or 0) % 24
    until, _ = _in_day(hour, match["bhalf"] or half, part, ambiguous=guessed and hour <= 12)
    if guessed and until < start:
        until = (until + 12) % 24
    return dt.time(until, int(match["bminute"] or match["bafter"] or 0))


def _is_range(match: re.Match[str]) -> bool:
    """Whether the second number is the end of the first: both written alike, or parted by a word or dash for it."""
    dash = match["dash"].lower()
    marked = match["bhalf"] or match["bclock"] or match["bminute"] or match["aclock"] or match["ahalf"]
    if dash in {"and", "und", "et", "y"}:
        lead = (match["lead"] or "").strip().lower()
        return lead in {"between", "zwischen", "entre"}
    if dash in {"à", "a"}:
        return bool(marked)
    return bool(marked) or bool(match["lead"])


def _half_hour(hour: int, half: str) -> int:
    return hour % 12 + (12 if half.lower().startswith("p") else 0)


def _in_day(hour: int, half: str | None, part: str | None, *, ambiguous: bool) -> tuple[int, bool]:
    """The hour of the day, and whether morning or afternoon was guessed: from 1 to 6 the afternoon is meant."""
    if half:
        return _half_hour(hour, half), False
    if part and hour <= 12:
        early = re.search(r"(?i)morning|morgens|vormittags|früh|matin|mañana", part)
        return (hour % 12 if early and hour != 12 else hour if early else hour % 12 + 12), False
    if ambiguous and 1 <= hour <= 6:
        return hour + 12, True
    return hour, ambiguous and hour <= 12


def _zone(text: str, place: int) -> tuple[int, dt.tzinfo | None]:
    found = _ZONE.match(text, place)
    if found is None:
        return place, None
    if found["offset"]:
        digits = found["offset"][1:].replace(":", "")
        hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")
        offset = dt.timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if found["offset"][0] == "-" else 1)
        return found.end(), dt.timezone(offset)
    name = found["name"].lower()
    if name in ZONE_NAMES:
        return found.end(), ZoneInfo(ZONE_NAMES[name])
    return found.end(), dt.timezone(dt.timedelta(minutes=ZONES_MIN[name]))


def _number(text: str | None) -> int | None:
    if not text:
        return None
    return int(text) if text.isdigit() else NUMBERS.get(text.lower())
