"""``aie events``, ``aie runs`` and ``aie audit``: looking at what happened."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from pathlib import Path

import pytest

from aie.audit import GENESIS, audit_line, seal
from aie.cli.audit_filter import COLUMNS, as_csv
from tests.aie_home import AieHome

NOTE = {"id": "note", "action_type": "create_file", "parameters": {"path": "Out/a.md", "content": "made"}}
ASK = {"id": "ask", "action_type": "request_approval", "parameters": {"title": "Pay {{ event.data.name }}?"}}


@pytest.fixture(scope="module")
def aie(tmp_path_factory: pytest.TempPathFactory) -> AieHome:
    """A vault where something happened; its tests only look."""
    home = AieHome(tmp_path_factory.mktemp("review")).with_vault()
    home.workflow("file_it", [NOTE])
    home.workflow("pay", [ASK, NOTE], trigger_condition="event.data.amount > 500")
    home("emit", "expense_recorded", "amount=20", "--id", "small-1")
    home("emit", "expense_recorded", "amount=750", "name=Lunch", "--id", "large-1")
    home("emit", "file_added", "--id", "other-1")
    return home


def runs(aie: AieHome, *words: str) -> list[tuple[str, str]]:
    return [(run["workflow_id"], run["status"]) for run in aie("runs", "list", "--json", *words).records]


def test_events_are_listed_newest_first(aie: AieHome) -> None:
    listed = aie("events", "list", "--json").records
    assert [(event["event_id"], event["runs"]) for event in listed] == [("other-1", 0), ("large-1", 2), ("small-1", 1)]
    assert [event["event_id"] for event in aie("events", "list", "--limit", "1", "--json").records] == ["other-1"]
    typed = aie("events", "list", "--type", "expense_recorded", "--json").records
    assert [event["event_id"] for event in typed] == ["large-1", "small-1"]


def test_an_event_shows_its_data_its_runs_and_why_others_do_not_start(aie: AieHome) -> None:
    shown = aie("events", "show", "small", "--json").record
    assert shown["data"] == {"amount": 20}
    assert [run["workflow_id"] for run in shown["runs"]] == ["file_it"]
    assert shown["not_started_as_of_now"] == [
        {"workflow_id": "pay", "reason": "its condition is false", "saw": {"event.data.amount": 20}}
    ]
    text = aie("events", "show", "cli/small-1").out
    assert "pay: its condition is false\n      saw event.data.amount = 20\n" in text


def test_an_event_that_is_not_there_is_told(aie: AieHome) -> None:
    assert aie("events", "show", "nothing", "--json", code=1).record == {
        "error": "no event has the id 'nothing'",
        "where": "EVENT",
        "hint": "aie events list shows the events",
    }


def test_an_id_of_something_else_is_told_where_it_belongs(aie: AieHome) -> None:
    said = [
        aie(*words, "--json", code=1).record
        for words in (
            ["why", "run_1m8apk7dfv4wrd2ht"],
            ["runs", "show", "evt_1m8apk6y89c768snk"],
            ["approvals", "approve", "run_1m8apk7dfv4wrd2ht"],
        )
    ]
    assert said == [
        {
            "error": "no event has the id 'run_1m8apk7dfv4wrd2ht'",
            "where": "EVENT",
            "hint": "it looks like the id of a run: aie runs show run_1m8apk7dfv4wrd2ht",
        },
        {
            "error": "no run has the id 'evt_1m8apk6y89c768snk'",
            "where": "RUN",
            "hint": "it looks like the id of an event: aie events show evt_1m8apk6y89c768snk",
        },
        {
            "error": "'run_1m8apk7dfv4wrd2ht' is not the id of a request",
            "where": "id",
            "hint": "it looks like the id of a run: aie runs show run_1m8apk7dfv4wrd2ht",
        },
    ]


def test_runs_are_listed_newest_first_and_filtered(aie: AieHome) -> None:
    assert runs(aie) == [("pay", "asking"), ("file_it", "succeeded"), ("file_it", "succeeded")]
    assert runs(aie, "--workflow", "pay") == [("pay", "asking")]
    assert runs(aie, "--status", "succeeded", "--limit", "1") == [("file_it", "succeeded")]
    lines = aie("runs", "list").out.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d  pay       waits for you  run_\w{17}", lines[1].rstrip())


def test_a_run_shows_each_step_and_what_to_do_next(aie: AieHome) -> None:
    (run,) = aie("runs", "list", "--workflow", "pay", "--json").records
    shown = aie("runs", "show", run["run_id"], "--json").record
    assert {key: shown[key] for key in run} == run
    assert shown["event"]["event_id"] == "large-1"
    assert [(step["step_id"], step["action_type"], step["status"]) for step in shown["steps"]] == [
        ("ask", "request_approval", "asked"),
        ("note", "create_file", "succeeded"),
    ]
    approval_id = shown["steps"][0]["approval_id"]
    assert shown["waits_for"] == [{"step_id": "ask", "approval_id": approval_id, "title": "Pay Lunch?"}]
    text = aie("runs", "show", run["run_id"][-6:]).out
    assert "ask  request_approval: waits for you\n" in text
    assert text.endswith(
        f"Next:\n  aie approvals approve {approval_id}   (or reject)\n  aie start goes on with it; it is not running\n"
    )


def test_an_id_that_fits_several_runs_lists_them(aie: AieHome) -> None:
    said = aie("runs", "show", "run_", "--json", code=2).record
    assert said["error"].startswith("3 runs answer to 'run_':\n    run_")
    assert said["hint"] == "give more of the id"


def test_audit_records_are_shown_oldest_first_and_filtered(aie: AieHome) -> None:
    records = aie("audit", "show", "--json").records
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    decided = aie("audit", "show", "--action", "approval_requested", "--json").records
    assert [record["details"]["title"] for record in decided] == ["Pay Lunch?"]
    of_run = aie("audit", "show", "--run", decided[0]["run_id"], "--json").records
    assert {record["run_id"] for record in of_run} == {decided[0]["run_id"]}
    assert [record["seq"] for record in aie("audit", "show", "--limit", "2", "--json").records] == [
        len(records) - 1,
        len(records),
    ]


def test_audit_records_are_found_by_time_and_by_who_did_it(aie: AieHome) -> None:
    everything = aie("audit", "show", "--json").records
    assert aie("audit", "show", "--since", "1h", "--until", "2999-01-01", "--json").records == everything
    assert aie("audit", "show", "--until", "2020-01-01", "--json").records == []
    middle = everything[2]["timestamp"]
    since = aie("audit", "show", "--since", middle, "--json").records
    assert since == [record for record in everything if record["timestamp"] >= middle]
    until = aie("audit", "show", "--until", middle, "--limit", "2", "--json").records
    assert until == [record for record in everything if record["timestamp"] <= middle][-2:]
    by_cli = aie("audit", "show", "--actor", "CLI", "--json").records
    assert [record["action"] for record in by_cli] == ["event_received"] * 3
    assert aie("audit", "show", "--person", "nobody").out == "No such records.\n"
    assert aie("audit", "show", "--since", "yesterday", "--json", code=2).record["where"] == "--since"


def test_audit_records_are_exported_as_json_and_csv(aie: AieHome, tmp_path: Path) -> None:
    everything = aie("audit", "show", "--json").records
    assert json.loads(aie("audit", "export", "-", "--format", "json").out) == everything
    said = aie("audit", "export", str(tmp_path / "a.csv"), "--action", "event_received", "--json").record
    assert said == {"file": str(tmp_path / "a.csv"), "format": "csv", "records": 3}
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["seq"], row["target"], json.loads(row["details"])["event_id"]) for row in rows] == [
        (str(one["seq"]), one["target"], one["details"]["event_id"])
        for one in everything
        if one["action"] == "event_received"
    ]
    assert json.loads(aie("audit", "export", "-", "--format", "json", "--until", "2020-01-01").out) == []
    assert aie("audit", "export", "/nowhere/at/all.csv", "--json", code=2).record["where"] == "FILE"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_of_an_export_is_a_formula(text: str) -> None:
    record = seal({"timestamp": "2026-02-09T17:30:00.000+00:00", "actor": text, "error": f"no {text}"}, 1, GENESIS)
    _, line = as_csv([record])
    (row,) = csv.DictReader(io.StringIO(line, newline=""), COLUMNS)
    assert (row["actor"], row["error"]) == (f"'{text}", f"no {text}")


def test_looking_at_a_vault_where_nothing_happened(tmp_path: Path) -> None:
    empty = AieHome(tmp_path).with_vault()
    assert empty("events", "list").out == "Nothing has happened yet. Try: aie emit\n"
    assert empty("runs", "list").out == "Nothing has run yet. Try: aie emit, or aie start\n"
    assert empty("audit", "show").out == "Nothing is on record yet.\n"
    assert empty("audit", "verify", "--json").record == {"ok": True, "records": 0, "problems": []}
    assert not empty.state.exists()


# --- verify -------------------------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> AieHome:
    """A vault with four records, to be tampered with."""
    home = AieHome(tmp_path).with_vault()
    home.workflow("file_it", [NOTE])
    home("emit", "expense_recorded")
    return home


def log(aie: AieHome) -> Path:
    (path,) = (aie.vault / "Logs" / "audit").glob("*.jsonl")
    return path


def problems(aie: AieHome) -> list[tuple[str, str]]:
    said = aie("audit", "verify", "--json", code=1).record
    return [(problem["place"], problem["problem"]) for problem in said["problems"]]


def test_a_record_that_nobody_touched_is_whole(own: AieHome) -> None:
    assert own("audit", "verify", "--json").record == {"ok": True, "records": 4, "problems": []}
    assert own("audit", "verify").out == "journal: whole, 4 records\nLogs/audit: whole, 4 records\n"


def test_a_changed_line_is_found(own: AieHome) -> None:
    path = log(own)
    path.write_text(path.read_text().replace('"accepted"', '"rejected"'))
    assert problems(own) == [("Logs/audit", f"{path.name} line 1: record 1 was changed: its hash does not fit it")]


def test_a_cut_tail_is_found(own: AieHome) -> None:
    path = log(own)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    assert problems(own) == [("Logs/audit", "records 3 to 4 are missing at the end: they were written once")]


def test_a_file_that_was_taken_away_is_found(own: AieHome) -> None:
    log(own).unlink()
    assert problems(own) == [("Logs/audit", "records 1 to 4 are missing at the end: they were written once")]


def test_a_day_that_was_taken_away_is_found(own: AieHome) -> None:
    path = log(own)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[2:]))
    earlier = path.with_name("2020-01-01.jsonl")
    earlier.write_text("".join(lines[:2]))
    assert own("audit", "verify", "--json").record["ok"] is True
    earlier.unlink()
    assert problems(own) == [("Logs/audit", f"records 1 to 2 are missing, before {path.name} line 1")]


def test_a_line_that_was_taken_out_is_found(own: AieHome) -> None:
    path = log(own)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:1] + lines[2:]))
    assert problems(own) == [("Logs/audit", f"record 2 is missing, before {path.name} line 2")]


def test_a_chain_made_anew_is_found_by_the_journal(own: AieHome) -> None:
    path = log(own)
    digest, lines = GENESIS, []
    for line in path.read_text().splitlines():
        fields = json.loads(line)
        seq = fields.pop("seq")
        del fields["prev"], fields["hash"]
        record = seal({**fields, "actor": "somebody"}, seq, digest)
        digest = record.hash
        lines.append(audit_line(record) + "\n")
    path.write_text("".join(lines))
    assert problems(own) == [("Logs/audit", "the last record, 4, is not the journal's")]


def test_a_changed_journal_is_found(own: AieHome) -> None:
    connection = sqlite3.connect(own.state / "journal.db")
    connection.execute("UPDATE audit SET text = replace(text, 'accepted', 'rejected') WHERE seq = 1")
    connection.commit()
    connection.close()
    assert problems(own) == [("journal", "journal, record 1: record 1 was changed: its hash does not fit it")]


def test_a_running_aie_can_be_verified(own: AieHome) -> None:
    with own.started():
        for number in range(3):
            own("emit", "expense_recorded", f"number={number}")
            assert own("audit", "verify", "--json").record["ok"] is True
