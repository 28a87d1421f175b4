"""Core's own actions that steer: wait, request_approval, run_workflow, emit_event."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aie.actions import ActionHandler, Effect, Outcome
from aie.builtin.flow import EMIT_EVENT, REQUEST_APPROVAL, RUN_WORKFLOW, WAIT
from aie.durations import instant_of, seconds_in
from aie.errors import ActionError
from aie.events import Event
from aie.testing import Home

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 2, 9, 17, 30, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path, now=NOW) as home:
        yield home


def refusal(handler: ActionHandler, params: dict) -> str:
    with pytest.raises(ValidationError) as caught:
        handler.params.model_validate(params)
    return caught.value.errors()[0]["msg"]


# --- wait -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        (2, 2),
        (0, 0),
        (0.5, 0.5),
        ("2", 2),
        ("90s", 90),
        ("5m", 300),
        ("2h", 7200),
        ("1 day", 86_400),
        ("1 hour 30 minutes", 5400),
        ("1h30m", 5400),
        ("2 weeks", 1_209_600),
        (" 1 Hour, 5 min ", 3900),
        ("1.5 hours", 5400),
    ],
)
def test_wait_says_until_when_and_does_not_sleep(home, duration, seconds):
    moment = NOW + timedelta(seconds=seconds)
    local = moment.astimezone(BERLIN).isoformat()
    assert home.run_action("wait", {"duration": duration}) == Outcome(
        result={"status": "success", "waited_until": local}, wait_until=moment
    )


@pytest.mark.parametrize(
    ("until", "moment"),
    [
        ("18:45", "2026-02-09T17:45:00"),
        ("08:00", "2026-02-10T07:00:00"),
        ("18:30", "2026-02-10T17:30:00"),  # it is 18:30 now: the next one
        ("2026-02-09T19:00", "2026-02-09T18:00:00"),
        ("2026-02-09T19:00:00Z", "2026-02-09T19:00:00"),
        ("2026-02-09T19:00:00+05:30", "2026-02-09T13:30:00"),
        ("2026-07-01", "2026-06-30T22:00:00"),
    ],
)
def test_wait_until_a_time_is_in_the_vaults_zone_unless_it_names_one(home, until, moment):
    assert home.run_action("wait", {"until": until}).wait_until == datetime.fromisoformat(moment).replace(tzinfo=UTC)


def test_the_next_time_of_day_is_right_across_a_change_of_clocks():
    evening_before = datetime(2026, 3, 28, 20, 0, tzinfo=UTC)
    assert instant_of("08:00", evening_before, BERLIN) == datetime(2026, 3, 29, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "give either duration or until"),
        ({"duration": 1, "until": "08:00"}, "give either duration or until, not both"),
        ({"duration": True}, "a duration is a number of seconds or a text such as '5m', found true or false"),
        ({"duration": -1}, "a duration is from 0 seconds to 366 days, found '-1'"),
        ({"duration": float("nan")}, "a duration is from 0 seconds to 366 days, found 'nan'"),
        ({"duration": "999999 weeks"}, "a duration is from 0 seconds to 366 days, found '999999 weeks'"),
        (
            {"duration": "soon"},
            "'soon' is not a length of time; write seconds, or such as '90s', '5m', '2h', '1 day'",
        ),
        ({"duration": ""}, "a length of time is missing; write seconds, or such as '90s', '5m', '2h', '1 day'"),
        ({"seconds": 2}, "Extra inputs are not permitted"),
    ],
)
def test_wait_refuses_what_is_no_length_of_time(params, message):
    assert refusal(WAIT, params) == message


@pytest.mark.parametrize("until", ["tomorrow", "25:00", "2026-13-01", "", "9999-12-31T23:59:59-23:00"])
def test_wait_refuses_what_is_no_point_in_time(home, until):
    with pytest.raises(ActionError) as caught:
        home.run_action("wait", {"until": until})
    assert caught.value.where == "parameters.until"


def test_wait_refuses_a_time_more_than_a_year_away(home):
    with pytest.raises(ActionError, match="'2036-01-01' is more than 366 days away"):
        home.run_action("wait", {"until": "2036-01-01"})


@given(st.text(max_size=40))
def test_any_text_is_a_length_of_time_or_refused(text):
    try:
        assert seconds_in(text) >= 0
    except ValueError as error:
        assert "length of time" in str(error)


# --- request_approval -------------------------------------------------------------------------------------------------


def test_an_approval_gives_who_decided_and_how(home):
    decision = {"approved": True, "decided_by": "ada", "channel": "note", "comment": None}
    params = {"title": "Expense", "description": "620"}
    assert home.run_action("request_approval", params, approval=decision).result == {
        "status": "approved",
        "approved": True,
        "decided_by": "ada",
        "channel": "note",
        "comment": "",
    }


@pytest.mark.parametrize("decision", [None, {"approved": False}, {"approved": None}, {"approved": "yes"}])
def test_without_an_approval_nothing_is_approved(home, decision):
    with pytest.raises(ActionError, match="nobody has approved this request"):
        home.run_action("request_approval", {"title": "Expense"}, approval=decision)


def test_request_approval_asks_although_it_does_nothing():
    assert (REQUEST_APPROVAL.asks_first, REQUEST_APPROVAL.title_field, REQUEST_APPROVAL.body_field) == (
        True,
        "title",
        "description",
    )


# --- run_workflow, emit_event -----------------------------------------------------------------------------------------


def test_run_workflow_addresses_an_event_to_that_workflow(home):
    outcome = home.run_action(
        "run_workflow", {"workflow_id": "month_end", "data": {"customer_id": 7}}, idempotency_key="key-1"
    )
    event = Event(
        "manual_trigger", "run_workflow", {"customer_id": 7}, "2026-02-09T17:30:00+00:00", "key-1", "month_end"
    )
    assert outcome == Outcome({"status": "success", "workflow_id": "month_end", "event_id": "key-1"}, events=(event,))
    assert event.checked() == event


def test_emit_event_emits_it_once_per_step_unless_it_has_an_id_of_its_own(home):
    outcome = home.run_action(
        "emit_event",
        {"event_type": "expense_recorded", "data": {"amount": 620}, "event_id": " "},
        idempotency_key="key-1",
    )
    event = Event("expense_recorded", "emit_event", {"amount": 620}, "2026-02-09T17:30:00+00:00", "key-1")
    assert outcome == Outcome(
        {"status": "success", "event_type": "expense_recorded", "event_id": "key-1", "source": "emit_event"},
        events=(event,),
    )
    (own,) = home.run_action("emit_event", {"event_type": "x", "event_id": "expense_7", "source": "till"}).events
    assert (own.source, own.event_id) == ("till", "expense_7")


def test_a_workflow_cannot_emit_a_decision():
    assert refusal(EMIT_EVENT, {"event_type": "approval_received", "data": {"approved": True}}) == (
        "approval_received comes from a person's decision only; a workflow cannot emit it"
    )


# --- all of them ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "handler", [WAIT, REQUEST_APPROVAL, RUN_WORKFLOW, EMIT_EVENT], ids=lambda handler: handler.name
)
def test_they_reach_nothing_and_may_be_repeated(handler):
    assert (handler.effect, handler.repeatable, handler.intent_first) == (Effect.NONE, True, False)
