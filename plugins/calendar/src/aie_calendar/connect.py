"""``aie connect calendar``: set up one calendar, tried before anything is stored; and what the doctor asks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from aie.connections import CheckContext, ConnectDesk, Connection, Finding, Level
from aie.credentials import ConnectionRecord, Credentials
from aie.errors import AieError, ConfigError
from aie_calendar.opening import CONNECTION, open_store, opened, secret_key
from aie_calendar.reading import read
from aie_calendar.settings import DEFAULT_FOLDER, DEFAULT_NAME, CalendarSettings, OneCalendar, is_beside
from aie_calendar.store import Store

PROVIDERS = ("ics", "ics_url", "caldav", "google")
LOOK_AHEAD = timedelta(days=31)


def calendar_connection(settings: CalendarSettings) -> Connection:
    """The connection of all calendars that need one."""
    return Connection(
        name=CONNECTION,
        connect=_connect,
        check=_check,
        used=lambda settings: any(one.provider != "ics" for one in settings.all.values()),
        summary="calendars on servers and feeds",
        touches=settings.places(),
    )


@dataclass(frozen=True, slots=True)
class Trial:
    """The calendar that is being set up, as if it were set up; the secrets are not stored yet."""

    settings: CalendarSettings
    vault: Path
    timezone: ZoneInfo
    credentials: Any


@dataclass(frozen=True, slots=True)
class Pending:
    """Credentials with secrets that are only tried."""

    stored: Credentials
    secrets: Mapping[str, str]

    def get(self, key: str) -> str | None:
        return self.secrets.get(key) or self.stored.get(key)

    def require(self, key: str) -> str:
        return self.secrets.get(key) or self.stored.require(key)

    def of(self, name: str) -> Pending | Credentials:
        return self if name == CONNECTION else self.stored.of(name)


async def _connect(desk: ConnectDesk) -> None:
    settings: CalendarSettings = desk.settings
    known = next((name for name, one in settings.calendars.items() if one.provider != "ics"), "")
    name = desk.ask("name", "What should aie call this calendar?", default=known or "work")
    before = settings.calendars.get(name)
    provider = desk.ask(
        "provider",
        "What kind is it? ics: a folder of .ics files; ics_url: a subscription; caldav: Nextcloud, iCloud, "
        "Fastmail and others; google",
        default=before.provider if before else "caldav",
        choices=PROVIDERS,
    )
    fields, secrets = await _ASK[provider](desk, name, before)
    fields = {"provider": provider, **fields}
    trial = _trial(desk, name, fields, secrets)
    if provider == "caldav":
        fields |= await _which_of_the_server(desk, trial, name, fields)
        trial = _trial(desk, name, fields, secrets)
    count = await _try(trial, name, desk.now)
    desk.say(f"It works: {_entries(count)} in the next {LOOK_AHEAD.days} days.")
    where = _save(desk, name, provider, fields, secrets)
    if secrets:
        desk.say(f"Stored in {where}.")
    desk.keep_settings(_new_settings(settings, desk.vault, name, fields))


def _trial(desk: ConnectDesk, name: str, fields: Mapping[str, Any], secrets: Mapping[str, str]) -> Trial:
    try:
        one = OneCalendar.model_validate(fields)
        settings = desk.settings.model_copy(update={"calendars": {name: one}, "calendar": ""})
        CalendarSettings.model_validate({"calendars": {name: fields}})
    except ValidationError as error:
        said = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(said, where=f"[plugins.calendar.calendars.{name}]", hint="start again") from None
    return Trial(settings, desk.vault, desk.timezone, Pending(desk.credentials, secrets))


async def _try(trial: Trial, name: str, now: datetime) -> int:
    """How many entries there are soon; an error in plain words when the calendar cannot be read."""
    try:
        async with opened(trial, name) as store:
            objects = await store.window(now, now + LOOK_AHEAD)
    except ConfigError:
        raise
    except AieError as error:
        raise ConfigError(error.message, where=error.where or name, hint=error.hint or "try again later") from None
    readings = [await asyncio.to_thread(read, stored.data, trial.timezone) for stored in objects]
    broken = next((reading for reading in readings if not reading.usable), None)
    if broken is not None and not any(reading.series for reading in readings):
        raise ConfigError(
            f"what is there {broken.problems['']}", where=name, hint="copy the address of the iCal (.ics) form"
        )
    return sum(len(reading.series) for reading in readings)


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"


def _save(desk: ConnectDesk, name: str, provider: str, fields: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    if provider == "ics":
        return ""
    record = desk.credentials.record or ConnectionRecord()
    details = {**record.details, name: str(fields.get("user") or fields.get("calendar_id") or provider)}
    account = ", ".join(f"{one}: {whose}" for one, whose in details.items())
    new = replace(record, account=account, connected_at=desk.now, trouble="", details=details)
    return desk.credentials.save(dict(secrets), new)


def _new_settings(settings: CalendarSettings, vault: Path, name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The calendar's table. The folder that was the calendar before any was set up stays one, if it is in use."""
    tables: dict[str, Any] = {}
    if not settings.calendars and name != DEFAULT_NAME and (vault / DEFAULT_FOLDER).is_dir():
        tables[DEFAULT_NAME] = {"provider": "ics"}
    tables[name] = dict(fields)
    new: dict[str, Any] = {"calendars": tables}
    if not settings.calendar and not settings.calendars and fields["provider"] != "ics_url":
        new["calendar"] = name
    return new


# --- what each kind needs ----------------------------------------------------------------------------------------


async def _ask_ics(desk: ConnectDesk, name: str, before: OneCalendar | None) -> tuple[dict[str, Any], dict[str, str]]:
    folder = desk.ask("folder", "Which folder?", default=before.folder if before else DEFAULT_FOLDER)
    if is_beside(folder) and not await asyncio.to_thread(_is_folder, folder):
        raise ConfigError(f"there is no folder {folder!r}", where="folder", hint="make it, or name another")
    return {"folder": folder}, {}


def _is_folder(path: str) -> bool:
    return Path(path).expanduser().is_dir()


async def _ask_ics_url(
    desk: ConnectDesk, name: str, before: OneCalendar | None
) -> tuple[dict[str, Any], dict[str, str]]:
    desk.say(
        "Google: Settings → your calendar → 'Secret address in iCal format'. Outlook: Settings → Shared calendars → "
        "Publish. Whoever has such an address can read the calendar, so it is stored like a password."
    )
    address = desk.ask("address", "The address of the calendar", secret=True)
    if not address.startswith(("https://", "http://", "webcal://")):
        raise ConfigError("that is no address", where="address", hint="it begins with https:// or webcal://")
    return {}, {secret_key(name, "address"): address}


async def _ask_caldav(
    desk: ConnectDesk, name: str, before: OneCalendar | None
) -> tuple[dict[str, Any], dict[str, str]]:
    desk.say(
        "iCloud: https://caldav.icloud.com · Fastmail: https://caldav.fastmail.com · Nextcloud: "
        "https://YOUR.SERVER/remote.php/dav. Most want an app password. (Google: choose google instead.)"
    )
    url = desk.ask("url", "The server's address", default=before.url if before else "")
    user = desk.ask("user", "User name", default=before.user if before else "")
    password = desk.ask("password", "(App) password", secret=True)
    return {"url": url, "user": user}, {secret_key(name, "password"): password}


async def _which_of_the_server(desk: ConnectDesk, trial: Trial, name: str, fields: Mapping[str, Any]) -> dict[str, str]:
    """The calendar that is meant, where the server has several."""
    store: Any = open_store(trial, name)
    try:
        names: list[str] = await store.names()
    except ConfigError:
        raise
    except AieError as error:
        raise ConfigError(error.message, where=error.where or name, hint=error.hint or "check the address") from None
    finally:
        await store.aclose()
    if len(names) < 2:
        return {}
    return {"calendar_id": desk.ask("calendar_id", "Which calendar?", default=names[0], choices=names)}


async def _ask_google(
    desk: ConnectDesk, name: str, before: OneCalendar | None
) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        from aie.oauth import authorize  # noqa: PLC0415 - an extra
        from aie_calendar.google_store import google_credentials, google_service  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(
            f"Google calendars need {error.name}, which is not installed",
            where="provider = google",
            hint="pip install 'aie-calendar[google]'",
        ) from None
    secrets: dict[str, str] = {}
    shared = google_credentials(desk.credentials)
    if shared is not None and shared.name != CONNECTION:
        desk.say(f"aie has access to a Google account already (connection {shared.name}); it is used.")
    else:
        desk.say(
            "Google wants a project of your own: console.cloud.google.com → enable the Google Calendar API → OAuth "
            "client of the type 'Desktop app' → publish it ('In production', or access ends after 7 days)."
        )
        secrets["client_id"] = desk.ask("client_id", "Client ID", default=desk.credentials.get("client_id") or "")
        secrets["client_secret"] = desk.ask("client_secret", "Client secret", secret=True)
        service = google_service(desk.settings)
        token = await authorize(desk, service, secrets["client_id"], secrets["client_secret"])
        if "refresh_token" not in token:
            raise ConfigError(
                "Google gave access that ends within the hour",
                where="Google",
                hint="take aie's access away at myaccount.google.com/permissions, then connect again",
            )
        secrets["token"] = json.dumps(token)
    wanted = desk.ask(
        "calendar_id", "Which calendar? Its id, or 'primary'", default=(before and before.calendar_id) or "primary"
    )
    return {"calendar_id": wanted}, secrets


_ASK = {"ics": _ask_ics, "ics_url": _ask_ics_url, "caldav": _ask_caldav, "google": _ask_google}


# --- the doctor --------------------------------------------------------------------------------------------------


async def _check(context: CheckContext) -> Sequence[Finding]:
    """Whether each calendar can be read right now."""
    return await asyncio.gather(*(_check_one(context, name) for name in context.settings.all))


async def _check_one(context: CheckContext, name: str) -> Finding:
    try:
        async with opened(context, name) as store:
            await _asked(store, context.now)
    except AieError as error:
        return Finding(Level.FAIL, f"{name}: {error.message}", error.hint)
    return Finding(Level.OK, f"{name} can be read")


async def _asked(store: Store, now: datetime) -> None:
    await store.window(now, now + timedelta(days=1))
