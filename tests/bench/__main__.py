"""``make bench``: measure, print the tables, and write ``build/bench/RESULT.json``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import footprint, history, matching, steps, throughput
from tests.bench.child import OUTPUT, scratch
from tests.bench.report import Section, aligned, verdicts
from tests.bench.rounds import Plan

SECTIONS = ("throughput", "latency", "steps", "matching", "history", "footprint")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure aie beside a bare journal and its peers.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}; all without one")
    parser.add_argument("--quick", action="store_true", help="fewer rounds of less, in under a minute")
    parser.add_argument("--rounds", type=int, help="how often each contender has its turn (5; 2 with --quick)")
    parser.add_argument("--history", type=int, help="past runs in the history section (100,000; 20,000 with --quick)")
    parser.add_argument("--out", type=Path, default=OUTPUT / "RESULT.json", help="where the JSON goes")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    plan = Plan(
        quick=options.quick,
        rounds=options.rounds or (2 if options.quick else 5),
        history=options.history or (20_000 if options.quick else 100_000),
    )
    began = datetime.now(UTC)
    sections = show(measured(plan, set(options.sections or SECTIONS)))
    promises = [ratio for section in sections for ratio in section.ratios if ratio.met is not None]
    print("\nWhat was promised\n=================")
    print("\n".join(aligned(verdicts(promises))))
    write(options.out, plan, began, sections)


def measured(plan: Plan, wanted: set[str]) -> Iterator[Section]:
    folder = scratch()
    try:
        if wanted & {"throughput", "latency"}:
            yield from throughput.run(plan, folder, wanted)
        if "steps" in wanted:
            yield from steps.run(plan)
        if "matching" in wanted:
            yield from matching.run(plan)
        if "history" in wanted:
            yield from history.run(plan, folder)
        if "footprint" in wanted:
            yield from footprint.run(plan, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def show(sections: Iterable[Section]) -> list[Section]:
    """Print each as soon as it is there."""
    shown = []
    for section in sections:
        print("\n".join(section.lines()), flush=True)
        shown.append(section)
    return shown


def write(path: Path, plan: Plan, began: datetime, sections: list[Section]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {
        "began": began.isoformat(timespec="seconds"),
        "took_s": round((datetime.now(UTC) - began).total_seconds(), 1),
        "machine": {"system": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()},
        "plan": {"quick": plan.quick, "rounds": plan.rounds, "history": plan.history},
        "sections": [section.plain() for section in sections],
    }
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False), "utf-8")
    print(f"\n{found['took_s']:g} s; all samples are in {os.path.relpath(path)}")


if __name__ == "__main__":
    main()
