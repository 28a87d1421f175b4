"""The workflow files: read once, read again when they have changed, and noticed soon however many there are."""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path

from aie.library import GLANCE_FILES, Library
from aie.templates import TemplateCompiler
from tests.stand_ins import workflow


def put(folder: Path, stem: str, workflow_id: str = "", **fields: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.json"
    path.write_text(json.dumps(workflow(workflow_id or stem, {"action_type": "note"}, **fields)), encoding="utf-8")
    return path


def edit_in_place(path: Path, folder: Path, **fields: object) -> None:
    """Change a file so that the time of its folder does not tell."""
    before = folder.stat().st_mtime_ns
    put(path.parent, path.stem, **fields)
    assert folder.stat().st_mtime_ns == before


def settle(library: Library, folder: Path) -> None:
    """Let time pass since the last change of the folder."""
    os.utime(folder, ns=(0, 0))
    assert [library.glance() for _ in range(2)] == [False, False]


def opened(*folders: Path) -> Library:
    library = Library(folders, TemplateCompiler())
    library.refresh()
    return library


def test_a_glance_sees_a_file_come_change_and_go(tmp_path: Path) -> None:
    library = opened(tmp_path)
    settle(library, tmp_path)
    path = put(tmp_path, "w", name="first")
    assert (library.glance(), library.shelf.workflows["w"].name) == (True, "first")
    settle(library, tmp_path)
    edit_in_place(path, tmp_path, name="second one")
    assert (library.glance(), library.shelf.workflows["w"].name) == (True, "second one")
    settle(library, tmp_path)
    path.rename(tmp_path / "v.json")
    assert (library.glance(), library.shelf.workflows["w"].where) == (True, str(tmp_path / "v.json"))
    settle(library, tmp_path)
    (tmp_path / "v.json").unlink()
    assert (library.glance(), dict(library.shelf.workflows)) == (True, {})
    settle(library, tmp_path)


def test_a_glance_sees_a_folder_come_and_go(tmp_path: Path) -> None:
    library = opened(tmp_path / "later")
    put(tmp_path / "later", "w")
    assert (library.glance(), set(library.shelf.workflows)) == (True, {"w"})
    (tmp_path / "later").rename(tmp_path / "gone")
    assert (library.glance(), set(library.shelf.workflows)) == (True, set())


def test_of_very_many_files_each_is_looked_at_within_a_few_glances(tmp_path: Path) -> None:
    names = [f"w{number:04}" for number in range(2 * GLANCE_FILES + 1)]
    for name in names:
        (tmp_path / f"{name}.json").write_text("[]", encoding="utf-8")
    library = opened(tmp_path)
    assert (gc.isenabled(), len(library.shelf.problems)) == (True, len(names))
    settle(library, tmp_path)
    for name in (names[0], names[GLANCE_FILES], names[-1]):
        edit_in_place(tmp_path / f"{name}.json", tmp_path)
        assert any(library.glance() for _ in range(3))
    assert list(library.shelf.workflows) == [names[0], names[GLANCE_FILES], names[-1]]


def test_a_file_that_comes_right_after_a_look_is_seen_by_the_next(tmp_path: Path) -> None:
    library = opened(tmp_path)
    before = tmp_path.stat()
    put(tmp_path, "w")
    os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert library.glance()


def test_a_new_file_is_seen_within_a_minute_where_folders_do_not_tell(tmp_path: Path) -> None:
    library = opened(tmp_path)
    settle(library, tmp_path)
    put(tmp_path, "w")
    os.utime(tmp_path, ns=(0, 0))
    assert sum(library.glance() for _ in range(60)) == 1
    assert set(library.shelf.workflows) == {"w"}


def test_one_changed_file_is_read_again_and_the_others_are_kept(tmp_path: Path) -> None:
    library = opened(tmp_path)
    changed = put(tmp_path, "a")
    put(tmp_path, "b")
    assert library.refresh()
    before = library.shelf
    put(tmp_path, changed.stem, name="another")
    assert library.refresh()
    assert library.shelf.workflows["b"] is before.workflows["b"]
    assert library.shelf.workflows["a"] is not before.workflows["a"]
    assert not library.refresh()


def test_of_two_files_with_one_id_the_first_by_folder_and_name_is_used(tmp_path: Path) -> None:
    put(tmp_path / "workflows-too", "a", "twin")
    put(tmp_path / "workflows", "c", "twin")
    first = put(tmp_path / "workflows", "b", "twin")
    library = opened(tmp_path / "workflows-too", tmp_path / "workflows")
    assert library.shelf.workflows["twin"].where == str(first)
    taken = f"the workflow_id 'twin' is taken by {first}"
    assert [(problem.where, problem.message) for problem in library.shelf.problems] == [
        (str(tmp_path / "workflows" / "c.json"), taken),
        (str(tmp_path / "workflows-too" / "a.json"), taken),
    ]


def test_hidden_files_and_other_files_are_no_workflows_and_a_link_to_nothing_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, ".hidden")
    put(tmp_path, "w")
    (tmp_path / "notes.txt").write_text("{}", encoding="utf-8")
    (tmp_path / "broken.json").symlink_to(tmp_path / "nothing.json")
    library = opened(tmp_path)
    assert (set(library.shelf.workflows), library.shelf.problems) == ({"w"}, ())
