"""The engine: retries, timers, loops, decisions, reloads and misbehaving handlers, with a clock that tests move."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aie import ActionContext, ActionHandler, AsyncOrchestrator, Effect, Event, RetryableError, hookimpl
from aie.actions import Outcome
from aie.errors import BusyError, EventError, NotFoundError, PluginError, UncertainError
from aie.history import RunRow
from aie.run import RunStatus
from tests.stand_ins import MONDAY, ManualClock, Outbox, Scripted, SendEmail, Services, make_vault, workflow


def manual(event_id: str = "e1", **data: Any) -> Event:
    return Event("manual_trigger", "test", data, event_id=event_id)


async def emit(orchestrator: AsyncOrchestrator, event: Event) -> None:
    """Hand in an event without waiting for its runs."""
    assert orchestrator.engine is not None
    await orchestrator.engine.accept(event)


async def rest(orchestrator: AsyncOrchestrator) -> RunRow:
    """Let everything come to rest that does not wait for the clock; the newest run."""
    assert orchestrator.engine is not None
    await orchestrator.engine.idle()
    return orchestrator.history.runs()[0]


def test_a_retry_waits_for_its_time_and_survives_a_restart(tmp_path: Path) -> None:
    failures = [RetryableError("busy", retry_after_s=600), RetryableError("busy")]

    def flaky(params: dict[str, Any], context: ActionContext) -> str:
        if failures:
            raise failures.pop(0)
        return context.idempotency_key

    scripted, clock = Scripted({"flaky": flaky}), ManualClock()
    vault = make_vault(tmp_path / "v", workflow("w", {"action_type": "flaky", "retry_count": 3}))

    async def main() -> list[Any]:
        seen: list[Any] = []
        async with AsyncOrchestrator(vault, plugins={"t": scripted}, clock=clock, env={}) as orchestrator:
            await emit(orchestrator, manual())
            row = await rest(orchestrator)
            seen.append((row.status, row.wake_at == MONDAY + timedelta(seconds=600)))
        clock.move(seconds=601)
        async with AsyncOrchestrator(vault, plugins={"t": scripted}, clock=clock, env={}) as orchestrator:
            seen.append((await rest(orchestrator)).status)
            clock.move(seconds=10)
            await asyncio.sleep(0.01)
            seen.append((await rest(orchestrator)).status)
        return seen

    assert asyncio.run(main()) == [(RunStatus.WAITING, True), RunStatus.WAITING, RunStatus.SUCCEEDED]
    assert [attempt for _, _, attempt in scripted.calls] == [1, 2, 3]


def test_a_timer_that_came_due_while_aie_was_off_fires_once(tmp_path: Path) -> None:
    scripted, clock = Scripted({"note": lambda params, context: None}), ManualClock()
    wait = {"action_type": "wait", "parameters": {"duration": "3 days"}}
    vault = make_vault(tmp_path / "v", workflow("w", wait, {"action_type": "note"}))

    async def once() -> RunStatus:
        async with AsyncOrchestrator(vault, plugins={"t": scripted}, clock=clock, env={}) as orchestrator:
            if clock.now() == MONDAY:
                await emit(orchestrator, manual())
            return (await rest(orchestrator)).status

    assert asyncio.run(once()) is RunStatus.WAITING
    clock.move(days=30)
    assert [asyncio.run(once()), asyncio.run(once())] == [RunStatus.SUCCEEDED] * 2
    assert len(scripted.calls) == 1


def test_workflows_that_start_one_another_are_stopped(tmp_path: Path) -> None:
    again = {"action_type": "run_workflow", "parameters": {"workflow_id": "w"}, "retry_count": 0}
    vault = make_vault(tmp_path / "v", workflow("w", again))

    async def main() -> list[str]:
        async with AsyncOrchestrator(vault, env={}) as orchestrator:
            await orchestrator.process_event(manual())
            await orchestrator.settle()
            return [str(run.status) for run in orchestrator.history.runs(limit=1000)]

    statuses = asyncio.run(main())
    assert statuses == ["failed", *["succeeded"] * 16]


def test_events_emitted_by_a_step_start_their_workflows_once(tmp_path: Path) -> None:
    scripted = Scripted({"note": lambda params, context: None})
    emit_event = {
        "action_type": "emit_event",
        "parameters": {"event_type": "ping", "data": {"n": "{{ event.data.n }}"}},
    }
    note = {"action_type": "note", "parameters": {"n": "{{ event.data.n }}"}}
    vault = make_vault(tmp_path / "v", workflow("a", emit_event), workflow("b", note, trigger="ping"))

    async def main() -> None:
        async with AsyncOrchestrator(vault, plugins={"t": scripted}, env={}) as orchestrator:
            await orchestrator.process_event(manual(n=7))
            await orchestrator.settle()

    asyncio.run(main())
    assert scripted.calls == [("note", {"n": 7}, 1)]


def test_the_first_decision_wins_whoever_else_decides_at_the_same_time(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    mail = {"action_type": "send_email", "parameters": {"to": "a@b.example", "subject": "s", "body": "b"}}
    note = {
        "action_type": "send_notification",
        "parameters": {"title": "{{ event.data.approved }} {{ event.data.title }}", "message": "m"},
    }
    vault = make_vault(tmp_path / "v", workflow("w", mail), workflow("told", note, trigger="approval_received"))

    async def main() -> tuple[list[bool], str]:
        async with AsyncOrchestrator(vault, plugins={"s": Services(outbox)}, env={}) as orchestrator:
            await orchestrator.process_event(manual())
            (approval,) = orchestrator.history.approvals()
            answers = await asyncio.gather(
                *(
                    orchestrator.decide(
                        approval.approval_id, approved=number % 2 == 0, by=f"p{number}", channel="t", evidence="t"
                    )
                    for number in range(8)
                )
            )
            await orchestrator.settle()
            late = await orchestrator.decide(approval.approval_id, approved=False, by="late", channel="t", evidence="t")
            return [answer["accepted"] for answer in answers], late["message"]

    accepted, late = asyncio.run(main())
    assert accepted == [True, *[False] * 7]
    assert late.startswith("it was already approved on ")
    assert late.endswith(" UTC, by p0 (t)")
    assert len(outbox.sent()) == 1
    assert len(list((vault / "Inbox").glob("NOTIFICATION_*"))) == 1


def test_a_changed_file_is_taken_up_and_runs_under_way_keep_their_version(tmp_path: Path) -> None:
    scripted, clock = Scripted({"note": lambda params, context: None}), ManualClock()

    def version(text: str) -> dict[str, Any]:
        wait = {"action_type": "wait", "parameters": {"duration": 60}}
        return workflow("w", wait, {"action_type": "note", "parameters": {"version": text}})

    vault = make_vault(tmp_path / "v", version("old"))
    path = vault / "workflows" / "w.json"

    async def main() -> list[str]:
        async with AsyncOrchestrator(vault, plugins={"t": scripted}, clock=clock, env={}) as orchestrator:
            await emit(orchestrator, manual("e1"))
            await rest(orchestrator)
            path.write_text(json.dumps(version("newer")), encoding="utf-8")
            orchestrator.library.refresh()
            await emit(orchestrator, manual("e2"))
            path.write_text("{ half writ", encoding="utf-8")
            orchestrator.library.refresh()
            problems = [error.where.split(",")[0] for error in orchestrator.library.shelf.problems]
            await emit(orchestrator, manual("e3"))
            path.unlink()
            orchestrator.library.refresh()
            await emit(orchestrator, manual("e4"))
            await rest(orchestrator)
            clock.move(seconds=61)
            await asyncio.sleep(0.01)
            await rest(orchestrator)
            return problems

    problems = asyncio.run(main())
    assert [problem.split(":")[0] for problem in problems] == [str(path)]
    assert sorted(params["version"] for _, params, _ in scripted.calls) == ["newer", "newer", "old"]


def raises(error: BaseException) -> Callable[[dict[str, Any], ActionContext], Any]:
    def behave(params: dict[str, Any], context: ActionContext) -> Any:
        raise error

    return behave


@pytest.mark.parametrize(
    ("behave", "complaint"),
    [
        (raises(SystemExit(3)), "SystemExit: 3"),
        (raises(KeyboardInterrupt()), "KeyboardInterrupt: "),
        (raises(GeneratorExit()), "GeneratorExit: "),
        (raises(MemoryError()), "MemoryError: "),
        (lambda params, context: object(), "t.odd did its work, but what it returned is not data"),
        (lambda params, context: {"x": float("nan")}, "t.odd did its work, but what it returned is not data"),
        (lambda params, context: "x" * 50_000_000, "t.odd did its work, but what it returned is not data"),
        (lambda params, context: Outcome(events=("no event",)), "t.odd did its work"),  # type: ignore[arg-type]
    ],
)
def test_a_handler_takes_down_its_step_and_not_the_engine(
    tmp_path: Path, behave: Callable[[dict[str, Any], ActionContext], Any], complaint: str
) -> None:
    scripted = Scripted({"odd": behave, "ok": lambda params, context: None})
    vault = make_vault(
        tmp_path / "v",
        workflow("bad", {"action_type": "odd", "retry_count": 0}),
        workflow("good", {"action_type": "ok"}),
    )

    async def main() -> dict[str, Any]:
        async with AsyncOrchestrator(vault, plugins={"t": scripted}, env={}) as orchestrator:
            result = await orchestrator.process_event(manual())
            return {run.workflow_id: (run.status, (run.error or {}).get("error", "")) for run in result.runs}

    found = asyncio.run(main())
    assert found["good"] == (RunStatus.SUCCEEDED, "")
    assert found["bad"][0] is RunStatus.FAILED
    assert found["bad"][1].startswith(complaint)


@pytest.mark.parametrize(
    "error", [UncertainError("the answer was lost"), ConnectionResetError("reset"), RuntimeError("bug")]
)
def test_an_outside_effect_nobody_is_sure_about_is_not_repeated(tmp_path: Path, error: Exception) -> None:
    scripted = Scripted({"pay": raises(error)}, effect=Effect.EXTERNAL, repeatable=False)
    vault = make_vault(tmp_path / "v", workflow("w", {"action_type": "pay", "retry_count": 5}))

    async def main() -> RunStatus:
        async with AsyncOrchestrator(vault, plugins={"t": scripted}, env={}) as orchestrator:
            await orchestrator.process_event(manual())
            (approval,) = orchestrator.history.approvals()
            await orchestrator.decide(approval.approval_id, approved=True, by="me", channel="t", evidence="t")
            await orchestrator.settle()
            return orchestrator.history.runs()[0].status

    assert asyncio.run(main()) is RunStatus.UNCERTAIN
    assert len(scripted.calls) == 1


def test_many_steps_in_a_row_cost_one_commit_each(tmp_path: Path) -> None:
    scripted = Scripted({"note": lambda params, context: None})
    vault = make_vault(tmp_path / "v", workflow("w", *({"action_type": "note"} for _ in range(40))))
    with (vault / "aie.toml").open("a", encoding="utf-8") as file:
        file.write("[logs]\nenabled = false\n")  # the sinks' own commits are not what is counted

    async def main() -> int:
        async with AsyncOrchestrator(vault, plugins={"t": scripted}, env={}) as orchestrator:
            assert orchestrator.engine is not None
            before = orchestrator.engine.journal.commits
            await emit(orchestrator, manual())
            await rest(orchestrator)
            return orchestrator.engine.journal.commits - before

    assert asyncio.run(main()) == 41  # the event with its run, then each step with what follows from it
    assert len(scripted.calls) == 40


def test_a_second_engine_is_refused_and_names_the_first(tmp_path: Path) -> None:
    vault = make_vault(tmp_path / "v")

    async def main() -> str:
        async with AsyncOrchestrator(vault, env={}):
            second = AsyncOrchestrator(vault, env={})
            with pytest.raises(BusyError) as caught:
                await second.open(serve=True)
            return caught.value.message

    assert asyncio.run(main()) == f"another aie is at work here (process {os.getpid()})"


def test_nobody_can_take_the_name_that_decisions_are_known_by(tmp_path: Path) -> None:
    vault = make_vault(tmp_path / "v", workflow("w", {"action_type": "wait", "parameters": {"duration": 0}}))

    async def main() -> str:
        async with AsyncOrchestrator(vault, env={}) as orchestrator:
            with pytest.raises(EventError) as caught:
                await orchestrator.process_event(Event("approval_received", "approvals", {}, event_id="apr_1"))
            return caught.value.message

    assert asyncio.run(main()) == "no event may say it comes from 'approvals': that is what decisions are known by"


def test_a_preview_that_fails_does_not_keep_the_request_from_coming(tmp_path: Path) -> None:
    def preview(params: object, context: object) -> str:
        raise RuntimeError("no preview today")

    class Odd:
        @hookimpl
        def aie_action_handlers(self, settings: object) -> list[ActionHandler]:
            return [ActionHandler("odd", SendEmail, lambda params, context: None, body_field="body", preview=preview)]

    mail = {"action_type": "odd", "parameters": {"to": "a@b.example", "subject": "s", "body": "what it says"}}
    vault = make_vault(tmp_path / "v", workflow("w", mail))

    async def main() -> list[str]:
        async with AsyncOrchestrator(vault, plugins={"t": Odd()}, env={}) as orchestrator:
            await orchestrator.process_event(manual())
            return [approval.body for approval in orchestrator.history.approvals()]

    assert asyncio.run(main()) == ["what it says"]


def test_the_engine_is_the_one_that_aie_toml_names(tmp_path: Path) -> None:
    vault = make_vault(tmp_path / "v")
    with (vault / "aie.toml").open("a", encoding="utf-8") as file:
        file.write('engine = "sqlight"\n')

    async def main() -> tuple[str, str]:
        with pytest.raises(PluginError) as caught:
            async with AsyncOrchestrator(vault, env={}):
                pass
        return caught.value.message, caught.value.hint

    assert asyncio.run(main()) == ("no engine is named 'sqlight'", "did you mean 'sqlite'?")


@pytest.mark.parametrize(("happened", "calls"), [(True, 1), (False, 2)])
def test_a_person_says_whether_an_uncertain_step_happened(tmp_path: Path, happened: bool, calls: int) -> None:
    answers: list[Any] = [ConnectionResetError("reset"), {"id": 7}]

    def pay(params: dict[str, Any], context: ActionContext) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    paying = Scripted({"pay": pay}, effect=Effect.EXTERNAL, repeatable=False)
    telling = Scripted({"tell": lambda params, context: None})
    tell = {"action_type": "tell", "parameters": {"id": "{{ results.pay.id }}"}}
    vault = make_vault(tmp_path / "v", workflow("w", {"id": "pay", "action_type": "pay", "await_approval": True}, tell))

    async def main() -> tuple[RunStatus, RunStatus, str]:
        async with AsyncOrchestrator(vault, plugins={"p": paying, "t": telling}, env={}) as orchestrator:
            await orchestrator.process_event(manual())
            (approval,) = orchestrator.history.approvals()
            await orchestrator.decide(approval.approval_id, approved=True, by="me", channel="t", evidence="t")
            await orchestrator.settle()
            row = orchestrator.history.runs()[0]
            after = await orchestrator.resolve(
                row.seq, 0, happened=happened, result={"id": 7} if happened else None, by="me"
            )
            with pytest.raises(NotFoundError) as caught:
                await orchestrator.resolve(row.seq, 0, happened=True, by="me")
            return row.status, after.status, caught.value.message

    assert asyncio.run(main()) == (
        RunStatus.UNCERTAIN, RunStatus.SUCCEEDED, "the step pay is succeeded, not uncertain",
    )  # fmt: skip
    assert len(paying.calls) == calls
    assert telling.calls == [("tell", {"id": 7}, 1)]


def test_batches_of_events_that_overlap_do_not_wait_for_one_another_for_ever(tmp_path: Path) -> None:
    vault = make_vault(tmp_path / "v")

    async def main() -> tuple[list[list[bool]], int]:
        async with AsyncOrchestrator(vault, env={}) as orchestrator:
            engine = orchestrator.engine
            assert engine is not None
            batches = [["c"], ["a", "c", "d"], ["d", "a"]]
            results = await asyncio.wait_for(
                asyncio.gather(*(engine.accept_all([manual(name) for name in names]) for names in batches)), 10
            )
            return [[found.new for found in result] for result in results], len(orchestrator.history.events())

    new, count = asyncio.run(main())
    assert (sum(map(sum, new)), count) == (3, 3)


def test_an_event_that_is_twice_in_one_batch_is_one_event(tmp_path: Path) -> None:
    vault = make_vault(tmp_path / "v")

    async def main() -> list[tuple[int, bool]]:
        async with AsyncOrchestrator(vault, env={}) as orchestrator:
            assert orchestrator.engine is not None
            accepted = await orchestrator.engine.accept_all([manual("a"), manual("b"), manual("a")])
            return [(found.event_seq, found.new) for found in accepted]

    assert asyncio.run(main()) == [(1, True), (2, True), (1, False)]


def test_opening_a_vault_where_nothing_is_to_be_done_commits_nothing(tmp_path: Path) -> None:
    vault = make_vault(tmp_path / "v")

    async def main() -> int:
        async with AsyncOrchestrator(vault, env={}) as orchestrator:
            assert orchestrator.engine is not None
            return orchestrator.engine.journal.commits

    assert [asyncio.run(main()), asyncio.run(main())] == [0, 0]


def test_a_decided_run_is_on_record_as_running_in_case_nothing_more_is_written(tmp_path: Path) -> None:
    vault = make_vault(tmp_path / "v", workflow("w", {"action_type": "request_approval", "parameters": {"title": "?"}}))

    async def main() -> list[RunStatus]:
        async with AsyncOrchestrator(vault, env={}) as orchestrator:
            await orchestrator.process_event(manual())
            seen = [orchestrator.history.runs()[0].status]
            (approval,) = orchestrator.history.approvals()
            await orchestrator.decide(approval.approval_id, approved=True, by="me", channel="t", evidence="t")
            seen.append(orchestrator.history.runs()[0].status)
            await orchestrator.settle()
            return [*seen, orchestrator.history.runs()[0].status]

    assert asyncio.run(main()) == [RunStatus.ASKING, RunStatus.RUNNING, RunStatus.SUCCEEDED]


@pytest.mark.parametrize("count", [1, 2])
def test_a_handler_that_does_not_let_itself_be_cancelled_is_left_behind(tmp_path: Path, count: int) -> None:
    """Also when it is one of several calls of its run that are being made at the same time."""
    ended: list[bool] = []

    async def stubborn(params: dict[str, Any], context: ActionContext) -> None:
        for _ in range(100):  # not for ever, should this test fail
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.1)
            if ended:
                return

    scripted = Scripted({"stubborn": stubborn, "note": lambda params, context: None}, effect=Effect.EXTERNAL)
    step = {"action_type": "stubborn", "timeout": 0.05, "retry_count": 0}
    vault = make_vault(tmp_path / "v", workflow("w", *([step] * count)))

    async def main() -> tuple[RunStatus, list[str]]:
        async with AsyncOrchestrator(vault, plugins={"t": scripted}, env={}) as orchestrator:
            await orchestrator.process_event(manual())
            decisions = [
                orchestrator.decide(approval.approval_id, approved=True, by="me", channel="t", evidence="t")
                for approval in orchestrator.history.approvals()
            ]
            await asyncio.gather(*decisions)
            await orchestrator.settle()
            ended.append(True)
            (run,) = orchestrator.history.runs()
            return run.status, [(record.error or {})["error"] for record in orchestrator.history.steps(run.seq)]

    assert asyncio.run(main()) == (RunStatus.FAILED, ["no answer within 0.05 s"] * count)


def test_decisions_on_several_steps_at_the_same_time_carry_out_each_of_them_once(tmp_path: Path) -> None:
    scripted = Scripted({"mail": lambda params, context: None}, effect=Effect.EXTERNAL, repeatable=False)
    vault = make_vault(
        tmp_path / "v", workflow("w", *({"action_type": "mail", "parameters": {"n": n}} for n in range(4)))
    )

    async def main() -> RunStatus:
        async with AsyncOrchestrator(vault, plugins={"t": scripted}, env={}) as orchestrator:
            await orchestrator.process_event(manual())
            decisions = [
                orchestrator.decide(approval.approval_id, approved=True, by="me", channel="t", evidence="t")
                for approval in orchestrator.history.approvals()
            ]
            await asyncio.gather(*decisions)
            await orchestrator.settle()
            return orchestrator.history.runs()[0].status

    assert asyncio.run(main()) is RunStatus.SUCCEEDED
    assert sorted(params["n"] for _, params, _ in scripted.calls) == [0, 1, 2, 3]


def test_what_is_new_does_not_wait_for_all_that_was_left_over(tmp_path: Path) -> None:
    order: list[str] = []
    gate = asyncio.Event()

    async def note(params: dict[str, Any], context: ActionContext) -> None:
        if not gate.is_set():
            await asyncio.Event().wait()
        order.append(str(context.event["event_id"]))

    scripted = Scripted({"note": note})
    vault = make_vault(tmp_path / "v", workflow("w", {"action_type": "note"}))
    with (vault / "aie.toml").open("a", encoding="utf-8") as file:
        file.write("max_runs = 1\n")

    async def cut_off() -> None:
        async with AsyncOrchestrator(vault, plugins={"t": scripted}, env={}) as orchestrator:
            for number in range(6):
                await emit(orchestrator, manual(f"old{number}"))

    async def go_on() -> list[str]:
        gate.set()
        async with AsyncOrchestrator(vault, plugins={"t": scripted}, env={}) as orchestrator:
            for number in range(2):
                await emit(orchestrator, manual(f"new{number}"))
            await orchestrator.settle()
        return order

    asyncio.run(cut_off())
    gate = asyncio.Event()
    ran = asyncio.run(go_on())
    assert sorted(ran) == ["new0", "new1", *(f"old{number}" for number in range(6))]
    assert max(ran.index("new0"), ran.index("new1")) < ran.index("old5")
