"""The tutorial, as a new author follows it: every file and command of the page, in an environment with core alone.

What it leads to is the plugin in docs/tutorial, byte by byte, so that page and folder cannot differ.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from tests.pages import blocks
from tests.test_wheels import WORKSPACE, environment, third_party, wheels

__all__ = ["third_party", "wheels"]  # fixtures

FINISHED = WORKSPACE / "docs" / "tutorial" / "aie-parcels"
PIECES = blocks(WORKSPACE / "docs" / "writing-a-plugin.md")


def script() -> str:
    """The page as one shell script."""
    lines = ["set -e", "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT"]
    for piece in PIECES:
        if piece.saved_as:
            lines.append(f"cat > {shlex.quote(piece.saved_as)} <<'END_OF_FILE'\n{piece.text}END_OF_FILE")
        elif piece.language == "console":
            lines += piece.text.splitlines()
        else:
            assert piece.language in ("", "toml"), f"nobody runs blocks of {piece.language!r}"
    return "\n".join(lines) + "\n"


def files(folder: Path) -> dict[str, str]:
    made = {path for pattern in ("*.toml", "*.md", "src/**/*.py", "tests/*.py") for path in folder.glob(pattern)}
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in made}


def test_the_page_leads_from_the_first_command_to_the_plugin_at_work(
    wheels: dict[str, Path], third_party: Path, tmp_path: Path
) -> None:
    python = environment(tmp_path / "env", third_party, wheels["aie-core"])
    work = tmp_path / "work"
    work.mkdir()
    env = {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "HOME": str(tmp_path / "home"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "AIE_KEYRING": "off",
        "COLUMNS": "160",
        "LC_ALL": "C.UTF-8",
        "PIP_NO_INDEX": "1",  # everything is there already
        "PIP_NO_BUILD_ISOLATION": "0",  # which is how pip's environment says --no-build-isolation
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    done = subprocess.run(["bash", "-c", script()], cwd=work, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert files(work / "aie-parcels") == files(FINISHED)
    rest = done.stdout
    shown = [piece.text for piece in PIECES if not (piece.language or piece.saved_as)]
    for line in "".join(shown).splitlines():
        assert squeezed(line) in squeezed(rest), f"no {line!r} from here on:\n{rest}"
        rest = squeezed(rest).partition(squeezed(line))[2]


def squeezed(text: str) -> str:
    """The text with every run of blanks made one: how wide a column is does not count."""
    return re.sub(r"[^\S\n]+", " ", text)


def test_all_of_the_finished_plugin_is_on_the_page_or_made_by_the_first_command() -> None:
    on_page = {piece.saved_as for piece in PIECES}
    made = set(files(FINISHED)) - on_page
    assert made == {
        "pyproject.toml",
        "src/aie_parcels/__init__.py",
        "src/aie_parcels/connecting.py",
        "src/aie_parcels/service.py",
        "src/aie_parcels/settings.py",
        "tests/conftest.py",
        "tests/test_connecting.py",
    }
