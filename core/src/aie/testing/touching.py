"""What a piece of code touches while it runs: Python itself tells of files, connections, processes and threads."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CODE = "__pycache__"  # Python keeps compiled code there when something is imported

_CHANGES = {
    "os.mkdir": "makes the folder",
    "os.remove": "deletes the file",
    "os.rename": "renames the file",
    "os.rmdir": "deletes the folder",
    "os.link": "links the file",
    "os.symlink": "links the file",
    "os.truncate": "cuts the file",
    "os.chmod": "changes the rights of",
}
_LISTS = ("os.listdir", "os.scandir")
_OTHERS = {
    "socket.connect": "connects to",
    "socket.bind": "listens at",
    "socket.sendto": "sends to",
    "socket.getaddrinfo": "looks up the host",
    "socket.gethostbyname": "looks up the host",
    "subprocess.Popen": "starts the program",
    "os.system": "starts the program",
    "os.posix_spawn": "starts the program",
    "os.exec": "starts the program",
    "os.fork": "starts a process",
    "sqlite3.connect": "opens the database",
    "os.putenv": "sets the environment variable",
    "os.unsetenv": "takes away the environment variable",
}
_WITHOUT_WHAT = ("os.fork",)
_CALLS = {  # of these not every version of Python tells
    "start_new_thread": "starts a thread",
    "start_joinable_thread": "starts a thread",
    "sleep": "sleeps",
}
_FIRST = {"socket.connect": 1, "socket.bind": 1, "socket.sendto": 1}  # which argument says what; else the first


@contextlib.contextmanager
def touched(folder: Path) -> Iterator[list[str]]:
    """A list of what this thread touches within the block, each in words, and once.

    Reading counts within ``folder`` only: code is read from everywhere.
    """
    told: list[str] = []

    def tell(event: str, arguments: tuple[Any, ...]) -> None:
        words = _words(event, arguments, folder)
        if words and words not in told:
            told.append(words)

    def called(frame: object, event: str, function: Any) -> None:
        words = _CALLS.get(getattr(function, "__qualname__", "")) if event == "c_call" else None
        if words and words not in told:
            told.append(words)

    watched, thread, before = _listeners(), threading.get_ident(), sys.getprofile()
    watched[thread] = tell
    sys.setprofile(called)
    try:
        yield told
    finally:
        sys.setprofile(before)
        del watched[thread]


@cache
def _listeners() -> dict[int, Callable[[str, tuple[Any, ...]], None]]:
    """By thread, who listens there. Python keeps an audit hook for good, so there is one, made when first needed."""
    listeners: dict[int, Callable[[str, tuple[Any, ...]], None]] = {}

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if listeners and (tell := listeners.get(threading.get_ident())) is not None:
            tell(event, arguments)

    sys.addaudithook(hear)
    return listeners


def _words(event: str, arguments: tuple[Any, ...], folder: Path) -> str:
    if event == "open":
        return _opening(arguments, folder)
    if event in _LISTS:
        return f"lists the folder {_text(arguments[0])}" if _is_within(arguments[0], folder) else ""
    if event in _CHANGES:
        return "" if _CODE in _text(arguments[0]) else f"{_CHANGES[event]} {_text(arguments[0])}"
    if event in _OTHERS:
        what = "" if event in _WITHOUT_WHAT else f" {_text(arguments[_FIRST.get(event, 0)])}"
        return f"{_OTHERS[event]}{what}"
    return ""


def _opening(arguments: tuple[Any, ...], folder: Path) -> str:
    path, mode, flags = arguments
    if isinstance(path, int) or _CODE in _text(path):
        return ""
    if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & _WRITES):
        return f"opens for writing {_text(path)}"
    return f"reads {_text(path)}" if _is_within(path, folder) else ""


def _is_within(path: object, folder: Path) -> bool:
    return isinstance(path, (str, bytes, os.PathLike)) and Path(os.fsdecode(path)).is_relative_to(folder)


def _text(what: Any) -> str:
    if isinstance(what, tuple):
        return ":".join(str(part) for part in what[:2])
    return os.fsdecode(what) if isinstance(what, (bytes, os.PathLike)) else str(what)
