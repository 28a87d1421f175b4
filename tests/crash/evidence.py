"""The evidence of a history that has come to rest, and the verdict that grows from looking at it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw

from aie.history import History
from tests.crash.world import World

LOST, DOUBLED, STUCK, WRONG = "lost", "doubled", "stuck", "wrong"
KINDS = (LOST, DOUBLED, STUCK, WRONG)

Place = tuple[str, str]  # run id, step id


@dataclass(slots=True)
class Verdict:
    """What was found, by kind, one sentence each, and how much there was to look at."""

    found: dict[str, list[str]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, sentence: str) -> None:
        self.found.setdefault(kind, []).append(sentence)

    def count(self, there: int, wanted: int, sentence: str) -> None:
        """Something that must be there so often: fewer are lost, more are doubled."""
        if there != wanted:
            self.add(LOST if there < wanted else DOUBLED, f"{sentence}: {there}, not {wanted}")


@dataclass(frozen=True, slots=True)
class StepEvidence:
    """One step of one run, as the journal has it at the end."""

    run_id: str
    workflow_id: str
    label: str
    version: int
    step_id: str
    action: str
    status: str
    at: datetime  # of this status
    attempt: int
    params: dict[str, Any]
    result: Any

    @property
    def place(self) -> Place:
        return self.run_id, self.step_id


class Evidence:
    """What the world heard and what is on record."""

    def __init__(self, base: Path, connection: apsw.Connection) -> None:
        self.vault = base / "vault"
        self.world = World(base / "world")
        self.heard = self.world.heard()
        self.history = History(connection)
        self._connection = connection
        self.places: dict[tuple[str, int], Place] = {}  # run id and position, to run id and step id
        for run_id, body in self.rows("SELECT run_id, body FROM run JOIN definition USING (hash)"):
            for position, action in enumerate(json.loads(body)["actions"]):
                self.places[run_id, position] = (run_id, action["id"])
        self.steps = {step.place: step for step in self._steps()}
        sql = "SELECT approval_id, run_id, position FROM approval JOIN run ON run.seq = run_seq"
        self.asked = {approval_id: self.places[run_id, position] for approval_id, run_id, position in self.rows(sql)}

    def rows(self, sql: str) -> list[Any]:
        return list(self._connection.execute(sql).fetchall())

    def said(self, *whats: str) -> Iterator[dict[str, Any]]:
        return (line for line in self.heard if line["what"] in whats)

    def runs(self) -> Iterator[tuple[str, str, str, str]]:
        """Run id, workflow, status, and the label of its event."""
        sql = "SELECT run_id, run.workflow_id, status, data FROM run JOIN event ON event.seq = event_seq"
        for run_id, workflow_id, status, data in self.rows(sql):
            yield run_id, workflow_id, status, _label(data)

    def hours(self) -> list[str]:
        """The hours that the schedule told, which depend on when the clock was set to what."""
        return [_label(data) for (data,) in self.rows("SELECT data FROM event WHERE source='schedule'")]

    def _steps(self) -> Iterator[StepEvidence]:
        definitions = {hash_: json.loads(body) for hash_, body in self.rows("SELECT hash, body FROM definition")}
        sql = (
            "SELECT run_id, run.workflow_id, event.data, run.hash, position, step.status, at, attempt, params, result"
            " FROM step JOIN run ON run.seq = run_seq JOIN event ON event.seq = event_seq"
        )
        for run_id, workflow_id, data, hash_, position, status, at, attempt, params, result in self.rows(sql):
            definition = definitions[hash_]
            action = definition["actions"][position]
            yield StepEvidence(
                run_id, workflow_id, _label(data), definition["version"], action["id"], action["action_type"], status,
                datetime.fromisoformat(at), attempt, json.loads(params or "{}"), json.loads(result or "null"),
            )  # fmt: skip


def _label(data: str) -> str:
    fields = json.loads(data)
    return str(fields.get("label") or fields.get("title") or fields.get("due_at"))
