"""The four seams between aie and the world: the clock, the source of ids, file writes and plugin calls.

File writes live in :mod:`aie.files`, plugin calls in :mod:`aie.act`; clock and ids are here. Whoever drives the engine
hands these in, so a test can run a thousand histories without a clock or a random number of its own.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; may return early, never counts on the wall clock staying put."""
        ...


class Ids(Protocol):
    """Makes ids that are never used twice, and the jitter of retries."""

    def new(self, prefix: str) -> str:
        """A new id such as ``run_01k…``; ids made later sort later."""
        ...

    def jitter(self) -> float:
        """A number from 0 up to, not including, 1."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_SHIFTS = range(80, -1, -5)


class RandomIds:
    """Crockford base 32: nine characters of milliseconds, then eight of chance (40 bits)."""

    def new(self, prefix: str) -> str:
        value = (time.time_ns() // 1_000_000) << 40 | secrets.randbits(40)
        return f"{prefix}_{''.join([_ALPHABET[value >> shift & 31] for shift in _SHIFTS])}"

    def jitter(self) -> float:
        return random.random()  # noqa: S311 - spreads retries, protects nothing
