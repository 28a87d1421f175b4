"""``aie connect odoo``: ask, try it live, store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from aie.connections import ConnectDesk, Connection, Finding, Level
from aie.credentials import ConnectionRecord
from aie.errors import ActionError, ConfigError
from aie_odoo import wire
from aie_odoo.checking import check, examine, signed_in_as
from aie_odoo.client import Odoo, Session, http_client
from aie_odoo.faults import DatabaseError
from aie_odoo.settings import OdooSettings, server_address

UNKNOWN, NEVER = "unknown", "never"


def odoo_connection(settings: OdooSettings) -> Connection:
    """The one connection of this plugin."""
    return Connection(
        "odoo",
        connect,
        check=check,
        used=lambda settings: bool(settings.url),
        summary="invoices, payments and expenses in Odoo",
        touches=settings.servers,
    )


async def connect(desk: ConnectDesk) -> None:
    """Ask for server, database, user and key; store them once they work."""
    try:
        settings, secret = await _asked(desk)
        async with Odoo(settings).session_with(secret) as session:
            settings = await _narrowed(desk, session, settings)
        odoo = Odoo(settings)  # afresh: the company may be another now
        async with odoo.session_with(secret) as session:
            found = await examine(session, settings)
            expires = await _expiry(desk, session)
            company = await session.company()
            details = {
                "version": session.version[1],
                "protocol": "JSON-2" if session.json2 else "XML-RPC",
                "company": company.name,
                "currency": company.currency.name,
            }
            desk.say(signed_in_as(session, settings))
    except DatabaseError as error:
        raise ConfigError(error.message, where=error.where, hint="write its name as the login page shows it") from None
    except ActionError as error:
        raise ConfigError(error.message, where=error.where, hint=error.hint) from None
    _say(desk, found)
    _keep(desk, settings, secret, expires, details)


async def _asked(desk: ConnectDesk) -> tuple[OdooSettings, str]:
    settings: OdooSettings = desk.settings
    try:
        url = server_address(desk.ask("url", "Address of your Odoo, as the browser shows it", default=settings.url))
    except ValueError as error:
        raise ConfigError(str(error), where="url", hint="for example https://odoo.example.com") from None
    if not url:
        raise ConfigError("there is no address to connect to", where="url", hint="for example https://odoo.example.com")
    async with http_client(settings, url) as http:
        version = await wire.version_of(http)
        there = await wire.databases(http)
    desk.say(f"Odoo {version[1]} answers there.")
    usual = settings.database if settings.database in there or not there else there[0] if len(there) == 1 else ""
    database = desk.ask("database", "Which database", default=usual, choices=there)
    if not database:
        raise ConfigError("there is no database to connect to", where="database", hint="the login page shows its name")
    user = desk.ask("user", "Login of the user that aie works as", default=settings.user)
    secret = desk.ask("api_key", "API key of that user, or the password", secret=True)
    return settings.model_copy(update={"url": url, "database": database, "user": user, "company_id": None}), secret


async def _narrowed(desk: ConnectDesk, session: Session, settings: OdooSettings) -> OdooSettings:
    """The settings with the user that the key belongs to, and with a company where there are several."""
    changes: dict[str, Any] = {}
    if session.json2:
        (user,) = await session.read("res.users", [session.uid], ["login"])
        if user["login"] != settings.user:
            desk.say(f"That key belongs to {user['login']}.")
            changes["user"] = user["login"]
    companies = await session.search_read("res.company", [], ["name"])
    if len(companies) > 1:
        own = await session.company()
        names = [row["name"] for row in companies]
        name = desk.ask("company", "Which company", default=own.name, choices=names)
        changes["company_id"] = companies[names.index(name)]["id"]
    return settings.model_copy(update=changes)


async def _expiry(desk: ConnectDesk, session: Session) -> dt.datetime | None:
    """When the key ends: as Odoo tells it where the user has only one, else as the person says."""
    if not session.json2:
        return None
    told = await _told_expiry(session)
    if told is None:
        answer = desk.ask("expires", f"When does the key end (YYYY-MM-DD, {NEVER})", default=UNKNOWN)
        if answer in (NEVER, UNKNOWN):
            return None
        told = answer
    try:
        return dt.datetime.fromisoformat(told[:10]).replace(tzinfo=dt.UTC)
    except ValueError:
        raise ConfigError(f"{told!r} is not a day", where="expires", hint="write it like 2026-05-31") from None


async def _told_expiry(session: Session) -> str | None:
    try:
        keys = await session.search_read("res.users.apikeys", [["user_id", "=", session.uid]], ["expiration_date"])
    except ActionError:  # not readable for this user, or no such field: it is only a convenience
        return None
    return str(keys[0]["expiration_date"]) if len(keys) == 1 and keys[0]["expiration_date"] else None


def _say(desk: ConnectDesk, found: list[Finding]) -> None:
    for one in found:
        if one.level is Level.OK:
            desk.say(f"{one.message[:1].upper()}{one.message[1:]}.")
        else:
            desk.say(f"Note: {one.message}. {one.hint[:1].upper()}{one.hint[1:]}.")


def _keep(
    desk: ConnectDesk, settings: OdooSettings, secret: str, expires: dt.datetime | None, details: Mapping[str, Any]
) -> None:
    kept: dict[str, Any] = {"url": settings.url, "database": settings.database, "user": settings.user}
    if settings.company_id is not None or desk.settings.company_id is not None:
        kept["company_id"] = settings.company_id
    desk.keep_settings(kept)
    account = f"{settings.user} at {settings.database}"
    place = desk.credentials.save(
        {"api_key": secret}, ConnectionRecord(account, connected_at=desk.now, expires_at=expires, details=details)
    )
    desk.say(f"The key is kept in {place}.")
