"""The plugin keeps the contract of plugins, against the local Odoo in both versions."""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Iterator
from typing import Any

from fake_odoo import office
from fake_odoo.shop import Shop

from aie.testing import Home, contract, silent_port

MODELS = ("account.move", "account.payment", "hr.expense", "res.partner")


def test_odoo_keeps_the_contract_of_plugins(shop: Shop) -> None:
    keys = (f"made-{number}" for number in itertools.count())
    customer = office.acme(shop.db, name="Example Ltd", email="customer@example.com")
    office.jane(shop.db, managed=True)

    def state() -> dict[str, Any]:
        return {model: copy.deepcopy(shop.rows(model)) for model in MODELS}

    def an_invoice(home: Home | None = None) -> dict[str, Any]:
        record_id = office.invoice(shop.db, customer)
        office.press(shop.db, "account.move", "action_post", record_id)
        return {"invoice_id": record_id, "amount": 500, "memo": "first half"}

    def an_expense(home: Home | None = None) -> dict[str, Any]:
        return {"expense_id": shop.run("record_expense", key=next(keys), name="Team lunch", amount=62.5)["expense_id"]}

    def a_submitted_expense(home: Home | None = None) -> dict[str, Any]:
        made = an_expense()
        shop.run("submit_expense", **made)
        return made

    def a_customer(home: Home) -> dict[str, Any]:
        return {"name": "Example Ltd", "email": f"{next(keys)}@example.com", "city": "Berlin"}

    report = contract(
        "odoo",
        settings=shop.settings.model_dump(mode="json", exclude={"api_key"}),
        credentials={"api_key": shop.secret},
        state=state,
        stalled=stalled,
        params={
            "register_payment": an_invoice,
            "submit_expense": an_expense,
            "approve_expense": a_submitted_expense,
            "create_customer": a_customer,
        },
        news={"odoo.invoices": an_invoice, "odoo.expenses": a_submitted_expense},
    )
    assert [(check.name, check.subject, check.message) for check in report.not_tried] == []


@contextlib.contextmanager
def stalled() -> Iterator[dict[str, str]]:
    with silent_port() as port:
        yield {"url": f"http://127.0.0.1:{port}"}
