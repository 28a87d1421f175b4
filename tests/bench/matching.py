"""The section on many workflows."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from tests.bench.report import Ratio, Section, Table, number
from tests.bench.rounds import Plan, Point, column, ratios, take_turns

FLAT = 1.25  # two runs of the same differ by as much
MANY = 10_000
FIGURES = {
    "load_s": "load s",
    "memory_mb": "MB more",
    "p50_ms": "event ms",
    "matching_ms": "matching",
    "evaluate_all_ms": "all",
    "simpleeval_all_ms": "simpleeval",
}


def run(plan: Plan) -> Iterable[Section]:
    most = MANY // 10 if plan.quick else MANY
    counts = [1, most] if plan.quick else [1, 100, 1_000, most]
    equal = {count: _point(count, f"{count:,} on one event type") for count in counts}
    ranges = _point(most, f"{most:,} with ranges", shape="range")
    others = _point(1, f"1, and {most:,} on others", others=most)
    samples = take_turns([*equal.values(), ranges, others], 1 if plan.quick else min(plan.rounds, 2))
    rows = [(point.label, *(number(median(column(taken, key))) for key in FIGURES)) for point, taken in samples.items()]
    one, many = samples[equal[1]], samples[equal[most]]
    limit = None if plan.quick else 0.05
    found = []
    for words, taken in (("", many), (", ranges", samples[ranges])):
        by_simpleeval = ratios(taken, taken, "p50_ms", "simpleeval_all_ms")
        found.append(Ratio(f"event / all by simpleeval{words}", by_simpleeval, at_most=limit))
        alone = ratios(taken, taken, "matching_ms", "evaluate_all_ms")
        found.append(Ratio(f"matching alone / all{words}", alone, at_most=limit))
    yield Section(
        f"Matching: {most:,} workflows, one of which has a true condition",
        [Table(("workflows", *FIGURES.values()), rows)],
        [
            *found,
            Ratio("event / all", ratios(many, many, "p50_ms", "evaluate_all_ms")),
            Ratio("event / event with one workflow", ratios(many, many, "p50_ms", "control_p50_ms")),
            Ratio(f"event, {most:,} on other types / none", ratios(samples[others], one, "p50_ms"), at_most=FLAT),
        ],
        [
            "All: every condition on the event's type evaluated one by one, as aie does it; by",
            "simpleeval: as that library does it as it comes, each parsed before.",
            "Matching alone: what the event costs more than one whose type has one workflow.",
        ],
        {point.label: taken for point, taken in samples.items()},
    )


def _point(count: int, label: str, **more: object) -> Point:
    events = 200 if count <= 100 else 50
    return Point("aie", "on_matching", tuple({"count": count, "events": events, **more}.items()), label)
