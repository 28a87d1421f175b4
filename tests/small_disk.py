"""Folders on disks that a test fills up and frees again: a real small one where mounting is allowed, and a stand-in."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol

from tests.aie_home import AieHome

# In the child: whoever makes a file there, or writes to a database there, is told that the disk is full.
STAND_IN = """
    import errno, os, sys, apsw

    # aie's temporary files are opened by their name alone, within a folder that is open already.
    FOLDER, FLAG, TEMPORARY = {folder!r}, {flag!r}, {temporary!r}

    def full(place):
        return os.path.exists(FLAG) and str(place).startswith(FOLDER)

    def refuse(event, arguments):
        # Opening what is there needs no space, unless to make it longer.
        if event == "open" and isinstance(arguments[0], str) and (arguments[2] or 0) & (os.O_CREAT | os.O_APPEND):
            name, longer = arguments[0], arguments[2] & os.O_APPEND
            place = os.path.join(FOLDER, name) if TEMPORARY and name.startswith(".aie-") else name
            if full(place) and (longer or not os.path.exists(place)):
                raise OSError(errno.ENOSPC, "No space left on device", name)

    class File(apsw.VFSFile):
        def __init__(self, name, flags):
            super().__init__("unix", name, flags)
            self.place = name.filename() if isinstance(name, apsw.URIFilename) else name or ""

        def xWrite(self, data, offset):
            if full(self.place):
                raise apsw.FullError("database or disk is full")
            return super().xWrite(data, offset)

        def xLock(self, level):
            try:
                super().xLock(level)
            except apsw.IOError:  # one opened for reading cannot be locked for writing; SQLite itself takes that calmly
                raise apsw.BusyError("opened for reading")

    class Disk(apsw.VFS):
        def __init__(self):
            super().__init__("small", "unix", makedefault=True)

        def xOpen(self, name, flags):
            return File(name, flags)

    disk = Disk()
    sys.addaudithook(refuse)
"""


class Disk(Protocol):
    def fill(self) -> None: ...
    def free(self) -> None: ...


class _Mounted:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fill(self) -> None:
        with (self._folder / "filling").open("wb", buffering=0) as file:
            for size in (4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass

    def free(self) -> None:
        (self._folder / "filling").unlink()


class _StandIn:
    def __init__(self, flag: Path) -> None:
        self._flag = flag

    def fill(self) -> None:
        self._flag.touch()

    def free(self) -> None:
        self._flag.unlink()


@cache
def best() -> str:
    """``tmpfs`` where this process may mount, else ``stand-in``, which works everywhere."""
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt"]
    if sys.platform == "linux" and os.geteuid() == 0:
        try:
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                return "tmpfs"
        except OSError:  # no such command
            pass
    return "stand-in"


@contextmanager
def small_disk(aie: AieHome, folder: Path, *, kind: str = "", size: str = "1m") -> Iterator[Disk]:
    """The folder is on a small disk for every ``aie`` that is started here; it must be empty, or not be there yet."""
    folder.mkdir(exist_ok=True)
    if (kind or best()) == "stand-in":
        flag, site = aie.root / "full", aie.root / "full-site"
        site.mkdir()
        source = STAND_IN.format(folder=str(folder), flag=str(flag), temporary=folder == aie.vault)
        (site / "sitecustomize.py").write_text(textwrap.dedent(source))
        aie.env["PYTHONPATH"] = os.pathsep.join(filter(None, [aie.env.get("PYTHONPATH"), str(site)]))
        yield _StandIn(flag)
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)], check=True)
    try:
        yield _Mounted(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
