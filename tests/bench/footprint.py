"""The section on what aie costs when nothing is to be done: asking for help, and waiting."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tests.bench.child import environment
from tests.bench.command import AIE, run_aie, started, stop
from tests.bench.load import Meter
from tests.bench.report import Ratio, Section, Table, spread
from tests.bench.rounds import Plan, say

SETTLE_S = 2.0


def run(plan: Plan, folder: Path) -> Iterable[Section]:
    say("aie --help, and python -c pass")
    python, help_ = by_turns(folder, times=5 if plan.quick else 15)
    idle = [idle_once(folder / f"vault-{turn}", 3.0 if plan.quick else 10.0) for turn in range(1 if plan.quick else 2)]
    cpu, memory = [one[0] for one in idle], [one[1] for one in idle]
    yield Section(
        "Footprint",
        [
            Table(
                ("", "median (min–max)"),
                [
                    ("python -c pass, ms", spread(python)),
                    ("aie --help, ms", spread(help_)),
                    ("aie start, idle, % CPU", spread(cpu)),
                    ("aie start, idle, MB", spread(memory)),
                ],
            )
        ],
        [
            Ratio("aie --help / python -c pass", [a / b for a, b in zip(help_, python, strict=True)], at_most=6),
            Ratio("aie start, idle: % CPU", cpu, at_most=1),
            Ratio("aie start, idle: MB", memory, at_most=50),
        ],
        samples={"python_ms": python, "help_ms": help_, "idle_cpu_percent": cpu, "idle_rss_mb": memory},
    )


def by_turns(folder: Path, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds of ``python -c pass`` and of ``aie --help``; the first of each, which warms up, is left out."""
    commands = {"python": [sys.executable, "-c", "pass"], "help": [str(AIE), "--help"]}
    took_ms: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(times + 1):
        for name, command in commands.items():
            with Meter() as meter:
                subprocess.run(command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, check=True)
            took_ms[name].append(meter.wall_s * 1e3)
    return took_ms["python"][1:], took_ms["help"][1:]


def idle_once(vault: Path, seconds: float) -> tuple[float, float]:
    """% CPU and MB of ``aie start`` in a vault as ``aie init`` makes it, with nothing going on."""
    say("aie start, idle")
    vault.mkdir()
    run_aie(vault, "init", ".")
    process = started(vault)
    try:
        time.sleep(SETTLE_S)
        before_s, began_s = cpu_s(process.pid), time.monotonic()
        time.sleep(seconds)
        percent = (cpu_s(process.pid) - before_s) / (time.monotonic() - began_s) * 100
        return percent, resident_mb(process.pid)
    finally:
        stop(process)
        say("")


def cpu_s(pid: int) -> float:
    """CPU time that a process has used, all threads; as Linux tells it."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * resource.getpagesize() / 1e6
