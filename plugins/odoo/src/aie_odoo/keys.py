"""The key that aie plants in a record it makes, by which it finds that record again whatever happened in between."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

from aie.credentials import Credentials
from aie.errors import RetryableError
from aie_odoo.client import Odoo, Session

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
LOOK_EVERY_S = 1.0


def planted_key(idempotency_key: str) -> str:
    """``AIE-`` and ten characters (50 bits): short enough to be printed on an invoice as its source."""
    value = int.from_bytes(hashlib.sha256(idempotency_key.encode()).digest()[:8]) >> 14
    return "AIE-" + "".join(_ALPHABET[value >> shift & 31] for shift in range(45, -1, -5))


async def found_later(
    odoo: Odoo, credentials: Credentials, find: Callable[[Session], Awaitable[int | None]]
) -> int | None:
    """The record that ``find`` finds at once, or within the time that settings allow for.

    A creation whose answer was lost may still be under way on the server, and the server may be away for a moment.
    """
    loop = asyncio.get_running_loop()
    end_s = loop.time() + odoo.settings.settle_s
    while True:
        last_look = loop.time() >= end_s
        try:
            async with odoo.session(credentials) as session:
                found = await find(session)
        except RetryableError:
            if last_look:
                raise
            found = None
        if found is not None or last_look:
            return found
        await asyncio.sleep(min(LOOK_EVERY_S, odoo.settings.settle_s))
