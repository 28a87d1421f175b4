"""The README: its commands run, its workflows and settings load, and its note becomes a draft."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from aie.templates import TemplateCompiler
from aie.workflow import parse_workflow
from aie_linkedin.notes import Note, note
from aie_linkedin.plugin import aie_action_handlers
from aie_linkedin.settings import LinkedinSettings
from plugins.linkedin.tests.linkedin_server import TOKEN, LinkedinServer
from tests.aie_home import AieHome

BERLIN = ZoneInfo("Europe/Berlin")
README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCKS if found == language]


def test_no_block_goes_untested() -> None:
    assert {language for language, _ in BLOCKS} == {"console", "json", "markdown", "toml"}


def test_the_commands_work(tmp_path: Path, linkedin: LinkedinServer) -> None:
    home = AieHome(tmp_path).with_vault()
    (home.vault / "aie.toml").write_text(linkedin.toml, encoding="utf-8")
    (home.vault / "workflows").mkdir()
    (home.vault / "workflows" / "announce.json").write_text(blocks("json")[0], encoding="utf-8")
    script = "set -e\naie() { " + f'"{sys.executable}" -m aie "$@"; ' + "}\n" + "".join(blocks("console"))
    done = subprocess.run(
        ["bash", "-c", script], cwd=home.vault, env=home.env, input=f"token\n{TOKEN}\n\n", capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "linkedin is connected as Ada Brown." in done.stdout
    (approval,) = home("approvals", "list", "--json").records
    shown = home("approvals", "show", approval["approval_id"], "--json").record
    assert shown["params"]["content"] == "We open at 8 (also on Sundays). #bakery"
    assert linkedin.texts == []


@pytest.mark.parametrize("text", blocks("json"))
def test_the_workflows_load_and_use_parameters_that_exist(text: str) -> None:
    (step,) = parse_workflow(text, TemplateCompiler(), where="README.md").steps
    (handler,) = [one for one in aie_action_handlers(LinkedinSettings()) if one.name == step.action_type]
    assert set(re.findall(r'"(\w+)": ', text)) - {"parameters", "timeout"} - set(handler.params.model_fields) == {
        "workflow_id", "trigger_event", "actions", "action_type"
    }  # fmt: skip


@pytest.mark.parametrize("text", blocks("toml"))
def test_the_settings_are_accepted(text: str) -> None:
    LinkedinSettings.model_validate(tomllib.loads(text)["plugins"]["linkedin"])


def test_the_note_is_a_post_that_waits() -> None:
    (text,) = blocks("markdown")
    assert note("LinkedIn/Scheduled/Spring.md", text.encode(), BERLIN, dt.time(9)) == Note(
        path="LinkedIn/Scheduled/Spring.md",
        title="Spring",
        due=dt.datetime(2026, 2, 10, 9, tzinfo=BERLIN),
        content="From March on we open at 8. #bakery",
        image_path="Assets/opening-hours.png",
        alt_text="The new opening hours on our door",
        visibility="PUBLIC",
    )
