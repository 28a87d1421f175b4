"""The machine: what follows from a definition and what is on record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aie import machine
from aie.errors import ParameterError, PluginError
from aie.machine import Advance, Call, Failure, Looked, Success, Unknown
from aie.permission import Permission
from aie.plain import Json
from aie.run import Run, RunStatus, StepStatus
from aie.templates import TemplateCompiler
from aie.workflow import Step, parse_workflow
from tests.stand_ins import workflow

NOW = datetime(2026, 2, 9, 17, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@dataclass(frozen=True)
class Kind:
    asks_first: bool = False
    repeatable: bool = True
    can_look: bool = False
    optional: frozenset[str] = frozenset()
    outside: bool = False

    def permission(self, run: Run, step: Step, params: Mapping[str, Json], now: datetime) -> Permission:
        return Permission("ask" if self.asks_first else "allow")

    def check(self, params: Mapping[str, Json]) -> None:
        if "bad" in params:
            raise ParameterError("bad is not a parameter of this action", where="test")


KINDS = {
    "note": Kind(),
    "mail": Kind(asks_first=True, repeatable=False, outside=True),
    "pay": Kind(repeatable=False),
    "book": Kind(repeatable=False, can_look=True),
    "letter": Kind(asks_first=True, outside=True),
    "transfer": Kind(repeatable=False, outside=True),
}


def traits_of(action_type: str) -> Kind:
    if action_type not in KINDS:
        raise PluginError(f"{action_type} needs the package aie-{action_type}")
    return KINDS[action_type]


def run_of(*actions: dict[str, Any], data: dict[str, Any] | None = None) -> Run:
    compiled = parse_workflow(json.dumps(workflow("w", *actions)), TemplateCompiler(), where="w.json")
    event: dict[str, Json] = {
        "event_type": "manual_trigger",
        "source": "t",
        "data": data or {},
        "timestamp": "",
        "event_id": "e",
    }
    return Run("run_1", compiled, event, NOW, BERLIN)


def step(action_type: str, **fields: Any) -> dict[str, Any]:
    return {"action_type": action_type, "retry_count": 0, **fields}


def advance(run: Run, *, now: datetime = NOW, busy: frozenset[int] = frozenset()) -> Advance:
    return machine.advance(run, traits_of, now, busy)


def settled(run: Run, outcome: machine.CallOutcome, index: int | None = None, *, now: datetime = NOW) -> Run:
    """The run after the (first) call that follows had this outcome."""
    following = advance(run, now=now)
    call = following.calls[0] if index is None else next(call for call in following.calls if call.index == index)
    kind = traits_of(following.run.workflow.steps[call.index].action_type)
    return machine.settle(following.run, call, outcome, kind, now, 0.0)


def statuses(run: Run) -> dict[str, str]:
    return {run.workflow.steps[index].id: str(record.status) for index, record in sorted(run.steps.items())}


def test_steps_run_top_to_bottom_one_at_a_time() -> None:
    run = run_of(step("note", parameters={"n": 1}), step("note", parameters={"n": 2}))
    first = advance(run)
    assert [(call.index, call.params) for call in first.calls] == [(0, {"n": 1})]
    run = settled(run, Success({"ok": True}))
    second = advance(run)
    assert [(call.index, call.params) for call in second.calls] == [(1, {"n": 2})]
    run = settled(run, Success())
    assert advance(run).status is RunStatus.SUCCEEDED


def test_a_service_that_cannot_be_asked_whether_it_happened_is_asked_again_for_a_day() -> None:
    def looked(run: Run, outcome: machine.CallOutcome, now: datetime) -> Run:
        (call,) = advance(run, now=now).calls
        assert call.look_up
        return machine.settle(run, call, outcome, traits_of("book"), now, 0.0)

    run = settled(run_of(step("book", id="b")), Unknown({"error": "cut off"}))
    away, later = Failure({"error": "away"}, retryable=True), NOW + timedelta(minutes=1)
    waiting = looked(run, away, NOW)
    following = advance(waiting)
    assert (following.status, following.calls, following.wake_at) == (RunStatus.WAITING, (), later)
    assert statuses(looked(waiting, machine.Looked(True, {"id": 1}), later)) == {"b": "succeeded"}
    assert statuses(looked(waiting, away, NOW + timedelta(days=1))) == {"b": "uncertain"}
    assert statuses(looked(waiting, Failure({"error": "no"}), later)) == {"b": "uncertain"}


def test_a_false_condition_skips_its_step() -> None:
    run = run_of(step("note", condition="event.data.amount > 5"), step("note"), data={"amount": 1})
    following = advance(run)
    assert statuses(following.run) == {"action_0": "skipped"}
    assert [call.index for call in following.calls] == [1]


def test_a_condition_that_fails_is_not_false_but_fails_the_step() -> None:
    following = advance(run_of(step("note", condition="event.data.amount > 5"), step("note")))
    assert following.status is RunStatus.FAILED
    assert following.calls == ()
    assert following.error is not None
    assert "amount" in following.error["error"]


def test_on_success_jumps_over_steps() -> None:
    run = run_of(step("note", on_success="last"), step("note"), step("note", id="last"))
    assert [call.index for call in advance(settled(run, Success())).calls] == [2]


def test_a_jump_to_the_number_of_steps_ends_the_run() -> None:
    run = run_of(step("note", on_success="action_2"), step("note"))
    assert advance(settled(run, Success())).status is RunStatus.SUCCEEDED


def test_on_failure_goes_to_its_handler_and_the_run_succeeds() -> None:
    run = run_of(step("note", on_failure="handler"), step("note"), step("note", id="handler"))
    run = settled(run, Failure({"error": "no"}))
    assert [call.index for call in advance(run).calls] == [2]
    assert advance(settled(run, Success())).status is RunStatus.SUCCEEDED


def test_a_failed_step_without_on_failure_fails_the_run() -> None:
    run = settled(run_of(step("note"), step("note")), Failure({"error": "no"}))
    following = advance(run)
    assert (following.status, following.calls) == (RunStatus.FAILED, ())
    assert following.error == {"error": "no", "step": "action_0"}


def test_retry_count_is_the_number_of_attempts_after_the_first() -> None:
    run, now, attempts = run_of(step("note", retry_count=2)), NOW, []
    for _ in range(3):
        following = advance(run, now=now)
        attempts.append(following.calls[0].attempt)
        run = settled(run, Failure({"error": "no"}, retryable=True), now=now)
        now += timedelta(hours=1)
    assert attempts == [1, 2, 3]
    assert advance(run, now=now).status is RunStatus.FAILED


def test_a_failure_that_is_not_worth_it_is_not_retried() -> None:
    run = settled(run_of(step("note", retry_count=3)), Failure({"error": "no"}))
    assert advance(run).status is RunStatus.FAILED


def test_retries_wait_longer_each_time_and_honour_what_the_service_asks() -> None:
    run = run_of(step("note", retry_count=5, retry={"initial_s": 1, "factor": 2, "max_s": 60}))
    waits = [machine.retry_delay_s(run.workflow.steps[0], attempt, 0.0) for attempt in (1, 2, 3, 10)]
    assert waits == [1, 2, 4, 60]
    asked = settled(run, Failure({"error": "busy"}, retryable=True, retry_after_s=90))
    assert asked.steps[0].wake_at == NOW + timedelta(seconds=90)


def test_a_wait_succeeds_when_its_time_has_come_and_not_before() -> None:
    run = settled(run_of(step("note"), step("note")), Success({"waited": True}, wait_until=NOW + timedelta(days=3)))
    parked = advance(run, now=NOW + timedelta(days=2))
    assert (parked.status, parked.wake_at, parked.calls) == (RunStatus.WAITING, NOW + timedelta(days=3), ())
    woken = advance(run, now=NOW + timedelta(days=3))
    assert statuses(woken.run) == {"action_0": "succeeded"}
    assert [call.index for call in woken.calls] == [1]


def test_a_request_holds_up_only_what_uses_its_result() -> None:
    run = run_of(step("mail", id="letter"), step("note"), step("note", parameters={"x": "{{ results.letter.sent }}"}))
    following = advance(run)
    assert statuses(following.run) == {"letter": "asked", "action_1": "started"}
    assert [call.index for call in following.calls] == [1]
    waiting = advance(settled(run, Success()))
    assert (waiting.status, waiting.calls) == (RunStatus.ASKING, ())


def test_an_approved_step_runs_and_then_what_waited_for_it() -> None:
    run = run_of(step("mail", id="letter"), step("note", parameters={"x": "{{ results.letter.sent }}"}))
    run = machine.decide(advance(run).run, 0, True, {"approved": True}, NOW)
    run = settled(run, Success({"sent": "yes"}))
    assert [(call.index, call.params) for call in advance(run).calls] == [(1, {"x": "yes"})]


def test_a_rejected_step_is_rejected_and_what_needs_it_is_skipped() -> None:
    run = run_of(
        step("mail", id="letter"),
        step("note", id="needs", parameters={"x": "{{ results.letter.sent }}"}),
        step("note", id="needs_that", condition="results.needs.status == 'success'"),
        step("note", id="free"),
    )
    run = settled(machine.decide(advance(run).run, 0, False, {"approved": False}, NOW), Success())
    following = advance(run)
    assert statuses(following.run) == {
        "letter": "rejected", "needs": "skipped", "needs_that": "skipped", "free": "succeeded",
    }  # fmt: skip
    assert following.status is RunStatus.SUCCEEDED


def test_on_failure_follows_a_rejection() -> None:
    run = run_of(step("mail", on_failure="told_no"), step("note"), step("note", id="told_no"))
    run = machine.decide(advance(run).run, 0, False, {}, NOW)
    assert [call.index for call in advance(run).calls] == [2]


@pytest.mark.parametrize("holds", [{"await_approval": True}, {"on_success": "action_2"}, {"on_failure": "action_2"}])
def test_later_steps_wait_when_the_way_on_depends_on_the_decision(holds: dict[str, Any]) -> None:
    following = advance(run_of(step("mail", **holds), step("note"), step("note")))
    assert (following.status, following.calls) == (RunStatus.ASKING, ())


def test_a_failing_run_still_carries_out_what_a_person_approves() -> None:
    run = settled(run_of(step("mail"), step("note"), step("note")), Failure({"error": "disk"}))
    assert advance(run).status is RunStatus.ASKING
    run = machine.decide(advance(run).run, 0, True, {}, NOW)
    assert [call.index for call in advance(run).calls] == [0]
    ended = advance(settled(run, Success()))
    assert (ended.status, ended.calls) == (RunStatus.FAILED, ())


def test_a_missing_plugin_blocks_the_run_until_it_is_there() -> None:
    run = run_of(step("note"), step("fax", parameters={"n": 1}))
    following = advance(settled(run, Success()))
    assert following.status is RunStatus.BLOCKED
    assert following.run.steps[1].error == {"error": "fax needs the package aie-fax"}
    again = machine.advance(following.run, lambda name: Kind(), NOW)
    assert [(call.index, call.params) for call in again.calls] == [(1, {"n": 1})]


def test_only_an_action_that_may_do_harm_twice_is_put_on_record_before_the_call() -> None:
    def first(action_type: str) -> tuple[bool, dict[str, str]]:
        following = advance(run_of(step(action_type)))
        return following.calls[0].intent_first, statuses(following.run)

    assert first("note") == (False, {})
    assert first("pay") == (True, {"action_0": "started"})


def after_crash(action_type: str) -> Advance:
    """What follows when the process died during the call: only what was on record is left."""
    return advance(advance(run_of(step(action_type))).run)


def test_after_a_crash_a_repeatable_action_runs_again_with_the_same_key() -> None:
    before = advance(run_of(step("note"))).calls[0]
    again = after_crash("note").calls[0]
    assert again == before


def test_after_a_crash_an_action_that_can_look_looks_first() -> None:
    following = after_crash("book")
    assert [(call.look_up, call.intent_first) for call in following.calls] == [(True, False)]
    run, call = following.run, following.calls[0]
    happened = machine.settle(run, call, Looked(True, {"id": 7}), KINDS["book"], NOW, 0)
    assert advance(happened).status is RunStatus.SUCCEEDED
    not_happened = machine.settle(run, call, Looked(False), KINDS["book"], NOW, 0)
    assert [(call.look_up, call.attempt) for call in advance(not_happened).calls] == [(False, 2)]
    cannot_tell = machine.settle(run, call, Looked(None), KINDS["book"], NOW, 0)
    assert advance(cannot_tell).status is RunStatus.UNCERTAIN


def test_after_a_crash_anything_else_is_uncertain_and_a_person_says() -> None:
    following = after_crash("pay")
    assert (following.status, following.calls) == (RunStatus.UNCERTAIN, ())
    done = machine.resolve(following.run, 0, True, {"id": 7}, NOW)
    assert advance(done).status is RunStatus.SUCCEEDED
    again = machine.resolve(following.run, 0, False, None, NOW)
    assert [call.attempt for call in advance(again).calls] == [2]


def test_a_lost_answer_is_never_retried_by_guessing() -> None:
    run = settled(run_of(step("pay", retry_count=5)), Unknown({"error": "connection lost"}))
    assert advance(run).status is RunStatus.UNCERTAIN


def test_a_step_that_is_being_carried_out_is_not_started_again() -> None:
    following = advance(run_of(step("note"), step("note")), busy=frozenset({0}))
    assert (following.status, following.calls) == (RunStatus.RUNNING, ())


def test_templates_see_the_results_so_far_and_the_time_the_step_was_reached() -> None:
    run = run_of(
        step("note", id="a"),
        step("note", parameters={"text": "{{ results.a.id }}/{{ results.action_0.status }}/{{ now }}"}),
    )
    run = settled(run, Success({"id": 7}), now=NOW + timedelta(minutes=1))
    call = advance(run, now=NOW + timedelta(days=9)).calls[0]
    assert call.params == {"text": "7/success/2026-02-09T18:31:00+01:00"}


def test_parameters_an_action_cannot_take_fail_the_step_before_anything_is_done() -> None:
    following = advance(run_of(step("pay", parameters={"bad": 1}, retry_count=3)))
    assert (following.status, following.calls) == (RunStatus.FAILED, ())


def test_deciding_twice_is_refused() -> None:
    run = machine.decide(advance(run_of(step("mail"))).run, 0, True, {}, NOW)
    with pytest.raises(ValueError, match="nobody was asked"):
        machine.decide(run, 0, False, {}, NOW)


# --- random histories ---------------------------------------------------------------------------------------------

ENDS = frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.REJECTED})
MOVES = (
    "success", "wait", "fail", "refused", "unknown", "crash", "decide", "resolve", "forward", "back", "plugin",
)  # fmt: skip


@st.composite
def definitions(draw: st.DrawFn) -> list[dict[str, Any]]:
    count = draw(st.integers(1, 6))
    steps = []
    for index in range(count):
        fields: dict[str, Any] = {"retry_count": draw(st.integers(0, 2)), "parameters": {"now": "{{ now }}"}}
        for jump in ("on_success", "on_failure"):
            if draw(st.integers(0, 4)) == 0:
                fields[jump] = f"action_{draw(st.integers(index + 1, count))}"
        if index and draw(st.booleans()):
            fields["condition"] = f"results.get('action_{draw(st.integers(0, index - 1))}', {{}}).get('status') != 'x'"
        if index and draw(st.booleans()):
            fields["parameters"]["of"] = f"{{{{ results.action_{draw(st.integers(0, index - 1))}.status }}}}"
        fields["await_approval"] = draw(st.integers(0, 5)) == 0
        steps.append({"action_type": draw(st.sampled_from(sorted(KINDS))), **fields})
    return steps


class History:
    """One run, driven as the engine drives it; every move checks what must hold at all times.

    ``run`` is what is on record: a crash loses the calls under way, and nothing else.
    """

    def __init__(self, actions: list[dict[str, Any]]) -> None:
        self.run = run_of(*actions)
        self.now = NOW
        self.gone: set[str] = set()  # actions whose plugin is not there
        self.under_way: dict[int, Call] = {}
        self.unknown: set[int] = set()  # steps of which nobody knows whether an attempt happened
        self.calls: dict[int, list[Call]] = {}
        self.asked_for: set[int] = set()  # steps a person said yes to
        self.repeats: dict[int, int] = {}  # attempts that a person or the service allowed on top

    def kind(self, index: int) -> Kind:
        return KINDS[self.run.workflow.steps[index].action_type]

    def traits_of(self, action_type: str) -> Kind:
        if action_type in self.gone:
            raise PluginError(f"{action_type} needs the package aie-{action_type}")
        return KINDS[action_type]

    def advance(self) -> Advance:
        """What follows goes on record, then its calls are made."""
        before = self.run
        following = machine.advance(before, self.traits_of, self.now, self.under_way.keys())
        self.keep(following.run)
        for call in following.calls:
            self.check_call(call, before)
            self.calls.setdefault(call.index, []).append(call)
            self.under_way[call.index] = call
        again = machine.advance(self.run, self.traits_of, self.now, self.under_way.keys())
        assert (again.changed, again.calls) == ((), ()), "nothing more follows from the same"
        self.check_status(following)
        return following

    def keep(self, run: Run) -> None:
        """Put a change on record."""
        for index, record in run.steps.items():
            if record.status is StepStatus.UNCERTAIN and self.kind(index).can_look and self.run.steps[index] != record:
                there = run.workflow.steps[index].action_type not in self.gone
                assert self.calls[index][-1].look_up or not there, "nobody is asked what the service knows"
        for index, record in self.run.steps.items():
            if record.status in ENDS:
                assert run.steps[index] == record, "what has ended does not change"
            elif record.params is not None:
                assert run.steps[index].params == record.params, "the parameters stay those of the first attempt"
            if record.status is StepStatus.WAITING and run.steps[index] != record:
                assert record.wake_at is not None
                assert record.wake_at <= self.now, "no wait ends before its time"
                assert run.steps[index].status is StepStatus.SUCCEEDED
        self.run = run

    def check_call(self, call: Call, before: Run) -> None:
        step = self.run.workflow.steps[call.index]
        kind = self.kind(call.index)
        known = before.steps.get(call.index)
        earlier = self.calls.get(call.index, [])
        assert call.index not in self.under_way, "a step is carried out once at a time"
        assert {(one.key, str(one.params)) for one in [*earlier, call]} == {(call.key, str(call.params))}
        assert all(self.run.steps[needed].status in ENDS for needed in step.needs if needed in self.run.steps)
        if kind.asks_first:
            assert call.index in self.asked_for, "nothing is carried out that asks and was not approved"
        if known is not None and known.status is StepStatus.RETRYING and known.wake_at is not None:
            assert known.wake_at <= self.now, "no retry comes before its time"
        assert call.attempt <= step.attempts + self.repeats.get(call.index, 0)
        if not kind.repeatable and not call.look_up:
            assert call.index not in self.unknown, "an unknown outcome is never repeated by guessing"
            record = self.run.steps[call.index]
            assert (record.status, record.attempt) == (StepStatus.STARTED, call.attempt), "the intent is on record"
        if call.look_up:
            assert call.index in self.unknown, "the service is asked about what is unknown"

    def check_status(self, following: Advance) -> None:
        there = {record.status for record in self.run.steps.values()}
        if following.status.ended:
            assert not self.under_way
            assert there <= ENDS, "a run that has ended leaves nothing open"
            assert self.calls.keys() <= self.run.steps.keys(), "and has everything it called on record"
        if following.status is RunStatus.RUNNING:
            assert self.under_way
        if following.status is RunStatus.WAITING:
            assert following.wake_at is not None
            assert following.wake_at > self.now

    def come_back(self, word: str, number: int = 0) -> None:
        """The outcome of one of the calls under way goes on record."""
        index = list(self.under_way)[number % len(self.under_way)]
        call, kind = self.under_way.pop(index), self.kind(index)
        outcome: machine.CallOutcome
        if call.look_up:
            outcome = Looked({"success": True, "fail": False}.get(word))
            if word in ("success", "fail"):
                self.unknown.discard(index)
            if word == "fail":
                self.repeats[index] = self.repeats.get(index, 0) + 1
        elif word == "wait":
            outcome = Success({}, wait_until=self.now + timedelta(minutes=5))
        elif word in ("fail", "refused"):
            outcome = Failure({"error": "no"}, retryable=word == "refused")
        elif word == "unknown":
            outcome = Unknown({"error": "?"})
            self.unknown.add(index)
        else:
            outcome = Success({"n": len(self.calls[index])})
        self.keep(machine.settle(self.run, call, outcome, kind, self.now, 0.5))

    def crash(self) -> None:
        self.unknown.update(index for index, call in self.under_way.items() if not call.look_up)
        self.under_way.clear()

    def decide(self, approved: bool) -> None:
        for index in self.of(StepStatus.ASKED)[:1]:
            if approved:
                self.asked_for.add(index)
            self.keep(machine.decide(self.run, index, approved, {"approved": approved}, self.now))

    def resolve(self, happened: bool) -> None:
        for index in self.of(StepStatus.UNCERTAIN)[:1]:
            if not happened:
                self.repeats[index] = self.repeats.get(index, 0) + 1
            self.unknown.discard(index)
            self.keep(machine.resolve(self.run, index, happened, None, self.now))

    def of(self, status: StepStatus) -> list[int]:
        return [index for index, record in sorted(self.run.steps.items()) if record.status is status]

    def possible(self) -> list[str]:
        """The moves that change anything now."""
        moves = ["forward", "back", "plugin"]
        moves += ["success", "wait", "fail", "refused", "unknown", "crash"] if self.under_way else []
        moves += ["decide"] if self.of(StepStatus.ASKED) else []
        return moves + (["resolve"] if self.of(StepStatus.UNCERTAIN) else [])

    def move(self, word: str, number: int) -> None:
        """Make this move, or another if nothing would come of it."""
        possible = self.possible()
        match word if word in possible else possible[number % len(possible)]:
            case "crash":
                self.crash()
            case "decide":
                self.decide(approved=number % 3 > 0)
            case "resolve":
                self.resolve(happened=number % 2 > 0)
            case "forward":
                self.now += timedelta(seconds=number**3)
            case "back":
                self.now -= timedelta(seconds=number**3)
            case "plugin":
                self.gone ^= {sorted(KINDS)[number % len(KINDS)]}
            case outcome:
                self.come_back(outcome, number)

    def to_the_end(self) -> RunStatus:
        """Nothing goes wrong any more: how the run ends."""
        self.gone.clear()
        for _ in range(200):
            following = self.advance()
            if following.status.ended:
                return following.status
            if following.wake_at is not None:
                self.now = max(self.now, following.wake_at)
            self.decide(approved=True)
            self.resolve(happened=True)
            if self.under_way:
                self.come_back("success")
        raise AssertionError("the run does not end")


BESIDE_A_REQUEST = [step("letter"), step("note")]
BLOCKED_BESIDE_A_REQUEST = [step("book"), step("letter"), step("note")]
PASSED_OVER = [step("letter"), step("book", parameters={"of": "{{ results.action_0.status }}"}),
               step("note", parameters={"now": "{{ now }}"})]  # fmt: skip


# A step whose plugin is missing does not keep a run open that has failed beside it.
@example(BLOCKED_BESIDE_A_REQUEST, [("plugin", 3), ("success", 1), ("decide", 1), ("fail", 0)])
# A call that was made beside an open request is not forgotten when the process dies and the request then fails.
@example(BESIDE_A_REQUEST, [("decide", 1), ("fail", 1), ("crash", 0)])
# A step is given the same time again after a crash, although one that was passed over before it has ended meanwhile.
@example(PASSED_OVER, [("crash", 0), ("forward", 5), ("decide", 0)])
@settings(max_examples=250, deadline=None)
@given(definitions(), st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 60)), min_size=8, max_size=40))
def test_no_history_breaks_a_promise_and_every_one_ends(
    actions: list[dict[str, Any]], moves: list[tuple[str, int]]
) -> None:
    history = History(actions)
    history.advance()
    for word, number in moves:
        history.move(word, number)
        if number % 4:  # the engine does after every change; a crash may come before it
            history.advance()
    assert history.to_the_end() in (RunStatus.SUCCEEDED, RunStatus.FAILED)
