"""The channel ``gmail.mail``: a request goes to the owner by mail, and an answer with its code decides.

A mail's From line proves nothing, so an answer counts only if all of this holds: it is from an address on the list, the
server that received it vouches for that (DMARC pass), a person wrote it, and its own first line, quoted text left out,
has the code of that one request. The code is made from a secret of this vault, the request and what was shown: it fits
nothing else, and once the request is decided it fits nothing at all.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aie.approvals import Approval, ApprovalChannel, ApprovalDesk, ApprovalState
from aie.credentials import Credentials
from aie.errors import RetryableError
from aie.files import Files
from aie_gmail.addresses import same
from aie_gmail.mail import Reader
from aie_gmail.outgoing import Outgoing, bodies, mark_of, subject_line
from aie_gmail.reading import UnreadableError, reading_room
from aie_gmail.settings import ApproveByMail, GmailSettings
from aie_gmail.transport import Access, Transport

TAG = "aie-approval"
WITHIN_S = 30.0
MOST_WRONG_CODES = 5
_ANSWER = re.compile(r"(?i)\s*(approve|yes|ja|oui|sí|si|reject|no|nein|non)\W+([a-z2-7]{5})-?([a-z2-7]{5})\b")
_YES = frozenset({"approve", "yes", "ja", "oui", "sí", "si"})
_REQUEST = re.compile(r"\bapr_[a-z0-9]{8,40}\b")
_FILE = "approvals-by-mail.json"


def mail_channel(settings: GmailSettings, mailbox: Callable[[GmailSettings], Transport]) -> ApprovalChannel:
    """The channel with these settings, which say that there is one."""
    asked = settings.approve_by_mail
    assert asked is not None
    return ApprovalChannel(
        name="gmail.mail",
        sync=MailChannel(settings, asked, mailbox).sync,
        summary=f"requests sent to {asked.to}, decided by an answer with the code in it",
        interval_s=asked.interval_s,
        touches=settings.servers,
    )


def is_approval_mail(data: Mapping[str, Any], settings: GmailSettings) -> bool:
    """Whether a mail that came in belongs to this channel: then it is no news, and no workflow gets to see its code."""
    if settings.approve_by_mail is None or f"[{TAG}]" not in str(data.get("subject", "")):
        return False
    known = (*settings.approve_by_mail.deciders, settings.address)
    return any(same(str(data.get("from_address", "")), address) for address in known)


def code_of(key: str, approval: Approval) -> str:
    """``K7Q2M-4TXAB``: for this request and exactly what it showed."""
    digest = hmac.digest(key.encode(), f"{approval.approval_id}\0{approval.digest}".encode(), hashlib.sha256)
    text = base64.b32encode(digest).decode()[:10]
    return f"{text[:5]}-{text[5:]}"


@dataclass(frozen=True, slots=True)
class Known:
    """What was sent and seen. It can be lost: then requests are sent again, and answers looked at again."""

    asked: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()  # the request of each wrong code

    @classmethod
    def load(cls, folder: Path) -> Known:
        try:
            data = json.loads((folder / _FILE).read_bytes())
            return cls(*(tuple(map(str, data[name])) for name in ("asked", "seen", "wrong")))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        data = {"asked": self.asked[-1_000:], "seen": self.seen[-1_000:], "wrong": self.wrong[-1_000:]}
        Files().write(folder / _FILE, json.dumps(data).encode())


@dataclass(frozen=True, slots=True)
class MailChannel:
    """Sends what was not sent yet, and takes answers. Works from the mailbox and the requests alone."""

    settings: GmailSettings
    asked: ApproveByMail
    mailbox: Callable[[GmailSettings], Transport]

    async def sync(self, desk: ApprovalDesk) -> None:
        """Once; a mailbox that does not answer holds nothing else up."""
        pending = list(desk.pending())
        if not pending:
            return
        access = Access(desk.credentials, WITHIN_S, desk.log)
        try:
            async with asyncio.timeout(WITHIN_S):
                key = _key(desk.credentials)
                known = await self._send(desk, pending, key, access, Known.load(desk.cache_dir))
                since = min(approval.requested_at for approval in pending)
                await self._take(desk, key, access, known, since)
        except TimeoutError:
            raise RetryableError(f"the mailbox did not answer within {WITHIN_S:g} s", where="gmail.mail") from None

    async def _send(self, desk: ApprovalDesk, pending: list[Approval], key: str, access: Access, known: Known) -> Known:
        for approval in pending:
            if approval.approval_id not in known.asked:
                await self.mailbox(self.settings).send(self._request(approval, key, desk), access)
                known = replace(known, asked=(*known.asked, approval.approval_id))
                known.save(desk.cache_dir)
        return known

    def _request(self, approval: Approval, key: str, desk: ApprovalDesk) -> Outgoing:
        code = code_of(key, approval)
        until = f"{approval.expires_at.astimezone(desk.timezone):%Y-%m-%d %H:%M}" if approval.expires_at else ""
        text = (
            "A request waits for your decision. Answer this mail; the first line of your answer is one of these:\n\n"
            f"APPROVE {code}\n\nREJECT {code}\n\n"
            + (f"Without an answer until {until} it is rejected.\n\n" if until else "")
            + "What exactly will happen:"
        )
        what = approval.body or json.dumps(approval.params, indent=1, ensure_ascii=False)
        about = f"{approval.workflow_name}, {approval.action_type}; {approval.reason}"
        plain, html = bodies(text, None, f"{approval.title}\n{about}\n\n{what}")  # others' words: not rendered
        return Outgoing(
            mark=mark_of(f"approval/{approval.approval_id}"),
            sender=self.settings.address,
            sender_name="aie",
            to=(self.asked.to,),
            cc=(),
            bcc=(),
            subject=subject_line(f"[{TAG}] {approval.title[:120]} ({approval.approval_id})"),
            text=plain,
            html=html,
            date=desk.now.astimezone(desk.timezone),
        )

    async def _take(self, desk: ApprovalDesk, key: str, access: Access, known: Known, since: dt.datetime) -> None:
        reader = Reader(desk.timezone, trusted_host=self.settings.receiving_host)
        found = await self.mailbox(self.settings).arrived(TAG, since, frozenset(known.seen), access)
        async with reading_room(reader) as room:
            for name, raw in found:
                with contextlib.suppress(UnreadableError):
                    mail = await room.read(raw, desk.now)
                    known = await self._decide(desk, mail.data, key, known)
                known = replace(known, seen=(*known.seen, name))
                known.save(desk.cache_dir)

    async def _decide(self, desk: ApprovalDesk, mail: Mapping[str, Any], key: str, known: Known) -> Known:
        """What one mail with the tag in its subject comes to."""
        answer = _ANSWER.match(str(mail["body_new"]))
        request = _REQUEST.search(str(mail["subject"]))
        approval = desk.get(request[0]) if request else None
        if answer is None or approval is None or approval.state is not ApprovalState.PENDING:
            return known  # the request itself, a word without a code, or a matter that is settled
        refused = self._distrust(mail)
        if not refused and known.wrong.count(approval.approval_id) >= MOST_WRONG_CODES:
            refused = "there were too many wrong codes for this request: decide it another way"
        code = f"{answer[2]}-{answer[3]}".upper()
        if not refused and not hmac.compare_digest(code, code_of(key, approval)):
            refused = "the code in it is not that of this request"
            known = replace(known, wrong=(*known.wrong, approval.approval_id))
        if refused:
            sender = mail["from_address"] or "nobody"
            await desk.refuse(approval.approval_id, reason=f"an answer by mail from {sender} does not count: {refused}")
            return known
        await desk.decide(
            approval.approval_id,
            approved=answer[1].lower() in _YES,
            by=str(mail["from_address"]),
            evidence=f"mail {mail['message_id']} with the code, DMARC pass by {self.settings.receiving_host}",
            comment=str(mail["body_new"])[answer.end() :].strip()[:1_000],
        )
        return known

    def _distrust(self, mail: Mapping[str, Any]) -> str:
        """Why nobody can be sure that one of those who may decide wrote it; '' if one did."""
        sender = str(mail["from_address"])
        if mail["from_suspicious"] or not any(same(sender, one) for one in self.asked.deciders):
            return "that address is not one of those that may decide"
        if mail["dmarc"] != "pass":
            return "the mail server does not vouch for its sender (DMARC)"
        if mail["auto_submitted"]:
            return "a program wrote it"
        return ""


def _key(credentials: Credentials) -> str:
    """The secret that codes are made from; made when it is needed first."""
    known = credentials.get("approval_key")
    if known is None:
        with credentials.locked():
            known = credentials.get("approval_key") or secrets.token_hex(32)
            credentials.save({"approval_key": known})
    return known
