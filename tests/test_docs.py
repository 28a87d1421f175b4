"""Every command and code block of the README runs as it stands, in an empty folder; the workflows in docs load."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from aie.templates import TemplateCompiler
from aie.workflow import parse_workflow

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAVE_AS = re.compile(r"Save this as `([^`]+)`:\s*$")
RUN = {"operating.md"}  # the pages of docs whose commands are run
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
        elif block.language:
            raise AssertionError(f"nobody runs blocks of {block.language!r}")
    return "\n".join(lines) + "\n"


def run(path: Path, folder: Path) -> str:
    """What a page's commands print, run in this folder."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIE_")}
    env |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}",
        "HOME": str(folder / "home"),
        "XDG_STATE_HOME": str(folder / "state"),
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


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_every_workflow_in_the_docs_loads(path: Path) -> None:
    for block in blocks(path):
        if block.language == "json":
            parse_workflow(block.text, TemplateCompiler(), where=path.name)
        else:
            known = ("", "console") if path.name in RUN else ("",)
            assert block.language in known, f"nobody runs blocks of {block.language!r}"


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []
