"""``aie connect calendar`` and the doctor, through the real command."""

from __future__ import annotations

import json
import threading
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from aie.actions import ActionContext
from aie_calendar.connect import calendar_connection
from aie_calendar.settings import CalendarSettings
from plugins.calendar.tests import feed_server, google_server
from plugins.calendar.tests.feed_server import Feed
from plugins.calendar.tests.google_server import FRESH_TOKEN, GoogleCalendar
from plugins.calendar.tests.radicale import PASSWORD, USER, Radicale
from plugins.calendar.tests.steps import Homes
from tests.aie_home import AieHome


@pytest.fixture
def aie(tmp_path: Path) -> AieHome:
    home = AieHome(tmp_path).with_vault()
    home.env["AIE_KEYRING"] = "off"
    return home


@pytest.fixture
def feed() -> Iterator[tuple[Feed, str]]:
    feed = Feed()
    with feed_server.serving(feed) as address:
        yield feed, address


def settings(aie: AieHome) -> Any:
    return tomllib.loads((aie.vault / "aie.toml").read_text()).get("plugins", {}).get("calendar", {})


def asked(*pairs: str) -> list[str]:
    return [word for pair in pairs for word in ("--set", pair)]


def findings(aie: AieHome, code: int = 0) -> list[tuple[str, str, str]]:
    found = aie("doctor", "--json", code=code).records
    return [(one["level"], one["message"], one["hint"]) for one in found if one["area"] == "connection"]


def test_a_caldav_calendar_is_tried_then_stored(aie: AieHome, radicale: Radicale) -> None:
    path = radicale.calendar()
    url = radicale.url + path.lstrip("/")
    said = aie(
        "connect",
        "calendar",
        *asked("name=work", "provider=caldav", f"url={url}", f"user={USER}"),
        stdin=f"{PASSWORD}\n",
    )
    assert "It works: 0 entries in the next 31 days." in said.out
    assert said.out.endswith("calendar is connected as work: alice. aie doctor looks at it any time.\n")
    assert settings(aie) == {
        "calendars": {"work": {"provider": "caldav", "url": url, "user": "alice"}}, "calendar": "work",
    }  # fmt: skip
    assert PASSWORD not in "".join(file.read_text() for file in aie.vault.rglob("*") if file.is_file())
    assert findings(aie) == [("ok", "calendar: work can be read", "")]


def test_a_server_with_several_calendars_is_asked_for_which(aie: AieHome, radicale: Radicale) -> None:
    names = sorted(radicale.calendar().strip("/") for _ in range(2))
    words = asked("name=work", "provider=caldav", f"url={radicale.url}", f"user={USER}", f"calendar_id={names[0]}")
    aie("connect", "calendar", *words, stdin=f"{PASSWORD}\n")
    assert settings(aie)["calendars"]["work"]["calendar_id"] == names[0]


def test_a_wrong_password_is_explained_and_nothing_is_stored(aie: AieHome, radicale: Radicale) -> None:
    words = asked("name=work", "provider=caldav", f"url={radicale.url}", f"user={USER}")
    said = aie("connect", "calendar", *words, stdin="wrong one\n", code=1)
    assert said.err == (
        f"Error: 127.0.0.1:{radicale.port} refuses the user 'alice': 401\n"
        "  Where: [plugins.calendar.calendars.work]\n"
        "  Next:  check the password (many services want an app password): aie connect calendar\n"
    )
    assert (settings(aie), (aie.state / "credentials").exists()) == ({}, False)


def test_an_address_where_no_server_is_is_explained(aie: AieHome) -> None:
    words = asked("name=work", "provider=caldav", "url=http://127.0.0.1:9/", "user=alice")
    said = aie("connect", "calendar", *words, stdin="secret\n", code=1)
    assert said.err.startswith("Error: 127.0.0.1:9 does not answer: ConnectionError\n")


def test_a_feed_is_stored_like_a_password(aie: AieHome, feed: tuple[Feed, str]) -> None:
    _, address = feed
    said = aie("connect", "calendar", *asked("name=google", "provider=ics_url"), stdin=f"{address}\n")
    assert "It works" in said.out
    assert "private-8d1f" not in said.out + (aie.vault / "aie.toml").read_text()
    assert settings(aie) == {"calendars": {"google": {"provider": "ics_url"}}}
    assert findings(aie) == [("ok", "calendar: google can be read", "")]


def test_a_page_that_is_no_calendar_is_explained(aie: AieHome, feed: tuple[Feed, str]) -> None:
    feed[0].body = b"<html>Sign in</html>"
    said = aie("connect", "calendar", *asked("name=google", "provider=ics_url"), stdin=f"{feed[1]}\n", code=1)
    assert said.err == (
        "Error: what is there is no calendar\n  Where: google\n  Next:  copy the address of the iCal (.ics) form\n"
    )


def test_the_folder_that_was_in_use_stays_a_calendar(aie: AieHome, feed: tuple[Feed, str]) -> None:
    (aie.vault / "Calendar").mkdir()
    aie("connect", "calendar", *asked("name=feed", "provider=ics_url"), stdin=f"{feed[1]}\n")
    assert settings(aie) == {"calendars": {"main": {"provider": "ics"}, "feed": {"provider": "ics_url"}}}


def test_the_doctor_says_what_does_not_work_any_more(aie: AieHome, feed: tuple[Feed, str]) -> None:
    aie("connect", "calendar", *asked("name=feed", "provider=ics_url"), stdin=f"{feed[1]}\n")
    feed[0].status = 404
    assert findings(aie, code=1) == [
        ("FAIL", "calendar: feed: the feed of 'feed' refuses: 404 Not Found",
         "the address may have been withdrawn; aie connect calendar asks for a new one"),
    ]  # fmt: skip


def test_a_vault_with_only_a_folder_needs_no_connection(aie: AieHome) -> None:
    assert findings(aie) == []


class Desk:
    """A person who agrees in the browser at once."""

    def __init__(self, context: ActionContext, answers: dict[str, str]) -> None:
        for name in ("settings", "vault", "timezone", "credentials", "log", "cache_dir", "now"):
            setattr(self, name, getattr(context, name))
        self.paste = False
        self.answers, self.said, self.kept = answers, [], {}

    def ask(self, key: str, question: str, *, default: str = "", secret: bool = False, choices: Any = ()) -> str:
        return self.answers.get(key, default)

    def say(self, text: str) -> None:
        self.said.append(text)

    def open_page(self, address: str) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        self.page = query
        back = f"{query['redirect_uri']}?code=agreed&state={query['state']}"
        threading.Thread(target=lambda: urllib.request.urlopen(back, timeout=10).read(), daemon=True).start()

    def keep_settings(self, values: Any) -> None:
        self.kept = values


def test_google_is_asked_for_consent_and_tried(at_home: Homes) -> None:
    with google_server.serving(GoogleCalendar()) as url:
        home = at_home(
            google_api=f"{url}/calendar/v3", google_token_url=f"{url}/token", google_authorize_url=f"{url}/auth"
        )
        client = {"client_id": "id-of-mine", "client_secret": "secret-of-mine"}
        desk: Any = Desk(home.context("calendar"), {"name": "work", "provider": "google", **client})
        home.wait_for(calendar_connection(CalendarSettings()).connect(desk))
    assert (desk.page["access_type"], desk.page["prompt"], desk.page["code_challenge_method"]) == (
        "offline",
        "consent",
        "S256",
    )
    credentials = home.credentials("calendar")
    assert json.loads(credentials.require("token"))["access_token"] == FRESH_TOKEN
    assert desk.kept == {"calendars": {"work": {"provider": "google", "calendar_id": "primary"}}, "calendar": "work"}
    assert credentials.record is not None and credentials.record.account == "work: primary"
    assert desk.said[-2] == "It works: 0 entries in the next 31 days."
