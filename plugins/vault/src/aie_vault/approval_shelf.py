"""The folders of the approval notes: what lies in them, and putting notes where they belong."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from aie.errors import ParameterError
from aie.files import Files, Folder
from aie.plain import Json
from aie_vault import approval_text, frontmatter
from aie_vault.listing import is_conflict_copy
from aie_vault.settings import VaultSettings

MAX_NOTE_BYTES = 1024 * 1024
SETTLED_S = 1.0
MANY = 500  # notes in a folder from which on each is looked at less often, unless a name in the folder changed
MANY_SCAN_S = 10.0

Stamp = tuple[int, int, int]  # size, mtime_ns, inode


@dataclass(frozen=True, slots=True)
class Note:
    """One Markdown file in one of the folders. ``approval_id`` is empty for a file that is none of aie's."""

    folder: str
    name: str
    stamp: Stamp
    since_s: float  # when it was first seen like this
    approval_id: str = ""
    word: str = ""  # under decision, lower case
    digest: str = ""
    status: str = ""
    broken: bool = False
    shown: str = ""  # hash of what it shows
    comment: str = ""
    remark: str = ""
    closed: bool = False  # aie has written an outcome into it
    values: Mapping[str, Json] = field(default_factory=dict, hash=False)  # properties that are not aie's own keys
    text: str | None = field(default=None, hash=False)  # what stands where a person may change the text
    listing: bool = False  # it is the list of what waits
    problem: str = ""  # why it cannot be read at all

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.name}"

    @property
    def conflict(self) -> bool:
        return is_conflict_copy(self.name)

    def settled(self, now_s: float) -> bool:
        return now_s - self.since_s >= SETTLED_S


class ChangedError(Exception):
    """The note is not what it was when it was read: somebody is writing it."""


class Shelf:
    """Remembers what it read, so that looking again costs one listing; forgetting it all changes nothing else."""

    def __init__(self, settings: VaultSettings, files: Files) -> None:
        self._settings = settings
        self._files = files
        self._notes: dict[str, dict[str, Note]] = {}  # by folder and name
        self._looked: dict[str, tuple[int, float]] = {}  # when the folder's names last changed, and when it was read
        self._wrote = True

    def survey(self, vault: Path, now_s: float) -> tuple[list[Note], bool]:
        """The notes that wait, were approved or were rejected, and whether anything changed since the last survey."""
        changed, self._wrote = self._wrote, False
        for name in (self._settings.pending, self._settings.approved, self._settings.rejected):
            before = self._notes.get(name, {})
            if len(before) >= MANY and not changed and self._stands_still(vault, name, now_s):
                continue
            try:
                with self._files.folder(vault, name) as folder:
                    after, differs = self._listed(name, folder, before, now_s)
            except FileNotFoundError:
                after, differs = {}, bool(before)
            except (OSError, ParameterError) as error:
                after, differs = {"": Note(name, "", (0, 0, 0), now_s, problem=str(error))}, before.keys() != {""}
            self._notes[name] = after
            changed = changed or differs
        return [note for notes in self._notes.values() for note in notes.values() if not note.listing], changed

    def _stands_still(self, vault: Path, name: str, now_s: float) -> bool:
        try:
            mtime_ns = (vault / name).stat().st_mtime_ns
        except OSError:
            return False
        before_ns, at_s = self._looked.get(name, (0, 0.0))
        if mtime_ns == before_ns and 0 <= now_s - at_s < MANY_SCAN_S:
            return True
        self._looked[name] = (mtime_ns, now_s)
        return False

    def _listed(self, name: str, folder: Folder, before: dict[str, Note], now_s: float) -> tuple[dict[str, Note], bool]:
        """The folder's notes, those already read as they are, and whether they differ. Written for ten thousand."""
        after: dict[str, Note] = {}
        kept = 0
        for entry in folder.scan():
            file_name = entry.name
            if file_name[0] == "." or not file_name.endswith((".md", ".MD", ".Md")):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # moved on since the listing
                continue
            stamp = (status.st_size, status.st_mtime_ns, status.st_ino)
            note = before.get(file_name)
            if note is not None and note.stamp == stamp:
                kept += 1
            elif stat.S_ISREG(status.st_mode):
                note = self._read(Note(name, file_name, stamp, now_s), folder)
            else:
                note = Note(name, file_name, stamp, now_s, problem="is a link or a folder, not a note")
            after[file_name] = note
        return after, not kept == len(before) == len(after)

    def _read(self, note: Note, folder: Folder) -> Note:
        if note.stamp[0] > MAX_NOTE_BYTES:
            return replace(note, problem="is too large for a note")
        try:
            text = _text(folder, note.name)
        except OSError as error:
            return replace(note, problem=f"cannot be read: {error.strerror}")
        properties = frontmatter.read(text)
        values = properties.values
        if values.get("aie_type") == "list":
            return replace(note, listing=True)
        if values.get("aie_type") != "approval" or not isinstance(values.get("aie_id"), str):
            return note
        word = values.get("decision")
        return replace(
            note,
            approval_id=str(values["aie_id"]).strip(),
            word="" if word is None else str(word).strip().casefold(),
            digest=str(values.get("digest")),
            status=str(values.get("aie_status")),
            broken=properties.broken,
            shown=approval_text.hash_of(text),
            comment=approval_text.comment_in(text),
            remark=approval_text.remark_in(text),
            closed=approval_text.has_outcome(text),
            values={key: value for key, value in values.items() if key not in approval_text.OWN_KEYS},
            text=approval_text.text_in(text),
        )

    # --- changes; each raises ChangedError when the note was written meanwhile ------------------------------------

    def add(self, vault: Path, name: str, text: str) -> None:
        """A new note that waits, and the folders that people move it to."""
        self._wrote = True
        for other in (self._settings.approved, self._settings.rejected):
            with self._files.folder(vault, other, create=True):
                pass
        with self._files.folder(vault, self._settings.pending, create=True) as folder:
            _create(folder, name, text.encode())

    def text(self, vault: Path, note: Note) -> str:
        """The note's text. Bytes that are not UTF-8 survive a round trip."""
        with self._files.folder(vault, note.folder) as folder:
            self._check(folder, note)
            return _text(folder, note.name)

    def put(self, vault: Path, note: Note, folder_name: str, text: str) -> None:
        """The note with this text, in that folder, under its name or the next free number."""
        self._wrote = True
        data = text.encode(errors="surrogateescape")
        with self._files.folder(vault, note.folder) as source:
            self._check(source, note)
            if note.folder == folder_name:
                source.write(note.name, data)
                return
            with self._files.folder(vault, folder_name, create=True) as target:
                if not _holds(target, note.name, data):  # it does after a crash between the two
                    _create(target, note.name, data)
            self._check(source, note)
            source.remove(note.name)

    def remove(self, vault: Path, note: Note) -> None:
        """Take away a copy that holds nothing but what aie wrote."""
        self._wrote = True
        with self._files.folder(vault, note.folder) as folder:
            self._check(folder, note)
            folder.remove(note.name)

    def _check(self, folder: Folder, note: Note) -> None:
        status = folder.stat(note.name)
        if status is None or (status.st_size, status.st_mtime_ns, status.st_ino) != note.stamp:
            raise ChangedError(note.path)


def _text(folder: Folder, name: str) -> str:
    with folder.open(name) as file:
        return file.read(MAX_NOTE_BYTES).decode(errors="surrogateescape")


def _create(folder: Folder, name: str, data: bytes) -> None:
    if not folder.create(name, data):  # the name is aie's own and hardly ever in use: numbering lists the whole folder
        folder.create_numbered(name, data)


def _holds(folder: Folder, name: str, data: bytes) -> bool:
    if folder.stat(name) is None:
        return False
    try:
        with folder.open(name) as file:
            return file.read(len(data) + 1) == data
    except OSError:
        return False
