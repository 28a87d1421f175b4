"""What the engine gives the plugin's code, for tests: settings, credentials, a clock that a test moves."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aie.actions import ActionContext
from aie.credentials import ConnectionRecord, CredentialStore
from aie.events import Event
from aie_linkedin.settings import LinkedinSettings
from plugins.linkedin.tests.linkedin_server import MEMBER, TOKEN

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = dt.datetime(2026, 2, 9, 17, 30, tzinfo=dt.UTC)


class Clock:
    """Goes on only while somebody sleeps; after ``sleeps`` of them it stops the source."""

    def __init__(self, now: dt.datetime = MONDAY, sleeps: int = 1) -> None:
        self.time = now
        self.left = sleeps

    def now(self) -> dt.datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.left -= 1
        if self.left <= 0:
            raise asyncio.CancelledError
        self.time += dt.timedelta(seconds=seconds)
        await asyncio.sleep(0)


@dataclass
class House:
    """A vault with settings and a connection; also the context of a source, which keeps events and cursor."""

    vault: Path
    tables: Mapping[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    cursor: Any = None
    events: list[Event] = field(default_factory=list)
    timezone: ZoneInfo = BERLIN

    def __post_init__(self) -> None:
        self.vault.mkdir(exist_ok=True)
        self.settings = LinkedinSettings.model_validate(self.tables)
        self.store = CredentialStore(self.vault.parent / "credentials", {}, keyring=False)
        self.credentials = self.store.of("linkedin")
        self.credentials.save(
            {"access_token": TOKEN}, ConnectionRecord(account="Ada Brown", details={"author": MEMBER})
        )
        self.log = logging.getLogger("aie.plugin.linkedin")
        self.cache_dir = self.vault.parent / "cache"
        self.given: set[tuple[str, str]] = set()

    async def emit(self, events: Sequence[Event], *, cursor: Any = None) -> int:
        new = [event for event in events if (event.source, event.event_id) not in self.given]
        self.given |= {(event.source, event.event_id) for event in new}
        self.events += [event.checked() for event in new]
        self.cursor = self.cursor if cursor is None else cursor
        return len(new)

    def context(self, *, attempt: int = 1, timeout_s: float = 30) -> ActionContext:
        """What an action is given."""
        return ActionContext(
            run_id="run_1", step_id="action_0", workflow_id="post", workflow_name="Post", event={}, attempt=attempt,
            idempotency_key="k" * 32, now=self.clock.now(), timeout_s=timeout_s, timezone=self.timezone,
            vault=self.vault, settings=self.settings, log=self.log, credentials=self.credentials,
            cache_dir=self.cache_dir,
        )  # fmt: skip

    def picture(self, path: str, width: int = 4, height: int = 3) -> bytes:
        """Write a PNG of this size."""
        data = png(width, height)
        (self.vault / path).parent.mkdir(parents=True, exist_ok=True)
        (self.vault / path).write_bytes(data)
        return data


def png(width: int, height: int, shade: int = 200) -> bytes:
    """A grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes([shade]) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
