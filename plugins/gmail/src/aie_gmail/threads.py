"""Blocking calls in threads of their own, so that one that hangs holds up neither the event loop nor the end of aie."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def in_thread(function: Callable[[], Result], stop: Callable[[], None] = lambda: None) -> Result:
    """What the function returns or raises. When nobody waits any more, ``stop`` is called to bring it to an end."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        try:
            outcome: tuple[Result | None, BaseException | None] = (function(), None)
        except BaseException as error:  # it is raised where it is waited for
            outcome = (None, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=work, name="aie-gmail", daemon=True).start()
    try:
        return await future
    except asyncio.CancelledError:
        stop()
        raise
