"""Home tries an action, a source or a whole workflow as the engine would, without a service and without a wait."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from aie import ActionContext, Event, LookUp, RetryableError, hookimpl
from aie.actions import Outcome
from aie.connections import CheckContext, Finding, Inspection, Level
from aie.errors import ActionError, DefinitionError, NotFoundError, ParameterError, PluginError, RefusedError
from aie.testing import FakeClock, Home
from tests.board import BOARD, CONNECTION, HANDLER, SECRET, SOURCE, Plugin, Post

NOON = datetime(2026, 2, 9, 12, 0, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    BOARD.posts.clear()
    with Home(tmp_path, {"board": Plugin()}, credentials={"board": {"token": SECRET}}, now=NOON) as made:
        yield made


def action(tmp_path: Path, run: Any, **changes: Any) -> Home:
    """A home with one action that does this."""
    return Home(tmp_path, {"board": Plugin(handlers=(replace(HANDLER, run=run, **changes),))}, now=NOON)


def workflow(*actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"workflow_id": "tell", "trigger_event": "expense_recorded", "actions": list(actions), **more}


POST = {"action_type": "post_message", "parameters": {"text": "{{ event.data.name }}"}}


# --- the clock -----------------------------------------------------------------------------------------------------


def test_a_fake_clock_goes_on_only_while_somebody_sleeps():
    clock = FakeClock(NOON)
    asyncio.run(clock.sleep(90))
    assert (clock.now(), FakeClock(NOON).now()) == (NOON + timedelta(seconds=90), NOON)


def test_a_clock_by_hand_wakes_whoever_is_due():
    async def two_sleepers() -> list[str]:
        clock, woken = FakeClock(NOON, by_hand=True), []

        async def sleep(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            woken.append(name)

        tasks = [asyncio.ensure_future(sleep("short", 60)), asyncio.ensure_future(sleep("long", 3600))]
        await asyncio.sleep(0)
        clock.move(minutes=1)
        await tasks[0]
        assert woken == ["short"]
        clock.move(hours=1)
        await tasks[1]
        return woken

    assert asyncio.run(two_sleepers()) == ["short", "long"]


def test_a_clock_can_be_set_back():
    clock = FakeClock(NOON)
    clock.move(hours=-1)
    assert clock.now() == NOON - timedelta(hours=1)


def test_a_clock_wants_to_know_its_zone():
    with pytest.raises(ValueError, match="a clock needs a time with a zone"):
        FakeClock(datetime(2026, 2, 9))  # noqa: DTZ001 - that is the point


# --- one action ----------------------------------------------------------------------------------------------------


def test_an_action_is_carried_out_without_an_engine(home: Home):
    assert home.run_action("post_message", {"text": "Hello"}) == Outcome({"number": 1})
    assert BOARD.state() == {"posts": ["Hello"]}
    assert not (home.config.state_dir / "journal.sqlite").exists()


def test_its_parameters_are_checked_by_its_model(home: Home):
    with pytest.raises(ParameterError, match="txt is not a parameter of this action"):
        home.run_action("post_message", {"txt": "Hello"})


def test_what_it_raises_is_raised(tmp_path: Path):
    async def later(params: Post, context: ActionContext) -> None:
        raise RetryableError("the board is full", retry_after_s=60)

    with action(tmp_path, later) as home, pytest.raises(RetryableError, match="the board is full") as caught:
        home.run_action("post_message", {"text": "Hello"})
    assert caught.value.retry_after_s == 60


def test_an_answer_that_is_no_json_is_an_error(tmp_path: Path):
    def odd(params: Post, context: ActionContext) -> Any:
        return {1, 2}

    with action(tmp_path, odd) as home, pytest.raises(ActionError, match="what it returned is not data"):
        home.run_action("post_message", {"text": "Hello"})


def test_its_time_is_kept(home: Home):
    with BOARD.stalled(), pytest.raises(TimeoutError, match=r"no answer within 0\.1 s"):
        home.run_action("post_message", {"text": "Hello"}, timeout_s=0.1)


def test_an_action_sees_what_a_test_says_it_should(tmp_path: Path):
    async def tell(params: Post, context: ActionContext) -> Any:
        return [context.attempt, context.idempotency_key, context.now.isoformat(), str(context.timezone)]

    with action(tmp_path, tell) as home:
        home.clock.move(hours=1)
        told = home.run_action("post_message", {"text": "Hello"}, attempt=2, idempotency_key="k")
    assert told.result == [2, "k", "2026-02-09T13:00:00+00:00", "Europe/Berlin"]


def test_look_up_and_preview_can_be_asked_too(home: Home):
    before = home.look_up("post_message", {"text": "Hello"})
    home.run_action("post_message", {"text": "Hello"})
    assert [before, home.look_up("post_message", {"text": "Hello"})] == [LookUp(False), LookUp(True)]
    assert home.preview("board.post_message", {"text": "Hello"}) == "> Hello"


def test_it_works_within_a_running_event_loop_too(home: Home):
    async def test() -> Outcome:
        return home.run_action("post_message", {"text": "Hello"})

    assert asyncio.run(test()) == Outcome({"number": 1})


def test_the_code_of_a_plugin_cannot_wait_for_the_home_it_runs_in(tmp_path: Path):
    async def recurse(params: Post, context: ActionContext) -> Any:
        return home.run_action("post_message", {"text": "again"}).result

    with action(tmp_path, recurse) as home, pytest.raises(RuntimeError, match="this would wait for itself"):
        home.run_action("post_message", {"text": "Hello"})


def test_a_plugin_that_cannot_be_used_is_an_error_with_the_reason(tmp_path: Path):
    class Settings(BaseModel):
        url: str = Field(description="where the board is")

    class WithSettings(Plugin):
        @hookimpl
        def aie_settings(self) -> Any:
            return Settings

    with pytest.raises(PluginError, match=r"the plugin 'board' is broken: \[plugins.board\] url is missing"):
        Home(tmp_path, {"board": WithSettings()})
    with Home(tmp_path, {"board": WithSettings()}, settings={"board": {"url": "http://127.0.0.1"}}) as home:
        assert home.settings("board") == Settings(url="http://127.0.0.1")


def test_nothing_else_that_is_installed_is_loaded(home: Home):
    states = {info.name: str(info.state) for info in home.registry.plugins}
    assert {name for name, state in states.items() if state == "ok"} == {"core", "board"}


# --- one source ----------------------------------------------------------------------------------------------------


def test_a_source_tells_what_is_new_until_it_sleeps_and_keeps_its_cursor(home: Home):
    BOARD.posts.update(a="One", b="Two")
    told = [home.run_source("board.messages"), home.run_source("board.messages")]
    BOARD.posts.update(c="Three")
    told.append(home.run_source("board.messages"))
    assert [[event.data["text"] for event in events] for events in told] == [["One", "Two"], [], ["Three"]]
    assert told[2] == [
        Event("board_message", "board.messages", {"text": "Three"}, "2026-02-09T13:00:00+01:00", "m2"),
    ]


def test_a_source_goes_on_from_a_cursor_that_the_test_gives(home: Home):
    BOARD.posts.update(a="One", b="Two", c="Three")
    told = [home.run_source("board.messages", cursor=2)]
    BOARD.posts.update(d="Four")
    told.append(home.run_source("board.messages"))
    assert [[event.data["text"] for event in events] for events in told] == [["Three"], ["Four"]]


def test_an_event_is_told_once_as_the_journal_has_it(tmp_path: Path):
    new: list[int] = []

    async def repeats(context: Any) -> None:
        for _ in range(2):
            new.append(await context.emit([Event("board_message", "", {"text": "x"}, event_id="m1")]))
        await context.clock.sleep(60)

    with Home(tmp_path, {"board": Plugin(sources=(replace(SOURCE, run=repeats),))}) as home:
        assert [len(home.run_source("board.messages")) for _ in range(2)] == [1, 0]
    assert new == [1, 0, 0, 0]


def test_with_a_span_a_source_sleeps_without_a_wait(home: Home):
    assert home.run_source("board.messages", span=timedelta(hours=1)) == []
    assert home.clock.now() == NOON + timedelta(hours=1)


def test_things_happen_while_a_source_is_at_work(home: Home):
    happened = []
    more = {
        timedelta(minutes=30, seconds=30): lambda: BOARD.posts.update(b="Two"),
        timedelta(minutes=10): lambda: happened.append(home.clock.now()) or BOARD.posts.update(a="One"),
        timedelta(minutes=61): lambda: BOARD.posts.update(c="Three"),
    }
    assert home.run_source("board.messages", span=timedelta(hours=1), meanwhile=more) == [
        Event("board_message", "board.messages", {"text": "One"}, "2026-02-09T13:10:00+01:00", "m0"),
        Event("board_message", "board.messages", {"text": "Two"}, "2026-02-09T13:31:00+01:00", "m1"),
    ]
    assert (happened, list(BOARD.posts)) == ([NOON + timedelta(minutes=10)], ["a", "b"])


def test_a_source_that_never_sleeps_is_stopped_by_the_test_or_after_a_while(tmp_path: Path):
    async def listens(context: Any) -> None:
        await context.emit([Event("board_message", "", {"text": "x"}, event_id="m1")])
        await asyncio.get_running_loop().create_future()

    with Home(tmp_path, {"board": Plugin(sources=(replace(SOURCE, run=listens),))}) as home:
        assert len(home.run_source("board.messages", until=lambda events: len(events) == 1)) == 1
        with pytest.raises(TimeoutError, match=r"board.messages was still at work after 0.1 s, with 0 new events"):
            home.run_source("board.messages", within_s=0.1)


def test_after_a_restart_with_other_settings_a_source_goes_on_where_it_was(tmp_path: Path):
    class Rooms(BaseModel):
        rooms: list[str] = Field(default=["hall"], description="the rooms to listen in")

    class Listening(Plugin):
        @hookimpl
        def aie_settings(self) -> Any:
            return Rooms

    cursors: list[Any] = []

    async def listens(context: Any) -> None:
        cursors.append(context.cursor)
        known = [*(context.cursor or []), *context.settings.rooms]
        await context.emit([Event("board_message", "", {"text": room}, event_id=room) for room in known], cursor=known)
        await context.clock.sleep(60)

    with Home(tmp_path, {"board": Listening(sources=(replace(SOURCE, run=listens),))}) as home:
        assert [event.event_id for event in home.run_source("board.messages")] == ["hall"]
        home.credentials("board").save({"token": SECRET})
        home.restart({"board": {"rooms": ["attic"]}})
        assert [event.event_id for event in home.run_source("board.messages")] == ["attic"]
        assert (cursors, home.secrets("board")) == ([None, ["hall"]], {"token": SECRET})


def test_what_a_source_raises_is_raised(tmp_path: Path):
    async def fails(context: Any) -> None:
        raise ConnectionError("nobody there")

    with Home(tmp_path, {"board": Plugin(sources=(replace(SOURCE, run=fails),))}) as home:
        with pytest.raises(ConnectionError, match="nobody there"):
            home.run_source("board.messages")
        with pytest.raises(NotFoundError, match=r"no source is named 'board\.mesages'"):
            home.run_source("board.mesages")


# --- a workflow ----------------------------------------------------------------------------------------------------


def test_a_workflow_runs_to_the_question_and_on_after_the_answer(home: Home):
    asked = home.run_workflow(workflow(POST), {"name": "Lunch"})
    assert (asked.status, asked.steps["action_0"].status, BOARD.state()) == ("asking", "asked", {"posts": []})
    assert [(one.title, one.body, one.params) for one in asked.waiting] == [
        ("tell: post_message", "> Lunch", {"text": "Lunch"})
    ]
    done = home.approve(asked)
    assert (done.status, done.results, done.waiting) == ("succeeded", {"action_0": {"number": 1}}, ())
    assert BOARD.state() == {"posts": ["Lunch"]}
    assert home.run(asked) == done


def test_a_person_may_change_what_they_approve(home: Home):
    home.approve(home.run_workflow(workflow(POST), {"name": "Lunch"}), edits={"text": "Dinner"})
    assert BOARD.state() == {"posts": ["Dinner"]}


def test_no_means_no(home: Home):
    asked = home.run_workflow(workflow(POST), {"name": "Lunch"})
    refused = home.reject(asked, comment="not now")
    assert (refused.steps["action_0"].status, BOARD.state()) == ("rejected", {"posts": []})
    with pytest.raises(RefusedError, match="was already rejected"):
        home.approve(asked)
    with pytest.raises(NotFoundError, match="asks 0 things, not one"):
        home.approve(refused)


def test_no_answer_means_no_once_the_time_is_over(home: Home):
    asked = home.run_workflow(workflow(POST), {"name": "Lunch"})
    home.pass_time(days=6)
    between = home.run(asked).status
    home.pass_time(days=2)
    assert [between, home.run(asked).steps["action_0"].status] == ["asking", "rejected"]


def test_timers_and_retries_are_seen_through_without_a_wait(tmp_path: Path):
    tries: list[int] = []

    async def third_time(params: Post, context: ActionContext) -> Any:
        tries.append(context.attempt)
        if len(tries) < 3:
            raise RetryableError("not yet", retry_after_s=3600)
        return {"number": 1}

    with action(tmp_path, third_time, asks=False) as home:
        wait = {"action_type": "wait", "parameters": {"duration": "3 days"}}
        run = home.run_workflow(workflow(wait, {**POST, "retry_count": 2}), {"name": "Lunch"})
        assert (run.status, tries, run.steps["action_1"].attempts) == ("succeeded", [1, 2, 3], 3)
        assert timedelta(days=3, hours=2) <= home.clock.now() - NOON < timedelta(days=3, hours=3)


def test_how_far_it_is_seen_through_can_be_said(home: Home):
    wait = {"action_type": "wait", "parameters": {"duration": "3 days"}}
    run = home.run_workflow(workflow(wait), see_through=timedelta(days=1))
    assert (run.status, home.clock.now()) == ("waiting", NOON)
    home.pass_time(days=3)
    assert home.run(run).status == "succeeded"


def test_a_workflow_that_does_not_start_says_why(home: Home):
    definition = workflow(POST, trigger_condition="event.data.amount > 500")
    quiet = home.run_workflow(definition, {"name": "Lunch", "amount": 20})
    wrong = home.run_workflow(definition, {"name": "Lunch"})
    event = Event("expense_recorded", "till", {"name": "x"}, event_id="e1")
    same = [home.run_workflow(workflow(POST), event) for _ in range(2)]
    assert [(run.status, run.reason) for run in (quiet, wrong, same[1])] == [
        ("not started", "its condition is false"),
        ("not started", wrong.reason),
        ("not started", "the event 'e1' is known already"),
    ]
    assert "amount" in wrong.reason


def test_a_run_stands_by_the_definition_it_began_with(home: Home):
    asked = home.run_workflow(workflow({**POST, "id": "tell"}), {"name": "Lunch"})
    home.run_workflow(workflow({"action_type": "wait", "parameters": {"duration": 1}}), {"name": "x"})
    assert list(home.approve(asked).steps) == ["tell"]


def test_a_definition_that_is_wrong_is_an_error(home: Home):
    with pytest.raises(DefinitionError, match="action_typ"):
        home.run_workflow(workflow({"action_typ": "post_message"}))


def test_all_that_was_done_is_on_record(home: Home):
    home.approve(home.run_workflow(workflow(POST), {"name": "Lunch"}))
    done = [record["action"] for record in home.records()]
    assert (done[0], done[-1]) == ("event_received", "workflow_execution")


# --- a check -------------------------------------------------------------------------------------------------------


def test_a_connection_and_an_inspection_say_what_the_doctor_would_hear(tmp_path: Path) -> None:
    async def whose(context: CheckContext) -> list[Finding]:
        said = f"{context.credentials.get('token')} in {context.vault.name} at {context.now:%H:%M}"
        return [Finding(Level.WARN, said)]

    class Both(Plugin):
        @hookimpl
        def aie_inspections(self, settings: Any) -> Any:
            return [Inspection("board_folders", check=whose)]

    connection = replace(CONNECTION, check=whose)
    credentials = {"board": {"token": "known"}}
    with Home(tmp_path, {"board": Both(connections=(connection,))}, credentials=credentials, now=NOON) as home:
        expected = [Finding(Level.WARN, f"known in {home.vault.name} at 12:00")]
        assert (home.check("board"), home.check("board_folders")) == (expected, expected)
        with pytest.raises(NotFoundError) as caught:
            home.check("bord")
        assert caught.value.as_dict() == {
            "error": "nothing that is named 'bord' can be checked",
            "where": "bord",
            "hint": "there are: board, board_folders",
        }
