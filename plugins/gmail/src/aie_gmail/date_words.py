"""The words that dates and times are written with, in English, German, French and Spanish."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def _table(rows: Mapping[int, str]) -> dict[str, int]:
    return {word: number for number, words in rows.items() for word in words.split()}


WEEKDAYS = _table(
    {
        0: "monday montag lundi lunes",
        1: "tuesday dienstag mardi martes",
        2: "wednesday mittwoch mercredi miércoles miercoles",
        3: "thursday donnerstag jeudi jueves",
        4: "friday freitag vendredi viernes",
        5: "saturday samstag sonnabend samedi sábado sabado",
        6: "sunday sonntag dimanche domingo",
    }
)
SHORT_WEEKDAYS = _table(
    {
        0: "mon mo lun",
        1: "tue tues di mar",
        2: "wed mi mer mié",
        3: "thu thur thurs do jeu jue",
        4: "fri fr ven vie",
        5: "sat sa sam sáb",
        6: "sun so dim dom",
    }
)
MONTHS = _table(
    {
        1: "january jan januar jänner janvier janv enero ene",
        2: "february feb februar février fevrier févr febrero",
        3: "march mar märz maerz mars marzo",
        4: "april apr avril avr abril abr",
        5: "may mai mayo",
        6: "june jun juni juin junio",
        7: "july jul juli juillet juil julio",
        8: "august aug août aout agosto ago",
        9: "september sep sept septembre septiembre",
        10: "october oct oktober okt octobre octubre",
        11: "november nov novembre noviembre",
        12: "december dec dezember dez décembre decembre déc diciembre dic",
    }
)
DAYS_AHEAD = {
    "day after tomorrow": 2,
    "übermorgen": 2,
    "uebermorgen": 2,
    "après-demain": 2,
    "après demain": 2,
    "pasado mañana": 2,
    "tomorrow": 1,
    "tomorow": 1,
    "morgen": 1,
    "demain": 1,
    "mañana": 1,
    "today": 0,
    "heute": 0,
    "aujourd'hui": 0,
    "aujourd’hui": 0,
    "hoy": 0,
    "tonight": 0,
    "this morning": 0,
    "this afternoon": 0,
    "this evening": 0,
    "cet après-midi": 0,
    "ce soir": 0,
    "esta tarde": 0,
    "esta noche": 0,
}
EVENINGS = frozenset({"tonight", "this evening", "ce soir", "esta noche"})
NUMBERS = _table(
    {
        1: "one a an ein eine einer einem einen eins un une una uno",
        2: "two zwei zwo deux dos",
        3: "three drei trois tres",
        4: "four vier quatre cuatro",
        5: "five fünf fuenf cinq cinco",
        6: "six sechs seis",
        7: "seven sieben sept siete",
        8: "eight acht huit ocho",
        9: "nine neun neuf nueve",
        10: "ten zehn dix diez",
        11: "eleven elf onze once",
        12: "twelve zwölf zwoelf douze doce",
    }
)
UNITS = {
    **dict.fromkeys(("minute", "minutes", "min", "minuten", "minuto", "minutos"), "minutes"),
    **dict.fromkeys(("hour", "hours", "stunde", "stunden", "heure", "heures", "hora", "horas"), "hours"),
    **dict.fromkeys(("day", "days", "tag", "tage", "tagen", "jour", "jours", "día", "días", "dia", "dias"), "days"),
    **dict.fromkeys(("week", "weeks", "woche", "wochen", "semaine", "semaines", "semana", "semanas"), "weeks"),
}
ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
NOON = "noon midday mittag mittags midi mediodía mediodia"
MIDNIGHT = "midnight mitternacht minuit medianoche"
ZONES_MIN = {  # minutes east of Greenwich, of names that mean one thing to most
    **{"utc": 0, "gmt": 0, "z": 0, "wet": 0, "bst": 60, "west": 60, "cet": 60, "mez": 60, "cest": 120, "mesz": 120},
    **{"eet": 120, "eest": 180, "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420, "mdt": -360},
    **{"pst": -480, "pdt": -420},
}
ZONE_NAMES = {  # those that mean the time of day that is in force there
    **{"pt": "America/Los_Angeles", "mt": "America/Denver", "ct": "America/Chicago", "et": "America/New_York"},
    **{"pacific": "America/Los_Angeles", "eastern": "America/New_York", "uk time": "Europe/London"},
}


def any_of(words: Iterable[str]) -> str:
    """A pattern for any of the words, the longest first."""
    return "|".join(sorted((word.replace(" ", "[ ]") for word in words), key=len, reverse=True))
