"""A vault with the plugin in it, and what the engine gives a source and an action: real code, no engine."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aie.actions import ActionContext
from aie.credentials import ConnectionRecord, CredentialStore
from aie.events import Event
from aie_gmail.settings import GmailSettings
from aie_gmail.source import Inbox

BERLIN = ZoneInfo("Europe/Berlin")
NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
WITHIN_S = 30.0


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


def settings_for(account: Any = None, **more: Any) -> GmailSettings:
    """Settings for an account of a local Dovecot."""
    known: dict[str, Any] = {"address": "owner@example.org", "poll_interval_s": 1}
    known |= {"imap_host": "127.0.0.1", "imap_port": 1, "imap_security": "none"}  # nothing is there
    if account is not None:
        known |= {
            "address": account.address,
            "user": account.name,
            "imap_port": account.port,
        }
    return GmailSettings.model_validate({**known, **more})


class RealClock:
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.2))  # pauses are shorter here, so that tests are


class House:
    """Implements SourceContext. Events and the cursor are kept as the journal keeps them: an id once for ever."""

    def __init__(self, folder: Path, settings: GmailSettings, secrets: dict[str, str] | None = None) -> None:
        self.vault = folder / "vault"
        self.vault.mkdir(exist_ok=True)
        self.settings, self.timezone, self.clock = settings, BERLIN, RealClock()
        self.log = logging.getLogger("aie.plugin.gmail")
        self.cache_dir = folder / "cache"
        self.store = CredentialStore(folder / "credentials", {}, keyring=False)
        self.credentials = self.store.of("gmail")
        if secrets is not None:
            self.credentials.save(secrets, ConnectionRecord(account="owner@example.org", connected_at=NOW))
        self.cursor: Any = None
        self.events: list[Event] = []
        self.emits = 0

    async def emit(self, events: Any, *, cursor: Any = None) -> int:
        known = {event.event_id for event in self.events}
        new = [event.checked() for event in (_sourced(event) for event in events) if event.event_id not in known]
        self.events += new
        self.cursor = self.cursor if cursor is None else cursor
        self.emits += 1
        return len(new)

    def pending_approvals(self) -> int:
        return 0

    def scheduled_workflows(self) -> tuple[()]:
        return ()

    @property
    def subjects(self) -> list[str]:
        return [event.data.get("subject", event.event_type) for event in self.events]

    @contextlib.asynccontextmanager
    async def watching(self) -> Any:
        """The source at work, from the moment it knows where it stands."""
        task = asyncio.create_task(Inbox(self.settings).run(self))
        try:
            await self.until(lambda: self.cursor is not None or task.done())
            yield task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def until(self, true: Callable[[], Any]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not true():  # noqa: ASYNC110 - it looks at many different things
                await asyncio.sleep(0.01)

    def context(self, key: str = "run_1/mail", *, event: dict[str, Any] | None = None, **more: Any) -> ActionContext:
        """What an action is given."""
        run_id, _, step_id = key.partition("/")
        known: dict[str, Any] = {
            "run_id": run_id, "step_id": step_id, "workflow_id": "w", "workflow_name": "W", "event": event or {},
            "attempt": 1, "idempotency_key": key, "now": NOW, "timeout_s": 30.0, "timezone": BERLIN,
            "vault": self.vault,
            "settings": self.settings, "log": self.log, "credentials": self.credentials, "cache_dir": self.cache_dir,
        }  # fmt: skip
        return ActionContext(**{**known, **more})


def _sourced(event: Event) -> Event:
    return Event(event.event_type, "gmail.inbox", event.data, event.timestamp, event.event_id)
