"""Fault points beneath the journal: every write and sync of SQLite, and of the files that Python code writes.

A power cut takes back what was written since the last sync. It is played by undoing those writes in the very process
that dies, so that what the next one finds is what a disk would have kept.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from tests.crash.points import Points

_write, _fsync = os.write, os.fsync
_FILE_EVENTS = frozenset({"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def install(points: Points, base: Path) -> None:
    """Put fault points under this process, for all that happens in ``base`` but the world; there is no way back."""
    synced = _Synced()
    points.before_death.append(synced.undo)
    layer = _Layer(points, synced)
    _KEPT.append(layer)  # SQLite does not keep it alive
    _watch_files(points, base, synced)


_KEPT: list[apsw.VFS] = []


@dataclass(slots=True)
class _Synced:
    """What undoing needs: for each file the bytes and the size it had before each write since its last sync."""

    old: dict[str, list[tuple[int, bytes, int]]] = field(default_factory=dict)  # offset, bytes before, size before

    def about_to_write(self, path: str, offset: int, before: bytes, size: int) -> None:
        self.old.setdefault(path, []).append((offset, before, size))

    def synced(self, path: str) -> None:
        self.old.pop(path, None)

    def undo(self, cut: bool) -> None:
        if not cut:
            return
        for path, writes in self.old.items():
            if not os.path.exists(path):
                continue
            with open(path, "r+b", buffering=0) as file:
                for offset, before, size in reversed(writes):
                    file.seek(offset)
                    file.write(before)
                    file.truncate(size)


# --- SQLite -------------------------------------------------------------------------------------------------------


class _Layer(apsw.VFS):
    """The file system as SQLite sees it, with fault points."""

    def __init__(self, points: Points, synced: _Synced) -> None:
        self._points = points
        self._synced = synced
        super().__init__("crash", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _File(name, flags, self._points, self._synced)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self._points.reach(f"sqlite: delete {_kind(filename)}")
        super().xDelete(filename, syncdir)


class _File(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int], points: Points, synced: _Synced) -> None:
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else str(name or "")
        self._kind = _kind(self._path)
        self._points = points
        self._synced = synced
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._points.reach(f"sqlite: write {self._kind}")
        torn = f"sqlite: torn write {self._kind}"
        if self._path and self._points.plan is not None and self._points.plan.fault == "cut":
            # Read through SQLite's own handle: closing another one would drop its locks.
            size = self.xFileSize()
            before = super().xRead(max(0, min(len(data), size - offset)), offset)
            self._synced.about_to_write(self._path, offset, before, size)
        if self._points.wants(torn):
            super().xWrite(data[: len(data) // 2], offset)
        self._points.reach(torn)
        super().xWrite(data, offset)

    def xLock(self, level: int) -> None:  # noqa: N802
        try:
            super().xLock(level)
        except apsw.IOError as error:
            # Closing one that may only be read asks for a lock it cannot have. SQLite knows what to make of that, but
            # an error within a layer such as this one would be shown to whoever closes it.
            raise apsw.BusyError(str(error)) from None

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._points.reach(f"sqlite: truncate {self._kind}")
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._points.reach(f"sqlite: sync {self._kind}")
        super().xSync(flags)
        self._synced.synced(self._path)
        self._points.reach(f"sqlite: synced {self._kind}")


def _kind(path: str) -> str:
    return path.rpartition("journal.db")[2].removeprefix("-") or "database"


# --- files that Python code writes --------------------------------------------------------------------------------


def _watch_files(points: Points, base: Path, synced: _Synced) -> None:
    within = threading.local()
    world = str(base / "world")

    def reach(what: str, path: str) -> bool:
        return not path.startswith(world) and points.reach(f"file: {what} {_place(path)}")

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            writes = isinstance(args[2], int) and args[2] & _WRITING
            if not writes or not isinstance(args[0], str | bytes):
                return
        elif event not in _FILE_EVENTS:
            return
        if getattr(within, "hook", False):
            return
        within.hook = True
        try:
            reach(event.removeprefix("os."), os.fsdecode(args[0]))
        finally:
            within.hook = False

    def write(descriptor: int, data: Any) -> int:
        path = _path_of(descriptor)
        if not path.startswith(str(base)):
            return _write(descriptor, data)
        torn = f"file: torn write {_place(path)}"
        size = os.fstat(descriptor).st_size
        synced.about_to_write(path, size, b"", size)  # what is written this way is appended
        if points.wants(torn):
            _write(descriptor, bytes(data)[: len(data) // 2])
        reach("torn write", path)
        written = _write(descriptor, data)
        reach("written", path)
        return written

    def fsync(descriptor: Any) -> None:
        _fsync(descriptor)
        path = _path_of(descriptor if isinstance(descriptor, int) else descriptor.fileno())
        if path.startswith(str(base)):
            synced.synced(path)
            reach("synced", path)

    os.write, os.fsync = write, fsync
    sys.addaudithook(hook)


def _path_of(descriptor: int) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/self/fd/{descriptor}")
    return ""


_PLACES = (
    (".tmp", "temporary file"),
    ("/Logs/audit", "audit file"),
    ("/Logs", "log file"),
    ("/state", "state folder"),
    ("_Approval", "note"),
    ("/Approved", "note"),
    ("/Rejected", "note"),
    ("/Done", "note"),
    ("APPROVAL_", "note"),
    ("/Inbox", "notification"),
    ("NOTIFICATION_", "notification"),
)


def _place(path: str) -> str:
    """What kind of file it is; paths relative to an open folder are names alone."""
    return next((place for part, place in _PLACES if part in path), "other file")
