"""The channel ``vault.waiting``: one note that lists all requests that wait, for a glance in the morning."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime

from aie.approvals import Approval, ApprovalChannel, ApprovalDesk
from aie.errors import ParameterError
from aie.files import Files, Folder
from aie.touches import Touches
from aie_vault import approval_text, inert
from aie_vault.settings import VaultSettings

NAME = "WAITING.md"
MARK = "---\naie_type: list\n"
MOST = 200  # lines; nobody reads more


def waiting_channel(settings: VaultSettings, files: Files) -> ApprovalChannel:
    """The channel with these settings."""
    return ApprovalChannel(
        name="vault.waiting",
        sync=WaitingChannel(settings, files).sync,
        summary=f"{settings.pending}/{NAME}, a list of what waits for you",
        interval_s=5.0,
        touches=Touches(folders=(settings.pending,)),
    )


class WaitingChannel:
    """Writes the list anew when it is another; there is none before the first request."""

    def __init__(self, settings: VaultSettings, files: Files) -> None:
        self._settings = settings
        self._files = files
        self._revision: int | None = None

    async def sync(self, desk: ApprovalDesk) -> None:
        """Bring the list in line with the requests."""
        revision = desk.revision
        if revision != self._revision:
            await asyncio.to_thread(self._write, desk, desk.pending())
            self._revision = revision

    def _write(self, desk: ApprovalDesk, pending: Sequence[Approval]) -> None:
        try:
            for other in (self._settings.approved, self._settings.rejected):
                self._take_back(desk, other)
            with self._files.folder(desk.vault, self._settings.pending, create=bool(pending)) as folder:
                there = _content(folder)
                text = list_text(pending, desk).encode()
                if text != there and (pending or there is not None):
                    folder.write(NAME, text)
        except FileNotFoundError:
            pass  # no folder, and nothing to put there
        except (OSError, ParameterError) as error:
            desk.log.error("the list of what waits cannot be written: %s", error)

    def _take_back(self, desk: ApprovalDesk, name: str) -> None:
        """Remove the list from where it came along when somebody moved everything there is."""
        with contextlib.suppress(FileNotFoundError), self._files.folder(desk.vault, name) as folder:
            if (_content(folder) or b"").startswith(MARK.encode()):
                folder.remove(NAME)


def _content(folder: Folder) -> bytes | None:
    if folder.stat(NAME) is None:
        return None
    with folder.open(NAME) as file:
        return file.read()


def list_text(pending: Sequence[Approval], desk: ApprovalDesk) -> str:
    """The note; the requests that end first come first."""
    count = len(pending)
    heading = (
        "Nothing waits for you"
        if not count
        else f"{count} {'request waits' if count == 1 else 'requests wait'} for you"
    )
    lines = [f"{MARK}waiting: {count}\n---\n", f"# {heading}\n"]
    if pending:
        lines += ["| request | workflow | asked | ends |", "| --- | --- | --- | --- |"]
        first = sorted(pending, key=lambda each: (each.expires_at is None, each.expires_at or each.requested_at))
        lines += [_row(each, desk) for each in first[:MOST]]
        if count > MOST:
            lines.append(f"\n{count - MOST} more: `aie approvals list`")
        lines.append("\nAll of one kind at once, after a look: `aie approvals approve --all --workflow NAME`")
    return inert.tamed("\n".join(lines).rstrip() + "\n")


def _row(approval: Approval, desk: ApprovalDesk) -> str:
    name = approval_text.note_name(approval, desk.timezone).removesuffix(".md")
    ends = _when(approval.expires_at, desk) if approval.expires_at else "-"
    cells = [
        f"[[{name}\\|{inert.line(approval.title, 80)}]]",
        inert.line(approval.workflow_id),
        _when(approval.requested_at, desk),
        ends,
    ]
    return f"| {' | '.join(cells)} |"


def _when(moment: datetime, desk: ApprovalDesk) -> str:
    return approval_text.local(moment, desk.timezone)
