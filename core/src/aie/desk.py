"""The desk: what approval channels work at, and the loop that lets them."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aie.approvals import Approval, ApprovalChannel, Decision, Notice
from aie.credentials import Credentials
from aie.engine import Engine
from aie.errors import JournalError
from aie.journal import Batch
from aie.notices import open_notices, timely_notices
from aie.plain import Json
from aie.plugins.plugin import Offer


class Desk:
    """One channel's way to the approvals; implements :class:`~aie.approvals.ApprovalDesk`."""

    def __init__(self, engine: Engine, offer: Offer[ApprovalChannel]) -> None:
        self._engine = engine
        self._channel = f"{offer.plugin}.{offer.item.name}" if "." not in offer.item.name else offer.item.name
        self.settings: Any = offer.settings
        self.vault: Path = engine.config.vault
        self.timezone: ZoneInfo = engine.config.timezone
        self.credentials: Credentials = engine.credentials.of(offer.plugin)
        self.log = logging.getLogger(f"aie.plugin.{offer.plugin}")
        self.cache_dir: Path = engine.config.cache_dir(offer.plugin)

    @property
    def now(self) -> datetime:
        return self._engine.clock.now()

    @property
    def revision(self) -> int:
        return self._engine.approvals_revision

    def pending(self) -> Sequence[Approval]:
        return self._engine.history.approvals(pending=True)

    def get(self, approval_id: str) -> Approval | None:
        return self._engine.history.approval(approval_id)

    def notices(self) -> Sequence[Notice]:
        engine = self._engine
        timely = timely_notices(engine.history, engine.credentials, engine.library.shelf, self.now, self.timezone)
        return [*open_notices(engine.history), *timely]

    async def decide(
        self,
        approval_id: str,
        *,
        approved: bool,
        by: str,
        evidence: str,
        comment: str = "",
        edits: Mapping[str, Json] | None = None,
    ) -> Decision:
        return await self._engine.decide(
            approval_id,
            approved=approved,
            by=by,
            channel=self._channel,
            evidence=evidence,
            comment=comment,
            edits=edits,
        )

    async def refuse(self, approval_id: str, *, reason: str) -> None:
        batch = Batch()
        batch.audit.append(
            self._engine.trail.record(
                "approval_answer_refused",
                approval_id or "unknown",
                "refused",
                self.now,
                actor=self._channel,
                error=reason,
                security_level="high",
            )
        )
        await self._engine.commit(batch)


class Channels:
    """Keeps every channel in step with the approvals."""

    def __init__(self, engine: Engine, offers: Sequence[Offer[ApprovalChannel]]) -> None:
        self._engine = engine
        self._channels = [(offer.item, Desk(engine, offer)) for offer in offers]
        self._failing: dict[str, str] = {}
        self._at_it: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # by channel

    def loops(self) -> list[Any]:
        """One coroutine per channel that keeps it in step until cancelled."""
        return [self._keep(channel, desk) for channel, desk in self._channels]

    async def sync(self) -> None:
        """Once, all of them."""
        for channel, desk in self._channels:
            await self._sync(channel, desk)

    async def _keep(self, channel: ApprovalChannel, desk: Desk) -> None:
        while True:
            await self._sync(channel, desk)
            await self._engine.clock.sleep(channel.interval_s)

    async def _sync(self, channel: ApprovalChannel, desk: Desk) -> None:
        try:
            async with self._at_it[channel.name]:  # two at once would each write what the other writes
                await channel.sync(desk)
            self._failing.pop(channel.name, None)
        except Exception as error:  # plugin code may raise anything; the approvals stay as they are
            if isinstance(error, JournalError) and error.damaged:
                raise
            if self._failing.get(channel.name) != str(error):
                desk.log.error("the approval channel %s failed and is tried again: %s", channel.name, error)
            self._failing[channel.name] = str(error)
