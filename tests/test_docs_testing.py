"""The plugin and the tests on the page about testing plugins work as they stand there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.pages import ROOT, blocks


def test_the_plugin_on_the_page_passes_the_tests_on_the_page(tmp_path: Path) -> None:
    programs = [block for block in blocks(ROOT / "docs" / "testing-plugins.md") if block.language == "python"]
    for block in programs:
        (tmp_path / block.saved_as).write_text(block.text, encoding="utf-8")
    assert [block.saved_as for block in programs] == ["notices.py", "test_notices.py"]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIE_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert "5 passed" in done.stdout, done.stdout + done.stderr
