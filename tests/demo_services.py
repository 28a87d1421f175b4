"""The services of ``make demo``: servers on this machine that speak as Gmail and LinkedIn do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aie.credentials import ConnectionRecord, CredentialStore
from plugins.gmail.tests.gmail_server import ACCOUNT, GmailServer
from plugins.linkedin.tests.linkedin_server import TOKEN, LinkedinServer, serving


@dataclass(frozen=True)
class Services:
    """What is on the other side of the network."""

    gmail: GmailServer
    linkedin: LinkedinServer

    def settings(self) -> str:
        """What ``aie connect gmail`` and the addresses of these servers come to in ``aie.toml``."""
        mail = {**self.gmail.settings, "poll_interval_s": 1}
        return f"\n{_table('gmail', mail)}\n{_table('linkedin', self.linkedin.settings)}"

    def remember_consent(self, credentials: Path) -> None:
        """What is stored once a person has agreed on Google's page, which no demo can show."""
        store = CredentialStore(credentials, {"AIE_KEYRING": "off"})
        store.of("gmail").save(self.gmail.secrets, ConnectionRecord(account=ACCOUNT, connected_at=datetime.now(UTC)))

    @property
    def token(self) -> str:
        """What ``aie connect linkedin`` is given."""
        return TOKEN


@contextmanager
def services() -> Iterator[Services]:
    """The servers, each on a port of its own, until the end of the block."""
    with GmailServer() as gmail, serving() as linkedin:
        yield Services(gmail, linkedin)


def meeting_mail() -> bytes:
    mail = EmailMessage()
    mail["From"] = "Ada Brown <ada@example.com>"
    mail["To"] = ACCOUNT
    mail["Subject"] = "Meeting about the spring menu"
    mail["Date"] = datetime.now(UTC)
    mail["Message-ID"] = "<spring-menu@example.com>"
    mail.set_content("Hello,\n\ncan we have a meeting tomorrow at 2pm? I bring the drafts.\n\nAda\n")
    return mail.as_bytes()


def post_entry(text: str, *, in_s: float) -> str:
    """A calendar entry that becomes a post at its time."""
    start = datetime.now(UTC) + timedelta(seconds=in_s)
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//demo//EN", "BEGIN:VEVENT", "UID:opening@example.com",
        f"DTSTAMP:{start:%Y%m%dT%H%M%SZ}", f"DTSTART:{start:%Y%m%dT%H%M%SZ}", f"DTEND:{start:%Y%m%dT%H%M%SZ}",
        "SUMMARY:Opening hours", "CATEGORIES:LinkedIn Post", f"DESCRIPTION:{text}", "END:VEVENT", "END:VCALENDAR", "",
    ]  # fmt: skip
    return "\r\n".join(lines)


def _table(plugin: str, values: dict[str, Any]) -> str:
    return f"[plugins.{plugin}]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
