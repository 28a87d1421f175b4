"""New mail by Gmail's API: ``history.list`` from the saved history id; a search when Gmail has forgotten that id."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aie.events import Event
from aie.plain import Json
from aie.sources import SourceContext
from aie_gmail.addresses import addresses
from aie_gmail.api import GmailApi, GoneError, gmail_api
from aie_gmail.arrivals import Arrived, Intake
from aie_gmail.contacts import WrittenTo
from aie_gmail.imap import HEAD_BYTES
from aie_gmail.imap_source import CLOCKS_APART, LEARN_EVERY, LOOK_BACK
from aie_gmail.settings import GmailSettings

LEARN_FROM = 500  # sent mails
BATCH = 20
PACE_S = 0.2  # between two mails of a longer row: new Google projects may fetch five a second


@dataclass(frozen=True, slots=True)
class ApiWatch:
    """Watches the mailbox for as long as the API answers."""

    settings: GmailSettings
    context: SourceContext
    intake: Intake

    async def run(self) -> None:
        """Until something fails, which raises an AieError, or nobody waits any more."""
        async with gmail_api(self.settings, self.context.credentials) as api:
            session = _Session(self.settings, self.context, self.intake, api)
            learnt_at: dt.datetime | None = None
            while True:
                await session.look()
                if learnt_at is None or self.context.clock.now() - learnt_at > LEARN_EVERY:
                    await session.learn_contacts()
                    learnt_at = self.context.clock.now()
                await self.intake.room.close()
                self.intake.works()
                await self.context.clock.sleep(self.settings.poll_interval_s)


@dataclass(frozen=True, slots=True)
class _Session:
    """One client."""

    settings: GmailSettings
    context: SourceContext
    intake: Intake
    api: GmailApi

    async def look(self) -> None:
        """Once: tell of what is new since the saved position."""
        saved = self.context.cursor
        known = saved if isinstance(saved, dict) and saved.get("version") == 1 else None
        if known is None:
            await self._first()
            return
        seen_at, since = (dt.datetime.fromisoformat(str(known[key])) for key in ("seen_at", "since"))
        if known.get("transport") == "gmail_api":
            with contextlib.suppress(GoneError):  # the history id is too old: Gmail keeps about a week
                ids, history_id = await self._news(str(known["history_id"]))
                await self._tell(ids, history_id, seen_at, since)
                return
            self.context.log.warning("Gmail has forgotten where aie was: looking again at what came in the last days")
        history_id = await self._history_id()
        after = int((seen_at - LOOK_BACK).timestamp())
        ids = await self.api.ids(f"in:{self.settings.folder.lower()} after:{after}", 5_000)
        await self._tell(ids[::-1], history_id, seen_at, since)

    async def learn_contacts(self) -> None:
        """Bring up to date who was written to: the newest of the sent mails, those looked at before left out."""
        if not self.settings.contacts_from_sent:
            return
        known = WrittenTo.load(self.context.cache_dir)
        ids = await self.api.ids("in:sent", LEARN_FROM)
        new = ids[: ids.index(known.position)] if known.position in ids else ids
        found: list[str] = []
        for number, message_id in enumerate(new):
            if number >= BATCH:
                await self.context.clock.sleep(PACE_S)
            with contextlib.suppress(GoneError):
                told = await self.api.get(f"/messages/{message_id}", format="metadata", metadataHeaders=["To", "Cc"])
                headers = told.get("payload", {}).get("headers", ())
                texts = [str(one["value"]) for one in headers if one["name"].lower() in {"to", "cc", "bcc"}]
                found += [one.address for text in texts for one in addresses(text)]
        if new:
            known.with_more(found, new[0]).save(self.context.cache_dir)

    async def _first(self) -> None:
        """What is there already is no news, but for the newest ``backfill`` mails."""
        history_id, now = await self._history_id(), self.context.clock.now()
        wanted = self.settings.backfill
        ids = (await self.api.ids(f"in:{self.settings.folder.lower()}", wanted))[::-1] if wanted else []
        since = dt.datetime(1990, 1, 1, tzinfo=dt.UTC) if ids else now - CLOCKS_APART
        await self._tell(ids, history_id, now, since)

    async def _history_id(self) -> str:
        return str((await self.api.get("/profile"))["historyId"])

    async def _news(self, start: str) -> tuple[list[str], str]:
        """The ids of mails that were added since, each once, and the history id to go on from."""
        ids: dict[str, None] = {}
        page = ""
        while True:
            answer = await self.api.get(
                "/history",
                startHistoryId=start,
                historyTypes="messageAdded",
                labelId=self.settings.folder,
                maxResults=500,
                pageToken=page,
            )
            for record in answer.get("history", ()):
                for added in record.get("messagesAdded", ()):
                    message = added["message"]
                    if not {"DRAFT", "TRASH", "SPAM"} & set(message.get("labelIds", ())):
                        ids[str(message["id"])] = None
            page = str(answer.get("nextPageToken", ""))
            if not page:
                return list(ids), str(answer["historyId"])

    async def _tell(self, ids: Sequence[str], history_id: str, seen_at: dt.datetime, since: dt.datetime) -> None:
        """Tell of these mails; the position after them is saved with the last."""
        events: list[Event] = []
        for number, message_id in enumerate(ids):
            if number >= BATCH:
                await self.context.clock.sleep(PACE_S)
            found = await self._arrived(message_id)
            if found is None or found.received_at < since:
                continue
            seen_at = max(seen_at, found.received_at)
            event = await self.intake.event(found)
            events += [event] if event else []
            if len(events) == BATCH:
                await self.context.emit(events)
                events = []
        cursor: Json = {
            "version": 1,
            "transport": "gmail_api",
            "history_id": history_id,
            "seen_at": seen_at.isoformat(),
            "since": since.isoformat(),
        }
        if events or cursor != self.context.cursor:
            await self.context.emit(events, cursor=cursor)

    async def _arrived(self, message_id: str) -> Arrived | None:
        """The mail; None if it is gone or is a draft."""
        try:
            found = await self.api.raw(message_id)
        except GoneError:
            return None
        labels = [str(label) for label in found.get("labelIds", ())]
        if "DRAFT" in labels:
            return None
        raw: bytes = found["raw"]
        whole = len(raw) <= self.settings.max_message_bytes
        told: dict[str, Any] = {
            "folder": self.settings.folder,
            "provider_id": message_id,
            "thread_id": str(found.get("threadId", "")),
            "labels": labels,
            "size_bytes": len(raw),
            "truncated": not whole,
        }
        received_at = dt.datetime.fromtimestamp(int(found["internalDate"]) / 1000, dt.UTC)
        return Arrived(raw if whole else raw[:HEAD_BYTES], f"gm-{message_id}", received_at, told)
