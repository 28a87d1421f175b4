"""The sinks every installation has: ``Logs/integrations.log`` for people, ``Logs/audit/`` for checking.

Both open their files anew for each batch, so a ``Logs`` folder that was moved away or emptied is simply made again.
They raise when the disk does; the batch then comes again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from aie.builtin.audit_files import AuditFiles
from aie.builtin.log_lines import log_line
from aie.errors import AieError
from aie.records import AuditRecord, AuditSink, SinkContext
from aie.touches import Touches

AUDIT_FOLDER = Path("Logs", "audit")  # in the vault
MAX_LOG_BYTES = 5 * 1024 * 1024
OLD_LOGS = 5  # integrations.log.1, the newest of the old, to integrations.log.5


def log_file() -> AuditSink:
    """The sink ``log_file``: one line for a person per record, in local time, rotated."""
    return AuditSink(
        name="log_file",
        write=_in_thread(LogFile().write),
        summary="Logs/integrations.log in the vault, for people to read",
        touches=Touches(folders=("Logs",)),
    )


def audit_file() -> AuditSink:
    """The sink ``audit_file``: one JSON object per line and record, in a file per day (UTC)."""
    files = AuditFiles()

    def write(records: Sequence[AuditRecord], context: SinkContext) -> None:
        files.write(records, _logs(context.vault) / AUDIT_FOLDER.name)

    return AuditSink(
        name="audit_file",
        write=_in_thread(write),
        summary="Logs/audit/YYYY-MM-DD.jsonl in the vault, for aie audit verify",
        touches=Touches(folders=(AUDIT_FOLDER.as_posix(),)),
    )


class LogFile:
    """Remembers how far it got, so that a batch that comes again within one process is not written twice."""

    def __init__(self, max_bytes: int = MAX_LOG_BYTES) -> None:
        self._max_bytes = max_bytes
        self._written = 0

    def write(self, records: Sequence[AuditRecord], context: SinkContext) -> None:
        path = _logs(context.vault) / "integrations.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        waiting = [record for record in records if record.seq > self._written]
        while waiting:
            size = path.stat().st_size if path.exists() else 0
            if size >= self._max_bytes:
                _rotate(path)
                size = 0
            lines: list[bytes] = []
            for record in waiting:
                line = (log_line(record.fields, context.timezone) + "\n").encode("utf-8", "backslashreplace")
                if size and size + len(line) > self._max_bytes:
                    break
                lines.append(line)
                size += len(line)
            if lines:
                with path.open("ab") as file:
                    file.write(b"".join(lines))
                self._written = waiting[len(lines) - 1].seq
                waiting = waiting[len(lines) :]
            if waiting:
                _rotate(path)


def _rotate(path: Path) -> None:
    for number in range(OLD_LOGS - 1, 0, -1):
        old = path.with_name(f"{path.name}.{number}")
        if old.exists():
            old.replace(path.with_name(f"{path.name}.{number + 1}"))
    if path.exists():
        path.replace(path.with_name(f"{path.name}.1"))


def _logs(vault: Path) -> Path:
    """The folder ``Logs``. A vault that is not there, because its disk is not mounted say, is not made up."""
    if not vault.is_dir():
        raise AieError(
            f"the vault {str(vault)!r} is not there", where=str(vault), hint="mount its disk, or start aie in it"
        )
    return vault / "Logs"


_Write = Callable[[Sequence[AuditRecord], SinkContext], None]


def _in_thread(write: _Write) -> Callable[[Sequence[AuditRecord], SinkContext], Awaitable[None]]:
    """The same off the event loop, one batch at a time even when the caller was cancelled within the one before."""
    lock = threading.Lock()

    def locked(records: Sequence[AuditRecord], context: SinkContext) -> None:
        with lock:
            write(records, context)

    async def threaded(records: Sequence[AuditRecord], context: SinkContext) -> None:
        await asyncio.to_thread(locked, records, context)

    return threaded
