"""Campaigns: many histories, each a vault of its own in which processes die and others go on, until all is at rest.

A history with its death, its restart and its verdict takes a few tenths of a second.
"""

from __future__ import annotations

import gc
import os
import random
import shutil
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

from tests.crash.evidence import STUCK, WRONG
from tests.crash.judge import judge
from tests.crash.points import ANYWHERE, Plan
from tests.crash.processes import fast_folder, fork, wait_for
from tests.crash.report import Report
from tests.crash.scenario import add_lines, make_vault
from tests.crash.session import Session, run_session
from tests.crash.world import World

MAX_SESSIONS = 12
DAY_S = 86_400.0
LABELS = ("e1", "m", "e0")  # of the one order of a history; people decide on each of them otherwise
LINES = ("l0", "l1", "l2")


@dataclass(frozen=True, slots=True)
class HistoryPlan:
    """One history: the fault of each of its first processes (None: none). The seed decides all else."""

    faults: tuple[Plan | None, ...]
    seed: int = 0
    sabotage: str = ""

    def __str__(self) -> str:
        return "; ".join(str(fault) if fault else "-" for fault in self.faults) + f" @{self.seed}"

    @property
    def orders(self) -> tuple[str, ...]:
        return (LABELS[self.seed % len(LABELS)],)

    @classmethod
    def parse(cls, text: str) -> HistoryPlan:
        faults, _, seed = text.rpartition(" @")
        return cls(tuple(None if part == "-" else Plan.parse(part) for part in faults.split("; ")), int(seed))


CLEAN = HistoryPlan((None,))


def plans_for(points: Counter[str], fault: str, *, only: Callable[[str], bool] = bool) -> list[HistoryPlan]:
    """A history for every point that the processes of :data:`CLEAN` go through: the fault comes right there."""
    plans = []
    for place, count in sorted(points.items()):
        number, _, name = place.partition("|")
        if only(name):
            plans += [
                HistoryPlan((*[None] * int(number), Plan(name, ordinal, fault)), seed=ordinal * len(LABELS))
                for ordinal in range(1, count + 1)
            ]
    return plans


def sample(plans: Sequence[HistoryPlan], count: int, chance: random.Random) -> list[HistoryPlan]:
    """So many of them: of all sorts of points alike, and within a sort of as many names as there can be."""
    sorts: dict[str, dict[str, list[HistoryPlan]]] = {}
    for plan in chance.sample(plans, len(plans)):
        name = "; ".join(fault.name for fault in plan.faults if fault)
        sorts.setdefault(name.partition(":")[0], {}).setdefault(name, []).append(plan)
    return list(islice(_by_turns([list(_by_turns(list(names.values()))) for names in sorts.values()]), count))


def _by_turns(shares: Sequence[Sequence[HistoryPlan]]) -> Iterator[HistoryPlan]:
    return (plan for one in zip_longest(*shares) for plan in one if plan is not None)


def random_plan(chance: random.Random, points: int) -> HistoryPlan:
    """Up to four processes of one history that are killed anywhere, or lose their power."""
    faults = [
        Plan(ANYWHERE, chance.randint(1, points), chance.choice(("kill", "kill", "cut")))
        for _ in range(chance.randint(1, 4))
    ]
    return HistoryPlan(tuple(faults), seed=chance.randrange(10**6))


def run_histories(
    plans: Sequence[HistoryPlan], *, lanes: int = 2, tell: Callable[[Report], None] | None = None
) -> Report:
    """Run them, some side by side; ``tell`` hears of each as it ends."""
    report = Report()
    for part in _in_lanes([plans[lane::lanes] for lane in range(lanes) if plans[lane::lanes]]):
        report.join(part)
        if tell is not None:
            tell(part)
    return report


def _in_lanes(shares: Sequence[Sequence[HistoryPlan]]) -> Iterator[Report]:
    """The reports of all histories as they come; each share is worked off by a process of its own."""
    read, write = os.pipe()
    gc.freeze()  # what is there now is shared with the children, and stays so
    lanes = []
    for share in shares:
        lane = os.fork()
        if not lane:
            os.close(read)
            _work_off(share, write)
            os._exit(0)
        lanes.append(lane)
    os.close(write)
    with os.fdopen(read) as lines:
        for line in lines:
            yield Report.from_json(line)
    for lane in lanes:
        os.waitpid(lane, 0)


def _work_off(share: Sequence[HistoryPlan], write: int) -> None:
    with os.fdopen(write, "w") as lines:
        for plan in share:
            try:
                report = run_history(plan)
            except BaseException:
                report = Report(found={WRONG: [f"[{plan}] the harness failed: {traceback.format_exc()}"]})
            lines.write(report.as_json() + "\n")
            lines.flush()


def run_history(plan: HistoryPlan) -> Report:
    """One history in a folder of its own, which is kept if something is wrong with it."""
    base = Path(tempfile.mkdtemp(prefix="aie-crash-", dir=fast_folder()))
    world = World(base / "world")
    make_vault(base / "vault")
    world.begin()
    add_lines(world, *LINES)
    report = Report(counts=Counter(histories=1))
    _live(base, plan, report)
    if not report.found:
        cut = any(fault is not None and fault.fault == "cut" for fault in plan.faults)
        report.take(base, judge(base, orders=plan.orders, lines=LINES, power_was_cut=cut))
    report.found = {kind: [f"[{plan}] {text} ({base})" for text in texts] for kind, texts in report.found.items()}
    if not report.found or plan.sabotage:
        shutil.rmtree(base)
    return report


def _live(base: Path, plan: HistoryPlan, report: Report) -> None:
    """One process after the other; the last one has no fault, and a clock that is later than all before it."""
    chance = random.Random(plan.seed)
    for number in range(max(2, len(plan.faults) + 1)):
        last = number >= len(plan.faults) and number > 0
        fault = None if last else plan.faults[number]
        if number and chance.random() < 0.3:
            make_vault(base / "vault", version=number + 1)  # somebody edits the files meanwhile
        offset_s = 3 * DAY_S if last else chance.choice((0.0, 0.0, DAY_S, -DAY_S)) if number else 0.0
        late = last or (number > 0 and chance.random() < 0.5)
        session = Session(base, number, plan.orders, fault, offset_s, late, sabotage=plan.sabotage)
        ended = wait_for(fork(base, lambda session=session: run_session(session)), base)
        if ended not in ("ended", "killed"):
            report.add(STUCK, f"session {number} {ended}")
            return
        if fault is not None and (ended == "killed" or fault.fault == "full"):
            report.faults[f"{fault.fault} {fault.name}"] += 1
