"""aie as a library: open a vault, hand in events, get back what ran.

Everything that works on a vault goes through :class:`AsyncOrchestrator`, the commands included. It is the engine of its
state folder if no other process is; otherwise it hands requests to the one that is, and reads what became of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, TypeVar

from filelock import FileLock, Timeout

from aie.act import PluginCaller
from aie.config import Config
from aie.credentials import CredentialStore
from aie.delivery import Delivery
from aie.desk import Channels
from aie.engine import Engine
from aie.errors import AieError, BusyError, JournalError
from aie.events import Event
from aie.feed import Feed
from aie.history import History
from aie.journal import FILE_NAME, Journal, connect
from aie.journal_file import present
from aie.journal_watch import keep_in_place, read_through, warn_of_lost_records
from aie.library import Library
from aie.live import Standing
from aie.lookout import Lookout
from aie.plain import Json
from aie.plugins import Registry, load_engine
from aie.requests import Counter, as_answer, ask, perform, skipped_of
from aie.retention import Keeper
from aie.run import RunStatus
from aie.seams import Clock, Ids, SystemClock
from aie.templates import TemplateCompiler

log = logging.getLogger("aie.orchestrator")

T = TypeVar("T")
LINGER_S = 60.0  # a command that is its own engine sees waits through that are shorter than this
RELOAD_S = 1.0
CLOSE_WITHIN_S = 3.0
TAKE_OVER_S = 0.25
COLLECT_EVERY = 10_000  # new values that Python keeps an eye on, and 700 by default


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run an event started, and how it stands: ended, or parked for a time, a person or a plugin."""

    run_id: str
    workflow_id: str
    status: RunStatus
    error: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class EventResult:
    """What became of an event. ``new`` is False when it had arrived before; it then started nothing."""

    event_id: str
    new: bool
    runs: tuple[RunResult, ...]
    ask_skipped: Callable[[], Sequence[Mapping[str, Any]]] = field(default=tuple, repr=False, compare=False)

    @property
    def skipped(self) -> Sequence[Mapping[str, Any]]:
        """workflow_id, reason and failed for each that did not start; worked out now."""
        return self.ask_skipped()


@dataclass(frozen=True, slots=True)
class WorkflowView:
    """A workflow with its counters, which live in the journal and never in its file."""

    workflow_id: str
    name: str
    description: str
    trigger_event: str
    enabled: bool
    execution_count: int
    last_executed: datetime | None
    path: str


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
        self.engine: Engine | None = None
        self.delivery: Delivery | None = None
        self.channels: Channels | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        self._failures: list[BaseException] = []
        self._failed = asyncio.Event()
        self._lock: FileLock | None = None
        self._reader: Any = None
        self._looked_s = 0.0  # when this process last tried to become the engine
        self._held_up_by = ""  # what kept it from that, in words
        self._at_close = contextlib.ExitStack()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    @property
    def journal_path(self) -> Path:
        return self.config.state_dir / FILE_NAME

    async def open(self, *, serve: bool = False) -> None:
        """Become the engine of the state folder. With another one there: hand requests to it, or, if this one is to
        ``serve``, fail with :class:`BusyError`.
        """
        self.library.refresh()
        lock = self._take_lock()
        if lock is None:
            if serve:
                raise BusyError(
                    f"another aie is at work here (process {holder(self.config.state_dir) or 'unknown'})",
                    where=str(self.config.state_dir),
                    hint="stop that one first; other commands work beside it",
                )
            return
        self._lock = lock
        try:
            present(self.journal_path)
            if serve:
                await read_through(self.journal_path, larger=False)
            make_engine: type[Engine] = load_engine(self.config.engine)
            self.engine = make_engine(self.config, self.registry, self.library, self.compiler, **self._seams)
            await self.engine.start()
        except BaseException:
            self.engine = None
            lock.release()
            raise
        self.engine.failure.add_done_callback(self._loop_ended)
        warn_of_lost_records(self.config.vault, self.engine.journal.audit_seq)
        self.delivery = Delivery(self.engine, self.registry.sinks())
        self.channels = Channels(self.engine, self.registry.channels())
        self._start(self.delivery.run(), Counter(self.engine).run())

    def _take_lock(self) -> FileLock | None:
        """The lock of the state folder; None if another process has it. The system frees it when its holder dies."""
        folder = self.config.state_dir
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = FileLock(folder / "engine.lock", timeout=0)
            lock.acquire()
            (folder / "engine.pid").write_text(str(os.getpid()))
        except Timeout:
            return None
        except OSError as error:
            raise JournalError(
                f"the state folder cannot be used: {error.strerror}",
                where=str(folder),
                hint="check its permissions and its disk, or set AIE_STATE_DIR to a folder of yours",
                passing=True,
            ) from error
        return lock

    def _start(self, *loops: Coroutine[Any, Any, Any]) -> None:
        for loop in loops:
            task = asyncio.create_task(loop)
            task.add_done_callback(self._loop_ended)
            self._tasks.append(task)

    def _loop_ended(self, loop: asyncio.Future[Any]) -> None:
        if not loop.cancelled() and (error := loop.exception()) is not None:
            self._failures.append(error)
            self._failed.set()

    async def failure(self) -> None:
        """Wait until something breaks that aie cannot work on without, and raise what it was."""
        await self._failed.wait()
        raise self._failures[0]

    def serve(self) -> None:
        """Start all sources, watch the workflow files and keep the approval channels in step, until closed."""
        assert self.engine is not None
        assert self.channels is not None
        self._collect_rarely()
        self._start(*self.channels.loops(), self._watch_workflows(), self._watch_pause())
        self._start(keep_in_place(self.journal_path, self.clock), read_through(self.journal_path, larger=True))
        self._start(Keeper(self.engine, self.registry.sinks()).run(), Lookout(self.engine).run())
        self._start(*(Feed(self.engine, offer).run() for offer in self.registry.sources()))

    def _collect_rarely(self) -> None:
        """Let Python look for garbage less often. Runs leave hardly any that it must look for, but those under way are
        many values that live for a while, and looking through them each time takes a tenth of the time there is.
        """
        before = gc.get_threshold()
        if before[0] < COLLECT_EVERY:
            gc.set_threshold(COLLECT_EVERY, *before[1:])
            self._at_close.callback(gc.set_threshold, *before)

    async def _watch_workflows(self) -> None:
        while True:
            await self.clock.sleep(RELOAD_S)
            self.library.glance()

    async def _watch_pause(self) -> None:
        """Take notice when the note that stops everything comes or goes."""
        assert self.engine is not None
        engine, before = self.engine, self.engine.pause.note
        while True:
            await self.clock.sleep(RELOAD_S)
            if engine.pause.note != before:
                before = not before
                engine.take_notice_of_pause()

    async def close(self, *, deliver_within_s: float = math.inf) -> None:
        """Let what is going on come to rest or be cut off, tell sinks and channels, and free the state folder.

        A sink that is too far behind for ``deliver_within_s`` goes on where it stands with the next start.
        """
        self._at_close.close()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self.engine is None:
            return
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_WITHIN_S)  # a source that will not end is left behind
        self._tasks.clear()
        engine, self.engine = self.engine, None
        try:
            if self.channels is not None:
                await self.channels.sync()
            if self.delivery is not None:
                await self.delivery.flush(within_s=deliver_within_s)
        finally:
            try:
                last = partial(self.delivery.flush, within_s=deliver_within_s) if self.delivery else None
                await engine.stop(last=last)
            finally:
                if self._lock is not None:
                    self._lock.release()

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

        Waits shorter than ``linger_s`` are seen through. Raises :class:`EventError` when the event is not acceptable.
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
        if self.engine is None:
            return
        assert self.channels is not None
        for _ in range(3):  # a channel may bring a decision, which starts something, which asks again
            await self.engine.idle(linger_s)
            revision = self.engine.approvals_revision
            await self.channels.sync()
            if self.engine.approvals_revision == revision:
                break
        await self.engine.idle(linger_s)

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
            {
                "kind": "resolve",
                "run_seq": run_seq,
                "position": position,
                "happened": happened,
                "result": result,
                "by": by,
            }
        )
        row = self.history.run(run_seq)
        return await self._rest({"seq": run_seq, "run_id": row.run_id, "workflow_id": row.workflow_id}, LINGER_S)

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

        See :meth:`aie.engine.Engine.rerun`.
        """
        wanted = {"since": since, "current": current, "changes": dict(changes)}
        answer = await self._request({"kind": "rerun", "run_seq": run_seq, **wanted, "by": by})
        workflow_id = self.history.run(answer["seq"]).workflow_id
        return answer, await self._rest({**answer, "workflow_id": workflow_id}, LINGER_S)

    async def migrate(self, run_seq: int, *, by: str) -> RunResult:
        """Move a parked run to the current definition of its workflow; how it stands once it came to rest again."""
        await self._request({"kind": "migrate", "run_seq": run_seq, "by": by})
        row = self.history.run(run_seq)
        return await self._rest({"seq": run_seq, "run_id": row.run_id, "workflow_id": row.workflow_id}, LINGER_S)

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


def holder(state_dir: Path) -> str:
    """The process id of the engine that holds the state folder, as far as it left one."""
    with contextlib.suppress(OSError):
        return (state_dir / "engine.pid").read_text().strip()
    return ""


class WorkflowOrchestrator:
    """The same for plain scripts: an event loop in a thread of its own, and methods that wait.

    Also a context manager; without ``with``, call :meth:`close` (what was accepted is safe either way).
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
