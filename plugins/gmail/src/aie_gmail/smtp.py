"""Handing a mail to an SMTP server (RFC 5321), step by step, so that it is always known whether it may have left.

Until DATA begins nothing has happened: whatever fails there can be tried again. All or nobody: when a server refuses
one of several recipients, nobody gets the mail, so that no later attempt can reach anybody twice. Once DATA has begun,
only the server's own no means no; silence means that nobody knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import re

import aiosmtplib
from aiosmtplib import SMTP

from aie.errors import ActionError, AieError, ConfigError, RetryableError, UncertainError
from aie_gmail.charsets import one_line
from aie_gmail.settings import GmailSettings
from aie_gmail.trouble import HOW_TO_GET_ONE, network_trouble, wrong_password

DAY_S = 86_400.0
_REFUSALS = (aiosmtplib.SMTPResponseException, aiosmtplib.SMTPRecipientRefused)


async def deliver(
    settings: GmailSettings, password: str, sender: str, recipients: tuple[str, ...], message: bytes
) -> str:
    """The server's last words when it took the mail."""
    client = await connect(settings, password)
    try:
        await _envelope(client, settings, sender, recipients, len(message))
        return await _data(client, settings, message)
    finally:
        with contextlib.suppress(aiosmtplib.SMTPException, OSError, asyncio.TimeoutError):
            await client.quit(timeout=0.5)
        client.close()


async def connect(settings: GmailSettings, password: str) -> SMTP:
    """A connection that is logged in."""
    client = SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        timeout=settings.timeout_s,
        use_tls=settings.smtp_security == "tls",
        start_tls=settings.smtp_security == "starttls",
    )
    try:
        await client.connect()
        if client.last_ehlo_response is None:
            await client.ehlo()
        if client.supported_auth_methods or settings.smtp_security != "none":
            await client.login(settings.login, password)
        return client
    except BaseException as error:
        client.close()
        if isinstance(error, (aiosmtplib.SMTPException, OSError)):
            raise _connecting(error, settings) from error
        raise


async def _envelope(
    client: SMTP, settings: GmailSettings, sender: str, recipients: tuple[str, ...], size_bytes: int
) -> None:
    where = _where(settings)
    options = []
    if client.supports_extension("size"):
        limit = str(client.esmtp_extensions.get("size", "")).strip()
        if limit.isdigit() and 0 < int(limit) < size_bytes:
            raise ActionError(
                f"the mail has {size_bytes} bytes, and the server takes at most {limit}", where=where, hint="send less"
            )
        options.append(f"SIZE={size_bytes}")
    refused: dict[str, aiosmtplib.SMTPResponseException] = {}
    try:
        await client.mail(sender, options=options)
        for recipient in recipients:
            try:
                await client.rcpt(recipient)
            except aiosmtplib.SMTPRecipientRefused as error:
                refused[recipient] = error
    except aiosmtplib.SMTPResponseException as error:
        raise _refusal(error, where, "the sender", [sender]) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise RetryableError(f"the connection to the mail server broke: {error}", where=where) from error
    if refused:
        worst = max(refused.values(), key=lambda error: error.code)
        raise _refusal(worst, where, "the recipient", list(refused), others=len(recipients) > len(refused))


async def _data(client: SMTP, settings: GmailSettings, message: bytes) -> str:
    where = _where(settings)
    try:
        response = await client.data(message)
    except aiosmtplib.SMTPDataError as error:
        raise _refusal(error, where, "the mail", []) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise UncertainError(
            f"the server was given the mail and did not say whether it took it: {type(error).__name__}", where=where
        ) from error
    return one_line(f"{response.code} {response.message}", 200)


def _refusal(
    error: aiosmtplib.SMTPResponseException, where: str, what: str, who: list[str], *, others: bool = False
) -> AieError:
    """The server's no: for now (4xx, greylisting), for today (5.4.5), or for good."""
    said = one_line(f"{error.code} {error.message}", 300)
    names = f" {', '.join(who)}" if who else ""
    text = f"the mail server refused {what}{names}: {said}" + (
        "; nobody was sent the mail, those it would have taken included" if others else ""
    )
    if re.search(r"5\.4\.5|daily (?:user )?sending (?:limit|quota)", said, re.IGNORECASE):
        return RetryableError(text, where=where, hint="the limit is counted over 24 hours", retry_after_s=DAY_S)
    if error.code < 500:
        return RetryableError(text, where=where, hint="such a refusal often passes within minutes")
    if error.code == 552 or "5.3.4" in said:
        return ActionError(text, where=where, hint="send less or smaller attachments")
    return ActionError(text, where=where, hint="check the address" if what == "the recipient" else "")


def _connecting(error: BaseException, settings: GmailSettings) -> AieError:
    where = _where(settings)
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        said = one_line(f"{error.code} {error.message}", 300)
        if error.code == 534 or "application-specific" in said.lower():
            return ConfigError("the mail server wants an app password", where=where, hint=HOW_TO_GET_ONE)
        if error.code < 500:
            return RetryableError(f"the mail server does not let anybody log in for now: {said}", where=where)
        return wrong_password(where, settings, said)
    if isinstance(error, aiosmtplib.SMTPConnectError) and isinstance(error.__cause__, OSError):
        return network_trouble(error.__cause__, where) or RetryableError(str(error), where=where)
    if isinstance(error, aiosmtplib.SMTPTimeoutError):
        return RetryableError("the mail server did not answer in time", where=where, hint="check the network")
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return RetryableError(f"the mail server says: {one_line(f'{error.code} {error.message}', 300)}", where=where)
    if isinstance(error, aiosmtplib.SMTPException) and not isinstance(error, OSError):
        return RetryableError(f"the mail server says: {one_line(str(error), 300)}", where=where)
    return network_trouble(error, where) or RetryableError(str(error), where=where)


def _where(settings: GmailSettings) -> str:
    return f"{settings.smtp_host}:{settings.smtp_port}"
