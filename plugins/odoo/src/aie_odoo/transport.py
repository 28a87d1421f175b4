"""One request over HTTP, and what its failing means: not reached, busy, lost on the way."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2

from aie_odoo.faults import BusyServerError, LostError, NotOdooError, UnreachableError

_NEVER_LEFT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
_WAIT = (429, 503)


async def post(
    http: httpx2.AsyncClient, path: str, content: bytes, headers: Mapping[str, str], *, doing: str, writes: bool
) -> httpx2.Response:
    """The answer, whatever its status, once it is Odoo's own.

    ``writes`` says whether it would have changed something: then an answer that never comes is a :class:`LostError`,
    otherwise it can simply be asked again.
    """
    try:
        answer = await http.post(path, content=content, headers=dict(headers))
    except _NEVER_LEFT as error:
        raise unreachable(http, error) from None
    except httpx2.HTTPError as error:
        raise _no_answer(http, doing, writes, type(error).__name__) from None
    if answer.status_code >= 500 and answer.status_code not in _WAIT and not _is_json(answer):
        # A proxy got no answer, or none it could use; Odoo may still be at it. Odoo's own errors are JSON, or HTTP 200.
        raise _no_answer(http, doing, writes, f"HTTP {answer.status_code}")
    if answer.status_code in _WAIT:
        raise BusyServerError(
            f"the server asks for patience (HTTP {answer.status_code})",
            retry_after_s=_seconds(answer.headers.get("Retry-After", "")),
            where=address(http),
            hint="aie tries again by itself",
        )
    if answer.is_redirect:
        raise NotOdooError(
            f"the server sends on to {answer.headers.get('Location', 'another address')!r}",
            where=address(http),
            hint="connect anew with that address: aie connect odoo",
        )
    return answer


def unreachable(http: httpx2.AsyncClient, error: Exception) -> UnreachableError:
    """What to say when nobody answers at the address."""
    why = " ".join(str(error).split())[:200] or type(error).__name__
    return UnreachableError(
        f"no connection to the Odoo server: {why}",
        where=address(http),
        hint="see whether the address is right and the server is on: aie doctor",
    )


def address(http: httpx2.AsyncClient) -> str:
    """The server's address, for messages."""
    return str(http.base_url).rstrip("/")


def _no_answer(http: httpx2.AsyncClient, doing: str, writes: bool, why: str) -> LostError | UnreachableError:
    if writes:
        return LostError(
            f"no answer to {doing} ({why}); it may have happened", where=address(http), hint="aie looks whether it did"
        )
    return UnreachableError(f"no answer to {doing} ({why})", where=address(http), hint="aie tries again by itself")


def _is_json(answer: httpx2.Response) -> bool:
    return answer.headers.get("Content-Type", "").startswith("application/json")


def _seconds(retry_after: str) -> float | None:
    try:
        return max(0.0, float(retry_after))
    except ValueError:  # missing, or a date: the usual waiting will do
        return None
