"""The plugin keeps the contract that every plugin keeps."""

from __future__ import annotations

from aie.testing import contract

from fake_parcels import TOKEN, FakeServer


def test_the_plugin_keeps_the_contract(fake: FakeServer) -> None:
    report = contract(
        "parcels",
        settings=fake.settings,
        credentials={"token": TOKEN},
        state=fake.state,
        stalled=fake.stalled,
        news={"parcels.tracking": lambda home: fake.scan("P1", "delivered", "Leeds")},
    )
    assert [(check.name, check.subject, check.message) for check in report.not_tried] == []
