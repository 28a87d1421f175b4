"""Sending, drafts and labels by Gmail's API."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aie.actions import LookUp
from aie.errors import ActionError
from aie_gmail.api import GmailApi, GoneError, gmail_api, to_base64url
from aie_gmail.outgoing import MARK, Outgoing
from aie_gmail.settings import GmailSettings
from aie_gmail.transport import Access, Change

LOOK_EVERY_S = 3.0
MARGIN_S = 10.0  # of the time a step has, for the last look
MAX_ANSWERS = 100
MAX_BYTES = 36_700_160
RECENT = 20  # of the last sent mails that are looked at where a search does not find the Message-ID
_SYSTEM = frozenset({"INBOX", "UNREAD", "STARRED", "IMPORTANT", "SPAM", "TRASH"})


@dataclass(frozen=True, slots=True)
class OverApi:
    """One mailbox at Google."""

    settings: GmailSettings

    async def send(self, mail: Outgoing, access: Access) -> dict[str, Any]:
        message = await asyncio.to_thread(mail.message, with_bcc=True)
        if len(message) > MAX_BYTES:
            raise ActionError(
                f"the mail has {len(message)} bytes, and Gmail takes at most {MAX_BYTES}", hint="send less"
            )
        body = {"raw": to_base64url(message)} | ({"threadId": mail.thread_id} if mail.thread_id else {})
        async with gmail_api(self.settings, access.credentials) as api:
            answer = await api.post("/messages/send", body, unsure=True)
        return {
            "message_id": mail.message_id,
            "provider_id": str(answer.get("id", "")),
            "thread_id": str(answer.get("threadId", "")),
        }

    async def look_for_sent(self, mail: Outgoing, access: Access) -> LookUp:
        loop = asyncio.get_running_loop()
        patience_s = min(self.settings.sent_shows_up_s, max(0.0, access.timeout_s - MARGIN_S))
        until = loop.time() + patience_s
        async with gmail_api(self.settings, access.credentials) as api:
            while True:
                found = await _sent(api, mail)
                if found:
                    return LookUp(True, {"message_id": mail.message_id, "provider_id": found})
                if loop.time() >= until:
                    return LookUp(False if patience_s >= self.settings.sent_shows_up_s else None)
                await asyncio.sleep(min(LOOK_EVERY_S, max(0.0, until - loop.time())))

    async def draft(self, mail: Outgoing, access: Access) -> dict[str, Any]:
        message = await asyncio.to_thread(mail.message, with_bcc=True)
        body = {"raw": to_base64url(message)} | ({"threadId": mail.thread_id} if mail.thread_id else {})
        async with gmail_api(self.settings, access.credentials) as api:
            known = await api.get("/drafts", q=f"rfc822msgid:{mail.message_id.strip('<>')}")
            for draft in known.get("drafts", ()):
                return {"message_id": mail.message_id, "draft_id": str(draft["id"])}
            answer = await api.post("/drafts", {"message": body})
        return {"message_id": mail.message_id, "draft_id": str(answer.get("id", ""))}

    async def change(self, email: Mapping[str, Any], change: Change, access: Access) -> dict[str, Any]:
        async with gmail_api(self.settings, access.credentials) as api:
            provider_id = str(email.get("provider_id") or "") or await _search(api, email)
            add = [await _label(api, change.add_label)] if change.add_label else []
            remove = [await _label(api, change.remove_label)] if change.remove_label else []
            remove += (["UNREAD"] if change.read else []) + (["INBOX"] if change.archive else [])
            try:
                answer = await api.post(
                    f"/messages/{provider_id}/modify", {"addLabelIds": add, "removeLabelIds": remove}
                )
            except GoneError:
                raise ActionError("the mail is not in the mailbox any more", where=provider_id) from None
        return {"provider_id": provider_id, "labels": [str(label) for label in answer.get("labelIds", ())]}

    async def arrived(
        self, word: str, since: dt.datetime, known: frozenset[str], access: Access
    ) -> list[tuple[str, bytes]]:
        after = int((since - dt.timedelta(days=1)).timestamp())
        async with gmail_api(self.settings, access.credentials) as api:
            ids = await api.ids(f"in:inbox subject:{word} after:{after}", MAX_ANSWERS)
            return [(one, (await api.raw(one))["raw"]) for one in ids[::-1] if one not in known]


async def _sent(api: GmailApi, mail: Outgoing) -> str:
    """The provider's id of the mail among the sent ones; '' if it is not there.

    Gmail may give a mail another Message-ID; then aie's own mark in the newest ones tells.
    """
    by_id = await api.ids(f"in:sent rfc822msgid:{mail.message_id.strip('<>')}", 1)
    if by_id:
        return by_id[0]
    for message_id in await api.ids("in:sent newer_than:2d", RECENT):
        found = await api.get(f"/messages/{message_id}", format="metadata", metadataHeaders=MARK)
        headers = found.get("payload", {}).get("headers", ())
        if any(header["name"].lower() == MARK.lower() and header["value"] == mail.mark for header in headers):
            return message_id
    return ""


async def _search(api: GmailApi, email: Mapping[str, Any]) -> str:
    message_id = str(email.get("message_id") or "").strip("<>")
    found = await api.ids(f"rfc822msgid:{message_id}", 1) if message_id else []
    if not found:
        raise ActionError("the mail is not in the mailbox any more", where=message_id)
    return found[0]


async def _label(api: GmailApi, name: str) -> str:
    """The id of a label, which is made if there is none of that name."""
    if name.upper() in _SYSTEM:
        return name.upper()
    known = (await api.get("/labels")).get("labels", ())
    for label in known:
        if str(label["name"]).casefold() == name.casefold():
            return str(label["id"])
    shown = {"labelListVisibility": "labelShow", "messageListVisibility": "show"}
    return str((await api.post("/labels", {"name": name, **shown}))["id"])
