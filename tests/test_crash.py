"""kill -9 at any instant: every run goes on where it stood, nothing is lost and nothing happens twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from aie import AsyncOrchestrator
from aie.audit import verify_lines
from tests.stand_ins import Outbox, Services, make_vault, workflow

CHILD = """
import asyncio, sys
from aie import AsyncOrchestrator, Event
from pathlib import Path
from tests.stand_ins import Outbox, Services

async def main(vault, outbox, count):
    async with AsyncOrchestrator(vault, plugins={"services": Services(Outbox(Path(outbox)))}, env={}) as orchestrator:
        for number in range(int(count)):
            event = Event("manual_trigger", "test", {"n": number}, event_id=f"e{number}")
            answer = await orchestrator.process_event(event, linger_s=0)
            print(event.event_id, flush=True)
        await asyncio.sleep(3600)

asyncio.run(main(*sys.argv[1:]))
"""


def start_child(vault: Path, outbox: Path, count: int) -> subprocess.Popen[str]:
    root = Path(__file__).parent.parent
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(vault), str(outbox), str(count)],
        stdout=subprocess.PIPE, text=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip


def acknowledged(child: subprocess.Popen[str], count: int) -> list[str]:
    assert child.stdout is not None
    return [child.stdout.readline().strip() for _ in range(count)]


async def finish(vault: Path, outbox: Outbox) -> dict[str, Any]:
    """Restart, decide everything there is to decide, and give what is then on record."""
    async with AsyncOrchestrator(vault, plugins={"services": Services(outbox)}, env={}) as orchestrator:
        await orchestrator.settle()
        for approval in orchestrator.history.approvals():
            await orchestrator.decide(approval.approval_id, approved=True, by="owner", channel="test", evidence="test")
        await orchestrator.settle()
        history = orchestrator.history
        return {
            "events": sorted(event.event_id for event in history.events(event_type="manual_trigger", limit=10_000)),
            "runs": sorted(str(run.status) for run in history.runs(workflow_id="w", limit=10_000)),
            "decided": len(history.approvals(pending=False)),
            "audit": verify_lines(history.audit(limit=100_000), history.audit_head()),
        }


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


def test_killed_during_a_wait_and_an_approval_it_goes_on_where_it_stood(tmp_path: Path) -> None:
    vault, outbox = make_vault(tmp_path / "vault", DEFINITION), Outbox(tmp_path / "outbox")
    child = start_child(vault, outbox.path, 1)
    assert acknowledged(child, 1) == ["e0"]
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (vault / "Out").exists(), "the wait was not over"

    result = asyncio.run(finish(vault, outbox))

    assert result == {"events": ["e0"], "runs": ["succeeded"], "decided": 1, "audit": []}
    assert [entry["subject"] for entry in outbox.sent()] == ["0"]
    assert sorted(path.name for path in (vault / "Out").iterdir()) == ["0.md"]
    assert len(list((vault / "Inbox").glob("NOTIFICATION_*n-0*"))) == 1
    assert len(list((vault / "Inbox").glob("NOTIFICATION_*sent*"))) == 1


@pytest.mark.parametrize("seed", range(4))
def test_killed_under_load_nothing_acknowledged_is_lost_and_nothing_is_sent_twice(tmp_path: Path, seed: int) -> None:
    vault, outbox = make_vault(tmp_path / "vault", DEFINITION), Outbox(tmp_path / "outbox")
    child = start_child(vault, outbox.path, 10_000)
    known = acknowledged(child, 5 + 7 * seed)
    time.sleep(0.003 * seed)  # somewhere else in the work each time
    child.send_signal(signal.SIGKILL)
    assert child.stdout is not None
    known += child.stdout.read().split()
    child.wait()

    result = asyncio.run(finish(vault, outbox))

    assert set(known) <= set(result["events"])
    assert result["runs"] == ["succeeded"] * len(result["events"])
    assert result["audit"] == []
    subjects = [entry["subject"] for entry in outbox.sent()]
    assert sorted(subjects) == sorted(event_id.removeprefix("e") for event_id in result["events"])
    lines = [
        json.loads(line)
        for path in sorted((vault / "Logs" / "audit").iterdir())
        for line in path.read_text().splitlines()
    ]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
