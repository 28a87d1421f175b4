"""Judging calls and effects: nothing repeated that must not be, nothing made before what it needs is on record."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aie.machine import idempotency_key
from tests.crash.actions import ASKING, EFFECTS, KEYED, LOOKED_UP, UNKEYED
from tests.crash.evidence import DOUBLED, LOST, WRONG, Evidence, Place, Verdict
from tests.crash.scenario import QUICKLY

CAREFUL = UNKEYED | LOOKED_UP
PARKED_FROM = 3  # deaths
RETRY_SLACK = timedelta(milliseconds=2)  # the record of a failure and the line of its attempt are not the same instant


def made_as_promised(evidence: Evidence, verdict: Verdict) -> None:
    """The whole log, from its first line to its last."""
    reading = _Reading(evidence, verdict)
    for line in evidence.heard:
        match line["what"]:
            case "counting":
                reading.counted[line["session"]], reading.made = (
                    [*reading.counted.get(line["session"], ()), *reading.made],
                    [],
                )
                reading.processes += 1
            case "census":
                reading.a_census(line)
            case "call":
                reading.a_call(line)
            case "refused":
                reading.may_repeat[_place(line)] = True
            case "uncertain" | "look":  # a person, or the service, says
                reading.may_repeat[_place(line)] = not line["happened"]
    for place, count in reading.calls.items():
        step = evidence.steps.get(place)
        if step is None:
            verdict.add(LOST, f"{place} was called and is not on record")
        elif step.action not in CAREFUL and count > step.attempt + reading.processes:
            verdict.add(DOUBLED, f"{place} was called {count} times for {step.attempt} attempts")
    verdict.seen["calls"] = reading.calls.total()


def _place(line: dict[str, Any]) -> Place:
    return line["run"], line["step"]


@dataclass(slots=True)
class _Reading:
    """What is known at one line of the log."""

    evidence: Evidence
    verdict: Verdict
    processes: int = 0
    calls: Counter[Place] = field(default_factory=Counter)
    made: list[dict[str, Any]] = field(default_factory=list)  # the calls since somebody last began to count
    counted: dict[int, list[dict[str, Any]]] = field(default_factory=dict)  # those the next census is about, by session
    recorded: set[Place] = field(default_factory=set)  # steps whose end was on record at a census
    may_repeat: dict[Place, bool] = field(default_factory=dict)
    identities: dict[Place, tuple[str, str]] = field(default_factory=dict)

    def a_census(self, census: dict[str, Any]) -> None:
        """What was needed for the calls before it to be made must be on record."""
        places = self.evidence.places
        attempts = {places[run_id, position]: attempt for run_id, position, attempt, _ in census.get("attempts", ())}
        approved = {self.evidence.asked.get(row[0]) for row in census.get("decisions", ()) if row[1] == "approved"}
        results = {places[row[0], row[1]]: json.loads(row[3] or "null") for row in census.get("results", ())}
        for line in self.counted.pop(census["session"], ()):
            place = _place(line)
            if line["action"] in CAREFUL and attempts.get(place, 0) < line["attempt"]:
                self.verdict.add(WRONG, f"attempt {line['attempt']} of {place} was made before it was on record")
            if line["action"] in ASKING and place not in approved:
                self.verdict.add(WRONG, f"{place} was carried out before its approval was on record")
            if line["workflow"] == "chain" and line["token"] is not None:
                rolled = results.get((line["run"], "roll")) or {}
                if rolled.get("token") != line["token"]:
                    self.verdict.add(WRONG, f"{place} was given a result that was not on record")
        self.recorded |= results.keys()

    def a_call(self, line: dict[str, Any]) -> None:
        place = _place(line)
        self.calls[place] += 1
        self.made.append(line)
        if place in self.recorded:
            self.verdict.add(DOUBLED, f"{place} was called again after its end was on record")
        identity = line["key"], line["digest"]
        if self.identities.setdefault(place, identity) != identity:
            self.verdict.add(WRONG, f"{place} was called with {identity}, before with {self.identities[place]}")
        if line["key"] != idempotency_key(*place):
            self.verdict.add(WRONG, f"{place} was called with the key {line['key']}")
        step = self.evidence.steps.get(place)
        if step is not None and line["version"] != step.version:
            self.verdict.add(WRONG, f"{place} was called by version {line['version']}, its run has {step.version}")
        if line["action"] in CAREFUL:
            if not self.may_repeat.get(place, True):
                self.verdict.add(DOUBLED, f"{place} was called again although nobody knew what became of it")
            self.may_repeat[place] = False


def effects_once(evidence: Evidence, verdict: Verdict) -> None:
    """Each effect once if its step succeeded, none otherwise, and none that is not on record."""
    effects = evidence.world.effects()
    keyed = evidence.world.keyed()
    for place, step in evidence.steps.items():
        if step.action in KEYED and (key := idempotency_key(*place)) in keyed:
            effects[place] = 1
            keyed.remove(key)
        if step.action in EFFECTS:
            verdict.count(
                effects.pop(place, 0), int(step.status == "succeeded"), f"effects of {step.action} at {place}"
            )
            verdict.seen["effects"] += step.status == "succeeded"
    for what in [*effects, *keyed]:
        verdict.add(LOST, f"{what} had an effect and is not on record")
    _asked_without_need(evidence, verdict)


def _asked_without_need(evidence: Evidence, verdict: Verdict) -> None:
    """A person is asked about what nobody else can know, and about a step under which aie has died three times."""
    processes = 0
    for line in evidence.said("counting", "uncertain"):
        processes += line["what"] == "counting"
        if line["what"] == "uncertain" and line["action"] not in UNKEYED and processes <= PARKED_FROM:
            verdict.add(WRONG, f"{line['action']} of {_place(line)} is uncertain, and need not be")


def recorded_results_used(evidence: Evidence, verdict: Verdict) -> None:
    """Later steps were given the result that is on record, whatever an attempt that was cut off came to."""
    for step in evidence.steps.values():
        rolled = evidence.steps.get((step.run_id, "roll"))
        used = step.params.get("token")
        if rolled is not None and used not in (None, (rolled.result or {}).get("token")):
            verdict.add(WRONG, f"{step.place} was given {used}, on record is {rolled.result}")


def never_early(evidence: Evidence, verdict: Verdict) -> None:
    """No wait is over before its time, and no retry comes before its own, by the clock of whoever was at work."""
    for step in evidence.steps.values():
        if step.action == "wait" and step.at < datetime.fromisoformat(step.result["waited_until"]):
            verdict.add(WRONG, f"{step.place} was over at {step.at}, before {step.result['waited_until']}")
    failed: dict[Place, tuple[int, datetime]] = {}
    for line in evidence.said("call", "uncertain"):
        if line["what"] == "uncertain":
            failed.pop(_place(line), None)  # who answers "again" means now
        if line["what"] != "call" or line["action"] != "flaky":
            continue
        place, attempt, at = _place(line), line["attempt"], datetime.fromisoformat(line["at"])
        before, failed_at = failed.get(place, (attempt, at))
        if before < attempt:
            least = timedelta(seconds=QUICKLY["initial_s"] * QUICKLY["factor"] ** (before - 1)) - RETRY_SLACK
            if at - failed_at < least:
                verdict.add(WRONG, f"{place} was tried again after {at - failed_at}, not {least}")
        failed[place] = attempt, at
