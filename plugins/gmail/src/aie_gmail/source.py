"""The source ``gmail.inbox``: new mail becomes ``email_received`` events."""

from __future__ import annotations

import random
from dataclasses import dataclass

from aie.errors import AieError, ConfigError, RetryableError
from aie.events import EventType
from aie.sources import EventSource, SourceContext
from aie.touches import Touches
from aie_gmail.arrivals import SOURCE, UNREADABLE, Intake
from aie_gmail.settings import GmailSettings

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 300.0
MENDED_CHECK_S = 15.0  # between two looks whether somebody connected anew: at a file, not at a server


def inbox(settings: GmailSettings) -> EventSource:
    """The source with these settings."""
    over = "IMAP" if settings.transport == "imap" else "Gmail's API"
    return EventSource(
        name=SOURCE,
        event_types=(EventType.EMAIL_RECEIVED, UNREADABLE),
        run=Inbox(settings).run,
        summary="new mail in the mailbox, with its attachments and the appointments found in it",
        watching=f"{settings.folder} of {settings.address} over {over}",
        touches=settings.servers | Touches(folders=tuple(filter(None, [settings.attachments]))),
    )


@dataclass(frozen=True, slots=True)
class Inbox:
    """Connects, watches, and connects again when the connection is lost."""

    settings: GmailSettings

    async def run(self, context: SourceContext) -> None:
        """Watch until cancelled."""
        failures = 0
        while True:
            stood, secrets = context.cursor, _fingerprint(context)
            try:
                await self._session(context)
            except RetryableError as error:
                failures = 1 if context.cursor != stood else failures + 1
                await self._pause(context, error, failures)
            except ConfigError as error:
                failures = 0
                await self._until_mended(context, error, secrets)

    async def _session(self, context: SourceContext) -> None:
        """One connection, for as long as it lasts."""
        # Only one of the two is needed, and what they are made with takes a while to import.
        intake = Intake.of(self.settings, context)
        try:
            if self.settings.transport == "gmail_api":
                from aie_gmail.api_source import ApiWatch  # noqa: PLC0415

                await ApiWatch(self.settings, context, intake).run()
            else:
                from aie_gmail.imap_source import ImapWatch  # noqa: PLC0415

                await ImapWatch(self.settings, context, intake).run()
        finally:
            await intake.room.close()

    async def _pause(self, context: SourceContext, error: RetryableError, failures: int) -> None:
        """Wait longer each time, and as long as the server asked for."""
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (failures - 1))
        pause_s = max(pause_s * (0.8 + 0.4 * random.random()), error.retry_after_s or 0)  # noqa: S311 - spreads retries
        tell = context.log.warning if failures in (1, 5) else context.log.debug
        tell("no new mail for now: %s (%s); trying again in %d s", error, error.where, pause_s)
        await context.clock.sleep(pause_s)

    async def _until_mended(self, context: SourceContext, error: ConfigError, before: object) -> None:
        """A person has to do something: say so once, and look for it without asking the server again and again."""
        record = context.credentials.record
        if record is not None:
            context.credentials.note(trouble=str(error))
        context.log.error("no new mail until this is mended: %s (%s); %s", error, error.where, error.hint)
        while _fingerprint(context) == before:
            await context.clock.sleep(MENDED_CHECK_S)


def _fingerprint(context: SourceContext) -> object:
    """Changes when somebody connects anew."""
    try:
        record = context.credentials.record
        return (record.connected_at if record else None, context.credentials.get("password"))
    except AieError as error:
        return str(error)
