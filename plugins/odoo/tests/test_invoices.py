"""Invoices that aie makes, and payments for them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from fake_odoo import office
from fake_odoo.shop import Shop
from pydantic import ValidationError

from aie.errors import ActionError, RetryableError, UncertainError
from aie_odoo.faults import AbsentError, RefusedError, RightsError
from aie_odoo.keys import planted_key

ITEMS = [
    {"name": "Consulting, January", "quantity": 40, "price": 125, "product_id": 7},
    {"name": "Travel", "quantity": 1, "price": "19.99"},
]
KEY = planted_key("k1")


def lines_of(shop: Shop) -> list[tuple[object, ...]]:
    fields = ("name", "quantity", "price_unit", "product_id", "tax_ids")
    return [tuple(row.get(name) for name in fields) for row in shop.rows("account.move.line")]


def test_an_invoice_is_made_as_a_draft_with_a_key_in_it(shop: Shop) -> None:
    customer = office.acme(shop.db)
    made = shop.run("create_invoice", customer_id=customer, items=ITEMS, invoice_date="2026-11-20", reference="PO 7")
    (row,) = shop.rows("account.move")
    assert made == {
        "invoice_id": row["id"], "invoice_number": None, "created": True, "state": "draft", "payment_state": "not_paid",
        "customer_id": customer, "customer_name": "Acme GmbH", "amount": 5769.99, "amount_untaxed": 5019.99,
        "amount_due": 5769.99, "currency": "USD", "invoice_date": "2026-11-20", "due_date": "2026-11-20",
        "link": f"{shop.server.url}/mail/view?model=account.move&res_id={row['id']}",
    }  # fmt: skip
    assert (row["move_type"], row["ref"], row["invoice_origin"]) == ("out_invoice", "PO 7", KEY)
    assert lines_of(shop) == [("Consulting, January", 40.0, 125.0, 7, [1]), ("Travel", 1.0, 19.99, None, [])]


def test_what_the_original_passes_for_an_invoice_is_taken(shop: Shop) -> None:
    """``product_id`` null, ids as text from a template, and the lines of an event with all that they carry."""
    customer = office.acme(shop.db)
    items = [{"name": "Work", "quantity": 2, "price": 50.5, "product_id": None, "subtotal": 101, "total": 101}]
    made = shop.run("create_invoice", customer_id=str(customer), items=items, invoice_date=None)
    assert (made["amount"], made["invoice_date"]) == (101, "2026-11-23")


def test_an_invoice_is_posted_when_asked_and_then_has_its_number(shop: Shop) -> None:
    office.acme(shop.db)
    made = shop.run("create_invoice", customer_email="AP@acme.test", items=ITEMS, post=True)
    assert (made["invoice_number"], made["state"]) == ("INV/2026/00001", "posted")


def test_the_same_attempt_again_finds_the_invoice_it_made(shop: Shop) -> None:
    customer = office.acme(shop.db)
    first = shop.run("create_invoice", customer_id=customer, items=ITEMS)
    again = shop.run("create_invoice", customer_id=customer, items=ITEMS, post=True)
    assert (again["invoice_id"], again["created"], again["state"]) == (first["invoice_id"], False, "posted")
    other = shop.run("create_invoice", key="k2", customer_id=customer, items=ITEMS)
    assert (other["created"], len(shop.rows("account.move"))) == (True, 2)


def test_an_invoice_that_a_person_cancelled_is_not_made_anew(shop: Shop) -> None:
    customer = office.acme(shop.db)
    first = shop.run("create_invoice", customer_id=customer, items=ITEMS)
    office.press(shop.db, "account.move", "button_cancel", first["invoice_id"])
    again = shop.run("create_invoice", customer_id=customer, items=ITEMS)
    assert (again["invoice_id"], again["state"], again["created"]) == (first["invoice_id"], "cancel", False)


def test_an_answer_that_is_lost_leaves_it_open_and_looking_finds_the_invoice(shop: Shop) -> None:
    customer = office.acme(shop.db)
    shop.server.lost.add("account.move.create")
    with pytest.raises(UncertainError) as lost:
        shop.run("create_invoice", customer_id=customer, items=ITEMS, post=True)
    assert str(lost.value) == "no answer to account.move.create (RemoteProtocolError); it may have happened"
    happened, result = shop.look_up("create_invoice", customer_id=customer, items=ITEMS, post=True)
    assert (happened, result["invoice_number"], len(shop.rows("account.move"))) == (True, "INV/2026/00001", 1)


def test_a_call_that_takes_too_long_is_looked_for_and_not_repeated(shop: Shop) -> None:
    """The transaction commits after the client has given up, and while it looks."""
    customer = office.acme(shop.db)
    shop.change(timeout_s=0.3, settle_s=5)
    shop.server.before["account.move.create"] = office.pause(0.8)
    with pytest.raises(UncertainError):
        shop.run("create_invoice", customer_id=customer, items=ITEMS)
    assert shop.rows("account.move") == []
    happened, result = shop.look_up("create_invoice", customer_id=customer, items=ITEMS)
    assert (happened, result["invoice_id"], shop.server.called("account.move.create")) == (True, 1, 1)


def test_looking_for_what_was_never_made_says_so(shop: Shop) -> None:
    customer = office.acme(shop.db)
    assert shop.look_up("create_invoice", customer_id=customer, items=ITEMS) == (False, None)


def test_a_draft_that_cannot_be_posted_is_told_with_the_way_to_it(shop: Shop) -> None:
    customer = office.acme(shop.db)
    shop.server.before["account.move.action_post"] = office.refuse("The date is locked.\nAsk the accountant.")
    with pytest.raises(ActionError) as found:
        shop.run("create_invoice", customer_id=customer, items=ITEMS, post=True)
    assert str(found.value) == (
        "the invoice 1 is in Odoo, as a draft; it could not be posted:"
        " Odoo refused account.move.action_post: The date is locked. Ask the accountant."
    )
    assert found.value.where == f"{shop.server.url}/mail/view?model=account.move&res_id=1"


def test_customers_are_found_by_address_or_name_and_never_guessed(shop: Shop) -> None:
    customer = office.acme(shop.db, email="ap@acme.test, boss@acme.test")
    office.acme(shop.db, name="Acme Contact", parent_id=customer)
    assert shop.run("create_invoice", customer_email="ap@acme.test", items=ITEMS)["customer_id"] == customer
    assert shop.run("create_invoice", key="2", customer_name="acme gmbh", items=ITEMS)["customer_id"] == customer
    with pytest.raises(AbsentError, match="Odoo has no customer 'a%'"):
        shop.run("create_invoice", key="3", customer_name="a%", items=ITEMS)
    twin = office.acme(shop.db, email="other@acme.test")
    with pytest.raises(RefusedError, match=rf"Acme GmbH \(id {customer}\), Acme GmbH \(id {twin}\)"):
        shop.run("create_invoice", key="4", customer_name="Acme GmbH", items=ITEMS)


def test_taxes_products_currency_discount_and_due_date_are_as_said(shop: Shop) -> None:
    customer = office.acme(shop.db)
    item = {"name": "Work", "quantity": "1.5", "price": 100, "product": "CONS", "taxes": [], "discount": 10}
    more = {"name": "Talk", "price": 10, "taxes": ["15%"]}
    made = shop.run(
        "create_invoice",
        customer_id=customer,
        items=[item, more],
        currency="eur",
        due_date="2026-12-31",
        note="Thanks & bye\n<b>",
    )
    assert (made["amount"], made["currency"], made["due_date"]) == (146.5, "EUR", "2026-12-31")
    assert lines_of(shop) == [("Work", 1.5, 100.0, 7, []), ("Talk", 1.0, 10.0, None, [1])]
    assert shop.rows("account.move")[0]["narration"] == "<p>Thanks &amp; bye<br>&lt;b&gt;</p>"


def test_what_odoo_does_not_have_is_named(shop: Shop) -> None:
    customer = office.acme(shop.db)
    for wrong, message in (
        ({"currency": "CHF"}, "'CHF' is not switched on in Odoo"),
        ({"currency": "XYZ"}, "'XYZ' is not a currency that Odoo knows"),
        ({"items": [{"name": "x", "price": 1, "product": "NOPE"}]}, "Odoo has no product 'NOPE'"),
        ({"items": [{"name": "x", "price": 1, "taxes": ["99%"]}]}, "Odoo has no tax '99%'"),
        ({"customer_id": 999}, "Odoo has no customer 999"),
    ):
        with pytest.raises(ActionError) as found:
            shop.run("create_invoice", **{"customer_id": customer, "items": ITEMS, **wrong})
        assert str(found.value) == message
    assert shop.rows("account.move") == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"items": ITEMS},
        {"customer_id": 1, "items": []},
        {"customer_id": 1, "items": [{"name": "x", "price": "NaN"}]},
        {"customer_id": 1, "items": ITEMS, "invoice_date": "31/12/2026"},
        {"customer_id": 1, "items": ITEMS, "amont": 3},
    ],
)
def test_parameters_that_make_no_invoice_are_refused_before_anything_is_done(shop: Shop, wrong: dict) -> None:
    with pytest.raises(ValidationError):
        shop.run("create_invoice", **wrong)
    assert shop.server.calls == []


def test_the_preview_reads_like_the_invoice(shop: Shop) -> None:
    customer = office.acme(shop.db)
    shown = shop.preview("create_invoice", customer_email="ap@acme.test", items=ITEMS, post=True, note="Thank you.")
    assert (
        shown
        == f"""\
Invoice

From:   My Company
To:     Acme GmbH (customer {customer})
E-mail: ap@acme.test
Date:   2026-11-23
Due:    by the customer's payment terms

What                                       Quantity  Price        Amount
------------------------------------------------------------------------
Consulting, January                              40    125  5,000.00 USD
Travel                                            1  19.99     19.99 USD

                                                       Net  5,019.99 USD
                                                       15%    750.00 USD
                                                     Total  5,769.99 USD

Thank you."""
    )
    assert shop.rows("account.move") == []


def test_the_total_of_the_preview_is_the_total_of_the_invoice(shop: Shop) -> None:
    customer = office.acme(shop.db)
    items = [{"name": "a", "quantity": "3", "price": "33.335", "product_id": 7}, {"name": "b", "price": "0.005"}]
    shown = shop.preview("create_invoice", customer_id=customer, items=items)
    made = shop.run("create_invoice", customer_id=customer, items=items)
    assert shown.splitlines()[-1].split() == ["Total", f"{made['amount']:,.2f}", "USD"]


def test_a_total_that_only_odoo_can_reckon_is_not_made_up(shop: Shop) -> None:
    shop.db.fields["account.fiscal.position"] = {"id": "integer", "name": "char"}
    shop.db.rows["account.fiscal.position"] = {3: {"id": 3, "name": "Abroad"}}
    customer = office.acme(shop.db, property_account_position_id=3)
    shown = shop.preview("create_invoice", customer_id=customer, items=ITEMS)
    assert shown.splitlines()[-1].split("  ")[-1] == "as Odoo reckons them for this customer"


def test_a_request_that_would_fail_says_so_to_whoever_decides(shop: Shop) -> None:
    for name, params, words in (
        ("create_invoice", {"customer_id": 999, "items": ITEMS}, "Odoo has no customer 999"),
        ("register_payment", {"invoice_id": 7}, "there is no customer invoice with the id 7 in Odoo"),
        ("record_expense", {"name": "x", "amount": 1}, "no employee belongs to aie's user in Odoo"),
        ("approve_expense", {"expense_id": 7}, "there is no expense with the id 7 in Odoo"),
    ):
        shown = shop.preview(name, **params)
        assert shown.startswith(f"As things stand this cannot be carried out: {words}.\nNext: ")


def test_an_approval_rule_may_ask_for_the_amount(shop: Shop) -> None:
    action = shop.action("create_invoice")
    params = action.params.model_validate({"customer_id": 1, "items": ITEMS})
    assert action.facts is not None
    assert action.facts(params, shop.context()) == {"amount": 5019.99, "lines": 2}
    assert {"items", "customer_id", "currency"} <= action.locked


def test_the_user_without_rights_is_told_which_are_missing(shop: Shop) -> None:
    customer = office.acme(shop.db)
    shop.db.denied.add((office.connector(shop.db), "account.move", "create"))
    with pytest.raises(RightsError) as found:
        shop.run("create_invoice", customer_id=customer, items=ITEMS)
    assert str(found.value).startswith(
        "the user may not do account.move.create: You are not allowed to create 'Journal Entry' (account.move) records."
    )
    assert "\n" not in str(found.value)


# --- payments ----------------------------------------------------------------------------------------------------


def posted(shop: Shop, price: float = 1000) -> int:
    record_id = office.invoice(shop.db, office.acme(shop.db), price)
    office.press(shop.db, "account.move", "action_post", record_id)
    return record_id


def test_a_payment_closes_the_invoice_and_carries_the_key(shop: Shop) -> None:
    made = shop.run("register_payment", invoice_id=posted(shop), memo="Transfer 4711")
    assert (made["payment_state"], made["amount_due"], made["created"]) == ("paid", 0, True)
    (payment,) = shop.rows("account.payment")
    assert payment["memo" if shop.version >= 18 else "ref"] == f"INV/2026/00001 Transfer 4711 {KEY}"
    assert (payment["amount"], payment["date"]) == (1150.0, "2026-11-23")


def test_a_part_is_paid_and_the_rest_stays_open(shop: Shop) -> None:
    record_id = posted(shop)
    made = shop.run(
        "register_payment", invoice_id=record_id, amount="150.005", journal="CSH1", payment_date="2026-11-01"
    )
    assert (made["payment_state"], made["amount_due"]) == ("partial", 999.99)
    assert [(row["amount"], row["journal_id"], row["date"]) for row in shop.rows("account.payment")] == [
        (150.01, 7, "2026-11-01")
    ]


def test_a_payment_is_made_once(shop: Shop) -> None:
    record_id = posted(shop)
    shop.server.lost.add("account.payment.register.action_create_payments")
    with pytest.raises(UncertainError):
        shop.run("register_payment", invoice_id=record_id, amount=100)
    happened, result = shop.look_up("register_payment", invoice_id=record_id, amount=100)
    assert (happened, result["amount_due"]) == (True, 1050)
    assert shop.run("register_payment", invoice_id=record_id, amount=100)["created"] is False
    assert len(shop.rows("account.payment")) == 1


def test_what_cannot_be_paid_is_refused_before_anything_is_done(shop: Shop) -> None:
    record_id = posted(shop)
    draft = office.invoice(shop.db, 3)
    for invoice_id, amount, message in (
        (record_id, "1150.01", "1,150.01 USD is more than the 1,150.00 USD that are open"),
        (draft, None, "its state is 'draft'"),
        (999, None, "there is no customer invoice with the id 999 in Odoo"),
    ):
        with pytest.raises(ActionError) as found:
            shop.run("register_payment", invoice_id=invoice_id, amount=amount)
        assert message in str(found.value)
    shop.run("register_payment", invoice_id=record_id)
    with pytest.raises(ActionError, match="there is nothing to pay of the invoice INV/2026/00001: its state is 'paid'"):
        shop.run("register_payment", key="k2", invoice_id=record_id)


def test_the_preview_of_a_payment_says_what_stays_open(shop: Shop) -> None:
    shown = shop.preview("register_payment", invoice_id=posted(shop), amount=Decimal("150"))
    assert shown.splitlines() == [
        "Payment received",
        "",
        "Invoice:             INV/2026/00001",
        "From:                Acme GmbH",
        "Amount:              150.00 USD",
        "Date:                2026-11-23",
        "Into:                Odoo's usual bank or cash journal",
        "Still open after it: 1,000.00 USD",
    ]


# --- the summary -------------------------------------------------------------------------------------------------


def test_the_summary_adds_up_what_is_posted_paid_open_and_overdue(shop: Shop) -> None:
    shop.run("register_payment", invoice_id=posted(shop), amount=150)
    for day, due, price in (("2026-10-31", "2026-11-22", 100), ("2026-11-02", "2026-11-23", 200)):
        record_id = office.invoice(shop.db, 3, price, invoice_date=day, invoice_date_due=due)
        office.press(shop.db, "account.move", "action_post", record_id)
    refund = office.invoice(shop.db, 3, 20, move_type="out_refund")
    office.press(shop.db, "account.move", "action_post", refund)
    office.invoice(shop.db, 3, 5000)  # a draft counts nowhere
    told = shop.run("financial_summary", period="this_month")
    assert told == {
        "company": "My Company", "currency": "USD", "date_from": "2026-11-01", "date_to": "2026-11-30",
        "posted": {"count": 2, "amount": 1357}, "paid": {"count": 0, "amount": 150},
        "open": {"count": 3, "amount": 1322}, "overdue": {"count": 2, "amount": 1092},
        "text": "- Invoiced 2026-11-01 to 2026-11-30: 1,357.00 USD (2)\n- Of these paid: 150.00 USD (0)\n"
                "- Open: 1,322.00 USD (3)\n- Overdue: 1,092.00 USD (2)",
    }  # fmt: skip
    october = shop.run("financial_summary", date_from="2026-10-01", date_to="2026-10-31")
    assert october["posted"] == {"count": 1, "amount": 115}


def test_periods_are_whole_days_of_the_calendar() -> None:
    from aie_odoo.summary import days_of  # noqa: PLC0415

    day = dt.date(2024, 3, 6)
    assert [tuple(map(str, days_of(name, day))) for name in ("today", "this_week", "this_month", "last_month")] == [
        ("2024-03-06", "2024-03-06"),
        ("2024-03-04", "2024-03-10"),
        ("2024-03-01", "2024-03-31"),
        ("2024-02-01", "2024-02-29"),
    ]
    assert days_of("this_year", day) == (dt.date(2024, 1, 1), dt.date(2024, 12, 31))
    assert days_of("last_year", day) == (dt.date(2023, 1, 1), dt.date(2023, 12, 31))


def test_a_server_that_is_away_is_asked_again(shop: Shop) -> None:
    shop.server.stop()
    with pytest.raises(RetryableError, match="no connection to the Odoo server"):
        shop.run("create_invoice", customer_id=1, items=ITEMS)
