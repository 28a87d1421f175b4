"""Consent in a browser and tokens that stay fresh, against a small server that speaks OAuth over HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from authlib.integrations.base_client import OAuthError

from aie.credentials import CredentialStore
from aie.errors import ConfigError
from aie.oauth import OAuthService, authorize, refused, token_client


@dataclass
class Service:
    """Checks the code, the verifier and the client; ``asked`` has every form it was sent."""

    base: str = ""
    challenges: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    revoked: bool = False

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.asked.append(form)
        if form.get("client_secret") != "shh-its-a-secret":
            return 401, {"error": "invalid_client", "error_description": "unknown client"}
        if form["grant_type"] == "refresh_token":
            if self.revoked:
                return 400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
            return 200, {"access_token": "second-token", "expires_in": 3600, "token_type": "Bearer"}
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != self.challenges.get(form["code"]):
            return 400, {"error": "invalid_grant", "error_description": "bad verifier"}
        return 200, {
            "access_token": "first-token", "refresh_token": "renew-me", "expires_in": 3600, "token_type": "Bearer",
        }  # fmt: skip


@pytest.fixture
def service() -> Iterator[Service]:
    state = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.answer(*state.token({name: values[0] for name, values in parse_qs(body).items()}))

        def do_GET(self) -> None:
            self.answer(200, {"authorization": self.headers["Authorization"]})

        def answer(self, status: int, data: dict[str, Any]) -> None:
            text = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    state.base = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


class Person:
    """Opens the page that is shown and agrees, or does what the test wants; the desk's part that authorize uses."""

    def __init__(self, service: Service, *, paste: bool = False, answer: dict[str, str] | None = None) -> None:
        self.paste = paste
        self.service = service
        self.answer = answer
        self.shown = ""

    def say(self, text: str) -> None:
        pass

    def open_page(self, address: str) -> None:
        self.shown = address
        if not self.paste:
            threading.Thread(target=lambda: urllib.request.urlopen(self.back()).read(), daemon=True).start()

    def ask(self, key: str, question: str, **options: Any) -> str:
        return self.back()

    def back(self) -> str:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.shown).query).items()}
        assert query["code_challenge_method"] == "S256"
        self.service.challenges["the-code"] = query["code_challenge"]
        answer = self.answer or {"code": "the-code"}
        return f"{query['redirect_uri']}?{urlencode({'state': query['state'], **answer})}"


def offered(service: Service) -> OAuthService:
    return OAuthService(
        f"{service.base}/agree", f"{service.base}/token", ("mail", "profile"), more={"prompt": "consent"}
    )


@pytest.mark.parametrize("paste", [False, True])
def test_a_person_agrees_in_the_browser_and_the_token_comes(service: Service, paste: bool) -> None:
    person = Person(service, paste=paste)
    token = asyncio.run(authorize(person, offered(service), "aie-client", "shh-its-a-secret"))
    assert (token["access_token"], token["refresh_token"]) == ("first-token", "renew-me")
    query = parse_qs(urlsplit(person.shown).query)
    assert (query["scope"], query["prompt"], query["client_id"]) == (["mail profile"], ["consent"], ["aie-client"])
    assert service.asked[0]["redirect_uri"] == query["redirect_uri"][0]


def test_a_person_who_does_not_agree_is_told_what_the_service_says(service: Service) -> None:
    person = Person(service, answer={"error": "access_denied", "error_description": "You said no"})
    with pytest.raises(ConfigError, match="the service refused: access_denied: You said no"):
        asyncio.run(authorize(person, offered(service), "aie-client", "shh-its-a-secret"))


def test_a_wrong_client_and_a_forged_answer_are_refused(service: Service) -> None:
    with pytest.raises(ConfigError, match="the service refused: invalid_client: unknown client"):
        asyncio.run(authorize(Person(service), offered(service), "aie-client", "wrong"))
    with pytest.raises(ConfigError, match="that is not the answer to this request"):
        asyncio.run(authorize(Person(service, answer={"code": "the-code", "state": "forged"}),
                              offered(service), "aie-client", "shh-its-a-secret"))  # fmt: skip


def stored(tmp_path: Path, *, expires_in_s: float) -> CredentialStore:
    store = CredentialStore(tmp_path, {"AIE_KEYRING": "off"})
    token = {"access_token": "first-token", "refresh_token": "renew-me", "token_type": "Bearer",
             "expires_at": int(time.time() + expires_in_s)}  # fmt: skip
    store.of("shop").save({"client_id": "aie-client", "client_secret": "shh-its-a-secret", "token": json.dumps(token)})
    return store


async def whoami(store: CredentialStore, service: Service, times: int = 1) -> list[str]:
    async with token_client(store.of("shop"), offered(service), base_url=service.base) as client:
        answers = await asyncio.gather(*(client.get("/me") for _ in range(times)))
        return [answer.json()["authorization"] for answer in answers]


def test_a_fresh_token_is_sent_as_it_is(service: Service, tmp_path: Path) -> None:
    assert asyncio.run(whoami(stored(tmp_path, expires_in_s=3000), service)) == ["Bearer first-token"]
    assert service.asked == []


def test_a_token_near_its_end_is_renewed_once_and_stored(service: Service, tmp_path: Path) -> None:
    store = stored(tmp_path, expires_in_s=10)
    assert asyncio.run(whoami(store, service, times=5)) == ["Bearer second-token"] * 5
    assert [form["grant_type"] for form in service.asked] == ["refresh_token"]
    token = json.loads(store.of("shop").require("token"))
    assert (token["access_token"], token["refresh_token"]) == ("second-token", "renew-me")


def test_a_token_that_cannot_be_read_says_to_connect_anew(service: Service, tmp_path: Path) -> None:
    store = stored(tmp_path, expires_in_s=3000)
    for text in ("first-token", "[]", '"first-token"'):
        store.of("shop").save({"token": text})
        with pytest.raises(ConfigError) as caught:
            asyncio.run(whoami(store, service))
        assert caught.value.as_dict() == {
            "error": "the token of shop cannot be read",
            "where": "shop",
            "hint": "connect anew: aie connect shop",
        }


def test_a_revoked_token_says_to_connect_anew(service: Service, tmp_path: Path) -> None:
    service.revoked = True
    with pytest.raises(OAuthError) as caught:
        asyncio.run(whoami(stored(tmp_path, expires_in_s=10), service))
    assert refused(caught.value, "shop").as_dict() == {
        "error": "the service refused: invalid_grant: Token has been expired or revoked.",
        "where": "shop",
        "hint": "connect anew",
    }
