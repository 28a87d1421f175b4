"""A script that was running when aie was killed: nobody knows whether it did its work, until a person says."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.aie_home import AieHome, until

SCRIPT = """#!/bin/sh
echo once >> "{log}"
[ -e "{gate}" ] && exit 0
sleep 20
"""


@pytest.fixture
def killed(tmp_path: Path) -> AieHome:
    """A vault whose only run was cut off in the middle of its script."""
    home = AieHome(tmp_path).with_vault()
    log, gate = home.root / "log", home.root / "gate"
    script = home.vault / "backup.sh"
    script.write_text(SCRIPT.format(log=log, gate=gate), encoding="utf-8")
    script.chmod(0o755)
    (home.vault / "aie.toml").write_text('[scripts.backup]\npath = "backup.sh"\n', encoding="utf-8")
    home.workflow(
        "nightly",
        [{"id": "backup", "action_type": "run_script", "parameters": {"script": "backup"}, "retry_count": 5}],
        trigger_event="manual_trigger",
    )
    words = [sys.executable, "-m", "aie", "run", "nightly"]
    process = subprocess.Popen(
        words, cwd=home.vault, env=home.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until(log.exists, "the script to begin")
    process.send_signal(signal.SIGKILL)
    process.wait()
    gate.touch()
    return home


def test_the_run_is_uncertain_after_the_restart_and_says_what_to_do(killed: AieHome) -> None:
    killed("emit", "manual_trigger", "--workflow", "nightly", "--id", "another")
    (other, cut_off) = killed("runs", "list", "--json").records
    assert (other["status"], cut_off["status"]) == ("succeeded", "uncertain")
    run_id = cut_off["run_id"]
    (waits,) = killed("runs", "show", run_id, "--json").record["waits_for"]
    assert waits == {
        "step_id": "backup",
        "reason": "run_script was under way when aie stopped; it may have happened or not",
        "hint": f"look whether it happened, then say so: aie runs resolve {run_id} backup --happened, or --repeat",
    }


@pytest.mark.parametrize(("word", "times"), [("--happened", 1), ("--repeat", 2)])
def test_a_person_settles_it(killed: AieHome, word: str, times: int) -> None:
    killed("emit", "file_added", "--id", "anything")  # whatever command is the engine next finds it
    (cut_off,) = killed("runs", "list", "--json").records
    assert killed("runs", "resolve", cut_off["run_id"], "backup", word, "--json").record["status"] == "succeeded"
    assert (killed.root / "log").read_text(encoding="utf-8") == "once\n" * times
    assert killed("runs", "resolve", cut_off["run_id"], "backup", word, "--json", code=1).record == {
        "error": "the step backup is succeeded, not uncertain",
        "where": cut_off["run_id"],
        "hint": f"see how it stands with: aie runs show {cut_off['run_id']}",
    }
