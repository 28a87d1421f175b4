"""Sending by SMTP; sent mail, drafts and labels by IMAP."""

from __future__ import annotations

import asyncio
import datetime as dt
import imaplib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from aie.actions import LookUp
from aie.errors import ActionError, AieError
from aie_gmail import smtp
from aie_gmail.imap import HEAD_BYTES, Imap, connection, quoted
from aie_gmail.outgoing import MARK, Outgoing
from aie_gmail.settings import GmailSettings
from aie_gmail.threads import in_thread
from aie_gmail.transport import Access, Change
from aie_gmail.trouble import imap_trouble

LOOK_EVERY_S = 3.0
MARGIN_S = 10.0  # of the time a step has, for the last look
MAX_ANSWERS = 100

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class OverImap:
    """One mailbox, reached over connections that last for one call."""

    settings: GmailSettings

    async def send(self, mail: Outgoing, access: Access) -> dict[str, Any]:
        password = access.credentials.require("password")
        message = await asyncio.to_thread(mail.message)
        answer = await smtp.deliver(self.settings, password, mail.sender, mail.recipients, message)
        result: dict[str, Any] = {"message_id": mail.message_id, "answer": answer}
        if not self.settings.server_files_sent:
            result["filed"] = await self._file(mail, message, access)
        return result

    async def _file(self, mail: Outgoing, message: bytes, access: Access) -> bool:
        """Put a copy among the sent mails; it is out in any case, so this must not fail the step."""

        def file(imap: Imap) -> bool:
            folder = imap.special("\\Sent") or imap.make("Sent")
            imap.append(message, folder, ["\\Seen"])
            return True

        try:
            return await self._call(file, access)
        except AieError as error:
            access.log.warning("the mail %s was sent, and no copy could be filed: %s", mail.message_id, error)
            return False

    async def look_for_sent(self, mail: Outgoing, access: Access) -> LookUp:
        """Found among the sent mails: it was sent. Not found: it was not, where the server files mail, and
        long enough after; else unknown.

        aie files its own copy after the server took the mail, so a copy that is missing says nothing.
        """
        loop = asyncio.get_running_loop()
        wanted_s = self.settings.sent_shows_up_s if self.settings.server_files_sent else 0.0
        patience_s = min(wanted_s, max(0.0, access.timeout_s - MARGIN_S))
        certain = self.settings.server_files_sent and patience_s >= wanted_s
        until = loop.time() + patience_s
        while True:
            if await self._call(lambda imap: bool(_sent(imap, mail)), access):
                return LookUp(True, {"message_id": mail.message_id})
            if loop.time() >= until:
                return LookUp(False if certain else None)
            await asyncio.sleep(min(LOOK_EVERY_S, max(0.0, until - loop.time())))

    async def draft(self, mail: Outgoing, access: Access) -> dict[str, Any]:
        message = await asyncio.to_thread(mail.message, with_bcc=True)

        def put(imap: Imap) -> str:
            folder = imap.special("\\Drafts") or imap.make("Drafts")
            imap.open(folder)
            if not imap.with_header("Message-ID", mail.message_id):
                imap.append(message, folder, ["\\Draft"])
            return folder

        return {"message_id": mail.message_id, "folder": await self._call(put, access)}

    async def change(self, email: Mapping[str, Any], change: Change, access: Access) -> dict[str, Any]:
        return await self._call(lambda imap: _change(imap, email, change), access)

    async def arrived(
        self, word: str, since: dt.datetime, known: frozenset[str], access: Access
    ) -> list[tuple[str, bytes]]:
        day = (since - dt.timedelta(days=1)).strftime("%d-%b-%Y")

        def look(imap: Imap) -> list[tuple[str, bytes]]:
            standing = imap.open(self.settings.folder, readonly=True)
            uids = imap.search("SINCE", day, "SUBJECT", quoted(word))[-MAX_ANSWERS:]
            named = [(uid, f"{standing.uidvalidity}/{uid}") for uid in uids]
            found = [(name, imap.raw(uid, HEAD_BYTES)) for uid, name in named if name not in known]
            return [(name, raw) for name, raw in found if raw is not None]

        return await self._call(look, access)

    async def _call(self, function: Callable[[Imap], Result], access: Access) -> Result:
        password = access.credentials.require("password")
        opened: list[Imap] = []

        def work() -> Result:
            with connection(self.settings, password, opened.append) as imap:
                return function(imap)

        def stop() -> None:
            for imap in opened:
                imap.cut()

        try:
            return await in_thread(work, stop)
        except AieError:
            raise
        except Exception as error:
            raise imap_trouble(error, self.settings) from error


def _sent(imap: Imap, mail: Outgoing) -> list[int]:
    """The mail among the sent ones: by its Message-ID, or by aie's own mark where a server gave it another."""
    folder = imap.special("\\Sent")
    if folder is None:
        return []
    imap.open(folder, readonly=True)
    return imap.with_header("Message-ID", mail.message_id) or imap.with_header(MARK, mail.mark)


def _change(imap: Imap, email: Mapping[str, Any], change: Change) -> dict[str, Any]:
    folder = str(email.get("folder") or "INBOX")
    uid = _find(imap, email, folder)
    if change.read:
        imap.store(uid, "+FLAGS", ["\\Seen"])
    for sign, label in (("+", change.add_label), ("-", change.remove_label)):
        if label and imap.at_gmail:
            imap.store(uid, f"{sign}X-GM-LABELS", [quoted(label)])
        elif label:
            if not imap.takes_keywords():
                raise ActionError("this mail server takes no labels", where=folder, hint="leave label_email out")
            imap.store(uid, f"{sign}FLAGS", [keyword(label)])
    if change.archive:  # at Gmail a mail leaves the inbox by being moved to where all mail is
        uses = ("\\All",) if imap.at_gmail else ("\\Archive", "\\All")
        imap.move(uid, next((found for use in uses if (found := imap.special(use))), None) or imap.make("Archive"))
    return {"folder": folder, "uid": uid}


def _find(imap: Imap, email: Mapping[str, Any], folder: str) -> int:
    """Where the mail is now: at its UID if that still means the same mail, else wherever its Message-ID is found."""
    message_id = str(email.get("message_id") or "")
    try:
        standing = imap.open(folder)
        uid = email.get("uid")
        if isinstance(uid, int) and standing.uidvalidity == email.get("uidvalidity") and imap.items([uid]):
            return uid
        found = imap.with_header("Message-ID", message_id) if message_id else []
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        found = []
    for use in () if found or not message_id else ("\\All", "\\Archive"):
        other = imap.special(use)
        if other is not None:
            imap.open(other)
            found = imap.with_header("Message-ID", message_id)
        if found:
            break
    if not found:
        raise ActionError(
            f"the mail {message_id or email.get('subject')!r} is not in the mailbox any more", where=folder
        )
    return found[-1]


def keyword(label: str) -> str:
    """A label as an IMAP keyword, which takes few characters."""
    return re.sub(r"[^A-Za-z0-9_.$-]+", "_", label).strip("_") or "label"
