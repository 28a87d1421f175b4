"""``aie runs rerun`` and ``aie runs migrate``, alone and beside a running aie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.aie_home import AieHome, until

ASK = {"id": "ask", "action_type": "request_approval", "parameters": {"title": "Go on?"}, "await_approval": True}
FILE = {
    "id": "file",
    "action_type": "create_file",
    "parameters": {"path": "Out/{{ event.data.name }}.md", "content": "x"},
}


@pytest.fixture
def aie(tmp_path: Path) -> AieHome:
    home = AieHome(tmp_path).with_vault()
    home.workflow("w", [ASK, FILE])
    return home


def runs(aie: AieHome) -> list[dict[str, Any]]:
    return aie("runs", "list", "--json").records


def approve(aie: AieHome) -> None:
    (request,) = aie("approvals", "list", "--json").records
    aie("approvals", "approve", request["approval_id"])


def test_a_failed_run_is_done_again_with_other_data_and_shows_where_it_comes_from(aie: AieHome) -> None:
    aie("emit", "expense_recorded", "amount=1", "--id", "e1")
    approve(aie)
    (failed,) = runs(aie)
    assert (
        f"aie runs rerun {failed['run_id']}   does it again from there\n" in aie("runs", "show", failed["run_id"]).out
    )
    said = aie("runs", "rerun", failed["run_id"], "--set", "event.data.name=Lunch", "--json").record
    assert (said["status"], said["reused"]) == ("succeeded", ["ask"])
    assert (aie.vault / "Out" / "Lunch.md").exists()
    shown = aie("runs", "show", said["run_id"], "--json").record
    assert shown["event"]["data"] == {"amount": 1, "name": "Lunch"}
    assert shown["rerun"] == {
        "of_run": failed["run_id"], "by": shown["rerun"]["by"], "from": None,
        "changed": [{"path": "event.data.name", "before": None, "after": "Lunch"}],
    }  # fmt: skip
    text = aie("runs", "show", said["run_id"]).out
    assert f"  again    {failed['run_id']}, started by " in text
    first = aie("runs", "show", failed["run_id"], "--json").record
    assert (first["rerun"], first["done_again_by"]) == (None, [said["run_id"]])
    assert '  changed  event.data.name: "Lunch", was null\n' in text
    assert aie("why", "e1", "--json").record["workflows"][0]["runs"][1]["again"] is True
    assert aie("audit", "verify", "--json").record["ok"] is True


def test_what_cannot_be_done_again_says_why(aie: AieHome) -> None:
    aie("emit", "expense_recorded", "name=a", "--id", "e1")
    (run,) = runs(aie)
    open_run = aie("runs", "rerun", run["run_id"], "--json", code=1).record
    assert open_run["hint"] == f"let it go on, or end it first: aie runs cancel {run['run_id']}"
    approve(aie)
    through = aie("runs", "rerun", run["run_id"], "--json", code=1).record
    assert through["hint"] == "say which: --from STEP, or --from-start"
    assert aie("runs", "rerun", run["run_id"], "--from", "x", "--json", code=1).record["hint"] == "its steps: ask, file"
    aie("runs", "rerun", run["run_id"], "--from", "x", "--from-start", code=2)
    aie("runs", "rerun", run["run_id"], "--set", "amount", code=2)
    bad = aie("runs", "rerun", run["run_id"], "--from-start", "--set", "amount=2", "--json", code=1).record
    assert bad["error"] == "'amount' cannot be set"


def test_both_work_beside_a_running_aie(aie: AieHome) -> None:
    with aie.started() as running:
        aie("emit", "expense_recorded", "--id", "e1")
        approve(aie)
        (failed,) = runs(aie)
        again = aie("runs", "rerun", failed["run_id"], "--from-start", "--json", code=1).record
        assert again["status"] == "failed", "what was approved is not asked again"
        aie("emit", "expense_recorded", "--id", "e2")
        parked = runs(aie)[0]
        aie.workflow("w", [ASK, {**FILE, "parameters": {"path": "Out/b.md", "content": "moved"}}])
        running.says("w was changed")
        moved = aie("runs", "migrate", parked["run_id"], "--json").record
        assert (moved["status"], moved["definition"] != moved["definition_before"]) == ("asking", True)
        refused = aie("runs", "migrate", parked["run_id"], "--json", code=1).record
        assert refused["error"] == "it has the current definition already"
        approve(aie)
        until((aie.vault / "Out" / "b.md").exists, "the file of the moved run")
        log = (aie.vault / "Logs" / "integrations.log").read_text()
        assert "Doing again: w" in log
        assert "Moved to the workflow as it is now: w" in log


def test_a_note_is_still_good_after_its_run_was_moved(aie: AieHome) -> None:
    aie("emit", "expense_recorded", "--id", "e1")
    aie.workflow("w", [ASK, {**FILE, "parameters": {"path": "Out/b.md", "content": "moved"}}])
    aie("runs", "migrate", runs(aie)[0]["run_id"])
    (note,) = (aie.vault / "Pending_Approval").glob("APPROVAL_*.md")
    note.rename(aie.vault / "Approved" / note.name)
    with aie.started():
        until((aie.vault / "Out" / "b.md").exists, "the file of the moved run")
    assert json.loads(aie("audit", "show", "--action", "approval_decided", "--json").out)["status"] == "approved"
