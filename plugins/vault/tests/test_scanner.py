"""What counts as a new file, without a file system."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aie_vault.scanner import Entry, Listing, State, from_cursor, moved, put_back, ready, step, to_cursor


class Folder:
    """A folder that is looked at every two seconds, and restarted now and then."""

    def __init__(self, *names: str) -> None:
        self.files = {f"Inbox/{name}": Entry(10, 1, number, f"sha {name}") for number, name in enumerate(names, 1)}
        self.folders: tuple[str, ...] = ("Inbox",)
        self.missing: tuple[str, ...] = ()
        self.unreadable: tuple[str, ...] = ()
        self.state = State()
        self.now = 1000.0
        self.inode = 100
        self.look()

    def add(self, name: str, *, size: int = 10, mtime: int = 5, sha: str = "", inode: int = 0) -> None:
        self.inode += 1
        self.files[f"Inbox/{name}"] = Entry(size, mtime, inode or self.inode, sha or f"sha {name} {size} {mtime}")

    def move(self, old: str, new: str) -> None:
        self.files[f"Inbox/{new}"] = self.files.pop(f"Inbox/{old}")

    def aie_moves(self, old: str, new: str) -> None:
        """What aie moves, to a path below the watched folder or anywhere else."""
        entry = self.files.pop(f"Inbox/{old}")
        if new.startswith("Inbox/"):
            self.files[new] = entry
        self.state = moved(self.state, [(f"Inbox/{old}", new)], self.folders)

    def remove(self, name: str) -> Entry:
        return self.files.pop(f"Inbox/{name}")

    def restart(self) -> None:
        self.state = from_cursor(json.loads(json.dumps(to_cursor(self.state))))

    def look(self, times: int = 1, *, every_s: float = 2.0) -> list[str]:
        added = []
        for _ in range(times):
            unread = {path: Entry(entry.size, entry.mtime_ns, entry.inode) for path, entry in self.files.items()}
            listing = Listing(unread, self.folders, self.missing, self.unreadable)
            read = ready(self.state, listing, self.now)
            seen = Listing(unread | {path: self.files[path] for path in read}, *_rest(listing))
            self.state, new = step(self.state, seen, self.now, read=frozenset(read))
            added += [path.removeprefix("Inbox/") for path in new]
            self.now += every_s
        return added


def _rest(listing: Listing) -> tuple:
    return listing.folders, listing.missing, listing.unreadable


def test_files_that_are_there_at_the_very_first_start_are_not_news():
    assert Folder("a.md", "b.md").look(5) == []


def test_a_file_that_stands_still_is_added_once():
    folder = Folder("a.md")
    folder.add("new.md")

    assert [folder.look(), folder.look(), folder.look(5)] == [[], ["new.md"], []]


def test_files_dropped_while_aie_was_off_are_news():
    folder = Folder("a.md")
    folder.restart()
    folder.add("new.md")

    assert folder.look(2) == ["new.md"]
    folder.restart()
    assert folder.look(5) == []


def test_looks_in_quick_succession_do_not_make_a_file_settled():
    folder = Folder()
    folder.add("new.md")

    assert [folder.look(3, every_s=0.4), folder.look()] == [[], ["new.md"]]


def test_a_file_that_grows_is_waited_for():
    folder = Folder()
    added = []
    for size in range(5):
        folder.add("slow.pdf", size=size + 1, mtime=size, inode=77)
        added += folder.look()

    assert (added, folder.look()) == ([], ["slow.pdf"])


def test_a_file_that_could_not_be_read_waits_behind_the_others():
    folder = Folder()
    folder.add("a.md")
    folder.add("b.md")
    folder.look()
    state = put_back(folder.state, ["Inbox/a.md", "Inbox/other.md"], folder.now)

    assert list(state.waiting) == ["Inbox/b.md", "Inbox/a.md"]
    assert ready(state, Listing(folder.files, ("Inbox",)), folder.now) == ("Inbox/b.md",)


def test_an_empty_file_has_half_a_minute_to_be_filled():
    folder = Folder()
    folder.add("empty.md", size=0)
    assert [folder.look(15), folder.look()] == [[], ["empty.md"]]

    folder.add("filled.md", size=0)
    folder.look(5)
    folder.add("filled.md", size=9)
    assert folder.look(2) == ["filled.md"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_file_that_moved_is_the_same_file(restarted):
    folder = Folder("a.md")
    folder.add("b.md")
    folder.look(2)
    folder.move("a.md", "Archive/a.md")
    folder.move("b.md", "c.md")
    if restarted:
        folder.restart()

    assert folder.look(5) == []


def test_a_file_moved_by_a_sync_tool_is_known_by_its_content():
    folder = Folder()
    folder.add("a.md", sha="same")
    folder.look(2)
    folder.remove("a.md")
    folder.look(3)
    folder.add("b.md", mtime=9, sha="same")

    assert folder.look(5) == []


def test_a_new_file_that_got_the_inode_of_a_deleted_one_is_new():
    folder = Folder("a.md")
    inode = folder.remove("a.md").inode
    folder.add("b.md", inode=inode)

    assert folder.look(5) == ["b.md"]


def test_a_file_saved_anew_is_not_added():
    folder = Folder("a.md")
    folder.add("a.md", size=11, mtime=9)
    assert folder.look(5) == []

    before = folder.remove("a.md")
    folder.look()
    folder.add("a.md", size=before.size + 1, mtime=before.mtime_ns + 1)
    assert folder.look(5) == []


def test_a_backup_an_editor_keeps_is_not_added():
    folder = Folder("a.md")
    folder.move("a.md", "a (old).md")
    folder.add("a.md", size=12, mtime=9)

    assert folder.look(5) == []


def test_a_file_that_a_sync_tool_takes_away_and_brings_back_is_not_added():
    folder = Folder("a.md")
    before = folder.remove("a.md")
    folder.look(200)
    folder.add("a.md", size=before.size, mtime=before.mtime_ns)

    assert folder.look(5) == []


def test_another_file_under_a_name_that_was_deleted_is_added():
    folder = Folder("scan.pdf")
    folder.remove("scan.pdf")
    folder.look(3)
    folder.add("scan.pdf", size=99, mtime=9)

    assert folder.look(5) == ["scan.pdf"]


def test_after_ten_minutes_a_deleted_file_is_forgotten():
    folder = Folder()
    folder.add("a.md", sha="same")
    folder.look(2)
    folder.remove("a.md")
    folder.look(302)
    folder.add("a.md", sha="same", mtime=9)

    assert folder.look(5) == ["a.md"]


@pytest.mark.parametrize("why", ["missing", "unreadable"])
def test_a_folder_that_goes_away_and_comes_back_holds_no_news(why):
    folder = Folder("a.md", "b.md")
    files = dict(folder.files)
    folder.files.clear()
    setattr(folder, why, ("Inbox",))
    folder.look(400)
    setattr(folder, why, ())
    folder.files.update(files)

    assert folder.look(5) == []


def test_a_folder_that_did_not_exist_at_first_has_only_news():
    folder = Folder()
    folder.state, folder.missing = State(), ("Inbox",)
    folder.look()
    folder.missing = ()
    folder.add("a.md")

    assert folder.look(5) == ["a.md"]


def test_what_is_in_a_folder_that_is_watched_from_now_on_is_not_news():
    folder = Folder("a.md")
    folder.folders = ("Inbox", "Receipts")
    folder.files["Receipts/old.pdf"] = Entry(1, 1, 50)
    assert folder.look(5) == []

    folder.files["Receipts/new.pdf"] = Entry(1, 1, 51, "x")
    assert folder.look(5) == ["Receipts/new.pdf"]


def test_a_hard_link_to_a_known_file_is_a_new_file():
    folder = Folder("a.md")
    folder.files["Inbox/b.md"] = folder.files["Inbox/a.md"]

    assert folder.look(5) == ["b.md"]


def test_a_cursor_of_another_version_is_a_first_start():
    assert [from_cursor(None), from_cursor({"version": 9}), from_cursor([])] == [State()] * 3


NAMES = st.sampled_from("abcd")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), NAMES, st.integers(1, 3)),
        st.tuples(st.just("move"), NAMES, NAMES),
        st.tuples(st.just("remove"), NAMES),
        st.tuples(st.just("restart")),
        st.tuples(st.just("look"), st.integers(1, 4)),
    ),
    max_size=30,
)


@given(STEPS)
def test_no_file_is_added_twice_and_no_standing_file_stays_waiting(steps):
    folder = Folder("a")
    added = []
    for number, (kind, *args) in enumerate(steps):
        if kind == "add":
            folder.add(args[0], size=args[1], mtime=number)
        elif kind == "move" and f"Inbox/{args[0]}" in folder.files:
            folder.move(*args)
        elif kind == "remove":
            folder.files.pop(f"Inbox/{args[0]}", None)
        elif kind == "restart":
            folder.restart()
        elif kind == "look":
            for name in folder.look(args[0]):
                added.append((name, folder.files[f"Inbox/{name}"]))
    for name in folder.look(3):
        added.append((name, folder.files[f"Inbox/{name}"]))

    assert len(set(added)) == len(added)
    assert (dict(folder.state.waiting), set(folder.state.known)) == ({}, set(folder.files))
    assert folder.look(3) == []


# --- what aie moves itself ----------------------------------------------------------------------------------------


def test_a_file_that_aie_moved_is_not_news_where_it_goes():
    folder = Folder("a.pdf")
    folder.aie_moves("a.pdf", "Inbox/Filed/a.pdf")
    assert folder.look(5) == []
    folder.aie_moves("Filed/a.pdf", "Inbox/a.pdf")
    assert folder.look(5) == []


@pytest.mark.parametrize("name", ["scan.pdf", "again.pdf"])
@pytest.mark.parametrize("content", ["the same", "another"])
@pytest.mark.parametrize("looks", [0, 1, 3])
def test_what_comes_after_aie_moved_a_file_away_is_news_also_with_its_name_or_its_content(name, content, looks):
    folder = Folder()
    folder.add("scan.pdf", sha="the same")
    assert folder.look(2) == ["scan.pdf"]

    folder.aie_moves("scan.pdf", "Archive/scan.pdf")
    folder.look(looks)
    folder.add(name, sha=content)

    assert folder.look(5) == [name]


def test_a_file_that_had_vanished_before_aie_says_so_is_forgotten_as_well():
    folder = Folder("scan.pdf")
    entry = folder.remove("scan.pdf")
    folder.look()
    folder.files["Inbox/scan.pdf"] = entry
    folder.aie_moves("scan.pdf", "Archive/scan.pdf")
    folder.look()
    folder.add("scan.pdf", sha="sha scan.pdf")

    assert folder.look(5) == ["scan.pdf"]


def test_a_file_that_nobody_was_told_of_is_news_where_aie_moved_it():
    folder = Folder()
    folder.add("a.pdf")
    folder.look()
    folder.aie_moves("a.pdf", "Inbox/Filed/a.pdf")

    assert folder.look(5) == ["Filed/a.pdf"]
