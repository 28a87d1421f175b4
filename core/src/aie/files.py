"""File writes: the seam through which aie and its plugins put bytes on the disk.

Writes are whole or not at all: the bytes go to a temporary name (``.aie-*.tmp``) in the same folder, are flushed to the
disk, and then get their name. What a workflow may name as a path is decided by
:func:`aie.paths.inside`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from io import BufferedReader
from itertools import count
from pathlib import Path
from typing import Any

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from aie.errors import ParameterError
from aie.paths import PROTECTED, folded, inside, numbered, path_parts, wrong_path

try:  # absent on Windows, where names are unique without regard to case anyway
    import fcntl
except ImportError:  # pragma: no cover
    fcntl = None  # type: ignore[assignment]

HANDLES = os.name == "posix" and {os.open, os.mkdir, os.stat, os.unlink, os.rename, os.link} <= os.supports_dir_fd
"""Whether this system can open a path folder by folder and work relative to the open folder."""

_AS_IT_IS: dict[str, Any] = {"follow_symlinks": False} if os.link in os.supports_follow_symlinks else {}
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def advice(error: OSError) -> str:
    """What an operator can do about a file that could not be written; '' where nobody can say."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        return "free some space on that disk, then start the run again"
    if error.errno == errno.EROFS:
        return "that disk is mounted read-only: mount it for writing, then start the run again"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "check the owner and the permissions of the folder, then start the run again"
    return ""


# --- folders -----------------------------------------------------------------------------------------------------


class Folder:
    """An open folder. What is done through it happens in that very folder, whatever becomes of its path meanwhile.

    Names are taken as they are, so that any file a person made can be read; :func:`path_parts` is the rule for names
    that come from a workflow. Without ``handle`` (Windows) the folder is its path.
    """

    def __init__(self, path: Path, handle: int | None, retry: Retrying) -> None:
        self.path = path
        self._handle = handle
        self._retry = retry

    def scan(self) -> Iterator[os.DirEntry[str]]:
        """The entries, in no order."""
        with os.scandir(self.path if self._handle is None else self._handle) as entries:
            yield from entries

    def stat(self, name: str) -> os.stat_result | None:
        """How the entry stands (of a link: the link itself); None when there is none."""
        try:
            return os.stat(self._at(name), dir_fd=self._handle, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, name: str) -> BufferedReader:
        """The regular file of that name, for reading. Links and devices are refused with OSError."""
        blocking = getattr(os, "O_NONBLOCK", 0)  # a pipe must not hold the caller up
        handle = os.open(self._at(name), os.O_RDONLY | blocking | _FLAGS, dir_fd=self._handle)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(errno.EINVAL, "not a regular file", name)
        return os.fdopen(handle, "rb")

    def write(self, name: str, data: bytes) -> None:
        """Replace the file, or make it; the mode bits of an existing one stay."""
        before = self.stat(name)
        if before is not None and stat.S_ISLNK(before.st_mode):
            raise wrong_path(name, "is a link: name the file it leads to")
        mode = stat.S_IMODE(before.st_mode) if before is not None and stat.S_ISREG(before.st_mode) else None
        temp = self._temp(data, mode)
        try:
            for attempt in self._retry:
                with attempt:
                    os.replace(self._at(temp), self._at(name), src_dir_fd=self._handle, dst_dir_fd=self._handle)
        except BaseException:
            self.remove(temp)
            raise
        self._settle()

    def create(self, name: str, data: bytes) -> bool:
        """Make the file; False, and nothing done, when the name exists."""
        if self.stat(name) is not None:
            return False
        temp = self._temp(data, None)
        try:
            os.link(self._at(temp), self._at(name), src_dir_fd=self._handle, dst_dir_fd=self._handle)
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            return self._create_plainly(name, data)
        finally:
            self.remove(temp)
        self._settle()
        return True

    def create_numbered(self, name: str, data: bytes) -> str:
        """Make the file under this name, or the next free of ``NAME 2``, ``NAME 3`` …; gives the name it got.

        Names that differ only in case or in Unicode form count as the same.
        """
        return self._first_free(name, lambda candidate: self.create(candidate, data))

    def move(self, name: str, target: Folder, new_name: str) -> bool:
        """Give the file this name in another open folder; False, and nothing done, when the name exists there.

        Links, folders and devices are refused with OSError, as is another disk.
        """
        status = os.stat(self._at(name), dir_fd=self._handle, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", name)
        if target.stat(new_name) is not None:
            return False
        old, new = self._at(name), target._at(new_name)
        try:
            os.link(old, new, src_dir_fd=self._handle, dst_dir_fd=target._handle, **_AS_IT_IS)
        except FileExistsError:
            return False
        except OSError:  # a file system without links: what gets the name between the look and now is replaced
            os.rename(old, new, src_dir_fd=self._handle, dst_dir_fd=target._handle)
        else:
            self._leave(name, target, new_name)
        target._settle()
        self._settle()
        return True

    def move_numbered(self, name: str, target: Folder, new_name: str) -> str:
        """The same under the next free of ``NAME 2``, ``NAME 3`` … where the name exists; gives the name it got."""
        return target._first_free(new_name, lambda candidate: self.move(name, target, candidate))

    def remove(self, name: str) -> None:
        """Remove the file or link; nothing happens when there is none."""
        with contextlib.suppress(FileNotFoundError):
            for attempt in self._retry:
                with attempt:
                    os.unlink(self._at(name), dir_fd=self._handle)

    def _leave(self, name: str, target: Folder, new_name: str) -> None:
        """Take away the first of a file's two names, or else the second."""
        try:
            self.remove(name)
        except BaseException:
            target.remove(new_name)
            raise

    def _first_free(self, name: str, take: Callable[[str], bool]) -> str:
        with self._locked():
            taken = {folded(entry.name) for entry in self.scan()}
            for number in count(1):
                candidate = numbered(name, number)
                if folded(candidate) not in taken and take(candidate):
                    return candidate
        raise AssertionError("the numbers ended")

    def _at(self, name: str) -> str:
        if name in {"", ".", ".."} or "/" in name or "\0" in name:
            raise wrong_path(name, "is not a name")
        return name if self._handle is not None else str(self.path / name)

    def _temp(self, data: bytes, mode: int | None) -> str:
        name = f".aie-{secrets.token_hex(8)}.tmp"
        try:
            self._fill(name, data, mode)
        except BaseException:
            self.remove(name)
            raise
        return name

    def _create_plainly(self, name: str, data: bytes) -> bool:
        try:
            self._fill(name, data, None)
        except FileExistsError:
            return False
        except BaseException:
            self.remove(name)
            raise
        self._settle()
        return True

    def _fill(self, name: str, data: bytes, mode: int | None) -> None:
        handle = os.open(self._at(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666, dir_fd=self._handle)
        with os.fdopen(handle, "wb") as file:
            if mode is not None and self._handle is not None:
                os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def _settle(self) -> None:
        """Make the names durable too."""
        if self._handle is not None:
            with contextlib.suppress(OSError):  # some network file systems cannot
                os.fsync(self._handle)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep out others that number files in this folder, threads and processes alike."""
        with contextlib.ExitStack() as stack:
            if fcntl is not None and self._handle is not None:
                with contextlib.suppress(OSError):  # no locks on this file system: exact names are still exclusive
                    fcntl.flock(self._handle, fcntl.LOCK_EX)
                    stack.callback(fcntl.flock, self._handle, fcntl.LOCK_UN)
            yield


# --- the seam ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Files:
    """Writes files. Has no state; ``pause`` waits between attempts at a file that another program holds.

    The methods named ``…_inside`` take a path that a workflow may have made up. On POSIX they open it folder by folder
    without following links, so that one swapped in between check and use leads nowhere; links to places within the
    root are refused too. On Windows every folder is checked for being a link right before use: a smaller guarantee,
    because a program that swaps it at that moment is not noticed.
    """

    pause: Callable[[float], None] = time.sleep
    handles: bool = HANDLES

    def write(self, path: Path, data: bytes) -> None:
        """Replace the file, or make it."""
        with self.folder(path.parent) as folder:
            folder.write(path.name, data)

    def create(self, path: Path, data: bytes) -> bool:
        """Make the file; False, and nothing done, when the name exists."""
        with self.folder(path.parent) as folder:
            return folder.create(path.name, data)

    def create_numbered(self, path: Path, data: bytes) -> Path:
        """Make the file under this name or the next free number; gives the path it got."""
        with self.folder(path.parent) as folder:
            return path.with_name(folder.create_numbered(path.name, data))

    def write_inside(self, root: Path, relative: str, data: bytes, *, protected: Collection[str] = PROTECTED) -> Path:
        """:meth:`write` at a path below ``root`` that :func:`inside` accepts; folders are made as needed."""
        with self.folder_of(root, relative, protected=protected) as (folder, name):
            folder.write(name, data)
            return folder.path / name

    def create_inside(self, root: Path, relative: str, data: bytes, *, protected: Collection[str] = PROTECTED) -> bool:
        """:meth:`create` at a path below ``root`` that :func:`inside` accepts; folders are made as needed."""
        with self.folder_of(root, relative, protected=protected) as (folder, name):
            return folder.create(name, data)

    def create_numbered_inside(
        self, root: Path, relative: str, data: bytes, *, protected: Collection[str] = PROTECTED
    ) -> Path:
        """:meth:`create_numbered` at a path below ``root`` that :func:`inside` accepts; folders are made as needed."""
        with self.folder_of(root, relative, protected=protected) as (folder, name):
            return folder.path / folder.create_numbered(name, data)

    @contextlib.contextmanager
    def folder_of(
        self, root: Path, relative: str, *, create: bool = True, protected: Collection[str] = PROTECTED
    ) -> Iterator[tuple[Folder, str]]:
        """The open folder a path below ``root`` lies in, and the path's last name.

        Without ``create`` it is the path of a file that is there, and may have any name that a person gave it.
        """
        inside(root, relative, protected=protected, there=not create)
        *parents, name = path_parts(relative, there=not create)
        with self.folder(root, *parents, create=create) as folder:
            yield folder, name

    @contextlib.contextmanager
    def folder(self, root: Path, *names: str, create: bool = False) -> Iterator[Folder]:
        """``root`` itself, or the folder below it reached name by name, none of them a link.

        ``create`` makes missing ones. FileNotFoundError without it, ParameterError at a link or a file.
        """
        retry = Retrying(
            retry=retry_if_exception_type(PermissionError),
            stop=stop_after_attempt(6),
            wait=wait_fixed(0.4),
            sleep=self.pause,
            reraise=True,
        )
        path = root.joinpath(*names)
        if not self.handles:
            _walk_by_path(root, names, create)
            yield Folder(path, None, retry)
            return
        handle = _walk_by_handle(root, names, create)
        try:
            yield Folder(path, handle, retry)
        finally:
            os.close(handle)


def _walk_by_handle(root: Path, names: tuple[str, ...], create: bool) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    handle = os.open(root, flags)
    for name in names:
        try:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=handle)
            deeper = os.open(name, flags | os.O_NOFOLLOW, dir_fd=handle)
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.EMLINK}:
                raise _no_folder(root, names, name) from None
            raise
        finally:
            os.close(handle)
        handle = deeper
    return handle


def _walk_by_path(root: Path, names: tuple[str, ...], create: bool) -> None:
    path = root
    for name in names:
        path /= name
        if create:
            with contextlib.suppress(FileExistsError):
                path.mkdir()
        status = path.lstat()
        reparse = getattr(status, "st_file_attributes", 0) & getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0)
        if reparse or not stat.S_ISDIR(status.st_mode):
            raise _no_folder(root, names, name)


def _no_folder(root: Path, names: tuple[str, ...], name: str) -> ParameterError:
    link = root.joinpath(*names[: names.index(name) + 1]).is_symlink()
    kind = "a link: name the folder it leads to" if link else "not a folder"
    return wrong_path("/".join(names), f"cannot be used, because {name!r} is {kind}")
