"""A mail, read: what the event ``email_received`` says of it, and its attachments.

Whatever the bytes are, there is an answer: what is malformed is read as far as it can be, and noted under ``oddities``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_tz
from typing import Any
from zoneinfo import ZoneInfo

from aie_gmail.addresses import addresses, single
from aie_gmail.appointments import Appointment, appointments
from aie_gmail.charsets import clean, decoded, one_line
from aie_gmail.headers import Headers
from aie_gmail.html_text import html_text
from aie_gmail.invites import invite_of
from aie_gmail.mime import Part, take_apart
from aie_gmail.quoting import new_text

MAX_BODY_BYTES = 200_000
MAX_ATTACHMENTS = 100
_CALENDARS = frozenset({"text/calendar", "application/ics"})
_IDS = re.compile(r"<[^<>\s]{1,500}>")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A thing that came with a mail."""

    filename: str  # as the sender wrote it: never a path to write to
    content_type: str
    content: bytes

    def plain(self) -> dict[str, Any]:
        return {
            "filename": self.filename,
            "content_type": self.content_type,
            "size_bytes": len(self.content),
            "sha256": hashlib.sha256(self.content).hexdigest(),
        }


@dataclass(frozen=True, slots=True)
class Mail:
    """What was read. ``data`` is plain JSON data."""

    data: dict[str, Any]
    attachments: tuple[Attachment, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Reader:
    """How mails are read: the vault's zone, the order of day and month, and whose word on DMARC counts."""

    timezone: ZoneInfo
    day_first: bool = True
    trusted_host: str = ""  # the name in Authentication-Results of the server that received the mail

    def read(self, raw: bytes, received_at: dt.datetime) -> Mail:
        """The mail; ``received_at`` is when the mailbox took it, aware."""
        root = take_apart(raw)
        headers = root.headers
        attachments = tuple(_attachments(root))[:MAX_ATTACHMENTS]
        body = _capped(_body(root), MAX_BODY_BYTES)
        new = _capped(new_text(body), MAX_BODY_BYTES // 2)
        sent_at = _date(headers.source("date"))
        invite = invite_of(_calendars(root), self.timezone)
        subject = headers.text("subject")
        found = appointments(f"{subject}\n\n{new}", sent_at or received_at, self.timezone, day_first=self.day_first)
        return Mail(
            {
                "subject": subject,
                **_people(headers),
                "date": sent_at.isoformat(timespec="seconds") if sent_at else "",
                "received_at": received_at.astimezone(self.timezone).isoformat(timespec="seconds"),
                "body": body,
                "body_new": new,
                "snippet": one_line(new, 200),
                "attachments": [attachment.plain() for attachment in attachments],
                "invite": invite,
                **_suggestion(invite, found, self.timezone),
                "message_id": _first_id(headers.source("message-id")),
                "in_reply_to": _first_id(headers.source("in-reply-to")),
                "references": _IDS.findall(headers.source("references"))[-50:],
                "list_id": headers.text("list-id", 300) or None,
                "auto_submitted": _automatic(headers),
                "dmarc": _dmarc(headers, self.trusted_host),
                "oddities": _oddities(headers),
            },
            attachments,
        )


def identity(raw: bytes) -> str:
    """A name for a mail that stays the same wherever a copy of it lies: for event ids where the provider gives none."""
    headers = take_apart(raw[:300_000]).headers
    known = [headers.raw(name) for name in ("message-id", "from", "date", "subject")]
    return hashlib.sha256(b"\0".join(known) if known[0] else raw).hexdigest()[:32]


def _people(headers: Headers) -> dict[str, Any]:
    sender = single(headers.source("from"))
    replies = addresses(headers.source("reply-to"))
    return {
        "sender": headers.text("from"),
        "from_address": sender.address,
        "from_name": sender.name,
        "from_suspicious": sender.odd or headers.count("from") != 1 or "@" in sender.name,
        "to": [one.address for one in addresses(headers.source("to")) if one.address],
        "cc": [one.address for one in addresses(headers.source("cc")) if one.address],
        "reply_to": next((one.address for one in replies if one.address), ""),
    }


def _oddities(headers: Headers) -> list[str]:
    """What is not as it should be, in words."""
    twice = [name for name in ("from", "subject", "date", "to", "message-id") if headers.count(name) > 1]
    missing = [name for name in ("from", "date") if not headers.count(name)]
    return [f"{name} is there more than once" for name in twice] + [f"{name} is missing" for name in missing]


def _date(text: str) -> dt.datetime | None:
    """The Date header, aware; None if it is absent or nonsense."""
    try:
        parts = parsedate_tz(text[:200])
        if parts is None:
            return None
        offset_s = parts[9] or 0
        zone = dt.timezone(dt.timedelta(seconds=offset_s)) if abs(offset_s) < 86_400 else dt.UTC
        sent_at = dt.datetime(*parts[:6], tzinfo=zone)
        return sent_at if 1990 <= sent_at.year <= 2200 else None
    except (ValueError, TypeError, OverflowError, IndexError):  # what parsedate_tz lets through or trips over
        return None


def _first_id(text: str) -> str:
    found = _IDS.search(text)
    return found[0] if found else one_line(text, 500)


def _automatic(headers: Headers) -> str | None:
    """Why a program must not answer this; None if it may."""
    said = headers.token("auto-submitted")
    if said and said != "no":
        return said
    precedence = headers.token("precedence")
    if precedence in {"bulk", "list", "junk", "auto_reply"}:
        return f"precedence: {precedence}"
    if headers.raw("x-auto-response-suppress") or headers.raw("x-autoreply"):
        return "auto-response"
    return "bounce" if headers.raw("return-path").strip() == b"<>" else None


def _dmarc(headers: Headers, trusted_host: str) -> str:
    """The verdict of the receiving server: only its own line counts, and only as the topmost one."""
    said = decoded(headers.raw("authentication-results"), None)
    host = said.partition(";")[0].split()[:1]
    if not trusted_host or not host or host[0].lower() != trusted_host.lower():
        return "none"
    verdicts = re.findall(r"(?:^|;)\s*dmarc\s*=\s*([a-z]{1,20})", re.sub(r"\([^()]*\)|\"[^\"]*\"", "", said.lower()))
    return verdicts[0] if len(verdicts) == 1 else "none"


# --- text ----------------------------------------------------------------------------------------------------------


def _body(root: Part) -> str:
    """The text of the mail; of alternatives, the plain one if it says anything."""
    return "\n\n".join(text for text in _texts(root) if text).strip()


def _texts(part: Part) -> Iterator[str]:
    if not part.parts:
        if not part.is_attachment:
            yield _text(part)
        return
    if part.kind == "multipart/alternative":
        shown = [
            (leaf.kind == "text/html", text)
            for leaf in part.leaves()
            if not leaf.is_attachment and (text := _text(leaf))
        ]
        plain = [text for is_html, text in shown if not is_html]
        yield from plain or [text for _, text in shown[-1:]]
        return
    for inner in part.parts:
        yield from _texts(inner)


def _text(leaf: Part) -> str:
    if leaf.kind in _CALENDARS:
        return ""
    text = decoded(leaf.data()[: 4 * MAX_BODY_BYTES], leaf.headers.parameter("content-type", "charset"))
    return clean(html_text(text) if leaf.kind == "text/html" else text).strip()


def _capped(text: str, most_bytes: int) -> str:
    data = text.encode("utf-8", "replace")
    return text if len(data) <= most_bytes else data[:most_bytes].decode("utf-8", "ignore")


# --- attachments and invitations -----------------------------------------------------------------------------------


def _attachments(root: Part) -> Iterator[Attachment]:
    for leaf in root.leaves():
        if leaf.is_attachment and (leaf is not root or leaf.content):
            yield Attachment(leaf.filename or _made_up_name(leaf), leaf.kind, leaf.data())


def _made_up_name(leaf: Part) -> str:
    if leaf.kind == "message/rfc822":
        return f"{take_apart(leaf.data()[:300_000]).headers.text('subject', 80) or 'forwarded mail'}.eml"
    ending = re.sub(r"[^a-z0-9]", "", leaf.kind.rpartition("/")[2])[:8]
    return f"attachment.{ending or 'bin'}"


def _calendars(root: Part) -> Iterator[str]:
    for leaf in root.leaves():
        if leaf.kind in _CALENDARS or leaf.filename.lower().endswith(".ics"):
            yield decoded(leaf.data()[:200_000], leaf.headers.parameter("content-type", "charset"))


def _suggestion(invite: Mapping[str, Any] | None, found: list[Appointment], timezone: ZoneInfo) -> dict[str, Any]:
    """When an appointment could be meant to be: as an invitation says, else the likeliest of the dates in the text."""
    candidates = [one.plain() for one in found]
    if invite is not None and invite["method"] != "CANCEL":
        start, end = (_local(invite[key], timezone) for key in ("start", "end"))
        first = {
            "date": start[:10],
            "time": start[11:16] or None,
            "end": end[11:16] or None,
            "phrase": f"invitation {invite['title']!r}",
            "ambiguous": bool(invite["unknown_timezone"]),
        }
        candidates.insert(0, first)
    best = candidates[0] if candidates else dict.fromkeys(("date", "time", "end", "phrase"))
    return {
        "suggested_date": best["date"],
        "suggested_time": best["time"],
        "suggested_end": best["end"],
        "suggested_phrase": best["phrase"],
        "candidates": candidates,
    }


def _local(moment: str, timezone: ZoneInfo) -> str:
    if "T" not in moment:
        return moment
    time = dt.datetime.fromisoformat(moment)
    return (time.astimezone(timezone) if time.tzinfo else time).isoformat()
