"""The connection: consent in a browser or a pasted token, tried live, and how it stands."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from aie.connections import CheckContext, ConnectDesk, Connection, Finding, Level
from aie.credentials import ConnectionRecord
from aie.errors import ActionError, ConfigError
from aie.oauth import OAuthService, authorize
from aie_linkedin import versions
from aie_linkedin.answers import JUST_MADE, PRODUCTS, TokenError
from aie_linkedin.api import Api, Person, api_at
from aie_linkedin.settings import LinkedinSettings

MEMBER_SCOPES = ("openid", "profile", "email", "w_member_social")
PAGE_SCOPES = ("w_organization_social", "r_organization_social")
SETTLES_WITHIN_S = 15.0  # LinkedIn's servers may not know a token for some seconds after it was made
SOON_DAYS = 14
PORTAL = "https://www.linkedin.com/developers/apps"


@dataclass(frozen=True, slots=True)
class Grant:
    """A token, and what LinkedIn says of it: until when, and for what; None where it does not say."""

    token: str
    expires_at: datetime | None
    scopes: tuple[str, ...] | None


async def connect(desk: ConnectDesk) -> None:
    """Ask, try, store."""
    settings: LinkedinSettings = desk.settings
    redirect = f"http://localhost:{settings.redirect_port}/callback"
    desk.say(
        f"You need an app of your own at {PORTAL}, with the products “{PRODUCTS['w_member_social']}” and "
        f"“{PRODUCTS['openid']}”. Its page Auth has the client id and secret; put {redirect} there as an authorized "
        "redirect URL. Or make a token there (OAuth 2.0 tools) and paste it."
    )
    how = await _ask(desk, "how", "In the browser, or with a token?", default="browser", choices=("browser", "token"))
    if how == "browser":
        client_id = await _ask(desk, "client_id", "Client id")
        client_secret = await _ask(desk, "client_secret", "Client secret", secret=True)
        pages = await _ask(desk, "pages", "May the app post as company pages too?", default="no", choices=("no", "yes"))
        grant = await _consented(desk, settings, client_id, client_secret, pages=pages == "yes")
    else:
        token = await _ask(desk, "access_token", "Token", secret=True)
        client_id = await _ask(desk, "client_id", "Client id, to look up when the token ends (or nothing)")
        client_secret = await _ask(desk, "client_secret", "Client secret", secret=True) if client_id else ""
        grant = Grant(token, None, None)
        if client_id:
            grant = await introspected(settings, client_id, client_secret, token)
    _refuse_missing(grant)
    async with httpx2.AsyncClient(timeout=settings.timeout_s) as http:
        person = await _person(api_at(desk, http, grant.token), SETTLES_WITHIN_S)
    where = desk.credentials.save(
        {"access_token": grant.token, "client_id": client_id or None, "client_secret": client_secret or None},
        ConnectionRecord(
            account=person.name or person.urn,
            connected_at=desk.now,
            expires_at=grant.expires_at,
            scopes=grant.scopes or (),
            details={"author": person.urn},
        ),
    )
    desk.say(f"Posts will be made as {person.name or 'you'} ({person.urn}). The token is stored in {where}.")
    if grant.expires_at is not None:
        day = f"{grant.expires_at.astimezone(desk.timezone):%Y-%m-%d}"
        desk.say(
            f"LinkedIn's permission ends on {day}: connect anew before. A note reminds you 14, 7 and 1 days ahead."
        )
    else:
        desk.say(
            "When the token ends is not known: LinkedIn's last 60 days. Connect with the client id to have it counted."
        )


async def check(context: CheckContext) -> Sequence[Finding]:
    """Whether LinkedIn accepts the token now, as whom, until when, and with which version."""
    if context.credentials.get("access_token") is None:
        return [Finding(Level.WARN, "not connected", "aie connect linkedin")]
    try:
        async with httpx2.AsyncClient(timeout=min(context.settings.timeout_s, 8)) as http:
            token = context.credentials.require("access_token")
            person = await _person(api_at(context, http, token), 0)
    except ConfigError as error:
        return [Finding(Level.FAIL, error.message, error.hint)]
    record = context.credentials.record
    version = versions.remembered(context.cache_dir) or "not used yet"
    findings = [Finding(Level.OK, f"works, as {person.name or person.urn}; API version {version}")]
    if record is None or record.expires_at is None:
        hint = "connect with the app's client id and secret to have it counted"
        findings.append(Finding(Level.WARN, "nobody knows when the token ends; LinkedIn's last 60 days", hint))
    elif record.expires_at - context.now > timedelta(days=SOON_DAYS):  # the doctor itself says so when it is sooner
        days = (record.expires_at - context.now).days
        day = f"{record.expires_at.astimezone(context.timezone):%Y-%m-%d}"
        findings.append(Finding(Level.OK, f"the permission ends on {day}, in {days} days"))
    return findings


async def introspected(settings: LinkedinSettings, client_id: str, client_secret: str, token: str) -> Grant:
    """What LinkedIn says of a token; ConfigError if it is not in force."""
    url = f"{settings.oauth_url}/introspectToken"
    form = {"client_id": client_id, "client_secret": client_secret, "token": token}
    try:
        async with httpx2.AsyncClient(timeout=settings.timeout_s) as http:
            answer = await http.post(url, data=form)
        data: Any = answer.json() if answer.is_success else {}
    except (httpx2.HTTPError, ValueError) as error:
        raise ConfigError(f"LinkedIn cannot be asked about the token ({type(error).__name__})", where=url) from None
    if not answer.is_success:
        hint = "check the client id and secret; the token must have been made for that app"
        raise ConfigError(f"LinkedIn says nothing about the token ({answer.status_code})", where=url, hint=hint)
    if not data.get("active"):
        status = str(data.get("status") or "not active")
        raise ConfigError(f"the token is {status}", where="access_token", hint=f"make a new one at {PORTAL}")
    ends = data.get("expires_at")
    return Grant(token, datetime.fromtimestamp(int(ends), UTC) if ends else None, _scopes(data.get("scope")))


async def _consented(
    desk: ConnectDesk, settings: LinkedinSettings, client_id: str, client_secret: str, *, pages: bool
) -> Grant:
    service = OAuthService(
        authorize_url=f"{settings.oauth_url}/authorization",
        token_url=f"{settings.oauth_url}/accessToken",
        scopes=(*MEMBER_SCOPES, *(PAGE_SCOPES if pages else ())),
        redirect_port=settings.redirect_port,
        redirect_host="localhost",
        pkce=False,  # LinkedIn takes it only from apps it has enabled for that
    )
    try:
        token = await authorize(desk, service, client_id, client_secret)
    except ConfigError as error:
        if "user_cancelled" in error.message:
            hint = "start again, and agree to what LinkedIn shows"
            raise ConfigError("LinkedIn's page was left without agreeing", where="LinkedIn", hint=hint) from None
        named = [PRODUCTS[scope] for scope in PRODUCTS if re.search(rf"\b{scope}\b", error.message)]
        if "scope" not in error.message or not named:
            raise
        hint = f"add the product {named[0]!r} to the app at {PORTAL} (page Products), then try again"
        if pages and not any(re.search(rf"\b{scope}\b", error.message) for scope in MEMBER_SCOPES):
            hint += "; or do without company pages, because LinkedIn grants that one on application"
        raise ConfigError(error.message, where=error.where, hint=hint) from None
    ends = token.get("expires_at")
    return Grant(
        str(token.get("access_token") or ""),
        datetime.fromtimestamp(int(ends), UTC) if ends else None,
        _scopes(token.get("scope")),
    )


async def _person(api: Api, settle_s: float) -> Person:
    """Whose token it is. One that was just made may be refused for some seconds."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + settle_s
    while True:
        try:
            return await api.person()
        except TokenError as error:
            if error.code != JUST_MADE or loop.time() >= give_up_at:
                raise ConfigError(
                    f"{error.message}", where="access_token", hint=f"make a new token at {PORTAL}"
                ) from None
        except ActionError as error:
            raise ConfigError(error.message, where=error.where, hint=error.hint) from None
        await asyncio.sleep(1)


def _refuse_missing(grant: Grant) -> None:
    """ConfigError naming the first permission that is not there, and the product that brings it."""
    if grant.scopes is None:
        return
    for scope in ("openid", "profile", "w_member_social"):
        if scope not in grant.scopes:
            raise ConfigError(
                f"the token does not have the permission {scope}",
                where="scope",
                hint=f"add the product {PRODUCTS[scope]!r} to the app at {PORTAL} (page Products), then connect anew",
            )


def _scopes(said: object) -> tuple[str, ...] | None:
    """LinkedIn separates them by commas in one place and by blanks in another."""
    words = said if isinstance(said, list) else re.split(r"[,\s]+", str(said or ""))
    return tuple(str(word) for word in words if word) or None


async def _ask(desk: ConnectDesk, key: str, question: str, **options: Any) -> str:
    return await asyncio.to_thread(desk.ask, key, question, **options)


def connection(settings: LinkedinSettings) -> Connection:
    """The connection ``linkedin``."""
    return Connection(
        "linkedin",
        connect,
        check=check,
        summary="posts as you, and as your company pages",
        touches=settings.servers,
    )
