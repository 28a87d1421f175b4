"""Reading a mail in a process of its own, so that no mail can hold up or take down aie.

The child is started when there is a mail to read, gets it on its standard input, and is ended when there is none left,
when it takes too long, or when it wants too much memory. Of the environment it gets what Python
needs and nothing else, so that no secret is in it. Run as ``python -m aie_gmail.reading`` it is that child.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from aie_gmail.mail import Attachment, Mail, Reader

WITHIN_S = 20.0
MEMORY_BYTES = 2_000_000_000
_ENVIRONMENT = ("PATH", "SYSTEMROOT", "LANG", "PYTHONDONTWRITEBYTECODE")
_COMMAND = ("-I", "-m", "aie_gmail.reading")


class UnreadableError(Exception):
    """The mail could not be read: the process that tried did not come back with an answer."""


class _EndedError(Exception):
    """The process ended in the middle."""


@dataclass(slots=True)
class ReadingRoom:
    """One child process at a time. Give it mails one after the other; close it when there are none for a while."""

    reader: Reader
    within_s: float = WITHIN_S
    command: Sequence[str] = _COMMAND
    _child: asyncio.subprocess.Process | None = None

    async def read(self, raw: bytes, received_at: dt.datetime) -> Mail:
        """The mail; :class:`UnreadableError` when it took too long, or the process ended twice."""
        try:
            return await self._read(raw, received_at)
        except _EndedError:  # it may have been somebody else's doing
            with contextlib.suppress(_EndedError):
                return await self._read(raw, received_at)
        raise UnreadableError("the process that read it ended without an answer")

    async def _read(self, raw: bytes, received_at: dt.datetime) -> Mail:
        child = await self._open()
        request = {
            "size": len(raw),
            "received_at": received_at.isoformat(),
            "timezone": self.reader.timezone.key,
            "day_first": self.reader.day_first,
            "trusted_host": self.reader.trusted_host,
        }
        try:
            async with asyncio.timeout(self.within_s):
                return await _ask(child, request, raw)
        except TimeoutError:
            await self.close()
            raise UnreadableError(f"it took more than {self.within_s:g} s to read") from None
        except (OSError, EOFError, ValueError):  # an IncompleteReadError is an EOFError
            await self.close()
            raise _EndedError from None
        except BaseException:  # cancelled in the middle of an answer
            await self.close()
            raise

    async def close(self) -> None:
        """End the process, and wait until all that belonged to it is gone. Can be called again if it was cancelled."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()
            await self._child.communicate()  # until its pipes are closed as well
            self._child = None

    async def _open(self) -> asyncio.subprocess.Process:
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                *self.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=2**20,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                start_new_session=True,  # Ctrl-C at the terminal is for aie
            )
        return self._child


@contextlib.asynccontextmanager
async def reading_room(reader: Reader) -> AsyncIterator[ReadingRoom]:
    """A place to read mails in, closed at the end."""
    room = ReadingRoom(reader)
    try:
        yield room
    finally:
        await room.close()


async def _ask(child: asyncio.subprocess.Process, request: dict[str, Any], raw: bytes) -> Mail:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps(request).encode() + b"\n" + raw)
    await child.stdin.drain()
    line = await child.stdout.readline()
    if not line:
        raise EOFError
    sizes = json.loads(line)
    data = json.loads(await child.stdout.readexactly(sizes["data"]))
    attachments = [await child.stdout.readexactly(described["size_bytes"]) for described in data["attachments"]]
    return Mail(
        data,
        tuple(
            Attachment(described["filename"], described["content_type"], content)
            for described, content in zip(data["attachments"], attachments, strict=True)
        ),
    )


# --- the child -----------------------------------------------------------------------------------------------------


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Read mails until there are no more."""
    while line := source.readline():
        request = json.loads(line)
        raw = source.read(request["size"])
        reader = Reader(ZoneInfo(request["timezone"]), request["day_first"], request["trusted_host"])
        mail = reader.read(raw, dt.datetime.fromisoformat(request["received_at"]))
        data = json.dumps(mail.data).encode()
        sink.write(json.dumps({"data": len(data)}).encode() + b"\n" + data)
        for attachment in mail.attachments:
            sink.write(attachment.content)
        sink.flush()


def _limit_memory() -> None:
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    with contextlib.suppress(ValueError, OSError):  # a lower limit is in force already
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


if __name__ == "__main__":
    _limit_memory()
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)
