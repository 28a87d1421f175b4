"""The journal's file, looked at from outside: whether it is there and whole, and how it is opened only to look.

SQLite takes an empty file for a new database and throws away the write-ahead log beside it, and it does not notice that
a file it has open was deleted. Both would lose in silence what was accepted, so it is looked for here first.
"""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import apsw

from aie import schema
from aie.errors import JournalError
from aie.journal import connect, translate

log = logging.getLogger("aie.journal")

_SMALLEST = 512  # bytes in the smallest database there is; SQLite overwrites a file of fewer without a word
RESTORE = "copy the state folder somewhere safe, then restore a backup, or start afresh with another AIE_STATE_DIR"


def present(path: Path) -> bool:
    """Whether there is a journal; False where there never was one.

    JournalError when something is there that cannot be gone on with: no access, next to nothing in the file, or a
    write-ahead log without its database.
    """
    # The file is not opened here: closing it would free the locks that SQLite may hold on it in this process.
    size, logged = _size(path), _size(path.with_name(f"{path.name}-wal"))
    if logged and not size:
        gone = "it is empty" if size == 0 else "it is gone"
        raise _damaged(f"{gone}, while {path.name}-wal still holds records", path)
    if size and size < _SMALLEST:
        raise _damaged(f"it has {size} bytes, fewer than any journal", path)
    if size == 0:
        log.warning("%s is empty: if it was not before, stop aie and restore a backup", path)
    return bool(size)


def refuse_damage(path: Path, connection: apsw.Connection | None = None) -> None:
    """Read the whole journal and compare its parts; JournalError if they do not fit. Takes a second for 500 MB."""
    own = look(path) if connection is None else connection
    try:
        found = own.execute("PRAGMA quick_check(1)").fetchall()
        ((whole,),) = own.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchall()
    except apsw.Error as error:
        raise translate(error, path) from error
    finally:
        if own is not connection:
            own.close()
    if found != [("ok",)]:
        raise _damaged(" ".join(str(found[0][0]).split()), path)
    missing = int(str(whole)) - (_size(path) or 0)
    if missing > 0 and not _size(path.with_name(f"{path.name}-wal")):  # what a log still holds need not be in the file
        raise _damaged(f"its last {missing:,} bytes are missing", path)


def look(path: Path) -> apsw.Connection:
    """A connection for reading only; also where nothing can be written, such as in a backup on a disk that is full."""
    present(path)
    try:
        connection = _opened(path)
        try:
            _refuse_other_versions(path, connection)
        except BaseException:
            connection.close()
            raise
    except apsw.Error as error:
        raise translate(error, path) from error
    return connection


def _opened(path: Path) -> apsw.Connection:
    try:
        return connect(path, read_only=True)
    except JournalError as error:
        # To read beside a writer, SQLite needs to write its index. Without a log nobody has the file open.
        if not error.passing or _size(path.with_name(f"{path.name}-wal")):
            raise
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return apsw.Connection(f"{path.absolute().as_uri()}?mode=ro&immutable=1", flags=flags)


def _refuse_other_versions(path: Path, connection: apsw.Connection) -> None:
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE name='meta'").fetchall()]
    rows = connection.execute("SELECT value FROM meta WHERE key='version'").fetchall() if tables else []
    if rows != [(str(schema.VERSION),)]:
        raise JournalError(
            f"this is not a journal of version {schema.VERSION}: found "
            + (f"version {rows[0][0]}" if rows else "something else"),
            where=str(path),
            hint="use the aie that wrote it, or another AIE_STATE_DIR",
        )


def log_bytes(path: Path) -> int:
    """The size of the write-ahead log beside the journal."""
    return _size(path.with_name(f"{path.name}-wal")) or 0


def fold_in(path: Path) -> None:
    """Bring what the write-ahead log holds into the database, as far as no reader needs the older state."""
    connection = connect(path)
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    except apsw.Error as error:
        raise translate(error, path) from error
    finally:
        connection.close()


def identity(path: Path) -> tuple[int, int] | None:
    """Which file has the path now, whatever becomes of its content; None if none has.

    JournalError, a passing one, while it cannot be told.
    """
    status = _status(path)
    return None if status is None else (status.st_dev, status.st_ino)


def _size(path: Path) -> int | None:
    status = _status(path)
    if status is None:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise JournalError(
            "there is no file where the journal should be, but something else",
            where=str(path),
            hint="move it away, and bring back the journal if you have it",
        )
    return status.st_size


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalError(
            f"the journal cannot be looked at: {error.strerror}",
            where=str(path),
            hint="check who owns the state folder and its permissions, or set AIE_STATE_DIR to a folder of yours",
            passing=True,
        ) from None


def _damaged(what: str, path: Path) -> JournalError:
    return JournalError(
        f"the journal is damaged ({what}); it was left as it is", where=str(path), hint=RESTORE, damaged=True
    )
