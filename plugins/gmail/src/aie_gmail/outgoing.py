"""A mail to be sent: from an action's parameters to the bytes that leave the house."""

from __future__ import annotations

import mimetypes
import uuid
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path, PurePosixPath

from aie.errors import ActionError, AieError, ParameterError
from aie.files import Files
from aie_gmail.addresses import addresses, normal
from aie_gmail.charsets import one_line
from aie_gmail.markdown import page

MARK = "X-Aie-Id"
MAX_FILES_BYTES = 18_000_000  # Google and Microsoft take 25 MB, and base64 makes four bytes of three
_POLICY = SMTP.clone(max_line_length=900)  # folding at 78 would spoil long message ids
_NAMESPACE = uuid.UUID("6f5c8f0e-5b0c-4a55-9d0a-3c1f6f0f9a51")


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file that goes with a mail."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One mail. Whoever builds it twice from the same step gets the same ``mark``, and so the same Message-ID."""

    mark: str
    sender: str
    sender_name: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    subject: str
    text: str
    html: str
    date: datetime  # aware
    priority: str = "normal"
    enclosures: tuple[Enclosure, ...] = ()
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    thread_id: str = ""  # Gmail's

    @property
    def message_id(self) -> str:
        return f"<aie.{self.mark}@{self.sender.rpartition('@')[2] or 'localhost'}>"

    @property
    def recipients(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.to, *self.cc, *self.bcc)))

    def message(self, *, with_bcc: bool = False) -> bytes:
        """The mail as it goes over the wire, in 7-bit characters. ``with_bcc`` for Gmail's API, which takes Bcc off."""
        mail = EmailMessage(policy=_POLICY)
        mail["Message-ID"] = self.message_id
        mail["Date"] = format_datetime(self.date)
        mail["From"] = _header_address(self.sender, self.sender_name)
        mail["To"] = [_header_address(address) for address in self.to]
        if self.cc:
            mail["Cc"] = [_header_address(address) for address in self.cc]
        if self.bcc and with_bcc:
            mail["Bcc"] = [_header_address(address) for address in self.bcc]
        mail["Subject"] = self.subject
        if self.in_reply_to:
            mail["In-Reply-To"] = self.in_reply_to
            mail["References"] = " ".join(self.references or (self.in_reply_to,))
        if self.priority != "normal":
            mail["Importance"] = self.priority
            mail["X-Priority"] = "1" if self.priority == "high" else "5"
        mail["Auto-Submitted"] = "auto-generated"
        mail[MARK] = self.mark
        mail.set_content(self.text, cte="quoted-printable")
        mail.add_alternative(self.html, subtype="html", cte="quoted-printable")
        for enclosure in self.enclosures:
            kind = mimetypes.guess_type(enclosure.name)[0] or "application/octet-stream"
            maintype, _, subtype = kind.partition("/")
            mail.add_attachment(enclosure.content, maintype=maintype, subtype=subtype, filename=enclosure.name)
        return mail.as_bytes()


def mark_of(key: str) -> str:
    """What a mail is recognised by: the same for every attempt at a step."""
    return str(uuid.uuid5(_NAMESPACE, key))


def bodies(text: str, html: str | None, quoted: str = "") -> tuple[str, str]:
    """The plain and the HTML form of a Markdown text; ``html`` instead of the one made of it."""
    below = "".join(f"\n> {line}".rstrip() for line in quoted.split("\n")) if quoted else ""
    return f"{text}\n{below}".rstrip() + "\n", html or page(text, quoted)


def recipients(value: str | list[str] | None, name: str) -> tuple[str, ...]:
    """Bare addresses that any server takes; ParameterError says which is none, and why."""
    texts = [value] if isinstance(value, str) else value or []
    found: list[str] = []
    for text in texts:
        if "\r" in text.strip() or "\n" in text.strip():
            raise ParameterError(f"{name} has a line break in it: {text[:200]!r}", where=name, hint="write one address")
        for one in addresses(text):
            if not one.address:
                raise ParameterError(
                    f"{name} is not a mail address: {text[:200]!r}", where=name, hint="write it as ada@example.com"
                )
            found.append(_deliverable(one.address, name))
    return tuple(dict.fromkeys(found))


def subject_line(text: str) -> str:
    """A subject that cannot become two header lines."""
    return one_line(text, 900)


def enclosures(paths: list[str], vault: Path, files: Files) -> tuple[Enclosure, ...]:
    """The files of the vault at these paths; ActionError if one is not there, or together they are too large."""
    found = []
    left = MAX_FILES_BYTES
    for path in paths:
        try:
            with files.folder_of(vault, path, create=False) as (folder, name), folder.open(name) as file:
                content = file.read(left + 1)
        except OSError as error:
            raise ActionError(
                f"the attachment {path!r} cannot be read: {error.strerror}", where="attachments", hint="check the path"
            ) from None
        except AieError as error:
            raise ParameterError(error.message, where="attachments", hint=error.hint) from None
        left -= len(content)
        if left < 0:
            raise ActionError(
                f"the attachments are larger than {MAX_FILES_BYTES // 1_000_000} MB, more than mail servers take",
                where="attachments",
                hint="share them another way, and send a link",
            )
        found.append(Enclosure(PurePosixPath(path).name, content))
    return tuple(found)


def _deliverable(address: str, name: str) -> str:
    local, _, domain = address.rpartition("@")
    if not local.isascii():
        raise ParameterError(
            f"{name} has letters before the @ that many mail servers do not take: {address!r}",
            where=name,
            hint="ask for an address without accents and umlauts before the @",
        )
    try:
        domain = domain.encode("idna").decode() if not domain.isascii() else domain
    except UnicodeError:
        raise ParameterError(f"{name} is not a mail address: {address!r}", where=name) from None
    return normal(f"{local}@{domain}")


def _header_address(address: str, name: str = "") -> HeaderAddress:
    username, _, domain = address.rpartition("@")
    return HeaderAddress(one_line(name, 200), username, domain)
