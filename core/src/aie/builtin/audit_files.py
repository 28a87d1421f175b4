"""Audit records appended to a file per day, each exactly once, whatever broke off in between."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from aie.audit import audit_line
from aie.journal import sync_folder
from aie.records import AuditRecord

_BLOCK = 64 * 1024
_DAY = re.compile(r"\d{4}-\d\d-\d\d\.jsonl")
_DATED = re.compile(r"\d{4}-\d\d-\d\dT", re.ASCII)


@dataclass(frozen=True, slots=True)
class _End:
    """A file as this process left it."""

    path: Path
    size_bytes: int
    seq: int

    def is_end_of(self, path: Path, size_bytes: int) -> bool:
        return (self.path, self.size_bytes) == (path, size_bytes)


class AuditFiles:
    """A record goes into the file of its own day (UTC), so one that comes again is looked for there and left out.

    What is found at the end of a file counts only if it is that record to the byte, and nothing written is taken away.
    A line that broke off is continued by the very record it belongs to.
    """

    def __init__(self) -> None:
        self._end: _End | None = None

    def write(self, records: Sequence[AuditRecord], folder: Path) -> None:
        """Durable on return. Raises OSError when the disk does; the same records are then to come again."""
        folder.mkdir(parents=True, exist_ok=True)
        for day, group in groupby(records, key=_day):
            self._append(folder / f"{day}.jsonl", list(group))

    def _append(self, path: Path, records: list[AuditRecord]) -> None:
        lines = [audit_line(record).encode("utf-8", "replace") for record in records]
        before = self._end
        self._end = None  # until this has gone well
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
        try:
            size = os.fstat(descriptor).st_size
            new, at_end = size == 0, True
            if before is not None and before.is_end_of(path, size) and before.seq < records[0].seq:
                data = b"".join(line + b"\n" for line in lines)
            else:
                there, broken = _tail(descriptor, size, records[0].seq)
                size -= _cut_padding(descriptor, size, broken)
                data = _continued(broken.rstrip(b"\0"), [line for line in lines if line not in there])
                at_end = lines[-1] not in there
            _write_all(descriptor, data)
            os.fsync(descriptor)  # also for what an earlier process wrote and may not have got as far as syncing
        finally:
            os.close(descriptor)
        if new:
            sync_folder(path.parent)
        if at_end:  # else there may be later records, or the beginning of one, behind these
            self._end = _End(path, size + len(data), records[-1].seq)


def last_number(folder: Path) -> int:
    """The number of the last record in the newest file; 0 when there is none, or none can be read."""
    try:
        paths = day_files(folder)
        if not paths:
            return 0
        with paths[-1].open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _BLOCK))
            lines = file.read().split(b"\n")
    except OSError:
        return 0
    return next((seq for line in reversed(lines) if (seq := _seq(line)) is not None), 0)


def day_files(folder: Path) -> list[Path]:
    """The files of a folder, oldest first."""
    return sorted(path for path in folder.iterdir() if _DAY.fullmatch(path.name))


def last_record(path: Path) -> tuple[int, str] | None:
    """Number and hash of the last record in a file; None when the last line is none."""
    length = _BLOCK
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        while True:
            file.seek(max(0, size - length))
            lines = file.read().rstrip(b"\n").rsplit(b"\n", 1)
            if len(lines) == 2 or length >= size:
                break
            length *= 4
    try:
        data = json.loads(lines[-1])
        return (data["seq"], data["hash"]) if type(data["seq"]) is int else None
    except (ValueError, RecursionError, KeyError, TypeError):
        return None


def _cut_padding(descriptor: int, size: int, broken: bytes) -> int:
    """Take away the zero bytes that a power cut leaves at the end of some file systems' files; how many there were."""
    padding = len(broken) - len(broken.rstrip(b"\0"))
    if padding:
        os.ftruncate(descriptor, size - padding)
    return padding


def _continued(broken: bytes, lines: list[bytes]) -> bytes:
    """What to append so that each line is there whole, after a file that ends in ``broken``."""
    data = b"".join(line + b"\n" for line in lines)
    if not broken:
        return data
    if _seq(broken) is not None:  # whole but for its end
        return b"\n" + data
    if data.startswith(broken):
        return data[len(broken) :]
    # Not the beginning of what follows: left for the check to find, on a line of its own.
    return b"\n" + data if data else b""


def _tail(descriptor: int, size: int, first: int) -> tuple[set[bytes], bytes]:
    """The whole lines of the file from record ``first`` on, and the broken one after them (or b'')."""
    start, data = size, b""
    while start > 0:
        length = min(max(_BLOCK, len(data)), start)  # doubling, so that a long way back costs no more than its length
        start -= length
        data = _read_at(descriptor, start, length) + data
        whole = data if start == 0 else data[data.find(b"\n") + 1 :] if b"\n" in data else b""
        oldest = _seq(whole[: whole.find(b"\n")]) if b"\n" in whole else None
        if oldest is not None and oldest < first:
            break
    *lines, broken = data.split(b"\n")
    return {*lines, broken.rstrip(b"\0")}, broken


def _read_at(descriptor: int, start: int, length: int) -> bytes:
    os.lseek(descriptor, start, os.SEEK_SET)  # writes go to the end all the same: the file is open for appending
    data = b""
    while len(data) < length and (part := os.read(descriptor, length - len(data))):
        data += part
    return data


def _seq(line: bytes) -> int | None:
    """The number of the record on this line; None if it is not one."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    seq = data.get("seq") if isinstance(data, dict) else None
    return seq if type(seq) is int else None


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _day(record: AuditRecord) -> str:
    """The record's date in UTC, from its time alone, so that it is the same whenever the record comes."""
    text = str(record.fields.get("timestamp") or "")
    if _DATED.match(text) and text.endswith(("Z", "+00:00")):
        return text[:10]
    try:
        time = datetime.fromisoformat(text)
        return (time.astimezone(UTC) if time.tzinfo else time).date().isoformat()
    except (ValueError, OverflowError):
        return "undated"
