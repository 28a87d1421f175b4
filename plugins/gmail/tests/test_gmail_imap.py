"""Gmail's additions to IMAP, against a server that answers as Gmail's documentation shows, and connecting to it."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from typing import Any

import pytest
from gmail_house import INBOX, letter, table
from gmail_smtp import SmtpSink

from aie.testing import Home
from aie_gmail import connecting

RAW = letter("Hello")
ITEM = (
    b"* 1 FETCH (X-GM-THRID 1278455344230334865 X-GM-MSGID 1278455344230334865 "
    b'X-GM-LABELS ("\\\\Important" Invoices "Two words") UID 7 RFC822.SIZE %d '
    b'INTERNALDATE "23-Nov-2026 08:00:00 +0000" FLAGS (\\Seen))\r\n' % len(RAW)
)


class GmailImap:
    """One mail in the inbox; ``lines`` has what was asked for."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.exists = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.getsockname()[1])

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as lines:
            client.sendall(b"* OK Gimap ready\r\n")
            for line in lines:
                tag, _, command = line.strip().partition(b" ")
                self.lines.append(command.decode())
                client.sendall(self._answer(command) + tag + b" OK done\r\n")

    def _answer(self, command: bytes) -> bytes:
        if command.startswith(b"CAPABILITY"):
            return b"* CAPABILITY IMAP4rev1 UIDPLUS MOVE X-GM-EXT-1\r\n"
        if command.startswith(b"LIST"):
            return b'* LIST (\\HasNoChildren) "/" "INBOX"\r\n* LIST (\\All) "/" "[Gmail]/Alle Nachrichten"\r\n'
        if command.startswith((b"SELECT", b"EXAMINE")):
            return b"* FLAGS (\\Seen)\r\n* %d EXISTS\r\n* OK [UIDVALIDITY 3] .\r\n" % self.exists
        if command.startswith(b"STATUS"):
            return b'* STATUS "INBOX" (UIDVALIDITY 3 UIDNEXT %d)\r\n' % (7 + self.exists)
        if command.startswith(b"UID SEARCH"):
            return b"* SEARCH 7\r\n" if self.exists else b"* SEARCH\r\n"
        if b"BODY.PEEK[]" in command:
            return b"* 1 FETCH (UID 7 BODY[] {%d}\r\n%s)\r\n" % (len(RAW), RAW)
        if command.startswith(b"UID FETCH"):
            return ITEM
        return b""


@pytest.fixture
def gmail():
    server = GmailImap()
    yield server
    server.close()


def settings(gmail: GmailImap) -> dict[str, Any]:
    return table(imap_port=gmail.port, user="me")


def test_a_mail_has_gmails_own_id_thread_and_labels(gmail, at_home):
    home = at_home(settings(gmail))
    assert home.run_source(INBOX) == []
    gmail.exists = 1
    (event,) = home.run_source(INBOX)
    told = {key: event.data[key] for key in ("provider_id", "thread_id", "labels", "uid", "subject")}
    assert (event.event_id, told) == (
        "gm-11bdfc5cae0c8191",
        {
            "provider_id": "11bdfc5cae0c8191",
            "thread_id": "11bdfc5cae0c8191",
            "labels": ["\\Important", "Invoices", "Two words"],
            "uid": 7,
            "subject": "Hello",
        },
    )


def test_labels_are_gmails_labels_and_archiving_is_moving_to_all_mail(gmail, at_home):
    gmail.exists = 1
    home = at_home(settings(gmail))
    email = {"folder": "INBOX", "uid": 7, "uidvalidity": 3, "message_id": "<x@y>"}
    home.run_action("label_email", {"email": email, "label": 'My "best" ones'})
    home.run_action("archive_email", {"email": email})
    asked = [line for line in gmail.lines if re.match("UID (STORE|MOVE)", line)]
    assert asked == [
        'UID STORE 7 +X-GM-LABELS ("My \\"best\\" ones")',
        'UID MOVE 7 "[Gmail]/Alle Nachrichten"',
    ]


# --- connecting ------------------------------------------------------------------------------------------------------


class Desk:
    """Implements ConnectDesk with answers that were given before."""

    def __init__(self, home: Home, answers: dict[str, str]) -> None:
        given = home.context("gmail")
        self.settings, self.vault, self.timezone = given.settings, given.vault, given.timezone
        self.credentials, self.log, self.cache_dir = given.credentials, given.log, given.cache_dir
        self.paste, self.now = False, given.now
        self.answers, self.said, self.kept = answers, list[str](), dict[str, Any]()

    def ask(self, key: str, question: str, *, default: str = "", secret: bool = False, choices: Any = ()) -> str:
        return self.answers.get(key, default)

    def say(self, text: str) -> None:
        self.said.append(text)

    def open_page(self, address: str) -> None:
        raise AssertionError(address)

    def keep_settings(self, values: Any) -> None:
        self.kept.update(values)


def test_googles_app_password_may_have_blanks_and_its_servers_are_known(gmail, at_home, monkeypatch):
    with SmtpSink() as sink:
        local = connecting.Provider(("127.0.0.1", gmail.port, "none"), ("127.0.0.1", sink.port, "none"))
        monkeypatch.setattr(connecting, "GOOGLE", local)
        monkeypatch.setitem(connecting.PROVIDERS, "gmail.com", local)
        desk = Desk(at_home(settings(gmail), {}), {"address": "me@GMAIL.com", "password": "sec r et"})
        asyncio.run(connecting.connect(desk))
    assert desk.kept == {
        "user": "",  # of the account before
        "transport": "imap",
        "address": "me@gmail.com",
        "imap_host": "127.0.0.1",
        "imap_port": gmail.port,
        "imap_security": "none",
        "smtp_host": "127.0.0.1",
        "smtp_port": sink.port,
        "smtp_security": "none",
    }
    assert (desk.credentials.get("password"), desk.credentials.record.account) == ("secret", "me@gmail.com")
    assert "https://myaccount.google.com/apppasswords" in desk.said[0]
    assert 'LOGIN "me@gmail.com" "secret"' in gmail.lines
