"""The file-writing seam: whole or not at all, never outside, never over something by accident."""

from __future__ import annotations

import os
import stat
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aie.errors import ParameterError
from aie.files import HANDLES, Files
from aie.paths import PROTECTED, inside, numbered, path_parts, safe_name

posix = pytest.mark.skipif(os.name != "posix", reason="links and mode bits as POSIX has them")


@pytest.fixture(params=[HANDLES, False], ids=["handles", "paths"])
def files(request):
    return Files(pause=lambda seconds: None, handles=request.param)


def tree(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def no_links(*args, **kwargs):
    raise PermissionError(1, "Operation not permitted")


def test_write_replaces_the_file_and_leaves_nothing_else_behind(files, tmp_path):
    files.write(tmp_path / "a.md", b"one")
    files.write(tmp_path / "a.md", b"two")

    assert tree(tmp_path) == {"a.md": b"two"}


@posix
def test_write_keeps_the_mode_bits_of_an_existing_file(tmp_path):
    path = tmp_path / "a.md"
    path.write_bytes(b"one")
    path.chmod(0o640)

    Files().write(path, b"two")

    assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (0o640, b"two")


def test_create_leaves_an_existing_file_alone(files, tmp_path):
    assert files.create(tmp_path / "a.md", b"one") is True
    assert files.create(tmp_path / "a.md", b"two") is False
    assert tree(tmp_path) == {"a.md": b"one"}


def test_create_works_where_the_file_system_has_no_links(files, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", no_links)

    assert [files.create(tmp_path / "a.md", b"one"), files.create(tmp_path / "a.md", b"two")] == [True, False]
    assert tree(tmp_path) == {"a.md": b"one"}


def test_a_write_that_fails_leaves_the_old_file_and_no_temporary_one(files, tmp_path, monkeypatch):
    files.write(tmp_path / "a.md", b"one")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write(tmp_path / "a.md", b"two")

    assert tree(tmp_path) == {"a.md": b"one"}


@pytest.mark.parametrize(("refusals", "pauses"), [(0, []), (3, [0.4] * 3), (5, [0.4] * 5)])
def test_a_file_another_program_holds_is_tried_again_for_two_seconds(tmp_path, monkeypatch, refusals, pauses):
    paused, real, left = [], os.replace, [refusals]

    def held(*args, **kwargs):
        if left[0]:
            left[0] -= 1
            raise PermissionError(13, "in use")
        real(*args, **kwargs)

    monkeypatch.setattr(os, "replace", held)
    Files(pause=paused.append).write(tmp_path / "a.md", b"one")

    assert (paused, tree(tmp_path)) == (pauses, {"a.md": b"one"})


def test_a_file_held_for_longer_is_an_error_and_leaves_no_temporary_file(tmp_path, monkeypatch):
    def held(*args, **kwargs):
        raise PermissionError(13, "in use")

    monkeypatch.setattr(os, "replace", held)
    with pytest.raises(PermissionError):
        Files(pause=lambda seconds: None).write(tmp_path / "a.md", b"one")

    assert tree(tmp_path) == {}


def test_numbered_names_are_unique_whatever_the_case_and_unicode_form(files, tmp_path):
    names = ["Note.md", "note.md", "NOTE.md", "Caf\u00e9.md", unicodedata.normalize("NFD", "café.md")]

    made = [files.create_numbered(tmp_path / name, name.encode()).name for name in names]

    assert made == ["Note.md", "note 2.md", "NOTE 3.md", "Caf\u00e9.md", "cafe\u0301 2.md"]


def test_two_hundred_notes_of_one_title_from_sixteen_threads_are_two_hundred_files(files, tmp_path):
    start = threading.Barrier(16)

    def make(worker):
        start.wait()
        return [files.create_numbered(tmp_path / f"N{'oO'[worker % 2]}te.md", b"%d" % worker) for _ in range(13)]

    with ThreadPoolExecutor(16) as pool:
        made = [path for paths in pool.map(make, range(16)) for path in paths]

    on_disk = sorted(path.name.casefold() for path in tmp_path.iterdir())
    assert (len(on_disk), len(set(on_disk)) if files.handles else len(set(made))) == (208, 208)


def test_a_numbered_name_is_never_longer_than_a_name_may_be():
    name = "ä" * 126 + ".md"

    assert (numbered(name, 1), numbered(name, 12)) == (name, "ä" * 124 + " 12.md")


# --- moving ------------------------------------------------------------------------------------------------------


@pytest.fixture
def shelf(tmp_path):
    """A vault with a file in ``Inbox`` and an empty ``Archive``."""
    for name in ("Inbox", "Archive"):
        (tmp_path / name).mkdir()
    (tmp_path / "Inbox" / "a.pdf").write_bytes(b"one")
    return tmp_path


def move(files: Files, shelf: Path, name: str = "a.pdf", new: str = "a.pdf") -> str:
    with files.folder(shelf, "Inbox") as inbox, files.folder(shelf, "Archive") as archive:
        return inbox.move_numbered(name, archive, new)


def test_a_moved_file_keeps_its_content_its_time_and_its_mode(files, shelf):
    before = (shelf / "Inbox" / "a.pdf").stat()

    assert move(files, shelf, new="b.pdf") == "b.pdf"

    after = (shelf / "Archive" / "b.pdf").stat()
    assert tree(shelf) == {"Archive/b.pdf": b"one"}
    assert (after.st_ino, after.st_mtime_ns, after.st_mode) == (before.st_ino, before.st_mtime_ns, before.st_mode)


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_file_is_never_moved_onto_another(files, shelf, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    (shelf / "Archive" / "A.pdf").write_bytes(b"other")

    with files.folder(shelf, "Inbox") as inbox, files.folder(shelf, "Archive") as archive:
        assert inbox.move("a.pdf", archive, "A.pdf") is False
    assert move(files, shelf) == "a 2.pdf"

    assert tree(shelf) == {"Archive/A.pdf": b"other", "Archive/a 2.pdf": b"one"}


def test_files_moved_at_once_to_one_name_are_all_kept(files, shelf):
    names = [f"scan {number}.pdf" for number in range(40)]
    for name in names:
        (shelf / "Inbox" / name).write_bytes(name.encode())

    with ThreadPoolExecutor(8) as pool:
        moved = list(pool.map(lambda name: move(files, shelf, name, "scan.pdf"), names))

    assert len(set(moved)) == 40
    expected = {f"Archive/{new}": name.encode() for name, new in zip(names, moved, strict=True)}
    assert tree(shelf) == {**expected, "Inbox/a.pdf": b"one"}


def test_a_file_that_cannot_leave_its_place_is_not_in_two(shelf, monkeypatch):
    real = os.unlink

    def stuck(path, **options):
        if (shelf / "Inbox" / "a.pdf").exists() and (shelf / "Archive" / "a.pdf").exists() and not tries:
            tries.append(path)
            raise OSError(30, "Read-only file system")
        real(path, **options)

    tries: list[str] = []
    monkeypatch.setattr(os, "unlink", stuck)

    with pytest.raises(OSError, match="Read-only"):
        move(Files(), shelf)

    assert (tries, tree(shelf)) == (["a.pdf"], {"Inbox/a.pdf": b"one"})


@posix
def test_only_plain_files_are_moved(files, shelf):
    (shelf / "Inbox" / "folder").mkdir()
    (shelf / "Inbox" / "link").symlink_to(shelf / "Inbox" / "a.pdf")

    for name in ("folder", "link"):
        with pytest.raises(OSError, match="not a regular file"):
            move(files, shelf, name)
    with pytest.raises(FileNotFoundError):
        move(files, shelf, "missing.pdf")

    assert [path.name for path in (shelf / "Archive").iterdir()] == []


# --- paths -------------------------------------------------------------------------------------------------------

BAD = {
    "": "is empty",
    "/etc/passwd": "is absolute",
    "~/x.md": "is absolute",
    "C:/x.md": "drive letter",
    "c:x.md": "drive letter",
    "..": '".."',
    "../x.md": '".."',
    "a/../../x.md": '".."',
    "a/./b.md": '"."',
    "a//b.md": "empty name",
    "a/": "empty name",
    "a\\b.md": "backslash",
    "..\\x.md": "backslash",
    "a\0b.md": "invisible character",
    "a\nb.md": "invisible character",
    "a\u202egpj.md": "invisible character",
    "\ud800.md": "invisible character",
    ".hidden.md": "hidden name",
    ".obsidian/app.json": "hidden name",
    "Notes/.git/config": "hidden name",
    "a./b.md": "ending in a dot or blank",
    "a.md ": "ending in a dot or blank",
    " a.md": "starting with a blank",
    "CON": "device name",
    "Notes/nul.md": "device name",
    "com1.txt": "device name",
    "AUX .md": "device name",
    "a.md:stream": "character ':'",
    "what?.md": "character '?'",
    "PENDIN~1/x.md": "short name",
    "x" * 256: "more than 255 bytes",
    "/".join(["x" * 250] * 5): "longer than 1024 bytes",
    "Pending_Approval/x.md": "is protected: no workflow writes to 'Pending_Approval'",
    "pending_approval/x.md": "is protected",
    "PENDING_APPROVAL": "is protected",
    "Approved/x.md": "is protected",
    "Rejected/x.md": "is protected",
    "Done/x.md": "is protected",
    "Logs/integrations.log": "is protected",
    "integrations/workflows/evil.json": "is protected",
    "workflows/evil.json": "is protected",
    "Notes/Workflows/evil.json": "is protected",
    "aie.toml": "is protected",
    "CLAUDE.md": "is protected",
    "Notes/claude.md": "is protected",
    "Notes/deep/AGENTS.md": "is protected",
    "lo\u017fs/../Logs/x": '".."',
}


@pytest.mark.parametrize("path", BAD)
def test_a_path_trick_is_refused_with_what_is_wrong_and_what_is_right(tmp_path, files, path):
    with pytest.raises(ParameterError) as refused:
        inside(tmp_path, path)
    assert (BAD[path] in str(refused.value), refused.value.where, "Inbox/" in refused.value.hint) == (
        True,
        "path",
        True,
    )

    for method in (files.write_inside, files.create_inside, files.create_numbered_inside):
        with pytest.raises(ParameterError):
            method(tmp_path, path, b"x")
    assert tree(tmp_path) == {}


@pytest.mark.parametrize(
    "path",
    [
        "Inbox/a.md",
        "a",
        "Notes/2026/Angebot für Müller & Söhne.md",
        "日本/メモ.md",
        "Done notes/x.md",
        "Inbox/Logs/x.md",
    ],
)
def test_an_ordinary_path_is_taken(tmp_path, files, path):
    assert inside(tmp_path, path) == tmp_path / path
    assert files.create_inside(tmp_path, path, b"x") is True
    assert tree(tmp_path) == {path: b"x"}


NOT_EVERYWHERE = (" a.md", "CON", "Notes/nul.md", "com1.txt", "AUX .md", "a.md:stream", "what?.md")


@posix
@pytest.mark.parametrize("path", NOT_EVERYWHERE)
def test_a_file_that_is_there_may_have_a_name_that_some_systems_cannot_have(tmp_path, files, path):
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_bytes(b"x")

    with files.folder_of(tmp_path, path, create=False) as (folder, name), folder.open(name) as file:
        assert (file.read(), inside(tmp_path, path, there=True)) == (b"x", tmp_path / path)


@pytest.mark.parametrize("path", [path for path in BAD if path not in NOT_EVERYWHERE])
def test_a_path_trick_leads_to_no_file_that_is_there(tmp_path, files, path):
    with pytest.raises(ParameterError) as refused, files.folder_of(tmp_path, path, create=False):
        pass
    assert BAD[path] in str(refused.value)


def test_a_path_is_nfc_normalised(tmp_path):
    assert inside(tmp_path, "Cafe\u0301.md") == tmp_path / "Caf\u00e9.md"


def test_what_is_protected_can_be_chosen(tmp_path):
    assert inside(tmp_path, "Logs/x.md", protected=()) == tmp_path / "Logs" / "x.md"
    with pytest.raises(ParameterError, match="no workflow writes to 'Ask me'"):
        inside(tmp_path, "ask me/x.md", protected=[*PROTECTED, "Ask me"])


@posix
@pytest.mark.parametrize("path", ["out/x.md", "file.md", "dangling.md", "loop/x.md", "chain/x.md"])
def test_a_link_that_leaves_the_root_is_refused(tmp_path, files, path):
    root, elsewhere = tmp_path / "vault", tmp_path / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    (elsewhere / "file.md").write_bytes(b"mine")
    (root / "out").symlink_to(elsewhere)
    (root / "chain").symlink_to("out")
    (root / "file.md").symlink_to(elsewhere / "file.md")
    (root / "dangling.md").symlink_to(elsewhere / "new.md")
    (root / "loop").symlink_to("loop")

    with pytest.raises(ParameterError):
        inside(root, path)
    for method in (files.write_inside, files.create_inside, files.create_numbered_inside):
        with pytest.raises(ParameterError):
            method(root, path, b"x")
    assert tree(elsewhere) == {"file.md": b"mine"}


@posix
def test_a_link_within_the_root_may_be_read_through_and_is_not_written_through(tmp_path, files):
    (tmp_path / "Real").mkdir()
    (tmp_path / "alias").symlink_to("Real")

    assert inside(tmp_path, "alias/x.md") == tmp_path / "alias" / "x.md"
    with pytest.raises(ParameterError, match="'alias' is a link: name the folder it leads to"):
        files.write_inside(tmp_path, "alias/x.md", b"x")


@posix
def test_a_link_within_the_root_does_not_lead_to_what_is_protected(tmp_path):
    (tmp_path / "Approved").mkdir()
    (tmp_path / "alias").symlink_to("Approved")

    with pytest.raises(ParameterError, match="is protected"):
        inside(tmp_path, "alias/x.md")


@posix
@pytest.mark.skipif(not HANDLES, reason="needs handles")
def test_a_link_swapped_in_after_the_check_leads_nowhere(tmp_path, monkeypatch):
    root, elsewhere = tmp_path / "vault", tmp_path / "elsewhere"
    (root / "Inbox").mkdir(parents=True)
    elsewhere.mkdir()

    def check_then_swap(*args, **kwargs):
        (root / "Inbox").rename(root / "moved")
        (root / "Inbox").symlink_to(elsewhere)

    monkeypatch.setattr("aie.files.inside", check_then_swap)
    with pytest.raises(ParameterError, match="'Inbox' is a link"):
        Files().write_inside(root, "Inbox/x.md", b"x")

    assert tree(tmp_path) == {}


@posix
@pytest.mark.skipif(not HANDLES, reason="needs handles")
def test_what_is_written_lands_in_the_folder_that_was_opened_though_its_path_was_swapped(tmp_path):
    root, elsewhere = tmp_path / "vault", tmp_path / "elsewhere"
    (root / "Inbox").mkdir(parents=True)
    elsewhere.mkdir()

    with Files().folder_of(root, "Inbox/x.md") as (folder, name):
        (root / "Inbox").rename(root / "moved")
        (root / "Inbox").symlink_to(elsewhere)
        folder.write(name, b"x")

    assert (tree(elsewhere), (root / "moved" / "x.md").read_bytes()) == ({}, b"x")


@posix
def test_an_open_folder_reads_plain_files_only(tmp_path, files):
    (tmp_path / "a.md").write_bytes(b"a")
    os.mkfifo(tmp_path / "pipe")
    with files.folder(tmp_path) as folder:
        with folder.open("a.md") as file:
            assert file.read() == b"a"
        with pytest.raises(OSError, match="not a regular file"):
            folder.open("pipe")
        for name in ("..", "", "a/b"):
            with pytest.raises(ParameterError):
                folder.open(name)


# --- names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Invoice INV/2026/00001", "Invoice INV 2026 00001"),
        ("MORNING_BRIEFING_{{event.data.date}}", "MORNING_BRIEFING_"),
        ('a: b? <c> | [d] #e ^f "g" *h* %%i%%', "a b c d e f g h i"),
        ("  ..hidden.. ", "hidden"),
        ("line one\nline two\tand\u2028three", "line one line two and three"),
        ("zero\u200bwidth \u202egpj", "zerowidth gpj"),
        ("CON", "CON_"),
        ("nul.txt", "nul_.txt"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("", "untitled"),
        ("???", "untitled"),
        ("ä" * 100, "ä" * 60),
        ("x" * 119 + ". y", "x" * 119),
    ],
)
def test_a_safe_name_keeps_what_can_be_kept(text, name):
    assert safe_name(text) == name


@given(st.text(), st.integers(8, 200))
def test_any_text_makes_a_name_that_is_taken_as_a_path_and_stays_the_same(text, max_bytes):
    name = safe_name(text, max_bytes)

    assert path_parts(name) == (name,)
    assert len(name.encode()) <= max_bytes
    assert safe_name(name, max_bytes) == name


@given(st.one_of(st.text(), st.text(alphabet="./\\~:aC \0", max_size=12)))
def test_any_path_is_refused_or_stays_inside(tmp_path_factory, text):
    root = Path("/vault")
    try:
        path = inside(root, text)
    except ParameterError:
        return
    assert os.path.normpath(path) == str(path)
    assert path.is_relative_to(root)
