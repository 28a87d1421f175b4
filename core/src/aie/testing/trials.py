"""Trials of an action: carried out against the stand-in of its service, once, again, too slow, with wrong secrets."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from aie.act import GRACE_S
from aie.actions import ActionHandler
from aie.dry_run import plan
from aie.errors import AieError
from aie.events import Event
from aie.machine import Success
from aie.plain import Json, dumps
from aie.templates import TemplateCompiler
from aie.testing.attempts import Attempt, Ear, attempt
from aie.testing.bench import Bench, Stalled
from aie.testing.evidence import changed_files, contents, difference, overheard, refuse_secrets
from aie.testing.findings import Findings, NotTriedError, ViolationError, said
from aie.testing.home import Home
from aie.workflow import parse_workflow

TIMEOUT_S = 0.5  # what a step that meets a stalled service is given
SETTLE_S = 0.3  # until an action that is about to be cancelled waits for the service
LEAST_S = 0.1  # what ends faster has waited for nobody

LOOK = "let it look for what the attempt with this idempotency key left"
Work = Callable[[Bench, ActionHandler, Home, Mapping[str, Json]], Coroutine[Any, Any, None]]

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
        _try_stalled(bench, bench.stalled, handler, findings)


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
            self.told["the preview"] = [str(text)]
            if not isinstance(text, str):
                raise ViolationError(f"its preview is a {type(text).__name__}", "return Markdown text")

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
                refuse_unknown(event, self.home)

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


def _try_stalled(bench: Bench, stalled: Stalled, handler: ActionHandler, findings: Findings) -> None:
    subject, awaits = f"action {handler.name}", inspect.iscoroutinefunction(handler.run)
    with findings.check("timeout", subject):
        _meanwhile(bench, stalled, handler, _time_out)
    with findings.check("cancellation", subject):
        if not awaits:
            raise NotTriedError("a plain function runs in a thread, which nobody can cancel")
        _meanwhile(bench, stalled, handler, _cancel)


def _meanwhile(bench: Bench, stalled: Stalled, handler: ActionHandler, work: Work) -> None:
    """Do the work while the service is stalled. The context is left in peace, whatever came of it."""
    came: ViolationError | NotTriedError | None = None
    with bench.home() as usual:
        params = bench.params_of(handler, usual)
        with stalled() as changes, bench.elsewhere(usual, changes) as home:
            try:
                home.wait_for(work(bench, handler, home, params if home is usual else bench.params_of(handler, home)))
            except (ViolationError, NotTriedError) as error:
                came = error
    if came is not None:
        raise came


async def _time_out(bench: Bench, handler: ActionHandler, home: Home, params: Mapping[str, Json]) -> None:
    ear, began = Ear(), time.monotonic()
    task = asyncio.ensure_future(_start(bench, handler, home, params, ear))
    await asyncio.wait({task}, timeout=TIMEOUT_S + GRACE_S)
    await asyncio.to_thread(ear.ended.wait, max(0.0, began + TIMEOUT_S + GRACE_S - time.monotonic()))
    took_s = time.monotonic() - began
    if not ear.ended.is_set():
        task.cancel()
        raise ViolationError(
            f"with a timeout of {TIMEOUT_S:g} s it is still at work after {took_s:.1f} s",
            "be async, and let CancelledError through; or give context.timeout_s to whatever waits for the service",
        )
    made = task.result()
    if isinstance(made.outcome, Success):
        raise NotTriedError("it does not wait for the service")
    if took_s < LEAST_S:
        raise NotTriedError(f"it does not wait for the service: {getattr(made.outcome, 'error', {}).get('error')}")


async def _cancel(bench: Bench, handler: ActionHandler, home: Home, params: Mapping[str, Json]) -> None:
    ear = Ear()
    task = asyncio.ensure_future(_start(bench, handler, home, params, ear))
    await asyncio.wait({task}, timeout=SETTLE_S)
    if task.done():
        raise NotTriedError("it does not wait for the service")
    task.cancel()
    await asyncio.wait({task}, timeout=GRACE_S)
    if not task.done():
        raise ViolationError(f"it does not end within {GRACE_S:g} s when cancelled", "let CancelledError through")
    if not task.cancelled():
        raise ViolationError(
            "it goes on when cancelled, as if nothing had happened", "let CancelledError through, after cleaning up"
        )


async def _start(bench: Bench, handler: ActionHandler, home: Home, params: Mapping[str, Json], ear: Ear) -> Attempt:
    bound = home.action(f"{bench.name}.{handler.name}")
    more = approval(home) if handler.asks_first else {}
    context = home.context(bench.name, timeout_s=TIMEOUT_S, **more)
    return await attempt(bound, dict(params), context, ear=ear)


def approval(home: Home) -> dict[str, Any]:
    """How a person decided, as an action that asks first is told."""
    at = home.clock.now().isoformat(timespec="seconds")
    return {"approval": {"approved": True, "decided_by": "the test", "channel": "cli", "comment": "", "decided_at": at}}


def words_of(made: Attempt) -> dict[str, list[str]]:
    """All that a call says, by where it stands."""
    told = {"the error": [*getattr(made.outcome, "error", {}).values()]}
    if isinstance(made.raised, AieError):
        told["the error"] += [made.raised.message, made.raised.where, made.raised.hint]
    elif made.raised is not None:
        told["the error"] += [str(made.raised)]
    if isinstance(made.outcome, Success):
        told["the result"] = [dumps(made.outcome.result)]
    told["an event"] = [dumps(event.plain()) for event in made.events]
    return told


def refuse_misfit(what: str, model: type[BaseModel], data: object) -> None:
    """A violation if the data are not what the model says."""
    try:
        model.model_validate(data)
    except ValueError as error:
        lines: Iterable[str] = str(error).splitlines()
        raise ViolationError(
            f"{what} does not fit {model.__name__}: {' '.join(line.strip() for line in list(lines)[1:3])}",
            "correct the model, or what is returned",
        ) from None


def refuse_unknown(event: Event, home: Home) -> None:
    """A violation if nobody describes events of this type, or this one is different."""
    spec = home.registry.event_type(str(event.event_type))
    if spec is None:
        raise ViolationError(
            f"it emits an event of the type {str(event.event_type)!r}, which nobody describes",
            "let aie_event_types return an EventTypeSpec for it",
        )
    refuse_misfit(f"the data of an event {spec.name}", spec.model, dict(event.data))
