"""The person at the terminal: who it is, and how text that anybody may have written is shown to them."""

from __future__ import annotations

import getpass
import os
import shutil
import sys
import textwrap
from datetime import datetime, timedelta

from aie.builtin.log_lines import harmless


def person() -> str:
    """The user of the system who runs this. Not what ``LOGNAME`` says where the system itself can be asked."""
    try:
        import pwd  # noqa: PLC0415 - there is none on Windows

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        try:
            return getpass.getuser()
        except (OSError, KeyError):
            return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown user"


def at_terminal() -> str:
    """For evidence: whether a person can have typed this."""
    return "at a terminal" if sys.stdin.isatty() else "not at a terminal"


def safe(text: object) -> str:
    """In one line, with nothing in it that steers a terminal."""
    return harmless(str(text))


def safe_lines(text: str, indent: str = "") -> list[str]:
    """Line by line, made fit for the terminal; long ones broken only where a person is reading."""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        lines += wrapped(line, indent=indent)
    return lines


def wrapped(text: object, *, indent: str = "", more: str | None = None) -> list[str]:
    """One text as lines that fit, the first behind ``indent``, the others behind ``more``."""
    line = safe(text)
    if not sys.stdout.isatty():
        return [f"{indent}{line}".rstrip()]
    width = max(40, min(shutil.get_terminal_size().columns, 110))
    more = indent if more is None else more
    return textwrap.wrap(line, width, initial_indent=indent, subsequent_indent=more, break_on_hyphens=False) or [""]


def labelled(label: str, text: object, *, indent: str = "  ", width: int = 11) -> list[str]:
    """``  Label      text``, the text below itself where it goes on."""
    head = f"{indent}{safe(label):<{width - 1}} "
    return wrapped(text, indent=head, more=" " * len(head))


def ago(moment: datetime | None, now: datetime) -> str:
    """``5 min ago``; ``-`` for never."""
    if moment is None:
        return "-"
    passed = now - moment
    if passed < timedelta(minutes=1):
        return "just now"
    if passed < timedelta(hours=1):
        return f"{passed // timedelta(minutes=1)} min ago"
    if passed < timedelta(days=1):
        return f"{passed // timedelta(hours=1)} h ago"
    days = passed.days
    return "yesterday" if days == 1 else f"{days} days ago"


def counted(number: int, one: str, several: str = "") -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {one if number == 1 else several or one + 's'}"
