"""The small interface behind which the four kinds of calendars are: objects of iCalendar data, by address and version.

A store knows nothing of dates or repetitions, apart from asking its service for what lies in a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from aie.errors import ActionError


@dataclass(frozen=True, slots=True)
class Stored:
    """One object as the calendar keeps it: one UID, or for a feed everything."""

    href: str  # its address within the calendar
    etag: str  # changes whenever the object does
    data: bytes  # iCalendar


@dataclass(frozen=True, slots=True)
class Pulled:
    """What is new in a calendar, compared with what was known."""

    changed: Mapping[str, Stored] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    problems: Mapping[str, str] = field(default_factory=dict)  # by href, as sentences


@dataclass(frozen=True, slots=True)
class Draft:
    """An object to be made."""

    uid: str
    data: bytes
    title: str
    day: str  # YYYY-MM-DD, for people who look at file names


class ChangedMeanwhileError(ActionError):
    """The object is not the one that was read any more: somebody else changed it."""


class Store(Protocol):
    """One calendar.

    All methods raise :class:`~aie.errors.RetryableError` when the service does not answer,
    :class:`~aie.errors.ConfigError` when it refuses this user, and :class:`~aie.errors.ActionError` otherwise.
    """

    async def pull(self, known: Mapping[str, str]) -> Pulled:
        """What differs from ``known`` (href → etag); the store may remember how far it looked last time."""
        ...

    async def window(self, start: datetime, end: datetime) -> list[Stored]:
        """At least the objects that have something between two times (aware)."""
        ...

    async def find(self, uid: str, original: str = "") -> Stored | None:
        """The object with this UID, as it is now; ``original`` names the occurrence that is of interest."""
        ...

    async def create(self, draft: Draft) -> tuple[Stored, bool]:
        """Make the object, once: False and what is there when its UID is taken."""
        ...

    async def replace(self, stored: Stored, data: bytes) -> Stored:
        """Put other content into the object; :class:`ChangedMeanwhileError` if it is not as in ``stored``."""
        ...

    async def remove(self, stored: Stored) -> bool:
        """Take it away; False if it was gone. :class:`ChangedMeanwhileError` as above."""
        ...

    async def aclose(self) -> None: ...
