"""The README: its commands run, its workflows load, its settings are all there are, and it names what there is."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from aie.paths import PROTECTED
from aie.templates import TemplateCompiler
from aie.workflow import parse_workflow
from aie_vault.plugin import aie_action_handlers
from aie_vault.settings import VaultSettings
from tests.aie_home import AieHome

README = Path(__file__).parents[1] / "README.md"
PAGE = README.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCKS if found == language]


def test_no_block_goes_untested() -> None:
    assert {language for language, _ in BLOCKS} == {"console", "json", "toml"}


def test_the_commands_work(tmp_path: Path) -> None:
    install, set_up, emit = blocks("console")
    assert install == "pip install aie-vault\n"
    save = f"cat > workflows/receipts.json <<'END'\n{blocks('json')[0]}END\n"
    script = "set -e\naie() { " + f'"{sys.executable}" -m aie "$@"; ' + "}\n" + set_up + save + emit
    home = AieHome(tmp_path)
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=home.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"NOTIFICATION_\d{8}_\d{6}_Receipt-RECEIPT_0001\.pdf_\w+\.md$", done.stdout.strip()), done.stdout


@pytest.mark.parametrize("text", blocks("json"))
def test_the_workflows_load_and_use_parameters_that_exist(text: str) -> None:
    (step,) = parse_workflow(text, TemplateCompiler(), where="README.md").steps
    (handler,) = [one for one in aie_action_handlers(VaultSettings()) if one.name == step.action_type]
    given = set(re.findall(r'"(\w+)": ', text.partition('"parameters"')[2]))
    assert given - set(handler.params.model_fields) == set()


def test_the_settings_are_all_there_are_with_their_defaults() -> None:
    (text,) = blocks("toml")
    said = tomllib.loads(text)["plugins"]["vault"]
    VaultSettings.model_validate(said)
    assert set(said) == set(VaultSettings.model_fields)
    assert said | {"watch": ["Inbox"], "ignore": []} == VaultSettings().model_dump()


def test_it_names_every_action_parameter_and_everything_no_workflow_writes_to() -> None:
    wanted = [name for one in aie_action_handlers(VaultSettings()) for name in (one.name, *one.params.model_fields)]
    wanted += [name.removeprefix("**/") for name in PROTECTED]
    assert [name for name in wanted if f"`{name}`" not in PAGE] == []
