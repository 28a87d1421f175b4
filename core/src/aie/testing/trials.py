"""Trials of an action: carried out against the stand-in of its service, once, again, and with wrong secrets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aie.actions import ActionHandler
from aie.dry_run import plan
from aie.errors import EventError
from aie.events import Event
from aie.machine import Success
from aie.plain import Json, check_json, dumps
from aie.templates import TemplateCompiler
from aie.testing.bench import Bench, approval
from aie.testing.evidence import (
    changed_files,
    contents,
    difference,
    overheard,
    refuse_misfit,
    refuse_secrets,
    refuse_unknown,
    words_of,
)
from aie.testing.findings import Findings, NotTriedError, ViolationError, said
from aie.testing.home import Home
from aie.testing.stalls import try_stalled
from aie.workflow import parse_workflow

LOOK = "let it look for what the attempt with this idempotency key left"
SAFE = "look first what is there, by the idempotency key or by what the parameters name; or say repeatable=False"


def try_action(bench: Bench, handler: ActionHandler, findings: Findings) -> None:
    """All that can be tried of it; each in a home of its own where one would disturb the other."""
    subject = f"action {handler.name}"
    if handler.look_up is not None:
        _look_up_before(bench, handler, findings)
    with bench.home() as home, overheard() as lines:
        trial = _Trial(bench, home, handler, findings, subject)
        if not trial.begin():
            return
        trial.dry_run()
        trial.carry_out()
        trial.look_up_after()
        trial.repeat()
    if trial.secrets:
        with findings.check("secrets", subject):
            refuse_secrets(trial.secrets, {**trial.told, "the log": lines})
        _try_wrong_secrets(bench, handler, findings, f"{subject}, with wrong credentials")
    if bench.stalled is not None:
        try_stalled(bench, bench.stalled, handler, findings)


class _Trial:
    """One home, in which the action is looked at in order."""

    def __init__(self, bench: Bench, home: Home, handler: ActionHandler, findings: Findings, subject: str) -> None:
        self.bench, self.home, self.handler, self.findings, self.subject = bench, home, handler, findings, subject
        self.name = f"{bench.name}.{handler.name}"
        self.secrets = bench.secrets(home)
        self.told: dict[str, list[str]] = {}
        self.params: Mapping[str, Json] = {}
        self.more: dict[str, Any] = approval(home) if handler.asks_first else {}
        self.done = False

    def begin(self) -> bool:
        """Whether there is something to try it with."""
        try:
            self.params = self.bench.params_of(self.handler, self.home)
            self.home.action(self.name).handler.params.model_validate(self.params)
        except NotTriedError as error:
            self.findings.not_tried("result", self.subject, str(error))
        except Exception as error:
            with self.findings.check("result", self.subject):
                raise ViolationError(f"what it is tried with is not right: {said(error)}") from None
        else:
            return True
        return False

    def dry_run(self) -> None:
        with self.findings.check("dry run", self.subject):
            with self.bench.unchanged(self.home, "a dry run", "let facts and preview look, and change nothing"):
                self.home.wait_for(asyncio.to_thread(self._plan))
                text: object = self.home.preview(self.name, self.params)
                facts = self._facts()
            self.told["the preview"] = [str(text)]
            if not isinstance(text, str):
                raise ViolationError(f"its preview is a {type(text).__name__}", "return Markdown text")
            try:
                check_json(facts, where="facts")
            except EventError as error:
                raise ViolationError(f"its facts are not JSON data: {error.message}", "return plain data") from None

    def _facts(self) -> object:
        facts, bound = self.handler.facts, self.home.action(self.name)
        if facts is None:
            return {}
        return facts(bound.handler.params.model_validate(self.params), self.home.context(bound.plugin))

    def _plan(self) -> None:
        placeholders = {name: "{{ event.data." + name + " }}" for name in self.params}
        step: Json = {"action_type": self.name, "parameters": {**placeholders}}
        definition: Json = {"workflow_id": "contract", "trigger_event": "manual_trigger", "actions": [step]}
        workflow = parse_workflow(dumps(definition), TemplateCompiler(), where="contract.json")
        event = Event("manual_trigger", "contract", self.params, event_id="event_1").plain()
        for found in plan(event, [workflow], self.home.registry, self.home.config, self.home.clock.now()):
            for planned in found.steps:
                if planned.plan not in ("run", "skip"):
                    raise ViolationError(f"a dry run says {planned.plan}: {planned.reason}", planned.hint)

    def look_up_after(self) -> None:
        if self.handler.look_up is None or not self.done:
            return
        with self.findings.check("look-up", f"{self.subject}, after it was carried out"):
            found = self.home.look_up(self.name, self.params, attempt=2, **self.more)
            if found.happened is None:
                raise NotTriedError("look_up says that it cannot tell")
            if not found.happened:
                raise ViolationError(
                    "look_up says that it did not happen, and it did", f"{LOOK}; aie would do it again"
                )

    def carry_out(self) -> None:
        with self.findings.check("result", self.subject):
            made = self.home.attempt(self.name, self.params, **self.more)
            self.told |= words_of(made)
            outcome = made.outcome
            if not isinstance(outcome, Success):
                error = getattr(outcome, "error", {})
                raise ViolationError(
                    f"it fails against the stand-in: {error.get('error', outcome)}",
                    error.get("hint") or "correct its example, or say with params=… what to try it with",
                )
            self.done = True
            if self.handler.result is not None:
                refuse_misfit("its result", self.handler.result, outcome.result)
            for event in made.events:
                refuse_unknown(event, self.home.registry)

    def repeat(self) -> None:
        if not self.handler.repeatable:
            return
        with self.findings.check("repeat", self.subject):
            if not self.done:
                raise NotTriedError("it could not be carried out once")
            with self.bench.unchanged(self.home, "a repeat with the same idempotency key", SAFE):
                again = self.home.attempt(self.name, self.params, attempt=2, **self.more)
            if not isinstance(again.outcome, Success):
                error = getattr(again.outcome, "error", {})
                raise ViolationError(f"a repeat with the same idempotency key fails: {error.get('error')}", SAFE)


def _look_up_before(bench: Bench, handler: ActionHandler, findings: Findings) -> None:
    """A look-up may see to it that it happens; what it says must be so afterwards in any case."""
    subject = f"action {handler.name}, before it was carried out"
    with findings.check("look-up", subject), bench.home() as home:
        params = bench.params_of(handler, home)
        more = approval(home) if handler.asks_first else {}
        state, files = bench.look(), contents(home.vault)
        found = home.look_up(f"{bench.name}.{handler.name}", params, idempotency_key="nobody's", attempt=2, **more)
        changed = difference(state, bench.look()) or changed_files(files, contents(home.vault))
        if found.happened and not changed:
            raise ViolationError("look_up says that it happened, and it did not", LOOK)
        if changed and not found.happened:
            raise ViolationError(f"look_up changes something, and does not say so: {changed}", "let it look only")


def _try_wrong_secrets(bench: Bench, handler: ActionHandler, findings: Findings, subject: str) -> None:
    with findings.check("secrets", subject), bench.home() as home:
        params = bench.params_of(handler, home)
        wrong = bench.spoil(home)
        more = approval(home) if handler.asks_first else {}
        with overheard() as lines:
            made = home.attempt(f"{bench.name}.{handler.name}", params, **more)
        refuse_secrets(wrong, {**words_of(made), "the log": lines})
        if isinstance(made.outcome, Success):
            raise NotTriedError("it does not need them")
