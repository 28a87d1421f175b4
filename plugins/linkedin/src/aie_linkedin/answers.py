"""What LinkedIn's answers mean: did it happen, and is another attempt worth making?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx2

from aie.errors import ActionError, RetryableError, UncertainError

_RESET_SLACK = timedelta(minutes=5)
_DUPLICATE_OF = re.compile(r"urn:li:(?:share|ugcPost|activity):\d+")
_TOKEN_TROUBLE = {
    65601: "the access to LinkedIn was revoked",
    65602: "the access to LinkedIn has ended: LinkedIn gives it for 60 days",
}
JUST_MADE = 65601  # a token may answer this for some seconds after it was made
PRODUCTS = {
    "w_member_social": "Share on LinkedIn",
    "openid": "Sign In with LinkedIn using OpenID Connect",
    "profile": "Sign In with LinkedIn using OpenID Connect",
    "email": "Sign In with LinkedIn using OpenID Connect",
    "w_organization_social": "Community Management API",
    "r_organization_social": "Community Management API",
}


class TokenError(ActionError):
    """LinkedIn does not accept the token. ``code`` is its serviceErrorCode."""

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message, hint="connect anew: aie connect linkedin")
        self.code = code


class DuplicateError(ActionError):
    """LinkedIn has a post with this text already. ``post_id`` is its URN, '' if LinkedIn does not name it."""

    def __init__(self, post_id: str) -> None:
        super().__init__("LinkedIn has a post with exactly this text already")
        self.post_id = post_id


class PicturesNotReadyError(RetryableError):
    """LinkedIn still works on a picture that was uploaded; nothing was published."""


class NotActiveError(ActionError):
    """LinkedIn does not serve this version of its API; nothing happened."""


@dataclass(frozen=True, slots=True)
class _Said:
    """The parts of an error answer; several of them may be missing."""

    message: str
    service_code: int
    input_codes: frozenset[str]


def refused(response: httpx2.Response, what: str, now: datetime, *, changes: bool, scope: str = "") -> ActionError:
    """The error for an answer that is not a success.

    ``changes``: a server error leaves open whether what was asked for happened. ``scope`` is the permission it needs.
    """
    status, said = response.status_code, _said(response)
    where = f"{response.request.method} {response.request.url.path}"
    if status == 401:
        trouble = _TOKEN_TROUBLE.get(said.service_code, "LinkedIn does not accept the token")
        return TokenError(trouble, code=said.service_code)
    if status == 426:
        return NotActiveError(f"LinkedIn does not serve this version of its API: {said.message!r}", where=where)
    if status == 429:
        wait_s = _retry_after_s(response, now)
        return RetryableError(
            f"LinkedIn's limit is reached: {what} did not happen, and is possible again in {_span(wait_s)}",
            retry_after_s=wait_s,
            where=where,
            hint="the app's page at LinkedIn shows its limits under Analytics",
        )
    if status >= 500:
        if changes:
            return UncertainError(f"LinkedIn answered {status} to {what}: it may have happened or not", where=where)
        return RetryableError(f"LinkedIn answered {status} to {what}", where=where)
    if "DUPLICATE_POST" in said.input_codes or "is a duplicate of" in said.message.lower():
        found = _DUPLICATE_OF.search(said.message)
        return DuplicateError(found[0] if found else "")
    if status in (400, 422) and _about_pictures(said.message):
        return PicturesNotReadyError(f"LinkedIn is not done with the pictures: {said.message!r}", where=where)
    if status == 403:
        product = PRODUCTS.get(scope)
        hint = (
            f"add the product {product!r} to the app (it gives {scope}), then: aie connect linkedin" if product else ""
        )
        return ActionError(f"LinkedIn does not permit {what}: {said.message!r}", where=where, hint=hint)
    return ActionError(f"LinkedIn refused {what} ({status}): {said.message!r}", where=where)


def lost(error: httpx2.HTTPError, what: str, where: str, *, changes: bool) -> ActionError:
    """The error for a request that got no answer."""
    kind = type(error).__name__
    if changes and not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return UncertainError(f"the answer to {what} was lost ({kind}): it may have happened or not", where=where)
    return RetryableError(
        f"LinkedIn cannot be reached ({kind})", where=where, hint="check the connection to the internet"
    )


def seconds_to_reset(now: datetime) -> float:
    """Until LinkedIn's daily limits start anew, at midnight UTC, and five minutes more."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return (midnight + _RESET_SLACK - now).total_seconds()


def _retry_after_s(response: httpx2.Response, now: datetime) -> float:
    said = response.headers.get("Retry-After", "")
    return float(said) if re.fullmatch(r"\d{1,6}", said) else seconds_to_reset(now)


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 120 else f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


def _about_pictures(message: str) -> bool:
    words = message.lower()
    about = any(word in words for word in ("media", "image", "asset"))
    return about and any(word in words for word in ("process", "not ready", "not available yet", "waiting"))


def _said(response: httpx2.Response) -> _Said:
    try:
        data: Any = response.json()
    except ValueError:
        data = {}
    data = data if isinstance(data, dict) else {}
    details = data.get("errorDetails")
    inputs = details.get("inputErrors") if isinstance(details, dict) else None
    codes = {str(one.get("code")) for one in inputs if isinstance(one, dict)} if isinstance(inputs, list) else set()
    service_code = data.get("serviceErrorCode")
    return _Said(
        message=str(data.get("message") or data.get("error_description") or response.reason_phrase)[:500],
        service_code=service_code if isinstance(service_code, int) else 0,
        input_codes=frozenset(codes),
    )
