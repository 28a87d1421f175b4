"""A mail in and a mail out, the settings for a local mailbox, and its source at work while a test goes on."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zoneinfo import ZoneInfo

from aie.actions import LookUp
from aie.events import Event
from aie.testing import Home
from aie_gmail.settings import GmailSettings

BERLIN = ZoneInfo("Europe/Berlin")
NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
INBOX = "gmail.inbox"
MAIL = {"to": "ada@example.com", "subject": "Hello", "body": "Hi"}
AGES = dt.timedelta(days=36_500)  # no pause between two tries to connect is waited for


def letter(subject: str = "Hello", body: str = "Hi", **headers: str) -> bytes:
    """A mail, plain as can be; ``x_y`` is the header X-Y."""
    fields = {
        "From": "Ada Brown <ada@example.com>",
        "To": "owner@example.org",
        "Date": "Mon, 23 Nov 2026 09:00:00 +0100",
        "Message-ID": f"<{abs(hash((subject, body)))}@example.com>",
        "Subject": subject,
    }
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{head}\r\n{body}\r\n".replace("\r\n", "\n").replace("\n", "\r\n").encode()


def table(account: Any = None, **more: Any) -> dict[str, Any]:
    """``[plugins.gmail]`` for an account of a local Dovecot; without one, for a server that is not there."""
    known = {"address": "owner@example.org", "imap_host": "127.0.0.1", "imap_port": 1, "imap_security": "none"}
    if account is not None:
        known |= {"address": account.address, "user": account.name, "imap_port": account.port}
    return {**known, **more}


def settings_for(account: Any = None, **more: Any) -> GmailSettings:
    """The same as the plugin's code gets it."""
    return GmailSettings.model_validate(table(account, **more))


def send(home: Home, *, key: str = "run_1/mail", event: Any = None, approval: Any = None, **params: Any) -> Any:
    """Send a mail, and give the result."""
    more = {"idempotency_key": key, "event": event or {}, "approval": approval}
    return home.run_action("send_email", {**MAIL, **params}, **more).result


def look(home: Home, *, key: str = "run_1/mail", event: Any = None, timeout_s: float = 30, **params: Any) -> LookUp:
    """Whether that mail was sent."""
    more = {"idempotency_key": key, "event": event or {}, "timeout_s": timeout_s}
    return home.look_up("send_email", {**MAIL, **params}, **more)


def subjects(events: list[Event]) -> list[str]:
    return [event.data["subject"] for event in events]


class Watching:
    """What the source has told of since it was started: see :func:`watching`."""

    def __init__(self, enough: int) -> None:
        self.events: list[Event] = []
        self._enough = enough
        self._told = threading.Condition()

    def told(self, events: list[Event]) -> bool:
        with self._told:
            self.events = list(events)
            self._told.notify_all()
        return len(events) >= self._enough

    def wait_for(self, count: int) -> None:
        """Until it has told of so many mails."""
        with self._told:
            assert self._told.wait_for(lambda: len(self.events) >= count, 30), subjects(self.events)


@contextlib.contextmanager
def watching(home: Home, enough: int, *, span: dt.timedelta = AGES) -> Iterator[Watching]:
    """The source at work in a thread of its own while the block goes on, until it has told of enough mails.

    ``home.run_source`` is for what has happened already; this is for what becomes of a connection while it is held.
    """
    watch = Watching(enough)
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(home.run_source, INBOX, span=span, until=watch.told)
        yield watch
        work.result()
