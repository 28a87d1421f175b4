"""``parcels.tracking``: each scan is told once."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from aie.testing import Home

from fake_parcels import FakeServer


def test_what_was_there_before_is_old_and_what_comes_then_is_told_once(home: Home, fake: FakeServer) -> None:
    fake.scan("P1", "collected", "York")
    assert home.run_source("parcels.tracking") == []
    fake.scan("P1", "delivered", "Leeds")
    (event,) = home.run_source("parcels.tracking")
    assert event.plain() == {
        "event_type": "parcel_moved",
        "source": "parcels.tracking",
        "data": {"parcel_id": "P1", "status": "delivered", "place": "Leeds"},
        "timestamp": "2026-02-09T18:00:01+00:00",
        "event_id": "2",
    }
    assert home.run_source("parcels.tracking") == []  # the cursor is kept, also when aie is started again


def test_what_goes_wrong_is_logged_once_and_looked_at_again(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    home.credentials("parcels").save({"token": "another-token"})
    with caplog.at_level(logging.WARNING):
        assert home.run_source("parcels.tracking", span=timedelta(minutes=5)) == []
    assert [record.getMessage() for record in caplog.records] == [
        "parcels cannot be tracked: Parcels does not accept the token. connect anew: aie connect parcels"
    ]
