"""What mail servers say no with, in plain words, and who has to act."""

from __future__ import annotations

import imaplib
import socket
import ssl

import pytest
from gmail_house import settings_for
from imap_tools.errors import MailboxLoginError

from aie.errors import ConfigError, RetryableError
from aie_gmail.settings import GmailSettings
from aie_gmail.trouble import imap_trouble

GOOGLE = GmailSettings(address="me@gmail.com")


def refused(line: bytes) -> MailboxLoginError:
    return MailboxLoginError(("NO", [line]), "OK")


@pytest.mark.parametrize(
    ("line", "said", "hint"),
    [
        (
            b"[AUTHENTICATIONFAILED] Invalid credentials (Failure)",
            "the mail server does not accept the password of 'me@gmail.com': [AUTHENTICATIONFAILED] Invalid",
            "make an app password at https://myaccount.google.com/apppasswords",
        ),
        (
            b"[ALERT] Application-specific password required: https://support.google.com/x/185833 (Failure)",
            "the mail server wants an app password, not the password of the account",
            "make an app password at https://myaccount.google.com/apppasswords",
        ),
        (
            b"[WEBALERT https://x.example] Web login required.",
            "Google wants you to sign in on a web page first",
            "sign in",
        ),
    ],
)
def test_what_only_a_person_can_mend(line, said, hint):
    error = imap_trouble(refused(line), GOOGLE)
    assert (type(error), error.where) == (ConfigError, "imap.gmail.com:993")
    assert said in str(error)
    assert hint in error.hint


@pytest.mark.parametrize(
    ("line", "said", "retry_after_s"),
    [
        (
            b"[ALERT] Too many simultaneous connections. (Failure)",
            "there are too many connections to this account",
            300,
        ),
        (b"[OVERQUOTA] Account exceeded command or bandwidth limits.", "used up what it may transfer today", 3600),
        (b"[UNAVAILABLE] Temporary System Problem", "Temporary System Problem", None),
    ],
)
def test_what_passes_is_never_taken_for_a_wrong_password(line, said, retry_after_s):
    error = imap_trouble(refused(line), GOOGLE)
    assert (type(error), error.retry_after_s) == (RetryableError, retry_after_s)
    assert said in str(error)


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (untrusted(), ConfigError, "the certificate of the mail server is not to be trusted"),
        (ssl.SSLError("wrong version number"), ConfigError, "the mail server does not speak TLS on that port"),
        (socket.gaierror(-2, "Name or service not known"), RetryableError, "there is no server of that name"),
        (TimeoutError("timed out"), RetryableError, "the mail server did not answer in time"),
        (
            ConnectionResetError(104, "Connection reset by peer"),
            RetryableError,
            "the connection to the mail server broke",
        ),
        (imaplib.IMAP4.abort("socket error: EOF"), RetryableError, "the connection to the mail server broke"),
    ],
)
def test_what_the_network_does(error, kind, said):
    found = imap_trouble(error, settings_for())
    assert type(found) is kind
    assert str(found).startswith(said)
