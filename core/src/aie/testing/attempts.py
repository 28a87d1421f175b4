"""One call of an action as the engine makes it, without an engine: through the same caller, with the same checks."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from aie.act import BoundTraits, DirectCaller
from aie.actions import ActionContext, ActionHandler, LookUp, Outcome
from aie.errors import ActionError
from aie.events import Event
from aie.machine import Call, CallOutcome, Looked, Success
from aie.permission import Permission
from aie.plain import Json
from aie.plugins import BoundHandler
from aie.run import Run
from aie.workflow import Step


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of a call: the engine's view of it, the events that go with it, and what the handler itself raised."""

    outcome: CallOutcome
    events: tuple[Event, ...] = ()
    raised: BaseException | None = None

    def answer(self) -> Outcome:
        """The result with its events. Raises what the handler raised, or says why its answer is of no use."""
        if isinstance(self.outcome, Success):
            return Outcome(self.outcome.result, self.events, self.outcome.wait_until)
        raise self._error()

    def found(self) -> LookUp:
        """What a look-up found out; raises like :meth:`answer`."""
        if isinstance(self.outcome, Looked):
            return LookUp(self.outcome.happened, self.outcome.result)
        raise self._error()

    def _error(self) -> BaseException:
        said = getattr(self.outcome, "error", {})
        if isinstance(self.raised, asyncio.CancelledError):
            return TimeoutError(said.get("error", ""))
        return self.raised or ActionError(said.get("error", ""), where=said.get("where", ""), hint=said.get("hint", ""))


@dataclass
class Ear:
    """What the handler itself did: the exceptions it raised, and whether it has come to its end."""

    raised: list[BaseException] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


async def attempt(
    bound: BoundHandler,
    params: dict[str, Json],
    context: ActionContext,
    *,
    look_up: bool = False,
    ear: Ear | None = None,
) -> Attempt:
    """Make one call. Raises only :class:`~aie.errors.ParameterError`, for parameters the action does not take."""
    ear = ear or Ear()
    traits = BoundTraits(replace(bound, handler=_overheard(bound.handler, ear)), _always)
    traits.check(params)
    call = Call(0, context.attempt, params, context.idempotency_key, traits.handler.intent_first, look_up)
    outcome, events = await DirectCaller().call(traits, call, context)
    return Attempt(outcome, events, ear.raised[0] if ear.raised else None)


def _overheard(handler: ActionHandler, ear: Ear) -> ActionHandler:
    """The same handler, with somebody listening."""
    look_up: Any = handler.look_up and _overhearing(handler.look_up, ear)
    return replace(handler, run=_overhearing(handler.run, ear), look_up=look_up)


def _overhearing(function: Callable[..., Any], ear: Ear) -> Callable[..., Any]:
    async def awaited(params: Any, context: ActionContext) -> Any:
        try:
            return await function(params, context)
        except BaseException as error:
            ear.raised.append(error)
            raise
        finally:
            ear.ended.set()

    def called(params: Any, context: ActionContext) -> Any:
        try:
            return function(params, context)
        except BaseException as error:
            ear.raised.append(error)
            raise
        finally:
            ear.ended.set()

    return awaited if inspect.iscoroutinefunction(function) else called


def _always(traits: BoundTraits, run: Run, step: Step, params: Mapping[str, Json], now: datetime) -> Permission:
    return Permission("allow")
