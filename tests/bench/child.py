"""One measurement, one process: started in a scratch folder of its own, it prints its figures as JSON."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
OUTPUT = ROOT / "build" / "bench"


def environment() -> dict[str, str]:
    """The environment without settings of a vault of yours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AIE_")}


def scratch() -> Path:
    """A new folder on the disk this checkout is on: what is measured is durable, so it must be a real one."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="scratch-", dir=OUTPUT))


def measure(contender: str, **options: object) -> dict[str, Any]:
    """Run ``tests.bench.CONTENDER`` with these options in a fresh interpreter; its figures."""
    folder = scratch()
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", f"tests.bench.{contender}", "--folder", str(folder), *words]
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def options() -> argparse.ArgumentParser:
    """What every contender is told."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True, help="where to work; empty")
    return parser


def load_options(default_runs: int) -> argparse.ArgumentParser:
    parser = options()
    parser.add_argument("--runs", type=int, default=default_runs, help="how many events")
    parser.add_argument("--in-flight", type=int, default=1, help="how many at a time")
    return parser
