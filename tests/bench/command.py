"""The command ``aie`` as a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.bench.child import environment

AIE = Path(sys.executable).with_name("aie")
READY = "Ctrl-C stops it"  # the last thing aie start says before it goes to work


def run_aie(folder: Path, *words: str) -> None:
    done = subprocess.run([AIE, *words], cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"aie {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def started(vault: Path) -> subprocess.Popen[str]:
    """``aie start``, as soon as it says that it is ready."""
    process = subprocess.Popen(
        [AIE, "start"], cwd=vault, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if READY in line:
            return process
    raise SystemExit(f"aie start ended with {process.wait()}:\n{''.join(said)}")


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
