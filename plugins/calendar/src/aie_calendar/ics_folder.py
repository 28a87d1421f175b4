"""A calendar that is a folder of .ics files, in the vault or beside it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from aie.errors import ActionError, ConfigError, ParameterError, RetryableError
from aie.files import Files, Folder, advice
from aie.paths import path_parts, safe_name
from aie_calendar import content_lines
from aie_calendar.settings import is_beside
from aie_calendar.store import ChangedMeanwhileError, Draft, Pulled, Stored

SETTLED_S = 3.0  # a file changed more recently may change again without its time telling
MAX_FILES = 50_000


class IcsFolder:
    """The store. One file holds one entry where aie makes them; files of other programs may hold many."""

    def __init__(self, vault: Path, folder: str, max_bytes: int, files: Files | None = None) -> None:
        self._vault = vault
        self._folder = folder
        self._max_bytes = max_bytes
        self._files = files or Files()
        self._seen: dict[str, tuple[tuple[int, int, int], str]] = {}  # name → how it stood, and its etag then

    async def pull(self, known: Mapping[str, str]) -> Pulled:
        return await asyncio.to_thread(self._pull, known)

    async def window(self, start: datetime, end: datetime) -> list[Stored]:
        return list((await asyncio.to_thread(self._pull, {})).changed.values())

    async def find(self, uid: str, original: str = "") -> Stored | None:
        return await asyncio.to_thread(self._find, uid)

    async def create(self, draft: Draft) -> tuple[Stored, bool]:
        return await asyncio.to_thread(self._create, draft)

    async def replace(self, stored: Stored, data: bytes) -> Stored:
        return await asyncio.to_thread(self._replace, stored, data)

    async def remove(self, stored: Stored) -> bool:
        return await asyncio.to_thread(self._remove, stored)

    async def aclose(self) -> None:
        return

    # --- in a thread ----------------------------------------------------------------------------------------------

    def _pull(self, known: Mapping[str, str]) -> Pulled:
        changed: dict[str, Stored] = {}
        problems: dict[str, str] = {}
        names: list[str] = []
        try:
            with self._open(create=False) as folder:
                names = _calendar_files(folder)
                for name in names:
                    etag, data, problem = self._look(folder, name, known.get(name))
                    if problem:
                        problems[name] = problem
                    if data is not None:
                        changed[name] = Stored(name, etag, data)
        except FileNotFoundError:
            if known:  # a disk that is not there right now is no reason to call everything cancelled
                raise RetryableError(f"the folder {self._folder!r} is not there", where=self._folder) from None
        return Pulled(changed, frozenset(known.keys() - set(names)), problems)

    def _look(self, folder: Folder, name: str, known: str | None) -> tuple[str, bytes | None, str]:
        """The etag, the content if it is not the known one, and what is wrong."""
        status = folder.stat(name)
        if status is None:
            return "", None, ""
        if status.st_size > self._max_bytes:
            return "", None, f"has {status.st_size / 1e6:.1f} MB, and is not read (max_size_mb)"
        stands = (status.st_mtime_ns, status.st_size, status.st_ino)
        before = self._seen.get(name)
        if known is not None and before == (stands, known):
            return known, None, ""
        try:
            with folder.open(name) as file:
                data = file.read(self._max_bytes + 1)
        except OSError as error:
            return "", None, f"cannot be read: {error.strerror}"
        etag = _etag(data)
        if time.time() - status.st_mtime > SETTLED_S:
            self._seen[name] = (stands, etag)
        return etag, None if etag == known else data, ""

    def _find(self, uid: str) -> Stored | None:
        mark = uid.encode()
        for stored in self._pull({}).changed.values():
            if mark in stored.data.replace(b"\r\n ", b"").replace(b"\n ", b""):
                blocks = content_lines.cut(stored.data).events
                if any(content_lines.value_of(block, "UID").strip() == uid for block in blocks):
                    return stored
        return None

    def _create(self, draft: Draft) -> tuple[Stored, bool]:
        there = self._find(draft.uid)
        if there is not None:
            return there, False
        # The UID is in the name, so that two attempts at the same time want the same name, and one of them loses.
        name = f"{draft.day} {safe_name(draft.title, 80)} {draft.uid[:11]}.ics"
        with self._writing(name) as folder:
            if not folder.create(name, draft.data):
                with folder.open(name) as file:
                    data = file.read()
                return Stored(name, _etag(data), data), False
        return Stored(name, _etag(draft.data), draft.data), True

    def _replace(self, stored: Stored, data: bytes) -> Stored:
        with self._writing(stored.href) as folder:
            _same_as(folder, stored)
            folder.write(stored.href, data)
        return Stored(stored.href, _etag(data), data)

    def _remove(self, stored: Stored) -> bool:
        with self._writing(stored.href) as folder:
            if folder.stat(stored.href) is None:
                return False
            _same_as(folder, stored)
            folder.remove(stored.href)
        return True

    @contextlib.contextmanager
    def _writing(self, name: str) -> Iterator[Folder]:
        try:
            with self._open(create=True) as folder:
                yield folder
        except OSError as error:
            raise RetryableError(
                f"{self._folder}/{name} could not be written: {error.strerror}", where=self._folder, hint=advice(error)
            ) from error

    @contextlib.contextmanager
    def _open(self, *, create: bool) -> Iterator[Folder]:
        """The folder. One in the vault is reached without following links, and made when it is missing."""
        try:
            if is_beside(self._folder):
                with self._files.folder(Path(self._folder).expanduser()) as folder:
                    yield folder
            else:
                with self._files.folder(self._vault, *path_parts(self._folder), create=create) as folder:
                    yield folder
        except ParameterError as error:
            raise ConfigError(error.message, where="[plugins.calendar] folder", hint=error.hint) from None


def _calendar_files(folder: Folder) -> list[str]:
    names = sorted(
        entry.name
        for entry in folder.scan()
        if entry.name.lower().endswith(".ics")
        and not entry.name.startswith(".")
        and entry.is_file(follow_symlinks=False)
    )
    return names[:MAX_FILES]


def _same_as(folder: Folder, stored: Stored) -> None:
    try:
        with folder.open(stored.href) as file:
            data = file.read()
    except FileNotFoundError:
        raise ActionError(f"{stored.href!r} is not there any more", where=stored.href) from None
    if _etag(data) != stored.etag:
        raise ChangedMeanwhileError(f"{stored.href!r} was changed meanwhile", where=stored.href)


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
