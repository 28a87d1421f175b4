"""What is kept of a mail in the vault: its attachments, and mails that could not be read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from aie.errors import AieError
from aie.files import Files, Folder
from aie.paths import numbered, safe_name
from aie_gmail.mail import Attachment

MAX_FILES = 50
_ACTIVE = frozenset(  # read as notes, settings or instructions where they lie in a vault, or run when clicked
    {
        *(".md", ".markdown", ".mdx", ".canvas", ".base", ".toml", ".json", ".css", ".html", ".htm", ".svg", ".url"),
        *(".js", ".exe", ".bat", ".cmd", ".com", ".scr", ".lnk", ".ps1", ".sh", ".py", ".vbs", ".jar", ".desktop"),
    }
)


@dataclass(frozen=True, slots=True)
class Keeping:
    """Writes below one folder of the vault, each mail in a folder of its own. Doing it twice makes nothing twice."""

    vault: Path
    folder: str  # '' keeps nothing
    most_bytes: int
    files: Files = field(default_factory=Files)

    def attachments(
        self, described: Sequence[dict[str, Any]], contents: Sequence[Attachment], home: str
    ) -> list[dict[str, Any]]:
        """The descriptions, with the ``path`` of each that was saved, or why it was not under ``not_saved``."""
        told: list[dict[str, Any]] = []
        left = self.most_bytes
        for number, (one, attachment) in enumerate(zip(described, contents, strict=True)):
            size = len(attachment.content)
            if not self.folder:
                told.append(dict(one))
            elif number >= MAX_FILES or size > left:
                told.append({**one, "not_saved": "more than is kept of one mail"})
            else:
                left -= size
                told.append({**one, **self._saved(f"{home}/{stored_name(attachment.filename)}", attachment.content)})
        return told

    def raw(self, raw: bytes, home: str) -> dict[str, str]:
        """``path`` of a mail that could not be read, as it came; or ``not_saved``."""
        return self._saved(f"{home}.eml", raw) if self.folder else {"not_saved": "no folder for attachments is set"}

    def _saved(self, path: str, content: bytes) -> dict[str, str]:
        try:
            with self.files.folder_of(self.vault, f"{self.folder}/{path}") as (folder, name):
                made = _put(folder, name, content)
        except (OSError, AieError) as error:
            return {"not_saved": getattr(error, "strerror", None) or str(error)}
        return {"path": str(PurePosixPath(self.folder, path).with_name(made))}


def stored_name(filename: str) -> str:
    """A file name that is safe anywhere: ``.txt`` behind what a vault or a computer would act on."""
    path = PurePosixPath(PurePosixPath(filename.replace("\\", "/")).name or filename)
    ending = path.suffix if re.fullmatch(r"\.\w{1,12}", path.suffix) else ""
    name = safe_name(f"{safe_name(path.name.removesuffix(ending), 100)}{ending}")
    return f"{name}.txt" if PurePosixPath(name).suffix.lower() in _ACTIVE else name


def home_of(subject: str, received_at: str, identity: str) -> str:
    """The folder of one mail: ``2026-02-09 Budget 3fa1c29b``."""
    return f"{received_at[:10]} {safe_name(subject, 60)} {identity[-8:]}"


def _put(folder: Folder, name: str, content: bytes) -> str:
    """The name under which this content lies there now."""
    for number in range(1, 1_000):
        candidate = numbered(name, number)
        if folder.create(candidate, content) or _holds(folder, candidate, content):
            return candidate
    raise OSError(f"{name} is there a thousand times")


def _holds(folder: Folder, name: str, content: bytes) -> bool:
    status = folder.stat(name)
    if status is None or status.st_size != len(content):
        return False
    with folder.open(name) as file:
        return file.read() == content
