"""The contenders take turns: one after the other, round after round, so that a slow minute hits all of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from tests.bench.child import measure


@dataclass(frozen=True)
class Plan:
    """What is asked for; ``history`` is a number of past runs."""

    quick: bool = False
    rounds: int = 5
    history: int = 100_000


@dataclass(frozen=True)
class Point:
    """One contender at one setting."""

    name: str
    contender: str  # a module of tests.bench
    options: tuple[tuple[str, object], ...] = ()
    label: str = ""  # what tells it from the others of its name


Samples = list[dict[str, Any]]


def take_turns(points: list[Point], rounds: int) -> dict[Point, Samples]:
    """The figures of each point, one per round."""
    samples: dict[Point, Samples] = {point: [] for point in points}
    for number in range(1, rounds + 1):
        for point in points:
            say(f"round {number} of {rounds}: {point.name} {point.label}")
            samples[point].append(measure(point.contender, **dict(point.options)))
    say("")
    return samples


def say(text: str) -> None:
    """What is being done, on one line that is written over; on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def column(samples: Samples, key: str) -> list[float]:
    return [sample[key] for sample in samples]


def ratios(over: Samples, under: Samples, key: str, under_key: str = "") -> list[float]:
    """The quotient of each round."""
    return [one[key] / other[under_key or key] for one, other in zip(over, under, strict=True)]
