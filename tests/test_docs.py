"""Every command and code block of the README runs as it stands, in an empty folder; the workflows in docs load."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from aie.config import Config
from aie.plugins import Registry
from aie.templates import TemplateCompiler
from aie.workflow import parse_workflow
from tests.plugin_dists import write_dist

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAVE_AS = re.compile(r"Save this as `([^`]+)`:\s*$")
RUN = {"approvals.md", "operating.md", "plugins.md"}  # the pages of docs whose commands are run
ELSEWHERE = {  # pages whose commands other tests run
    "testing-plugins.md": ("python",),  # tests/test_docs_testing.py
    "writing-a-plugin.md": ("console", "python", "text"),  # tests/together/test_tutorial.py
}
OURSELVES = {"make demo", "make test"}  # they run this very test


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    before: str


def blocks(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    return [Block(found[1], found[2], text[: found.start()]) for found in BLOCK.finditer(text)]


def script(path: Path) -> str:
    """A page's blocks as one shell script."""
    lines = ["set -e"]
    for block in blocks(path):
        if block.language == "console":
            lines += [line for line in block.text.splitlines() if line not in OURSELVES]
        elif block.language == "json":
            saved = SAVE_AS.search(block.before)
            assert saved, "a JSON block says where to save it"
            lines.append(f"cat > {shlex.quote(saved[1])} <<'END'\n{block.text}END")
        elif block.language == "python":
            lines.append(f"(cd .. && {shlex.quote(sys.executable)} - <<'END'\n{block.text}END\n)")
        elif block.language == "toml":
            continue  # loaded by a test of its own
        elif block.language:
            raise AssertionError(f"nobody runs blocks of {block.language!r}")
    return "\n".join(lines) + "\n"


def run(path: Path, folder: Path, **more: str) -> str:
    """What a page's commands print, run in this folder; ``more`` goes into their environment."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIE_")}
    env |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}",
        "HOME": str(folder / "home"),
        "XDG_STATE_HOME": str(folder / "state"),
        **more,
    }
    found = subprocess.run(
        ["bash", "-c", script(path)], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_the_tour_in_the_readme_works_in_an_empty_folder(tmp_path: Path) -> None:
    out = run(ROOT / "README.md", tmp_path)
    vault = tmp_path / "my-vault"
    assert [path.name.split("_")[0] for path in (vault / "Done").iterdir()] == ["APPROVAL"]
    assert out.rstrip().splitlines()[-2:] == ["['expense_approval']", "2"]


def test_the_page_for_operators_works_in_an_empty_folder(tmp_path: Path) -> None:
    out = run(ROOT / "docs" / "operating.md", tmp_path)
    vault = tmp_path / "shop"
    assert (vault / "Expenses" / "travel" / "Train.md").read_text() == "250 EUR"
    assert (vault / "Expenses" / "Hotel.md").read_text() == "180 EUR"
    assert len(list((vault / "Inbox").glob("FAILURE_*"))) == 1
    for said in (
        "# expense_file failed at file",
        "reused: ask",
        "expense_file: not started; its condition is false\n    event.data.amount > 100   is false\n",
        "has the workflow as it is now: waits for you",
    ):
        assert said in out, out


OUTBOX = """
    import json
    import os

    from pydantic import BaseModel

    from aie.actions import ActionHandler
    from aie.hookspecs import hookimpl


    class SendEmail(BaseModel):
        to: str
        subject: str
        body: str


    async def send(params, context):
        with open(os.environ["OUTBOX"], "a") as file:
            file.write(json.dumps(params.model_dump()) + "\\n")


    @hookimpl
    def aie_action_handlers(settings):
        return [
            ActionHandler("send_email", SendEmail, send, note_kind="EMAIL", title_field="subject", body_field="body")
        ]
"""


def test_an_edit_in_a_note_that_was_moved_while_aie_was_off_is_what_leaves_the_house_once(tmp_path: Path) -> None:
    write_dist(tmp_path / "site", "aie-outbox", OUTBOX)
    outbox = tmp_path / "outbox.jsonl"
    out = run(ROOT / "docs" / "approvals.md", tmp_path, PYTHONPATH=str(tmp_path / "site"), OUTBOX=str(outbox))
    assert [json.loads(line) for line in outbox.read_text().splitlines()] == [
        {
            "to": "kim@example.com",
            "subject": "Thank you",
            "body": "Dear Kim,\n\nthank you for your order. It leaves today.",
        }
    ]
    (note,) = (tmp_path / "shop" / "Done").iterdir()
    assert "- Changed before: body, from “Dear Kim, thank you for your order.” to “" in note.read_text()
    for said in ("approved by vault", "Approval approved: Thank you, by vault (vault.notes), changed before: body"):
        assert said in out, out


def test_every_setting_in_the_docs_can_be_used(tmp_path: Path) -> None:
    for path in sorted((ROOT / "docs").glob("*.md")):
        for block in blocks(path):
            if block.language == "toml":
                (tmp_path / "aie.toml").write_text(block.text, encoding="utf-8")
                assert Registry.load(Config.load(tmp_path, {}), only={"core"}).info("core").reason == "", path.name


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_every_workflow_in_the_docs_loads(path: Path) -> None:
    for block in blocks(path):
        if block.language == "json":
            parse_workflow(block.text, TemplateCompiler(), where=path.name)
        else:
            known = ("", "console", "toml") if path.name in RUN else ("", "toml", *ELSEWHERE.get(path.name, ()))
            assert block.language in known, f"nobody runs blocks of {block.language!r}"


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []
