"""Keeping a number of pieces of work in flight, and what that took."""

from __future__ import annotations

import asyncio
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


class Meter:
    """Wall and CPU time of the block it is around, threads included."""

    def __enter__(self) -> Meter:
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.wall_s = time.perf_counter() - self._wall_s
        self.cpu_s = time.process_time() - self._cpu_s


async def keep_in_flight(work: Callable[[T], Awaitable[Any]], jobs: Iterable[T], in_flight: int) -> list[float]:
    """Do the jobs, ``in_flight`` at a time; the seconds that each took from being handed in to being done."""
    took_s: list[float] = []
    waiting = iter(jobs)

    async def worker() -> None:
        for job in waiting:
            began_s = time.perf_counter()
            await work(job)
            took_s.append(time.perf_counter() - began_s)

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return took_s


def figures(took_s: list[float], meter: Meter, **more: Any) -> dict[str, Any]:
    """What a contender reports about ``len(took_s)`` pieces of work."""
    ordered = sorted(took_s)
    return {
        "runs": len(ordered),
        "wall_s": meter.wall_s,
        "cpu_s": meter.cpu_s,
        "runs_per_s": len(ordered) / meter.wall_s,
        "cpu_us_per_run": meter.cpu_s / len(ordered) * 1e6,
        "p50_ms": statistics.median(ordered) * 1e3,
        "p99_ms": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1e3,
        "rss_mb": peak_rss_mb(),
        **more,
    }


def peak_rss_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def rss_mb() -> float:
    """What the process holds of the memory now; its peak where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 1e6
    except FileNotFoundError:
        return peak_rss_mb()
