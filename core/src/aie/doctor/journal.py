"""What has happened: the journal, and what in it has not come to an end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta

from aie import schema
from aie.config import Config
from aie.connections import Level
from aie.doctor.check import Check, with_place
from aie.engine_lock import engine_at_work
from aie.errors import JournalError
from aie.history import History
from aie.journal import FILE_NAME as JOURNAL_NAME
from aie.journal_file import log_bytes, look, present, refuse_damage
from aie.library import Shelf
from aie.notices import WATCH, silences
from aie.past import Past
from aie.run import RunStatus

LARGE_LOG_BYTES = 64_000_000
CLOCK_SLACK = timedelta(minutes=1)


def journal_checks(config: Config, shelf: Shelf, now: datetime) -> Iterator[Check]:
    path = config.state_dir / JOURNAL_NAME
    try:
        if not present(path):
            yield Check("journal", Level.OK, "none yet: nothing has happened")
            return
        with contextlib.closing(look(path)) as connection:
            refuse_damage(path, connection)
            size, history = path.stat().st_size / 1e6, Past(connection)
            oldest = next((f", back to {event.received_at[:10]}" for event in history.oldest()), "")
            yield Check("journal", Level.OK, f"sound, version {schema.VERSION}, {size:,.1f} MB{oldest}")
            if log_bytes(path) > LARGE_LOG_BYTES:
                message = f"its write-ahead log has {log_bytes(path) / 1e6:,.0f} MB: another program reads it for long"
                yield Check("journal", Level.WARN, message, "close what else has the journal open, a backup say")
            yield from _clock(history, now)
            yield from _open_ends(history, engine_at_work(config.state_dir))
            for notice in silences(history, history.cursor(WATCH), shelf, config.timezone):
                yield Check("expected", Level.WARN, notice.title, notice.commands[0][1])
    except JournalError as error:
        yield Check("journal", Level.FAIL, with_place(error), error.hint)


def _clock(history: History, now: datetime) -> Iterator[Check]:
    """Whether the clock of this computer stands before what has happened."""
    head = history.audit_head()
    newest = history.audit(after=head[0] - 1, limit=1) if head else []
    ahead = datetime.fromisoformat(str(newest[0].fields["timestamp"])) - now if newest else timedelta()
    if ahead > CLOCK_SLACK:
        message = f"it says {now:%Y-%m-%d %H:%M} UTC, {ahead.total_seconds() / 3600:,.1f} h before the newest record"
        yield Check("clock", Level.FAIL, message, "set the computer's clock right: schedules and waits go by it")


def _open_ends(history: History, engine: bool) -> Iterator[Check]:
    if why := history.paused():
        yield Check("pause", Level.WARN, f"nothing reaches outside: {why}", "aie resume lets it go on")
    counts = history.open_counts()
    for status, what in (
        (RunStatus.UNCERTAIN, "may have done something or not, and wait for your word"),
        (RunStatus.BLOCKED, "wait for a plugin"),
        (RunStatus.HELD, "are held because they were too many"),
    ):
        if count := counts.get(status):
            yield Check("runs", Level.WARN, f"{count} {what}", f"aie runs list --status {status}")
    if not engine and (count := counts.get(RunStatus.RUNNING)):
        yield Check("runs", Level.WARN, f"{count} were interrupted", "aie start goes on with them")
    pending = history.pending_count()
    yield Check(
        "approvals",
        Level.OK,
        f"{pending} wait for your decision" if pending else "none wait for you",
        "aie approvals list" if pending else "",
    )
