"""``aie start``: what it shows, how other commands work beside it, and how it stops."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aie.cli.start import farewell
from aie.config import Config
from tests.aie_home import DEADLINE_S, AieHome, until
from tests.plugin_dists import write_dist

NOTE = {"id": "note", "action_type": "create_file", "parameters": {"path": "Out/a.md", "content": "made"}}
ASK = {"id": "ask", "action_type": "request_approval", "parameters": {"title": "Pay {{ event.data.name }}?"}}
HANGS = """
    import asyncio, time
    from pathlib import Path
    from pydantic import BaseModel
    from aie.actions import ActionHandler, Effect
    from aie.hookspecs import hookimpl
    from aie.sources import EventSource

    class Nothing(BaseModel):
        pass

    def hang(params, context):
        (context.vault / "hangs").write_text("")
        time.sleep(600)

    async def cling(context):
        (context.vault / "clings").write_text("")
        while True:
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                pass

    @hookimpl
    def aie_action_handlers(settings):
        return [ActionHandler(name="hang", params=Nothing, run=hang, effect=Effect.LOCAL, repeatable=True)]

    @hookimpl
    def aie_event_sources(settings):
        return [EventSource(name="hangs.cling", event_types=("x",), run=cling)] if CLINGS else []
"""


@pytest.fixture
def aie(tmp_path: Path) -> AieHome:
    return AieHome(tmp_path).with_vault()


def times_cut(text: str) -> list[str]:
    return [re.sub(r"^\d\d:\d\d:\d\d  ", "", line) for line in text.splitlines()]


def test_it_shows_what_it_watches_and_what_waits(aie: AieHome) -> None:
    (aie.vault / "aie.toml").write_text('[schedules.morning]\ncron = "0 8 * * *"\n')
    aie.workflow("pay", [ASK])
    aie.workflow("off", [NOTE], enabled=False)
    aie.workflow("odd", [{"action_type": "create_fil"}], trigger_event="file_added")
    aie.workflow("bad", [], trigger_event="file_added")
    aie("emit", "expense_recorded", "name=Lunch")
    with aie.started() as running:
        text = running.text()
    assert text.startswith(f"aie is at work in {aie.vault}\nWatching\n")
    assert "core.schedule  morning: 0 8 * * *; the schedules of workflows\n" in text
    assert re.search(r"  next morning: \w\w\w \d{4}-\d\d-\d\d 08:00 CES?T\n", text)
    assert "Workflows: 2 in use, 1 disabled\n" in text
    assert "  odd: no plugin offers the action 'create_fil'\n      → did you mean 'create_file'?\n" in text
    assert f"  not used: {aie.vault}/workflows/bad.json, actions: " in text
    assert "Waiting for your decision: 1   (aie approvals list)\n" in text


def test_one_line_for_each_thing_that_happens(aie: AieHome) -> None:
    aie.workflow("pay", [ASK, NOTE], name="Pay it")
    with aie.started() as running:
        aie("emit", "expense_recorded", "name=Lunch \x1b[31m", "--id", "e1")
        running.says("asks you")
        running.says("done ")
        lines = times_cut(running.text().split("Ctrl-C stops it.\n\n")[1])
        approval_id = lines[2].rsplit("(", 1)[1].strip(")")
        assert lines == [
            "event     expense_recorded from cli (e1)",
            "started   Pay it",
            f"asks you  Pay Lunch \\x1b[31m? ({approval_id})",
            "done      pay / note (create_file)",
        ]


def test_an_emit_beside_it_is_handed_over_and_answered(aie: AieHome) -> None:
    aie.workflow("file_it", [NOTE])
    with aie.started():
        said = aie("emit", "expense_recorded", "--json").record
        assert [(run["workflow_id"], run["status"]) for run in said["runs"]] == [("file_it", "succeeded")]
        assert "handed to the running aie" in aie("emit", "expense_recorded").out
        assert aie("run", "file_it", "a=1", "--json").record["runs"][0]["status"] == "succeeded"
    assert (aie.vault / "Out" / "a.md").read_text() == "made"


def test_an_emit_finishes_what_an_engine_that_was_killed_left(aie: AieHome) -> None:
    aie.workflow("file_it", [{"action_type": "wait", "parameters": {"duration": 1}}, NOTE])
    with aie.started() as running:
        emit = subprocess.Popen(
            [sys.executable, "-m", "aie", "emit", "expense_recorded"],
            cwd=aie.vault,
            env=aie.env,
            stdout=subprocess.PIPE,
        )
        running.says("waits ")
        running.process.kill()
        out, _ = emit.communicate(timeout=DEADLINE_S)
    assert emit.returncode == 0
    assert b"file_it: succeeded" in out
    assert (aie.vault / "Out" / "a.md").read_text() == "made"


def test_a_note_moved_while_it_runs_decides(aie: AieHome) -> None:
    aie.workflow("pay", [{**ASK, "await_approval": True}, NOTE], name="Pay it")
    with aie.started() as running:
        aie("emit", "expense_recorded", "name=Lunch")
        pending = aie.vault / "Pending_Approval"
        note = until(lambda: next(iter(pending.glob("*.md")), None), "the approval note")
        note.rename(aie.vault / "Approved" / note.name)
        running.says("finished  Pay it")
        assert "approved  Pay Lunch?, by " in running.text()
    assert (aie.vault / "Out" / "a.md").exists()


def test_a_workflow_file_that_turns_bad_is_named_and_its_last_version_serves(aie: AieHome) -> None:
    path = aie.workflow("file_it", [NOTE])
    with aie.started() as running:
        path.write_text(path.read_text().replace("action_type", "action_typ"))
        running.says("problem ")
        assert "did you mean 'action_type'?" in running.text()
        assert "its last good version stays in use" in running.text()
        aie.workflow("another", [NOTE])
        running.says("workflow  another is new")
        ran = aie("emit", "expense_recorded", "--json").record["runs"]
        assert [run["workflow_id"] for run in ran] == ["another", "file_it"]


def test_json_is_one_audit_record_per_line(aie: AieHome) -> None:
    aie.workflow("file_it", [NOTE])
    with aie.started("--json") as running:
        aie("emit", "expense_recorded")
        running.says('"workflow_execution"')
        records = [json.loads(line) for line in running.text().splitlines()]
    assert [(record["seq"], record["action"], record["status"]) for record in records] == [
        (1, "event_received", "accepted"),
        (2, "workflow_started", "started"),
        (3, "action_execution", "success"),
        (4, "workflow_execution", "success"),
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_and_says_what_is_open(aie: AieHome, number: int) -> None:
    aie.workflow("pay", [ASK])
    aie.workflow("later", [{"action_type": "wait", "parameters": {"duration": "1h"}}], trigger_event="file_added")
    with aie.started() as running:
        aie("emit", "expense_recorded", "name=Lunch")
        aie("emit", "file_added")
        code, took_s = running.stop(number)
    assert code == 0
    assert took_s < 5
    assert running.text().endswith(
        "\nStopping …\nStopped; nothing is lost. Open: 1 waiting for their time, 1 waiting for you.\n"
    )
    assert running.err.read_text() == ""


def hanging(aie: AieHome, clings: bool) -> None:
    site = aie.root / "site"
    write_dist(site, "aie-hangs", HANGS.replace("CLINGS", str(clings)))
    aie.env["PYTHONPATH"] = str(site)
    aie.workflow("hang", [{"action_type": "hang", "timeout": 300}])


def test_an_action_that_hangs_does_not_keep_it_from_stopping(aie: AieHome) -> None:
    hanging(aie, clings=False)
    with aie.started() as running:
        subprocess.Popen([sys.executable, "-m", "aie", "emit", "expense_recorded"], cwd=aie.vault, env=aie.env,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        until((aie.vault / "hangs").exists, "the action")
        code, took_s = running.stop()
    assert (code, took_s < 5) == (0, True)


def test_a_source_that_will_not_end_is_cut_off(aie: AieHome) -> None:
    hanging(aie, clings=True)
    with aie.started() as running:
        until((aie.vault / "clings").exists, "the source")
        code, took_s = running.stop()
    assert (code, took_s < 5.5) == (0, True)
    assert running.err.read_text() == "Warning: a plugin did not stop in time and was cut off; nothing is lost.\n"


def test_a_second_signal_stops_it_at_once(aie: AieHome) -> None:
    hanging(aie, clings=True)
    with aie.started() as running:
        until((aie.vault / "clings").exists, "the source")
        running.process.send_signal(signal.SIGINT)
        running.says("Stopping …")
        code = running.press(signal.SIGINT)
    assert code == 130
    assert "Stopped at once. What was under way goes on with the next start." in running.err.read_text()


def test_signals_that_come_together_are_one_request(aie: AieHome) -> None:
    """As from a closed terminal, or when a program between it and aie passes on what aie got as well."""
    with aie.started() as running:
        running.process.send_signal(signal.SIGINT)
        code, _ = running.stop(signal.SIGTERM)
    assert (code, running.err.read_text()) == (0, "")
    assert running.text().endswith("\nStopping …\nStopped; nothing is lost. Nothing is open.\n")


def test_only_one_runs_per_state_folder(aie: AieHome) -> None:
    with aie.started() as running:
        said = aie("start", "--json", code=1)
        assert said.record == {
            "error": f"another aie is at work here (process {running.process.pid})",
            "where": str(aie.state),
            "hint": "stop that one first; other commands work beside it",
        }


def test_what_a_plugin_warns_of_is_one_line_on_standard_error(aie: AieHome) -> None:
    (aie.vault / "Inbox").mkdir()
    with aie.started() as running:
        (aie.vault / "Inbox" / "a (conflicted copy 2026-02-09).md").write_text("x")
        until(running.err.read_text, "the warning")
    assert re.fullmatch(r"Warning: Inbox/a .*conflict.*\n", running.err.read_text())


def test_a_journal_that_cannot_be_read_any_more_when_it_has_stopped_is_told_and_no_failure(aie: AieHome) -> None:
    aie.state.mkdir(exist_ok=True)
    (aie.state / "journal.db").write_bytes(b"not a database, " * 512)
    assert farewell(Config.load(aie.vault, aie.env)) == (
        "Stopped; nothing is lost. What is open cannot be told just now: the journal is damaged "
        "(file is not a database); it was left as it is"
    )
