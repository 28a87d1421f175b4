"""DBOS on its SQLite default: a workflow with two steps, each recorded before the next, one id per event."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dbos import DBOS, SetWorkflowID

from tests.bench import work
from tests.bench.child import load_options
from tests.bench.load import Meter, figures

WARM_UP = 20


@DBOS.step()
def add_entry(title: str, message: str) -> dict[str, Any]:
    return work.add_entry(title, message)


@DBOS.step()
def prepare_letter(to: str, subject: str) -> dict[str, Any]:
    return work.prepare_letter(to, subject)


@DBOS.workflow()
def enter_invoice(event: dict[str, Any]) -> list[dict[str, Any]] | None:
    return work.carry_out(event, add_entry, prepare_letter)


def process(number: int) -> float:
    event = work.event(number)
    began_s = time.perf_counter()
    with SetWorkflowID(event["event_id"]):
        result = enter_invoice(event)
    took_s = time.perf_counter() - began_s
    if result is None or len(result) != 2:
        raise SystemExit(f"the workflow gave {result!r}")
    return took_s


def main() -> None:
    options = load_options(default_runs=200).parse_args()
    os.chdir(options.folder)  # its default database is a file in the current folder
    DBOS(config={"name": "bench", "log_level": "ERROR", "console_log_level": "ERROR"})
    DBOS.launch()
    with ThreadPoolExecutor(options.in_flight) as threads:
        for number in range(WARM_UP):
            process(number)
        with Meter() as meter:
            if options.in_flight == 1:
                took_s = [process(number) for number in range(WARM_UP, WARM_UP + options.runs)]
            else:
                took_s = list(threads.map(process, range(WARM_UP, WARM_UP + options.runs)))
    DBOS.destroy()
    print(json.dumps(figures(took_s, meter)))


if __name__ == "__main__":
    main()
