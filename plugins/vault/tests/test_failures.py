"""Failures as notes in the Inbox: one each, the same ones folded, and none counted twice."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aie.audit import GENESIS, seal
from aie.files import Files
from aie.records import AuditRecord, AuditSink, SinkContext
from aie_vault.failures import MOST_LINES, failure_notes
from aie_vault.settings import VaultSettings

AT = dt.datetime(2026, 2, 9, 17, 30, tzinfo=dt.UTC)


def record(seq: int, action: str, status: str, **fields: Any) -> AuditRecord:
    at = (AT + dt.timedelta(minutes=seq)).isoformat(timespec="milliseconds")
    return seal({"timestamp": at, "action": action, "status": status, "target": "invoice", **fields}, seq, GENESIS)


def failed(seq: int, error: str = "the service says no", step: str = "mail") -> AuditRecord:
    return record(
        seq,
        "workflow_execution",
        "failed",
        error=f"step {step}: {error}",
        run_id=f"run_{seq}",
        step_id=step,
        details={},
    )


def sink() -> AuditSink:
    return failure_notes(VaultSettings(), Files())


def notes(vault: Path, *records: AuditRecord, to: AuditSink | None = None) -> dict[str, str]:
    context = SinkContext(VaultSettings(), vault, ZoneInfo("Europe/Berlin"), logging.getLogger("aie.test"))
    written = (to or sink()).write(records, context)
    assert written is not None
    asyncio.run(written)  # type: ignore[arg-type]
    inbox = vault / "Inbox"
    return {path.name: path.read_text() for path in sorted(inbox.iterdir())} if inbox.exists() else {}


def test_a_run_that_failed_is_a_note_with_where_what_and_next(tmp_path: Path) -> None:
    step = record(
        1,
        "action_execution",
        "failed",
        run_id="run_2",
        step_id="mail",
        error="no",
        details={"hint": "look at the ser`v`er"},
    )
    ((name, text),) = notes(tmp_path, step, failed(2, "said <% no %>")).items()
    assert name.startswith("FAILURE_invoice-mail_")
    assert text == (
        '---\naie_type: failure\ntitle: "invoice failed at mail"\nworkflow: invoice\nstep: mail\ncount: 1\n'
        "first: 2026-02-09T18:32:00\nlast: 2026-02-09T18:32:00\n"
        'last_record: "2026-02-09T17:32:00.000+00:00 000000000002"\n---\n\n'
        "# invoice failed at mail\n\nsaid &lt;% no %>\n\nNext: look at the ser\\`v\\`er\n\n"
        "All about it:\n\n```text\naie runs show run_2\n```\n\n"
        "Do it again from there, once the cause is mended:\n\n```text\naie runs rerun run_2\n```\n\n"
        "When:\n\n- 2026-02-09 18:32:00  run_2\n"
    )


def test_the_same_failure_is_one_note_with_a_count(tmp_path: Path) -> None:
    ((_, text),) = notes(tmp_path, failed(1, "no file 17"), failed(2, "no file 4")).items()
    assert "count: 2\nfirst: 2026-02-09T18:31:00\nlast: 2026-02-09T18:32:00\n" in text
    assert text.endswith("- 2026-02-09 18:31:00  run_1\n- 2026-02-09 18:32:00  run_2\n")
    assert len(notes(tmp_path, failed(3, "no permission"), failed(4, step="book"))) == 3


def test_records_that_come_again_are_not_counted_again(tmp_path: Path) -> None:
    before = notes(tmp_path, failed(1), failed(2))
    assert notes(tmp_path, failed(1), failed(2)) == before
    (text,) = notes(tmp_path, failed(2), failed(3)).values()
    assert "count: 3\n" in text


def test_what_a_person_wrote_into_the_note_stays(tmp_path: Path) -> None:
    (name,) = notes(tmp_path, failed(1))
    with (tmp_path / "Inbox" / name).open("a") as file:
        file.write("\nI asked Kim.")
    (text,) = notes(tmp_path, failed(2)).values()
    assert text.endswith("- 2026-02-09 18:31:00  run_1\n\nI asked Kim.\n- 2026-02-09 18:32:00  run_2\n")


def test_a_note_that_was_taken_away_is_done_with(tmp_path: Path) -> None:
    (name,) = notes(tmp_path, failed(1))
    (tmp_path / "Inbox" / name).unlink()
    (text,) = notes(tmp_path, failed(2)).values()
    assert "count: 1\n" in text


def test_a_note_that_is_no_longer_aies_is_left_alone(tmp_path: Path) -> None:
    (name,) = notes(tmp_path, failed(1))
    (tmp_path / "Inbox" / name).write_text("mine now")
    after = notes(tmp_path, failed(2), failed(3))
    assert (len(after), after.pop(name)) == (2, "mine now")
    assert "count: 2\n" in next(iter(after.values()))


def test_a_condition_that_failed_is_a_failure_and_a_false_one_or_a_cancelled_run_is_not(tmp_path: Path) -> None:
    said = {"event_id": "e 1; rm", "error": "no amount"}
    condition = record(1, "workflow_skipped", "error", error="no amount", run_id=None, step_id=None, details=said)
    others = [
        record(2, "workflow_skipped", "skipped", error=None, details={"reason": "its mode is single"}),
        record(3, "workflow_execution", "cancelled", error="cancelled by Kim", run_id="run_3"),
        record(4, "workflow_execution", "success", error=None, run_id="run_4"),
        record(5, "action_execution", "failed", error="no", run_id="run_5", step_id="a", details={}),
    ]
    ((name, text),) = notes(tmp_path, condition, *others).items()
    assert name.startswith("FAILURE_invoice_")
    assert "# invoice did not start: its condition failed\n\nno amount\n" in text
    assert "aie why 'e 1; rm'\n" in text


def test_a_thousand_failures_do_not_make_an_endless_note(tmp_path: Path) -> None:
    (text,) = notes(tmp_path, *(failed(seq) for seq in range(1, 200))).values()
    assert "count: 199\n" in text
    assert text.count("\n- ") == MOST_LINES


def test_without_a_failure_no_inbox_is_made(tmp_path: Path) -> None:
    assert notes(tmp_path, record(1, "event_received", "accepted", details={})) == {}
    assert not (tmp_path / "Inbox").exists()
