"""Which audit records are wanted, and how they are written to a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import rich_click as click

from aie.cli.output import WrongUseError
from aie.durations import seconds_in
from aie.history import History
from aie.records import AuditRecord

F = TypeVar("F", bound=Callable[..., Any])
BATCH_SIZE = 1_000
CLOCK_STEP = timedelta(days=1)  # a clock may have been put right meanwhile
COLUMNS = (
    "seq", "timestamp", "session_id", "actor", "action", "target", "status", "approval_status", "run_id", "step_id",
    "duration_ms", "security_level", "error", "details", "prev", "hash",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what makes a spreadsheet compute a cell


@dataclass(frozen=True, slots=True)
class Filter:
    """What a record has to be; None: anything. Ids of runs may be given by their first or last characters."""

    since: datetime | None = None
    until: datetime | None = None
    run_id: str | None = None
    action: str | None = None
    actor: str | None = None

    def __bool__(self) -> bool:
        return self != Filter()

    def wants(self, record: AuditRecord) -> bool:
        fields = record.fields
        of_run = str(fields.get("run_id") or "")
        if self.since is not None or self.until is not None:
            at = datetime.fromisoformat(str(fields["timestamp"]))
            if (self.since is not None and at < self.since) or (self.until is not None and at > self.until):
                return False
        return (
            (self.action is None or fields.get("action") == self.action)
            and (self.actor is None or str(fields.get("actor")).casefold() == self.actor.casefold())
            and (
                self.run_id is None
                or (bool(of_run) and (of_run.startswith(self.run_id) or of_run.endswith(self.run_id)))
            )
        )

    def newest(self, history: History) -> Iterator[AuditRecord]:
        """Those that are wanted, newest first."""
        if self.run_id is not None:
            found = [record for record in self._at_the_time_of_the_run(history, self.run_id) if self.wants(record)]
            if found:
                yield from found
                return
        first, last = self._range(history)
        yield from filter(self.wants, backwards(history, first, last))

    def oldest(self, history: History) -> Iterator[AuditRecord]:
        """Those that are wanted, oldest first."""
        first, last = self._range(history)
        at = max(first, history.audit_start()[0]) - 1
        while at < last and (batch := history.audit(after=at, limit=min(BATCH_SIZE, last - at))):
            yield from filter(self.wants, batch)
            at = batch[-1].seq

    def _range(self, history: History) -> tuple[int, int]:
        """Between which numbers they are, going by their times."""
        head = history.audit_head()
        first = history.audit_at(self.since - CLOCK_STEP) if self.since else 0
        last = history.audit_at(self.until + CLOCK_STEP) if self.until else head[0] if head else 0
        return first, last

    def _at_the_time_of_the_run(self, history: History, run_id: str) -> Iterator[AuditRecord]:
        """The records of the time when the runs with this id were under way: they need not be looked for among all."""
        for row in history.find_runs(run_id):
            last = history.audit_at(row.changed_at + CLOCK_STEP) if row.status.ended else None
            yield from backwards(history, history.audit_at(row.created_at - CLOCK_STEP), last)


def backwards(history: History, first: int = 0, last: int | None = None) -> Iterator[AuditRecord]:
    """All records between two numbers, newest first, a batch at a time."""
    head = history.audit_head()
    first = max(first, history.audit_start()[0])
    end = head[0] if head and last is None else last or 0
    while end >= first:
        after = max(first - 1, end - BATCH_SIZE)
        yield from reversed(history.audit(after=after, limit=end - after))
        end = after


def filter_options(function: F) -> F:
    """The options that make a :class:`Filter`."""
    for option in reversed(
        [
            click.option(
                "--since", metavar="TIME", help="From then on: 2026-02-09, 2026-02-09T18:30, or 2h for 2 h ago."
            ),
            click.option("--until", metavar="TIME", help="Up to then; a day counts to its end."),
            click.option(
                "--run", "run_id", default=None, help="Only of this run; the first or last characters will do."
            ),
            click.option(
                "--action", default=None, help="Only of this kind, such as approval_decided or action_execution."
            ),
            click.option("--actor", "--person", default=None, help="Only what this person, or part of aie, did."),
        ]
    ):
        function = option(function)
    return function


def moment_of(text: str, now: datetime, zone: ZoneInfo, *, end: bool = False, where: str) -> datetime:
    """The time meant: an ISO time or day (in the vault's zone), or how long ago. ``end``: of a day, its end."""
    try:
        day = date.fromisoformat(text)
        return datetime.combine(day, time.max if end else time.min, zone).astimezone(UTC)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except ValueError:
        pass
    try:
        return now - timedelta(seconds=seconds_in(text))
    except (ValueError, OverflowError):
        hint = "write such as 2026-02-09, 2026-02-09T18:30, or 2h for two hours ago"
        raise WrongUseError(f"{text!r} is no time", where=where, hint=hint) from None


# --- as a file ----------------------------------------------------------------------------------------------------


def plain(record: AuditRecord) -> dict[str, Any]:
    """A record with its place in the chain."""
    return {**record.fields, "seq": record.seq, "prev": record.prev, "hash": record.hash}


def as_json(records: Iterable[AuditRecord]) -> Iterator[str]:
    """A JSON list, a record on a line, without line ends."""
    yield "["
    line = ""
    for record in records:
        if line:
            yield f"{line},"
        line = json.dumps(plain(record), ensure_ascii=False)
    if line:
        yield line
    yield "]"


def as_csv(records: Iterable[AuditRecord]) -> Iterator[str]:
    """Rows of CSV, without line ends, that no spreadsheet takes for formulas."""
    yield _row(COLUMNS)
    for record in records:
        fields = plain(record)
        yield _row([_cell(fields, column) for column in COLUMNS])


def _cell(fields: Mapping[str, Any], column: str) -> str:
    value = fields.get(column)
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)  # with its own line end, so that cells with one in them are quoted
    return line.getvalue().removesuffix("\r\n")
