"""The channel ``vault.notices``: a note in the Inbox for whatever waits for a person's word and is no approval.

Nothing is decided here; the note says which command does. When the matter is settled the note says so.
"""

from __future__ import annotations

import asyncio
import hashlib

from aie.approvals import ApprovalChannel, ApprovalDesk, Notice
from aie.errors import ParameterError
from aie.files import Files, Folder
from aie.touches import Touches
from aie_vault import inert
from aie_vault.frontmatter import quoted
from aie_vault.notifications import slug
from aie_vault.settings import VaultSettings

PREFIX = "ATTENTION_"
MAX_NOTE_BYTES = 1024 * 1024
_OPEN, _SETTLED = "aie_status: open\n", "aie_status: settled\n"


def notice_channel(settings: VaultSettings, files: Files) -> ApprovalChannel:
    """The channel with these settings."""
    return ApprovalChannel(
        name="vault.notices",
        sync=NoticeChannel(settings, files).sync,
        summary=f"notes in {settings.inbox}/ about what waits for your word",
        touches=Touches(folders=(settings.inbox,)),
    )


class NoticeChannel:
    """Writes each note once; one that a person took away comes again only after a restart."""

    def __init__(self, settings: VaultSettings, files: Files) -> None:
        self._settings = settings
        self._files = files
        self._told: set[str] = set()
        self._revision: int | None = None

    async def sync(self, desk: ApprovalDesk) -> None:
        """Bring the notes in line with what is open."""
        revision = desk.revision
        if revision != self._revision:
            notices = desk.notices()
            if notices or self._told or self._revision is None:
                await asyncio.to_thread(self._write, desk, {note_name(notice, desk): notice for notice in notices})
            self._revision = revision

    def _write(self, desk: ApprovalDesk, wanted: dict[str, Notice]) -> None:
        try:
            with self._files.folder(desk.vault, self._settings.inbox, create=bool(wanted)) as folder:
                for name in wanted.keys() - self._told:
                    folder.create(name, note_text(wanted[name], desk).encode())
                there = [entry.name for entry in folder.scan() if entry.name.startswith(PREFIX)]
                for name in there:
                    if name not in wanted:
                        _settle(folder, name)
        except FileNotFoundError:
            pass  # no Inbox, and nothing to put there
        except ParameterError as error:
            desk.log.error("notices cannot be written: %s", error)
        self._told = set(wanted)


def note_name(notice: Notice, desk: ApprovalDesk) -> str:
    """``ATTENTION_20260209_183000_Did-send_email-happen_3fa1c29be04d.md``."""
    when = notice.since.astimezone(desk.timezone).strftime("%Y%m%d_%H%M%S")
    key = hashlib.sha256(notice.notice_id.encode()).hexdigest()[:12]
    return f"{PREFIX}{when}_{slug(notice.title)}_{key}.md"


def note_text(notice: Notice, desk: ApprovalDesk) -> str:
    """The note; what came from outside can do nothing in it."""
    since = notice.since.astimezone(desk.timezone).strftime("%Y-%m-%dT%H:%M:%S")
    front = f"---\naie_type: notice\ntitle: {quoted(notice.title)}\nsince: {since}\n{_OPEN}---\n"
    ways = "".join(f"\n{what}:\n\n{inert.fenced(command)}\n" for what, command in notice.commands)
    return f"{front}\n# {inert.line(notice.title)}\n\n{inert.paragraph(notice.text).rstrip()}\n{ways}"


def _settle(folder: Folder, name: str) -> None:
    """Say in the note that its matter is settled, if it still says open; a person's own words stay."""
    with folder.open(name) as file:
        text = file.read(MAX_NOTE_BYTES).decode(errors="surrogateescape")
    head, mark, rest = text.partition(_OPEN)
    if mark and text.startswith("---\naie_type: notice\n"):
        settled = f"{head}{_SETTLED}{rest.rstrip()}\n\nSettled; nothing is left to do here.\n"
        folder.write(name, settled.encode(errors="surrogateescape"))
