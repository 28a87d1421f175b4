"""What a look at the server's records tells: which are new, which changed their state. Pure: no clock, no network.

Odoo stamps a record with the time its transaction *began*, to the second on the wire. A long transaction appears late,
with an old stamp and perhaps a lower id than records known already; so each look goes back some minutes again, and
what is known is kept: the state of every record that may still change, and of all in the time that is looked at again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aie.plain import Json

ENDED = "ended"  # what a record was before that is old and unknown: it had come to its end, or it would be known
NEW = "new"  # what a record was before that is new


@dataclass(frozen=True, slots=True)
class Record:
    """One record as a look found it. Times are the server's: ``YYYY-MM-DD HH:MM:SS``, UTC, which sort as text."""

    id: int
    created: str
    written: str
    state: str


@dataclass(frozen=True, slots=True)
class Change:
    """A record whose state is another than ``before``."""

    record: Record
    before: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """What is known of one model of one server. ``since`` is the newest stamp seen; '' while there was no record."""

    server: str
    since: str = ""
    known: Mapping[int, str] = field(default_factory=dict)

    def floor(self, overlap_s: float) -> str:
        """The stamp from which a look reads; '' for everything."""
        if not self.since:
            return ""
        moment = dt.datetime.fromisoformat(self.since) - dt.timedelta(seconds=overlap_s)
        return moment.isoformat(sep=" ", timespec="seconds")

    def saved(self) -> Json:
        """The cursor as data, ids by state."""
        by_state: dict[str, Json] = {}
        for state in sorted(set(self.known.values())):
            by_state[state] = [*sorted(record_id for record_id, now in self.known.items() if now == state)]
        return {"server": self.server, "since": self.since, "known": by_state}


def from_saved(data: Json) -> Cursor | None:
    """The cursor that was saved; None on the first start, or when it is not one of these."""
    if not isinstance(data, dict) or not isinstance(data.get("known"), dict):
        return None
    by_state: Mapping[str, list[int]] = data["known"]  # type: ignore[assignment]
    known = {record_id: state for state, ids in by_state.items() for record_id in ids}
    return Cursor(str(data["server"]), str(data["since"]), known)


def changes(cursor: Cursor, records: Iterable[Record], floor: str) -> list[Change]:
    """The records that are new or changed their state, in the order of their ids."""
    found = []
    for record in sorted(records, key=lambda one: one.id):
        before = cursor.known.get(record.id) or (NEW if record.created >= floor else ENDED)
        if before != record.state:
            found.append(Change(record, before))
    return found


def noted(cursor: Cursor, records: Sequence[Record]) -> Cursor:
    """The cursor that knows these records too. ``since`` stays: a look is over only when it read everything."""
    return replace(cursor, known={**cursor.known, **{record.id: record.state for record in records}})


def closed(cursor: Cursor, seen: Mapping[int, Record], ended: Collection[str], overlap_s: float) -> Cursor:
    """The cursor after a whole look: on to the newest stamp, and without those that have ended and are out of sight."""
    newest = replace(cursor, since=max([cursor.since, *(record.written for record in seen.values())]))
    floor = newest.floor(overlap_s)
    known = {
        record_id: state
        for record_id, state in newest.known.items()
        if state not in ended or (record_id in seen and seen[record_id].written >= floor)
    }
    return replace(newest, known=known)
