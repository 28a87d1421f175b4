"""Files that workflows move."""

from __future__ import annotations

import errno
import os
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aie.actions import LookUp
from aie.errors import ActionError, AieError, ParameterError, RetryableError
from aie.files import Files
from aie.testing import Home
from aie_vault.moves import Moves
from aie_vault.moving import MoveFile, move_file
from aie_vault.settings import VaultSettings
from plugins.vault.tests.files import files, put

posix = pytest.mark.skipif(os.name != "posix", reason="such names are there on POSIX only")
OFFER = {"path": "Inbox/offer.pdf", "folder": "Archive/2026"}
MOVED = {"path": "Archive/2026/offer.pdf"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path, "vault", settings={"vault": {"pending": "Waiting"}}) as home:
        put(home, "Inbox/offer.pdf", "an offer")
        yield home


def move(home: Home, **params: Any) -> Any:
    return home.run_action("move_file", params).result


def told(call: Callable[[], object]) -> tuple[type, str, str, str]:
    with pytest.raises(AieError) as caught:
        call()
    error = caught.value
    return type(error), error.message, error.where, error.hint


def test_a_file_goes_to_its_folder_which_is_made(home: Home) -> None:
    assert move(home, **OFFER) == MOVED
    assert files(home) == {"Archive/2026/offer.pdf": "an offer"}


def test_a_file_gets_another_name(home: Home) -> None:
    assert move(home, path="Inbox/offer.pdf", folder="Inbox", name="2026-02-09 offer.pdf") == {
        "path": "Inbox/2026-02-09 offer.pdf"
    }
    assert files(home) == {"Inbox/2026-02-09 offer.pdf": "an offer"}


def test_a_file_that_is_where_it_belongs_stays_there(home: Home) -> None:
    assert move(home, path="Inbox/offer.pdf", folder="Inbox") == {"path": "Inbox/offer.pdf"}
    assert files(home) == {"Inbox/offer.pdf": "an offer"}


def test_a_file_takes_no_other_files_place(home: Home) -> None:
    put(home, "Archive/2026/Offer.pdf", "an older one")

    assert move(home, **OFFER) == {"path": "Archive/2026/offer 2.pdf"}
    assert files(home) == {"Archive/2026/Offer.pdf": "an older one", "Archive/2026/offer 2.pdf": "an offer"}


def test_a_name_that_is_taken_is_an_error_if_the_step_says_so(home: Home) -> None:
    put(home, "Archive/2026/offer.pdf", "an older one")

    assert told(lambda: move(home, **OFFER, if_exists="error")) == (
        ActionError,
        "'Archive/2026/offer.pdf' exists already",
        "name",
        'choose another name or folder, or if_exists "number"',
    )
    assert files(home) == {"Archive/2026/offer.pdf": "an older one", "Inbox/offer.pdf": "an offer"}


def test_a_file_that_is_gone_is_an_error_that_says_where_to_look(home: Home) -> None:
    for path in ("Inbox/letter.pdf", "Letters/letter.pdf"):
        assert told(lambda path=path: move(home, path=path, folder="Archive")) == (
            ActionError,
            f"there is no file {path!r}",
            "path",
            "see whether somebody has moved, renamed or removed it meanwhile",
        )


def test_a_folder_is_not_moved(home: Home) -> None:
    assert told(lambda: move(home, path="Inbox", folder="Archive")) == (
        ActionError,
        "'Inbox' cannot be moved: not a regular file",
        "path",
        "",
    )


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"path": "Pending_Approval/EMAIL_1.md", "folder": "Approved"}, "no workflow writes to 'Pending_Approval'"),
        ({"path": "Waiting/EMAIL_1.md", "folder": "Archive"}, "no workflow writes to 'Waiting'"),
        ({"path": "Inbox/offer.pdf", "folder": "Approved"}, "no workflow writes to 'Approved'"),
        ({"path": "Inbox/offer.pdf", "folder": "Waiting"}, "no workflow writes to 'Waiting'"),
        ({"path": "Inbox/offer.pdf", "folder": "Sales/workflows"}, "no workflow writes to 'workflows'"),
        ({"path": "Inbox/offer.pdf", "folder": "Sales", "name": "aie.toml"}, "no workflow writes to 'aie.toml'"),
        ({"path": "aie.toml", "folder": "Archive"}, "no workflow writes to 'aie.toml'"),
        ({"path": "Logs/audit/2026-02-09.jsonl", "folder": "Archive"}, "no workflow writes to 'Logs'"),
        ({"path": "Inbox/offer.pdf", "folder": "../elsewhere"}, '"..", "." and empty names are not allowed'),
        ({"path": "Inbox/offer.pdf", "folder": "Archive", "name": "../a.pdf"}, "are not allowed"),
        ({"path": "Inbox/offer.pdf", "folder": "Archive", "name": "a/b.pdf"}, "a name has no slash in it"),
        ({"path": "/etc/passwd", "folder": "Archive"}, "is absolute"),
        ({"path": "Waiting./EMAIL_1.md", "folder": "Archive"}, "ending in a dot or blank"),
        ({"path": "aie.toml ", "folder": "Archive"}, "ending in a dot or blank"),
    ],
)
def test_no_workflow_moves_what_is_protected_or_out_of_the_vault(
    home: Home, params: dict[str, str], problem: str
) -> None:
    put(home, "Waiting/EMAIL_1.md", "a request")

    kind, message, _, _ = told(lambda: move(home, **params))

    assert (kind, problem in message) == (ParameterError, True), message
    assert files(home) == {"Inbox/offer.pdf": "an offer", "Waiting/EMAIL_1.md": "a request"}


def test_a_file_behind_a_link_is_not_moved(home: Home, tmp_path: Path) -> None:
    (tmp_path / "private.pdf").write_text("private")
    (home.vault / "Inbox" / "link.pdf").symlink_to(tmp_path / "private.pdf")
    (home.vault / "Sent").symlink_to(home.vault / "Inbox")

    for path in ("Inbox/link.pdf", "Sent/offer.pdf"):
        kind, message, _, _ = told(lambda path=path: move(home, path=path, folder="Archive"))
        assert (kind, "link" in message) == (ParameterError, True), message

    assert ((tmp_path / "private.pdf").read_text(), (home.vault / "Inbox" / "offer.pdf").read_text()) == (
        "private",
        "an offer",
    )


@posix
@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        ("Re: offer.pdf", "Re offer.pdf"),
        ('the "new" offer?.pdf', "the new offer.pdf"),
        (" offer .pdf", "offer.pdf"),
        ("aux.pdf", "aux_.pdf"),
        ("offer.p|f", "offer.p f"),
        ("::", "untitled"),
    ],
)
def test_a_name_that_some_systems_cannot_have_is_taken_and_made_one_that_all_can(
    home: Home, name: str, becomes: str
) -> None:
    put(home, f"Inbox/{name}", "a letter")

    assert move(home, path=f"Inbox/{name}", folder="Archive") == {"path": f"Archive/{becomes}"}
    assert files(home) == {f"Archive/{becomes}": "a letter", "Inbox/offer.pdf": "an offer"}


def test_a_name_is_found_in_whichever_form_its_accents_were_written(home: Home) -> None:
    composed, apart = (unicodedata.normalize(form, "Müller.pdf") for form in ("NFC", "NFD"))
    put(home, f"Inbox/{apart}", "a letter")

    assert move(home, path=f"Inbox/{composed}", folder="Archive") == {"path": f"Archive/{composed}"}
    assert files(home) == {f"Archive/{composed}": "a letter", "Inbox/offer.pdf": "an offer"}


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (
            errno.EXDEV,
            (
                ActionError,
                "'Archive/2026' is on another disk",
                "folder",
                "choose a folder on the disk that the file is on",
            ),
        ),
        (
            errno.ENOSPC,
            (
                RetryableError,
                "'Inbox/offer.pdf' could not be moved: No space left on device",
                "path",
                "free some space on that disk, then start the run again",
            ),
        ),
    ],
)
def test_what_the_disk_refuses_leaves_the_file_where_it_is(
    home: Home, monkeypatch: pytest.MonkeyPatch, number: int, expected: object
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "rename", refuse)

    assert told(lambda: move(home, **OFFER)) == expected
    assert files(home) == {"Inbox/offer.pdf": "an offer"}


# --- after a crash -----------------------------------------------------------------------------------------------


def both_names(home: Home) -> None:
    (home.vault / "Archive" / "2026").mkdir(parents=True)
    os.link(home.vault / "Inbox" / "offer.pdf", home.vault / "Archive" / "2026" / "offer.pdf")


def moved(home: Home) -> None:
    move(home, **OFFER)


def moved_beside_another(home: Home) -> None:
    put(home, "Archive/2026/offer.pdf", "an older one")
    move(home, **OFFER)


def linked_elsewhere(home: Home) -> None:
    """A person has the file in a second place of their own."""
    os.link(home.vault / "Inbox" / "offer.pdf", home.vault / "mine.pdf")


def removed(home: Home) -> None:
    put(home, "Archive/2026/letter.pdf", "a letter")
    (home.vault / "Inbox" / "offer.pdf").unlink()


@pytest.mark.parametrize(
    ("became", "found", "left"),
    [
        (lambda home: None, LookUp(False), {"Inbox/offer.pdf": "an offer"}),
        (both_names, LookUp(True, MOVED), {"Archive/2026/offer.pdf": "an offer"}),
        (moved, LookUp(True, MOVED), {"Archive/2026/offer.pdf": "an offer"}),
        (
            moved_beside_another,
            LookUp(None),
            {"Archive/2026/offer.pdf": "an older one", "Archive/2026/offer 2.pdf": "an offer"},
        ),
        (linked_elsewhere, LookUp(False), {"Inbox/offer.pdf": "an offer", "mine.pdf": "an offer"}),
        (removed, LookUp(None), {"Archive/2026/letter.pdf": "a letter"}),
    ],
)
def test_looking_tells_what_became_of_an_attempt(
    home: Home, became: Callable[[Home], None], found: LookUp, left: dict[str, str]
) -> None:
    became(home)

    assert home.look_up("move_file", OFFER) == found
    assert files(home) == left


def test_looking_never_takes_the_only_name_that_a_file_has_in_the_vault(home: Home, tmp_path: Path) -> None:
    numbered = put(home, "Inbox/offer 2.pdf", "another")
    os.link(numbered, tmp_path / "a second name outside")

    assert home.look_up("move_file", {"path": "Inbox/offer 2.pdf", "folder": "Inbox", "name": "offer.pdf"}) == LookUp(
        False
    )
    assert files(home) == {"Inbox/offer.pdf": "an offer", "Inbox/offer 2.pdf": "another"}


# --- what the watcher hears --------------------------------------------------------------------------------------


def test_whoever_watches_the_vault_hears_of_its_moves_and_of_no_other(home: Home, tmp_path: Path) -> None:
    moves = Moves()
    run = move_file(VaultSettings(), Files(), moves).run
    params = MoveFile.model_validate(OFFER)

    with moves.heard(home.vault) as heard, moves.heard(tmp_path) as elsewhere:
        run(params, home.context("vault"))
        with pytest.raises(ActionError):
            run(params, home.context("vault"))
        assert (list(heard), list(elsewhere)) == ([("Inbox/offer.pdf", "Archive/2026/offer.pdf")], [])

    put(home, "Inbox/offer.pdf", "another")
    (home.vault / "Archive" / "2026" / "offer.pdf").unlink()
    os.link(home.vault / "Inbox" / "offer.pdf", home.vault / "Archive" / "2026" / "offer.pdf")
    with moves.heard(home.vault) as heard:
        assert home.wait_for(move_file(VaultSettings(), Files(), moves).look_up(params, home.context("vault"))).happened
        assert list(heard) == [("Inbox/offer.pdf", "Archive/2026/offer.pdf")]

    put(home, "Inbox/offer.pdf", "another")
    run(params, home.context("vault"))
    with moves.heard(home.vault) as heard:
        assert list(heard) == []
