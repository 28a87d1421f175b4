"""``aie init``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.aie_home import AieHome

SHIPPED = [
    "email_to_calendar", "expense_approval", "invoice_to_email", "morning_automation", "scheduled_linkedin_post",
]  # fmt: skip
FOLDERS = ["workflows/", "Inbox/", "Pending_Approval/", "Approved/", "Rejected/", "Done/", "Logs/"]


@pytest.fixture
def aie(tmp_path: Path) -> AieHome:
    return AieHome(tmp_path)


def test_a_new_vault_has_settings_folders_and_five_workflows(aie: AieHome) -> None:
    record = aie("init", str(aie.vault), "--json").record
    missing = record.pop("missing")
    assert record == {
        "vault": str(aie.vault),
        "made": [str(aie.vault), "aie.toml", *FOLDERS],
        "found": [],
        "workflows": SHIPPED,
        "left": [],
        "adopted": [],
    }
    assert {problem["hint"] for problem in missing} <= {
        "aie plugins install aie-calendar", "aie plugins install aie-gmail", "aie plugins install aie-linkedin"
    }  # fmt: skip
    assert sorted(path.stem for path in (aie.vault / "workflows").iterdir()) == SHIPPED
    assert not aie.state.exists()


def test_a_second_time_changes_nothing(aie: AieHome) -> None:
    aie("init", str(aie.vault))
    before = aie.snapshot()
    record = aie("init", "--json").record
    del record["missing"]
    assert record == {
        "vault": str(aie.vault),
        "made": [],
        "found": [str(aie.vault), "aie.toml", *FOLDERS],
        "workflows": [],
        "left": [],
        "adopted": SHIPPED,
    }
    assert aie.snapshot() == before


def test_a_folder_of_notes_is_adopted_as_it_is(aie: AieHome) -> None:
    own = {
        "workflow_id": "expense_approval", "name": "mine", "trigger_event": "expense_recorded",
        "actions": [{"action_type": "wait", "parameters": {"duration": 0}}],
    }  # fmt: skip
    folder = aie.vault / "integrations" / "workflows"
    folder.mkdir(parents=True)
    (folder / "large.json").write_text(json.dumps(own))
    (aie.vault / "Inbox").mkdir()
    (aie.vault / "Inbox" / "note.md").write_text("mine")
    record = aie("init", str(aie.vault), "--json").record
    assert record["adopted"] == ["expense_approval"]
    assert record["workflows"] == [name for name in SHIPPED if name != "expense_approval"]
    assert json.loads((folder / "large.json").read_text()) == own
    assert (aie.vault / "Inbox" / "note.md").read_text() == "mine"
    said = aie("emit", "expense_recorded", "amount=600", "--json").record
    assert [(run["workflow_id"], run["status"]) for run in said["runs"]] == [("expense_approval", "succeeded")]


def test_a_file_in_the_way_of_a_shipped_workflow_is_left_alone(aie: AieHome) -> None:
    path = aie.vault / "workflows" / "expense_approval.json"
    path.parent.mkdir(parents=True)
    path.write_text("{ not finished")
    record = aie("init", str(aie.vault), "--json").record
    assert record["left"] == ["workflows/expense_approval.json is there and is not the workflow expense_approval"]
    assert path.read_text() == "{ not finished"


def test_settings_that_are_there_are_never_written_over(aie: AieHome) -> None:
    aie.vault.mkdir()
    (aie.vault / "aie.toml").write_text('workflow_folders = ["flows"]\n')
    aie("init", "--no-workflows")
    assert (aie.vault / "aie.toml").read_text() == 'workflow_folders = ["flows"]\n'


def test_no_workflows_leaves_them_out(aie: AieHome) -> None:
    aie("init", str(aie.vault), "--no-workflows")
    assert list((aie.vault / "workflows").iterdir()) == []


def test_the_home_folder_is_refused(aie: AieHome) -> None:
    said = aie("init", str(aie.home), code=2)
    assert "your home folder is too large a vault" in said.err
    assert list(aie.home.iterdir()) == []


def test_a_person_is_told_what_was_made_and_what_to_try(aie: AieHome) -> None:
    lines = aie("init", str(aie.vault)).out.splitlines()
    assert lines[0] == f"The vault {aie.vault}"
    assert lines[-4:] == [
        f"  cd {aie.vault}",
        '  aie emit expense_recorded name="Team lunch" amount=750 date=2026-02-09 --dry-run',
        "  aie start",
        "  aie doctor",
    ]
