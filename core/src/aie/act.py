"""Act: carry out one call of a plugin's handler, and turn whatever comes of it into an outcome.

The fourth seam. A handler may hang, raise anything, return anything or print: its step feels it, the engine does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import threading
import types
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError
from tenacity import retry_if_exception

from aie.actions import ActionContext, ActionHandler, Effect, LookUp, Outcome
from aie.errors import ActionError, AieError, EventError, ParameterError, RetryableError, UncertainError
from aie.events import Event
from aie.machine import Call, CallOutcome, Failure, Looked, Success, Unknown, error_of
from aie.permission import Permission
from aie.plain import Json, check_json
from aie.plugins.plugin import BoundHandler
from aie.run import Run
from aie.workflow import Step

GRACE_S = 1.0  # for a handler to end after it was cancelled, before it is left behind

# Mistakes in code or data: the next attempt would make them again.
_POINTLESS = (
    TypeError, AttributeError, LookupError, NameError, ValueError, AssertionError, NotImplementedError, ImportError,
    RecursionError, SystemExit, KeyboardInterrupt, GeneratorExit,
)  # fmt: skip
worth_retrying = retry_if_exception(
    lambda error: isinstance(error, RetryableError) or not isinstance(error, (AieError, *_POINTLESS))
).predicate
"""Whether another attempt may succeed after this exception."""


class Judge(Protocol):
    """Says whether a step may be carried out at once."""

    def __call__(
        self, traits: BoundTraits, run: Run, step: Step, params: Mapping[str, Json], now: datetime
    ) -> Permission: ...


@dataclass(frozen=True)
class BoundTraits:
    """What the machine needs to know of one installed action."""

    bound: BoundHandler
    judge: Judge

    @cached_property
    def handler(self) -> ActionHandler:
        return self.bound.handler

    @cached_property
    def outside(self) -> bool:
        return self.handler.effect is Effect.EXTERNAL

    @cached_property
    def repeatable(self) -> bool:
        return self.handler.repeatable

    @cached_property
    def can_look(self) -> bool:
        return self.handler.look_up is not None

    @cached_property
    def run_awaits(self) -> bool:
        """Whether it runs on the event loop; otherwise it needs a thread."""
        return inspect.iscoroutinefunction(self.handler.run)

    @cached_property
    def look_up_awaits(self) -> bool:
        return inspect.iscoroutinefunction(self.handler.look_up)

    @cached_property
    def log(self) -> logging.Logger:
        return logging.getLogger(f"aie.plugin.{self.bound.plugin}")

    @cached_property
    def optional(self) -> frozenset[str]:
        fields = self.handler.params.model_fields.items()
        return frozenset(field.alias or name for name, field in fields if not field.is_required())

    def check(self, params: Mapping[str, Json]) -> BaseModel:
        return self.parsed(params)

    def permission(self, run: Run, step: Step, params: Mapping[str, Json], now: datetime) -> Permission:
        return self.judge(self, run, step, params, now)

    def parsed(self, params: Mapping[str, Json]) -> BaseModel:
        """The parameters as the action's own model; :class:`ParameterError` names each that does not fit.

        A number where the action wants text is that number's text: a lone placeholder keeps its type, and an invoice
        number may well be a number.
        """
        try:
            try:
                return self.handler.params.model_validate(params)
            except ValidationError as error:
                return self.handler.params.model_validate(_numbers_as_text(params, error))
        except ValidationError as error:
            raise ParameterError(
                "; ".join(_complaint(problem) for problem in error.errors(include_url=False)),
                where=self.bound.name,
                hint=f"see the parameters with: aie plugins show {self.bound.plugin}",
            ) from None
        except AieError as error:
            raise ParameterError(error.message, where=error.where or self.bound.name, hint=error.hint) from error


def _numbers_as_text(params: Mapping[str, Json], error: ValidationError) -> Mapping[str, Json]:
    """The parameters with the numbers that were found where text belongs made text."""
    wanted = {
        problem["loc"][0]
        for problem in error.errors(include_url=False)
        if problem["type"] == "string_type" and len(problem["loc"]) == 1
    }
    return {
        name: str(value) if name in wanted and isinstance(value, int | float) and not isinstance(value, bool) else value
        for name, value in params.items()
    }


def _complaint(problem: Any) -> str:
    name = ".".join(map(str, problem["loc"])) or "the parameters"
    if problem["type"] == "missing":
        return f"{name} is missing"
    if problem["type"] == "extra_forbidden":
        return f"{name} is not a parameter of this action"
    message = problem["msg"].removeprefix("Value error, ")
    found = problem.get("input")
    shown = f", found {found!r}"[:200] if not isinstance(found, (dict, list)) else ""
    return f"{name}: {message[:1].lower()}{message[1:]}{shown}"


class PluginCaller(Protocol):
    """Calls a plugin. Tests hand in one that fails where they want it to."""

    async def call(
        self, traits: BoundTraits, call: Call, context: ActionContext
    ) -> tuple[CallOutcome, tuple[Event, ...]]:
        """What came of it, and the events that go on record together with it. Never raises, but when cancelled."""
        ...


class DirectCaller:
    """Calls handlers in this process: ``async`` ones on the event loop, plain functions in a thread of their own."""

    async def call(
        self, traits: BoundTraits, call: Call, context: ActionContext
    ) -> tuple[CallOutcome, tuple[Event, ...]]:
        handler = traits.handler
        try:
            params: Any = call.checked if call.checked is not None else traits.parsed(call.params)
        except ParameterError as error:
            return Failure(error_of(error)), ()
        function: Callable[[Any, ActionContext], Any] = handler.run
        awaits = traits.run_awaits
        if call.look_up:
            assert handler.look_up is not None
            function, awaits = handler.look_up, traits.look_up_awaits
        if awaits:
            answer = await _awaited(function, params, context)
        else:
            answer = await _in_thread(function, params, context)
        if issubclass(type(answer), BaseException):
            return _from_error(answer, handler), ()
        try:
            return _from_answer(answer, handler, call, traits.bound.name)
        except BaseException as error:  # looking at it runs the code of whatever was returned
            return _useless(traits.bound.name, error_of(error)["error"]), ()


async def _awaited(
    function: Callable[[Any, ActionContext], Coroutine[Any, Any, Any]], params: BaseModel, context: ActionContext
) -> Any:
    """What the function returns, or the exception it raised, or a TimeoutError once it was cancelled for its time."""
    try:
        coroutine = function(params, context)
        waits_for = coroutine.send(None)
    except StopIteration as done:  # most answer at once: no need to keep time
        return done.value
    except asyncio.CancelledError as error:
        return _cancelled_itself(error)
    except BaseException as error:  # SystemExit included: it takes down its step, not the engine
        return error
    task = asyncio.current_task()
    assert task is not None
    overdue_by: list[asyncio.TimerHandle] = []

    def cancel() -> None:
        overdue_by.append(timer)
        task.cancel()

    timer = asyncio.get_running_loop().call_later(context.timeout_s, cancel)
    answer: Any
    try:
        answer = await _rest_of(coroutine, waits_for)
    except asyncio.CancelledError as error:
        if task.cancelling() > len(overdue_by):
            raise
        answer = _cancelled_itself(error)
    except BaseException as error:  # as above
        answer = error
    finally:
        timer.cancel()
    if overdue_by:
        task.uncancel()
        return _OverdueError(context.timeout_s)
    return answer


@types.coroutine
def _rest_of(coroutine: Coroutine[Any, Any, Any], waits_for: Any) -> Generator[Any, Any, Any]:
    """What a coroutine that has begun returns in the end, or raises."""
    while True:
        try:
            try:
                value = yield waits_for
            except BaseException as error:
                waits_for = coroutine.throw(error)
            else:
                waits_for = coroutine.send(value)
        except StopIteration as done:
            return done.value


def _cancelled_itself(error: asyncio.CancelledError) -> RuntimeError:
    return RuntimeError(f"the action cancelled itself: {error}")


class _OverdueError(TimeoutError):
    def __init__(self, timeout_s: float) -> None:
        super().__init__(f"no answer within {timeout_s:g} s")


async def _in_thread(function: Callable[[Any, ActionContext], Any], params: BaseModel, context: ActionContext) -> Any:
    """The same in a thread of its own: one that never comes back keeps no other call from having one."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(answer: Any) -> None:
        if not future.done():
            future.set_result(answer)

    def work() -> None:
        try:
            answer: Any = function(params, context)
        except BaseException as error:  # as above
            answer = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for the answer any more
            loop.call_soon_threadsafe(settle, answer)

    threading.Thread(target=work, name=f"aie-{context.step_id}", daemon=True).start()
    timer = loop.call_later(context.timeout_s, settle, _OverdueError(context.timeout_s))
    try:
        return await future
    finally:
        timer.cancel()


def overdue(handler: ActionHandler, timeout_s: float) -> CallOutcome:
    """What a call has come to that is not back in time."""
    return _from_error(_OverdueError(timeout_s), handler)


def _from_error(error: BaseException, handler: ActionHandler) -> CallOutcome:
    """Did it happen? What an action raises of aie's own errors says so; anything else leaves it open."""
    on_record = {name: text for name, text in error_of(error).items() if text}
    if isinstance(error, _OverdueError):
        on_record = {"error": str(error), "hint": "give the step a longer timeout, or look why the service is slow"}
    if isinstance(error, UncertainError):
        return Unknown(on_record)
    if isinstance(error, (ActionError, AieError)):
        after = error.retry_after_s if isinstance(error, RetryableError) else None
        return Failure(on_record, worth_retrying(error), after)
    if handler.effect is Effect.EXTERNAL and not handler.repeatable:
        return Unknown(on_record)
    # What is not safe to repeat is only tried again when the action itself says that nothing happened.
    return Failure(on_record, handler.repeatable and worth_retrying(error))


def _from_answer(answer: Any, handler: ActionHandler, call: Call, name: str) -> tuple[CallOutcome, tuple[Event, ...]]:
    if call.look_up:
        if not isinstance(answer, LookUp):
            return Unknown({"error": f"{name}'s look_up returned {type(answer).__name__}, not a LookUp"}), ()
        return Looked(answer.happened, answer.result), ()
    outcome = answer if isinstance(answer, Outcome) else Outcome(answer)
    result = outcome.result
    try:
        if isinstance(answer, BaseModel):
            result = answer.model_dump(mode="json")
        result = check_json(result, where="result")
        events = tuple(_checked(event, call, number) for number, event in enumerate(outcome.events))
        if outcome.wait_until is not None and outcome.wait_until.tzinfo is None:
            raise EventError("wait_until has no time zone", where="result")
    except EventError as error:
        # It did happen; only its answer is of no use. Repeating it would do it twice.
        return _useless(name, f"{error.where}: {error.message}"), ()
    return Success(result, outcome.wait_until), events


def _useless(name: str, why: str) -> Failure:
    return Failure({"error": f"{name} did its work, but what it returned is not data: {why}"})


def _checked(event: object, call: Call, number: int) -> Event:
    """An emitted event; one without an id gets one that a repeat of this call would give it again."""
    if not isinstance(event, Event):
        raise EventError(f"found {type(event).__name__} among the events", where="events")
    return (event if event.event_id else replace(event, event_id=f"{call.key}-{number}")).checked()
