"""Being stopped, at any moment and in any way: it ends in time, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import apsw
import pytest

from aie.cli import watchdog
from aie.cli.watchdog import Watchdog
from aie.history import History
from aie.journal_file import look, refuse_damage
from tests.aie_home import DEADLINE_S, AieHome, Started, until
from tests.plugin_dists import write_dist
from tests.small_disk import small_disk

OUT = {"path": "Out/{{ event.event_id }}.md", "content": "x"}
NOTE = {"id": "note", "action_type": "create_file", "parameters": OUT}
WAIT = {"action_type": "wait", "parameters": {"duration": "1h"}}
ODD = """
    import time
    from pydantic import BaseModel
    from aie.actions import ActionHandler, Effect
    from aie.hookspecs import hookimpl
    from aie.records import AuditSink

    class Nothing(BaseModel):
        pass

    def hold(params, context):
        (context.vault / "holding").write_text("")
        while not (context.vault / "go").exists():
            time.sleep(0.01)

    async def block(params, context):
        (context.vault / "blocking").write_text("")
        time.sleep(600)

    def write(records, context):
        if (context.vault / "hang").exists():
            (context.vault / "hanging").write_text("")
            time.sleep(600)

    def action(name, run):
        return ActionHandler(name=name, params=Nothing, run=run, effect=Effect.LOCAL, repeatable=True)

    @hookimpl
    def aie_action_handlers(settings):
        return [action("hold", hold), action("block", block)]

    @hookimpl
    def aie_audit_sinks(settings):
        return [AuditSink(name="slow", write=write)]
"""


def home(root: Path) -> AieHome:
    aie = AieHome(root).with_vault()
    write_dist(aie.root / "site", "aie-odd", ODD)
    aie.env["PYTHONPATH"] = str(aie.root / "site")
    aie.workflow("file_it", [NOTE], trigger_event="file_added")
    aie.workflow("hold", [{"id": "hold", "action_type": "hold"}, NOTE])
    aie.workflow("wait", [WAIT, NOTE], trigger_event="email_received")
    aie.workflow("block", [{"id": "block", "action_type": "block"}], trigger_event="invoice_created")
    return aie


@pytest.fixture
def aie(tmp_path: Path) -> AieHome:
    return home(tmp_path)


def begin(aie: AieHome, event_type: str) -> subprocess.Popen[bytes]:
    """Hand in an event and wait for nothing."""
    return subprocess.Popen([*aie.command, "emit", event_type], cwd=aie.vault, env=aie.env,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip


# --- each phase -------------------------------------------------------------------------------------------------------


def test_it_stops_in_time_whatever_it_is_doing(tmp_path: Path) -> None:
    """All at once, each in a house of its own: the slowest takes as long as the longest that stopping may take."""
    with ExitStack() as stack:

        def at_work(name: str) -> tuple[AieHome, Started]:
            aie = home(tmp_path / name)
            return aie, stack.enter_context(aie.started())

        calling, waiting, delivering = at_work("calling"), at_work("waiting"), at_work("delivering")
        full = home(tmp_path / "committing")
        disk = stack.enter_context(small_disk(full, full.state, kind="stand-in"))
        committing = full, stack.enter_context(full.started())
        (delivering[0].vault / "hang").touch()
        asking = [begin(house[0], "expense_recorded") for house in (calling, committing)]
        begin(delivering[0], "file_added")
        waiting[0]("emit", "email_received")
        until((calling[0].vault / "holding").exists, "the call")
        until((delivering[0].vault / "hanging").exists, "the sink")
        until((full.vault / "holding").exists, "the call before the disk is full")
        disk.fill()
        (full.vault / "go").touch()
        until(lambda: "All runs wait" in committing[1].err.read_text(), "the full disk")

        began = time.monotonic()
        processes = [running.process for _, running in (calling, waiting, delivering, committing)]
        for process in processes:
            process.send_signal(signal.SIGTERM)
        ended = [(process.wait(DEADLINE_S), time.monotonic() - began) for process in processes]
        assert [code for code, _ in ended] == [0, 0, 0, 0]
        assert max(took_s for _, took_s in ended) < 5.5
        assert "Open: 1 waiting for their time.\n" in waiting[1].text()
        assert "a plugin did not stop in time and was cut off; nothing is lost" in delivering[1].err.read_text()

        # Whoever had asked takes the engine's place, and what was under way goes on.
        disk.free()
        (calling[0].vault / "go").touch()
        assert [process.wait(DEADLINE_S) for process in asking] == [0, 0]
    for aie in (calling[0], committing[0], delivering[0]):
        assert len(list((aie.vault / "Out").glob("*.md"))) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_being_stopped_while_it_opens_the_journal_is_clean(tmp_path: Path, number: signal.Signals) -> None:
    aie = AieHome(tmp_path).with_vault()
    process = subprocess.Popen([*aie.command, "start"], cwd=aie.vault, env=aie.env,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8")  # fmt: skip
    until((aie.state / "engine.lock").exists, "the lock, which comes before the journal")
    process.send_signal(number)
    _, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, err) == (0, "")
    if (aie.state / "journal.db").exists():
        refuse_damage(aie.state / "journal.db")


# --- ways to be stopped -----------------------------------------------------------------------------------------------


def test_an_action_that_blocks_everything_is_named_and_a_second_signal_ends_it(aie: AieHome) -> None:
    with aie.started() as running:
        begin(aie, "invoice_created")
        until((aie.vault / "blocking").exists, "the action")
        running.process.send_signal(signal.SIGTERM)
        until(lambda: _sleeps(running.process.pid), "the signal to be taken")
        began = time.monotonic()
        code = running.press(signal.SIGTERM)
    assert (code, time.monotonic() - began < 1) == (130, True)
    assert running.err.read_text().endswith("Stopped at once. What was under way goes on with the next start.\n")


def _sleeps(pid: int) -> bool:
    """Whether no signal waits to be delivered to the process any more."""
    return "ShdPnd:\t0000000000000000" in Path(f"/proc/{pid}/status").read_text() if sys.platform == "linux" else True


def test_what_holds_up_the_event_loop_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(watchdog, "STUCK_S", 0.1)
    monkeypatch.setattr(watchdog, "PULSE_S", 0.05)

    async def main() -> None:
        with Watchdog() as dog:
            dog.attach()
            await asyncio.sleep(0.1)
            inconsiderate()
            await asyncio.sleep(0.1)

    def inconsiderate() -> None:
        time.sleep(0.6)

    asyncio.run(main())
    line = inconsiderate.__code__.co_firstlineno + 1
    assert capfd.readouterr().err == (
        f"Warning: aie stands still, because inconsiderate ({__file__}, line {line}) has not let go for 0.1 s. "
        "If it does not end, stop aie; whoever wrote it must not block in an async function.\n"
    )


def test_a_terminal_that_is_closed_stops_it_cleanly(aie: AieHome) -> None:
    master, slave = pty.openpty()
    own_terminal = "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{own_terminal} os.execv(sys.executable, [sys.executable, '-m', 'aie', 'start'])"],
        cwd=aie.vault, env=aie.env, stdin=slave, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    shown = b""
    while b"Ctrl-C stops it." not in shown:
        shown += os.read(master, 4096)
    os.close(master)
    assert process.wait(5) == 0
    with aie.started() as again:
        assert again.stop() == (0, pytest.approx(0, abs=5))


def test_with_nohup_it_works_on_when_the_terminal_is_closed(aie: AieHome) -> None:
    ignoring = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN);"
    run = "os.execv(sys.executable, [sys.executable, '-m', 'aie', *sys.argv[1:]])"
    aie.command = [sys.executable, "-c", f"{ignoring} {run}"]
    with aie.started() as running:
        running.process.send_signal(signal.SIGHUP)
        assert "handed to the running aie" in aie("emit", "file_added").out
        assert running.stop()[0] == 0


def test_one_that_was_stopped_and_continued_answers_what_came_meanwhile(aie: AieHome) -> None:
    with aie.started() as running:
        until(lambda: _stopped_between_two_writes(aie, running), "a moment at which it writes nothing")
        emit = subprocess.Popen([*aie.command, "emit", "file_added", "--json"], cwd=aie.vault, env=aie.env,
                                stdout=subprocess.PIPE, encoding="utf-8")  # fmt: skip
        until(lambda: _requests(aie), "the event to be handed over")
        assert emit.poll() is None
        running.process.send_signal(signal.SIGCONT)
        out, _ = emit.communicate(timeout=DEADLINE_S)
        assert '"status": "succeeded"' in out
        assert running.stop()[0] == 0


def _stopped_between_two_writes(aie: AieHome, running: Started) -> bool:
    """Whether others can write now that it stands still; if not, it goes on."""
    running.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, running.process.pid, os.WSTOPPED)
    with contextlib.closing(apsw.Connection(str(aie.state / "journal.db"))) as journal:
        try:
            journal.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:
            running.process.send_signal(signal.SIGCONT)
            return False
        journal.execute("ROLLBACK")
        return True


def _requests(aie: AieHome) -> int:
    with contextlib.closing(look(aie.state / "journal.db")) as journal:
        return History(journal).request_count()


def test_the_place_of_one_that_was_killed_is_taken_and_its_work_goes_on(aie: AieHome) -> None:
    with aie.started() as running:
        asking = begin(aie, "expense_recorded")
        until((aie.vault / "holding").exists, "the call")
        asking.kill()  # or it would take the place of the engine and go on with the work
        asking.wait()
        running.process.kill()
        running.process.wait()
        assert (aie.state / "engine.pid").read_text() == str(running.process.pid), "it could not tidy up"
    (aie.vault / "go").touch()
    with aie.started() as second:
        assert "Going on with 1 run that was under way\n" in second.text()
        second.says("finished")
        assert (aie.state / "engine.pid").read_text() == str(second.process.pid)
    assert [run["status"] for run in aie("runs", "list", "--json").records] == ["succeeded"]
