"""The judge: asks the rules of ``aie.toml`` about a step, and keeps count of what they allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal

from aie import machine, schema
from aie.act import BoundTraits
from aie.actions import ActionContext
from aie.builtin.approval_settings import ApprovalSettings
from aie.config import Config
from aie.history import History
from aie.journal import Batch, stamp
from aie.permission import RULE, Permission
from aie.plain import Json
from aie.plugin_tables import CORE
from aie.plugins.registry import Registry
from aie.rules import Question, RuleBook, amount_in
from aie.run import Run, StepRecord, StepStatus
from aie.workflow import Step

ContextOf = Callable[[Run, Step, BoundTraits], ActionContext]


class Judge:
    """What the machine is told about whether a step may be carried out."""

    def __init__(self, book: RuleBook, context_of: ContextOf) -> None:
        self.book = book
        self._context_of = context_of
        self._allowed = Permission("allow", expires_after_s=book.usual_expiry_s)

    def __call__(
        self, traits: BoundTraits, run: Run, step: Step, params: Mapping[str, Json], now: datetime
    ) -> Permission:
        handler = traits.handler
        if not self.book.rules and not handler.asks_first:
            return self._allowed
        return self.book.permission(self.question(traits, run, step, params), now)

    def question(self, traits: BoundTraits, run: Run, step: Step, params: Mapping[str, Json]) -> Question:
        """What the rules are asked about a step."""
        bound, handler = traits.bound, traits.handler

        def facts() -> Mapping[str, Json]:
            if handler.facts is None:
                return {}
            return dict(handler.facts(traits.parsed(params), self._context_of(run, step, traits)))

        return Question(
            names=frozenset({bound.name, handler.name, step.action_type}),
            asks_first=handler.asks_first,
            expires_after=handler.expires_after,
            params=params,
            event=run.frame["event"],
            workflow=run.frame["workflow"],
            facts=facts,
        )

    def count(self, run_seq: int, record: StepRecord, batch: Batch) -> None:
        """Add to a batch that a rule allowed a step, if that is what the record says."""
        said = record.approval or {}
        if record.status is not StepStatus.STARTED or said.get("channel") != RULE:
            return
        rule = self.book.rule(str(said["rule"]))
        if rule is None or not rule.limited:
            return
        amount = amount_in(record.params or {}, rule.amount) or Decimal(0)
        batch.add(schema.ADD_RULE_USE, run_seq, record.index, said["rule"], stamp(record.at), str(amount))
        self.book.use(str(said["rule"]), record.at, amount, (run_seq, record.index))


def context_before(config: Config, run: Run, step: Step, traits: BoundTraits) -> ActionContext:
    """What an action may know of a step that nobody is about to carry out: without credentials."""
    return ActionContext(
        run_id=run.run_id, step_id=step.id, workflow_id=run.workflow.workflow_id, workflow_name=run.workflow.name,
        event=run.event, attempt=0, idempotency_key=machine.idempotency_key(run.run_id, step.id),
        now=run.reached_at(step), timeout_s=step.timeout_s, timezone=config.timezone, vault=config.vault,
        settings=traits.bound.settings, log=traits.log, cache_dir=config.cache_dir(traits.bound.plugin),
    )  # fmt: skip


def rule_book(registry: Registry, config: Config, history: History | None, now: datetime) -> RuleBook:
    """The rules of ``aie.toml`` with what is used up of them. Raises PluginError when they cannot be used."""
    settings: ApprovalSettings = registry.plugin(CORE).settings.approvals
    book = RuleBook([rule.rule() for rule in settings.rules], config.timezone, expires_after=settings.usual_expiry)
    for rule in book.rules:
        if history is not None and rule.limited:
            for at, amount, step in history.rule_uses(rule.name, now - rule.per):
                book.use(rule.name, at, amount, step)
    return book
