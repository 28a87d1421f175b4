"""Decisions: nothing is built on one before it is durable, and none is forgotten, whatever comes in between."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aie import ActionContext, ActionHandler, AsyncOrchestrator, Event, hookimpl, schema
from aie.errors import UncertainError
from aie.journal import Batch, Journal
from tests.stand_ins import Free, make_vault, workflow


class Slow(Journal):
    """A journal in which the first decision takes until it is let through."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.through = asyncio.Event()
        self.decisions = 0

    async def commit(self, batch: Batch) -> None:
        if any(statement == schema.SET_APPROVAL for statement, _ in batch.rows):
            self.decisions += 1
            if self.decisions == 1:
                await self.through.wait()
        await super().commit(batch)


class Shop:
    def __init__(self) -> None:
        self.calls: list[str] = []

    @hookimpl
    def aie_action_handlers(self, settings: object) -> list[ActionHandler]:
        async def letter(params: Free, context: ActionContext) -> None:
            self.calls.append("letter")

        async def mail(params: Free, context: ActionContext) -> None:
            self.calls.append("mail")
            await asyncio.sleep(0.01)

        async def pay(params: Free, context: ActionContext) -> None:
            raise UncertainError("nobody answered")

        return [
            ActionHandler("letter", Free, letter, repeatable=True),
            ActionHandler("mail", Free, mail),
            ActionHandler("pay", Free, pay, asks=False),
        ]


async def turns() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def test_nothing_is_built_on_a_decision_before_it_is_durable(tmp_path: Path) -> None:
    shop, vault = Shop(), make_vault(tmp_path / "v", workflow("w", {"action_type": "letter"}, {"action_type": "pay"}))

    async def main() -> str:
        async with AsyncOrchestrator(vault, plugins={"shop": shop}, open_journal=Slow, env={}) as orchestrator:
            await orchestrator.process_event(Event("manual_trigger", "t", event_id="e"), linger_s=0)
            (approval,) = orchestrator.history.approvals()
            assert orchestrator.engine is not None
            deciding = asyncio.create_task(
                orchestrator.engine.decide(
                    approval.approval_id, approved=True, by="owner", channel="test", evidence="test"
                )
            )
            await turns()
            await orchestrator.engine.resolve(1, 1, happened=True, result=None, by="owner")
            await turns()
            assert shop.calls == []
            orchestrator.engine.journal.through.set()
            await deciding
            await orchestrator.settle(0)
            return str(orchestrator.history.run(1).status)

    assert asyncio.run(main()) == "succeeded"
    assert shop.calls == ["letter"]


def test_a_decision_that_is_not_durable_yet_is_not_forgotten_when_the_run_comes_to_rest_meanwhile(
    tmp_path: Path,
) -> None:
    steps = [{"action_type": "letter"}, {"action_type": "pay"}, {"action_type": "mail"}]
    shop, vault = Shop(), make_vault(tmp_path / "v", workflow("w", *steps))

    async def main() -> str:
        async with AsyncOrchestrator(vault, plugins={"shop": shop}, open_journal=Slow, env={}) as orchestrator:
            await orchestrator.process_event(Event("manual_trigger", "t", event_id="e"), linger_s=0)
            engine = orchestrator.engine
            assert engine is not None
            (letter,) = orchestrator.history.approvals()
            said = {"by": "owner", "channel": "test", "evidence": "test"}
            deciding = asyncio.create_task(engine.decide(letter.approval_id, approved=False, **said))
            await turns()
            await engine.resolve(1, 1, happened=True, result=None, by="owner")
            await turns()
            for approval in orchestrator.history.approvals():
                if approval.action_type == "mail":
                    await engine.decide(approval.approval_id, approved=True, **said)
            engine.journal.through.set()
            await deciding
            await orchestrator.settle(0)
            for approval in orchestrator.history.approvals():
                await engine.decide(approval.approval_id, approved=True, **said)
            await orchestrator.settle(0)
            return str(orchestrator.history.run(1).status)

    assert asyncio.run(main()) == "succeeded"
    assert shop.calls == ["mail"]
