"""Notes with a date: posts that wait in the vault for their time."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from aie.files import Files

MAX_BYTES = 200_000
_FRONT = re.compile(r"\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[\[([^\]|#]+)[^\]]*\]\]")
_DATES = ("date", "publish_at", "schedule_at", "scheduled")
_PICTURES = ("image_path", "image", "picture")


@dataclass(frozen=True, slots=True)
class Note:
    """A post that waits. ``due`` is aware; ``image_path`` None: without a picture."""

    path: str
    title: str
    due: dt.datetime
    content: str
    image_path: str | None
    alt_text: str
    visibility: str


class NoteError(Exception):
    """Why a note is not a post that can wait."""


def notes_in(vault: Path, folder: str) -> Iterator[tuple[str, bytes, float]]:
    """Path from the top of the vault, content and time of change of each note in the folder, subfolders left out."""
    try:
        with Files().folder(vault, *folder.split("/")) as opened:
            for entry in sorted(opened.scan(), key=lambda one: one.name):
                name = entry.name
                if name.endswith(".md") and not name.startswith((".", "~")) and entry.is_file(follow_symlinks=False):
                    with opened.open(name) as file:
                        yield f"{folder}/{name}", file.read(MAX_BYTES + 1), entry.stat().st_mtime
    except FileNotFoundError:
        return


def note(path: str, data: bytes, timezone: ZoneInfo, usual_time: dt.time) -> Note | None:
    """The post in a note; None if it has no date. :class:`NoteError` says what is wrong with it."""
    if len(data) > MAX_BYTES:
        raise NoteError("it is too long for a post")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise NoteError("it is not UTF-8 text") from None
    found = _FRONT.match(text)
    properties = _properties(found[1]) if found else {}
    key = next((key for key in _DATES if properties.get(key) not in (None, "")), None)
    if found is None or key is None:
        return None
    content = text[found.end() :].replace("\r\n", "\n").strip()
    if not content:
        raise NoteError("there is no text below its properties")
    picture = next((str(properties[key]) for key in _PICTURES if properties.get(key)), None)
    return Note(
        path=path,
        title=path.rpartition("/")[2].removesuffix(".md"),
        due=_due(key, properties[key], timezone, usual_time),
        content=content,
        image_path=_LINK.sub(lambda link: link[1].strip(), picture).strip() if picture else None,
        alt_text=str(properties.get("alt_text") or properties.get("alt") or ""),
        visibility=str(properties.get("visibility") or "PUBLIC").upper(),
    )


def _properties(text: str) -> dict[str, Any]:
    try:
        loaded = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError) as error:
        raise NoteError(f"its properties are not YAML: {str(error).splitlines()[0]}") from None
    return {str(key).lower(): value for key, value in loaded.items()} if isinstance(loaded, dict) else {}


def _due(key: str, value: object, timezone: ZoneInfo, usual_time: dt.time) -> dt.datetime:
    try:
        if isinstance(value, dt.datetime):
            when = value
        elif isinstance(value, dt.date) or re.fullmatch(r"\d{4}-\d\d-\d\d", str(value).strip()):
            when = dt.datetime.combine(dt.date.fromisoformat(str(value).strip()), usual_time)
        else:
            when = dt.datetime.fromisoformat(str(value).strip())
        return (when if when.tzinfo else when.replace(tzinfo=timezone)).astimezone(timezone)
    except (ValueError, OverflowError):
        raise NoteError(f"its {key} is {str(value)[:60]!r}; write it as 2026-02-10 or 2026-02-10T09:00") from None
