"""``aie connect gmail``: ask for what is needed, try it, store it; and the look at it that ``aie doctor`` takes."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from aie.connections import CheckContext, ConnectDesk, Connection, Finding, Level
from aie.credentials import ConnectionRecord
from aie.errors import AieError, ConfigError
from aie_gmail.addresses import normal
from aie_gmail.settings import LOOPBACK, GmailSettings

TESTING_NOTE = (
    "Google ends this access in seven days, because the consent screen is in Testing. Publish it (In production), "
    "then connect anew; otherwise aie connect gmail is due every week."
)


class Provider(NamedTuple):
    """Where a provider's servers are."""

    imap: tuple[str, int, str]
    smtp: tuple[str, int, str]


GOOGLE = Provider(("imap.gmail.com", 993, "tls"), ("smtp.gmail.com", 465, "tls"))
APPLE = Provider(("imap.mail.me.com", 993, "tls"), ("smtp.mail.me.com", 587, "starttls"))
PROVIDERS = {
    **dict.fromkeys(("gmail.com", "googlemail.com"), GOOGLE),
    **dict.fromkeys(("icloud.com", "me.com", "mac.com"), APPLE),
    "fastmail.com": Provider(("imap.fastmail.com", 993, "tls"), ("smtp.fastmail.com", 465, "tls")),
    "yahoo.com": Provider(("imap.mail.yahoo.com", 993, "tls"), ("smtp.mail.yahoo.com", 465, "tls")),
}


def connection(settings: GmailSettings) -> Connection:
    """The connection ``gmail``."""
    return Connection(
        name="gmail",
        connect=connect,
        check=check,
        used=lambda now: bool(now is not None and now.address),
        summary="the mailbox that mail is read from and sent with",
        touches=settings.servers,
    )


async def connect(desk: ConnectDesk) -> None:
    """Ask, try, store."""
    kind = desk.ask(
        "transport",
        "imap: with an app password, any provider. gmail_api: with Google's consent page. Which?",
        default="imap",
        choices=("imap", "gmail_api"),
    )
    if kind == "imap":
        await _with_password(desk)
    else:
        await _with_consent(desk)


# --- IMAP and SMTP -------------------------------------------------------------------------------------------------


async def _with_password(desk: ConnectDesk) -> None:
    address = normal(desk.ask("address", "Your mail address"))
    if not address:
        raise ConfigError("that is not a mail address", where="address", hint="write it as me@example.com")
    domain = address.rpartition("@")[2]
    chosen: dict[str, Any] = {"transport": "imap", "address": address}
    provider = PROVIDERS.get(domain)
    if (
        provider is None
        and desk.ask("google", "Is this address at Google (Workspace)?", default="no", choices=("yes", "no")) == "yes"
    ):
        provider = GOOGLE
    if provider is not None:
        for kind, (host, port, security) in (("imap", provider.imap), ("smtp", provider.smtp)):
            chosen |= {f"{kind}_host": host, f"{kind}_port": port, f"{kind}_security": security}
    else:
        chosen |= _asked(desk, "imap", f"imap.{domain}", 993)
        chosen |= _asked(desk, "smtp", f"smtp.{domain}", 465)
        user = desk.ask("user", "The login name, if it is not the address", default=address)
        chosen |= {"user": user} if user != address else {}
    if desk.settings is not None and desk.settings.user:
        chosen = {"user": "", **chosen}  # that of the account before
    if provider is GOOGLE:
        desk.say("Google wants an app password: https://myaccount.google.com/apppasswords (needs 2-Step Verification).")
    password = desk.ask("password", "App password" if provider else "Password", secret=True)
    if provider is not None:
        password = desk.credentials.remember("".join(password.split()))  # Google shows it in four groups
    settings = _merged(desk.settings, chosen)
    await try_imap(settings, password)
    await try_smtp(settings, password)
    desk.credentials.save({"password": password}, ConnectionRecord(account=address, connected_at=desk.now))
    desk.keep_settings(chosen)


def _asked(desk: ConnectDesk, kind: str, host: str, port: int) -> dict[str, Any]:
    """Server, port and security of one of the two."""
    name = kind.upper()
    server = desk.ask(f"{kind}_host", f"The {name} server", default=host)
    number = desk.ask(f"{kind}_port", "Its port", default=str(port))
    if not number.isdigit() or not 0 < int(number) < 65_536:
        raise ConfigError(f"{number!r} is not a port", where=f"{kind}_port", hint="write a number, such as 993")
    usual = "tls" if int(number) in (993, 465) else "starttls"
    choices = ("tls", "starttls", *(("none",) if server in LOOPBACK else ()))
    security = desk.ask(f"{kind}_security", "How it is secured", default=usual, choices=choices)
    return {f"{kind}_host": server, f"{kind}_port": int(number), f"{kind}_security": security}


def _merged(settings: GmailSettings | None, chosen: dict[str, Any]) -> GmailSettings:
    """The settings as they will be."""
    before = settings.model_dump(exclude={"password"}, exclude_defaults=True) if settings is not None else {}
    try:
        return GmailSettings.model_validate({**before, **chosen})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "gmail"
        raise ConfigError(first["msg"].removeprefix("Value error, "), where=where) from None


async def try_imap(settings: GmailSettings, password: str) -> None:
    """Log in and open the folder; raises what is wrong, for a person."""
    from aie_gmail.imap import Imap  # noqa: PLC0415 - as in plugin.py
    from aie_gmail.imap import connection as imap_connection  # noqa: PLC0415
    from aie_gmail.threads import in_thread  # noqa: PLC0415
    from aie_gmail.trouble import imap_trouble  # noqa: PLC0415

    opened: list[Imap] = []

    def work() -> None:
        with imap_connection(settings, password, opened.append) as imap:
            imap.open(settings.folder, readonly=True)

    def stop() -> None:
        for imap in opened:
            imap.cut()

    try:
        await in_thread(work, stop)
    except Exception as error:
        raise _for_person(imap_trouble(error, settings)) from error


async def try_smtp(settings: GmailSettings, password: str) -> None:
    """Log in, and send nothing; raises what is wrong, for a person."""
    from aie_gmail import smtp  # noqa: PLC0415 - as in plugin.py

    try:
        client = await smtp.connect(settings, password)
    except AieError as error:
        raise _for_person(error) from error
    client.close()


def _for_person(error: AieError) -> ConfigError:
    """While somebody waits for it, nothing is tried again by itself."""
    return ConfigError(error.message, where=error.where, hint=error.hint or "try again in a while")


# --- Gmail's API ---------------------------------------------------------------------------------------------------


async def _with_consent(desk: ConnectDesk) -> None:
    from aie.oauth import authorize  # noqa: PLC0415 - as in plugin.py
    from aie_gmail.api import MODIFY, service  # noqa: PLC0415

    desk.say(
        "In the Google Cloud console: make a project, turn on the Gmail API, make an OAuth client of the type "
        "Desktop app, and publish the consent screen (In production)."
    )
    client_id = desk.ask("client_id", "The client's id")
    client_secret = desk.ask("client_secret", "The client's secret", secret=True)
    settings = _merged(desk.settings, {"transport": "gmail_api"})
    token = await authorize(desk, service(settings), client_id, client_secret)
    if MODIFY not in str(token.get("scope", MODIFY)).split():
        raise ConfigError(
            "aie was not given access to the mail: a box was left unticked",
            where="gmail",
            hint="connect anew, tick all",
        )
    if not token.get("refresh_token"):
        raise ConfigError(
            "Google gave no lasting access",
            where="gmail",
            hint="take aie's access away at https://myaccount.google.com/connections, then connect anew",
        )
    address = await _whose(settings, token)
    ends = _ends_at(token, desk.now)
    desk.credentials.save(
        {"token": json.dumps(token), "client_id": client_id, "client_secret": client_secret},
        ConnectionRecord(account=address, connected_at=desk.now, expires_at=ends, scopes=(MODIFY,)),
    )
    desk.keep_settings({"transport": "gmail_api", "address": address})
    if ends is not None:
        desk.say(TESTING_NOTE)


def _ends_at(token: dict[str, Any], now: dt.datetime) -> dt.datetime | None:
    """When a person has to agree again: Google says so where the consent screen is in Testing."""
    seconds = token.get("refresh_token_expires_in")
    return now + dt.timedelta(seconds=int(seconds)) if isinstance(seconds, int | float) and seconds else None


async def _whose(settings: GmailSettings, token: dict[str, Any]) -> str:
    """Whose mailbox it is, asked with the new token before anything is stored."""
    import httpx2  # noqa: PLC0415 - as in plugin.py

    from aie_gmail.api import api_trouble  # noqa: PLC0415

    try:
        async with httpx2.AsyncClient(timeout=settings.timeout_s) as client:
            bearer = {"Authorization": f"Bearer {token['access_token']}"}
            answer = await client.get(f"{settings.api_url}/profile", headers=bearer)
    except httpx2.TransportError as error:
        raise ConfigError(
            f"Gmail cannot be reached: {type(error).__name__}", where=settings.api_url, hint="check the network"
        ) from error
    if answer.status_code != 200:
        raise _for_person(api_trouble(answer.status_code, answer.text, answer.headers, settings))
    return str(answer.json()["emailAddress"])


# --- the doctor ----------------------------------------------------------------------------------------------------


async def check(context: CheckContext) -> Sequence[Finding]:
    """Whether reading and sending work right now; nothing is changed."""
    settings: GmailSettings = context.settings
    if settings.transport == "gmail_api":
        return await _check_api(context)
    password = context.credentials.require("password")
    findings = []
    for what, attempt in (("reading mail", try_imap), ("sending mail", try_smtp)):
        try:
            await attempt(settings, password)
            findings.append(Finding(Level.OK, f"{what} works"))
        except AieError as error:
            findings.append(Finding(Level.FAIL, f"{what}: {error.message} ({error.where})", error.hint))
    return findings


async def _check_api(context: CheckContext) -> Sequence[Finding]:
    from aie_gmail.api import gmail_api  # noqa: PLC0415 - as in plugin.py

    try:
        async with gmail_api(context.settings, context.credentials) as api:
            profile = await api.get("/profile")
    except AieError as error:
        return [Finding(Level.FAIL, f"{error.message} ({error.where})", error.hint)]
    return [Finding(Level.OK, f"Gmail's API works for {profile.get('emailAddress', '?')}")]
