"""Stalls: an action whose service takes the request and never answers has to end, in time or when it is cancelled."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from aie.act import GRACE_S
from aie.actions import ActionHandler
from aie.machine import Success
from aie.plain import Json
from aie.testing.attempts import Attempt, Ear, attempt
from aie.testing.bench import Bench, Stalled, approval
from aie.testing.findings import Findings, NotTriedError, ViolationError
from aie.testing.home import Home

TIMEOUT_S = 0.5  # what the step is given
SETTLE_S = 0.3  # until an action that is about to be cancelled waits for the service
LONG_S = 60.0  # what such a one is given: more than it gets
LEAST_S = 0.1  # what ends faster has waited for nobody

Work = Callable[[Bench, ActionHandler, Home, Mapping[str, Json]], Coroutine[Any, Any, None]]


def try_stalled(bench: Bench, stalled: Stalled, handler: ActionHandler, findings: Findings) -> None:
    """How the action takes a service that takes its request and never answers."""
    subject, awaits = f"action {handler.name}", inspect.iscoroutinefunction(handler.run)
    with findings.check("timeout", subject):
        _meanwhile(bench, stalled, handler, _time_out)
    with findings.check("cancellation", subject):
        if not awaits:
            raise NotTriedError("a plain function runs in a thread, which nobody can cancel")
        _meanwhile(bench, stalled, handler, _cancel)


def _meanwhile(bench: Bench, stalled: Stalled, handler: ActionHandler, work: Work) -> None:
    """Do the work while the service is stalled. The context is left in peace, whatever came of it."""
    came: Exception | None = None
    with bench.home() as usual:
        params = bench.params_of(handler, usual)
        with stalled() as changes, bench.elsewhere(usual, changes) as home:
            try:
                home.wait_for(work(bench, handler, home, params if home is usual else bench.params_of(handler, home)))
            except Exception as error:
                came = error
    if came is not None:
        raise came


async def _time_out(bench: Bench, handler: ActionHandler, home: Home, params: Mapping[str, Json]) -> None:
    ear, began = Ear(), time.monotonic()
    task = asyncio.ensure_future(_start(bench, handler, home, params, ear, TIMEOUT_S))
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
    task = asyncio.ensure_future(_start(bench, handler, home, params, Ear(), LONG_S))
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


async def _start(
    bench: Bench, handler: ActionHandler, home: Home, params: Mapping[str, Json], ear: Ear, timeout_s: float
) -> Attempt:
    bound = home.action(f"{bench.name}.{handler.name}")
    more = approval(home) if handler.asks_first else {}
    context = home.context(bench.name, timeout_s=timeout_s, **more)
    return await attempt(bound, dict(params), context, ear=ear)
