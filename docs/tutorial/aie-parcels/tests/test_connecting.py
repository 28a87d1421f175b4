"""``aie connect parcels``: the real command, and what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fake_parcels import TOKEN, FakeServer


def connect(vault: Path, fake: FakeServer, token: str) -> subprocess.CompletedProcess[str]:
    (vault / "aie.toml").write_text(f'[plugins.parcels]\nurl = "{fake.url}"\n', encoding="utf-8")
    env = {**os.environ, "AIE_STATE_DIR": str(vault.parent / "state"), "AIE_KEYRING": "off"}
    command = [sys.executable, "-m", "aie", "connect", "parcels"]
    return subprocess.run(command, cwd=vault, env=env, input=f"{token}\n", capture_output=True, text=True, check=False)


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "vault"
    folder.mkdir()
    return folder


def test_a_token_that_works_is_stored_outside_of_the_vault(vault: Path, fake: FakeServer) -> None:
    done = connect(vault, fake, TOKEN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "parcels is connected as Ada Brown." in done.stdout
    assert TOKEN not in "".join(path.read_text() for path in vault.rglob("*") if path.is_file())
    assert TOKEN in (vault.parent / "state" / "credentials" / "parcels.json").read_text()


def test_one_that_does_not_work_is_not(vault: Path, fake: FakeServer) -> None:
    done = connect(vault, fake, "another-token")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Parcels does not accept the token" in done.stderr
    assert not (vault.parent / "state" / "credentials" / "parcels.json").exists()
