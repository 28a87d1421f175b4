"""Delivery: what a sink is given, and where it stands afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from aie import AsyncOrchestrator, Event, hookimpl
from aie.audit import verify_lines
from aie.delivery import BATCH_SIZE
from aie.history import History
from aie.journal import Journal
from aie.journal_file import look
from aie.records import AuditRecord, AuditSink, SinkContext
from tests.stand_ins import make_vault, workflow

NOTE = {"action_type": "create_file", "parameters": {"path": "Out/{{ run.run_id }}.md", "content": "x"}}
BAD = {"action_type": "create_file", "parameters": {"path": "../x.md", "content": "x"}}


@dataclass
class Ends:
    """A sink that is for runs that failed."""

    got: list[str] = field(default_factory=list)

    @hookimpl
    def aie_audit_sinks(self, settings: object) -> list[AuditSink]:
        def write(records: Sequence[AuditRecord], context: SinkContext) -> None:
            self.got += [str(record.fields["target"]) for record in records]

        def wants(record: AuditRecord) -> bool:
            return record.fields["action"] == "workflow_execution" and record.fields["status"] == "failed"

        return [AuditSink("ends", write, wants=wants)]


def test_a_sink_gets_the_records_it_wants_and_the_others_cost_it_no_write(tmp_path: Path) -> None:
    vault = make_vault(
        tmp_path / "vault", workflow("good", NOTE, trigger="file_added"), workflow("bad", BAD, trigger="email_received")
    )
    ends = Ends()

    async def main(event_type: str, count: int) -> object:
        async with AsyncOrchestrator(vault, plugins={"test": ends}, env={}) as orchestrator:
            assert orchestrator.engine is not None
            assert orchestrator.delivery is not None
            events = [Event(event_type, "t", {}, event_id=f"{event_type} {number}") for number in range(count)]
            await orchestrator.engine.accept_all(events)
            await orchestrator.settle()
            await orchestrator.delivery.flush()
            return orchestrator.history.cursor("sink:test.ends")

    assert asyncio.run(main("file_added", 1)) is None
    assert ends.got == []
    after = asyncio.run(main("email_received", 1))
    assert isinstance(after, int)
    assert ends.got == ["bad"]
    assert asyncio.run(main("email_received", 0)) == after
    assert ends.got == ["bad"], "what it had is not given again"
    much_later = asyncio.run(main("file_added", BATCH_SIZE // 3))
    assert isinstance(much_later, int)
    assert much_later - after >= BATCH_SIZE, "now and then it is put on record how far it is"


class Slow(Journal):
    """A disk that takes its time."""

    def _commit_error(self) -> apsw.Error | None:
        time.sleep(0.2)
        return super()._commit_error()


def test_what_was_on_its_way_to_the_disk_at_the_end_is_in_the_files_as_well(tmp_path: Path) -> None:
    vault = make_vault(tmp_path / "vault", workflow("good", NOTE, trigger="file_added"))

    async def main() -> None:
        orchestrator = AsyncOrchestrator(vault, open_journal=Slow, env={})
        await orchestrator.open()
        assert orchestrator.engine is not None
        events = [Event("file_added", "t", {}, event_id=str(number)) for number in range(2)]
        handing_in = [asyncio.create_task(orchestrator.engine.accept(event)) for event in events]
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # by now both are with the helper thread
        for task in handing_in:
            task.cancel()
        await orchestrator.close()

    asyncio.run(main())
    with contextlib.closing(look(vault.parent / "state" / "journal.db")) as journal:
        head = History(journal).audit_head()
    assert head is not None
    assert (head[0], verify_lines([vault / "Logs" / "audit"], head)) == (4, [])
