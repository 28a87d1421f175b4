"""Requests of other aie commands to the engine that is running, left in the journal and answered there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from itertools import starmap
from pathlib import Path
from typing import Any

import apsw

from aie import schema
from aie.again import Rerun
from aie.engine import Engine
from aie.errors import AieError, BusyError, JournalError
from aie.events import Event
from aie.history import History
from aie.ingest import Accepted
from aie.journal import Batch, connect, stamp, translate
from aie.machine import error_of
from aie.plain import dumps
from aie.seams import Clock

log = logging.getLogger("aie.requests")

LOOK_S = 0.1
RETRY_S = 1.0
PAGE = 200  # requests read at once
URGENT_EVERY_S = 0.5  # how often what is no event is looked for, while there are ever more events
ANSWER_WITHIN_S = 30.0


async def perform(engine: Engine, request: dict[str, Any], *, request_id: int | None = None) -> dict[str, Any]:
    """Carry out one request and give its answer. With a ``request_id`` the answer is recorded as well."""
    match request["kind"]:
        case "event":
            return await _accept(engine, request, request_id)
        case "decide":
            decision = await engine.decide(
                request["approval_id"], approved=request["approved"], by=request["by"], channel=request["channel"],
                evidence=request["evidence"], comment=request.get("comment", ""), edits=request.get("edits"),
            )  # fmt: skip
            return {"accepted": decision.accepted, "message": decision.message}
        case "pause":
            return {"accepted": await engine.hold_back(request["why"], by=request["by"])}
        case "resume":
            done = await engine.let_on(by=request["by"])
            return {"accepted": done, "still": engine.pause.why()}
        case "switch":
            await engine.switch(request["workflow_id"], request["enabled"], by=request["by"])
            return {"accepted": True}
        case "cancel":
            done = await engine.cancel(request["run_seq"], by=request["by"], reason=request["reason"])
            return {"accepted": done}
        case "rerun":
            return await _rerun(engine, request, request_id)
        case "migrate":
            return {"definition": await engine.migrate(request["run_seq"], by=request["by"])}
        case "release":
            return {"runs": await engine.release(request["name"], cancel=request["cancel"], by=request["by"])}
        case "resolve":
            await engine.resolve(
                request["run_seq"], request["position"], happened=request["happened"], result=request["result"],
                by=request["by"],
            )  # fmt: skip
            return {"accepted": True}
    return {
        "error": f"this aie does not know the request {request['kind']!r}",
        "hint": "stop and start aie start again",
    }


async def _accept(engine: Engine, request: dict[str, Any], request_id: int | None) -> dict[str, Any]:
    fields = request["event"]
    event = Event(**fields)
    told: dict[str, Any] = {}

    def answer(batch: Batch, accepted: list[Accepted]) -> None:
        told.update(as_answer(accepted[0]), skipped=skipped_of(accepted[0]))
        if request_id is not None:
            batch.add(schema.ANSWER, dumps(told), request_id)

    await engine.accept_all([event], forced=request.get("forced", False), answer=answer)
    return told


async def _rerun(engine: Engine, request: dict[str, Any], request_id: int | None) -> dict[str, Any]:
    """The answer is written with the run: a request that is found again after a crash starts no second one."""
    told: dict[str, Any] = {}

    def answer(batch: Batch, seq: int, rerun: Rerun) -> None:
        told.update(seq=seq, run_id=rerun.run.run_id, reused=rerun.reused)
        if request_id is not None:
            batch.add(schema.ANSWER, dumps(told), request_id)

    await engine.rerun(
        request["run_seq"], since=request["since"], current=request["current"], changes=request["changes"],
        by=request["by"], answer=answer,
    )  # fmt: skip
    return told


def as_answer(accepted: Accepted) -> dict[str, Any]:
    return {
        "event_seq": accepted.event_seq,
        "new": accepted.new,
        "runs": [
            {"seq": seq, "run_id": run_id, "workflow_id": workflow_id} for seq, run_id, workflow_id in accepted.runs
        ],
    }


def skipped_of(accepted: Accepted) -> list[dict[str, Any]]:
    """Each workflow that did not start, and why not."""
    known = {found.workflow.workflow_id: found for found in accepted.matches}
    everyone = (known.get(found.workflow.workflow_id, found) for found in accepted.ask_everyone())
    return [
        {"workflow_id": found.workflow.workflow_id, "reason": found.reason, "failed": found.error is not None}
        for found in everyone
        if not found.starts
    ]


class Counter:
    """The running engine's side: looks for requests and answers them.

    A request is kept until its answer is durable, so while the journal cannot be written it waits there.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._version: int | None = None
        self._trouble = ""

    async def run(self) -> None:
        """Answer until cancelled; :class:`JournalError` when the journal is past working with."""
        while True:
            try:
                if self._something_changed():
                    await self._answer_all()
                self._tell("")
            except JournalError as error:
                if not error.passing:
                    raise
                self._version = None  # nothing need change before the next look is worth it
                self._tell(f"{error.where}: {error}; {error.hint}")
                await self._engine.clock.sleep(RETRY_S)
            await self._engine.clock.sleep(LOOK_S)

    def _tell(self, trouble: str) -> None:
        if trouble and not self._trouble:
            log.error("%s. Until then nothing is taken in, and what other commands handed over waits", trouble)
        elif self._trouble and not trouble:
            log.warning("events are taken in again")
        self._trouble = trouble

    def _something_changed(self) -> bool:
        """Whether any connection has written since the last look: a cheap question, asked many times a second."""
        try:
            version = int(str(self._engine.journal.reader.execute("PRAGMA data_version").fetchall()[0][0]))
        except apsw.Error as error:
            raise translate(error, self._engine.journal.path) from error
        changed, self._version = version != self._version, version
        return changed

    async def _answer_all(self) -> None:
        """Everything there is. Events come in their order, those of a page sharing commits; what else is asked comes in
        between, so that no decision waits behind a hundred thousand events.
        """
        history, loop = self._engine.history, asyncio.get_running_loop()
        last, looked_s = 0, -URGENT_EVERY_S
        while True:
            page = history.requests(events=True, after=last, limit=PAGE)
            if not page or loop.time() - looked_s >= URGENT_EVERY_S:
                for request_id, request in history.requests(events=False, limit=PAGE):
                    await self._answer(request_id, request)
                looked_s = loop.time()
            if not page:
                return
            last = page[-1][0]
            for result in await asyncio.gather(*starmap(self._answer, page), return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result

    async def _answer(self, request_id: int, request: dict[str, Any]) -> None:
        failure: Exception | None = None
        try:
            answer = await perform(self._engine, request, request_id=request_id)
        except Exception as error:  # whoever asked is told, whatever it was
            if not isinstance(error, AieError):
                log.exception("a request failed")
            answer, failure = error_of(error), error
        if self._engine.history.answer(request_id) is None:
            batch = Batch()
            batch.add(schema.ANSWER, dumps(answer), request_id)
            await self._engine.journal.commit(batch)
        if isinstance(failure, JournalError) and failure.damaged:
            raise failure


async def ask(
    path: Path, request: dict[str, Any], clock: Clock, take_over: Callable[[], Awaitable[None]]
) -> dict[str, Any]:
    """The other side: leave a request for the running engine and wait for the answer.

    That engine may end first, when it is a command of a moment: ``take_over`` then makes this process the engine, which
    finds the request in the journal. It is called now and then.
    """
    connection = await _connect(path)
    try:
        history = History(connection)
        try:
            connection.execute("INSERT INTO intake (request, at) VALUES (?, ?)", (dumps(request), stamp(clock.now())))
        except apsw.Error as error:
            raise translate(error, path) from error
        request_id = connection.last_insert_rowid()
        waited_s = 0.0
        while (answer := history.answer(request_id)) is None:
            if waited_s >= ANSWER_WITHIN_S:
                raise BusyError(
                    "the running aie has not answered yet; the request is kept and will be carried out",
                    where=str(path.parent),
                    hint="see whether aie start is well; do not ask again",
                )
            await asyncio.sleep(LOOK_S)
            waited_s += LOOK_S
            await take_over()
        return answer
    finally:
        connection.close()


async def _connect(path: Path) -> apsw.Connection:
    """The journal of an engine that may only just be starting."""
    for _ in range(100):
        if path.exists():  # noqa: ASYNC240 - one stat
            connection = connect(path)
            if connection.execute("SELECT count(*) FROM sqlite_schema WHERE name='intake'").fetchall()[0][0]:
                return connection
            connection.close()
        await asyncio.sleep(LOOK_S)
    raise BusyError(
        "another aie holds this state folder, and has no journal",
        where=str(path.parent),
        hint="look whether aie start is well, or stop it",
    )
