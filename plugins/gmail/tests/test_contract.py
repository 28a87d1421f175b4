"""The plugin keeps the contract of plugins, against a real Dovecot and an SMTP server."""

from __future__ import annotations

import contextlib
import itertools
import re
from typing import Any

from gmail_house import letter, settings_for
from gmail_smtp import SmtpSink

from aie.testing import contract, silent_port

FOLDERS = ("INBOX", "Sent", "Drafts", "Archive", "Invoices")
SECRET = "a password of its own"


def test_gmail_keeps_the_contract_of_plugins(dovecot):
    numbers = itertools.count(1)

    def a_mail(home: Any = None) -> dict[str, Any]:
        number = next(numbers)
        dovecot.deliver(letter(f"Offer {number}", Message_ID=f"<offer-{number}@example.com>"))
        return {"email": {"message_id": f"<offer-{number}@example.com>"}}

    with SmtpSink() as sink:
        report = contract(
            "gmail",
            settings=settings_for(dovecot, sent_copy="append", sent_shows_up_s=0, **sink.settings).model_dump(
                mode="json", exclude={"password"}
            ),
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
    assert [(check.name, check.subject, check.message) for check in report.not_tried] == []


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
