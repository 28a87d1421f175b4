"""The lookout: looks every minute whether time has made news, and lets the channels show it."""

from __future__ import annotations

import logging
from datetime import datetime

from aie.engine import Engine
from aie.errors import JournalError
from aie.journal import Batch
from aie.notices import WATCH, timely_notices, watched

log = logging.getLogger("aie.lookout")

LOOK_S = 60.0


class Lookout:
    """Keeps the watch of :mod:`aie.notices` while aie serves; a command of a moment only reads it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._began = engine.clock.now()
        self._off_since = self._last_record()
        self._known: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Look until cancelled; :class:`JournalError` when the journal is past working with."""
        while True:
            try:
                await self.look()
            except Exception as error:  # what plugins say of their connections is among it: nothing stops for that
                if isinstance(error, JournalError) and error.damaged:
                    raise
                log.warning("what time makes news of could not be looked at: %s: %s", type(error).__name__, error)
            await self._engine.clock.sleep(LOOK_S)

    async def look(self) -> None:
        """Once: keep what is watched up to date, and tell the channels when there is other news than before."""
        engine, now = self._engine, self._engine.clock.now()
        before, shelf = engine.history.cursor(WATCH), engine.library.shelf
        after = watched(before, engine.history, engine.credentials, shelf, now, self._began)
        if self._off_since is not None:
            after["off"] = {"from": self._off_since.isoformat(), "to": self._began.isoformat()}
        if after != before:
            batch = Batch()
            batch.put_cursor(WATCH, after)
            await engine.journal.commit(batch)  # not engine.commit: a cursor is no news to sinks
        notices = timely_notices(engine.history, engine.credentials, shelf, now, engine.config.timezone)
        known = frozenset(notice.notice_id for notice in notices)
        if known != self._known:
            self._known = known
            engine.approvals_revision += 1

    def _last_record(self) -> datetime | None:
        """When aie was last on, before this time."""
        newest = self._engine.history.audit(after=self._engine.journal.audit_seq - 1, limit=1)
        return datetime.fromisoformat(str(newest[0].fields["timestamp"])) if newest else None
