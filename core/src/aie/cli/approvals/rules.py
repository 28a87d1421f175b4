"""``aie approvals rules``: what ``aie.toml`` says about who is asked, and what it comes to for a step."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from aie.act import BoundTraits
from aie.cli.event_views import one_event
from aie.cli.output import Output, WrongUseError, common_options
from aie.cli.run_views import one_run
from aie.cli.terminal import labelled, safe, wrapped
from aie.cli.vaults import load_config, read_history
from aie.config import Config
from aie.errors import PluginError
from aie.history import History
from aie.judge import Judge, context_before, rule_book
from aie.permission import Permission
from aie.plugins.registry import Registry
from aie.rows import RunRow
from aie.rules import Rule
from aie.run import Run
from aie.templates import TemplateCompiler
from aie.workflow import Step, parse_workflow


@click.group()
def rules() -> None:
    """Rules in aie.toml about what needs no question, or a stronger one.

    \b
    [[approvals.rules]]
    name = "notes to myself"
    action = "send_email"
    when = "params.to == 'me@example.com'"
    then = "allow"              # or "ask", or "refuse"
    max_count = 20              # with allow: at most so many
    per = "1 day"

    The first rule that matches a step counts. Conditions may use params, event, workflow, and facts (what the
    action's plugin knows, such as facts.known_contact). With then = "ask", channel = "cli" has it decided in a
    terminal only, and expires_after = "2 days" says how long it waits.
    """


@rules.command("list")
@common_options
def list_rules(vault: Path | None, output: Output) -> None:
    """The rules, in the order in which they are asked."""
    config = load_config(vault)
    book = rule_book(Registry.load(config, only={"core"}), config, read_history(config), datetime.now(UTC))
    for rule in book.rules:
        output.record(_rule_record(rule))
    output.table(
        ("Rule", "Then", "About", "When"),
        [
            (
                safe(rule.name),
                _then(rule),
                ", ".join(sorted(rule.actions)) or "all",
                safe(rule.when.source if rule.when else "-"),
            )
            for rule in book.rules
        ],
        empty="There are no rules: each action says itself whether it asks. See: aie approvals rules --help",
    )


@rules.command("test")
@click.argument("event_or_run", metavar="EVENT|RUN")
@common_options
def test_rules(event_or_run: str, vault: Path | None, output: Output) -> None:
    """What the rules say about the steps of a run, or of all runs of an event, and why. Nothing is done or counted.

    Limits are those of now. Steps that were not reached have no values yet and are left out.
    """
    config = load_config(vault)
    history = read_history(config)
    if history is None:
        raise WrongUseError("nothing has happened here yet", where="EVENT|RUN", hint="aie emit hands in an event")
    trial = _Trial(config, history)
    found = False
    for row in _rows(history, event_or_run):
        for line in trial.of(row, output):
            found = True
            output.line(line)
    if not found:
        output.line("No step of it was reached, so there is nothing to ask the rules about.")


def _rows(history: History, text: str) -> list[RunRow]:
    if history.find_runs(text):
        return [one_run(history, text)]
    event = one_event(history, text)
    rows = history.runs_of_event(event.seq)
    if not rows:
        raise WrongUseError(
            f"the event {event.event_id!r} started nothing", where="EVENT", hint="aie events show tells why"
        )
    return rows


class _Trial:
    """Asks the rules about steps that are on record."""

    def __init__(self, config: Config, history: History) -> None:
        self._config = config
        self._history = history
        self._registry = Registry.load(config)
        self._now = datetime.now(UTC)
        self._compiler = TemplateCompiler()
        self._judge = Judge(rule_book(self._registry, config, history, self._now), partial(context_before, config))

    def of(self, row: RunRow, output: Output) -> Iterator[str]:
        """What a person reads about one run; a program gets a record a step."""
        run = self._history.load_run(
            row.seq, lambda hash_, body: parse_workflow(body, self._compiler, where=hash_), self._config.timezone
        )
        yield f"{row.run_id}  {row.workflow_id}"
        for step in run.workflow.steps:
            record = run.steps.get(step.index)
            if record is not None and record.params is not None:
                yield from self._step(run, step, dict(record.params), output)

    def _step(self, run: Run, step: Step, params: dict[str, Any], output: Output) -> Iterator[str]:
        try:
            traits = BoundTraits(self._registry.handler(step.action_type), self._judge)
        except PluginError as error:
            yield f"  {step.id}  {step.action_type}: {error.message}"
            return
        question = self._judge.question(traits, run, step, params)
        permission = self._judge(traits, run, step, params, self._now)
        rulings = self._judge.book.rulings(question, self._now)
        output.record(
            {
                "run_id": run.run_id, "step_id": step.id, "action_type": step.action_type, "verdict": permission.kind,
                "rule": permission.rule, "channel": permission.channel, "problem": permission.problem,
                "rules": [{"name": one.rule.name, "matches": one.matches, "why": one.why} for one in rulings],
            }
        )  # fmt: skip
        yield f"\n  {step.id}  {step.action_type}: {_verdict(permission)}"
        for one in rulings:
            mark = "matches" if one.matches else "no"
            yield from labelled(one.rule.name, f"{mark}: {one.why}", indent="    ", width=24)
        if permission.problem:
            yield from wrapped(f"It asks, because a rule could not be applied: {permission.problem}", indent="    ")


def _verdict(permission: Permission) -> str:
    said = f" by the rule {permission.rule!r}" if permission.rule else ", as the action says itself"
    if permission.kind == "ask":
        where = " in a terminal only" if permission.channel else ""
        return f"asks{where}{said}"
    return f"{'goes without asking' if permission.kind == 'allow' else 'is refused'}{said}"


def _then(rule: Rule) -> str:
    limits = []
    if rule.channel:
        limits.append(f"in {rule.channel}")
    if rule.max_count is not None:
        limits.append(f"up to {rule.max_count}")
    if rule.max_amount is not None:
        limits.append(f"up to {rule.max_amount} in {rule.amount}")
    if rule.until is not None:
        limits.append(f"until {rule.until}")
    return f"{rule.then} {', '.join(limits)}".strip()


def _rule_record(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "then": rule.then,
        "actions": sorted(rule.actions),
        "when": rule.when.source if rule.when else None,
        "channel": rule.channel,
        "expires_after_s": rule.expires_after.total_seconds() if rule.expires_after else None,
        "max_count": rule.max_count,
        "max_amount": str(rule.max_amount) if rule.max_amount is not None else None,
        "amount": rule.amount,
        "per_s": rule.per.total_seconds(),
        "until": rule.until.isoformat() if rule.until else None,
    }
