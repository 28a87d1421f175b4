"""Connecting: consent or a pasted token, tried live; and how the connection stands."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from aie.connections import CheckContext, Finding, Level
from aie.errors import ConfigError
from aie_linkedin.connecting import check, connect
from plugins.linkedin.tests.house import House
from plugins.linkedin.tests.linkedin_server import CLIENT, MEMBER, SCOPES, TOKEN, LinkedinServer

BROWSER = {"how": "browser", "client_id": CLIENT[0], "client_secret": CLIENT[1], "pages": "no"}
PASTED = {"how": "token", "access_token": TOKEN, "client_id": "", "client_secret": CLIENT[1]}


@dataclass
class Desk:
    """Answers from a dictionary; its browser goes where it is sent."""

    house: House
    answers: dict[str, str]
    paste: bool = False
    said: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.house, name)

    @property
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    def ask(
        self, key: str, question: str, *, default: str = "", secret: bool = False, choices: Sequence[str] = ()
    ) -> str:
        return self.answers[key]

    def say(self, text: str) -> None:
        self.said.append(text)

    def open_page(self, address: str) -> None:
        if not self.paste:
            threading.Thread(target=lambda: urllib.request.urlopen(address).read(), daemon=True).start()


@pytest.fixture
def house(house: House, linkedin: LinkedinServer) -> House:
    """With nothing connected, and a redirect address whose port is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    linkedin.redirect = f"http://localhost:{port}/callback"
    house.credentials.forget()
    house.settings = house.settings.model_copy(update={"redirect_port": port})
    return house


def connected(house: House, answers: dict[str, str]) -> Desk:
    desk = Desk(house, answers)
    asyncio.run(connect(desk))
    return desk


def findings(house: House) -> list[Finding]:
    context = CheckContext(
        house.settings, house.vault, house.timezone, house.credentials, dt.datetime.now(dt.UTC), house.log,
        house.cache_dir,
    )  # fmt: skip
    return list(asyncio.run(check(context)))


def test_consent_in_the_browser_gives_sixty_days_and_the_author(house: House, linkedin: LinkedinServer) -> None:
    desk = connected(house, BROWSER)
    record = house.credentials.record
    assert record is not None
    assert (record.account, record.details, record.trouble) == ("Ada Brown", {"author": MEMBER}, "")
    assert set(record.scopes) == set(SCOPES)
    assert record.expires_at is not None
    assert dt.timedelta(days=59.9) < record.expires_at - dt.datetime.now(dt.UTC) <= dt.timedelta(days=60)
    assert f"Posts will be made as Ada Brown ({MEMBER})." in desk.said[-2]
    day = f"{record.expires_at.astimezone(house.timezone):%Y-%m-%d}"
    assert findings(house) == [
        Finding(Level.OK, "works, as Ada Brown; API version not used yet"),
        Finding(Level.OK, f"the permission ends on {day}, in 59 days"),
    ]


def test_a_token_that_was_just_made_is_waited_for(house: House, linkedin: LinkedinServer) -> None:
    linkedin.fresh_until = time.monotonic() + 1.5
    connected(house, BROWSER)
    assert linkedin.requests.count("GET /v2/userinfo") >= 2


@pytest.mark.parametrize(
    ("scope", "product"),
    [("w_member_social", "Share on LinkedIn"), ("openid", "Sign In with LinkedIn using OpenID Connect")],
)
def test_a_missing_product_is_named(house: House, linkedin: LinkedinServer, scope: str, product: str) -> None:
    linkedin.scopes.discard(scope)
    with pytest.raises(ConfigError, match=f'Scope "{scope}" is not authorized for your application') as caught:
        connected(house, BROWSER)
    assert caught.value.hint.startswith(f"add the product {product!r} to the app at https://www.linkedin.com/")
    assert house.credentials.record is None


def test_company_pages_need_a_product_of_their_own(house: House) -> None:
    with pytest.raises(ConfigError, match='Scope "w_organization_social" is not authorized') as caught:
        connected(house, BROWSER | {"pages": "yes"})
    assert caught.value.hint == (
        "add the product 'Community Management API' to the app at https://www.linkedin.com/developers/apps (page "
        "Products), then try again; or do without company pages, because LinkedIn grants that one on application"
    )


def test_a_person_who_does_not_agree_is_told_so(house: House, linkedin: LinkedinServer) -> None:
    linkedin.faults = ["cancelled"]
    with pytest.raises(ConfigError, match="LinkedIn's page was left without agreeing"):
        connected(house, BROWSER)
    assert house.credentials.record is None


def test_a_permission_that_was_not_given_is_named(house: House, linkedin: LinkedinServer) -> None:
    linkedin.granted = ("openid", "profile", "email")
    with pytest.raises(ConfigError, match="does not have the permission w_member_social") as caught:
        connected(house, BROWSER)
    assert "add the product 'Share on LinkedIn'" in caught.value.hint
    assert house.credentials.get("access_token") is None


def test_a_pasted_token_has_its_end_looked_up(house: House) -> None:
    connected(house, PASTED | {"client_id": CLIENT[0]})
    record = house.credentials.record
    assert record is not None
    assert record.expires_at is not None
    assert 19 <= (record.expires_at - dt.datetime.now(dt.UTC)).days <= 20
    assert house.credentials.get("client_secret") == CLIENT[1]


def test_without_the_app_nobody_knows_when_a_pasted_token_ends(house: House) -> None:
    connected(house, PASTED)
    hint = "connect with the app's client id and secret to have it counted"
    assert findings(house) == [
        Finding(Level.OK, "works, as Ada Brown; API version not used yet"),
        Finding(Level.WARN, "nobody knows when the token ends; LinkedIn's last 60 days", hint),
    ]


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        ({"access_token": "nonsense"}, "LinkedIn does not accept the token"),
        ({"access_token": "old"}, "the access to LinkedIn has ended: LinkedIn gives it for 60 days"),
        ({"access_token": "nonsense", "client_id": CLIENT[0]}, "the token is unknown"),
        ({"client_id": "another"}, r"LinkedIn says nothing about the token \(401\)"),
    ],
)
def test_what_does_not_work_is_not_stored(
    house: House, linkedin: LinkedinServer, answers: dict[str, str], complaint: str
) -> None:
    linkedin.tokens["old"] = "expired"
    with pytest.raises(ConfigError, match=complaint):
        connected(house, PASTED | answers)
    assert house.credentials.record is None
    assert house.credentials.get("access_token") is None


def test_a_token_revoked_later_is_found_by_the_doctor(house: House, linkedin: LinkedinServer) -> None:
    connected(house, PASTED)
    linkedin.tokens[TOKEN] = "revoked"
    hint = "make a new token at https://www.linkedin.com/developers/apps"
    assert findings(house) == [Finding(Level.FAIL, "the access to LinkedIn was revoked", hint)]
