"""What ``aie plugins new`` makes, as its author's first hour: built, installed, tested, typed, listed; unchanged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_wheels import environment, run, third_party, wheels

__all__ = ["third_party", "wheels"]  # fixtures


@pytest.mark.parametrize("form", ["package", "minimal"])
def test_a_new_plugin_works_in_an_environment_of_its_own(
    wheels: dict[str, Path], third_party: Path, tmp_path: Path, form: str
) -> None:
    python = environment(tmp_path / "env", third_party, wheels["aie-core"])
    aie = python.with_name("aie")
    options = ["--minimal"] if form == "minimal" else []
    run(aie, "plugins", "new", "slack", *options, folder=tmp_path)
    made = tmp_path / "aie-slack"
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path / "dist", made)
    (wheel,) = (tmp_path / "dist").glob("aie_slack-0.1.0-*.whl")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps", wheel)

    tested = run(python, "-m", "pytest", "-p", "no:cacheprovider", folder=made)
    assert " passed" in tested and "failed" not in tested and "skipped" not in tested
    assert "Success: no issues found" in run(python, "-m", "mypy", folder=made)  # strict: its pyproject.toml says so
    listed = [json.loads(line) for line in run(aie, "plugins", "list", "--json", folder=tmp_path).splitlines()]
    assert [(one["name"], one["package"], one["state"], one["reason"]) for one in listed] == [
        ("core", "aie-core", "ok", ""),
        ("slack", "aie-slack", "ok", ""),
    ]
    assert listed[1]["adds"]["actions"] == ["post_to_slack"]
    for check in (["check"], ["format", "--check"]):
        assert subprocess.run([sys.executable, "-m", "ruff", *check, made], check=False).returncode == 0
