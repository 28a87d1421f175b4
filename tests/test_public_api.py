"""aie as a library, in a plain script."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

import aie
from aie import AsyncOrchestrator, Event, EventType, WorkflowOrchestrator
from aie.errors import EventError
from tests.stand_ins import make_vault, workflow

NOTIFY = {
    "action_type": "send_notification",
    "parameters": {"title": "Invoice {{ event.data.invoice_number }}", "message": "Over {{ event.data.amount }}"},
}


def invoice(event_id: str = "evt_001") -> Event:
    return Event(
        event_type=EventType.INVOICE_CREATED,
        source="odoo",
        data={"invoice_number": "INV-1", "amount": 5000},
        timestamp="2026-02-09T18:30:00",
        event_id=event_id,
    )


def test_the_public_names_are_these() -> None:
    assert aie.__all__ == [
        "ActionContext", "ActionError", "ActionHandler", "AsyncOrchestrator", "Effect", "Event", "EventSource",
        "EventType", "EventTypeSpec", "LookUp", "RetryableError", "WorkflowOrchestrator", "hookimpl",
    ]  # fmt: skip
    assert all(getattr(aie, name) is not None for name in aie.__all__)


@pytest.mark.parametrize(
    ("name", "now"),
    [
        ("ApprovalChannel", "aie.approvals"),
        ("AuditSink", "aie.records"),
        ("Outcome", "aie.actions"),
        ("UncertainError", "aie.errors"),
    ],
)
def test_a_name_that_moved_can_still_be_had_for_a_release_with_a_warning_that_says_where_it_is(
    name: str, now: str
) -> None:
    with pytest.warns(DeprecationWarning) as warned:
        found = getattr(aie, name)
    assert found is getattr(importlib.import_module(now), name)
    (warning,) = warned
    assert str(warning.message) == f"aie.{name} goes with release 0.2: import it from {now}"
    assert warning.filename == __file__


def test_what_never_was_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'aie' has no attribute 'Nonsense'"):
        _ = aie.Nonsense


def test_importing_aie_imports_nothing_heavy() -> None:
    code = "import aie, sys; print(sorted({'pydantic', 'jinja2', 'apsw', 'pluggy', 'click'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_plain_script_processes_an_event_and_reads_the_counters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIE_STATE_DIR", raising=False)
    vault = make_vault(tmp_path / "vault", workflow("invoice_to_email", NOTIFY, trigger="invoice_created"))
    with WorkflowOrchestrator(vault) as orchestrator:
        executed = orchestrator.process_event(invoice())
        again = orchestrator.process_event(invoice())
        view = orchestrator.workflows["invoice_to_email"]
    assert (executed, again, view.execution_count) == (["invoice_to_email"], [], 1)
    assert view.last_executed is not None


def test_the_async_twin_says_how_each_run_ended(tmp_path: Path) -> None:
    vault = make_vault(tmp_path / "vault", workflow("w", NOTIFY, trigger="invoice_created"))

    async def main() -> list[tuple[str, str]]:
        async with AsyncOrchestrator(vault, env={}) as orchestrator:
            result = await orchestrator.process_event(invoice())
            return [(run.workflow_id, str(run.status)) for run in result.runs]

    assert asyncio.run(main()) == [("w", "succeeded")]


def test_a_second_orchestrator_hands_its_events_to_the_first(tmp_path: Path) -> None:
    vault = make_vault(tmp_path / "vault", workflow("w", NOTIFY, trigger="invoice_created"))

    async def main() -> tuple[bool, list[str], int]:
        async with AsyncOrchestrator(vault, env={}) as first, AsyncOrchestrator(vault, env={}) as second:
            result = await second.process_event(invoice())
            counted = first.workflows()["w"].execution_count
            return second.engine is None, [str(run.status) for run in result.runs], counted

    assert asyncio.run(main()) == (True, ["succeeded"], 1)


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        (Event("", "t", {}, event_id="e"), "an event's event_type is text of 1 to 200 characters, found ''"),
        (Event("x", "t", {}), "an event's event_id is text of 1 to 200 characters, found ''"),
        (Event("x", "t", [1], event_id="e"), "an event's data is an object, found list"),  # type: ignore[arg-type]
    ],
)
def test_an_event_that_is_not_acceptable_is_refused_with_a_sentence(
    tmp_path: Path, event: Event, complaint: str
) -> None:
    vault = make_vault(tmp_path / "vault")
    with WorkflowOrchestrator(vault, env={}) as orchestrator, pytest.raises(EventError) as caught:
        orchestrator.process_event(event)
    assert caught.value.message == complaint


def test_events_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        invoice().source = "other"  # type: ignore[misc]


def test_ten_thousand_events_are_ten_thousand_runs_and_ten_thousand_notes(tmp_path: Path) -> None:
    vault = make_vault(tmp_path / "vault", workflow("w", NOTIFY, trigger="invoice_created"))
    with (vault / "aie.toml").open("a", encoding="utf-8") as file:
        file.write("starts_per_minute = 0\n")

    async def main() -> tuple[int, set[str]]:
        async with AsyncOrchestrator(vault, env={}) as orchestrator:
            assert orchestrator.engine is not None
            for start in range(0, 10_000, 500):
                await asyncio.gather(
                    *(orchestrator.process_event(invoice(f"e{number}")) for number in range(start, start + 500))
                )
            await orchestrator.settle()
            return orchestrator.workflows()["w"].execution_count, {
                str(run.status) for run in orchestrator.history.runs(limit=20_000)
            }

    assert asyncio.run(main()) == (10_000, {"succeeded"})
    assert sum(1 for _ in (vault / "Inbox").glob("NOTIFICATION_*.md")) == 10_000
