"""aie for plain scripts: open a vault, hand in events, get back what ran, without a word of asyncio."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from aie.events import Event
from aie.orchestrator import AsyncOrchestrator
from aie.results import EventResult, WorkflowView

T = TypeVar("T")


class WorkflowOrchestrator:
    """A vault, opened: an event loop in a thread of its own, and methods that wait.

    Also a context manager; without ``with``, call ``close()`` (what was accepted is safe either way).
    """

    def __init__(self, vault_path: str | os.PathLike[str], **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="aie", daemon=True)
        self._thread.start()
        try:
            self._orchestrator = AsyncOrchestrator(vault_path, **options)
            self._wait(self._orchestrator.open())
        except BaseException:
            self._end_loop()
            raise

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def process_event(self, event: Event) -> list[str]:
        """Record the event and carry out what it starts; the ids of the workflows that ran, in order.

        A workflow that waits for a person (or longer than a minute) counts as run and goes on in the background, or the
        next time this vault is opened. An event that arrived before gives an empty list.
        """
        return [run.workflow_id for run in self.run_event(event).runs]

    def run_event(self, event: Event) -> EventResult:
        """The same, with each run's id and status."""
        return self._wait(self._orchestrator.process_event(event))

    @property
    def workflows(self) -> dict[str, WorkflowView]:
        """The workflows by id, with ``execution_count`` and ``last_executed``."""

        async def look() -> dict[str, WorkflowView]:
            return self._orchestrator.workflows()

        return self._wait(look())

    def close(self) -> None:
        if self._loop.is_closed():
            return

        async def end() -> None:
            await self._orchestrator.settle(0)
            await self._orchestrator.close()

        try:
            self._wait(end())
        finally:
            self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
