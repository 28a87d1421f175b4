"""What came of some histories: how much was tried, and what was found."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.evidence import KINDS, WRONG, Verdict
from tests.crash.world import World

_ALARMS = (" CRITICAL ", "Traceback", "never retrieved")


@dataclass(slots=True)
class Report:
    """``found`` has a sentence for each thing lost, doubled, stuck or wrong; ``points`` those of clean processes."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)  # by what was done at which point
    found: dict[str, list[str]] = field(default_factory=dict)
    points: Counter[str] = field(default_factory=Counter)  # "session number|name of the point"

    def add(self, kind: str, sentence: str) -> None:
        self.found.setdefault(kind, []).append(sentence)

    def take(self, base: Path, verdict: Verdict) -> None:
        """Add what the judge found in a folder, and what its processes logged that no good process logs."""
        self.counts += verdict.seen
        for kind, sentences in verdict.found.items():
            self.found.setdefault(kind, []).extend(sentences)
        with (base / "aie.log").open(encoding="utf-8") as file:
            for line in file:
                if any(alarm in line for alarm in _ALARMS):
                    self.add(WRONG, f"logged: {line.rstrip()}")
        for line in World(base / "world").heard():
            if line["what"] == "ended":
                self.points += Counter({f"{line['session']}|{name}": count for name, count in line["counts"].items()})
            elif line["what"] in ("emit", "uncertain", "look", "not accepted"):
                self.counts[line["what"]] += 1

    def join(self, other: Report) -> None:
        self.counts += other.counts
        self.faults += other.faults
        self.points += other.points
        for kind, sentences in other.found.items():
            self.found.setdefault(kind, []).extend(sentences)

    def as_json(self) -> str:
        fields = {"counts": self.counts, "faults": self.faults, "found": self.found, "points": self.points}
        return json.dumps(fields)

    @classmethod
    def from_json(cls, text: str) -> Report:
        data = json.loads(text)
        return cls(Counter(data["counts"]), Counter(data["faults"]), data["found"], Counter(data["points"]))

    def lines(self) -> list[str]:
        """For people."""
        counts, faults = self.counts, Counter[str]()
        for name, count in self.faults.items():
            faults[name.split(" ")[0]] += count
        kinds = len({name.partition(" ")[2] for name in self.faults})
        tried = [
            f"{counts['histories']} histories: {faults['kill']} kills, {faults['cut']} power cuts and {faults['full']} "
            f"times a full disk, at {kinds} kinds of points",
            f"{counts['emit']} events tried, {counts['acknowledged']} acknowledged, {counts['events']} on record",
            f"{counts['runs']} runs, {counts['calls']} calls, {counts['effects']} effects, "
            f"{counts['decisions']} decisions, {counts['audit records']} audit records",
            f"asked what happened: a person {counts['uncertain']} times, the service {counts['look']} times",
        ]
        return [*tried, ", ".join(f"{kind} {len(self.found.get(kind, ()))}" for kind in KINDS)]
