"""One IMAP connection (RFC 3501), with what aie needs of it. Blocking: one thread at a time, see :mod:`threads`.

What a server can do is taken from its CAPABILITY after the login; folders are found by what they are for (RFC 6154),
not by their names, which are in the account's language.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import imaplib
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.utils import encode_folder

from aie_gmail.settings import GmailSettings

HEAD_BYTES = 262_144
LOST = (OSError, imaplib.IMAP4.abort)
"""What a connection that is gone raises."""

_ITEM = re.compile(rb"(UID|RFC822\.SIZE|X-GM-MSGID|X-GM-THRID) (\d+)")
_DATE = re.compile(rb'INTERNALDATE "([^"]{10,40})"')
_LIST = re.compile(rb"(FLAGS|X-GM-LABELS) \(((?:[^()\"]|\"(?:[^\"\\]|\\.)*\")*)\)")
_SPECIAL_NAMES = {
    "\\Sent": ("Sent", "Sent Items", "Sent Messages", "INBOX.Sent"),
    "\\Drafts": ("Drafts", "INBOX.Drafts"),
    "\\Archive": ("Archive", "INBOX.Archive"),
    "\\All": (),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How the open folder stands."""

    uidvalidity: int
    uidnext: int


@dataclass(frozen=True, slots=True)
class Item:
    """What a server says of a mail beside the mail itself."""

    uid: int
    size_bytes: int
    received_at: dt.datetime
    flags: tuple[str, ...]
    provider_id: str = ""  # Gmail's, as its API writes it
    thread_id: str = ""
    labels: tuple[str, ...] = ()


class Imap:
    """An open connection. ``cut`` may be called from another thread; what is going on then ends with an error."""

    def __init__(self, box: BaseMailBox) -> None:
        self._box = box
        self._client = box.client
        self.capabilities = self._capabilities()

    @classmethod
    def connect(cls, settings: GmailSettings, password: str) -> Imap:
        """Connect and log in; raises what imaplib and imap-tools raise."""
        address = {"host": settings.imap_host, "port": settings.imap_port, "timeout": settings.timeout_s}
        if settings.imap_security == "none":
            box: BaseMailBox = MailBoxUnencrypted(**address)
        else:
            kind = MailBox if settings.imap_security == "tls" else MailBoxStartTls
            box = kind(**address, ssl_context=ssl.create_default_context())
        try:
            if (settings.login + password).isascii():
                box.login(settings.login, password, initial_folder=None)
            else:
                box.login_utf8(settings.login, password, initial_folder=None)
            return cls(box)
        except BaseException:
            _cut(box)
            raise

    def cut(self) -> None:
        _cut(self._box)

    def close(self) -> None:
        """Say goodbye, if the server still listens."""
        with contextlib.suppress(Exception):  # it is over in any case
            self._client.sock.settimeout(2)
            self._client.logout()
        self.cut()

    @property
    def at_gmail(self) -> bool:
        return "X-GM-EXT-1" in self.capabilities

    @property
    def can_idle(self) -> bool:
        return "IDLE" in self.capabilities

    # --- folders -------------------------------------------------------------------------------------------------

    def open(self, folder: str, *, readonly: bool = False) -> Standing:
        """Open a folder."""
        self._box.folder.set(folder, readonly)
        status = self._box.folder.status(folder, ["UIDVALIDITY", "UIDNEXT"])
        return Standing(status["UIDVALIDITY"], status["UIDNEXT"])

    def special(self, use: str) -> str | None:
        r"""The folder that is for this: ``\Sent``, ``\Drafts``, ``\Archive``, ``\All``; None if there is none."""
        folders = self._box.folder.list()
        marked = [folder.name for folder in folders if use.lower() in {flag.lower() for flag in folder.flags}]
        names = {folder.name.lower(): folder.name for folder in folders}
        usual = [names[name.lower()] for name in _SPECIAL_NAMES[use] if name.lower() in names]
        return next(iter([*marked, *usual]), None)

    def make(self, folder: str) -> str:
        with contextlib.suppress(imaplib.IMAP4.error):  # it is there by now
            self._box.folder.create(folder)
        return folder

    def takes_keywords(self) -> bool:
        """Whether words of one's own can be put on the mails of the open folder."""
        told = self._client.untagged_responses.get("PERMANENTFLAGS", [b""])
        return b"\\*" in (told[-1] or b"")

    # --- mails ---------------------------------------------------------------------------------------------------

    def search(self, *criteria: str | bytes) -> list[int]:
        """UIDs in the open folder, ascending."""
        data = _ok(self._client.uid("SEARCH", *criteria))  # type: ignore[arg-type]
        return sorted(int(uid) for piece in data if isinstance(piece, bytes) for uid in piece.split())

    def after(self, uid: int) -> list[int]:
        """The UIDs above this one. A server answers ``n:*`` with the last mail if n is beyond it."""
        self._client.untagged_responses.pop("EXISTS", None)
        return [found for found in self.search("UID", f"{uid + 1}:*") if found > uid]

    def with_header(self, name: str, value: str) -> list[int]:
        return self.search("HEADER", name, quoted(value))

    def items(self, uids: Sequence[int]) -> list[Item]:
        """What the server says of these mails, in the order of their UIDs; those that are gone are left out."""
        wanted = (
            "(UID RFC822.SIZE INTERNALDATE FLAGS"
            + (" X-GM-MSGID X-GM-THRID X-GM-LABELS" if self.at_gmail else "")
            + ")"
        )
        found: dict[int, Item] = {}
        for some in _chunks(uids, 500):
            for piece in _ok(self._client.uid("FETCH", _joined(some), wanted)):
                item = _item(piece[0] + piece[1] if isinstance(piece, tuple) else piece or b"")
                if item is not None and item.uid in uids:
                    found[item.uid] = item
        return [found[uid] for uid in sorted(found)]

    def raw(self, uid: int, most_bytes: int | None = None) -> bytes | None:
        """The mail (or its first bytes), not marked as read; None if it is gone."""
        section = "BODY.PEEK[]" if most_bytes is None else f"BODY.PEEK[]<0.{most_bytes}>"
        return self._literal(uid, section)

    def headers(self, uids: Sequence[int], names: Sequence[str]) -> list[bytes]:
        """These header fields of many mails at once, in no order."""
        found: list[bytes] = []
        for some in _chunks(uids, 500):
            data = _ok(self._client.uid("FETCH", _joined(some), f"(BODY.PEEK[HEADER.FIELDS ({' '.join(names)})])"))
            found += [piece[1] for piece in data if isinstance(piece, tuple)]
        return found

    def _literal(self, uid: int, section: str) -> bytes | None:
        data = _ok(self._client.uid("FETCH", str(uid), f"(UID {section})"))
        return next((piece[1] for piece in data if isinstance(piece, tuple)), None)

    def wait(self, seconds: float) -> None:
        """IDLE until the server says something or the time is over. It tells of a change, never which: look after it.

        A mail that came since :meth:`after` may have been told of with the answer to another command: no wait then.
        """
        client, idle = self._client, self._box.idle
        if "EXISTS" in client.untagged_responses:
            return
        tag = client._command("IDLE")
        while client._get_response() is not None:  # until the server says that it idles
            if client.tagged_commands[tag]:
                _ok(client.tagged_commands.pop(tag))  # type: ignore[arg-type]
        idle._idle_tag = tag
        try:
            if "EXISTS" not in client.untagged_responses and not self._holds_unread_bytes():
                idle.poll(seconds)
        finally:
            idle.stop()  # type: ignore[no-untyped-call]

    def _holds_unread_bytes(self) -> bool:
        """Whether what follows the last line was received with it: the socket will not report that a second time."""
        client = self._client
        reader = vars(client).get("_file") or vars(client).get("file")  # its name changed with Python 3.14
        patience = client.sock.gettimeout()
        client.sock.settimeout(0)
        try:
            return bool(vars(client).get("_readbuf")) or bool(reader is not None and reader.peek(1))
        except ssl.SSLWantReadError:
            return False
        finally:
            client.sock.settimeout(patience)

    def append(self, raw: bytes, folder: str, flags: Sequence[str]) -> None:
        _ok(self._client.append(encode_folder(folder).decode(), f"({' '.join(flags)})", None, raw))

    def store(self, uid: int, change: str, values: Iterable[str]) -> None:
        """``+FLAGS``, ``-X-GM-LABELS`` and the like."""
        _ok(self._client.uid("STORE", str(uid), change, f"({' '.join(values)})"))

    def move(self, uid: int, folder: str) -> None:
        """To another folder. Only this mail is taken away: EXPUNGE would take all that other programs have marked."""
        name = encode_folder(folder)
        if "MOVE" in self.capabilities:
            _ok(self._client.uid("MOVE", str(uid), name))  # type: ignore[arg-type]
            return
        _ok(self._client.uid("COPY", str(uid), name))  # type: ignore[arg-type]
        _ok(self._client.uid("STORE", str(uid), "+FLAGS", "(\\Deleted)"))
        if "UIDPLUS" in self.capabilities:
            _ok(self._client.uid("EXPUNGE", str(uid)))

    def noop(self) -> None:
        _ok(self._client.noop())

    def _capabilities(self) -> frozenset[str]:
        data = _ok(self._client.capability())
        return frozenset(
            b" ".join(piece for piece in data if isinstance(piece, bytes)).decode("ascii", "replace").upper().split()
        )


@contextlib.contextmanager
def connection(
    settings: GmailSettings, password: str, opened: Callable[[Imap], None] = lambda _: None
) -> Iterator[Imap]:
    """A connection for a few commands; ``opened`` is told of it, so that somebody can cut it."""
    imap = Imap.connect(settings, password)
    opened(imap)
    try:
        yield imap
    except LOST:
        imap.cut()
        raise
    finally:
        imap.close()


def quoted(text: str) -> str:
    """An IMAP quoted string."""
    flat = re.sub(r"[\r\n\0]", " ", text)
    return '"' + flat.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _item(line: bytes) -> Item | None:
    numbers = dict(_ITEM.findall(line))
    date = _DATE.search(line)
    if b"UID" not in numbers or date is None:
        return None
    lists = {name: tuple(_words(words)) for name, words in _LIST.findall(line)}
    return Item(
        int(numbers[b"UID"]),
        int(numbers.get(b"RFC822.SIZE", 0)),
        parsedate_to_datetime(date[1].decode("ascii", "replace").strip().replace("-", " ", 2)),
        lists.get(b"FLAGS", ()),
        _hex(numbers.get(b"X-GM-MSGID")),
        _hex(numbers.get(b"X-GM-THRID")),
        lists.get(b"X-GM-LABELS", ()),
    )


def _hex(number: bytes | None) -> str:
    return f"{int(number):x}" if number else ""


def _words(data: bytes) -> Iterator[str]:
    for found in re.finditer(rb'"((?:[^"\\]|\\.)*)"|([^\s"]+)', data):
        word = re.sub(rb"\\(.)", rb"\1", found[1]) if found[1] is not None else found[2]
        yield word.decode("utf-8", "replace")


def _ok(
    answer: tuple[str, Sequence[bytes | tuple[bytes, bytes] | None]],
) -> Sequence[bytes | tuple[bytes, bytes] | None]:
    """The data of an answer; the server's words as an error if it is not OK."""
    kind, data = answer
    if kind != "OK":
        said = next((piece for piece in data if isinstance(piece, bytes)), b"")
        raise imaplib.IMAP4.error(said.decode("utf-8", "replace"))
    return data


def _joined(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))


def _chunks(uids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(uids), size):
        yield uids[start : start + size]


def _cut(box: BaseMailBox) -> None:
    with contextlib.suppress(OSError):
        box.client.sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        box.client.shutdown()
