"""The journal: durable on return, many transactions to a commit, one bad apple spoils no other."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import apsw
import pytest

from aie import schema
from aie.audit import verify_lines
from aie.errors import JournalError
from aie.history import History
from aie.journal import Batch, Journal, connect


def cursor_batch(name: str, value: int) -> Batch:
    batch = Batch()
    batch.put_cursor(name, value)
    batch.audit.append({"action": "test", "target": name})
    return batch


def bad_batch() -> Batch:
    batch = cursor_batch("bad", 0)
    batch.add(schema.ADD_APPROVAL, *["x"] * 10, "no such state", *["x"] * 7)
    return batch


def cursors(path: Path) -> dict[str, int]:
    connection = connect(path, read_only=True)
    try:
        return dict(connection.execute("SELECT name, CAST(value AS INTEGER) FROM cursor ORDER BY name").fetchall())
    finally:
        connection.close()


def test_what_is_committed_is_there_for_another_reader(tmp_path: Path) -> None:
    async def main() -> dict[str, int]:
        journal = Journal(tmp_path / "journal.db")
        await journal.commit(cursor_batch("a", 1))
        found = cursors(tmp_path / "journal.db")
        journal.close()
        return found

    assert asyncio.run(main()) == {"a": 1}


def test_transactions_that_arrive_together_share_commits(tmp_path: Path) -> None:
    async def main() -> tuple[int, int]:
        journal = Journal(tmp_path / "journal.db")
        await asyncio.gather(*(journal.commit(cursor_batch(f"c{number:03}", number)) for number in range(500)))
        found = len(cursors(tmp_path / "journal.db")), journal.commits
        journal.close()
        return found

    stored, commits = asyncio.run(main())
    assert stored == 500
    assert commits <= 3


def test_one_bad_transaction_fails_alone_and_leaves_the_chain_whole(tmp_path: Path) -> None:
    async def main() -> tuple[list[str], list[str]]:
        journal = Journal(tmp_path / "journal.db")
        batches = [cursor_batch("a", 1), bad_batch(), cursor_batch("b", 2)]
        results = await asyncio.gather(*(journal.commit(batch) for batch in batches), return_exceptions=True)
        await journal.commit(cursor_batch("c", 3))
        history = History(journal.reader)
        problems = verify_lines(history.audit(), history.audit_head())
        journal.close()
        return [type(result).__name__ for result in results], problems

    assert asyncio.run(main()) == (["NoneType", "JournalError", "NoneType"], [])
    assert cursors(tmp_path / "journal.db") == {"a": 1, "b": 2, "c": 3}


def test_a_full_disk_refuses_and_loses_nothing_then_goes_on(tmp_path: Path) -> None:
    async def main() -> tuple[str, bool]:
        journal = Journal(tmp_path / "journal.db")
        await journal.commit(cursor_batch("before", 1))
        pages = journal.writer.execute("PRAGMA page_count").fetchall()[0][0]
        journal.writer.execute(f"PRAGMA max_page_count={pages}").fetchall()
        big = Batch()
        big.put_cursor("big", "x" * 500_000)
        with pytest.raises(JournalError) as caught:
            await journal.commit(big)
        journal.writer.execute("PRAGMA max_page_count=1000000").fetchall()
        await journal.commit(cursor_batch("after", 2))
        journal.close()
        return caught.value.message, caught.value.passing

    assert asyncio.run(main()) == ("the disk is full; nothing was recorded", True)
    assert cursors(tmp_path / "journal.db") == {"after": 2, "before": 1}


@pytest.mark.parametrize(
    "content",
    [b"this is not a database, though long enough to be looked at" * 20, b"SQLite format 3\0" + b"\xff" * 4096],
)
def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    with pytest.raises(JournalError) as caught:
        Journal(path)
    assert "it was left as it is" in caught.value.message
    assert path.read_bytes() == content


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with apsw.Connection(str(path)) as connection:
        connection.execute("CREATE TABLE meta (key TEXT, value TEXT); INSERT INTO meta VALUES ('version', '99')")
    with pytest.raises(JournalError) as caught:
        Journal(path)
    assert caught.value.message == "this is not a journal of version 2: found version 99"


def test_nobody_else_may_look_into_the_state_folder(tmp_path: Path) -> None:
    async def main() -> None:
        Journal(tmp_path / "state" / "journal.db").close()

    asyncio.run(main())
    assert oct(os.stat(tmp_path / "state").st_mode & 0o777) == "0o700"
