"""Conditions: yes-or-no questions about an event and the results so far, written as a small part of Python.

A condition that errors is not "no": it raises ConditionError, and whoever asked decides what that means.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from aie.condition_check import checked, tree_of
from aie.condition_closures import Closure, closure_of
from aie.condition_evaluator import Evaluator
from aie.condition_lead import Lead, lead_of
from aie.errors import ConditionError
from aie.operations import OperationError
from aie.plain import Json, shown
from aie.references import Path, References

NAMES = frozenset({"event", "results", "workflow", "run"})


@dataclass(frozen=True)
class Condition:
    """A checked condition; equal when the source is. ``lead`` is the test it begins with, where an index can use it.

    What it takes to evaluate it is made when it is first needed: of thousands, most are never asked.
    """

    source: str
    where: str = field(default="", compare=False)
    lead: Lead | None = field(kw_only=True, repr=False, compare=False)
    references: References = field(kw_only=True, repr=False, compare=False)

    @classmethod
    def parse(cls, source: str, *, where: str = "", names: frozenset[str] = NAMES) -> Condition:
        """Raises ConditionError for whatever is not part of the language, naming the word and its column."""
        tree, references = checked(source, names, where)
        return cls(source, where, lead=lead_of(tree, source.strip()), references=references)

    @property
    def paths(self) -> frozenset[Path]:
        """Static paths that are read, such as ``("event", "data", "amount")``."""
        return self.references.paths

    @property
    def required_paths(self) -> frozenset[Path]:
        """The paths that are an error when missing, because they are read without ``.get``."""
        return self.references.required_paths

    @property
    def result_steps(self) -> frozenset[str] | None:
        """Ids of the steps whose results are read; None means that any earlier step's may be."""
        return self.references.result_steps

    def evaluate(self, scope: Mapping[str, Json]) -> bool:
        """The answer for a scope of plain JSON data, which is only read. Raises ConditionError and nothing else."""
        if self.closure is not None:
            try:
                return bool(self.closure(scope))
            except Exception:  # whatever it was, the closure is not sure
                return self.evaluate_counted(scope)
        return self.evaluate_counted(scope)

    def evaluate_counted(self, scope: Mapping[str, Json]) -> bool:
        """The same by the evaluator that counts each step: slower, and the one that says what an error is."""
        evaluator = Evaluator(scope)
        try:
            return bool(evaluator._eval(self._tree))
        except OperationError as error:
            raise self._failed(error.message, error.hint) from None
        # Whatever goes wrong in an evaluation is a matter of this condition and this event, never of the engine.
        except Exception as error:
            raise self._failed(f"{type(error).__name__}: {shown(str(error))}") from error

    @cached_property
    def closure(self) -> Closure | None:
        """What answers for the evaluator wherever it is sure; None when the evaluator has to do it all."""
        return closure_of(tree_of(self.source))

    @cached_property
    def _tree(self) -> ast.expr:
        return tree_of(self.source)

    def explain(self, scope: Mapping[str, Json]) -> list[tuple[str, Json | str]]:
        """What the condition saw: the value at each path, or ``missing``."""
        return self.references.explain(scope)

    def _failed(self, message: str, hint: str = "") -> ConditionError:
        return ConditionError(f"{message} (in {shown(self.source, 120)})", where=self.where, hint=hint)
