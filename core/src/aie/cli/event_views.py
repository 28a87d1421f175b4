"""An event as commands find it, hand it to a program, and say why it started what it did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aie.cli.ids import EVENT, next_step
from aie.cli.output import WrongUseError, shorten
from aie.cli.run_views import words_for
from aie.config import Config
from aie.errors import NotFoundError
from aie.explain import Clause
from aie.history import History
from aie.inquiry import Answer
from aie.rows import EventRow

_WORDS = {True: "true", False: "false", None: "failed"}


def one_event(history: History | None, text: str) -> EventRow:
    """The event with this id (or source/id), or whose id alone begins with it."""
    rows = history.find_events(text) if history else []
    if len(rows) == 1:
        return rows[0]
    if not rows:
        hint = next_step(text, EVENT, "aie events list shows the events")
        raise NotFoundError(f"no event has the id {text!r}", where="EVENT", hint=hint)
    found = "\n".join(f"    {row.source}/{row.event_id}  {row.event_type}" for row in rows)
    raise WrongUseError(
        f"{len(rows)} events answer to {text!r}:\n{found}", where="EVENT", hint="give more of the id, or SOURCE/ID"
    )


def event_record(row: EventRow) -> dict[str, Any]:
    """An event for a program, without its data."""
    return {
        "event_id": row.event_id,
        "event_type": row.event_type,
        "source": row.source,
        "timestamp": row.timestamp,
        "received_at": row.received_at.isoformat(timespec="milliseconds"),
        "workflow_id": row.workflow_id,
    }


def answer_lines(answer: Answer, history: History, config: Config) -> Iterator[str]:
    """An answer for a person."""
    yield f"{answer.workflow_id}: {'started' if answer.started else 'not started'}; {answer.reason}"
    yield from (f"    {line}" for clause in answer.deciding for line in _clause_lines(clause))
    if answer.note:
        yield f"    ({answer.note})"
    for run in answer.runs:
        again = "again, " if run.generation else ""
        yield f"    {run.run_id}  {again}{words_for(history, run, config.timezone)}"


def _clause_lines(clause: Clause) -> Iterator[str]:
    """A part of a condition, its answer, and what it saw."""
    yield (
        f"{shorten(clause.text, 200)}   is {_WORDS[clause.answer]}"
        if clause.answer is not None
        else (f"{shorten(clause.text, 200)}   failed: {shorten(clause.error, 300)}")
    )
    for path, value in clause.saw:
        yield f"    {path} = {shorten(repr(value) if value != 'missing' else 'missing', 80)}"
