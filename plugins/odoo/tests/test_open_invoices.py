"""How invoices stand: for a reminder that is only sent when it is due, and for lists of debts."""

from __future__ import annotations

import pytest
from fake_odoo import office
from fake_odoo.shop import Shop
from pydantic import ValidationError

from aie_odoo.open_invoices import EXAMPLE, EXAMPLE_TEXT, InvoiceNow, _text


def posted(shop: Shop, customer: int, price: float, due: str) -> int:
    record_id = office.invoice(shop.db, customer, price, invoice_date_due=due)
    office.press(shop.db, "account.move", "action_post", record_id)
    return record_id


def test_an_unpaid_invoice_is_found_with_what_is_open_and_how_late_it_is(shop: Shop) -> None:
    customer = office.acme(shop.db)
    record_id = posted(shop, customer, 1000, "2026-11-20")
    shop.run("register_payment", invoice_id=record_id, amount=150)
    found = shop.run("find_invoice", invoice_id=record_id)
    assert found == {
        "found": True, "unpaid": True, "invoice_id": record_id, "invoice_number": "INV/2026/00001", "state": "posted",
        "payment_state": "partial", "customer_id": customer, "customer_name": "Acme GmbH",
        "customer_email": "ap@acme.test", "amount": 1150, "amount_untaxed": 1000, "amount_due": 1000,
        "currency": "USD", "invoice_date": "2026-11-20", "due_date": "2026-11-20", "days_overdue": 3,
        "link": f"{shop.server.url}/mail/view?model=account.move&res_id={record_id}",
    }  # fmt: skip
    assert shop.run("find_invoice", invoice_number="INV/2026/00001") == found


def test_a_paid_invoice_is_not_unpaid_and_neither_is_a_draft_or_one_that_is_not_there(shop: Shop) -> None:
    customer = office.acme(shop.db)
    record_id = posted(shop, customer, 1000, "2026-11-20")
    shop.run("register_payment", invoice_id=record_id)
    draft = office.invoice(shop.db, customer, 50)
    found = [shop.run("find_invoice", invoice_id=one) for one in (record_id, draft, 4711)]
    assert [(one["found"], one["unpaid"], one["payment_state"], one["days_overdue"]) for one in found] == [
        (True, False, "paid", 0), (True, False, "not_paid", 0), (False, False, None, None),
    ]  # fmt: skip


def test_an_invoice_is_looked_for_in_one_way(shop: Shop) -> None:
    model = shop.action("find_invoice").params
    for given in ({}, {"invoice_id": 1, "invoice_number": "INV/1"}, {"invoice_number": ""}):
        with pytest.raises(ValidationError, match="give either the invoice_id or the invoice_number"):
            model.model_validate(given)


def test_open_invoices_are_listed_with_the_oldest_debt_first_and_without_what_is_paid(shop: Shop) -> None:
    customer = office.acme(shop.db)
    young = posted(shop, customer, 200, "2026-12-20")
    old = posted(shop, office.acme(shop.db, name="Old | [Debts] <b>", email="old@debts.test"), 100, "2026-10-24")
    shop.run("register_payment", invoice_id=posted(shop, customer, 50, "2026-10-01"))
    refund = office.invoice(shop.db, customer, 20, move_type="out_refund")
    office.press(shop.db, "account.move", "action_post", refund)
    office.invoice(shop.db, customer, 5000)  # a draft is no debt
    listed = shop.run("list_open_invoices")
    assert [one["invoice_id"] for one in listed.pop("invoices")] == [old, young]
    address = f"{shop.server.url}/mail/view?model=account.move&res_id="
    assert listed == {
        "company": "My Company", "currency": "USD", "count": 2, "amount": 345,
        "text": "| Invoice | Customer | Due | Days late | Open |\n|---|---|---|---:|---:|\n"
                f"| [INV/2026/00002]({address}{old}) | Old / (Debts) ‹b> | 2026-10-24 | 30 | 115.00 USD |\n"
                f"| [INV/2026/00001]({address}{young}) | Acme GmbH | 2026-12-20 |  | 230.00 USD |",
    }  # fmt: skip


def test_overdue_invoices_are_counted_in_days_and_a_limit_shortens_the_list_only(shop: Shop) -> None:
    customer = office.acme(shop.db)
    for due in ("2026-11-22", "2026-11-16", "2026-11-09", "2026-11-24"):
        posted(shop, customer, 100, due)
    assert [
        [one["days_overdue"] for one in shop.run("list_open_invoices", overdue_days=days)["invoices"]]
        for days in (1, 7, 14, 15)
    ] == [[14, 7, 1], [14, 7], [14], []]
    short = shop.run("list_open_invoices", overdue_days=1, limit=1)
    assert (short["count"], short["amount"], len(short["invoices"])) == (3, 345, 1)
    assert short["text"].endswith("\n\nAnd 2 more.")
    assert shop.run("list_open_invoices", overdue_days=15)["text"] == "Nothing is overdue."


def test_the_example_that_a_dry_run_shows_has_the_form_of_a_real_answer() -> None:
    InvoiceNow.model_validate(EXAMPLE, extra="forbid", strict=True)
    assert _text([EXAMPLE], 1, overdue=True) == EXAMPLE_TEXT
