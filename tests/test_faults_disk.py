"""Full and read-only disks: nothing is half written, nothing is lost, and work goes on when it can."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aie_home import DEADLINE_S, AieHome, until
from tests.plugin_dists import write_dist
from tests.small_disk import small_disk

NOTE = {
    "id": "note",
    "action_type": "create_file",
    "parameters": {"path": "Out/{{ event.event_id }}.md", "content": "x"},
}
HOLD = """
    import time
    from pydantic import BaseModel
    from aie.actions import ActionHandler, Effect
    from aie.hookspecs import hookimpl

    class Nothing(BaseModel):
        pass

    def hold(params, context):
        (context.vault / "holding").write_text("")
        while not (context.vault / "go").exists():
            time.sleep(0.01)

    @hookimpl
    def aie_action_handlers(settings):
        return [ActionHandler(name="hold", params=Nothing, run=hold, effect=Effect.LOCAL, repeatable=True)]
"""


@pytest.fixture
def aie(tmp_path: Path) -> AieHome:
    return AieHome(tmp_path).with_vault()


def start(aie: AieHome, *words: str) -> subprocess.Popen[str]:
    """A command that is not waited for."""
    return subprocess.Popen(
        [*aie.command, *words],
        cwd=aie.vault,
        env=aie.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def full(aie: AieHome) -> str:
    return (
        "Error: the disk is full; nothing was recorded\n"
        f"  Where: {aie.state}/journal.db\n"
        "  Next:  free some space, then try again\n"
    )


def test_a_full_state_disk_stops_intake_loses_nothing_and_goes_on_without_a_restart(aie: AieHome) -> None:
    write_dist(aie.root / "site", "aie-hold", HOLD)
    aie.env["PYTHONPATH"] = str(aie.root / "site")
    aie.workflow("hold", [{"id": "hold", "action_type": "hold"}, NOTE], trigger_event="file_added")
    aie.workflow("file_it", [NOTE])
    with small_disk(aie, aie.state) as disk, aie.started() as running:
        in_flight = start(aie, "emit", "file_added", "--id", "in_flight", "--json")
        until((aie.vault / "holding").exists, "the action")

        disk.fill()
        refused = aie("emit", "expense_recorded", "--id", "refused", f"text={'x' * 8000}", code=1)
        assert (refused.out, refused.err) == ("", full(aie))
        assert aie("runs", "list", "--json").record["status"] == "running", "looking needs no space"
        (aie.vault / "go").touch()
        words = (
            f"Error: {aie.state}/journal.db: the disk is full; nothing was recorded; free some space, then try again."
        )
        until(lambda: words in running.err.read_text(), "the warning")

        disk.free()
        out, err = in_flight.communicate(timeout=DEADLINE_S)
        assert [run["status"] for run in json.loads(out)["runs"]] == ["succeeded"], err
        assert aie("emit", "expense_recorded", "--id", "after", "--json").record["runs"][0]["status"] == "succeeded"
        assert "Warning: the journal can be written again\n" in running.err.read_text()
        assert running.stop()[0] == 0

        assert [event["event_id"] for event in aie("events", "list", "--json").records] == ["after", "in_flight"]
        assert sorted(path.name for path in (aie.vault / "Out").iterdir()) == ["after.md", "in_flight.md"]
        assert aie("audit", "verify").out == "journal: whole, 9 records\nLogs/audit: whole, 9 records\n"


def test_a_full_vault_disk_fails_the_step_with_advice_and_the_records_catch_up(tmp_path: Path) -> None:
    aie = AieHome(tmp_path)
    with small_disk(aie, aie.vault) as disk:
        (aie.vault / "aie.toml").write_text("")
        aie.workflow("file_it", [{**NOTE, "retry_count": 0}])
        aie("emit", "expense_recorded", "--id", "before")
        disk.fill()
        said = aie("emit", "expense_recorded", "--id", "full", code=1)
        assert "file_it: failed" in said.out
        assert "step note: 'Out/full.md' could not be written: No space left on device\n" in said.out
        assert "→ free some space on that disk, then start the run again\n" in said.out
        assert (
            "Error: the sink core.audit_file failed and is tried again: [Errno 28] No space left on device" in said.err
        )
        assert not list((aie.vault / "Out").glob(".aie-*")), "nothing half written is left"
        disk.free()
        aie("emit", "expense_recorded", "--id", "after")
        assert sorted(path.name for path in (aie.vault / "Out").iterdir()) == ["after.md", "before.md"]
        assert aie("audit", "verify").out == "journal: whole, 12 records\nLogs/audit: whole, 12 records\n"


# --- read-only and out of reach ---------------------------------------------------------------------------------------

# Root may write anywhere; without this capability, permissions count for it as for everybody else.
WITHOUT_POWER = """
import ctypes, os, sys
if os.geteuid() == 0:
    for capability in (1, 2, 3):  # DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER
        assert ctypes.CDLL(None, use_errno=True).prctl(24, capability, 0, 0, 0) == 0  # PR_CAPBSET_DROP, kept by exec
os.execv(sys.executable, [sys.executable, "-m", "aie", *sys.argv[1:]])
"""


@pytest.fixture
def mortal(aie: AieHome) -> Iterator[AieHome]:
    aie.workflow("file_it", [NOTE])
    aie("emit", "expense_recorded", "--id", "before")
    aie.command = [sys.executable, "-I", "-c", WITHOUT_POWER]
    yield aie
    aie.state.chmod(0o700)


def together(aie: AieHome, *commands: str) -> list[tuple[int, str, str]]:
    """What each of the commands ended with and said, all run at once."""
    running = [start(aie, *command.split()) for command in commands]
    return [(process.wait(DEADLINE_S), *process.communicate(timeout=DEADLINE_S)) for process in running]


def error(what: str, where: Path, hint: str) -> str:
    return f"Error: {what}\n  Where: {where}\n  Next:  {hint}\n"


def doctors_word(said: tuple[int, str, str]) -> str:
    """The first thing that the doctor finds wrong."""
    code, out, err = said
    assert (code, err) == (1, "")
    checks = [json.loads(line) for line in out.splitlines()]
    return next(str(check["message"]) for check in checks if check["level"] == "FAIL")


def test_a_state_folder_out_of_reach_is_refused_with_advice_and_read_where_it_can_be(mortal: AieHome) -> None:
    commands = "emit expense_recorded", "runs list", "doctor --json"
    reach = "check its permissions and its disk, or set AIE_STATE_DIR to a folder of yours"
    look = "check who owns the state folder and its permissions, or set AIE_STATE_DIR to a folder of yours"

    mortal.state.chmod(0o500)  # it may not be written
    emit, listed, doctor = together(mortal, *commands)
    assert emit[:2] == (1, "")
    assert emit[2].startswith("Error: the journal cannot be opened or written\n"), emit
    assert f"  Where: {mortal.state}/journal.db\n  Next:  check the" in emit[2]
    assert (listed[0], listed[1].count("succeeded")) == (0, 1)
    assert doctors_word(doctor) == f"{mortal.state} cannot be written"

    mortal.state.chmod(0)  # it may not be entered
    emit, listed, doctor = together(mortal, *commands)
    assert emit == (1, "", error("the state folder cannot be used: Permission denied", mortal.state, reach))
    hidden = error("the journal cannot be looked at: Permission denied", mortal.state / "journal.db", look)
    assert listed == (1, "", hidden)
    assert doctors_word(doctor) == f"{mortal.state} cannot be written"

    mortal.state.chmod(0o700)
    journal = mortal.state / "journal.db"
    journal.chmod(0o400)  # the one file may not be written
    emit, listed, doctor = together(mortal, *commands)
    assert (emit[0], emit[1], emit[2].count("\n  Next:  ")) == (1, "", 1)
    assert listed[0] == 0
    assert doctors_word(doctor) == f"{journal} cannot be written"


def test_losing_the_permissions_while_at_work_is_told_and_recovered_from(mortal: AieHome) -> None:
    with mortal.started() as running:
        mortal.state.chmod(0)
        hint = "check who owns the state folder and its permissions, or set AIE_STATE_DIR to a folder of yours"
        told = (
            f"Error: {mortal.state}/journal.db: the journal cannot be looked at: Permission denied; {hint}. "
            "Work goes on, but other commands cannot reach it\n"
        )
        until(lambda: running.err.read_text() == told, "the warning")
        mortal.state.chmod(0o700)
        again = f"{told}Warning: the journal can be looked at again\n"
        until(lambda: running.err.read_text() == again, "the end of it")
        assert mortal("emit", "expense_recorded", "--json").record["runs"][0]["status"] == "succeeded"
        assert running.stop()[0] == 0


def test_a_file_where_the_state_folder_should_be_is_told(aie: AieHome) -> None:
    aie.workflow("file_it", [NOTE])
    aie.state.write_text("not a folder")
    assert aie("emit", "expense_recorded", code=1).err == error(
        "the state folder cannot be used: File exists",
        aie.state,
        "check its permissions and its disk, or set AIE_STATE_DIR to a folder of yours",
    )
