"""Throughput and latency: aie, the bare journal, DBOS and huey on the same work."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from pathlib import Path

from tests.bench.child import measure
from tests.bench.report import Ratio, Section, Table, number, spread
from tests.bench.rounds import Plan, Point, Samples, column, ratios, take_turns

AIE, FLOOR, DBOS, HUEY = "aie", "bare journal", "DBOS", "huey"
HEADLINE = 64  # in flight, where aie is held against its floor

FULL = {1: 1_000, 8: 4_000, 64: 10_000, 256: 10_000}  # in flight → events
QUICK = {1: 300, 64: 2_500}
PEER_RUNS = {DBOS: (250, 60), HUEY: (2_000, 500)}  # full, quick
PEER_LEVELS = {DBOS: (1, 8, 64), HUEY: (1, 64, 8)}  # the first two are quick

PUBLISHED = (
    "Published, not measured here: the original does 580 runs/s, 1.5 ms at the",
    "median and 2.3 at the 99th percentile, with nothing durable between steps.",
)


def points(plan: Plan, tape: Path, wanted: set[str]) -> list[Point]:
    """What is measured; the latency section needs one at a time only."""
    levels = QUICK if plan.quick else FULL
    chosen: list[Point] = []
    for in_flight, runs in levels.items():
        chosen.append(_point(AIE, "on_aie", in_flight, runs))
        chosen.append(_point(FLOOR, "on_floor", in_flight, runs, tape=tape))
    for name in (DBOS, HUEY):
        runs = PEER_RUNS[name][plan.quick]
        in_flights = PEER_LEVELS[name][:2] if plan.quick else PEER_LEVELS[name]
        chosen += [_point(name, f"on_{name.lower()}", in_flight, runs) for in_flight in in_flights]
    if not plan.quick:
        chosen.append(_point(HUEY, "on_huey", 64, PEER_RUNS[HUEY][0], workers=4))
    return [point for point in chosen if point.label == "1" or "throughput" in wanted]


def _point(name: str, contender: str, in_flight: int, runs: int, **more: object) -> Point:
    options = {"in_flight": in_flight, "runs": runs, **more}
    workers = f", {more['workers']} threads" if "workers" in more else ""
    return Point(name, contender, tuple(options.items()), f"{in_flight}{workers}")


def run(plan: Plan, folder: Path, wanted: set[str]) -> Iterable[Section]:
    """The sections ``throughput`` and ``latency``, as far as they are wanted; measured together."""
    tape = folder / "tape.json"
    measure("recording", out=tape)
    samples = take_turns(points(plan, tape, wanted), plan.rounds)
    if "throughput" in wanted:
        yield throughput(samples)
    if "latency" in wanted:
        yield latency(samples)


def throughput(samples: dict[Point, Samples]) -> Section:
    rows = []
    for point, taken in samples.items():
        others = (number(_median(taken, key)) for key in ("cpu_us_per_run", "p50_ms", "p99_ms", "rss_mb"))
        rows.append((f"{point.name}, {point.label}", spread(column(taken, "runs_per_s")), *others))
    best = {name: _best(samples, name) for name in (AIE, DBOS, HUEY)}
    aie = samples[best[AIE]]
    found = []
    for point, taken in samples.items():
        if point.name == AIE:
            floor = next(other for other in samples if (other.name, other.label) == (FLOOR, point.label))
            limit = 0.5 if point.label == str(HEADLINE) else None
            quotients = ratios(taken, samples[floor], "runs_per_s")
            found.append(Ratio(f"runs/s / bare journal's, {point.label} in flight", quotients, limit))
    for name, limit in ((DBOS, 60.0), (HUEY, 8.0)):
        quotients = ratios(aie, samples[best[name]], "runs_per_s")
        found.append(Ratio(f"runs/s / {name}'s, each at its best", quotients, limit))
    settings = ", ".join(f"{name} {point.label}" for name, point in best.items())
    return Section(
        "Throughput: events per second, each a run of two durable steps",
        [Table(("contender, in flight", "runs/s (min–max)", "CPU µs", "p50 ms", "p99 ms", "MB"), rows)],
        found,
        [
            f"At their best: {settings} in flight.",
            f"aie's logs and audit files were complete {_median(aie, 'drain_s'):.2f} s after its last run.",
            *PUBLISHED,
        ],
        _plain(samples),
    )


def latency(samples: dict[Point, Samples]) -> Section:
    alone = {point.name: taken for point, taken in samples.items() if point.label == "1"}
    rows = [(name, spread(column(taken, "p50_ms")), spread(column(taken, "p99_ms"))) for name, taken in alone.items()]
    return Section(
        "Latency: one event at a time, from submit to done",
        [Table(("contender", "p50 ms (min–max)", "p99 ms (min–max)"), rows)],
        [
            Ratio("one event, p50 / DBOS's", ratios(alone[AIE], alone[DBOS], "p50_ms"), at_most=0.25),
            Ratio("one event, p99 / DBOS's", ratios(alone[AIE], alone[DBOS], "p99_ms")),
            Ratio("one event, p50 / huey's", ratios(alone[AIE], alone[HUEY], "p50_ms")),
            Ratio("one event, p50 / bare journal's", ratios(alone[AIE], alone[FLOOR], "p50_ms")),
        ],
        samples=_plain({point: taken for point, taken in samples.items() if point.label == "1"}),
    )


def _median(samples: Samples, key: str) -> float:
    return statistics.median(column(samples, key))


def _best(samples: dict[Point, Samples], name: str) -> Point:
    """The setting at which this contender did the most."""
    own = [point for point in samples if point.name == name]
    return max(own, key=lambda point: _median(samples[point], "runs_per_s"))


def _plain(samples: dict[Point, Samples]) -> dict[str, Samples]:
    return {f"{point.name}, {point.label} in flight": taken for point, taken in samples.items()}
