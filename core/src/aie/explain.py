"""Explain: which part of a condition decided, and what it saw. Pure, as matching is.

A condition falls into clauses where ``and``, ``or`` and ``not`` join them. Clauses are asked in the order and with the
short cuts of the condition itself, and what comes of it is checked against the answer of the whole.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aie.condition_check import tree_of
from aie.conditions import Condition
from aie.errors import ConditionError
from aie.plain import Json
from aie.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Clause:
    """One part of a condition. ``answer`` is None when it failed, and then there is an ``error``."""

    text: str
    answer: bool | None
    saw: tuple[tuple[str, Json], ...] = ()  # each path it reads, and the value there or ``missing``
    error: str = ""
    decided: bool = False  # whether the condition's answer is due to this one

    def plain(self) -> dict[str, Any]:
        answer = "error" if self.answer is None else self.answer
        return {"clause": self.text, "answer": answer, "saw": dict(self.saw), "error": self.error or None}


@dataclass(frozen=True, slots=True)
class Explanation:
    """A condition's answer, None when it failed, and the clauses that were asked, in order."""

    answer: bool | None
    clauses: tuple[Clause, ...] = ()

    @property
    def deciding(self) -> tuple[Clause, ...]:
        return tuple(clause for clause in self.clauses if clause.decided)


def explain(workflow: Workflow, event: Mapping[str, Json]) -> Explanation:
    """What a workflow's trigger condition says to an event, and why. Without a condition the answer is True."""
    if workflow.condition is None:
        return Explanation(True)
    scope: dict[str, Json] = {"event": dict(event), "results": {}, "workflow": workflow.plain(), "run": {}}
    return explain_condition(workflow.condition, scope)


def explain_condition(condition: Condition, scope: Mapping[str, Json]) -> Explanation:
    """The same for any condition and what it sees."""
    whole = _asked(condition, condition.source.strip(), scope)
    source = condition.source.strip()
    walk = _Walk(source, condition, scope)
    answer = walk.ask(tree_of(source))
    if answer != whole.answer:  # such as when only all of it together takes too much work
        return Explanation(whole.answer, (replace(whole, decided=True),))
    return Explanation(answer, tuple(walk.marked()))


@dataclass(slots=True)
class _Walk:
    source: str
    condition: Condition
    scope: Mapping[str, Json]
    clauses: list[Clause] = field(default_factory=list)
    deciding: list[int] = field(default_factory=list)  # numbers of the clauses that decided what was asked last

    def ask(self, node: ast.expr) -> bool | None:
        """The answer of a part; ``deciding`` then says which clauses it is due to."""
        match node:
            case ast.BoolOp(op=operator, values=values):
                return self._ask_several(values, stop_at=isinstance(operator, ast.Or))
            case ast.UnaryOp(op=ast.Not(), operand=operand) if _is_joined(operand):
                answer = self.ask(operand)
                return None if answer is None else not answer
        text = ast.get_source_segment(self.source, node) or self.source
        clause = _asked(self._part(text), text, self.scope)
        self.deciding = [len(self.clauses)]
        self.clauses.append(clause)
        return clause.answer

    def _ask_several(self, values: list[ast.expr], *, stop_at: bool) -> bool | None:
        """``and`` stops at the first false part, ``or`` at the first true one; if none stops it, all decided."""
        together: list[int] = []
        for value in values:
            answer = self.ask(value)
            if answer is None or answer is stop_at:
                return answer
            together += self.deciding
        self.deciding = together
        return not stop_at

    def _part(self, text: str) -> Condition:
        if text == self.source:
            return self.condition
        return Condition.parse(f"({text})", where=self.condition.where)  # it may go over several lines

    def marked(self) -> Iterator[Clause]:
        for number, clause in enumerate(self.clauses):
            yield replace(clause, decided=number in self.deciding)


def _is_joined(node: ast.expr) -> bool:
    return isinstance(node, ast.BoolOp) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))


def _asked(condition: Condition, text: str, scope: Mapping[str, Json]) -> Clause:
    shown = " ".join(text.split())
    saw = tuple(condition.explain(scope))
    try:
        return Clause(shown, condition.evaluate(scope), saw)
    except ConditionError as error:
        message = error.message.rpartition(" (in ")[0] or error.message
        return Clause(shown, None, saw, message + (f"; {error.hint}" if error.hint else ""))
