"""What an engine that stays looks after: that its journal is whole, still there, and as long as the audit files say."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import apsw

from aie.builtin.audit_files import last_number
from aie.builtin.sinks import AUDIT_FOLDER
from aie.errors import JournalError
from aie.journal_file import identity, look, present, refuse_damage
from aie.seams import Clock

log = logging.getLogger("aie.journal")

READ_FIRST_BYTES = 50_000_000  # up to this size, a journal is read through before anything is built on it
LOOK_S = 1.0


async def read_through(path: Path, *, larger: bool) -> None:
    """Read the journal through, in a thread; :class:`JournalError` if it is damaged.

    Before the engine starts (``larger`` false) only one that is read in a moment, beside it only the larger ones.
    """
    if not present(path) or (path.stat().st_size > READ_FIRST_BYTES) is not larger:  # noqa: ASYNC240 - one stat
        return
    connection = look(path)

    def work() -> None:
        with contextlib.closing(connection):
            refuse_damage(path, connection)

    reading = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(reading)
    except asyncio.CancelledError:
        with contextlib.suppress(apsw.ConnectionClosedError):
            connection.interrupt()
        await asyncio.wait({reading})
        raise


def keep_in_place(path: Path, clock: Clock) -> Coroutine[Any, Any, None]:
    """Notice when the journal is deleted or replaced under the engine, which SQLite does not; ends by raising so.

    Which file it is about is looked up at once, while it can be.
    """
    return _keep_in_place(path, identity(path), clock)


async def _keep_in_place(path: Path, own: tuple[int, int] | None, clock: Clock) -> None:
    now = own
    trouble = ""
    while now == own:
        await clock.sleep(LOOK_S)
        try:
            now = identity(path)
        except JournalError as error:
            if not trouble:
                log.error(
                    "%s: %s; %s. Work goes on, but other commands cannot reach it", error.where, error, error.hint
                )
            trouble = error.message
        else:
            if trouble:
                log.warning("the journal can be looked at again")
            trouble = ""
    raise JournalError(
        f"the journal was {'replaced' if now else 'taken away'} while aie was at work, so aie stopped",
        where=str(path),
        hint="bring the state folder back and start aie again; what came in the last second may be missing from it",
        damaged=True,
    )


def warn_of_lost_records(vault: Path, audit_seq: int) -> None:
    """Say so when the audit files know of more than the journal: part of it was lost, or it is an older copy."""
    known = last_number(vault / AUDIT_FOLDER)
    if known > audit_seq:
        log.warning(
            "%s goes on to record %d, and the journal ends with %s: some of it was lost, or another journal was in use."
            " What it knew may be done a second time. Bring back the right journal (aie doctor says where it belongs),"
            " or move that folder away to go on without it",
            vault / AUDIT_FOLDER, known, f"record {audit_seq}" if audit_seq else "none",
        )  # fmt: skip
