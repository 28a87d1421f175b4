"""The judge: reads what the world saw, what was acknowledged and what is on record, and says what should not be.

For histories that have come to rest. Everything that was promised is one of the checks below; each finding is something
lost, doubled, stuck or otherwise wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from aie.journal import FILE_NAME, connect
from tests.crash import judge_calls, judge_records, judge_runs
from tests.crash.evidence import Evidence, Verdict
from tests.crash.scenario import expected_runs


def judge(base: Path, *, orders: Iterable[str], lines: Iterable[str], power_was_cut: bool = False) -> Verdict:
    """What is wrong with the history in this folder; nothing if all that was promised held."""
    verdict = Verdict()
    connection = connect(base / "state" / FILE_NAME, read_only=True)
    try:
        evidence = Evidence(base, connection)
        judge_runs.all_there_once(evidence, verdict, expected_runs(orders, lines, evidence.hours()))
        judge_runs.hours_told_once(evidence, verdict)
        judge_runs.ended_as_they_must(evidence, verdict)
        judge_runs.acknowledged_events_are_there(evidence, verdict)
        judge_runs.kept_since_each_census(evidence, verdict)
        judge_runs.decided_once(evidence, verdict)
        judge_calls.made_as_promised(evidence, verdict)
        judge_calls.effects_once(evidence, verdict)
        judge_calls.recorded_results_used(evidence, verdict)
        judge_calls.never_early(evidence, verdict)
        judge_records.chain_unbroken(evidence, verdict, power_was_cut)
        judge_records.audit_complete(evidence, verdict)
        judge_records.journal_intact(evidence, verdict)
        judge_records.vault_in_order(evidence, verdict)
    finally:
        connection.close()
    return verdict
