"""The old end of the journal: what retention may take away, and how large all of it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from aie.history import History


class OldEvent(NamedTuple):
    """An event without its payload."""

    seq: int
    source: str
    event_id: str
    received_at: str
    size_bytes: int


class OldRun(NamedTuple):
    """A run without its steps."""

    seq: int
    status: str
    changed_at: str


@dataclass(frozen=True, slots=True)
class Space:
    """The pages of the journal's file."""

    page_bytes: int
    pages: int
    free: int
    can_shrink: bool

    @property
    def used_bytes(self) -> int:
        return (self.pages - self.free) * self.page_bytes


class Past(History):
    """Questions that begin at the oldest. Times are text, as the journal writes them."""

    def oldest(self, *, after: int = 0, limit: int = 1) -> list[OldEvent]:
        """The first events after number ``after``."""
        sql = (
            "SELECT seq, source, event_id, received_at, octet_length(data) FROM event"
            " WHERE seq > ? ORDER BY seq LIMIT ?"
        )
        return self._list(lambda row: OldEvent(*row), sql, after, limit)

    def runs_from(self, event_seq: int) -> list[OldRun]:
        """The runs that an event started, in no order."""
        sql = "SELECT seq, status, changed_at FROM run WHERE event_seq=?"
        return self._list(lambda row: OldRun(*row), sql, event_seq)

    def newest_event(self) -> int:
        return self._one(lambda row: int(row[0]), "SELECT coalesce(max(seq), 0) FROM event")

    def newest_run(self) -> int:
        return self._one(lambda row: int(row[0]), "SELECT coalesce(max(seq), 0) FROM run")

    def event_of_run(self, run_seq: int) -> int:
        """The number of the event of this run or of the last one before it; 0 if there is none."""
        sql = "SELECT event_seq FROM run WHERE seq <= ? ORDER BY seq DESC LIMIT 1"
        return self._first(lambda row: int(row[0]), sql, run_seq) or 0

    def step_sizes(self, run_seq: int) -> list[tuple[int, int]]:
        """(position, bytes) of each step of a run."""
        sql = (
            "SELECT position, coalesce(octet_length(params), 0) + coalesce(octet_length(result), 0)"
            " FROM step WHERE run_seq=? ORDER BY position"
        )
        return self._list(lambda row: (int(row[0]), int(row[1])), sql, run_seq)

    def audit_sizes(self, *, limit: int) -> list[tuple[int, int]]:
        """(number, bytes) of the first audit records."""
        sql = "SELECT seq, octet_length(text) FROM audit ORDER BY seq LIMIT ?"
        return self._list(lambda row: (int(row[0]), int(row[1])), sql, limit)

    def last_mark(self, *, event: int, before: str) -> int:
        """The last audit record of a time when this event was not there yet, or that is older than a time."""
        sql = "SELECT coalesce(max(audit_seq), 0) FROM mark WHERE event_seq < ? OR at < ?"
        return self._one(lambda row: int(row[0]), sql, event, before)

    def audit_hash(self, seq: int) -> str:
        return self._one(lambda row: str(row[0]), "SELECT hash FROM audit WHERE seq=?", seq)

    def answered(self, *, before: str, limit: int) -> list[tuple[int, int]]:
        """(number, bytes) of the first requests that have their answer and were made before a time."""
        sql = (
            "SELECT id, octet_length(request) + octet_length(answer), at FROM intake"
            " WHERE answer IS NOT NULL ORDER BY id LIMIT ?"
        )
        found = self._list(lambda row: (int(row[0]), int(row[1]), str(row[2])), sql, limit)
        return [(number, size_bytes) for number, size_bytes, at in found if at < before]

    def unused_definitions(self) -> list[str]:
        """The hashes of those that no run that is kept refers to."""
        sql = "SELECT d.hash FROM tally t CROSS JOIN definition d ON d.hash = t.hash WHERE t.kept = 0"
        return self._list(lambda row: str(row[0]), sql)

    def runs_kept(self) -> int:
        return self._one(lambda row: int(row[0]), "SELECT coalesce(sum(kept), 0) FROM tally")

    def space(self) -> Space:
        sql = (
            "SELECT page_size, page_count, freelist_count, auto_vacuum"
            " FROM pragma_page_size, pragma_page_count, pragma_freelist_count, pragma_auto_vacuum"
        )
        return self._one(lambda row: Space(row[0], row[1], row[2], bool(row[3])), sql)
