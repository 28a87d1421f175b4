"""From a mail that arrived to the event that says so, whichever way it was fetched."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aie.errors import EventError
from aie.events import Event, EventType, EventTypeSpec
from aie.sources import SourceContext
from aie_gmail.approval_mail import is_approval_mail
from aie_gmail.keeping import Keeping, home_of
from aie_gmail.mail import Reader
from aie_gmail.reading import ReadingRoom, UnreadableError
from aie_gmail.settings import GmailSettings

UNREADABLE = "email_unparsable"
SOURCE = "gmail.inbox"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A mail as it was fetched. ``identity`` names it for ever, wherever a copy of it lies."""

    raw: bytes
    identity: str
    received_at: dt.datetime  # aware
    told: Mapping[str, Any]  # what the provider says of it: folder, labels, ids


class UnreadableMail(BaseModel):
    """A mail that could not be read. It is kept as it came."""

    model_config = ConfigDict(extra="allow", frozen=True)

    received_at: str = Field(description="when the mailbox received it, ISO 8601")
    reason: str = Field(description="why it could not be read")
    path: str | None = Field(default=None, description="where it is kept in the vault, as it came")
    size_bytes: int = Field(description="how large it is")
    folder: str = Field(default="", description="the mailbox folder it is in")


def event_types() -> tuple[EventTypeSpec, ...]:
    """The event type this plugin adds to those every installation knows."""
    example = {
        "received_at": "2026-02-09T18:30:00+01:00",
        "reason": "it took more than 20 s to read",
        "path": "Attachments/2026-02-09 unreadable 3fa1c29b.eml",
        "size_bytes": 20_511_002,
        "folder": "INBOX",
    }
    return (EventTypeSpec(UNREADABLE, UnreadableMail, example, "A mail came in that cannot be read"),)


@dataclass(frozen=True, slots=True)
class Intake:
    """Turns mails into events, with their attachments saved before the event is told."""

    settings: GmailSettings
    context: SourceContext
    room: ReadingRoom
    keeping: Keeping

    @classmethod
    def of(cls, settings: GmailSettings, context: SourceContext) -> Intake:
        room = ReadingRoom(Reader(context.timezone, settings.day_first, settings.receiving_host))
        return cls(
            settings, context, room, Keeping(context.vault, settings.attachments, settings.max_attachments_bytes)
        )

    def works(self) -> None:
        """Take back that the connection does not work, if that was noted."""
        if self.context.credentials.record is not None:
            self.context.credentials.note(trouble="")

    async def event(self, arrived: Arrived) -> Event | None:
        """The event of a mail; one of the type ``email_unparsable`` if it cannot be read.

        None for what belongs to an approval by mail.
        """
        try:
            mail = await self.room.read(arrived.raw, arrived.received_at)
        except UnreadableError as error:
            return await self._unreadable(arrived, str(error))
        data = {**mail.data, **arrived.told}
        if is_approval_mail(data, self.settings):
            return None
        home = home_of(data["subject"], data["received_at"], arrived.identity)
        if mail.attachments:
            data["attachments"] = await asyncio.to_thread(
                self.keeping.attachments, data["attachments"], mail.attachments, home
            )
        event = Event(EventType.EMAIL_RECEIVED, "", data, data["received_at"], arrived.identity)
        try:
            replace(event, source=SOURCE).checked()
        except EventError as error:  # more than an event may hold: one mail must not hold up all others
            return await self._unreadable(arrived, str(error))
        return event

    async def _unreadable(self, arrived: Arrived, reason: str) -> Event:
        received_at = arrived.received_at.astimezone(self.context.timezone).isoformat(timespec="seconds")
        kept = await asyncio.to_thread(
            self.keeping.raw, arrived.raw, home_of("unreadable", received_at, arrived.identity)
        )
        self.context.log.warning(
            "a mail could not be read: %s; it is kept in %s", reason, kept.get("path", "the mailbox")
        )
        data = {"received_at": received_at, "reason": reason, "size_bytes": len(arrived.raw), **arrived.told, **kept}
        return Event(UNREADABLE, "", data, received_at, arrived.identity)
