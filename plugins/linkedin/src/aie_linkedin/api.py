"""The API: one account's way to LinkedIn, over HTTP, with the version that LinkedIn serves."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import httpx2

from aie.connections import CheckContext, ConnectDesk
from aie.credentials import Credentials
from aie.errors import ActionError
from aie_linkedin import versions
from aie_linkedin.answers import NotActiveError, TokenError, lost, refused
from aie_linkedin.settings import LinkedinSettings


class Context(Protocol):
    """What actions, sources and checks are given alike."""

    @property
    def settings(self) -> Any: ...
    @property
    def credentials(self) -> Credentials: ...
    @property
    def cache_dir(self) -> Path: ...


@dataclass(frozen=True, slots=True)
class Person:
    """The member the token belongs to."""

    urn: str
    name: str


@dataclass(frozen=True, slots=True)
class Api:
    """Requests as one account. Raises an :class:`~aie.errors.ActionError` that says whether anything happened."""

    settings: LinkedinSettings
    credentials: Credentials | None  # None: with a token that is not stored, and nothing is noted about it
    cache_dir: Path
    http: httpx2.AsyncClient
    token: str = field(repr=False)

    async def call(
        self,
        method: str,
        path: str,
        what: str,
        *,
        body: Mapping[str, Any] | None = None,
        changes: bool = False,
        scope: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """The answer to a versioned request. A version that LinkedIn has ended is stepped over: nothing happened then.

        ``what`` names it in errors, ``changes`` says that something may have happened when the answer is lost.
        """
        known = versions.remembered(self.cache_dir)
        refusal: ActionError | None = None
        for version in versions.candidates(self.settings.api_version, known, _now().date()):
            sent = {"LinkedIn-Version": version, "X-Restli-Protocol-Version": "2.0.0", **(headers or {})}
            try:
                response = await self.send(
                    method, self.settings.api_url + path, what, headers=sent, json=body, changes=changes, scope=scope
                )
            except NotActiveError as error:
                refusal = error
                continue
            versions.remember(self.cache_dir, version)
            return response
        assert refusal is not None
        hint = "set api_version = 'auto' in [plugins.linkedin] of aie.toml"
        if self.settings.api_version == "auto":
            hint = "a newer aie-linkedin may know which version to use"
        raise ActionError(refusal.message, where=refusal.where, hint=hint)

    async def send(
        self, method: str, url: str, what: str, *, changes: bool = False, scope: str = "", **options: Any
    ) -> httpx2.Response:
        """The answer to one request, if it is a success."""
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        try:
            response = await self.http.request(method, url, headers=headers, **options)
        except httpx2.HTTPError as error:
            raise lost(error, what, f"{method} {urlsplit(url).path}", changes=changes) from None
        if response.is_success:
            self._note("")
            return response
        refusal = refused(response, what, _now(), changes=changes, scope=scope)
        if isinstance(refusal, TokenError):
            self._note(refusal.message)
        raise refusal

    def _note(self, trouble: str) -> None:
        if self.credentials is not None:
            self.credentials.note(trouble=trouble)

    async def person(self) -> Person:
        """Whose token this is, asked of LinkedIn."""
        answer = await self.send(
            "GET", f"{self.settings.api_url}/v2/userinfo", "asking whose account it is", scope="openid"
        )
        return person_in(answer)

    async def author(self, organization: str | None) -> str:
        """The URN posts are made as."""
        if organization:
            return organization
        record = self.credentials.record if self.credentials else None
        known = str(record.details.get("author") or "") if record else ""
        return known or (await self.person()).urn


@contextlib.asynccontextmanager
async def open_api(context: Context) -> AsyncIterator[Api]:
    """The API with the stored token."""
    settings: LinkedinSettings = context.settings
    token = context.credentials.require("access_token")
    async with httpx2.AsyncClient(timeout=settings.timeout_s, follow_redirects=False) as http:
        yield Api(settings, context.credentials, context.cache_dir, http, token)


def api_at(desk: ConnectDesk | CheckContext, http: httpx2.AsyncClient, token: str) -> Api:
    """The API with a token that is not stored, which changes nothing that is known of the connection."""
    return Api(desk.settings, None, desk.cache_dir, http, token)


def person_in(answer: httpx2.Response) -> Person:
    """The member in an answer of OpenID's userinfo."""
    try:
        data = answer.json()
        return Person(f"urn:li:person:{data['sub']}", str(data.get("name") or ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ActionError("LinkedIn does not say whose account it is", where="GET /v2/userinfo") from None


def in_path(urn: str) -> str:
    """A URN as a part of a path."""
    return quote(urn, safe="")


def _now() -> datetime:
    return datetime.now(UTC)
