"""Approval rules: what ``aie.toml`` says about which steps need a person's word. The first that matches counts.

A rule that cannot be applied, because its condition is wrong for these values or its limit cannot be worked out, never
allows anything: the step asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from aie.conditions import Condition
from aie.errors import ConditionError
from aie.permission import Kind, Permission
from aie.plain import Json

NAMES = frozenset({"params", "event", "workflow", "facts"})
LONGEST_PER = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Rule:
    """One table ``[[approvals.rules]]``."""

    name: str
    then: Kind
    actions: frozenset[str] = frozenset()  # bare or qualified names; empty: all
    when: Condition | None = None
    channel: str = ""  # with ask: the only one that may decide
    expires_after: timedelta | None = None  # with ask
    max_count: int | None = None  # with allow, within ``per``
    max_amount: Decimal | None = None
    amount: str = "amount"  # the parameter that is added up
    per: timedelta = timedelta(days=1)
    until: date | None = None  # the last day on which it counts

    @property
    def limited(self) -> bool:
        """Whether what it allows is counted."""
        return self.max_count is not None or self.max_amount is not None


@dataclass(frozen=True, slots=True)
class Question:
    """One step about which the rules are asked."""

    names: frozenset[str]  # of its action, bare and qualified
    asks_first: bool  # what the action itself says
    expires_after: timedelta | None  # the same
    params: Mapping[str, Json]
    event: Json
    workflow: Json
    facts: Callable[[], Mapping[str, Json]]  # asked only when a rule wants to know


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one rule has to do with a step, for a person."""

    rule: Rule
    matches: bool
    why: str


@dataclass(slots=True)
class _Use:
    at: datetime
    amount: Decimal


class RuleBook:
    """The rules in order, and how much of their limits is used up. Deciding is pure; :meth:`use` counts."""

    def __init__(
        self,
        rules: Sequence[Rule],
        zone: ZoneInfo,
        *,
        expires_after: timedelta | None,
    ) -> None:
        self.rules = tuple(rules)
        self._zone = zone
        self._expires_after = expires_after
        self._uses: dict[str, dict[tuple[int, int], _Use]] = {rule.name: {} for rule in rules}

    def use(self, name: str, at: datetime, amount: Decimal, step: tuple[int, int]) -> None:
        """A step, known by the numbers of its run and its place, was allowed by this rule. It counts once."""
        if name in self._uses:
            self._uses[name].setdefault(step, _Use(at, amount))

    def permission(self, question: Question, now: datetime) -> Permission:
        """What the first rule that matches says; without one, what the action itself says."""
        problem = ""
        for rule in self.rules:
            try:
                matches, _ = self._matches(rule, question, now)
            except ConditionError as error:
                matches = False
                problem = problem or f"rule {rule.name!r}: {error.message}"
            if matches:
                if problem and rule.then == "allow":
                    break  # an earlier rule might have said no, if only it could have been asked
                return self._says(rule, question, problem)
        if not question.asks_first and not problem:
            return Permission("allow", expires_after_s=self._expiry(question.expires_after))
        return Permission("ask", expires_after_s=self._expiry(question.expires_after), problem=problem)

    @property
    def usual_expiry_s(self) -> float | None:
        """How long a request waits when neither a rule nor its action says."""
        return self._expiry(None)

    def _says(self, rule: Rule, question: Question, problem: str) -> Permission:
        if rule.then != "ask":
            return Permission(
                rule.then, rule.name, expires_after_s=self._expiry(question.expires_after), problem=problem
            )
        expires_after = self._expiry(rule.expires_after or question.expires_after)
        return Permission("ask", rule.name, rule.channel, expires_after, problem)

    def _expiry(self, own: timedelta | None) -> float | None:
        expires_after = own or self._expires_after
        return expires_after.total_seconds() if expires_after else None

    def rulings(self, question: Question, now: datetime) -> list[Ruling]:
        """What every rule has to do with a step, in order."""
        found = []
        for rule in self.rules:
            try:
                found.append(Ruling(rule, *self._matches(rule, question, now)))
            except ConditionError as error:
                found.append(Ruling(rule, False, f"cannot be applied: {error.message}"))
        return found

    def _matches(self, rule: Rule, question: Question, now: datetime) -> tuple[bool, str]:
        if rule.actions and not rule.actions & question.names:
            return False, f"is about {', '.join(sorted(rule.actions))}"
        if rule.until is not None and now.astimezone(self._zone).date() > rule.until:
            return False, f"ended on {rule.until}"
        if rule.when is not None:
            facts = question.facts() if "facts" in rule.when.source else {}
            scope: dict[str, Json] = {
                "params": dict(question.params), "event": question.event, "workflow": question.workflow,
                "facts": dict(facts),
            }  # fmt: skip
            if not rule.when.evaluate(scope):
                return False, f"{rule.when.source} is not so: {_saw(rule.when, scope)}"
            why = f"{rule.when.source}: {_saw(rule.when, scope)}"
        else:
            why = "has no condition"
        if rule.then == "allow" and (used_up := self._used_up(rule, question, now)):
            return False, used_up
        return True, why

    def _used_up(self, rule: Rule, question: Question, now: datetime) -> str:
        """Why this step would be too much for the rule; '' if it is not."""
        recent = [use for use in self._uses[rule.name].values() if use.at > now - rule.per]
        if rule.max_count is not None and len(recent) >= rule.max_count:
            return f"has allowed {len(recent)} within {_span(rule.per)}, and max_count is {rule.max_count}"
        if rule.max_amount is not None:
            amount = amount_in(question.params, rule.amount)
            if amount is None:
                return f"max_amount is about the parameter {rule.amount!r}, which is no number here"
            total = sum((use.amount for use in recent), amount)
            if total > rule.max_amount:
                return f"this would make {total} within {_span(rule.per)}, and max_amount is {rule.max_amount}"
        return ""

    def rule(self, name: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.name == name), None)


def amount_in(params: Mapping[str, Json], name: str) -> Decimal | None:
    """The parameter as an amount of at least 0; None if it is none."""
    value = params.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def _saw(condition: Condition, scope: Mapping[str, Json]) -> str:
    seen = ", ".join(f"{path} is {_brief(value)}" for path, value in condition.explain(scope))
    return seen or "it asks for nothing"


def _brief(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _span(length: timedelta) -> str:
    days, seconds = length.days, length.seconds
    if not seconds:
        return "a day" if days == 1 else f"{days} days"
    hours = length.total_seconds() / 3600
    return f"{hours:g} hours"
