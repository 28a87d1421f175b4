"""Again: what a rerun reuses, what it asks, and how a parked run gets another definition."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from aie import AsyncOrchestrator, Effect, Event, machine
from aie.again import changed
from aie.errors import ActionError, EventError, RefusedError
from aie.machine import Failure, Success
from aie.requests import perform
from aie.run import Earlier, Run, RunStatus, StepStatus
from tests.stand_ins import Scripted, make_vault, workflow
from tests.test_machine import NOW, advance, run_of, settled, statuses, step


def again(*runs: Run, since: int | None = None, new: Run | None = None) -> Run:
    fresh = structs.replace(new or runs[-1], run_id="run_2", steps={}, frame={}, cancelled=False)
    return machine.again(runs, fresh, since)


# --- what is reused -----------------------------------------------------------------------------------------------


def test_a_rerun_goes_on_from_what_succeeded() -> None:
    run = run_of(step("note", id="a"), step("note", id="b"), step("note", id="c"))
    run = settled(settled(run, Success({"n": 1})), Failure({"error": "no"}))
    assert machine.stands_at(run) == 1
    new = again(run)
    assert statuses(new) == {"a": "succeeded"}
    (call,) = advance(new).calls
    assert (call.index, call.key) == (1, machine.idempotency_key("run_2", "b"))


def test_from_a_step_on_all_is_done_anew() -> None:
    run = settled(settled(run_of(step("note", id="a"), step("note", id="b")), Success()), Success())
    assert machine.stands_at(run) is None
    assert statuses(again(run, since=1)) == {"a": "succeeded"}
    assert statuses(again(run, since=0)) == {}


def test_what_uses_the_result_of_a_step_that_is_done_anew_is_done_anew() -> None:
    run = run_of(
        step("mail", id="mail"),
        step("note", id="free"),
        step("note", id="uses", parameters={"x": "{{ results.mail }}"}),
    )
    run = machine.decide(settled(run, Success()), 0, True, {"approved": True}, NOW)
    run = settled(run, Failure({"error": "no"}))
    assert statuses(again(run)) == {"free": "succeeded"}


def test_a_failure_that_was_dealt_with_and_a_step_that_was_skipped_are_reused() -> None:
    run = run_of(
        step("note", id="a", on_failure="c"), step("note", id="b"), step("note", id="c"),
        step("note", id="d", condition="False"), step("note", id="e"),
    )  # fmt: skip
    run = settled(settled(settled(run, Failure({"error": "no"})), Success()), Failure({"error": "no"}))
    assert statuses(again(run)) == {"a": "failed", "c": "succeeded", "d": "skipped"}


def test_a_step_without_a_name_is_the_same_only_with_the_same_parameters() -> None:
    run = settled(settled(run_of(step("note", parameters={"n": 1}), step("note", id="b")), Success()), Success())
    other = run_of(step("note", parameters={"n": 2}), step("note", id="b"), step("note", id="c"))
    assert statuses(again(run, new=other)) == {"b": "succeeded"}


# --- what is asked ------------------------------------------------------------------------------------------------


def mail_of(**parameters: Any) -> Run:
    return run_of(step("mail", id="mail", parameters=parameters), step("note", id="after", parameters={"bad": 1}))


def approved_and_failed(**parameters: Any) -> Run:
    run = machine.decide(advance(mail_of(**parameters)).run, 0, True, {"approved": True, "decided_by": "Kim"}, NOW)
    return advance(settled(run, Failure({"error": "no"}), 0)).run


def test_what_was_approved_and_not_done_is_not_asked_again() -> None:
    following = advance(again(approved_and_failed(to="kim@example.com")))
    assert [(call.index, call.params) for call in following.calls] == [(0, {"to": "kim@example.com"})]
    approval = following.run.steps[0].approval or {}
    assert (approval["approved"], approval["decided_by"]) == (True, "Kim")


def test_what_was_approved_and_may_be_repeated_keeps_its_approval() -> None:
    run = run_of(step("letter", id="letter", parameters={"to": "kim"}))
    run = machine.decide(advance(run).run, 0, True, {"approved": True}, NOW)
    decided = run.steps[0]
    new = settled(again(settled(run, Failure({"error": "no"}))), Success())
    assert (new.steps[0].status, new.steps[0].approval) == (StepStatus.SUCCEEDED, decided.approval)
    assert new.steps[0].approval_id == decided.approval_id


def test_other_parameters_are_asked_again() -> None:
    following = advance(again(approved_and_failed(to="kim@example.com"), new=mail_of(to="eve@example.com")))
    assert following.calls == ()
    assert following.run.steps[0].status is StepStatus.ASKED


def test_a_rejection_is_asked_again() -> None:
    run = machine.decide(advance(run_of(step("mail", id="mail"))).run, 0, False, {"approved": False}, NOW)
    assert statuses(advance(again(run)).run) == {"mail": "asked"}


def test_an_approval_counts_for_one_mail() -> None:
    run = machine.decide(advance(mail_of(n=1)).run, 0, True, {"approved": True}, NOW)
    run = settled(run, Success(), 0)
    assert statuses(advance(again(run, since=0)).run)["mail"] == "asked"


def test_what_reached_outside_and_may_do_harm_twice_asks_even_if_it_usually_does_not() -> None:
    done = settled(run_of(step("transfer", id="t")), Success())
    following = advance(again(done, since=0))
    assert (following.calls, following.status) == ((), RunStatus.ASKING)
    assert following.run.steps[0].approval_id == machine.approval_id(
        following.run, following.run.workflow.steps[0], following.run.steps[0].params or {}
    )
    lost = settled(run_of(step("transfer", id="t")), machine.Unknown({"error": "lost"}))
    assert advance(again(lost.as_cancelled(), since=0)).run.steps[0].status is StepStatus.ASKED
    not_done = settled(run_of(step("transfer", id="t")), Failure({"error": "no"}))
    assert len(advance(again(not_done)).calls) == 1


def test_it_is_remembered_over_several_reruns() -> None:
    first = settled(run_of(step("note", id="a"), step("transfer", id="t")), Success())
    first = settled(first, Success())
    second = settled(again(first, since=0), Failure({"error": "no"}))
    third = again(first, second, since=0)
    assert third.earlier[1] == Earlier(acted=True)
    assert statuses(advance(settled(third, Success())).run) == {"a": "succeeded", "t": "asked"}


@given(st.lists(st.sampled_from([Success(), Failure({"error": "no"}), None]), max_size=6), st.integers(0, 5))
def test_nothing_that_reached_outside_happens_twice_unasked(outcomes: list[Any], since: int) -> None:
    """Three reruns of six transfers, each from any step: each transfer is called at most once without a word."""
    run = run_of(*(step("transfer", id=f"t{number}") for number in range(6)))
    runs: list[Run] = []
    done: set[int] = set()
    for _ in range(3):
        for outcome in [*outcomes, Success()]:
            calls = advance(run).calls
            if not calls or outcome is None:
                break
            assert calls[0].index not in done
            run = settled(run, outcome)
            if isinstance(outcome, Success):
                done.add(calls[0].index)
        runs.append(run)
        run = again(*runs, since=since)


# --- with other data ----------------------------------------------------------------------------------------------


def test_a_change_of_the_data_keeps_the_rest_and_says_what_was_there() -> None:
    data = {"amount": 5, "items": [{"name": "a"}]}
    new, made = changed(data, {"event.data.amount": 7, "event.data.items.0.name": "b", "event.data.more": None})
    assert new == {"amount": 7, "items": [{"name": "b"}], "more": None}
    assert made == [
        {"path": "event.data.amount", "before": 5, "after": 7},
        {"path": "event.data.items.0.name", "before": "a", "after": "b"},
    ]
    assert data == {"amount": 5, "items": [{"name": "a"}]}


@pytest.mark.parametrize(
    "path", ["amount", "event.source", "event.data", "event.data.", "event.data.items.7", "event.data.no.x"]
)
def test_a_path_that_leads_nowhere_is_refused(path: str) -> None:
    with pytest.raises(EventError):
        changed({"items": [1]}, {path: 1})


# --- by the engine ------------------------------------------------------------------------------------------------


class Bench:
    """A vault with one workflow and actions of the test's; failing ones are in ``failing``."""

    def __init__(self, folder: Path, *actions: dict[str, Any]) -> None:
        self.folder = folder
        self.failing: set[str] = set()
        self.plugin = Scripted({"mail": self.act, "pay": self.act}, effect=Effect.EXTERNAL, repeatable=False)
        self.write(*actions)

    def act(self, params: dict[str, Any], context: Any) -> dict[str, Any]:
        if context.step_id in self.failing:
            raise ActionError("the service says no")
        return {"done": context.step_id}

    def write(self, *actions: dict[str, Any]) -> None:
        make_vault(self.folder / "vault", workflow("w", *actions))

    def __call__(self, work: Callable[[AsyncOrchestrator], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            plugins = {"test": self.plugin}
            async with AsyncOrchestrator(self.folder / "vault", plugins=plugins, env={}) as orchestrator:
                return await work(orchestrator)

        return asyncio.run(main())


def event(**data: Any) -> Event:
    return Event("manual_trigger", "t", data, event_id="e")


async def approve_all(orchestrator: AsyncOrchestrator) -> int:
    pending = orchestrator.history.approvals()
    for one in pending:
        await orchestrator.decide(one.approval_id, approved=True, by="Kim", channel="cli", evidence="")
    await orchestrator.settle()
    return len(pending)


def test_a_rerun_sends_what_was_approved_and_stays_visible(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path,
        {"id": "first", "action_type": "mail", "parameters": {"to": "kim"}, "await_approval": True},
        {"id": "second", "action_type": "mail", "parameters": {"to": "{{ event.data.to }}"}},
    )
    bench.failing.add("second")

    async def fails(orchestrator: AsyncOrchestrator) -> None:
        await orchestrator.process_event(event(to="eve"))
        assert await approve_all(orchestrator) == 1
        assert await approve_all(orchestrator) == 1

    async def goes_on(orchestrator: AsyncOrchestrator) -> None:
        (row,) = orchestrator.history.runs()
        assert row.status is RunStatus.FAILED
        answer, after = await orchestrator.rerun(row.seq, by="Kim")
        assert (after.status, answer["reused"]) == (RunStatus.SUCCEEDED, ["first"])
        told = orchestrator.history.rerun(answer["seq"])
        assert told is not None
        assert (told.of_run, told.by, told.since, told.data, told.changes) == (row.run_id, "Kim", None, None, [])
        assert orchestrator.history.run(answer["seq"]).generation == 1
        said = [record.fields for record in orchestrator.history.audit() if record.fields["action"] == "run_again"]
        assert [(one["actor"], one["run_id"], one["details"]["of_run"]) for one in said] == [  # type: ignore[index,call-overload]
            ("Kim", after.run_id, row.run_id)
        ]

    bench(fails)
    bench.failing.clear()
    bench(goes_on)
    assert [name for name, _, _ in bench.plugin.calls] == ["mail", "mail", "mail"]
    assert [params["to"] for _, params, _ in bench.plugin.calls] == ["kim", "eve", "eve"]


def test_other_data_is_asked_for_anew_and_survives_a_restart(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"id": "only", "action_type": "mail", "parameters": {"to": "{{ event.data.to }}"}})
    bench.failing.add("only")

    async def fails(orchestrator: AsyncOrchestrator) -> None:
        await orchestrator.process_event(event(to="eve"))
        await approve_all(orchestrator)
        _, after = await orchestrator.rerun(1, by="Kim", changes={"event.data.to": "kim"})
        assert after.status is RunStatus.ASKING

    async def is_approved(orchestrator: AsyncOrchestrator) -> None:
        assert await approve_all(orchestrator) == 1
        row = orchestrator.history.runs()[0]
        assert row.status is RunStatus.SUCCEEDED
        assert orchestrator.history.event_of(row)["data"] == {"to": "kim"}
        assert orchestrator.history.event(row.event_seq).data == {"to": "eve"}

    bench(fails)
    bench.failing.clear()
    bench(is_approved)
    assert [params["to"] for _, params, _ in bench.plugin.calls] == ["eve", "kim"]


def test_a_request_says_that_it_was_done_before(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"id": "only", "action_type": "pay"})

    async def main(orchestrator: AsyncOrchestrator) -> None:
        await orchestrator.process_event(event())
        await approve_all(orchestrator)
        with pytest.raises(RefusedError, match="it came through"):
            await orchestrator.rerun(1, by="Kim")
        _, after = await orchestrator.rerun(1, by="Kim", since="only")
        assert after.status is RunStatus.ASKING
        (request,) = orchestrator.history.approvals()
        assert request.reason.endswith("An earlier run for it has done this, or may have: to approve is to do it again")
        with pytest.raises(RefusedError, match="has not ended"):
            await orchestrator.rerun(1, by="Kim", since="only")

    bench(main)
    assert len(bench.plugin.calls) == 1


def test_a_step_that_failed_is_not_passed_over(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path, {"id": "a", "action_type": "create_file", "parameters": {"path": "../x", "content": ""}},
        {"id": "b", "action_type": "mail"},
    )  # fmt: skip

    async def main(orchestrator: AsyncOrchestrator) -> None:
        await orchestrator.process_event(event())
        with pytest.raises(RefusedError) as refused:
            await orchestrator.rerun(1, by="Kim", since="b")
        assert (refused.value.message, refused.value.hint) == (
            "the step a did not succeed, so b cannot come before it", "begin there: --from a",
        )  # fmt: skip

    bench(main)


def test_it_is_done_with_the_workflow_of_now_or_as_it_was(tmp_path: Path) -> None:
    bad = {"id": "a", "action_type": "create_file", "parameters": {"path": "../x", "content": ""}}
    bench = Bench(tmp_path, bad)

    async def fails(orchestrator: AsyncOrchestrator) -> None:
        await orchestrator.process_event(event())

    async def twice(orchestrator: AsyncOrchestrator) -> None:
        _, as_it_was = await orchestrator.rerun(1, by="Kim", current=False)
        _, current = await orchestrator.rerun(1, by="Kim")
        assert (as_it_was.status, current.status) == (RunStatus.FAILED, RunStatus.SUCCEEDED)
        hashes = [row.hash for row in orchestrator.history.runs()]
        assert hashes[1] == hashes[2] != hashes[0]

    async def gone(orchestrator: AsyncOrchestrator) -> None:
        with pytest.raises(RefusedError, match="no workflow file that can be used has the id 'w' now"):
            await orchestrator.rerun(1, by="Kim")

    bench(fails)
    bench.write({**bad, "parameters": {"path": "x.md", "content": ""}})
    bench(twice)
    (tmp_path / "vault" / "workflows" / "w.json").unlink()
    bench(gone)


# --- moving a parked run ------------------------------------------------------------------------------------------

ASK: dict[str, Any] = {"id": "ask", "action_type": "request_approval", "parameters": {"title": "Go on?"}}
AFTER: dict[str, Any] = {"id": "after", "action_type": "pay", "condition": "results.ask.approved"}


def parked(folder: Path, *actions: dict[str, Any]) -> Bench:
    bench = Bench(folder, *actions)

    async def begin(orchestrator: AsyncOrchestrator) -> None:
        await orchestrator.process_event(event())

    bench(begin)
    return bench


def test_a_parked_run_gets_the_current_definition_and_its_request_stands(tmp_path: Path) -> None:
    bench = parked(tmp_path, ASK, AFTER)
    bench.write(ASK, {**AFTER, "parameters": {"to": "kim"}}, {"id": "more", "action_type": "pay"})

    async def main(orchestrator: AsyncOrchestrator) -> None:
        before = orchestrator.history.run(1)
        after = await orchestrator.migrate(1, by="Kim")
        assert after.status is RunStatus.ASKING
        row = orchestrator.history.run(1)
        assert row.hash != before.hash
        for _ in range(3):
            await approve_all(orchestrator)
        assert orchestrator.history.run(1).status is RunStatus.SUCCEEDED
        said = [record.fields for record in orchestrator.history.audit() if record.fields["action"] == "run_migrated"]
        assert [(one["actor"], one["details"]) for one in said] == [
            ("Kim", {"definition_before": before.hash, "definition": row.hash})
        ]

    bench(main)
    assert [params for _, params, _ in bench.plugin.calls] == [{}, {"to": "kim"}]


@pytest.mark.parametrize(
    ("actions", "why"),
    [
        ([{**ASK, "id": "x"}], "step 1 is on record as ask (request_approval), and is x (request_approval) now"),
        ([{**ASK, "action_type": "mail"}], "step 1 is on record as ask (request_approval), and is ask (mail) now"),
        ([{**ASK, "parameters": {"title": "Go?"}}], "the step ask is asked with parameters that are others now"),
        ([ASK], "it has the current definition already"),
    ],
)
def test_a_run_whose_steps_on_record_changed_stays(tmp_path: Path, actions: list[dict[str, Any]], why: str) -> None:
    bench = parked(tmp_path, ASK)
    bench.write(*actions)

    async def main(orchestrator: AsyncOrchestrator) -> None:
        before = orchestrator.history.run(1)
        with pytest.raises(RefusedError) as refused:
            await orchestrator.migrate(1, by="Kim")
        assert refused.value.message.removesuffix(", so the run cannot be moved") == why
        assert orchestrator.history.run(1) == before

    bench(main)


def test_a_misspelt_action_is_mended_and_the_blocked_run_goes_on(tmp_path: Path) -> None:
    bench = parked(tmp_path, {"id": "a", "action_type": "payy"})
    bench.write({"id": "b", "action_type": "request_approval", "parameters": {"title": "x"}})

    async def main(orchestrator: AsyncOrchestrator) -> None:
        assert orchestrator.history.run(1).status is RunStatus.BLOCKED
        assert (await orchestrator.migrate(1, by="Kim")).status is RunStatus.ASKING

    bench(main)


def test_only_a_parked_run_is_moved(tmp_path: Path) -> None:
    bench = parked(tmp_path, {"id": "a", "action_type": "create_file", "parameters": {"path": "x.md", "content": ""}})

    async def main(orchestrator: AsyncOrchestrator) -> None:
        with pytest.raises(RefusedError, match="only a run that is parked can be moved, and it is succeeded"):
            await orchestrator.migrate(1, by="Kim")

    bench(main)


def test_retention_counts_a_moved_run_where_it_is(tmp_path: Path) -> None:
    bench = parked(tmp_path, ASK)
    bench.write(ASK, AFTER)

    async def main(orchestrator: AsyncOrchestrator) -> None:
        old = orchestrator.history.run(1).hash
        await orchestrator.migrate(1, by="Kim")
        assert orchestrator.engine is not None
        rows = orchestrator.engine.journal.reader.execute("SELECT hash = ?, runs, kept FROM tally", (old,)).fetchall()
        assert sorted(rows) == [(0, 0, 1), (1, 1, 0)]

    bench(main)


def test_a_request_that_is_found_again_after_a_crash_has_its_answer(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"id": "a", "action_type": "create_file", "parameters": {"path": "../x", "content": ""}})

    async def main(orchestrator: AsyncOrchestrator) -> None:
        await orchestrator.process_event(event())
        engine = orchestrator.engine
        assert engine is not None
        engine.journal.writer.execute("INSERT INTO intake (id, request, at) VALUES (7, '{\"kind\":\"rerun\"}', '2026')")
        wanted = {"kind": "rerun", "run_seq": 1, "since": None, "current": True, "changes": {}, "by": "Kim"}
        answer = await perform(engine, wanted, request_id=7)
        assert engine.history.answer(7) == answer
        assert engine.history.run(answer["seq"]).run_id == answer["run_id"]

    bench(main)
