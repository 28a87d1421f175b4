"""The section on many steps in one run."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from tests.bench.report import Ratio, Section, Table, number, spread
from tests.bench.rounds import Plan, Point, column, ratios, take_turns

STEPS = 40
KINDS = {"repeatable": "repeatable", "once": "not repeatable"}  # the action → in words


def run(plan: Plan) -> Iterable[Section]:
    runs = 8 if plan.quick else 25
    points = [Point("aie", "on_steps", (("action", kind), ("steps", STEPS), ("runs", runs)), kind) for kind in KINDS]
    samples = take_turns(points, plan.rounds)
    rows, found = [], []
    for point, taken in samples.items():
        kind = KINDS[point.label]
        times = (spread(column(taken, key)) for key in ("step_ms", "same_records_ms"))
        small, commits = (median(column(taken, key)) for key in ("small_row_ms", "commits_per_step"))
        rows.append((kind, *times, number(small), number(commits)))
        limit = 1.5 if point.label == "repeatable" else None
        found.append(
            Ratio(f"{kind} step / one commit", ratios(taken, taken, "step_ms", "same_records_ms"), at_most=limit)
        )
        found.append(Ratio(f"{kind} step / a small row's commit", ratios(taken, taken, "step_ms", "small_row_ms")))
    yield Section(
        f"Steps: {STEPS} in a row in one run, each durable before the next",
        [Table(("ms", "per step (min–max)", "one commit", "small row", "commits/step"), rows)],
        found,
        [
            "One commit, small row: a durable commit of the same records, or of one small row,",
            "without aie and by turns with it.",
        ],
        {KINDS[point.label]: taken for point, taken in samples.items()},
    )
