"""One process of a history: opens the vault as ``aie start`` does, brings everything to rest, and closes.

Each does the same: hands in all events again, decides what is to be decided, settles what is uncertain by looking at
the world. A fault may end it anywhere; the next one goes on.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aie import AsyncOrchestrator, Event
from aie.approvals import Approval
from aie.errors import BusyError, JournalError
from aie.run import RunStatus, StepStatus
from tests.crash import storage
from tests.crash.actions import LOOKED_UP, UNKEYED, Harness, Late
from tests.crash.census import take_census
from tests.crash.points import Plan, Points
from tests.crash.sabotage import SABOTAGES
from tests.crash.scenario import approves, decides_in_vault, is_contested
from tests.crash.seams import PointedCaller, ShiftedClock, journal_with
from tests.crash.world import World

SHOP = "shop"  # where orders come from
PATIENCE_S = 15.0
POLL_S = 0.004


@dataclass(frozen=True, slots=True)
class Session:
    """What one process is told."""

    base: Path
    number: int
    orders: tuple[str, ...] = ()  # the labels of the events to hand in
    plan: Plan | None = None
    clock_offset_s: float = 0.0
    late: bool = True  # whether the plugin that comes and goes is there
    alone: bool = True  # no other process works on this journal
    rest_within_s: float = 15.0
    sabotage: str = ""

    @property
    def vault(self) -> Path:
        return self.base / "vault"

    @property
    def world(self) -> World:
        return World(self.base / "world", self.number)


def run_session(session: Session) -> None:
    """Run it to its end in this process, which must be a fresh one."""
    points = begin(session)
    asyncio.run(_run(session, points))
    session.world.say("ended", counts=dict(points.counts))


def begin(session: Session) -> Points:
    """Take the census, and put the fault points under this process."""
    logging.basicConfig(
        filename=session.base / "aie.log", level=logging.WARNING, format="%(name)s %(levelname)s %(message)s"
    )
    take_census(session.base, session.world, alone=session.alone)
    points = Points(session.plan)
    storage.install(points, session.base)
    return points


def orchestrator_of(session: Session, points: Points) -> AsyncOrchestrator:
    """The orchestrator, with fault points in its seams."""
    clock = ShiftedClock(session.clock_offset_s)
    harness = Harness(session.world, points, clock.now)
    seams = {"open_journal": journal_with(points), "caller": PointedCaller(points), "harness": harness}
    seams |= SABOTAGES[session.sabotage](points, seams) if session.sabotage else {}
    plugins = {"harness": seams.pop("harness"), **({"late": Late(harness)} if session.late else {})}
    return AsyncOrchestrator(session.vault, plugins=plugins, clock=clock, env={}, **seams)


async def _run(session: Session, points: Points) -> None:
    orchestrator = orchestrator_of(session, points)
    await open_to_serve(orchestrator)
    try:
        person = Person(session, orchestrator)
        await asyncio.gather(*(hand_in_twice(session, orchestrator, label) for label in session.orders))
        await person.until_all_rests()
    finally:
        await orchestrator.close()


async def open_to_serve(orchestrator: AsyncOrchestrator) -> None:
    """As ``aie start`` does: a command of a moment may be the engine just now."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            await orchestrator.open(serve=True)
            break
        except BusyError:
            if time.monotonic() > until_s:
                raise
            await asyncio.sleep(POLL_S)
    orchestrator.serve()


async def hand_in_twice(session: Session, orchestrator: AsyncOrchestrator, label: str) -> None:
    """The same event twice at the same time."""
    await asyncio.gather(hand_in(session, orchestrator, label), hand_in(session, orchestrator, label))


async def hand_in(session: Session, orchestrator: AsyncOrchestrator, label: str) -> None:
    """One event; tried again while the disk is full."""
    assert orchestrator.engine is not None
    while True:
        session.world.say("emit", source=SHOP, id=label)
        try:
            accepted = await orchestrator.engine.accept(order(label))
        except JournalError as error:
            session.world.say("not accepted", id=label, error=str(error))
            await asyncio.sleep(POLL_S)
            continue
        session.world.say("accepted", source=SHOP, id=label, new=accepted.new, runs=len(accepted.runs))
        return


def order(label: str) -> Event:
    return Event("order", SHOP, {"label": label}, event_id=label)


class Person:
    """Whoever decides, moves notes and answers questions."""

    def __init__(self, session: Session, orchestrator: AsyncOrchestrator) -> None:
        self._session = session
        self._world = session.world
        self._orchestrator = orchestrator
        self._answered: set[str] = set()

    async def until_all_rests(self) -> None:
        """Do what there is to do until nothing moves any more."""
        assert self._orchestrator.engine is not None
        until_s = time.monotonic() + self._session.rest_within_s
        while True:
            await self._orchestrator.engine.idle()
            if not await self.act() and self._rests():
                return
            if time.monotonic() > until_s:
                raise TimeoutError(f"no rest: {self._unrest()}")
            await asyncio.sleep(POLL_S)

    async def for_ever(self) -> None:
        """Do what there is to do, until this process dies."""
        while True:
            await self.act()
            await asyncio.sleep(POLL_S)

    def _rests(self) -> bool:
        return not self._unrest()

    def _unrest(self) -> list[str]:
        """What there is still to wait for."""
        history = self._orchestrator.history
        soon_s = self._orchestrator.clock.now().timestamp() + 60
        found = []
        for seq, status, wake_at in history.open_runs():
            if status is RunStatus.BLOCKED and not self._session.late:
                continue
            if status is RunStatus.WAITING and wake_at is not None and wake_at.timestamp() > soon_s:
                continue  # the clock was set back: it is due for a later process
            found.append(f"run {seq} is {status}")
        lines = len(self._world.lines.read_text(encoding="utf-8").splitlines())
        if (history.cursor("source:harness.lines") or 0) != lines:
            found.append("lines are not read")
        told = history.cursor("source:core.schedule")
        hour = self._orchestrator.clock.now().replace(minute=0, second=0, microsecond=0)
        if not isinstance(told, dict) or datetime.fromisoformat(told["hourly"]["done"]) < hour:
            found.append("the schedule has not said what is due")
        return found

    async def act(self) -> bool:
        """Answer what is open; False when there was nothing."""
        history = self._orchestrator.history
        acted = False
        for approval in history.approvals():
            if approval.approval_id not in self._answered:
                acted = True
                await self._decide(approval)
        for run in history.runs(status="uncertain", limit=1_000):
            for record in history.steps(run.seq):
                if record.status is StepStatus.UNCERTAIN:
                    acted = True
                    await self._resolve(run.seq, run.run_id, record.index)
        return acted

    async def _decide(self, approval: Approval) -> None:
        if decides_in_vault(approval.title):
            if self._move_note(approval):
                self._answered.add(approval.approval_id)
            return
        self._answered.add(approval.approval_id)
        answers = [approves(approval.title)]
        if is_contested(approval.title):
            answers.append(not answers[0])
        await asyncio.gather(*(self._say(approval, approved) for approved in answers))

    async def _say(self, approval: Approval, approved: bool) -> None:
        answer = await self._orchestrator.decide(
            approval.approval_id, approved=approved, by="owner", channel="harness", evidence="said so"
        )
        self._world.say(
            "decided", approval=approval.approval_id, approved=approved, accepted=answer["accepted"],
            title=approval.title,
        )  # fmt: skip

    def _move_note(self, approval: Approval) -> bool:
        """Move the note as a person does; False while there is none."""
        vault, names = self._session.vault, f"*_{approval.approval_id[-6:]}*.md"
        folder = "Approved" if approves(approval.title) else "Rejected"
        for path in (vault / "Pending_Approval").glob(names):
            try:
                path.rename(vault / folder / path.name)
            except FileNotFoundError:
                return False  # aie is writing it anew
            self._world.say("moved", approval=approval.approval_id, to=folder)
            return True
        return any((vault / folder).glob(names))

    async def _resolve(self, run_seq: int, run_id: str, position: int) -> None:
        """Say what happened, which the world knows; what may be repeated, repeat."""
        history = self._orchestrator.history
        step = json.loads(history.definition(history.run(run_seq).hash))["actions"][position]
        place = {"run": run_id, "step": step["id"], "action": step["action_type"]}
        happened = step["action_type"] in UNKEYED | LOOKED_UP and self._world.happened(run_id, step["id"])
        self._world.say("uncertain", **place, happened=happened)
        assert self._orchestrator.engine is not None
        result = {"token": "told", "key": "told"} if happened else None
        await self._orchestrator.engine.resolve(run_seq, position, happened=happened, result=result, by="owner")
        self._world.say("resolved", **place, happened=happened)
