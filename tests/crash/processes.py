"""Processes forked from one that has everything imported, and no event loop, thread or open journal."""

from __future__ import annotations

import faulthandler
import os
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import aie.builtin
import aie_vault.plugin

IMPORTED = (aie.builtin, aie_vault.plugin)  # what every child needs and discovery would import anew in each
POLL_S = 0.002


def fork(base: Path, work: Callable[[], None], *, within_s: float = 20) -> int:
    """Do it in a process of its own; gives its id. One that has not ended in time says where it hangs, and fails."""
    child = os.fork()
    if child:
        return child
    code = 1
    with (base / "child.err").open("a", encoding="utf-8") as errors:
        try:
            faulthandler.dump_traceback_later(within_s, exit=True, file=errors)
            work()
            code = 0
        except BaseException:
            traceback.print_exc(file=errors)
            errors.flush()
        finally:
            os._exit(code)


def wait_for(child: int, base: Path, *, kill_after_s: float | None = None) -> str:
    """How it ended: ``ended``, ``killed``, or what went wrong."""
    if kill_after_s is not None:
        until_s = time.monotonic() + kill_after_s
        while time.monotonic() < until_s:
            if (done := os.waitpid(child, os.WNOHANG))[0]:
                return _said(done[1], base)
            time.sleep(POLL_S)
        os.kill(child, signal.SIGKILL)
    return _said(os.waitpid(child, 0)[1], base)


def _said(status: int, base: Path) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return "killed" if number == signal.SIGKILL else f"died of {signal.Signals(number).name}"
    if os.WEXITSTATUS(status):
        *_, why = (base / "child.err").read_text(encoding="utf-8").strip().split("\n")
        return f"failed: {why} (see child.err)"
    return "ended"


def fast_folder() -> str | None:
    """A folder in memory where there is one: what a killed process wrote is there either way."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
