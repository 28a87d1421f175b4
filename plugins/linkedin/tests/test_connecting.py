"""Connecting: consent or a pasted token, tried live; and how the connection stands."""

from __future__ import annotations

import datetime as dt
import socket
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from aie.actions import ActionContext
from aie.connections import Finding, Level
from aie.credentials import Credentials
from aie.errors import ConfigError
from aie.testing import Home
from aie_linkedin.connecting import connect
from plugins.linkedin.tests.linkedin_server import CLIENT, MEMBER, SCOPES, TOKEN, LinkedinServer

BROWSER = {"how": "browser", "client_id": CLIENT[0], "client_secret": CLIENT[1], "pages": "no"}
PASTED = {"how": "token", "access_token": TOKEN, "client_id": "", "client_secret": CLIENT[1]}


@dataclass
class Desk:
    """Answers from a dictionary; its browser goes where it is sent."""

    context: ActionContext
    answers: dict[str, str]
    paste: bool = False
    said: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.context, name)

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
def home(home: Home, linkedin: LinkedinServer) -> Home:
    """With nothing connected, and a redirect address whose port is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    linkedin.redirect = f"http://localhost:{port}/callback"
    home.credentials("linkedin").forget()
    home.restart({"linkedin": {**linkedin.settings, "redirect_port": port}})
    return home


@pytest.fixture
def credentials(home: Home) -> Credentials:
    return home.credentials("linkedin")


def connected(home: Home, answers: dict[str, str]) -> Desk:
    desk = Desk(home.context("linkedin"), answers)
    home.wait_for(connect(desk))
    return desk


def findings(home: Home) -> list[Finding]:
    home.clock.move_to(dt.datetime.now(dt.UTC))  # by which LinkedIn says when access ends
    return home.check("linkedin")


def test_consent_in_the_browser_gives_sixty_days_and_the_author(
    home: Home, credentials: Credentials, linkedin: LinkedinServer
) -> None:
    desk = connected(home, BROWSER)
    record = credentials.record
    assert record is not None
    assert (record.account, record.details, record.trouble) == ("Ada Brown", {"author": MEMBER}, "")
    assert set(record.scopes) == set(SCOPES)
    assert record.expires_at is not None
    assert dt.timedelta(days=59.9) < record.expires_at - dt.datetime.now(dt.UTC) <= dt.timedelta(days=60)
    assert f"Posts will be made as Ada Brown ({MEMBER})." in desk.said[-2]
    day = f"{record.expires_at.astimezone(home.config.timezone):%Y-%m-%d}"
    assert findings(home) == [
        Finding(Level.OK, "works, as Ada Brown; API version not used yet"),
        Finding(Level.OK, f"the permission ends on {day}, in 59 days"),
    ]


def test_a_token_that_was_just_made_is_waited_for(home: Home, linkedin: LinkedinServer) -> None:
    linkedin.fresh_until = time.monotonic() + 1.5
    connected(home, BROWSER)
    assert linkedin.requests.count("GET /v2/userinfo") >= 2


@pytest.mark.parametrize(
    ("scope", "product"),
    [("w_member_social", "Share on LinkedIn"), ("openid", "Sign In with LinkedIn using OpenID Connect")],
)
def test_a_missing_product_is_named(
    home: Home, credentials: Credentials, linkedin: LinkedinServer, scope: str, product: str
) -> None:
    linkedin.scopes.discard(scope)
    with pytest.raises(ConfigError, match=f'Scope "{scope}" is not authorized for your application') as caught:
        connected(home, BROWSER)
    assert caught.value.hint.startswith(f"add the product {product!r} to the app at https://www.linkedin.com/")
    assert credentials.record is None


def test_company_pages_need_a_product_of_their_own(home: Home) -> None:
    with pytest.raises(ConfigError, match='Scope "w_organization_social" is not authorized') as caught:
        connected(home, BROWSER | {"pages": "yes"})
    assert caught.value.hint == (
        "add the product 'Community Management API' to the app at https://www.linkedin.com/developers/apps (page "
        "Products), then try again; or do without company pages, because LinkedIn grants that one on application"
    )


def test_a_person_who_does_not_agree_is_told_so(home: Home, credentials: Credentials, linkedin: LinkedinServer) -> None:
    linkedin.faults = ["cancelled"]
    with pytest.raises(ConfigError, match="LinkedIn's page was left without agreeing"):
        connected(home, BROWSER)
    assert credentials.record is None


def test_a_permission_that_was_not_given_is_named(
    home: Home, credentials: Credentials, linkedin: LinkedinServer
) -> None:
    linkedin.granted = ("openid", "profile", "email")
    with pytest.raises(ConfigError, match="does not have the permission w_member_social") as caught:
        connected(home, BROWSER)
    assert "add the product 'Share on LinkedIn'" in caught.value.hint
    assert credentials.get("access_token") is None


def test_a_pasted_token_has_its_end_looked_up(home: Home, credentials: Credentials) -> None:
    connected(home, PASTED | {"client_id": CLIENT[0]})
    record = credentials.record
    assert record is not None
    assert record.expires_at is not None
    assert 19 <= (record.expires_at - dt.datetime.now(dt.UTC)).days <= 20
    assert credentials.get("client_secret") == CLIENT[1]


def test_without_the_app_nobody_knows_when_a_pasted_token_ends(home: Home) -> None:
    connected(home, PASTED)
    hint = "connect with the app's client id and secret to have it counted"
    assert findings(home) == [
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
    home: Home, credentials: Credentials, linkedin: LinkedinServer, answers: dict[str, str], complaint: str
) -> None:
    linkedin.tokens["old"] = "expired"
    with pytest.raises(ConfigError, match=complaint):
        connected(home, PASTED | answers)
    assert credentials.record is None
    assert credentials.get("access_token") is None


def test_a_token_revoked_later_is_found_by_the_doctor(home: Home, linkedin: LinkedinServer) -> None:
    connected(home, PASTED)
    linkedin.tokens[TOKEN] = "revoked"
    hint = "make a new token at https://www.linkedin.com/developers/apps"
    assert findings(home) == [Finding(Level.FAIL, "the access to LinkedIn was revoked", hint)]
