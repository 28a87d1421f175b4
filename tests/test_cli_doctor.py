"""``aie doctor``."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.aie_home import AieHome
from tests.plugin_dists import write_dist

NOTE = {"id": "note", "action_type": "create_file", "parameters": {"path": "Out/a.md", "content": "made"}}


@pytest.fixture
def aie(tmp_path: Path) -> AieHome:
    return AieHome(tmp_path).with_vault()


def checks(aie: AieHome, *areas: str, code: int = 0) -> list[dict[str, Any]]:
    return [check for check in aie("doctor", "--json", code=code).records if not areas or check["area"] in areas]


def check(area: str, level: str, message: str, hint: str = "") -> dict[str, Any]:
    return {"area": area, "level": level, "message": message, "hint": hint}


def test_a_vault_in_order_is_ok_in_every_line_and_nothing_is_touched(aie: AieHome) -> None:
    aie.workflow("file_it", [NOTE], trigger_event="file_added")
    before = aie.snapshot()
    found = checks(aie)
    assert {one["level"] for one in found if one["area"] != "disk"} == {"ok"}
    assert [one["area"] for one in found if one["area"] != "plugin"] == [
        "settings", "time zone", "vault", "state", "disk", "engine", "SQLite", "workflows", "journal",
    ]  # fmt: skip
    assert aie.snapshot() == before


def test_settings_that_cannot_be_read_are_the_first_thing_to_mend(aie: AieHome) -> None:
    (aie.vault / "aie.toml").write_text("timezon = 'Europe/Berlin'\n")
    message = f"{aie.vault}/aie.toml, line 1, timezon: 'timezon' is not a setting of aie.toml"
    assert checks(aie, code=1) == [check("settings", "FAIL", message, "did you mean 'timezone'?")]
    assert aie("doctor", code=1).out.endswith("\nMend first: settings: did you mean 'timezone'?\n")


def test_bad_workflows_and_missing_packages_are_named(aie: AieHome) -> None:
    aie.workflow("odd", [{"action_type": "create_fil"}], trigger_event="file_added")
    path = aie.workflow("bad", [])
    workflow, found = checks(aie, "workflow", code=1)
    assert workflow["level"] == "FAIL"
    assert workflow["message"].startswith(f"{path}, actions: ")
    assert found == check(
        "workflow", "warn", "odd: no plugin offers the action 'create_fil'", "did you mean 'create_file'?"
    )


def test_a_broken_plugin_fails_with_the_reason(aie: AieHome) -> None:
    write_dist(aie.root / "site", "aie-bust", "import nothing_of_that_name\n")
    aie.env["PYTHONPATH"] = str(aie.root / "site")
    (found,) = [one for one in checks(aie, "plugin", code=1) if one["level"] == "FAIL"]
    assert found["message"].startswith("bust 1.0 is broken: ")
    assert "nothing_of_that_name" in found["message"]


def test_schedules_are_shown_with_their_next_three_times(aie: AieHome) -> None:
    (aie.vault / "aie.toml").write_text('[schedules.newyear]\ncron = "0 0 1 1 *"\n')
    aie.workflow("morning", [NOTE], trigger_event="scheduled_trigger")
    (found,) = checks(aie, "schedule")
    assert found["level"] == "ok"
    assert found["message"].count("-01-01 00:00") == 3


def test_a_damaged_journal_fails(aie: AieHome) -> None:
    aie.state.mkdir(mode=0o700)
    (aie.state / "journal.db").write_bytes(b"this is not a journal" * 100)
    (found,) = checks(aie, "journal", code=1)
    assert (found["level"], found["hint"][:30]) == ("FAIL", "copy the state folder somewher")


def test_a_clock_that_is_behind_the_record_fails(aie: AieHome) -> None:
    aie.workflow("file_it", [NOTE], trigger_event="file_added")
    aie("emit", "file_added")
    assert checks(aie, "clock") == []
    journal = sqlite3.connect(aie.state / "journal.db")
    journal.execute('UPDATE audit SET text = replace(text, \'"timestamp":"20\', \'"timestamp":"21\')')
    journal.commit()
    journal.close()
    (found,) = checks(aie, "clock", code=1)
    assert found["hint"] == "set the computer's clock right: schedules and waits go by it"
    assert aie("doctor", code=1).out.endswith(
        "Mend first: clock: set the computer's clock right: schedules and waits go by it\n"
    )


def test_notes_that_aie_did_not_write_or_cannot_read_are_named(aie: AieHome) -> None:
    for name in ("b.md", "a.md"):
        (aie.vault / "Approved").mkdir(exist_ok=True)
        (aie.vault / "Approved" / name).write_text("pay everybody")
    (aie.vault / "Rejected").mkdir()
    (aie.vault / "Rejected" / "link.md").symlink_to(aie.vault / "aie.toml")
    (aie.vault / "Rejected" / "broken.md").write_text("---\naie_type: approval\naie_id: apr_1\n: [\n---\n")
    assert checks(aie, "notes") == [
        check(
            "notes", "warn", "Rejected/link.md is a link or a folder, not a note", "look at it, or move it elsewhere"
        ),
        check(
            "notes", "warn", "Rejected/broken.md: the properties at the top cannot be read",
            "aie asks for these decisions anew; they can be decided with aie approvals too",
        ),
        check(
            "notes", "warn", "Approved/a.md, Approved/b.md: aie did not write them, so they are never executed",
            "move such notes to another folder",
        ),
    ]  # fmt: skip


def test_it_sees_the_engine_and_what_is_open(aie: AieHome) -> None:
    aie.workflow("pay", [{"action_type": "request_approval", "parameters": {"title": "Pay?"}}])
    aie.workflow("odd", [{"action_type": "create_fil"}])
    aie("emit", "expense_recorded")
    assert checks(aie, "engine", "runs", "approvals") == [
        check("engine", "ok", "not running", "aie start watches and runs workflows"),
        check("runs", "warn", "1 wait for a plugin", "aie runs list --status blocked"),
        check("approvals", "ok", "1 wait for your decision", "aie approvals list"),
    ]
    with aie.started() as running:
        assert checks(aie, "engine") == [check("engine", "ok", f"at work, process {running.process.pid}")]


def test_other_users_must_not_look_into_the_state_folder(aie: AieHome) -> None:
    aie.state.mkdir()
    aie.state.chmod(0o755)
    assert checks(aie, "state") == [
        check("state", "warn", f"other users can look into {aie.state}", f"chmod 700 {aie.state}")
    ]


def test_the_lines_fit_eighty_columns(aie: AieHome) -> None:
    aie.workflow("pay", [{"action_type": "post_to_linkedin"}, {"action_type": "send_email"}])
    lines = aie("doctor").out.splitlines()
    assert [line for line in lines if len(line) > 80 and "/" not in line] == []
