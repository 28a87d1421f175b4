"""The event a new file becomes."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from zoneinfo import ZoneInfo

from aie.events import MAX_NAME_LENGTH, Event, EventType
from aie.plain import Json
from aie_vault import frontmatter
from aie_vault.frontmatter import FrontMatter
from aie_vault.listing import Reading, extension

OWN_TYPES = frozenset({"notification", "approval", "notice", "failure"})
"""What aie's own notes say under ``aie_type``: they never become events, or aie would answer itself without end."""

_PREFIX = re.compile(r"([A-Z][A-Z0-9]+(?:_[A-Z][A-Z0-9]*)*)_")


def file_added(path: str, reading: Reading, timezone: ZoneInfo) -> Event | None:
    """The event for a file at a vault path; None for a note that aie wrote itself."""
    name = path.rsplit("/", 1)[-1]
    properties = FrontMatter({}, present=False)
    if extension(name) == "md" and reading.content is not None:
        properties = frontmatter.read(reading.content)
    if properties.values.get("aie_type") in OWN_TYPES:
        return None
    folder = path.rpartition("/")[0]
    data: dict[str, Json] = {
        "file_path": path,
        "file_name": name,
        "file_type": file_type(name, properties),
        "extension": extension(name),
        "size_bytes": reading.entry.size,
        "folder": folder,
        "created_at": _local(reading.created_s, timezone),
        "modified_at": _local(reading.modified_s, timezone),
        "content": reading.content,
        "front_matter": dict(properties.values),
        "sha256": reading.sha256,
    }
    return Event(EventType.FILE_ADDED, "", data, event_id=event_id(path, reading))


def file_type(name: str, properties: FrontMatter) -> str:
    """What kind of document it is: what its front matter says (``aie_type``, then ``type``), else the NAME_ it starts
    with, in lower case (``INVOICE_0001.pdf`` is an ``invoice``), else its extension.
    """
    for key in ("aie_type", "type"):
        value = properties.values.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
    prefix = _PREFIX.match(name)
    return prefix[1].lower() if prefix else extension(name)


def event_id(path: str, reading: Reading) -> str:
    """``path@`` and 16 hex digits of path, content and time of change: the same for the same file, looked at again."""
    parts = (path, reading.sha256 or str(reading.entry.size), str(reading.entry.mtime_ns))
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return f"{path[: MAX_NAME_LENGTH - 17]}@{digest}"


def _local(seconds: float, timezone: ZoneInfo) -> str:
    return dt.datetime.fromtimestamp(seconds, timezone).isoformat(timespec="seconds")
