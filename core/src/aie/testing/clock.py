"""A clock for tests: it goes on while somebody sleeps, or by hand, and never by itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

MONDAY = datetime(2026, 2, 9, 17, 30, tzinfo=UTC)


class FakeClock:
    """Implements :class:`~aie.seams.Clock`. A sleep ends at once, and the clock then stands at its end.

    A clock that is ``by_hand`` moves only by :meth:`move`, from whichever thread; who sleeps wakes when the time has
    come.
    """

    def __init__(self, now: datetime = MONDAY, *, by_hand: bool = False) -> None:
        if now.tzinfo is None:
            raise ValueError(f"a clock needs a time with a zone, found {now!r}")
        self._now = now.astimezone(UTC)
        self._by_hand = by_hand
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        due = self._now + timedelta(seconds=max(0.0, seconds))
        if not self._by_hand or due <= self._now:
            self.move_to(due)
            await asyncio.sleep(0)
            return
        sleeper = (due, asyncio.get_running_loop().create_future())
        self._sleepers.append(sleeper)
        try:
            await sleeper[1]
        finally:
            self._sleepers = [one for one in self._sleepers if one is not sleeper]

    def move(self, **by: float) -> None:
        """Move on by hand, by what ``timedelta`` takes: ``clock.move(hours=2)``."""
        self.move_to(self._now + timedelta(**by))

    def move_to(self, moment: datetime) -> None:
        """Move on to a moment; where it has passed, the clock stays as it is."""
        self._now = max(self._now, moment.astimezone(UTC))
        for due, future in self._sleepers:
            if due <= self._now:
                future.get_loop().call_soon_threadsafe(_wake, future)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
