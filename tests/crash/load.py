"""Load: one journal that only grows, events without end, and processes that are killed at any moment.

The engine is handed events by itself and, as ``aie emit`` does, by other processes, which become the engine themselves
when they find it dead. Now and then all is brought to rest and judged.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aie.errors import AieError
from aie.orchestrator import AsyncOrchestrator
from tests.crash.evidence import STUCK
from tests.crash.judge import judge
from tests.crash.points import ANYWHERE, Plan, Points
from tests.crash.processes import fork, wait_for
from tests.crash.report import Report
from tests.crash.scenario import add_lines, make_vault
from tests.crash.session import (
    SHOP,
    Person,
    Session,
    begin,
    hand_in,
    open_to_serve,
    orchestrator_of,
    order,
    run_session,
)  # fmt: skip
from tests.crash.world import World

ORDERS_PER_JOURNAL = 2_000
KILLS_PER_VERDICT = 100
EMITTERS = 3
PACE_S = 0.1  # between two orders of one emitter
CLIENT_ORDERS = 6
LONGEST_LIFE_S = 0.8
HOUR_S = 3_600.0


def run_load(seed: int, until_s: float, tell: Callable[[Report], None]) -> Report:
    """Kill until that time of the monotonic clock; ``tell`` hears of each verdict."""
    total = Report()
    for number in itertools.count():
        journal = LoadedJournal(random.Random(f"{seed}/{number}"))
        while time.monotonic() < until_s and journal.orders < ORDERS_PER_JOURNAL and not total.found:
            report = journal.kill_and_judge(KILLS_PER_VERDICT)
            total.join(report)
            tell(report)
        if total.found:
            break  # the folder is kept
        journal.remove()
        if time.monotonic() >= until_s:
            break
    return total


def kill_so_often(seed: int, kills: int, tell: Callable[[Report], None]) -> Report:
    """The same with one journal and one verdict."""
    journal = LoadedJournal(random.Random(seed))
    report = journal.kill_and_judge(kills)
    tell(report)
    if not report.found:
        journal.remove()
    return report


@dataclass(slots=True)
class LoadedJournal:
    """One journal from its first event to its last verdict."""

    chance: random.Random
    base: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="aie-load-")))
    sessions: int = 0
    lines: list[str] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)  # what earlier verdicts have told of it

    def __post_init__(self) -> None:
        make_vault(self.base / "vault")
        World(self.base / "world").begin()

    @property
    def orders(self) -> int:
        return len(self._orders())

    def _orders(self) -> set[str]:
        """All that anybody tried to hand in."""
        return {line["id"] for line in World(self.base / "world").heard() if line["what"] == "emit"}

    def _session(self, *orders: str, plan: Plan | None = None, at_rest: bool = False) -> Session:
        self.sessions += 1
        offset_s = 1.1 * HOUR_S if at_rest else self.chance.choice((0.0, 0.0, 0.0, HOUR_S, -HOUR_S))
        late = at_rest or self.chance.random() < 0.7
        return Session(self.base, self.sessions, orders, plan, offset_s, late, alone=False, rest_within_s=90.0)

    def kill_and_judge(self, kills: int) -> Report:
        report = Report(counts=Counter(histories=1))
        while report.faults.total() < kills and not report.found:
            self._one_life(report)
        if not report.found:
            self._rest_and_judge(report)
        if report.found:
            report.found = {kind: [f"{text} ({self.base})" for text in texts] for kind, texts in report.found.items()}
        return report

    def _one_life(self, report: Report) -> None:
        """An engine under load, and maybe another process beside it, both killed sooner or later."""
        if self.chance.random() < 0.2:
            make_vault(self.base / "vault", version=self.sessions + 2)
        new_lines = [f"l{self.sessions}n{number}" for number in range(self.chance.randint(0, 4))]
        self.lines += new_lines
        add_lines(World(self.base / "world"), *new_lines)
        plan = Plan(ANYWHERE, self.chance.randint(1, 6_000)) if self.chance.random() < 0.5 else None
        children = []
        server = self._session(plan=plan)
        children.append(fork(self.base, lambda: asyncio.run(serve(server, begin(server)))))
        if self.chance.random() < 0.3:
            client = self._session()
            children.append(fork(self.base, lambda: asyncio.run(hand_over(client, begin(client)))))
        for child in children:
            ended = wait_for(child, self.base, kill_after_s=self.chance.uniform(0.02, LONGEST_LIFE_S))
            if ended == "killed":
                report.faults["kill under load"] += 1
            elif ended != "ended":
                report.add(STUCK, f"a process under load {ended}")

    def _rest_and_judge(self, report: Report) -> None:
        """Hand in again what nobody was told is there, and let everything come to its end."""
        heard = World(self.base / "world").heard()
        tried = {line["id"] for line in heard if line["what"] == "emit"}
        missing = tried - {line["id"] for line in heard if line["what"] == "accepted"}
        session = self._session(*sorted(missing), at_rest=True)
        ended = wait_for(fork(self.base, lambda: run_session(session), within_s=120), self.base)
        if ended != "ended":
            report.add(STUCK, f"bringing all to rest {ended}")
            return
        whole = Report()
        whole.take(self.base, judge(self.base, orders=tried, lines=self.lines))
        self.counted, whole.counts = whole.counts, whole.counts - self.counted
        report.join(whole)

    def remove(self) -> None:
        shutil.rmtree(self.base)


async def serve(session: Session, points: Points) -> None:
    """Be the engine, with orders coming in and a person at work, until killed."""
    orchestrator = orchestrator_of(session, points)
    await open_to_serve(orchestrator)
    numbers = itertools.count()
    await asyncio.gather(
        Person(session, orchestrator).for_ever(), *(_emit(session, orchestrator, numbers) for _ in range(EMITTERS))
    )


async def _emit(session: Session, orchestrator: AsyncOrchestrator, numbers: itertools.count[int]) -> None:
    while True:
        await hand_in(session, orchestrator, f"s{session.number}n{next(numbers)}")
        await asyncio.sleep(PACE_S)


async def hand_over(session: Session, points: Points) -> None:
    """Hand some orders to whoever is the engine, as ``aie emit`` does; with nobody there be it for a moment."""
    orchestrator = orchestrator_of(session, points)
    await orchestrator.open()
    try:
        for number in range(CLIENT_ORDERS):
            label = f"c{session.number}n{number}"
            session.world.say("emit", source=SHOP, id=label)
            try:
                result = await orchestrator.process_event(order(label), linger_s=0)
            except AieError as error:
                session.world.say("not accepted", id=label, error=str(error))
                continue
            session.world.say("accepted", source=SHOP, id=label, new=result.new, runs=len(result.runs))
    finally:
        await orchestrator.close()
