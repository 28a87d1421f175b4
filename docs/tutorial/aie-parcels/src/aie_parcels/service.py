"""Parcels's API: one way to ask it, and what its answers mean.

What becomes of a step hangs on which error is raised:

- RetryableError: nothing happened, and another attempt may succeed;
- ActionError: nothing happened, and another attempt would not help;
- UncertainError: it may have happened, because the answer was lost after the request had left.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from aie.errors import ActionError, RetryableError, UncertainError

from aie_parcels.settings import ParcelsSettings

_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Service:
    """Requests to Parcels as one account."""

    http: httpx2.AsyncClient

    async def ask(self, method: str, path: str, what: str, *, changes: bool = False, **options: Any) -> Any:
        """The answer, as data. ``what`` names the request in errors; with ``changes`` it does something there."""
        where = f"{method} {path}"
        try:
            response = await self.http.request(method, path, **options)
        except httpx2.HTTPError as error:
            kind = type(error).__name__
            if changes and not isinstance(error, _NEVER_SENT):
                raise UncertainError(f"the answer to {what} was lost ({kind})", where=where) from None
            raise RetryableError(f"Parcels cannot be reached ({kind})", where=where) from None
        if not response.is_success:
            raise _refusal(response, what, where, changes=changes)
        try:
            return response.json()
        except ValueError:
            raise unknown_form(what, where, changes=changes) from None


@asynccontextmanager
async def open_service(settings: ParcelsSettings, token: str) -> AsyncIterator[Service]:
    """Parcels, asked with this token."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=settings.url, headers=headers, timeout=settings.timeout_s) as http:
        yield Service(http)


def unknown_form(what: str, where: str, *, changes: bool) -> ActionError:
    """The error for an answer that nobody can read."""
    kind = UncertainError if changes else ActionError
    return kind(f"Parcels answers {what} in a form that is not known", where=where)


def _refusal(response: httpx2.Response, what: str, where: str, *, changes: bool) -> ActionError:
    status = response.status_code
    if status == 401:
        hint = "connect anew: aie connect parcels"
        return ActionError("Parcels does not accept the token", where=where, hint=hint)
    if status == 429:
        said = response.headers.get("Retry-After", "")
        wait_s = float(said) if re.fullmatch(r"\d{1,6}", said) else None
        message = f"the limit is reached: {what} did not happen"
        return RetryableError(message, retry_after_s=wait_s, where=where)
    if status >= 500:
        kind = UncertainError if changes else RetryableError
        return kind(f"Parcels answered {status} to {what}", where=where)
    return ActionError(f"Parcels refused {what} ({status}): {response.text[:200]!r}", where=where)
