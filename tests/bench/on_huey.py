"""huey on SQLite with fsync: one task does the work. Its queue and its results are durable, not the steps between."""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import Any

from huey import SqliteHuey
from huey.signals import SIGNAL_COMPLETE

from tests.bench import work
from tests.bench.child import load_options
from tests.bench.load import Meter, figures

WARM_UP = 100
POLL_S = 0.001  # how often an idle worker looks into the queue: often, because latency is measured too


def main() -> None:
    parser = load_options(default_runs=1_000)
    parser.add_argument("--workers", type=int, default=1, help="threads")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    huey = SqliteHuey("bench", filename=str(options.folder / "huey.db"), fsync=True)
    task = huey.task()(work.carry_out)
    slots = threading.Semaphore(options.in_flight)
    ended_s: dict[str, float] = {}

    @huey.signal(SIGNAL_COMPLETE)
    def completed(signal: str, done: Any) -> None:
        """Sent once the result is stored."""
        ended_s[done.id] = time.perf_counter()
        slots.release()

    def process(first: int, count: int) -> list[float]:
        began_s: dict[str, float] = {}
        for number in range(first, first + count):
            slots.acquire()
            now_s = time.perf_counter()
            began_s[task(work.event(number)).id] = now_s
        for _ in range(options.in_flight):  # all are back: nothing is in flight any more
            slots.acquire()
        slots.release(options.in_flight)
        return [ended_s[id_] - begin_s for id_, begin_s in began_s.items()]

    consumer = huey.create_consumer(
        workers=options.workers, worker_type="thread", initial_delay=POLL_S, max_delay=POLL_S, backoff=1.0,
        periodic=False, check_worker_health=False,
    )  # fmt: skip
    consumer.start()
    process(0, WARM_UP)
    with Meter() as meter:
        took_s = process(WARM_UP, options.runs)
    consumer.stop(graceful=True)
    if huey.result_count() != WARM_UP + options.runs:
        raise SystemExit(f"{huey.result_count()} results, and not {WARM_UP + options.runs}")
    print(json.dumps(figures(took_s, meter)))


if __name__ == "__main__":
    main()
