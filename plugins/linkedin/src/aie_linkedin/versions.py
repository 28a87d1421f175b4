"""Versions of LinkedIn's API: each month has one, and each is served for about a year."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from aie.files import Files

SHIPPED = "202609"  # the newest that creating posts was known to work with when this was written
_OLDEST_MONTHS = 11


def candidates(pinned: str, remembered: str, today: date) -> Iterator[str]:
    """The versions to try, in order. Months that are well under way first: the newest may not be served yet."""
    if pinned != "auto":
        yield pinned
        return
    back = [*range(2, _OLDEST_MONTHS + 1), 1, 0]
    yield from dict.fromkeys([*([remembered] if remembered else []), SHIPPED, *(_months_ago(today, n) for n in back)])


def remembered(cache_dir: Path) -> str:
    """The version that worked last; '' if none is known."""
    try:
        found = re.fullmatch(r"20\d{4}", _place(cache_dir).read_text(encoding="ascii").strip())
    except (OSError, UnicodeDecodeError):
        return ""
    return found[0] if found else ""


def remember(cache_dir: Path, version: str) -> None:
    """Keep it for the next time; losing it costs a few requests."""
    if remembered(cache_dir) != version:
        with contextlib.suppress(OSError):
            cache_dir.mkdir(parents=True, exist_ok=True)
            Files().write(_place(cache_dir), version.encode())


def _place(cache_dir: Path) -> Path:
    return cache_dir / "api-version"


def _months_ago(today: date, months: int) -> str:
    year, month = divmod(today.year * 12 + today.month - 1 - months, 12)
    return f"{year}{month + 1:02}"
