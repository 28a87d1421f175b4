"""kill -9 at any instant, power cuts, full disks: nothing is lost, nothing happens twice, every run comes to its end.

The harness is in ``tests/crash``; here it runs a sample, ``make soak`` runs all of it.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aie import AsyncOrchestrator
from aie.audit import verify_lines
from tests.crash.report import Report
from tests.stand_ins import Outbox, Services, make_vault, workflow

ROOT = Path(__file__).parent.parent
SEED = 20260209


def crash(*arguments: str) -> Report:
    """What the harness reports, which runs in a process of its own: this one may have threads, and it forks."""
    command = [sys.executable, "-m", "tests.crash", "--json", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return Report.from_json(done.stdout)


@pytest.fixture(scope="module")
def sample() -> Report:
    return crash("--seed", str(SEED), "--points", "15", "--minutes", "0", "--kills", "4")


def test_processes_die_lose_power_and_find_the_disk_full_at_every_sort_of_boundary(sample: Report) -> None:
    tried = {(name.split(" ")[0], name.split(" ")[1].rstrip(":")) for name in sample.faults}
    assert tried >= {
        ("kill", "journal"), ("kill", "call"), ("kill", "effect"), ("kill", "file"), ("kill", "sqlite"),
        ("kill", "under"), ("cut", "journal"), ("cut", "effect"), ("cut", "sqlite"), ("full", "journal"),
    }  # fmt: skip
    assert sample.faults.total() > 50
    assert sample.counts["uncertain"] > sample.counts["histories"], "people were asked more often than in clean ones"


def test_nothing_acknowledged_or_recorded_is_lost(sample: Report) -> None:
    assert sample.found.get("lost") is None


def test_no_event_run_effect_decision_or_record_is_there_twice(sample: Report) -> None:
    assert sample.found.get("doubled") is None


def test_every_run_comes_to_its_end(sample: Report) -> None:
    assert sample.found.get("stuck") is None


def test_everything_ends_as_it_would_have_without_the_crash(sample: Report) -> None:
    assert sample.found.get("wrong") is None


@pytest.mark.parametrize(
    ("sabotage", "history", "kind"),
    [
        ("hasty", "sabotage: before the commit that was promised#3!kill @0", "lost"),
        ("unsynced", "sqlite: write wal#300!cut @0", "lost"),
        ("eager", "- @0", "doubled"),
        ("guesses", "effect: after pay#1!kill @0", "doubled"),
        ("looks away", "effect: after book#1!kill @0", "doubled"),
        ("reads again", "sabotage: between events and cursor#1!kill @0", "doubled"),
    ],
)
def test_the_harness_notices_an_engine_that_breaks_a_promise(sabotage: str, history: str, kind: str) -> None:
    assert kind in crash("--history", history, "--sabotage", sabotage).found


# --- and once without the harness: a separate interpreter, nothing handed in but a plugin -------------------------

CHILD = """
import asyncio, sys
from aie import AsyncOrchestrator, Event
from pathlib import Path
from tests.stand_ins import Outbox, Services

async def main(vault, outbox):
    async with AsyncOrchestrator(vault, plugins={"services": Services(Outbox(Path(outbox)))}, env={}) as orchestrator:
        await orchestrator.process_event(Event("manual_trigger", "test", {"n": 0}, event_id="e0"), linger_s=0)
        print("e0", flush=True)
        await asyncio.sleep(3600)

asyncio.run(main(*sys.argv[1:]))
"""

DEFINITION = workflow(
    "w",
    {"action_type": "send_notification", "parameters": {"title": "n {{ event.data.n }}", "message": "begun"}},
    {
        "action_type": "send_email",
        "id": "mail",
        "parameters": {"to": "a@b.example", "subject": "{{ event.data.n }}", "body": "x"},
    },
    {"action_type": "wait", "parameters": {"duration": 1}},
    {"action_type": "create_file", "parameters": {"path": "Out/{{ event.data.n }}.md", "content": "after the wait"}},
    {"action_type": "send_notification", "parameters": {"title": "sent", "message": "It is {{ results.mail.sent }}"}},
)


async def finish(vault: Path, outbox: Outbox) -> dict[str, Any]:
    """Restart, decide everything there is to decide, and give what is then on record."""
    async with AsyncOrchestrator(vault, plugins={"services": Services(outbox)}, env={}) as orchestrator:
        await orchestrator.settle()
        for approval in orchestrator.history.approvals():
            await orchestrator.decide(approval.approval_id, approved=True, by="owner", channel="test", evidence="test")
        await orchestrator.settle()
        history = orchestrator.history
        return {
            "events": [event.event_id for event in history.events(event_type="manual_trigger")],
            "runs": [str(run.status) for run in history.runs(workflow_id="w")],
            "decided": len(history.approvals(pending=False)),
            "audit": verify_lines(history.audit(limit=100_000), history.audit_head()),
        }


def test_killed_during_a_wait_and_an_approval_it_goes_on_where_it_stood(tmp_path: Path) -> None:
    vault, outbox = make_vault(tmp_path / "vault", DEFINITION), Outbox(tmp_path / "outbox")
    command = [sys.executable, "-c", CHILD, str(vault), str(outbox.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "e0\n"
        child.send_signal(signal.SIGKILL)
    assert not (vault / "Out").exists(), "the wait was not over"

    result = asyncio.run(finish(vault, outbox))

    assert result == {"events": ["e0"], "runs": ["succeeded"], "decided": 1, "audit": []}
    assert [entry["subject"] for entry in outbox.sent()] == ["0"]
    assert sorted(path.name for path in (vault / "Out").iterdir()) == ["0.md"]
    assert len(list((vault / "Inbox").glob("NOTIFICATION_*n-0*"))) == 1
    assert len(list((vault / "Inbox").glob("NOTIFICATION_*sent*"))) == 1
