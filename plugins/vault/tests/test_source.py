"""New files become events: real files, an injected clock."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import logging
import os
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from aie.files import Files
from aie.testing import FakeClock
from aie_vault import native, scanner
from aie_vault.listing import is_conflict_copy, is_ignored
from aie_vault.settings import VaultSettings
from aie_vault.source import BATCH, Told, Watcher, file_source


class Clock(FakeClock):
    """Stops the source after ten sleeps, and knows how long they were."""

    def __init__(self) -> None:
        super().__init__()
        self.sleeps: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        await super().sleep(seconds)
        if len(self.sleeps) >= 10:
            raise asyncio.CancelledError


class Context:
    """What the engine gives a source; it keeps whatever is emitted.

    A Home takes away what was told before, as the journal does. These tests are about a source that does not even try
    to tell it again, how often it records, how long it sleeps, and what it does when nothing can be recorded.
    """

    def __init__(self, vault, settings) -> None:
        self.settings, self.vault, self.timezone = settings, vault, ZoneInfo("Europe/Berlin")
        self.clock, self.log = Clock(), logging.getLogger("aie.test")
        self.cursor, self.events, self.emits = None, [], 0

    async def emit(self, events, *, cursor=None) -> int:
        self.events += events
        self.cursor = self.cursor if cursor is None else cursor
        self.emits += 1
        return len(events)


class House:
    def __init__(self, vault, **settings) -> None:
        self.vault = vault
        self.settings = VaultSettings(native_watching=False, **settings)
        self.watcher = Watcher(self.settings, Files())
        self.context = Context(vault, self.settings)
        self.told = Told(self.context.log)
        (vault / "Inbox").mkdir(exist_ok=True)

    def start(self) -> None:
        self.state = scanner.from_cursor(self.context.cursor)

    def look(self, times: int = 1) -> list[str]:
        """Paths of the events of so many looks, two seconds apart."""
        before = len(self.context.events)
        for _ in range(times):
            self.state, _ = asyncio.run(self.watcher.look(self.context, self.state, self.told))
            self.context.clock.move(seconds=2)
        return sorted(event.data["file_path"] for event in self.context.events[before:])

    def put(self, path: str, data: bytes | str = b"x") -> None:
        target = self.vault / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.encode() if isinstance(data, str) else data)


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path)
    house.start()
    house.look()
    return house


def test_an_event_says_all_about_the_file(house):
    text = "---\ntype: invoice\namount: 12.5\nday: 2026-02-09\n---\nHello"
    house.put("Inbox/Kim/note.md", text)
    os.utime(house.vault / "Inbox/Kim/note.md", (1770658200, 1770658200))
    house.look(2)

    (event,) = house.context.events
    event_id = event.event_id
    data = dict(event.data)
    created = data.pop("created_at")
    assert (event.event_type, event.source, event.timestamp) == ("file_added", "", "")
    assert dt.datetime.fromisoformat(created).tzinfo is not None
    assert data == {
        "file_path": "Inbox/Kim/note.md",
        "file_name": "note.md",
        "file_type": "invoice",
        "extension": "md",
        "size_bytes": len(text),
        "folder": "Inbox/Kim",
        "modified_at": "2026-02-09T18:30:00+01:00",
        "content": text,
        "front_matter": {"type": "invoice", "amount": 12.5, "day": "2026-02-09"},
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    assert event_id.startswith("Inbox/Kim/note.md@")
    assert len(event_id) == len("Inbox/Kim/note.md@") + 16


@pytest.mark.parametrize(
    ("name", "data", "file_type", "has_content"),
    [
        ("INVOICE_0001.PDF", b"%PDF", "invoice", False),
        ("LINKEDIN_POST_20260209_x.md", b"x", "linkedin_post", True),
        ("invoice.csv", b"\xef\xbb\xbfa;b", "csv", True),
        ("old.csv", b"\xe4", "csv", False),
        ("data.json", b"{}", "json", True),
        ("big.txt", b"x" * 65_537, "txt", False),
        ("README", b"x", "", False),
        ("a.md", b"---\naie_type: receipt\ntype: other\n---\n", "receipt", True),
        ("b.md", b"---\ntype: [a]\n---\n", "md", True),
    ],
)
def test_kind_and_content_of_a_file(house, name, data, file_type, has_content):
    house.put(f"Inbox/{name}", data)
    house.look(2)

    (event,) = house.context.events
    found = (event.data["file_type"], event.data["content"])
    assert found == (file_type, data.decode("utf-8-sig") if has_content else None)


def test_what_aie_wrote_itself_is_no_event(house):
    for kind in ("notification", "approval"):
        house.put(f"Inbox/{kind}.md", f"---\naie_type: {kind}\n---\n")

    assert house.look(4) == []


@pytest.mark.parametrize(
    "path",
    [
        *(
            "Inbox/.hidden.md",
            "Inbox/~$doc.docx",
            "Inbox/.~lock.a.odt#",
            "Inbox/a.tmp",
            "Inbox/a.part",
            "Inbox/a.crdownload",
        ),
        *(
            "Inbox/a.md~",
            "Inbox/.a.md.swp",
            "Inbox/.obsidian/x.json",
            "Inbox/.trash/x.md",
            "Inbox/.a.pdf.icloud",
            "Other/a.md",
        ),
    ],
)
def test_what_is_nobodys_document_is_ignored(house, path):
    house.put(path)

    assert house.look(4) == []


def test_settings_choose_the_folders_and_what_to_ignore(tmp_path):
    house = House(tmp_path, watch=["."], ignore=["*.log", "Private/*"])
    house.start()
    house.look()
    for path in (
        "a.md",
        "Deep/er/b.md",
        "x.log",
        "Private/c.md",
        "Approved/d.md",
        "Pending_Approval/e.md",
        "Done/f.md",
        "Rejected/h.md",
        "Logs/g.md",
        ".git/config",
    ):
        house.put(path)

    assert house.look(4) == ["Deep/er/b.md", "a.md"]


@pytest.mark.parametrize(
    ("name", "conflict"),
    [
        ("note (Conflicted copy phone 202602091830).md", True),
        ("note (Kim's conflicted copy 2026-02-09).md", True),
        ("note (conflicted copy 2026-02-09 183000).md", True),
        ("note.sync-conflict-20260209-183000-ABCDEFG.md", True),
        ("note-DESKTOP-4F2K9QX.md", True),
        ("note-DESKTOP-4F2K9QX-2.md", True),
        ("The conflicted copy.md", False),
        ("note (1).md", False),
        ("desktop-notes.md", False),
        ("note-desktop-setup.md", False),
    ],
)
def test_conflict_copies_are_known_by_their_names(name, conflict):
    assert (is_conflict_copy(name), is_ignored(name)) == (conflict, False)


def test_a_conflict_copy_is_reported_once_and_is_no_event(house, caplog):
    house.put("Inbox/note (Conflicted copy phone 202602091830).md")

    assert house.look(4) == []
    assert len(caplog.records) == 1


def test_links_are_not_followed(house, tmp_path_factory, caplog):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "secret.md").write_text("x")
    (house.vault / "Inbox/link.md").symlink_to(elsewhere / "secret.md")
    (house.vault / "Inbox/folder").symlink_to(elsewhere)
    assert house.look(4) == []

    linked = House(house.vault, watch=["Link"])
    (house.vault / "Link").symlink_to(elsewhere)
    linked.start()
    assert linked.look(4) == []
    assert [record.getMessage() for record in caplog.records] == [
        "Link is or lies behind a link and is not watched: put the folder itself into watch"
    ]


def test_only_a_change_is_recorded(house):
    before = house.context.emits
    house.look(5)
    assert house.context.emits == before

    house.put("Inbox/a.md")
    house.look(5)
    assert house.context.emits == before + 1


def test_what_was_recorded_is_no_news_after_a_restart(house):
    house.put("Inbox/a.md")
    assert house.look(2) == ["Inbox/a.md"]
    house.start()
    assert house.look(4) == []

    house.put("Inbox/b.md")
    house.start()
    assert house.look(4) == ["Inbox/b.md"]


def test_a_failure_to_record_loses_and_doubles_nothing(house):
    house.put("Inbox/a.md")
    house.look()

    async def full(events, *, cursor=None):
        raise OSError(28, "No space left on device")

    good, house.context.emit = house.context.emit, full
    with pytest.raises(OSError, match="No space left"):
        house.look()
    house.context.emit = good
    house.start()

    assert house.look(4) == ["Inbox/a.md"]


def test_an_id_is_the_same_for_the_same_file_and_short_for_a_long_path(house):
    long = "Inbox/" + "/".join(["ö" * 50] * 6) + "/a.md"
    house.put(long)
    house.look(2)
    first = house.context.events.pop()
    house.context.cursor = scanner.to_cursor(scanner.State(("Inbox",)))
    house.start()
    house.look(2)

    assert (house.context.events[0].event_id, len(first.event_id)) == (first.event_id, 200)


def test_many_files_at_once_are_recorded_in_batches(house):
    for number in range(BATCH + 20):
        house.put(f"Inbox/{number}.txt")
    before = house.context.emits

    assert (len(house.look(2)), len(house.look(1)), house.context.emits - before) == (BATCH, 20, 2)


@contextlib.contextmanager
def as_an_ordinary_user(folder):
    """Root may read everything: step down to nobody for a while, and let nobody reach the folder."""
    if os.geteuid() != 0:
        yield
        return
    parents = [(path, path.stat().st_mode) for path in (folder, *folder.parents) if not path.stat().st_mode & 0o001]
    for path, mode in parents:
        path.chmod(mode | 0o055)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        for path, mode in parents:
            path.chmod(mode)


def test_a_file_that_cannot_be_read_is_reported_once_and_tried_again(house, caplog):
    house.put("Inbox/a.md")
    (house.vault / "Inbox/a.md").chmod(0)
    with as_an_ordinary_user(house.vault):
        assert house.look(4) == []
    assert [record.getMessage() for record in caplog.records] == ["Inbox/a.md cannot be read; aie keeps trying"]

    (house.vault / "Inbox/a.md").chmod(0o600)
    assert house.look(3) == ["Inbox/a.md"]


@pytest.mark.parametrize("native_watching", [False, True])
def test_the_source_runs_until_it_is_cancelled(tmp_path, native_watching):
    settings = VaultSettings(native_watching=native_watching)
    (tmp_path / "Inbox").mkdir()
    context = Context(tmp_path, settings)
    source = file_source(settings)

    async def watch() -> None:
        await source.run(context)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(watch())
    (tmp_path / "Inbox/a.md").write_text("x")
    context.clock.sleeps.clear()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(watch())

    assert [event.data["file_path"] for event in context.events] == ["Inbox/a.md"]
    assert context.clock.sleeps[:4] == [1.0, 2.0, 2.0, 2.0]
    assert (source.name, source.event_types, source.watching) == ("vault.files", ("file_added",), "new files in Inbox")


def test_without_native_watching_looking_is_enough(tmp_path, monkeypatch, caplog):
    def none_left(*args, **kwargs):
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr("watchfiles.watch", none_left)
    caplog.set_level("INFO")
    test_the_source_runs_until_it_is_cancelled(tmp_path, True)

    assert "changes in the vault are found by looking only: OS file watch limit reached" in caplog.text


def test_a_change_the_system_reports_shortens_the_wait(tmp_path):
    (tmp_path / "Inbox").mkdir()

    async def changed_in_time() -> bool:
        settings = VaultSettings(native_watching=True)
        async with native.changes(tmp_path, settings, logging.getLogger("aie.test")) as changed:
            for number in range(100):  # watching begins a moment after it was asked for
                (tmp_path / "Inbox" / f"{number}.md").write_text("x")
                try:
                    await asyncio.wait_for(changed.wait(), 0.1)
                except TimeoutError:
                    continue
                return True
        return False

    assert asyncio.run(changed_in_time()) is True


@pytest.mark.parametrize(
    ("mounts", "reported"),
    [
        ("/dev/sda1 / ext4 rw 0 0", True),
        ("/dev/sda1 / ext4 rw 0 0\nC:\\ /vault 9p rw 0 0", False),
        ("/dev/sda1 / ext4 rw 0 0\nC:\\ /vault drvfs rw 0 0", False),
        ("/dev/sda1 / ext4 rw 0 0\n//nas/x /vault cifs rw 0 0", False),
        ("/dev/sda1 / ext4 rw 0 0\nnas:/x /vault nfs4 rw 0 0", False),
        ("/dev/sda1 / ext4 rw 0 0\nx /vault fuse.rclone rw 0 0", False),
        ("/dev/sda1 / ext4 rw 0 0\nx /vaults 9p rw 0 0", True),
        ("nas:/x / nfs rw 0 0\n/dev/sdb /vault btrfs rw 0 0", True),
    ],
)
def test_network_and_windows_folders_are_not_trusted_to_report_changes(mounts, reported):
    assert native.reports_changes(Path("/vault"), mounts) is reported
