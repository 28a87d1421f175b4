"""The plugin keeps the contract of plugins: against a real Dovecot and an SMTP server, and over Gmail's API."""

from __future__ import annotations

import contextlib
import itertools
import re
from typing import Any

from gmail_house import letter, table
from gmail_server import GmailServer
from gmail_smtp import SmtpSink

from aie.testing import Report, contract, silent_port

FOLDERS = ("INBOX", "Sent", "Drafts", "Archive", "Invoices")
MORE = {"sent_shows_up_s": 0, "contacts_from_sent": True, "approve_by_mail": {"to": "owner@example.net"}}


def test_mail_over_imap_and_smtp_keeps_the_contract_of_plugins(dovecot):
    numbers = itertools.count(1)

    def a_mail(home: Any = None) -> dict[str, Any]:
        number = next(numbers)
        dovecot.deliver(letter(f"Offer {number}", Message_ID=f"<offer-{number}@example.com>"))
        return {"email": {"message_id": f"<offer-{number}@example.com>"}}

    with SmtpSink() as sink:
        report = contract(
            "gmail",
            settings=table(dovecot, sent_copy="append", trusted_host="mx.example.org", **MORE, **sink.settings),
            credentials={"password": "secret"},
            state=lambda: {"sent": len(sink.taken), **{name: mails_in(dovecot, name) for name in FOLDERS}},
            stalled=stalled,
            params={
                "label_email": lambda home: {**a_mail(), "label": "Invoices"},
                "archive_email": a_mail,
                "mark_read": a_mail,
            },
            news={"gmail.inbox": a_mail},
        )
    assert not_tried(report) == []


def test_mail_over_gmails_api_keeps_the_contract_of_plugins():
    numbers = itertools.count(1)

    def a_mail(home: Any = None) -> dict[str, Any]:
        return {"email": {"provider_id": gmail.deliver(letter(f"Offer {next(numbers)}")).id}}

    with GmailServer() as gmail:
        report = contract(
            "gmail",
            settings={**gmail.settings, **MORE},
            credentials=gmail.secrets,
            state=lambda: mailbox(gmail),
            stalled=stalled_api,
            params={
                "label_email": lambda home: {**a_mail(), "label": "Invoices"},
                "archive_email": a_mail,
                "mark_read": a_mail,
            },
            news={"gmail.inbox": a_mail},
        )
    assert not_tried(report) == []


def not_tried(report: Report) -> list[tuple[str, str, str]]:
    return [(check.name, check.subject, check.message) for check in report.not_tried]


def mailbox(gmail: GmailServer) -> dict[str, Any]:
    """The mails of the account with their labels, and the labels and drafts there are."""
    mails = {message.id: [message.thread_id, *message.labels] for message in gmail.messages.values()}
    return {"mails": mails, "labels": dict(gmail.labels), "drafts": dict(gmail.drafts)}


def mails_in(dovecot: Any, folder: str) -> list[str]:
    """The Message-ID of each mail of a folder, and its flags."""
    client = dovecot.imap()
    try:
        kind, (count, *_) = client.select(folder, readonly=True)
        if kind != "OK" or count == b"0":
            return []
        found = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]
        texts = [b" ".join(piece).decode() for piece in found if isinstance(piece, tuple)]
        return [" ".join(re.findall(r"<.*?>|\\(?!Recent)\w+", text)) for text in texts]
    finally:
        client.logout()


@contextlib.contextmanager
def stalled():
    with silent_port() as port:
        yield {"imap_port": port, "smtp_port": port}


@contextlib.contextmanager
def stalled_api():
    with silent_port() as port:
        url = f"http://127.0.0.1:{port}"
        yield {"api_url": url, "token_url": f"{url}/token"}
