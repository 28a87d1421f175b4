"""The pages people read, taken apart: their blocks, and what their commands print when they are run as they stand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
READMES = sorted((ROOT / "plugins").glob("*/README.md"))
MADE = ROOT / "docs" / "reference"  # by make docs
DEEPER = sorted(path for path in (ROOT / "docs").glob("*/**/*.md") if MADE not in path.parents)
OWN_TESTS = [*READMES, *DEEPER]  # pages whose blocks have tests beside what they are about
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS, *OWN_TESTS]

SHOWN = ("", "text")  # languages of blocks that are only to be looked at
MAKE = re.compile(r"make [a-z]")  # commands that run these very tests, or longer ones

_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SAVE_AS = re.compile(r"[Ss]ave this as `([^`]+)`[^:`]*:\s*$")


def name_of(path: Path) -> str:
    """For the names of tests: ``docs/approvals.md``."""
    return path.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    before: str

    @property
    def saved_as(self) -> str:
        """The path that the words before it say to save it under; '' if they say none."""
        found = _SAVE_AS.search(self.before)
        return found[1] if found else ""


def blocks(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    return [Block(found[2], textwrap.dedent(found[3]), text[: found.start()]) for found in _BLOCK.finditer(text)]


def script(path: Path) -> str:
    """A page's blocks as one shell script: its commands, its files, its programs. Others have tests of their own."""
    lines = ["set -e"]
    for block in blocks(path):
        if block.language == "console":
            lines += [line for line in block.text.splitlines() if not MAKE.match(line)]
        elif block.language == "json":
            assert block.saved_as, "a JSON block says where to save it"
            lines.append(f"cat > {shlex.quote(block.saved_as)} <<'END'\n{block.text}END")
        elif block.language == "python":
            lines.append(f"(cd .. && {shlex.quote(sys.executable)} - <<'END'\n{block.text}END\n)")
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
