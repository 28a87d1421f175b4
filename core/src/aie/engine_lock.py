"""The lock of a state folder: one engine at a time has it, and anybody may see whether one does."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from filelock import FileLock, Timeout

from aie.errors import JournalError

FILE_NAME = "engine.lock"
_HOLDER_FILE = "engine.pid"


def take(state_dir: Path) -> FileLock | None:
    """The lock of the state folder; None if another process has it. The system frees it when its holder dies."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(state_dir / FILE_NAME, timeout=0)
        lock.acquire()
        (state_dir / _HOLDER_FILE).write_text(str(os.getpid()))
    except Timeout:
        return None
    except OSError as error:
        raise JournalError(
            f"the state folder cannot be used: {error.strerror}",
            where=str(state_dir),
            hint="check its permissions and its disk, or set AIE_STATE_DIR to a folder of yours",
            passing=True,
        ) from error
    return lock


def engine_at_work(state_dir: Path) -> bool:
    """Whether an engine holds this state folder right now, as far as this user may know."""
    path = state_dir / FILE_NAME
    try:
        if not path.exists():
            return False
        lock = FileLock(path, timeout=0)
        lock.acquire()
    except Timeout:
        return True
    except OSError:  # a folder or a lock of somebody else's
        return False
    lock.release()
    return False


def holder(state_dir: Path) -> str:
    """The process id of the engine that holds the state folder, as far as it left one."""
    with contextlib.suppress(OSError):
        return (state_dir / _HOLDER_FILE).read_text().strip()
    return ""
