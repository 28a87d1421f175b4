"""OAuth 2 for plugins: a person's consent in a browser, and a client that keeps its token fresh.

Needs the extra ``aie-core[oauth]``. The authorization code flow with PKCE (RFC 7636) and a redirect to the loopback
interface (RFC 8252); where no browser can reach this machine, the person pastes the address it was sent to.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from aie.connections import ConnectDesk
from aie.credentials import Credentials
from aie.errors import ConfigError

CONSENT_WITHIN_S = 300.0
_PAGE = b"<!doctype html><meta charset=utf-8><title>aie</title><p>Done. You can close this page and go back to aie.</p>"


@dataclass(frozen=True, slots=True)
class OAuthService:
    """How a service is asked for access. ``redirect_port`` 0 takes any free one, which not every service allows."""

    authorize_url: str
    token_url: str
    scopes: tuple[str, ...]
    redirect_port: int = 0
    redirect_path: str = "/callback"
    redirect_host: str = "127.0.0.1"
    pkce: bool = True
    token_endpoint_auth_method: str = "client_secret_post"  # noqa: S105 - the name of a method
    more: Mapping[str, str] = field(default_factory=dict)  # further parameters of the page, such as prompt=consent


async def authorize(desk: ConnectDesk, service: OAuthService, client_id: str, client_secret: str) -> dict[str, Any]:
    """The token the service gives after a person agreed, as it answered, with ``expires_at`` in seconds since 1970.

    Raises :class:`ConfigError` with what the service said when it gives none.
    """
    arrived: asyncio.Queue[str] = asyncio.Queue()
    server = None if desk.paste else await _listen(service, arrived)
    port = server.sockets[0].getsockname()[1] if server else service.redirect_port or 8400
    redirect = f"http://{service.redirect_host}:{port}{service.redirect_path}"
    client = _client(service, client_id, client_secret, redirect_uri=redirect)
    verifier = secrets.token_urlsafe(64) if service.pkce else None
    address, state = client.create_authorization_url(service.authorize_url, code_verifier=verifier, **service.more)
    try:
        desk.say("Open this page, and agree to what aie asks for:")
        await asyncio.to_thread(desk.open_page, address)  # a browser may not come back before it is closed
        if server is None:
            desk.say(f"The browser then goes to an address that begins with {redirect} and may not find it.")
            back = await asyncio.to_thread(desk.ask, "address", "Paste that whole address")
        else:
            back = await asyncio.wait_for(arrived.get(), CONSENT_WITHIN_S)
        code = _code(back, state)
        token = await client.fetch_token(service.token_url, code=code, code_verifier=verifier)
    except TimeoutError:
        raise ConfigError(
            "nobody agreed within five minutes",
            where=service.authorize_url,
            hint="try again; with --paste if the browser runs on another machine",
        ) from None
    except OAuthError as error:
        raise refused(error, service.token_url) from None
    finally:
        await client.aclose()
        if server is not None:
            server.close()
            await server.wait_closed()
    return dict(token)


def token_client(
    credentials: Credentials,
    service: OAuthService,
    *,
    key: str = "token",
    renewed: Callable[[dict[str, Any]], Awaitable[None]] | None = None,
    **options: Any,
) -> AsyncOAuth2Client:
    """An httpx2 client that sends the stored token, and renews and stores it shortly before it ends.

    The token is the JSON text under ``key``, the client's id and secret are under ``client_id`` and ``client_secret``.
    ``options`` go to httpx2 (``base_url``, ``timeout``, ``transport`` …). Use it as an async context manager. A refusal
    to renew raises authlib's OAuthError: see :func:`refused`. Raises ConfigError where there is no token.
    """

    async def keep(token: Mapping[str, Any], refresh_token: str | None = None, access_token: str | None = None) -> None:
        with credentials.locked():
            credentials.save({key: json.dumps(dict(token))})
        if renewed is not None:
            await renewed(dict(token))

    return _client(
        service,
        credentials.require("client_id"),
        credentials.get("client_secret") or "",
        token=stored_token(credentials, key),
        update_token=keep,
        token_endpoint=service.token_url,
        **options,
    )


def stored_token(credentials: Credentials, key: str = "token") -> dict[str, Any]:
    """The token under ``key``. Raises ConfigError where there is none, or none that can be read."""
    try:
        token = json.loads(credentials.require(key))
    except ValueError:
        token = None
    if not isinstance(token, dict):
        raise ConfigError(
            f"the token of {credentials.name} cannot be read",
            where=credentials.name,
            hint=f"connect anew: aie connect {credentials.name}",
        )
    return token


def refused(error: OAuthError, where: str) -> ConfigError:
    """What a service says no with, for a person."""
    said = ": ".join(part for part in (error.error, error.description) if part) or "no reason given"
    hint = "connect anew" if error.error == "invalid_grant" else "check the client id and secret, then connect anew"
    return ConfigError(f"the service refused: {said}", where=where, hint=hint)


def _client(service: OAuthService, client_id: str, client_secret: str, **options: Any) -> AsyncOAuth2Client:
    return AsyncOAuth2Client(
        client_id=client_id,
        client_secret=client_secret,
        scope=" ".join(service.scopes),
        code_challenge_method="S256" if service.pkce else None,
        token_endpoint_auth_method=service.token_endpoint_auth_method,
        **options,
    )


def _code(address: str, state: str) -> str:
    """The code in the address that the browser was sent to."""
    said = {name: values[0] for name, values in parse_qs(urlsplit(address.strip()).query).items()}
    if "error" in said:
        raise OAuthError(error=said["error"], description=said.get("error_description"))
    if not secrets.compare_digest(said.get("state", "").encode(), state.encode()):
        raise ConfigError("that is not the answer to this request", where="address", hint="start again: aie connect")
    if "code" not in said:
        raise ConfigError(
            "there is no code in that address", where="address", hint="paste all of it, from http to the end"
        )
    return said["code"]


async def _listen(service: OAuthService, arrived: asyncio.Queue[str]) -> asyncio.Server:
    """A server for the one request that the browser makes when it is sent back."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            words = (await reader.readline()).decode("ascii", "replace").split()
            path = words[1] if len(words) > 1 else ""
            wanted = urlsplit(path).path == service.redirect_path
            status = b"200 OK" if wanted else b"404 Not Found"
            page = _PAGE if wanted else b""
            head = b"HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            writer.write(head % (status, len(page)) + page)
            await writer.drain()
            if wanted:
                arrived.put_nowait(path)
        finally:
            writer.close()

    try:
        return await asyncio.start_server(answer, service.redirect_host, service.redirect_port, limit=16_384)
    except OSError as error:
        raise ConfigError(
            f"port {service.redirect_port} cannot be listened at: {error.strerror}",
            where=f"{service.redirect_host}:{service.redirect_port}",
            hint="stop what uses it, or use --paste",
        ) from error
