"""Gmail's REST API (v1), the few calls that aie needs, with what Google says no with in words for a person.

Facts: the discovery document of gmail v1, revision 20261005. 64-bit numbers are text, binary is base64url.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
from authlib.integrations.base_client import OAuthError

from aie.credentials import Credentials
from aie.errors import ActionError, AieError, ConfigError, RetryableError, UncertainError
from aie.oauth import OAuthService, refused, token_client
from aie_gmail.charsets import one_line
from aie_gmail.settings import GmailSettings

MODIFY = "https://www.googleapis.com/auth/gmail.modify"
CONNECT = "aie connect gmail"


class GoneError(ActionError):
    """What was asked for is not there (any more)."""


def service(settings: GmailSettings) -> OAuthService:
    """How Google is asked for access. Without prompt=consent a second consent gives no refresh token."""
    return OAuthService(
        authorize_url=settings.authorize_url,
        token_url=settings.token_url,
        scopes=(MODIFY,),
        more={"access_type": "offline", "prompt": "consent"},
    )


class GmailApi:
    """Calls with the stored token, renewed when it ends. Use :func:`gmail_api`."""

    def __init__(self, client: Any, settings: GmailSettings) -> None:
        self._client = client
        self._settings = settings

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        """An answer; :class:`GoneError` for 404, RetryableError for what may work later, ConfigError for a person."""
        return await self._call("GET", path, params={name: value for name, value in params.items() if value})

    async def post(self, path: str, body: Mapping[str, Any], *, unsure: bool = False) -> dict[str, Any]:
        """An answer. ``unsure``: a lost answer or a server's error is an UncertainError, because it may be done."""
        return await self._call("POST", path, json=dict(body), unsure=unsure)

    async def raw(self, message_id: str) -> dict[str, Any]:
        """A mail with ``raw`` as bytes."""
        found = await self.get(f"/messages/{message_id}", format="raw")
        return {**found, "raw": from_base64url(str(found.get("raw", "")))}

    async def ids(self, query: str, most: int = 500) -> list[str]:
        """The ids of the mails a search finds, newest first."""
        found: list[str] = []
        page = ""
        while len(found) < most:
            answer = await self.get("/messages", q=query, maxResults=min(500, most), pageToken=page)
            found += [str(message["id"]) for message in answer.get("messages", ())]
            page = str(answer.get("nextPageToken", ""))
            if not page:
                break
        return found[:most]

    async def _call(self, method: str, path: str, *, unsure: bool = False, **options: Any) -> dict[str, Any]:
        try:
            response = await self._client.request(method, self._settings.api_url + path, **options)
            if response.status_code == 401:
                await self._renew()
                response = await self._client.request(method, self._settings.api_url + path, **options)
        except OAuthError as error:
            raise token_refused(error, self._settings) from None
        except httpx2.ConnectError as error:
            raise RetryableError(f"Gmail cannot be reached: {error}", where=self._settings.api_url) from error
        except httpx2.TransportError as error:
            kind = UncertainError if unsure else RetryableError
            raise kind(f"the answer of Gmail was lost: {type(error).__name__}", where=self._settings.api_url) from error
        if response.status_code >= 400:
            raise api_trouble(response.status_code, response.text, response.headers, self._settings, unsure=unsure)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            kind = UncertainError if unsure else RetryableError
            raise kind("what Gmail answered is not JSON", where=self._settings.api_url)
        return answer

    async def _renew(self) -> None:
        token = self._client.token or {}
        if not token.get("refresh_token"):
            raise ConfigError("Google's access has ended", where="gmail", hint=f"connect anew: {CONNECT}")
        await self._client.refresh_token(self._settings.token_url, refresh_token=token["refresh_token"])


@contextlib.asynccontextmanager
async def gmail_api(settings: GmailSettings, credentials: Credentials) -> AsyncIterator[GmailApi]:
    """The API with the stored token; ConfigError when nothing was connected."""
    async with token_client(credentials, service(settings), timeout=settings.timeout_s) as client:
        yield GmailApi(client, settings)


def token_refused(error: OAuthError, settings: GmailSettings) -> ConfigError:
    """Why Google gives no new token."""
    if error.error != "invalid_grant":
        return refused(error, settings.token_url)
    return ConfigError(
        "Google's access has ended: it was taken back, the password changed, or the consent screen is in Testing, "
        "where access lasts seven days",
        where="gmail",
        hint=f"publish the consent screen (In production), then connect anew: {CONNECT}",
    )


def api_trouble(
    status: int, text: str, headers: Mapping[str, str], settings: GmailSettings, *, unsure: bool = False
) -> AieError:
    """What an answer with an error means."""
    reason, message = _reason(text)
    where = settings.api_url
    said = f"Gmail says: {message or f'HTTP {status}'}"
    if status == 404:
        return GoneError(said, where=where)
    if status == 401:
        return ConfigError("Google does not accept the access it gave", where=where, hint=f"connect anew: {CONNECT}")
    if reason in {"accessNotConfigured", "SERVICE_DISABLED"}:
        page = re.search(r"https://\S+", message)
        hint = f"turn on the Gmail API: {page[0]}" if page else "turn on the Gmail API in your Google Cloud project"
        return ConfigError("the Gmail API is not turned on in your Google Cloud project", where=where, hint=hint)
    if reason in {"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}:
        hint = f"connect anew and leave every box ticked: {CONNECT}"
        return ConfigError("aie was not given access to the mail", where=where, hint=hint)
    if reason == "dailyLimitExceeded":
        return RetryableError(said, where=where, retry_after_s=3600)
    if status == 429 or "ateLimitExceeded" in reason or reason == "quotaExceeded":
        return RetryableError(said, where=where, retry_after_s=_retry_after_s(headers, message))
    if status >= 500:
        return UncertainError(said, where=where) if unsure else RetryableError(said, where=where)
    if status == 403 or reason in {"domainPolicy", "failedPrecondition"}:
        return ConfigError(said, where=where, hint="ask whoever looks after the Google account of your company")
    return ActionError(said, where=where)


def to_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _reason(text: str) -> tuple[str, str]:
    """Both levels of the error body: the reason as a word, and the message for people."""
    try:
        error = json.loads(text)["error"]
        message = one_line(str(error.get("message", "")), 500)
        first = (error.get("errors") or [{}])[0]
        details = [str(one.get("reason", "")) for one in error.get("details", ()) if isinstance(one, dict)]
        reasons = [str(first.get("reason", "")), *details, str(error.get("status", ""))]
        return next((reason for reason in reasons if reason), ""), message
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):  # a proxy's page, say
        return "", one_line(re.sub(r"<[^>]*>", " ", text[:1000]), 200)


def _retry_after_s(headers: Mapping[str, str], message: str) -> float | None:
    """How long to wait: by the header, or by the time that the message names."""
    said = headers.get("retry-after", "")
    if said.isdigit():
        return float(said)
    found = re.search(r"Retry after (\d{4}-\d\d-\d\dT[\d:.]+Z)", message)
    if not found:
        return None
    try:
        until = dt.datetime.fromisoformat(found[1])
    except ValueError:
        return None
    return max(1.0, (until - dt.datetime.now(dt.UTC)).total_seconds())
