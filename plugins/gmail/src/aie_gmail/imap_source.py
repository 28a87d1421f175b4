"""New mail by IMAP: the position in the folder is saved with the events, whatever happens in between.

The cursor is (UIDVALIDITY, UID). When that no longer holds (the folder was made anew, another transport was used), all
mail since two days before the last one is looked at again: what was told already has the same event id, and what was
there before the first start is older than ``since``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from aie.errors import RetryableError
from aie.events import Event
from aie.plain import Json
from aie.sources import SourceContext
from aie_gmail.addresses import addresses
from aie_gmail.arrivals import Arrived, Intake
from aie_gmail.contacts import MAX_WRITTEN_TO, WrittenTo
from aie_gmail.headers import Headers
from aie_gmail.imap import HEAD_BYTES, Imap, Item, Standing
from aie_gmail.mail import identity
from aie_gmail.settings import GmailSettings
from aie_gmail.threads import in_thread
from aie_gmail.trouble import imap_trouble

BATCH = 25
BATCH_BYTES = 8_000_000
IDLE_S = 540.0  # routers forget idle connections after ten minutes; RFC 2177 allows 29
LOOK_BACK = dt.timedelta(days=2)
LEARN_EVERY = dt.timedelta(hours=1)
CLOCKS_APART = dt.timedelta(minutes=10)  # how far the server's clock may be behind: what came just before may be told

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Position:
    """Where the source stands. ``seen_at`` is when the last mail came, ``since`` when the first start was."""

    uidvalidity: int
    uid: int
    seen_at: dt.datetime
    since: dt.datetime

    def cursor(self, folder: str) -> Json:
        return {
            "version": 1,
            "transport": "imap",
            "folder": folder,
            "uidvalidity": self.uidvalidity,
            "uid": self.uid,
            "seen_at": self.seen_at.isoformat(),
            "since": self.since.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class ImapWatch:
    """Watches one folder over one connection until that breaks."""

    settings: GmailSettings
    context: SourceContext
    intake: Intake

    async def run(self) -> None:
        """Until the connection breaks, which raises an AieError, or nobody waits any more."""
        password = self.context.credentials.require("password")
        try:
            imap = await in_thread(lambda: Imap.connect(self.settings, password))
        except Exception as error:
            raise imap_trouble(error, self.settings) from error
        self.intake.works()
        try:
            await _Session(self.settings, self.context, self.intake, imap).run()
        finally:
            imap.cut()


@dataclass(frozen=True, slots=True)
class _Session:
    """One connection."""

    settings: GmailSettings
    context: SourceContext
    intake: Intake
    imap: Imap

    async def run(self) -> None:
        await self._learn_contacts()
        learnt_at = self.context.clock.now()
        standing = await self._call(self._open)
        position = await self._start(standing)
        idles = self.settings.idle and self.imap.can_idle
        while True:
            position = await self._take(position, await self._call(partial(self.imap.after, position.uid)))
            await self.intake.room.close()
            if idles:
                await self._call(lambda: self.imap.wait(IDLE_S))
            else:
                await self.context.clock.sleep(self.settings.poll_interval_s)
                await self._call(self.imap.noop)
            if self.settings.contacts_from_sent and self.context.clock.now() - learnt_at > LEARN_EVERY:
                await self._learn_contacts()
                learnt_at = self.context.clock.now()
                if (await self._call(self._open)).uidvalidity != position.uidvalidity:
                    raise RetryableError("the mail folder was made anew", where=self.settings.folder)

    def _open(self) -> Standing:
        return self.imap.open(self.settings.folder, readonly=True)

    async def _learn_contacts(self) -> None:
        """Bring up to date who was ever written to."""
        if self.settings.contacts_from_sent:
            known = WrittenTo.load(self.context.cache_dir)
            learnt = await self._call(lambda: _written_to(self.imap, known))
            if learnt != known:
                learnt.save(self.context.cache_dir)

    async def _start(self, standing: Standing) -> Position:
        """The position to go on from: the saved one, or one that was found anew."""
        saved = self.context.cursor
        known = saved if isinstance(saved, dict) and saved.get("version") == 1 else None
        now = self.context.clock.now()
        if known is None:
            return await self._first(standing, now)
        seen_at, since = (dt.datetime.fromisoformat(str(known[key])) for key in ("seen_at", "since"))
        same = (known.get("folder"), known.get("uidvalidity")) == (self.settings.folder, standing.uidvalidity)
        if same:
            return Position(standing.uidvalidity, int(str(known["uid"])), seen_at, since)
        self.context.log.warning("the mail folder is not the one it was: looking again at what came in the last days")
        return await self._look_again(standing, seen_at, since)

    async def _first(self, standing: Standing, now: dt.datetime) -> Position:
        """What is there already is no news, but for the newest ``backfill`` mails."""
        old = await self._call(lambda: self.imap.search("ALL")) if self.settings.backfill else []
        wanted = old[-self.settings.backfill :] if self.settings.backfill else []
        items = await self._call(lambda: self.imap.items(wanted)) if wanted else []
        since = min([now - CLOCKS_APART, *(item.received_at for item in items)])
        position = Position(standing.uidvalidity, wanted[0] - 1 if wanted else standing.uidnext - 1, now, since)
        await self.context.emit([], cursor=position.cursor(self.settings.folder))
        return position

    async def _look_again(self, standing: Standing, seen_at: dt.datetime, since: dt.datetime) -> Position:
        day = (seen_at - LOOK_BACK).strftime("%d-%b-%Y")  # the C locale's month names, which aie keeps
        uids = [uid for uid in await self._call(lambda: self.imap.search("SINCE", day)) if uid < standing.uidnext]
        position = Position(standing.uidvalidity, standing.uidnext - 1, seen_at, since)
        return await self._take(position, uids, saving=False)

    async def _take(self, position: Position, uids: Sequence[int], *, saving: bool = True) -> Position:
        """Tell of these mails, a batch at a time; gives the position after them.

        ``saving=False`` saves it with the last batch only: until then the old cursor leads here again.
        """
        items = await self._call(lambda: self.imap.items(uids)) if uids else []
        items = [item for item in items if item.received_at >= position.since or saving]
        batches = list(_batches(items))
        for number, batch in enumerate(batches):
            events = [event for item in batch if (event := await self._event(item, position.uidvalidity))]
            position = Position(
                position.uidvalidity,
                max(position.uid, batch[-1].uid),
                max(position.seen_at, *(item.received_at for item in batch)),
                position.since,
            )
            last = saving or number == len(batches) - 1
            await self.context.emit(events, cursor=position.cursor(self.settings.folder) if last else None)
        if not saving and not batches:
            await self.context.emit([], cursor=position.cursor(self.settings.folder))
        return position

    async def _event(self, item: Item, uidvalidity: int) -> Event | None:
        """The event of a mail; None if it is gone, or belongs to an approval by mail."""
        whole = item.size_bytes <= self.settings.max_message_bytes
        raw = await self._call(lambda: self.imap.raw(item.uid, None if whole else HEAD_BYTES))
        if raw is None:
            return None
        told: dict[str, Any] = {
            "folder": self.settings.folder,
            "uid": item.uid,
            "uidvalidity": uidvalidity,
            "provider_id": item.provider_id,
            "thread_id": item.thread_id,
            "labels": list(item.labels or item.flags),
            "size_bytes": item.size_bytes,
            "truncated": not whole,
        }
        name = f"gm-{item.provider_id}" if item.provider_id else identity(raw)
        return await self.intake.event(Arrived(raw, name, item.received_at, told))

    async def _call(self, function: Callable[[], Result]) -> Result:
        try:
            return await in_thread(function, self.imap.cut)
        except Exception as error:
            raise imap_trouble(error, self.settings) from error


def _written_to(imap: Imap, known: WrittenTo) -> WrittenTo:
    """Who the mails in the Sent folder went to; those that were looked at before are not looked at again."""
    folder = imap.special("\\Sent")
    if folder is None:
        return known
    standing = imap.open(folder, readonly=True)
    validity, _, last = known.position.partition("/")
    seen = int(last) if validity == str(standing.uidvalidity) else 0
    uids = imap.after(seen)[-MAX_WRITTEN_TO:]
    if not uids:
        return known
    fields = [Headers.parse(block) for block in imap.headers(uids, ("TO", "CC", "BCC"))]
    found = [one.address for each in fields for name in ("to", "cc", "bcc") for one in addresses(each.source(name))]
    return known.with_more(found, f"{standing.uidvalidity}/{uids[-1]}")


def _batches(items: Sequence[Item]) -> list[list[Item]]:
    batches: list[list[Item]] = []
    size = 0
    for item in items:
        if not batches or len(batches[-1]) == BATCH or size + item.size_bytes > BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(item)
        size += item.size_bytes
    return batches
