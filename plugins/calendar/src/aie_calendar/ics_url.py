"""A calendar that is a feed at an address: read only, asked for only when it has changed."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import NoReturn

import httpx2

from aie.errors import ActionError, ConfigError, RetryableError
from aie_calendar.store import Draft, Pulled, Stored

TIMEOUT_S = 20.0
WHOLE_S = 120.0  # for all of a feed, however slowly it drips
HREF = "feed"

_asking = ContextVar("a feed is asked for", default=False)
# httpx2 logs each address it asks, and those it is sent on to; here that may be a secret.
logging.getLogger("httpx2").addFilter(lambda record: not _asking.get())


class IcsUrl:
    """The store. ``name`` is the calendar's: the address may be a secret, and stands in no message."""

    def __init__(self, name: str, address: str, max_bytes: int) -> None:
        self._name = name
        self._address = address.replace("webcal://", "https://", 1)
        self._max_bytes = max_bytes
        self._client = httpx2.AsyncClient(timeout=TIMEOUT_S, follow_redirects=True, max_redirects=5)
        self._validators: dict[str, str] = {}

    async def pull(self, known: Mapping[str, str]) -> Pulled:
        ask = self._validators if HREF in known else {}
        found = await self._get(ask)
        if found is None or found.etag == known.get(HREF):
            return Pulled()
        return Pulled({HREF: found})

    async def window(self, start: datetime, end: datetime) -> list[Stored]:
        found = await self._get({})
        return [found] if found else []

    async def find(self, uid: str, original: str = "") -> Stored | None:
        self._refuse()

    async def create(self, draft: Draft) -> tuple[Stored, bool]:
        self._refuse()

    async def replace(self, stored: Stored, data: bytes) -> Stored:
        self._refuse()

    async def remove(self, stored: Stored) -> bool:
        self._refuse()

    async def aclose(self) -> None:
        await self._client.aclose()

    def _refuse(self) -> NoReturn:
        raise ActionError(f"the calendar {self._name!r} is a subscription and can only be read", where=self._name)

    async def _get(self, ask: Mapping[str, str]) -> Stored | None:
        """The feed; None when it has not changed since the answer that ``ask`` is from."""
        asking = _asking.set(True)
        try:
            async with asyncio.timeout(WHOLE_S), self._client.stream("GET", self._address, headers=ask) as answer:
                if answer.status_code == httpx2.codes.NOT_MODIFIED:
                    return None
                self._check(answer)
                data = await self._body(answer)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
            raise ConfigError(
                f"the address of {self._name!r} is none", where=self._name, hint="aie connect calendar asks for it anew"
            ) from None
        except (httpx2.TransportError, httpx2.TooManyRedirects, httpx2.DecodingError, TimeoutError) as error:
            raise RetryableError(
                f"the feed of {self._name!r} does not answer: {type(error).__name__}", where=self._name
            ) from None
        finally:
            _asking.reset(asking)
        names = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}
        self._validators = {ours: answer.headers[name] for name, ours in names.items() if name in answer.headers}
        return Stored(HREF, hashlib.sha256(data).hexdigest(), data)

    def _check(self, answer: httpx2.Response) -> None:
        status = answer.status_code
        if status in (401, 403, 404, 410):
            raise ConfigError(
                f"the feed of {self._name!r} refuses: {status} {answer.reason_phrase}",
                where=self._name,
                hint="the address may have been withdrawn; aie connect calendar asks for a new one",
            )
        if status != httpx2.codes.OK:
            raise RetryableError(
                f"the feed of {self._name!r} answers {status} {answer.reason_phrase}", where=self._name
            )

    async def _body(self, answer: httpx2.Response) -> bytes:
        """What it sends, as long as that is not too much; compressed answers count as what they unpack to."""
        pieces, size = [], 0
        async for piece in answer.aiter_bytes():
            size += len(piece)
            if size > self._max_bytes:
                raise ActionError(
                    f"the feed of {self._name!r} has more than {self._max_bytes / 1e6:g} MB, and is not read",
                    where=self._name,
                    hint="if that is right, raise max_size_mb",
                )
            pieces.append(piece)
        return b"".join(pieces)
