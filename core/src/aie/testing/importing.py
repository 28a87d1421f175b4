"""How long a plugin takes to import, beside what aie itself imports each time, and whether importing does anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass

MOST = 3.0  # times what core itself takes; the plugins that come with aie take less than one
TRIES = 3

# In a process of its own, because here everything is imported already. Time of the processor, not of the wall: how
# busy the machine is does not count.
_CHILD = """\
import json, os, sys, time
from importlib import import_module
writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
began = time.process_time()
import_module("aie.orchestrator"), import_module("aie.builtin")
core_s = time.process_time() - began
told = []
def hear(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)) and isinstance(arguments[2], int):
        if arguments[2] & writes:
            told.append(f"opens for writing {arguments[0]}")
    elif event == "socket.connect":
        told.append(f"connects to {arguments[1]}")
    elif event in ("subprocess.Popen", "os.system", "os.posix_spawn"):
        told.append(f"starts the program {arguments[0]}")
sys.addaudithook(hear)
began = time.process_time()
out, sys.stdout = sys.stdout, sys.stderr
import_module(sys.argv[1])
own_s = time.process_time() - began
print(json.dumps({"core_s": core_s, "own_s": own_s, "told": list(dict.fromkeys(told))}), file=out)
"""


@dataclass(frozen=True, slots=True)
class Imported:
    """The fewest times as long as core's own import that it took, and what it touched meanwhile, in words."""

    times_core: float
    touched: tuple[str, ...]


def imported(module: str) -> Imported:
    """Import the module in processes of their own. Raises RuntimeError where that does not work."""
    best = Imported(float("inf"), ())
    for _ in range(TRIES):
        found = subprocess.run(  # noqa: S603 - this very Python, and a module that is imported here too
            [sys.executable, "-c", _CHILD, module],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if found.returncode:
            raise RuntimeError(
                found.stderr.strip().splitlines()[-1] if found.stderr.strip() else "it ended the process"
            )
        said = json.loads(found.stdout)
        times = said["own_s"] / max(said["core_s"], 0.001)
        best = Imported(min(times, best.times_core), tuple(said["told"]))
        if best.times_core <= MOST / 2:  # far from the limit: no need to try again
            break
    return best
