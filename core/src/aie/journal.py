"""The journal: one SQLite file, one writer, many transactions to a commit.

Whatever is ready in one turn of the event loop is inserted together on the loop's thread; only COMMIT, which waits for
the disk, goes to a helper thread, and what arrives meanwhile forms the next group. A lone transaction is committed
where it stands, because handing it over costs as much as the disk does; and at once, without a turn of the loop, if
whoever wants it knows that there is nobody to wait for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import apsw
from msgspec import Struct

from aie import schema
from aie.audit import GENESIS, seal
from aie.errors import JournalError
from aie.plain import Json, dumps
from aie.records import AuditRecord
from aie.run import RunStatus, StepRecord

log = logging.getLogger("aie.journal")

FILE_NAME = "journal.db"
WAL_SAFE_FROM = (3, 51, 3)  # older ones can corrupt a write-ahead log that several connections write
BUSY_TIMEOUT_MS = 5_000
TURN_AFTER_S = 0.005  # others on the loop wait no longer than this, and a commit, for one that commits at once
WRITER_WAITS_MS = 20  # on the loop's thread; the journal then tries again without holding the loop up
TRY_AGAIN_S = 0.1
REST_S = 0.001
FULL_BELOW_BYTES = 100_000
MARK_EVERY = 1_000  # audit records
WAL_SHRINKS_TO_BYTES = 16_000_000  # once a reader that kept it growing is gone; without one it stays far below


@lru_cache(maxsize=64)  # one moment is written into several rows
def stamp(moment: datetime) -> str:
    """A UTC time as the journal stores it: fixed width, so text order is time order."""
    return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat(timespec="microseconds")


def unstamp(text: str) -> datetime:
    return datetime.fromisoformat(text)


def opt(value: object) -> str | None:
    return None if value is None else dumps(value)  # type: ignore[arg-type]


class Batch(Struct, eq=False):
    """What one transaction writes: all of it or nothing."""

    rows: list[tuple[str, tuple[Any, ...]]] = []
    audit: list[dict[str, Json]] = []
    then: list[Callable[[], object]] = []  # called once it is durable
    otherwise: list[Callable[[], object]] = []  # called by whoever gives it up
    at_once: bool = False  # nobody is there who could share the commit

    def join(self, other: Batch) -> None:
        self.rows += other.rows
        self.audit += other.audit
        self.then += other.then
        self.otherwise += other.otherwise

    def __bool__(self) -> bool:
        return bool(self.rows or self.audit)

    def give_up(self) -> None:
        for call in self.otherwise:
            call()

    def add(self, statement: str, *values: Any) -> None:
        self.rows.append((statement, values))

    def put_step(self, run_seq: int, record: StepRecord) -> None:
        self.add(
            schema.PUT_STEP, run_seq, record.index, str(record.status), stamp(record.at), record.attempt,
            opt(record.params), opt(record.result), opt(record.error),
            stamp(record.wake_at) if record.wake_at else None, record.approval_id, opt(record.approval),
        )  # fmt: skip

    def set_run(
        self, run_seq: int, status: RunStatus, at: datetime, wake_at: datetime | None, error: Mapping[str, str] | None
    ) -> None:
        wake = stamp(wake_at) if wake_at else None
        self.add(schema.SET_RUN, str(status), stamp(at), wake, opt(error), run_seq)

    def put_cursor(self, name: str, value: Json) -> None:
        self.add(schema.PUT_CURSOR, name, dumps(value))


def connect(path: Path, *, read_only: bool = False) -> apsw.Connection:
    """A connection with aie's settings; :class:`JournalError` says what is wrong with the file and what to do."""
    flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    try:
        connection = apsw.Connection(str(path), flags=flags)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        if not read_only:
            wal = _version() >= WAL_SAFE_FROM
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # of a new file; retention gives space back
            connection.execute(f"PRAGMA journal_mode={'WAL' if wal else 'DELETE'}").fetchall()
            connection.execute(f"PRAGMA synchronous={'FULL' if wal else 'EXTRA'}")
            connection.execute(f"PRAGMA journal_size_limit={WAL_SHRINKS_TO_BYTES}").fetchall()
            if connection.readonly("main"):  # which SQLite makes of a file that it may not write, without a word
                raise apsw.ReadOnlyError("the file or its disk is read-only")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except apsw.Error as error:
        raise translate(error, path) from error
    return connection


def _version() -> tuple[int, ...]:
    return tuple(int(part) for part in apsw.sqlite_lib_version().split("."))


def translate(error: Exception, path: Path) -> JournalError:
    """What an error of SQLite, or of what was to be written, means to an operator."""
    where = str(path)
    # SQLite also says "cannot open" or "I/O error" where a file beside the journal cannot grow.
    if isinstance(error, apsw.FullError) or (isinstance(error, apsw.IOError | apsw.CantOpenError) and _full(path)):
        return JournalError(
            "the disk is full; nothing was recorded", where=where, hint="free some space, then try again", passing=True
        )
    match error:
        case apsw.ReadOnlyError() | apsw.CantOpenError() | apsw.PermissionsError():
            return JournalError(
                "the journal cannot be opened or written",
                where=where,
                hint="check the permissions of the state folder and its files, and whether its disk is read-only",
                passing=True,
            )
        case apsw.NotADBError() | apsw.CorruptError() | UnicodeDecodeError():
            return JournalError(
                f"the journal is damaged ({error}); it was left as it is",
                where=where,
                hint="copy the state folder somewhere safe, then restore a backup, or start afresh with another"
                " AIE_STATE_DIR",
                damaged=True,
            )
        case apsw.BusyError() | apsw.LockedError():
            return JournalError(
                "another program holds the journal", where=where, hint="close it and try again", passing=True
            )
        case apsw.IOError():
            return JournalError(
                f"the disk failed: {error}", where=where, hint="check the disk; nothing was recorded", passing=True
            )
    return JournalError(f"the journal failed: {error}", where=where, hint="check the disk; nothing was recorded")


_Waiting = tuple[Batch, "asyncio.Future[None]"]


def _full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < FULL_BELOW_BYTES
    except OSError:
        return False


class Journal:
    """The one writer. Made by :meth:`open` inside a running event loop; close it with :meth:`close`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        _prepare_folder(path.parent)
        _make_if_absent(path)
        self.writer = connect(path)
        try:
            self._refuse_other_versions()
            self.reader = connect(path)
            self.event_seq = self._last("event")
            self.run_seq = self._last("run")
            self.audit_seq = self._last("audit")
            rows = self.reader.execute("SELECT hash FROM audit WHERE seq=?", (self.audit_seq,)).fetchall()
        except (apsw.Error, UnicodeDecodeError) as error:
            self.writer.close()
            raise translate(error, path) from error
        self.audit_head: str = str(rows[0][0]) if rows else GENESIS
        self.writer.set_busy_timeout(WRITER_WAITS_MS)
        self.on_audit: Callable[[Sequence[AuditRecord]], None] | None = None  # is told of records once they are durable
        self.commits = 0
        self._waiting: list[_Waiting] = []
        self._flushing = False
        self._turned_s = 0.0  # on the loop's clock: when the loop last turned for a commit
        self._busy_since_s: float | None = None  # on the loop's clock: another program holds the file
        self._sealed: list[AuditRecord] = []  # of the transaction that is open
        self._thread = ThreadPoolExecutor(1, "aie-commit")

    def _refuse_other_versions(self) -> None:
        try:
            rows = self.writer.execute("SELECT value FROM meta WHERE key='version'").fetchall()
        except apsw.SQLError:
            rows = []
        if not rows or int(str(rows[0][0])) != schema.VERSION:
            found = f"version {rows[0][0]}" if rows else "something else"
            raise JournalError(
                f"this is not a journal of version {schema.VERSION}: found {found}",
                where=str(self.path),
                hint="use the aie that wrote it, or another AIE_STATE_DIR",
            )

    def _last(self, table: str) -> int:
        rows = self.reader.execute(f"SELECT coalesce(max(seq), 0) FROM {table}").fetchall()  # noqa: S608
        return int(str(rows[0][0]))

    def next_event(self) -> int:
        self.event_seq += 1
        return self.event_seq

    def next_run(self) -> int:
        self.run_seq += 1
        return self.run_seq

    async def commit(self, batch: Batch) -> None:
        """Make the batch durable; :class:`JournalError` if it could not be, and then nothing of it is there."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((batch, done))
        if not self._flushing:
            self._flushing = True
            if batch.at_once and loop.time() - self._turned_s < TURN_AFTER_S:
                self._flush()
            else:
                loop.call_soon(self._turn)
        await done

    def _turn(self) -> None:
        self._turned_s = asyncio.get_running_loop().time()
        self._flush()

    def _flush(self) -> None:
        group, self._waiting = self._waiting, []
        if not group:
            self._flushing = False
            return
        before = self.audit_seq, self.audit_head
        try:
            self._insert([batch for batch, _ in group])
        except Exception as error:  # what cannot be written fails whoever wanted it written, and nobody else
            if isinstance(error, apsw.BusyError) and self._may_wait():
                self._waiting = [*group, *self._waiting]
            else:
                self._undo(group, before, error)
            return
        self._busy_since_s = None
        if len(group) == 1:
            self._finish(group, before, self._commit_error())
            return
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._commit_error)
        future.add_done_callback(lambda done: self._finish(group, before, done.result()))

    def _may_wait(self) -> bool:
        """Whether to try again soon, because another program has not held the file for long."""
        loop = asyncio.get_running_loop()
        if self._busy_since_s is None:
            self._busy_since_s = loop.time()
        if loop.time() - self._busy_since_s >= BUSY_TIMEOUT_MS / 1000:
            self._busy_since_s = None
            return False
        loop.call_later(TRY_AGAIN_S, self._flush)
        return True

    def _insert(self, batches: Sequence[Batch]) -> None:
        """Write the rows of a group into a transaction, and leave it open."""
        rows: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
        seq, head = self.audit_seq, self.audit_head
        self._sealed = sealed = []
        for batch in batches:
            for statement, values in batch.rows:
                rows[statement].append(values)
            for fields in batch.audit:
                record = seal(fields, seq + 1, head)
                seq, head = record.seq, record.hash
                sealed.append(record)
        self.writer.execute("BEGIN IMMEDIATE")
        for statement in schema.WRITING_ORDER:
            if statement in rows:
                self.writer.executemany(statement, rows[statement]).fetchall()  # a pragma goes on while it is read
        if sealed:
            self.writer.executemany(schema.ADD_AUDIT, [(one.seq, one.text, one.prev, one.hash) for one in sealed])
            if seq // MARK_EVERY > self.audit_seq // MARK_EVERY:
                self.writer.execute(schema.ADD_MARK, (self.audit_seq, self.event_seq, sealed[-1].fields["timestamp"]))
        self.audit_seq, self.audit_head = seq, head

    def _commit_error(self) -> apsw.Error | None:
        """Make the open transaction durable; why it could not be."""
        try:
            self.writer.execute("COMMIT")
        except apsw.Error as error:
            return error
        self.commits += 1
        return None

    def _finish(self, group: Sequence[_Waiting], before: tuple[int, str], error: apsw.Error | None) -> None:
        if error is not None:
            self._undo(group, before, error)
            return
        self._announce([batch for batch, _ in group])
        for _, done in group:
            if not done.done():
                done.set_result(None)
        self._go_on()

    def _announce(self, batches: Sequence[Batch]) -> None:
        """Say that these are durable; also to whoever does not wait for it any more."""
        if self.on_audit is not None and self._sealed:
            self.on_audit(self._sealed)
        for batch in batches:
            for call in batch.then:
                call()

    def _undo(self, group: Sequence[_Waiting], before: tuple[int, str], error: Exception) -> None:
        """A group failed as a whole: try its transactions one by one, so that one bad apple spoils no other."""
        self._roll_back(before)
        alone = len(group) == 1 or isinstance(error, apsw.FullError | apsw.IOError | apsw.ReadOnlyError)
        for batch, done in group:
            failure = error if alone else self._write_alone(batch)
            if done.done():
                continue
            if failure is None:
                done.set_result(None)
            else:
                done.set_exception(translate(failure, self.path))
        self._go_on()

    def _write_alone(self, batch: Batch) -> Exception | None:
        before = self.audit_seq, self.audit_head
        failure: Exception | None
        try:
            self._insert([batch])
            failure = self._commit_error()
        except Exception as error:  # as in _flush
            failure = error
        if failure is None:
            self._announce([batch])
        else:
            self._roll_back(before)
        return failure

    def _roll_back(self, before: tuple[int, str]) -> None:
        if self.writer.in_transaction:
            self.writer.execute("ROLLBACK")
        self.audit_seq, self.audit_head = before

    def _go_on(self) -> None:
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        else:
            self._flushing = False

    async def rest(self) -> None:
        """Wait until what was handed in is durable or has failed, also where nobody waits for it any more."""
        while self._flushing:  # noqa: ASYNC110 - once, at the end; an event would cost each commit something
            await asyncio.sleep(REST_S)

    def close(self) -> None:
        self._thread.shutdown(wait=True)
        self.reader.close()
        with contextlib.suppress(apsw.Error):  # it holds nothing that would be lost if it stayed
            self.writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self.writer.close()


def _make_if_absent(path: Path) -> None:
    """A journal without records, where there is none; under another name until it is whole, so that nobody, after a
    crash, ever sees half of one.
    """
    try:
        if path.exists() and path.stat().st_size:
            return
        unfinished = path.with_name(f"{path.name}.new")
        for ending in ("", "-wal", "-shm", "-journal"):
            unfinished.with_name(f"{unfinished.name}{ending}").unlink(missing_ok=True)
        connection = connect(unfinished)
        try:
            with connection:
                connection.execute(schema.TABLES)
                connection.execute("INSERT INTO meta VALUES ('version', ?)", (str(schema.VERSION),))
        finally:
            connection.close()
        unfinished.replace(path)
        sync_folder(path.parent)
    except apsw.Error as error:
        raise translate(error, path) from error
    except OSError as error:
        raise JournalError(
            f"the journal cannot be made: {error.strerror}", where=str(path), hint="check the folder's permissions"
        ) from error


def sync_folder(folder: Path) -> None:
    """So that the names in it survive a power cut, where folders can be synced at all."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _prepare_folder(folder: Path) -> None:
    """The state folder holds mail and amounts: nobody else on the machine may look in."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.name == "posix" and folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise JournalError(
            f"the state folder cannot be used: {error.strerror}",
            where=str(folder),
            hint="check its permissions, or set AIE_STATE_DIR to a folder of yours",
        ) from error
