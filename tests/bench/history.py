"""The section on a long past: what it changes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.bench.child import measure
from tests.bench.report import Ratio, Section, Table, spread
from tests.bench.rounds import Plan, Samples, column, ratios, say

FIGURES = {
    "p50_ms": "one event, p50 ms",
    "p99_ms": "one event, p99 ms",
    "fresh_p50_ms": "one event right after opening, p50 ms",
    "settled_s": "until nothing else is going on, s",
    "open_ms": "opening the vault from Python, ms",
    "start_ms": "aie start to ready, ms",
    "runs_list_ms": "aie runs list, ms",
    "workflows_list_ms": "aie workflows list, ms",
}
FLAT = 1.25  # two runs of the same differ by as much


def run(plan: Plan, folder: Path) -> Iterable[Section]:
    rounds = 1 if plan.quick else min(plan.rounds, 3)
    pasts = {0: folder / "no-past", plan.history: folder / "past"}
    sizes_mb = {}
    for runs, place in pasts.items():
        say(f"writing a past of {runs:,} runs")
        sizes_mb[runs] = measure("past", out=place, runs=runs)["journal_mb"]
    samples: dict[int, Samples] = {runs: [] for runs in pasts}
    for turn in range(rounds):
        for runs, place in pasts.items():
            say(f"round {turn + 1} of {rounds}: {runs:,} past runs")
            samples[runs].append(
                measure("on_history", past=place, turn=turn, events=200 if plan.quick else 400, times=3)
            )
    say("")
    none, some = samples[0], samples[plan.history]
    rows = [(name, spread(column(none, key)), spread(column(some, key))) for key, name in FIGURES.items()]
    yield Section(
        f"History: {plan.history:,} past runs beside none",
        [Table(("", "none", f"{plan.history:,}"), rows)],
        [
            Ratio("one event, p50, with a past / without", ratios(some, none, "p50_ms"), at_most=FLAT),
            Ratio("the same right after opening", ratios(some, none, "fresh_p50_ms")),
            Ratio("aie start, with a past / without", ratios(some, none, "start_ms")),
            Ratio("aie runs list, with a past / without", ratios(some, none, "runs_list_ms")),
            Ratio("aie workflows list, with a past / without", ratios(some, none, "workflows_list_ms")),
        ],
        [f"The journal with a past has {sizes_mb[plan.history]:,.0f} MB; 'flat' is taken as up to {FLAT}."],
        {f"{runs} past runs": taken for runs, taken in samples.items()},
    )
