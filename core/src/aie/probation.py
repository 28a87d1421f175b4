"""Probation: what becomes of the runs that were under way when aie died, so that none brings it down for ever.

Each of them may have done it. After the first time all go on as before. Those that were there twice go on one at a
time, before all others, so that only the culprit is there a third time; that one is parked, and a person must say what
to do.
"""

from __future__ import annotations

from aie import schema
from aie.history import History
from aie.journal import Batch
from aie.run import RunStatus

ALONE_FROM = 2
PARKED_FROM = 3
_ALONE = "engine:alone"  # the run that goes on alone right now
_STOPPED = "engine:stopped"  # aie did not die, it ended while something was still under way


def blame(history: History, max_runs: int, batch: Batch) -> dict[int, int]:
    """How often aie died under each run that is under way, this time included; to be written with the batch.

    Runs are driven oldest first, at most ``max_runs`` at a time, so those are the ones that can have been.
    """
    if history.cursor(_STOPPED):
        batch.put_cursor(_STOPPED, None)
        return history.crashes()
    alone = history.cursor(_ALONE)
    under_way = [seq for seq, _, _, status, _ in history.open_by_workflow() if status is RunStatus.RUNNING]
    suspects = [seq for seq in under_way[:max_runs] if alone is None or seq == alone]
    counts = history.crashes()
    if not suspects and not counts:
        return {}
    for seq in suspects:
        batch.add(schema.COUNT_CRASH, seq)
        counts[seq] = counts.get(seq, 0) + 1
    batch.add(schema.FORGET_CRASHES)
    return {seq: counts[seq] for seq in under_way if seq in counts}


def alone(seq: int | None) -> Batch:
    """Puts on record that a run goes on alone from now on, or that none does."""
    batch = Batch()
    batch.put_cursor(_ALONE, seq)
    return batch


def stopped() -> Batch:
    """Puts on record that what is under way now was cut off on purpose."""
    batch = Batch()
    batch.put_cursor(_STOPPED, True)
    return batch
