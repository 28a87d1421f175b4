"""The table ``[plugins.calendar]`` of ``aie.toml``."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from aie.errors import ParameterError
from aie.paths import PROTECTED, path_parts
from aie.touches import Touches
from aie_calendar.times import read_time

DEFAULT_NAME = "main"
DEFAULT_FOLDER = "Calendar"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Provider = Literal["ics", "ics_url", "caldav", "google"]
Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
MINUTES = Annotated[int, Field(ge=0, le=40_320)]  # four weeks
REFRESH_S: dict[str, float] = {"ics": 15, "ics_url": 600, "caldav": 60, "google": 60}
_HOURS = re.compile(r"\s*(\S+)\s*-\s*(\S+)\s*")


def hours(text: str) -> tuple[time, time]:
    """``09:00-17:00`` as two times of day; ValueError, as a sentence."""
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:80]!r} is no span of hours; write it such as '09:00-17:00'")
    first, last = read_time(found[1]), read_time(found[2])
    if first >= last:
        raise ValueError(f"{text!r} ends before it begins; write it such as '09:00-17:00'")
    return first, last


def _checked_hours(text: str) -> str:
    hours(text)
    return text


Hours = Annotated[str, AfterValidator(_checked_hours)]


class OneCalendar(BaseModel):
    """One calendar: where it is, and when it makes events."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: Provider = Field(
        default="ics",
        description="ics: a folder of .ics files; ics_url: a subscription, read only; caldav: Nextcloud, iCloud, "
        "Fastmail and others; google: Google Calendar",
    )
    folder: str = Field(
        default=DEFAULT_FOLDER, description="ics: the folder, relative to the vault, or a whole path to one beside it"
    )
    url: str = Field(
        default="", description="ics_url: the feed, if it may stand here; caldav: the server or the calendar itself"
    )
    address: SecretStr | None = Field(
        default=None, description="ics_url: a private address; aie connect calendar stores it outside the vault"
    )
    user: str = Field(default="", description="caldav: the user name")
    password: SecretStr | None = Field(
        default=None, description="caldav: the (app) password; aie connect calendar stores it outside the vault"
    )
    calendar_id: str = Field(
        default="", description="caldav: the calendar's name when there are several; google: its id, else 'primary'"
    )
    notify_guests: Literal["none", "all", "externalOnly"] = Field(
        default="none", description="google: whether Google tells attendees about what aie makes, changes and cancels"
    )
    read_only: bool = Field(default=False, description="workflows may read it and not write to it")
    refresh_s: float | None = Field(
        default=None, ge=1, le=86_400, description="seconds between two looks; without it 15 for files, 60, or 600"
    )
    minutes_before: list[MINUTES] = Field(
        default=[0], description="when calendar_event is emitted: minutes before the start; 0 is at the start"
    )
    at_end: bool = Field(default=False, description="emit calendar_event at the end, too")
    from_alarms: bool = Field(default=False, description="an entry's own reminders are times for calendar_event, too")
    categories: dict[str, list[MINUTES]] = Field(
        default={}, description="minutes before the start for entries of a category, instead of minutes_before"
    )
    max_size_mb: float = Field(default=10, gt=0, le=200, description="larger files and feeds are not read")
    max_events: int = Field(default=20_000, ge=1, le=200_000, description="more entries than this are not looked at")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.provider == "ics":
            _check_folder(self.folder)
        if self.provider == "caldav" and not (self.url and self.user):
            raise ValueError("caldav needs url and user; aie connect calendar asks for them")
        if self.url and not re.match(r"(https?|webcal)://[^\s/]", self.url):
            raise ValueError(f"url is no address: {self.url[:80]!r}; it begins with https://")
        return self

    @property
    def writable(self) -> bool:
        return not self.read_only and self.provider != "ics_url"

    @property
    def look_every_s(self) -> float:
        return self.refresh_s or REFRESH_S[self.provider]

    @property
    def max_bytes(self) -> int:
        return int(self.max_size_mb * 1_000_000)


def _check_folder(folder: str) -> None:
    if is_beside(folder):
        return
    try:
        path_parts(folder)
    except ParameterError as error:
        raise ValueError(f"folder: {error}; {error.hint}") from None
    protected = next((name for name in PROTECTED if folder.casefold() == name.casefold()), "")
    if protected:
        raise ValueError(f"the folder {folder!r} is aie's own; choose another, such as {DEFAULT_FOLDER!r}")


def is_beside(folder: str) -> bool:
    """Whether a folder is named by a whole path, and not by its place in the vault."""
    return folder.startswith(("/", "~")) or bool(re.match(r"[A-Za-z]:[\\/]", folder))


class CalendarSettings(BaseModel):
    """Which calendars there are, and what holds for all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    calendars: dict[str, OneCalendar] = Field(
        default={},
        description="the calendars by name, each a table of its own; without any: 'main', the folder Calendar",
    )
    calendar: str = Field(default="", description="the one that is meant when a workflow names none")
    default_minutes: int = Field(default=60, ge=1, le=1440, description="how long an appointment is if nobody says")
    grace_minutes: int = Field(
        default=10, ge=0, le=10_080, description="how long after the start calendar_event is still emitted, as late"
    )
    working_hours: Hours = Field(default="09:00-17:00", description="when find_free_time looks for free time")
    working_days: list[Day] = Field(
        default=["monday", "tuesday", "wednesday", "thursday", "friday"], description="and on which days"
    )
    google_api: str = Field(default="https://www.googleapis.com/calendar/v3", description="where Google Calendar is")
    google_authorize_url: str = Field(
        default="https://accounts.google.com/o/oauth2/v2/auth", description="where Google asks for consent"
    )
    google_token_url: str = Field(
        default="https://oauth2.googleapis.com/token", description="where Google renews its tokens"
    )

    @model_validator(mode="after")
    def _named(self) -> Self:
        for name in self.calendars:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
                raise ValueError(
                    f"{name!r} cannot be the name of a calendar; use lower-case letters, digits and underscores"
                )
        if self.calendar and self.calendar not in self.all:
            raise ValueError(f"calendar names {self.calendar!r}, and there is only {', '.join(self.all)}")
        if self.calendar and not self.all[self.calendar].writable:
            raise ValueError(f"calendar names {self.calendar!r}, which can only be read")
        return self

    @property
    def all(self) -> dict[str, OneCalendar]:
        """Every calendar by name; the default one when none is set up."""
        return self.calendars or {DEFAULT_NAME: OneCalendar()}

    def places(self, *, to_write: bool = False) -> Touches:
        """Where the calendars are, or those of them that can be written to."""
        places = Touches()
        for name, one in self.all.items():
            if one.writable or not to_write:
                places |= self._place(name, one)
        return places

    def _place(self, name: str, one: OneCalendar) -> Touches:
        if one.provider == "ics":
            return Touches(folders=(one.folder,))
        if one.provider == "google":
            return Touches.at(self.google_api, self.google_token_url)
        return Touches.at(one.url or f"the server of the calendar {name}")  # its address is a secret

    @property
    def look_every_s(self) -> float:
        """How often there is a calendar to look at."""
        return min(one.look_every_s for one in self.all.values())

    @property
    def usual(self) -> str:
        """The calendar that is written to when nobody says which; '' when all can only be read."""
        return self.calendar or next((name for name, one in self.all.items() if one.writable), "")
