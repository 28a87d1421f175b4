"""The plugins of the harness: actions of every kind, whose effects are in the world, and a source that reads lines.

======== ========= ========== ======= ==================================================================
action   effect    repeatable asks    what it does
======== ========= ========== ======= ==================================================================
roll     local     yes        no      gives a new token each time it is carried out
stamp    external  yes        no      an effect at a service that knows idempotency keys
letter   external  yes        yes     the same, after a person's yes
pay      external  no         no      an effect that nobody can look up
mail     external  no         yes     the same, after a person's yes
book     external  look-up    no      an effect that can be looked up
jot      local     yes        no      a plain function, in a thread; no effect but its line
flaky    local     yes        no      fails until its attempt is greater than ``fails``
refuse   external  no         no      the same, and then has an effect that nobody can look up
======== ========= ========== ======= ==================================================================
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aie import ActionContext, ActionHandler, Effect, Event, EventSource, LookUp, RetryableError, hookimpl
from aie.errors import UncertainError
from aie.plain import digest
from aie.sources import SourceContext
from tests.crash.points import Points
from tests.crash.world import World

KEYED = frozenset({"stamp", "letter"})
UNKEYED = frozenset({"pay", "mail", "refuse"})
LOOKED_UP = frozenset({"book"})
ASKING = frozenset({"letter", "mail"})
EFFECTS = KEYED | UNKEYED | LOOKED_UP
POLL_S = 0.01


class Work(BaseModel):
    """What a step of the harness is given."""

    model_config = ConfigDict(extra="forbid")
    label: str = Field(description="which step of which run this is")
    when: str = Field(description="the time at which the run came to this step")
    version: int = Field(default=1, description="of the workflow file it was written in")
    token: str | None = Field(default=None, description="what an earlier step rolled")
    fails: int = Field(default=0, description="how many attempts fail")
    loses: str = Field(default="", description="the answer to the first attempt is lost: before the effect, or after")
    slow_s: float = Field(default=0.0, description="how long it takes")


@dataclass(frozen=True, slots=True)
class Harness:
    """The actions of the table above, and the source ``harness.lines``."""

    world: World
    points: Points
    now: Callable[[], Any]

    @hookimpl
    def aie_action_handlers(self, settings: object) -> list[ActionHandler]:
        external: dict[str, Any] = {"effect": Effect.EXTERNAL, "title_field": "label", "body_field": "label"}
        local: dict[str, Any] = {"effect": Effect.LOCAL, "repeatable": True}
        return [
            ActionHandler("roll", Work, self._async("roll"), **local),
            ActionHandler("jot", Work, self._plain("jot"), **local),
            ActionHandler("flaky", Work, self._async("flaky"), **local),
            ActionHandler("stamp", Work, self._async("stamp"), **external, repeatable=True, asks=False),
            ActionHandler("letter", Work, self._async("letter"), **external, repeatable=True),
            ActionHandler("pay", Work, self._async("pay"), **external, asks=False),
            ActionHandler("refuse", Work, self._async("refuse"), **external, asks=False),
            ActionHandler("mail", Work, self._async("mail"), **external),
            ActionHandler("book", Work, self._async("book"), **external, asks=False, look_up=self._look_up),
        ]

    @hookimpl
    def aie_event_sources(self, settings: object) -> list[EventSource]:
        return [EventSource("harness.lines", ("line",), self._read_lines)]

    def _async(self, action: str) -> Callable[[Work, ActionContext], Any]:
        async def run(work: Work, context: ActionContext) -> dict[str, Any]:
            self._begin(action, work, context)
            if work.slow_s:
                await asyncio.sleep(work.slow_s / 2)
            result = self._carry_out(action, work, context)
            if work.slow_s:
                await asyncio.sleep(work.slow_s / 2)
            self.points.reach(f"effect: after {action}")
            return result

        return run

    def _plain(self, action: str) -> Callable[[Work, ActionContext], Any]:
        def run(work: Work, context: ActionContext) -> dict[str, Any]:
            self._begin(action, work, context)
            result = self._carry_out(action, work, context)
            self.points.reach(f"effect: after {action}")
            return result

        return run

    def _begin(self, action: str, work: Work, context: ActionContext) -> None:
        self.world.say(
            "call", action=action, key=context.idempotency_key, run=context.run_id, step=context.step_id,
            workflow=context.workflow_id, attempt=context.attempt, digest=digest(work.model_dump()), at=self.now(),
            **work.model_dump(exclude={"slow_s"}),
        )  # fmt: skip
        self.points.reach(f"effect: before {action}")

    def _carry_out(self, action: str, work: Work, context: ActionContext) -> dict[str, Any]:
        if context.attempt <= work.fails:
            self.world.say("refused", run=context.run_id, step=context.step_id, attempt=context.attempt)
            raise RetryableError(f"attempt {context.attempt} of {work.label} was refused")
        first = context.attempt == 1
        if first and work.loses == "before":
            raise UncertainError(f"nobody answered {work.label}")
        if action in KEYED:
            self.world.have_keyed_effect(context.idempotency_key)
        elif action in EFFECTS:
            self.world.have_effect(context.run_id, context.step_id)
        if first and work.loses == "after":
            raise ConnectionError(f"the answer to {work.label} was lost")
        return {"token": secrets.token_hex(8), "key": context.idempotency_key}

    async def _look_up(self, work: Work, context: ActionContext) -> LookUp:
        happened = self.world.happened(context.run_id, context.step_id)
        self.world.say("look", run=context.run_id, step=context.step_id, happened=happened)
        self.points.reach("effect: looked up")
        return LookUp(happened, {"token": "found", "key": context.idempotency_key} if happened else None)

    async def _read_lines(self, context: SourceContext) -> None:
        """Every line of the file becomes an event; where it stands is the cursor alone.

        The ids are new each time a line is read, so that a line read twice would be two events.
        """
        while True:
            done = context.cursor if isinstance(context.cursor, int) else 0
            with self.world.lines.open(encoding="utf-8") as file:
                lines = file.read().split("\n")[:-1][done : done + 2]
            if lines:
                ids = (f"{line}/{secrets.token_hex(4)}" for line in lines)
                events = [Event("line", "", {"label": line}, event_id=next(ids)) for line in lines]
                await context.emit(events, cursor=done + len(lines))
            else:
                await asyncio.sleep(POLL_S)


@dataclass(frozen=True, slots=True)
class Late:
    """A plugin that is not installed all the time. Its one action is ``fax``, which is what ``jot`` is."""

    harness: Harness

    @hookimpl
    def aie_action_handlers(self, settings: object) -> list[ActionHandler]:
        return [ActionHandler("fax", Work, self.harness._plain("fax"), effect=Effect.LOCAL, repeatable=True)]
