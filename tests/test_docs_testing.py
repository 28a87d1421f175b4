"""The plugin and the tests on the page about testing plugins work as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "testing-plugins.md"
FILE = re.compile(r"Save this as `(\w+\.py)`:\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_plugin_on_the_page_passes_the_tests_on_the_page(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    files = dict(FILE.findall(text))
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert (list(files), text.count("```python")) == (["notices.py", "test_notices.py"], 2)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIE_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert "5 passed" in done.stdout, done.stdout + done.stderr
