"""The long version, by ``make soak``: every fault point, then faults at random, then kills under load.

Exits with 1 if anything was lost, doubled, stuck or wrong; what was found names the history, to be run again with
``--history``. The counts are of what was tried.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.crash.campaign import CLEAN, HistoryPlan, plans_for, random_plan, run_histories, sample
from tests.crash.load import kill_so_often, run_load
from tests.crash.report import Report

TELL_EVERY_S = 15.0
BATCH = 200


def main() -> int:
    options = _options()
    if options.history:
        plan = replace(HistoryPlan.parse(options.history), sabotage=options.sabotage)
        report = run_histories([plan] * options.times, lanes=options.lanes)
    else:
        if not options.json:
            print(f"seed {options.seed}", flush=True)
        report = _soak(options)
    if options.json:
        print(report.as_json())
    else:
        for kind, sentences in report.found.items():
            print("\n".join([f"\n{kind}:", *(f"  {sentence}" for sentence in sentences[:20])]))
        if report.found:
            print(f"\nseed {options.seed}; a history again: python -m tests.crash --history 'THE TEXT IN BRACKETS'")
        print("\n".join(["", *report.lines()]))
    return 1 if report.found else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="of random faults, and again of load (default 2)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--points", type=int, help="so many fault points of each sort, instead of all")
    parser.add_argument("--kills", type=int, help="so many kills under load, instead of as many as there is time for")
    parser.add_argument("--lanes", type=int, default=2 * (os.cpu_count() or 2), help="histories side by side")
    parser.add_argument("--history", help="run this one history again")
    parser.add_argument("--times", type=int, default=1, help="so many times")
    parser.add_argument("--sabotage", default="", help="by an engine that breaks a promise: see sabotage.py")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _soak(options: argparse.Namespace) -> Report:
    chance = random.Random(options.seed)
    report = run_histories([CLEAN])
    if report.found:
        return report
    points = Counter(report.points)
    most = sum(count for place, count in points.items() if place.startswith("0|"))

    def campaign(what: str, plans: Sequence[HistoryPlan]) -> None:
        if options.points is not None:
            plans = sample(plans, options.points, chance)
        report.join(run_histories(plans, lanes=options.lanes, tell=_progress(options, what, len(plans))))

    campaign("killed at every point", plans_for(points, "kill"))
    campaign("power cut around every write", plans_for(points, "cut", only=_is_about_writing))
    campaign("disk full at every transaction", plans_for(points, "full", only=_can_be_full))

    tell = _progress(options, "several faults in one history")
    until_s = time.monotonic() + 60 * options.minutes
    while True:
        plans = [random_plan(chance, most) for _ in range(options.points or BATCH)]
        report.join(run_histories(plans, lanes=options.lanes, tell=tell))
        if time.monotonic() >= until_s:
            break

    tell = _progress(options, "killed under load")
    if options.kills is None:
        report.join(run_load(options.seed, time.monotonic() + 60 * options.minutes, tell))
    elif options.kills:
        report.join(kill_so_often(options.seed, options.kills, tell))
    return report


def _is_about_writing(name: str) -> bool:
    return name.startswith(("journal: ", "sqlite: ", "effect: ", "file: torn", "file: written", "file: synced"))


def _can_be_full(name: str) -> bool:
    return name.startswith("journal: ") and name != "journal: committed"


def _progress(options: argparse.Namespace, what: str, of: int | None = None) -> Callable[[Report], None]:
    """Prints how far it is, now and then, and everything that is found at once."""
    begun_s = told_s = time.monotonic()
    so_far = Report()
    done = 0

    def tell(part: Report) -> None:
        nonlocal told_s, done
        done += 1
        so_far.join(part)
        if options.json:
            return
        for kind, sentences in part.found.items():
            print("\n".join(f"  {kind}: {sentence[:2_000]}" for sentence in sentences[:5]), flush=True)
        if time.monotonic() - told_s > TELL_EVERY_S or done == of:
            told_s = time.monotonic()
            share = f"{done} of {of}" if of else str(done)
            faults, runs = so_far.faults.total(), so_far.counts["runs"]
            print(f"{what}: {share} verdicts, {faults} faults, {runs} runs, {told_s - begun_s:.0f} s", flush=True)

    return tell


if __name__ == "__main__":
    sys.exit(main())
