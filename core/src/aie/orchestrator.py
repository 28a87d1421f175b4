"""A vault, opened: hand in events, decide, look, and get back what became of it.

Everything that works on a vault goes through :class:`AsyncOrchestrator`, the commands included. It is the engine of its
state folder if no other process is; otherwise it hands requests to the one that is, and reads what became of them.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from aie import engine_lock
from aie.act import PluginCaller
from aie.config import Config
from aie.credentials import CredentialStore
from aie.delivery import Delivery
from aie.desk import Channels
from aie.engine import Engine
from aie.errors import AieError, BusyError, JournalError
from aie.events import Event
from aie.history import History
from aie.journal import FILE_NAME, Journal, connect
from aie.journal_file import present
from aie.journal_watch import read_through
from aie.library import Library
from aie.live import Standing
from aie.plain import Json
from aie.plugins import Registry, load_engine
from aie.requests import as_answer, ask, perform, skipped_of
from aie.results import EventResult, RunResult, WorkflowView
from aie.run import RunStatus
from aie.seams import Clock, Ids, SystemClock
from aie.templates import TemplateCompiler
from aie.tenure import Tenure

log = logging.getLogger("aie.orchestrator")

LINGER_S = 60.0  # a command that is its own engine sees waits through that are shorter than this
TAKE_OVER_S = 0.25


class AsyncOrchestrator:
    """A vault, opened. Use it as an async context manager."""

    def __init__(
        self,
        vault: str | os.PathLike[str],
        *,
        plugins: Mapping[str, object] = MappingProxyType({}),
        clock: Clock | None = None,
        ids: Ids | None = None,
        caller: PluginCaller | None = None,
        open_journal: Callable[[Path], Journal] = Journal,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.config = Config.load(Path(vault), os.environ if env is None else env)
        self.compiler = TemplateCompiler()
        self.library = Library(self.config.workflow_folders, self.compiler)
        self.registry = Registry.load(self.config, extra=plugins)
        self.clock: Clock = clock or SystemClock()
        self.credentials = CredentialStore(self.config.credentials_dir, os.environ if env is None else env)
        self._seams: dict[str, Any] = {
            "clock": self.clock, "ids": ids, "caller": caller, "open_journal": open_journal,
            "credentials": self.credentials,
        }  # fmt: skip
        self._tenure: Tenure | None = None
        self._reader: Any = None
        self._looked_s = 0.0  # when this process last tried to become the engine
        self._held_up_by = ""  # what kept it from that, in words

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    @property
    def journal_path(self) -> Path:
        return self.config.state_dir / FILE_NAME

    @property
    def engine(self) -> Engine | None:
        """None while another process is the engine of the state folder, and before and after this one is."""
        return None if self._tenure is None else self._tenure.engine

    @property
    def delivery(self) -> Delivery | None:
        return None if self._tenure is None else self._tenure.delivery

    @property
    def channels(self) -> Channels | None:
        return None if self._tenure is None else self._tenure.channels

    async def open(self, *, serve: bool = False) -> None:
        """Become the engine of the state folder. With another one there: hand requests to it, or, if this one is to
        ``serve``, fail with ``BusyError``.
        """
        self.library.refresh()
        lock = engine_lock.take(self.config.state_dir)
        if lock is None:
            if serve:
                raise BusyError(
                    f"another aie is at work here (process {engine_lock.holder(self.config.state_dir) or 'unknown'})",
                    where=str(self.config.state_dir),
                    hint="stop that one first; other commands work beside it",
                )
            return
        try:
            present(self.journal_path)
            if serve:
                await read_through(self.journal_path, larger=False)
            make_engine: type[Engine] = load_engine(self.config.engine)
            engine = make_engine(self.config, self.registry, self.library, self.compiler, **self._seams)
            await engine.start()
        except BaseException:
            lock.release()
            raise
        self._tenure = Tenure(engine, lock)
        self._tenure.begin()

    async def failure(self) -> None:
        """Wait until something breaks that aie cannot work on without, and raise what it was."""
        assert self._tenure is not None
        await self._tenure.failure()

    def serve(self) -> None:
        """Start all sources, watch the workflow files and keep the approval channels in step, until closed."""
        assert self._tenure is not None
        self._tenure.serve()

    async def close(self, *, deliver_within_s: float = math.inf) -> None:
        """Let what is going on come to rest or be cut off, tell sinks and channels, and free the state folder.

        A sink that is too far behind for ``deliver_within_s`` goes on where it stands with the next start.
        """
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        tenure, self._tenure = self._tenure, None
        if tenure is not None:
            await tenure.end(deliver_within_s=deliver_within_s)

    # --- asking for things ---------------------------------------------------------------------------------------

    async def _request(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.engine is not None:
            return await perform(self.engine, request)
        answer = await ask(self.journal_path, request, self.clock, self._take_over)
        if "error" in answer:
            raise AieError(answer["error"], where=answer.get("where", ""), hint=answer.get("hint", ""))
        return answer

    async def _take_over(self) -> None:
        """Become the engine if the one at work has ended, so that what was handed to it goes on; looks now and then."""
        now_s = time.monotonic()
        if self.engine is not None or now_s - self._looked_s < TAKE_OVER_S:
            return
        self._looked_s = now_s
        try:
            await self.open()
        except JournalError as error:  # what was handed over is on record: it waits until the journal can be written
            if not error.passing:
                raise
            if error.message != self._held_up_by:
                log.warning("%s: %s; %s. Trying again until it works.", error.where, error.message, error.hint)
            self._held_up_by = error.message

    async def process_event(self, event: Event, *, forced: bool = False, linger_s: float = LINGER_S) -> EventResult:
        """Record an event, carry out what it starts, and come back when every run of it has ended or is parked.

        Waits shorter than ``linger_s`` are seen through. Raises ``EventError`` when the event is not acceptable.
        """
        if self.engine is not None:
            (found,) = await self.engine.accept_all([event], forced=forced)
            answer, ask_skipped = as_answer(found), partial(skipped_of, found)
        else:
            event = event.checked()
            fields = {
                "event_type": event.event_type, "source": event.source, "data": dict(event.data),
                "timestamp": event.timestamp, "event_id": event.event_id, "workflow_id": event.workflow_id,
            }  # fmt: skip
            answer = await self._request({"kind": "event", "event": fields, "forced": forced})
            ask_skipped = partial(list, answer["skipped"])
        runs = [await self._rest(run, linger_s) for run in answer["runs"]] if answer["new"] else []
        return EventResult(event.event_id, answer["new"], tuple(runs), ask_skipped)

    async def _rest(self, run: Mapping[str, Any], linger_s: float) -> RunResult:
        """How a run stands once it has come to rest."""
        while True:
            if self.engine is None:
                await self._take_over()
            standing = await self._standing(run["seq"])
            status, wake_at = standing.status, standing.wake_at
            due_in_s = (wake_at - self.clock.now()).total_seconds() if wake_at else None
            waits = status is RunStatus.WAITING and due_in_s is not None and due_in_s <= linger_s
            if status not in (RunStatus.RUNNING, RunStatus.QUEUED) and not waits:
                return RunResult(run["run_id"], run["workflow_id"], status, standing.error)
            await asyncio.sleep(0.02 if due_in_s is None else min(max(due_in_s, 0.005), 0.2))

    async def _come_to_rest(self, run_seq: int) -> RunResult:
        row = self.history.run(run_seq)
        return await self._rest({"seq": run_seq, "run_id": row.run_id, "workflow_id": row.workflow_id}, LINGER_S)

    async def _standing(self, run_seq: int) -> Standing:
        if self.engine is not None:
            return await self.engine.ended(run_seq)
        try:
            row = self.history.run(run_seq)
        except JournalError as error:
            if not error.passing:
                raise
            return Standing(RunStatus.RUNNING)  # as far as can be told: a full disk hinders looking, too
        return Standing(row.status, row.wake_at, row.error)

    async def settle(self, linger_s: float = LINGER_S) -> None:
        """Wait until nothing is being carried out any more, and the approval channels show what there is to show."""
        if self._tenure is not None:
            await self._tenure.settle(linger_s)

    async def decide(
        self,
        approval_id: str,
        *,
        approved: bool,
        by: str,
        channel: str,
        evidence: str,
        comment: str = "",
        edits: Mapping[str, Json] | None = None,
    ) -> dict[str, Any]:
        """Decide an approval: ``{"accepted": …, "message": …}``. ``edits`` are parameters to be changed before."""
        return await self._request(
            {"kind": "decide", "approval_id": approval_id, "approved": approved, "by": by, "channel": channel,
             "evidence": evidence, "comment": comment, "edits": dict(edits or {})}
        )  # fmt: skip

    async def pause(self, why: str, *, by: str) -> bool:
        """Let nothing reach outside until :meth:`resume`; False if that was so already."""
        return bool((await self._request({"kind": "pause", "why": why, "by": by}))["accepted"])

    async def resume(self, *, by: str) -> tuple[bool, str]:
        """Let everything go on: whether it was paused, and what still holds it back, '' if nothing does."""
        answer = await self._request({"kind": "resume", "by": by})
        return bool(answer["accepted"]), str(answer["still"])

    async def switch(self, workflow_id: str, enabled: bool, *, by: str) -> None:
        """Enable or disable a workflow, whatever its file says."""
        await self._request({"kind": "switch", "workflow_id": workflow_id, "enabled": enabled, "by": by})

    async def resolve(self, run_seq: int, position: int, *, happened: bool, result: Json = None, by: str) -> RunResult:
        """Say whether an uncertain step happened (it is made again if not); how its run stands once it came to rest."""
        await self._request(
            {"kind": "resolve", "run_seq": run_seq, "position": position, "happened": happened, "result": result,
             "by": by}
        )  # fmt: skip
        return await self._come_to_rest(run_seq)

    async def rerun(
        self,
        run_seq: int,
        *,
        by: str,
        since: str | None = None,
        current: bool = True,
        changes: Mapping[str, Json] = MappingProxyType({}),
    ) -> tuple[Mapping[str, Any], RunResult]:
        """Do an ended run again: ``seq``, ``run_id`` and ``reused`` steps of the new one, and how it came to rest.

        See ``aie.engine.Engine.rerun``.
        """
        wanted = {"since": since, "current": current, "changes": dict(changes)}
        answer = await self._request({"kind": "rerun", "run_seq": run_seq, **wanted, "by": by})
        return answer, await self._come_to_rest(answer["seq"])

    async def migrate(self, run_seq: int, *, by: str) -> RunResult:
        """Move a parked run to the current definition of its workflow; how it stands once it came to rest again."""
        await self._request({"kind": "migrate", "run_seq": run_seq, "by": by})
        return await self._come_to_rest(run_seq)

    async def cancel(self, run_seq: int, *, by: str) -> bool:
        """End a run here and now; False if it has ended already."""
        answer = await self._request({"kind": "cancel", "run_seq": run_seq, "by": by, "reason": f"cancelled by {by}"})
        return bool(answer["accepted"])

    async def release(self, name: str, *, cancel: bool = False, by: str) -> int:
        """Let the runs go on that the flood guard holds for a workflow or a source, or drop them; how many."""
        answer = await self._request({"kind": "release", "name": name, "cancel": cancel, "by": by})
        return int(answer["runs"])

    # --- looking ------------------------------------------------------------------------------------------------

    @property
    def history(self) -> History:
        """What is on record; of the running engine's journal if this one is not the engine."""
        if self.engine is not None:
            return self.engine.history
        if self._reader is None:
            self._reader = connect(self.journal_path)
        return History(self._reader)

    def workflows(self) -> dict[str, WorkflowView]:
        """The workflows that can be used, by id, with their counters."""
        counts, switches = self.history.counts(), self.history.switches()
        views = {}
        for workflow_id, workflow in sorted(self.library.shelf.workflows.items()):
            count = counts.get(workflow_id)
            views[workflow_id] = WorkflowView(
                workflow_id=workflow_id,
                name=workflow.name,
                description=workflow.description,
                trigger_event=workflow.trigger_event,
                enabled=switches.get(workflow_id, workflow.enabled),
                execution_count=count.runs if count else 0,
                last_executed=count.last_started if count else None,
                path=workflow.where,
            )
        return views
