"""Expenses that aie records, hands in and approves; and customers."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from fake_odoo import office
from fake_odoo.database import Database, Row
from fake_odoo.shop import Shop
from pydantic import ValidationError

from aie.errors import ActionError, UncertainError
from aie_odoo.faults import AbsentError, RefusedError, RightsError
from aie_odoo.keys import planted_key

KEY = planted_key("k1")
LUNCH = {"name": "Team lunch", "amount": 62.5, "date": "2026-11-20"}


def test_what_the_original_passes_for_an_expense_is_taken(shop: Shop) -> None:
    employee = office.jane(shop.db)
    made = shop.run("record_expense", **LUNCH, product_id=1)
    assert made == {
        "expense_id": 1, "created": True, "name": "Team lunch", "amount": 62.5, "currency": "USD",
        "date": "2026-11-20", "employee": "Jane Doe", "employee_id": employee, "category": "[FOOD] Meals",
        "payment_mode": "own_account", "state": "draft",
        "link": f"{shop.server.url}/mail/view?model=hr.expense&res_id=1",
    }  # fmt: skip
    (row,) = shop.rows("hr.expense")
    assert (row["total_amount_currency"], row["description"]) == (62.5, f"[{KEY}]")


def test_category_employee_currency_and_remark_are_as_said(shop: Shop) -> None:
    office.jane(shop.db, own=False)
    more = {"product": "Meals", "employee": "JANE@example.test", "currency": "JPY", "description": "With Ada"}
    made = shop.run("record_expense", name="Sushi", amount="1234.5", payment_mode="company_account", **more)
    assert (made["amount"], made["currency"], made["payment_mode"]) == (1235, "JPY", "company_account")
    (row,) = shop.rows("hr.expense")
    assert (row["product_id"], row["description"], row["date"]) == (1, f"With Ada\n[{KEY}]", "2026-11-23")


def test_an_expense_without_a_category_gets_the_usual_one(shop: Shop) -> None:
    office.jane(shop.db)
    assert shop.run("record_expense", **LUNCH)["category"].startswith("[EXP_GEN]")
    shop.change(expense_product="")
    assert shop.run("record_expense", key="k2", **LUNCH)["category"] is None


def test_the_amount_goes_where_this_version_wants_it(shop: Shop) -> None:
    """16 has no amount in the expense's currency, 15 has neither, and a coming version has another one again."""
    office.jane(shop.db)
    for wanted, gone in (("total_amount", ["total_amount_currency"]), ("unit_amount", ["total_amount"])):
        fields = shop.db.fields["hr.expense"]
        fields["unit_amount"] = "float"
        for name in gone:
            del fields[name]
        shop.server.before["hr.expense.create"] = lambda: None
        shop.run("record_expense", key=wanted, **LUNCH)
        assert shop.rows("hr.expense")[-1][wanted] == 62.5
    assert shop.server.called("hr.expense.create") == 2


def test_an_amount_that_odoo_reckons_itself_is_noticed(shop: Shop) -> None:
    """Categories with a price of their own, such as mileage, may put theirs in place of the amount."""
    office.jane(shop.db)
    shop.server.after["hr.expense.create"] = lambda: shop.db.update("hr.expense", 1, total_amount_currency=1.0)
    with pytest.raises(ActionError, match=r"Odoo took the expense with 1\.00 USD in place of 62\.50 USD"):
        shop.run("record_expense", **LUNCH, product="MIL")


def test_a_receipt_of_the_vault_is_attached_once(shop: Shop) -> None:
    office.jane(shop.db)
    (shop.folder / "Receipts").mkdir()
    (shop.folder / "Receipts" / "lunch.pdf").write_bytes(b"%PDF-1.7 \x00\xff")
    shop.server.lost.add("ir.attachment.create")
    with pytest.raises(UncertainError):
        shop.run("record_expense", **LUNCH, receipt="Receipts/lunch.pdf")
    happened, _ = shop.look_up("record_expense", **LUNCH, receipt="Receipts/lunch.pdf")
    assert happened is True
    (file,) = shop.rows("ir.attachment")
    assert (file["name"], file["res_model"], file["res_id"]) == ("lunch.pdf", "hr.expense", 1)
    assert base64.b64decode(file["datas"]) == b"%PDF-1.7 \x00\xff"
    assert len(shop.rows("hr.expense")) == 1


@pytest.mark.parametrize("path", ["../outside.pdf", "missing.pdf", "Receipts", "aie.toml", "link.pdf"])
def test_a_receipt_that_is_no_file_of_the_vault_stops_the_expense(shop: Shop, path: str, tmp_path: Path) -> None:
    office.jane(shop.db)
    (shop.folder / "Receipts").mkdir()
    (shop.folder / "link.pdf").symlink_to("/etc/hostname")
    with pytest.raises(ActionError) as found:
        shop.run("record_expense", **LUNCH, receipt=path)
    assert (found.value.where, shop.rows("hr.expense")) == ("receipt", [])


def test_the_same_expense_again_is_found(shop: Shop) -> None:
    office.jane(shop.db)
    shop.server.lost.add("hr.expense.create")
    with pytest.raises(UncertainError):
        shop.run("record_expense", **LUNCH)
    assert shop.look_up("record_expense", **LUNCH)[0] is True
    assert shop.run("record_expense", **LUNCH)["created"] is False
    assert (len(shop.rows("hr.expense")), shop.look_up("record_expense", key="k2", **LUNCH)) == (1, (False, None))


def test_without_an_employee_it_says_how_to_get_one(shop: Shop) -> None:
    with pytest.raises(AbsentError) as found:
        shop.run("record_expense", **LUNCH)
    assert str(found.value) == "no employee belongs to aie's user in Odoo"
    assert found.value.hint == (
        "name the employee, or link one to the user: Odoo, Employees, HR Settings, Related User"
    )


def test_without_the_app_or_the_right_it_says_so(shop: Shop) -> None:
    office.jane(shop.db)
    for operation in ("create", "write"):
        shop.db.denied.add((office.connector(shop.db), "hr.expense", operation))
    with pytest.raises(RightsError, match="the user may not record expenses"):
        shop.run("record_expense", **LUNCH)
    shop.db.uninstall("hr.expense")
    with pytest.raises(AbsentError, match="the Expenses app is not installed in this Odoo"):
        shop.run("record_expense", **LUNCH)


@pytest.mark.parametrize("wrong", [{"amount": 0}, {"amount": -1}, {"amount": "1e400"}, {"name": ""}, {"date": "x"}])
def test_parameters_that_make_no_expense_are_refused(shop: Shop, wrong: dict) -> None:
    with pytest.raises(ValidationError):
        shop.run("record_expense", **(LUNCH | wrong))


def test_the_preview_reads_like_the_expense(shop: Shop) -> None:
    office.jane(shop.db)
    shown = shop.preview("record_expense", **LUNCH, product="FOOD", receipt="Receipts/lunch.pdf")
    assert shown.splitlines() == [
        "Expense",
        "",
        "What for:   Team lunch",
        "Category:   Meals",
        "Spent by:   Jane Doe",
        "Paid by:    the employee, to be paid back",
        "Charged to: My Company",
        "Date:       2026-11-20",
        "Receipt:    Receipts/lunch.pdf",
        "",
        f"{'Total  62.50 USD':>72}",
    ]
    assert shop.rows("hr.expense") == []


# --- handing in and approving ------------------------------------------------------------------------------------


def recorded(shop: Shop, **more: object) -> int:
    office.jane(shop.db, managed=True)
    return shop.run("record_expense", **(LUNCH | more))["expense_id"]


def test_an_expense_is_handed_in_and_approved_with_reports_and_without(shop: Shop) -> None:
    expense_id = recorded(shop)
    handed_in = shop.run("submit_expense", expense_id=expense_id)
    assert (handed_in["state"], handed_in["changed"]) == ("submitted", True)
    approved = shop.run("approve_expense", expense_id=expense_id)
    assert (approved["state"], approved["changed"]) == ("approved", True)
    sheets = shop.rows("hr.expense.sheet") if shop.version < 19 else []
    assert [(row["name"], row["employee_id"], row["state"]) for row in sheets] == (
        [("Team lunch", 2, "approve")] if shop.version < 19 else []
    )


def test_both_can_be_repeated(shop: Shop) -> None:
    expense_id = recorded(shop)
    for name in ("submit_expense", "approve_expense"):
        shop.server.lost.add(
            "hr.expense.sheet.action_submit_sheet" if shop.version < 19 else "hr.expense.action_submit"
        )
        if name == "submit_expense":
            with pytest.raises(UncertainError):
                shop.run(name, expense_id=expense_id)
        else:
            shop.run(name, expense_id=expense_id)
        assert shop.run(name, expense_id=expense_id)["changed"] is False
    assert shop.run("submit_expense", expense_id=expense_id)["state"] == "approved"
    assert shop.version >= 19 or len(shop.rows("hr.expense.sheet")) == 1


def test_an_expense_without_a_manager_is_approved_by_handing_it_in(tmp_path: Path) -> None:
    shop = Shop(19, tmp_path)
    office.jane(shop.db)
    expense_id = shop.run("record_expense", **LUNCH)["expense_id"]
    assert shop.run("submit_expense", expense_id=expense_id)["state"] == "approved"
    assert shop.run("approve_expense", expense_id=expense_id)["changed"] is False
    shop.server.stop()


def test_what_odoo_wants_to_ask_a_person_about_is_left_to_the_person(shop: Shop) -> None:
    """A similar expense is approved already: the button opens a dialogue and does nothing."""
    first = recorded(shop)
    for name in ("submit_expense", "approve_expense"):
        shop.run(name, expense_id=first)
    twin = shop.run("record_expense", key="k2", **LUNCH)["expense_id"]
    shop.run("submit_expense", expense_id=twin)
    with pytest.raises(ActionError) as found:
        shop.run("approve_expense", expense_id=twin)
    assert str(found.value) == "the expense 'Team lunch' was not approved: its state is 'submitted'"
    assert found.value.where.endswith(f"res_id={twin}")


def test_what_is_not_handed_in_is_not_approved(shop: Shop) -> None:
    with pytest.raises(ActionError) as found:
        shop.run("approve_expense", expense_id=recorded(shop))
    assert found.value.hint == "submit_expense comes before approve_expense"
    with pytest.raises(ActionError, match="there is no expense with the id 77 in Odoo"):
        shop.run("submit_expense", expense_id=77)


def test_a_refusal_of_odoo_is_told_as_it_is(tmp_path: Path) -> None:
    shop = Shop(19, tmp_path)
    shop.change(expense_product="")
    with pytest.raises(RefusedError, match="You can not submit an expense without a category"):
        shop.run("submit_expense", expense_id=recorded(shop))
    shop.server.stop()


def test_reports_of_16_have_other_names_for_button_and_state(tmp_path: Path) -> None:
    """``reported`` is handed in there; and a report that is a draft leaves its expenses drafts."""
    shop = Shop(17, tmp_path)
    shop.db.expense_states.remove("submitted")
    sheets, buttons = "hr.expense.sheet", shop.server.buttons
    buttons[sheets, "approve_expense_sheets"] = buttons.pop((sheets, "action_approve_expense_sheets"))
    submit = buttons[sheets, "action_submit_sheet"]

    def submit_at_16(db: Database, uid: int, rows: list[Row]) -> None:
        submit(db, uid, rows)
        for line in rows[0]["expense_line_ids"]:
            db.update("hr.expense", line, state="reported")

    buttons[sheets, "action_submit_sheet"] = submit_at_16
    expense_id = recorded(shop)
    with pytest.raises(ActionError, match="is not handed in yet"):
        shop.run("approve_expense", expense_id=expense_id)
    assert shop.run("submit_expense", expense_id=expense_id)["state"] == "reported"
    assert shop.run("submit_expense", expense_id=expense_id)["changed"] is False
    assert shop.run("approve_expense", expense_id=expense_id)["state"] == "approved"
    shop.server.stop()


def test_the_preview_shows_the_expense_that_is_about_to_move(shop: Shop) -> None:
    expense_id = recorded(shop, product="FOOD")
    shown = shop.preview("approve_expense", expense_id=expense_id).splitlines()
    assert (shown[0], shown[2], shown[-1].split()) == (
        "Approve this expense in Odoo",
        "What for:  Team lunch",
        ["Total", "62.50", "USD"],
    )


# --- customers ---------------------------------------------------------------------------------------------------


def test_a_customer_is_found_or_not(shop: Shop) -> None:
    customer = office.acme(shop.db)
    assert shop.run("find_customer", email="ap@ACME.test") == {
        "found": True, "customer_id": customer, "customer_name": "Acme GmbH", "customer_email": "ap@acme.test",
        "matches": 1, "link": f"{shop.server.url}/mail/view?model=res.partner&res_id={customer}",
    }  # fmt: skip
    office.acme(shop.db, email="")
    missing = {"found": False, "customer_id": None, "customer_name": None, "customer_email": None, "link": None}
    assert shop.run("find_customer", name="Acme GmbH") == missing | {"matches": 2}
    assert shop.run("find_customer", email="nobody@acme.test", name="Nobody") == missing | {"matches": 0}
    assert shop.action("find_customer").asks_first is False


def test_a_customer_is_made_once_with_all_that_is_known(shop: Shop) -> None:
    given = {"name": "Zoë & Søn", "email": "zoe@example.com", "phone": "+1 555", "city": "Springfield", "country": "us"}
    shop.server.lost.add("res.partner.create")
    with pytest.raises(UncertainError):
        shop.run("create_customer", **given)
    happened, result = shop.look_up("create_customer", **given)
    again = shop.run("create_customer", **given)
    assert (happened, again["customer_id"], again["created"]) == (True, result["customer_id"], False)
    row = shop.db.rows["res.partner"][again["customer_id"]]
    assert [row[name] for name in ("name", "email", "phone", "city", "country_id", "comment")] == [
        "Zoë & Søn", "zoe@example.com", "+1 555", "Springfield", 233, f"<p>{KEY}</p>",
    ]  # fmt: skip


def test_an_address_that_is_known_is_no_new_customer(shop: Shop) -> None:
    customer = office.acme(shop.db)
    made = shop.run("create_customer", name="Acme Ltd", email="AP@acme.test")
    assert (made["customer_id"], made["customer_name"], made["created"]) == (customer, "Acme GmbH", False)


def test_the_preview_of_a_customer_shows_what_will_be_kept(shop: Shop) -> None:
    shown = shop.preview("create_customer", name="Zoë", email="z@example.com", zip_code="12", city="Ulm")
    assert shown.splitlines() == [
        "New customer", "", "Name:   Zoë", "Kind:   company", "E-mail: z@example.com", "Place:  12 Ulm",
    ]  # fmt: skip
