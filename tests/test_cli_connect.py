"""``aie connect``: asking, trying, storing; and what the doctor says of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.aie_home import AieHome
from tests.plugin_dists import write_dist

PLUGIN = """
import asyncio
from datetime import timedelta
from pydantic import BaseModel, ConfigDict, SecretStr
from aie.connections import Connection, Finding, Level
from aie.credentials import ConnectionRecord
from aie.errors import ConfigError
from aie.hookspecs import hookimpl

class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    host: str = ""
    port: int = 993
    password: SecretStr | None = None

async def connect(desk):
    host = desk.ask("host", "Which server?", default="mail.example.com")
    mode = desk.ask("mode", "How?", default="plain", choices=("plain", "fancy"))
    password = desk.ask("password", "Password", secret=True)
    if password != "open sesame":
        raise ConfigError(f"the server refused {password}", where=host, hint="type it again")
    desk.keep_settings({"host": host, "port": 1993})
    where = desk.credentials.save({"password": password}, ConnectionRecord(
        account=f"me@{host}", connected_at=desk.now, expires_at=desk.now + timedelta(days=5)))
    desk.say(f"Stored in {where}")

async def check(context):
    if context.settings.host == "slow":
        await asyncio.sleep(60)
    if context.settings.host == "broken":
        raise RuntimeError("password was " + context.credentials.require("password"))
    return [Finding(Level.OK, "works")]

@hookimpl
def aie_settings():
    return Settings

@hookimpl
def aie_connections(settings):
    return [Connection("post", connect, check=check, summary="mail for tests")]
"""
STORED = "Stored in {}/credentials/post.json\n"


@pytest.fixture
def aie(tmp_path: Path) -> AieHome:
    home = AieHome(tmp_path).with_vault()
    write_dist(tmp_path / "site", "aie-post", PLUGIN)
    home.env |= {"PYTHONPATH": str(tmp_path / "site"), "AIE_KEYRING": "off"}
    (home.vault / "aie.toml").write_text(
        '# mine\ntimezone = "Europe/Berlin"\n\n[plugins.vault]  # notes\nwatch = ["In"]\n'
    )
    return home


def connection(aie: AieHome, *, code: int = 0) -> list[tuple[str, str, str]]:
    found = aie("doctor", "--json", code=code).records
    return [(one["level"], one["message"], one["hint"]) for one in found if one["area"] == "connection"]


def test_what_was_tried_and_works_is_stored_and_settings_keep_their_place(aie: AieHome) -> None:
    said = aie("connect", "post", "--set", "host=mail.test", stdin="fancy\nopen sesame\n")
    assert (said.out, said.err) == (
        STORED.format(aie.state) + "post is connected as me@mail.test. aie doctor looks at it any time.\n",
        "",
    )
    assert (aie.vault / "aie.toml").read_text() == (
        '# mine\ntimezone = "Europe/Berlin"\n\n[plugins.vault]  # notes\nwatch = ["In"]\n'
        '\n[plugins.post]\nhost = "mail.test"\nport = 1993\n'
    )
    stored = json.loads((aie.state / "credentials" / "post.json").read_text())
    assert (stored["secrets"], stored["record"]["account"]) == ({"password": "open sesame"}, "me@mail.test")
    assert "open sesame" not in json.dumps([path.read_text() for path in aie.vault.rglob("*") if path.is_file()])


def test_what_does_not_work_is_not_stored_and_the_message_has_no_secret_in_it(aie: AieHome) -> None:
    before = (aie.vault / "aie.toml").read_text()
    said = aie("connect", "post", "--set", "host=h", "--set", "mode=plain", stdin="wrong password\n", code=1)
    assert said.err == "Error: the server refused ‹redacted›\n  Where: h\n  Next:  type it again\n"
    assert ((aie.vault / "aie.toml").read_text(), (aie.state / "credentials").exists()) == (before, False)


def test_answers_that_cannot_be_used_are_refused_with_what_can(aie: AieHome) -> None:
    said = aie("connect", "post", "--set", "host=h", "--set", "mode=fency", code=2)
    assert said.err == "Error: 'fency' is not an answer to: How?\n  Where: mode\n  Next:  did you mean 'fancy'?\n"
    said = aie("connect", "post", "--set", "host=h", "--set", "mode=plain", "--set", "password=x", code=2)
    assert said.err.startswith("Error: password is a secret, and other users of this machine can read command lines\n")
    said = aie("connect", "post", "--set", "host=h", "--set", "mode=plain", code=2)
    assert said.err == (
        "Error: nobody is here to answer: Password\n  Where: password\n  Next:  hand it over on standard input\n"
    )


def test_names_that_cannot_be_connected_say_what_can(aie: AieHome) -> None:
    assert "Next:  did you mean 'post'?" in aie("connect", "posd", code=1).err
    assert "Error: the plugin 'vault' needs no connection\n" in aie("connect", "vault", code=1).err
    assert "Next:  aie plugins install aie-gmail\n" in aie("connect", "gmail", code=1).err


def test_the_list_says_how_each_stands(aie: AieHome) -> None:
    assert "post  not connected" in aie("connect").out
    aie("connect", "post", "--set", "host=h", "--set", "mode=plain", stdin="open sesame\n")
    record = aie("connect", "--json").record
    assert (record["name"], record["connected"], record["account"]) == ("post", True, "me@h")
    assert aie("connect", "post", "--forget").out == "The credentials of post are gone.\n"
    assert aie("connect", "--json").record["connected"] is False


def test_the_doctor_asks_the_service_and_counts_the_days(aie: AieHome) -> None:
    assert connection(aie) == [("warn", "post: not connected", "aie connect post")]
    aie("connect", "post", "--set", "host=h", "--set", "mode=plain", stdin="open sesame\n")
    (ends, works) = connection(aie)
    assert (ends[0], ends[2], works) == ("warn", "aie connect post", ("ok", "post: works", ""))
    assert ends[1].startswith("post: the connection ends on ")
    assert ends[1].endswith(", in 5 days")


def test_a_check_that_breaks_is_told_without_its_secrets(aie: AieHome) -> None:
    aie("connect", "post", "--set", "host=broken", "--set", "mode=plain", stdin="open sesame\n")
    assert connection(aie, code=1)[1] == (
        "FAIL", "post: the check failed: RuntimeError: password was ‹redacted›", "aie connect post",
    )  # fmt: skip
