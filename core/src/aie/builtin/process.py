"""One child process: its own group, a time limit, capped output, and an end that leaves nothing running."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MAX_OUTPUT_BYTES = 64 * 1024
TAIL_BYTES = 4 * 1024
MAX_GRACE_S = 2.0
_DRAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Finished:
    """How it went. ``exit_code`` is minus the signal's number where a signal ended it."""

    exit_code: int
    stdout: str
    stderr: str
    stderr_tail: str
    truncated: bool
    timed_out: bool
    duration_ms: int


async def run_process(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], limit_s: float) -> Finished:
    """Run it without a shell and without input. OSError if it cannot be started.

    Shortly before ``limit_s`` is over the group is asked to end (SIGTERM); then, and when the caller is cancelled, it
    is killed. Whatever is left of the group after the process has ended is killed too.
    """
    started = time.monotonic()
    watch = _Watch()
    transport = await _start(watch, command, cwd, env)
    group = transport.get_pid()
    grace_s = min(MAX_GRACE_S, limit_s * 0.1)
    timed_out = False
    try:
        if not await _within(watch.exited, limit_s - grace_s):
            timed_out = True
            _signal_group(group, signal.SIGTERM)
            await _within(watch.exited, grace_s * 0.8)  # the rest is for killing it before the caller's own limit
    finally:
        _signal_group(group, signal.SIGKILL)
        await asyncio.shield(_wind_up(watch, transport))
    return Finished(
        exit_code=transport.get_returncode() or 0,
        stdout=watch.stdout.text,
        stderr=watch.stderr.text,
        stderr_tail=watch.stderr.tail_text,
        truncated=watch.stdout.truncated or watch.stderr.truncated,
        timed_out=timed_out,
        duration_ms=round((time.monotonic() - started) * 1000),
    )


async def _start(
    watch: _Watch, command: Sequence[str], cwd: Path, env: Mapping[str, str]
) -> asyncio.SubprocessTransport:
    """Start it. A file just written is "busy" while any other child is between its fork and its exec: try again."""
    loop = asyncio.get_running_loop()
    for pause_s in (0.01, 0.02, 0.05, 0.1, 0.2, None):
        try:
            transport, _ = await loop.subprocess_exec(
                lambda: watch,
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=cwd,
                env=dict(env),
                start_new_session=True,
            )
        except OSError as error:
            if error.errno != errno.ETXTBSY or pause_s is None:
                raise
            await asyncio.sleep(pause_s)
        else:
            return transport
    raise AssertionError("the last try returns or raises")


async def _within(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()


async def _wind_up(watch: _Watch, transport: asyncio.SubprocessTransport) -> None:
    """Collect it and what it wrote; a process that left the group may still hold the pipes, and is not waited for."""
    await watch.exited.wait()
    await _within(watch.silent, _DRAIN_S)
    transport.close()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says EPERM for a group of zombies
        os.killpg(group, number)


@dataclass(slots=True)
class _Capture:
    """The first 64 KB and the last 4 KB of a stream; what lies between is read and let go."""

    head: bytearray = field(default_factory=bytearray)
    tail: bytes = b""
    truncated: bool = False

    def add(self, chunk: bytes) -> None:
        room = MAX_OUTPUT_BYTES - len(self.head)
        self.head += chunk[:room]
        self.truncated = self.truncated or len(chunk) > room
        self.tail = (self.tail + chunk)[-TAIL_BYTES:]

    @property
    def text(self) -> str:
        return _text(bytes(self.head))

    @property
    def tail_text(self) -> str:
        return _text(self.tail)


class _Watch(asyncio.SubprocessProtocol):
    """What the process does. ``exited`` does not wait for the pipes, which others may hold; ``silent`` is their end."""

    def __init__(self) -> None:
        self.exited = asyncio.Event()
        self.silent = asyncio.Event()
        self.stdout = _Capture()
        self.stderr = _Capture()
        self._open = {1, 2}

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        (self.stdout if fd == 1 else self.stderr).add(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open.discard(fd)
        if not self._open:
            self.silent.set()

    def process_exited(self) -> None:
        self.exited.set()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\0", "\ufffd")
