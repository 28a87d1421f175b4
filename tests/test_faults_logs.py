"""Logs cannot hurt: whatever becomes of them, and of what aie prints, the work goes on and the records catch up."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.aie_home import DEADLINE_S, AieHome, until

NOTE = {"id": "note", "action_type": "create_file", "parameters": {"path": "Out/a.md", "content": "x"}}
WHOLE = "journal: whole, {0} records\nLogs/audit: whole, {0} records\n"


@pytest.fixture
def aie(tmp_path: Path) -> AieHome:
    aie = AieHome(tmp_path).with_vault()
    aie.workflow("file_it", [NOTE])
    return aie


# --- the log files ----------------------------------------------------------------------------------------------------


def _full(logs: Path) -> None:
    """Their disk is full."""
    logs.mkdir()
    (logs / "integrations.log").symlink_to("/dev/full")
    (logs / "audit").write_text("")


def _a_file(logs: Path) -> None:
    logs.write_text("somebody's own")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        pytest.param(_full, ["[Errno 28] No space left on device", "[Errno 17] File exists"], id="disk full"),
        pytest.param(_a_file, ["[Errno 17] File exists", "[Errno 20] Not a directory"], id="a file in its place"),
    ],
)
def test_logs_that_cannot_be_written_fail_no_run_are_told_once_and_catch_up(
    aie: AieHome, spoil: Callable[[Path], None], told: list[str]
) -> None:
    logs = aie.vault / "Logs"
    spoil(logs)
    said = aie("emit", "expense_recorded", "--json")
    assert said.record["runs"][0]["status"] == "succeeded"
    lines = said.err.splitlines()
    assert sorted(line.split(" failed and is tried again: ")[0] for line in lines) == [
        "Error: the sink core.audit_file", "Error: the sink core.log_file",
    ]  # fmt: skip
    assert all(any(reason in line for reason in told) for line in lines), lines
    if logs.is_dir():
        (logs / "integrations.log").unlink()
        (logs / "audit").unlink()
    else:
        logs.unlink()
    assert aie("emit", "expense_recorded").err == ""
    assert len((logs / "integrations.log").read_text().splitlines()) == 8
    assert aie("audit", "verify").out == WHOLE.format(8)


def test_logs_that_are_deleted_while_aie_is_at_work_are_made_again(aie: AieHome) -> None:
    logs = aie.vault / "Logs"
    with aie.started() as running:
        aie("emit", "expense_recorded")
        until(lambda: any(path.stat().st_size for path in logs.rglob("*.jsonl")), "records in the audit file")
        for path in sorted(logs.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        logs.rmdir()
        aie("emit", "expense_recorded")
        until(lambda: len(list(logs.rglob("*.jsonl"))), "the audit file again")
        assert running.stop()[0] == 0
    verified = aie("audit", "verify", code=1).out
    assert "journal: whole, 8 records\n" in verified, "the journal has them all"
    assert "records 1 to 4 are missing" in verified


# --- what is printed --------------------------------------------------------------------------------------------------


def test_who_stops_reading_what_aie_start_prints_does_not_stop_the_work(aie: AieHome) -> None:
    err = aie.root / "start.err"
    with err.open("wb") as stderr:
        running = subprocess.Popen([*aie.command, "start"], cwd=aie.vault, env=aie.env,
                                   stdout=subprocess.PIPE, stderr=stderr)  # fmt: skip
        assert running.stdout is not None
        while running.stdout.readline() != b"Ctrl-C stops it.\n":
            pass
        running.stdout.close()  # as head does
        for _ in range(2):
            said = aie("emit", "expense_recorded", "--json")
            assert said.record["runs"][0]["status"] == "succeeded"
        told = "Warning: what aie start prints cannot be written any more ([Errno 32] Broken pipe); it works on\n"
        until(lambda: err.read_text() == told, "the warning, once")
        running.send_signal(signal.SIGTERM)
        assert running.wait(DEADLINE_S) == 0
    assert err.read_text() == told


@pytest.mark.parametrize(
    ("closed", "words", "code"),
    [
        ((2,), ("emit", "unheard_of"), 2),
        ((0, 1, 2), ("emit", "expense_recorded"), 0),
    ],
)
def test_a_command_does_its_work_where_the_standard_files_are_closed(
    aie: AieHome, closed: tuple[int, ...], words: tuple[str, ...], code: int
) -> None:
    close = "import os, sys; numbers = map(int, sys.argv.pop(1).split(',')); [os.close(number) for number in numbers];"
    run = "os.execv(sys.executable, [sys.executable, '-m', 'aie', *sys.argv[1:]])"
    aie.command = [sys.executable, "-c", f"{close} {run}", ",".join(map(str, closed))]
    assert aie(*words, code=code).out == ""
    aie.command = [sys.executable, "-m", "aie"]
    assert len(aie("runs", "list", "--json").records) == (0 if code else 1)
    if not code:
        assert (aie.vault / "Out" / "a.md").read_text() == "x"


def test_a_locale_without_umlauts_loses_none(aie: AieHome) -> None:
    asks = {"action_type": "request_approval", "parameters": {"title": "Grüße 😀 {{ event.data.name }}"}}
    aie.workflow("ask", [asks])
    aie.env |= {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    aie.env.pop("LANG", None)
    with aie.started() as running:
        assert "Grüße 😀 Jörg" in aie("emit", "expense_recorded", "name=Jörg").out
        running.says("asks you  Grüße 😀 Jörg")
        until(lambda: list((aie.vault / "Pending_Approval").glob("APPROVAL_*.md")), "the note of the request")
        assert running.stop()[0] == 0
        assert running.err.read_text() == ""
    assert aie("approvals", "list", "--json").record["title"] == "Grüße 😀 Jörg"
    assert "Grüße 😀 Jörg" in (aie.vault / "Logs" / "integrations.log").read_text(encoding="utf-8")


def test_a_subject_that_is_no_text_is_refused_with_what_to_do(aie: AieHome) -> None:
    assert aie("emit", "expense_recorded", "name=J\udcffrg", code=1).err == (
        "Error: name holds half of a surrogate pair, which is not text\n  Where: data\n  Next:  write it in UTF-8\n"
    )
