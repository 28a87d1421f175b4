"""Judging events, runs and decisions: all there, once, ended, and never taken back."""

from __future__ import annotations

from collections import Counter, defaultdict

from tests.crash.evidence import DOUBLED, LOST, STUCK, WRONG, Evidence, Verdict
from tests.crash.scenario import RUNS_PER_ORDER, approves, expected_end


def all_there_once(evidence: Evidence, verdict: Verdict, expected: set[tuple[str, str]]) -> None:
    there = Counter((workflow_id, label) for _, workflow_id, _, label in evidence.runs())
    verdict.seen["runs"] = there.total()
    verdict.seen["events"] = evidence.rows("SELECT count(*) FROM event")[0][0]
    for run in sorted(expected | there.keys()):
        verdict.count(there[run], int(run in expected), f"the run of {run[0]} for {run[1]}")


def hours_told_once(evidence: Evidence, verdict: Verdict) -> None:
    """The schedule told each hour once, and those that passed between two processes as well, as one."""
    hours = Counter(evidence.hours())
    for hour, count in hours.items():
        verdict.count(count, 1, f"events of the hour {hour}")
    known = any(
        name == "source:core.schedule" for census in evidence.said("census") for name, _ in census.get("cursors", ())
    )
    if known and not hours:
        verdict.add(LOST, "the schedule was on record before the clock went on, and never told an hour")


def ended_as_they_must(evidence: Evidence, verdict: Verdict) -> None:
    statuses: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for step in evidence.steps.values():
        statuses[step.run_id][step.step_id] = step.status
    for run_id, workflow_id, status, label in evidence.runs():
        there = status, statuses[run_id]
        if status not in ("succeeded", "failed", "cancelled"):
            verdict.add(STUCK, f"{workflow_id} for {label} ({run_id}) is {there}")
        elif there != expected_end(workflow_id, label):
            verdict.add(WRONG, f"{workflow_id} for {label} ended as {there}, not {expected_end(workflow_id, label)}")


def acknowledged_events_are_there(evidence: Evidence, verdict: Verdict) -> None:
    there = {(source, event_id) for source, event_id in evidence.rows("SELECT source, event_id FROM event")}
    new: Counter[str] = Counter()
    for line in evidence.said("accepted"):
        new[line["id"]] += line["new"]
        if (line["source"], line["id"]) not in there:
            verdict.add(LOST, f"event {line['id']} was acknowledged and is not there")
        if line["new"]:
            verdict.count(line["runs"], RUNS_PER_ORDER, f"runs told to the emitter of {line['id']}")
    for event_id, count in new.items():
        if count > 1:
            verdict.add(DOUBLED, f"event {event_id} was new {count} times")
    verdict.seen["acknowledged"] = len(new)
    _there_after_each_death(evidence, verdict)


def _there_after_each_death(evidence: Evidence, verdict: Verdict) -> None:
    """Whoever handed them in did so again after the crash, so that at the end alone nothing would be missing."""
    told: set[tuple[str, str]] = set()
    told_by_count: dict[int, set[tuple[str, str]]] = {}
    there: set[tuple[str, str]] = set()
    for line in evidence.heard:
        match line["what"]:
            case "accepted":
                told.add((line["source"], line["id"]))
            case "counting":
                told_by_count[line["session"]] = set(told)
            case "census":
                there |= {(source, event_id) for source, event_id in line.get("events", ())}
                for event in told_by_count[line["session"]] - there:
                    verdict.add(LOST, f"event {event} was acknowledged, and gone when session {line['session']} began")


def kept_since_each_census(evidence: Evidence, verdict: Verdict) -> None:
    """What was on record when a process began is on record at the end, unchanged."""
    steps = "FROM step JOIN run ON run.seq = run_seq"
    sqls = {
        "events": "SELECT source, event_id FROM event",
        "runs": "SELECT run_id, hash FROM run",
        "ended": "SELECT run_id, status FROM run",
        "decisions": "SELECT approval_id, state FROM approval",
        "results": f"SELECT run_id, position, step.status, result {steps}",
    }
    final = {name: {tuple(row) for row in evidence.rows(sql)} for name, sql in sqls.items()}
    hashes = dict(evidence.rows("SELECT seq, hash FROM audit"))
    attempts = {
        (run_id, position): (attempt, params)
        for run_id, position, attempt, params in evidence.rows(f"SELECT run_id, position, attempt, params {steps}")
    }
    for census in evidence.said("census"):
        before = f"before session {census['session']}"
        for name, kept in final.items():
            for row in census.get(name, ()):
                if tuple(row) not in kept:
                    verdict.add(LOST, f"{name}: {row} was on record {before}, and is not now")
        for run_id, position, attempt, params in census.get("attempts", ()):
            now = attempts.get((run_id, position), (0, None))
            if now[0] < attempt:
                verdict.add(LOST, f"attempt {attempt} of {run_id}, {position} was on record {before}, now {now[0]}")
            if params is not None and now[1] != params:
                verdict.add(WRONG, f"the parameters of {run_id}, {position} were {params} {before}, now {now[1]}")
        head = census.get("head")
        if head and hashes.get(head[0]) != head[1]:
            verdict.add(LOST, f"audit record {head[0]} is not the one it was {before}")


def decided_once(evidence: Evidence, verdict: Verdict) -> None:
    """Each request has the first decision that was given, and one event that says so."""
    accepted = Counter(line["approval"] for line in evidence.said("decided") if line["accepted"])
    for approval_id, count in accepted.items():
        if count > 1:
            verdict.add(DOUBLED, f"approval {approval_id} was decided {count} times")
    rows = evidence.rows("SELECT approval_id, state, title FROM approval")
    for approval_id, state, title in rows:
        answer = "approved" if approves(title) else "rejected"
        if state != answer:
            verdict.add(WRONG, f"approval {approval_id} ({title}) is {state}, the answer was {answer}")
    events = Counter(row[0] for row in evidence.rows("SELECT event_id FROM event WHERE source='approvals'"))
    for approval_id in events.keys() | {row[0] for row in rows}:
        verdict.count(events[approval_id], 1, f"events of the decision on {approval_id}")
    verdict.seen["decisions"] = len(rows)
