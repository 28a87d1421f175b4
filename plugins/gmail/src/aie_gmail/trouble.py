"""What servers say no with, in words for a person, classed by who has to act."""

from __future__ import annotations

import imaplib
import re
import socket
import ssl

from imap_tools.errors import ImapToolsError

from aie.errors import AieError, ConfigError, RetryableError
from aie_gmail.charsets import one_line
from aie_gmail.settings import GmailSettings

HOW_TO_GET_ONE = (
    "turn on 2-Step Verification, make an app password at https://myaccount.google.com/apppasswords, "
    "then: aie connect gmail"
)
HOUR_S = 3600.0


def imap_trouble(error: BaseException, settings: GmailSettings) -> AieError:
    """A :class:`ConfigError` when only a person can mend it, else a :class:`RetryableError`."""
    where = f"{settings.imap_host}:{settings.imap_port}"
    said = _said(error)
    if re.search(r"(?i)application-specific password|app password", said):
        return ConfigError(
            "the mail server wants an app password, not the password of the account",
            where=where,
            hint=HOW_TO_GET_ONE,
        )
    if re.search(r"(?i)too many simultaneous connections", said):
        return RetryableError(
            "the mail server says there are too many connections to this account",
            where=where,
            hint="close other mail programs; the password is not the matter",
            retry_after_s=300,
        )
    if re.search(r"(?i)overquota|exceeded command or bandwidth", said):
        return RetryableError(
            "the mail server says the account has used up what it may transfer today", where=where, retry_after_s=HOUR_S
        )
    if re.search(r"(?i)authenticationfailed|invalid credentials|authentication failed|login failed", said):
        return wrong_password(where, settings, said)
    if re.search(r"(?i)web ?login ?required|log in via your web browser", said):
        return ConfigError(
            "Google wants you to sign in on a web page first",
            where=where,
            hint="sign in there, then: aie connect gmail",
        )
    return network_trouble(error, where) or RetryableError(
        f"the mail server says: {said or type(error).__name__}", where=where
    )


def wrong_password(where: str, settings: GmailSettings, said: str) -> ConfigError:
    hint = HOW_TO_GET_ONE if settings.at_google else "check user and password, then: aie connect gmail"
    return ConfigError(
        f"the mail server does not accept the password of {settings.login!r}: {said}", where=where, hint=hint
    )


def network_trouble(error: BaseException, where: str) -> AieError | None:
    """What kept a connection from coming about, or ended it; None if it is something else."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConfigError(
            f"the certificate of the mail server is not to be trusted: {error.verify_message}",
            where=where,
            hint="check the name of the server",
        )
    if isinstance(error, ssl.SSLError):
        return ConfigError(
            "the mail server does not speak TLS on that port",
            where=where,
            hint="check port and security: tls or starttls",
        )
    if isinstance(error, socket.gaierror):
        return RetryableError(
            f"there is no server of that name: {error.strerror}", where=where, hint="check the name, and the network"
        )
    if isinstance(error, TimeoutError):
        return RetryableError("the mail server did not answer in time", where=where, hint="check the network")
    if isinstance(error, ConnectionRefusedError):
        return RetryableError(
            "nothing answers there", where=where, hint="check the name and port of the server, and whether it is up"
        )
    if isinstance(error, (OSError, imaplib.IMAP4.abort)):
        return RetryableError(f"the connection to the mail server broke: {_said(error)}", where=where)
    return None


def _said(error: BaseException) -> str:
    """The server's own words."""
    if isinstance(error, ImapToolsError) and hasattr(error, "command_result"):
        data = error.command_result[1]
        words = b" ".join(piece for piece in data if isinstance(piece, bytes)) if isinstance(data, list) else b""
        return one_line(words.decode("utf-8", "replace"), 300)
    first = error.args[0] if error.args else ""
    text = (
        first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first if len(error.args) == 1 else error)
    )
    return one_line(text, 300)
