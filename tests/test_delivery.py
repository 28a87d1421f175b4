"""Delivery: what a sink is given, and where it stands afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aie import AsyncOrchestrator, Event, hookimpl
from aie.delivery import BATCH_SIZE
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
