"""Looks at the watched folders and reads files that are ready: the thin layer between scanner and disk."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from aie.errors import AieError
from aie.files import Files
from aie_vault.scanner import Entry, Listing
from aie_vault.settings import VaultSettings

MAX_HASHED_BYTES = 64 * 1024 * 1024
MAX_CONTENT_BYTES = 64 * 1024
TEXT_EXTENSIONS = frozenset({"md", "txt", "csv", "json"})

_NEVER = re.compile(
    r"(?i)\..*|~\$.*|.*(~|\.tmp|\.part|\.partial|\.crdownload|\.download|\.swp)|Thumbs\.db|desktop\.ini"
)
_CONFLICT = re.compile(
    r"""(?ix)
    .*\([^()]*\bconflict(ed)?[ ]copy\b[^()]*\).*                     # Obsidian Sync, Dropbox, Nextcloud
    | .*\.sync-conflict-\d{8}-\d{6}.*                                # Syncthing
    | .*-(?-i:(?:DESKTOP|LAPTOP)-[A-Z0-9]+)(\s\d+|-\d+)?\.[^.]+      # OneDrive: the name of the other computer
    """
)
_INODE_BITS = 2**63 - 1


def is_conflict_copy(name: str) -> bool:
    """Whether a sync tool made this file because two devices had changed the same one."""
    return _CONFLICT.fullmatch(name) is not None


def is_ignored(name: str) -> bool:
    """Whether a file or folder of this name is nobody's document: hidden, a lock, or still being written."""
    return _NEVER.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Found:
    """One look, and what in it is worth telling a person: conflict copies, and watched folders that are links."""

    listing: Listing
    conflicts: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Look:
    vault: Path
    settings: VaultSettings
    files: dict[str, Entry] = field(default_factory=dict)
    conflicts: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def into(self, folder: str) -> None:
        try:
            entries = os.scandir(self.vault if folder == "." else self.vault / folder)
        except FileNotFoundError:
            self.missing.append(folder)
            return
        except OSError:
            self.unreadable.append(folder)
            return
        with entries:
            for entry in entries:
                path = entry.name if folder == "." else f"{folder}/{entry.name}"
                if not self._passed_over(path, entry.name):
                    self._take(path, entry)

    def _take(self, path: str, entry: os.DirEntry[str]) -> None:
        try:
            if entry.is_dir(follow_symlinks=False):
                self.into(path)
            elif entry.is_file(follow_symlinks=False):
                if is_conflict_copy(entry.name):
                    self.conflicts.add(path)
                    return
                status = entry.stat(follow_symlinks=False)
                self.files[path] = Entry(status.st_size, status.st_mtime_ns, status.st_ino & _INODE_BITS)
        except OSError:  # it went away, or cannot be seen: as if it were not there, and known files stay known
            self.unreadable.append(path)

    def _passed_over(self, path: str, name: str) -> bool:
        if is_ignored(name) or any("\ud800" <= char <= "\udfff" for char in name):  # not text: no event could name it
            return True
        if path in self.settings.own_folders or path == "Logs":
            return True
        return any(fnmatch.fnmatch(name, glob) or fnmatch.fnmatch(path, glob) for glob in self.settings.ignore)


def look(vault: Path, settings: VaultSettings) -> Found:
    """The files in the watched folders and below, links not followed, without the ignored ones."""
    look = _Look(vault, settings)
    links = frozenset(folder for folder in settings.watch if _through_link(vault, folder))
    for folder in settings.watch:
        if folder in links:
            look.unreadable.append(folder)
        else:
            look.into(folder)
    listing = Listing(look.files, tuple(settings.watch), tuple(look.missing), tuple(look.unreadable))
    return Found(listing, frozenset(look.conflicts), links)


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that was read: how it stood, the hash of all of it, its text where it is a short text file."""

    entry: Entry
    sha256: str | None
    content: str | None
    created_s: float
    modified_s: float


def read(files: Files, vault: Path, path: str) -> Reading | None:
    """The file, or None when it cannot be read or changed while it was."""
    *folders, name = path.split("/")
    try:
        with files.folder(vault, *folders) as folder, folder.open(name) as file:
            before = os.fstat(file.fileno())
            head = file.read(MAX_CONTENT_BYTES + 1)
            file.seek(0)
            sha = hashlib.file_digest(file, "sha256").hexdigest() if before.st_size <= MAX_HASHED_BYTES else None
            after = os.fstat(file.fileno())
    except (OSError, AieError):
        return None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return None
    entry = Entry(after.st_size, after.st_mtime_ns, after.st_ino & _INODE_BITS, sha[:16] if sha else "")
    created = getattr(after, "st_birthtime", min(after.st_ctime, after.st_mtime))
    return Reading(entry, sha, _text(name, head), created, after.st_mtime)


def _through_link(vault: Path, folder: str) -> bool:
    names = Path(folder).parts
    return any(vault.joinpath(*names[: depth + 1]).is_symlink() for depth in range(len(names)))


def extension(name: str) -> str:
    """``pdf`` for ``Invoice.PDF``; empty when there is none."""
    return Path(name).suffix[1:].lower()


def _text(name: str, head: bytes) -> str | None:
    if extension(name) not in TEXT_EXTENSIONS or len(head) > MAX_CONTENT_BYTES:
        return None
    try:
        return head.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
