"""``book_parcel``: what was approved is booked once, whatever goes wrong."""

from __future__ import annotations

from typing import Any

import pytest
from aie import LookUp
from aie.errors import RetryableError, UncertainError
from aie.testing import Home

from fake_parcels import FakeServer

PARCEL: dict[str, Any] = {"recipient": "Kim Lee", "address": "12 Mill Lane, Leeds", "weight_g": 1200, "note": "-"}
BOOKED: dict[str, Any] = {"parcel_id": "P1", "price": "5.90", "currency": "EUR"}
WORKFLOW = {
    "workflow_id": "send_parcel",
    "trigger_event": "manual_trigger",
    "actions": [{"action_type": "book_parcel", "parameters": PARCEL}],
}


def test_a_parcel_is_booked_under_our_reference(home: Home, fake: FakeServer) -> None:
    assert home.run_action("book_parcel", PARCEL, idempotency_key="one").result == BOOKED
    assert fake.parcels == [{"id": "P1", "price": "5.90", "currency": "EUR", **PARCEL, "reference": "one"}]


def test_at_the_limit_nothing_is_booked_and_the_carrier_says_for_how_long(home: Home, fake: FakeServer) -> None:
    fake.faults = ["429"]
    with pytest.raises(RetryableError) as error:
        home.run_action("book_parcel", PARCEL)
    assert (error.value.retry_after_s, fake.parcels) == (7.0, [])


def test_a_booking_whose_answer_was_lost_is_found(home: Home, fake: FakeServer) -> None:
    assert home.look_up("book_parcel", PARCEL, idempotency_key="one") == LookUp(happened=False)
    fake.faults = ["lost"]
    with pytest.raises(UncertainError):
        home.run_action("book_parcel", PARCEL, idempotency_key="one")
    assert home.look_up("book_parcel", PARCEL, idempotency_key="one") == LookUp(happened=True, result=BOOKED)


def test_a_workflow_asks_first_and_books_once_also_when_the_answer_is_lost(home: Home, fake: FakeServer) -> None:
    fake.faults = ["lost"]
    run = home.run_workflow(WORKFLOW)
    assert (run.status, fake.parcels) == ("asking", [])
    assert home.preview("book_parcel", PARCEL) == "A parcel of 1.2 kg to **Kim Lee**, 12 Mill Lane, Leeds."
    run = home.approve(run, edits={"note": "Ring twice."})
    assert (run.status, run.results) == ("succeeded", {"action_0": BOOKED})
    assert [one["note"] for one in fake.parcels] == ["Ring twice."]
