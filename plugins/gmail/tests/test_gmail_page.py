"""The documentation page: its workflows load, its settings are right, its commands run."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from gmail_house import BERLIN, NOW, letter, table
from gmail_smtp import SmtpSink

from aie_gmail import plugin
from aie_gmail.mail import Reader
from aie_gmail.settings import GmailSettings
from tests.aie_home import AieHome

PAGE = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"(?m)^```{language}\n(.*?)^```$", PAGE, re.DOTALL)


@pytest.fixture
def aie(tmp_path):
    home = AieHome(tmp_path).with_vault()
    home.env |= {"AIE_KEYRING": "off"}
    return home


def test_its_workflows_are_right(aie):
    (aie.vault / "workflows").mkdir()
    for text in blocks("json"):
        (aie.vault / "workflows" / f"{json.loads(text)['workflow_id']}.json").write_text(text, encoding="utf-8")
    said = aie("workflows", "check", "--json").records
    assert [(one["ok"], one["findings"]) for one in said] == [(True, []), (True, [])]


@pytest.mark.parametrize("text", blocks("toml"))
def test_its_settings_are_right(text):
    GmailSettings.model_validate(tomllib.loads(text)["plugins"]["gmail"])


def test_its_commands_run(aie, dovecot):
    commands = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("aie ")]
    assert commands == ["aie connect gmail", "aie doctor", "aie plugins show gmail"]
    with SmtpSink() as sink:
        answers = [
            *("imap", dovecot.address, "no", "127.0.0.1", str(dovecot.port), "none"),
            *("127.0.0.1", str(sink.port), "none", dovecot.name, "secret"),
        ]
        for command in commands:
            said = aie(*command.split()[1:], stdin="\n".join(answers) + "\n" if "connect" in command else "")
    assert "send_email" in said.out


def test_it_names_every_action_and_every_fact_and_every_thing_an_event_has(at_home):
    home = at_home(table())
    mail = home.action("send_email").handler
    params = mail.params.model_validate({"to": "a@example.com", "subject": "x", "body": "y"})
    named = [
        *(one.name for one in plugin.aie_action_handlers(home.settings("gmail"))),
        *mail.facts(params, home.context("gmail")),
        *Reader(BERLIN).read(letter(), NOW).data,
    ]
    assert [name for name in named if f"`{name}`" not in PAGE] == []
