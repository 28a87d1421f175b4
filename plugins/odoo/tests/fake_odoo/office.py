"""A small company in the database, with the ids that the captured servers had, so that captured requests fit."""

from __future__ import annotations

import time
from collections.abc import Callable

from fake_odoo import rules
from fake_odoo.database import Database
from fake_odoo.errors import UserError
from fake_odoo.methods import BUTTONS

API_KEY = "5f0e9c0ffee7a1b2c3d4e5f60718293a4b5c6d7e"
LOW_KEY = "aaaabbbbccccddddeeeeffff0000111122223333"
PASSWORD = "connector-pw"
LOW = "lowpriv-pw"


def office(version: int) -> Database:
    """My Company in USD with three users; ``connector`` may do everything here but administer."""
    db = Database(version)
    connector = 6 if version < 19 else 7
    db.passwords = {
        "connector": (connector, PASSWORD), "lowpriv": (connector + 1, LOW), "admin": (2, "admin"),
    }  # fmt: skip
    db.api_keys = {API_KEY: connector, LOW_KEY: connector + 1}
    for login, (uid, _) in db.passwords.items():
        db.insert("res.users", id=uid, name=login.title(), login=login, company_id=1)
    db.insert("res.company", id=1, name="My Company", currency_id=1, country_id=233)
    db.insert("res.country", id=233, name="United States", code="US")
    for currency_id, name, active in ((1, "USD", True), (4, "CHF", False), (126, "EUR", True)):
        db.insert("res.currency", id=currency_id, name=name, active=active, rounding=0.01, decimal_places=2)
    db.insert("res.currency", id=25, name="JPY", active=True, rounding=1.0, decimal_places=0)
    for tax_id, use in ((1, "sale"), (2, "purchase")):
        db.insert(
            "account.tax", id=tax_id, name="15%", amount=15.0, amount_type="percent", type_tax_use=use,
            price_include=False, company_id=1,
        )  # fmt: skip
    for journal_id, code, name, kind in (
        (1, "INV", "Customer Invoices", "sale"), (2, "BILL", "Vendor Bills", "purchase"),
        (6, "BNK1", "Bank", "bank"), (7, "CSH1", "Cash", "cash"),
    ):  # fmt: skip
        db.insert("account.journal", id=journal_id, code=code, name=name, type=kind, company_id=1)
    for product_id, code, name in (
        (1, "FOOD", "Meals"), (2, "TRANS & ACC", "Travel & Accommodation"), (3, "MIL", "Mileage"),
        (4, "GIFT", "Gifts"), (5, "COMM", "Communication"), (6, "EXP_GEN", "Others" if version < 19 else "Expenses"),
    ):  # fmt: skip
        db.insert(
            "product.product", id=product_id, name=name, default_code=code, can_be_expensed=True, active=True, uom_id=1,
        )  # fmt: skip
    db.insert(
        "product.product", id=7, name="Consulting", default_code="CONS", list_price=100.0, taxes_id=[1], active=True,
        can_be_expensed=False,
    )  # fmt: skip
    db.insert("hr.employee", id=1, name="Administrator", user_id=2, company_id=1, active=True)
    for partner_id in range(1, connector + 3):
        rules.create(db, "res.partner", {"name": f"Internal {partner_id}"}, connector, {})
    for model in ("account.move", "account.payment", "account.payment.register", "res.users.apikeys"):
        for operation in ("read", "create", "write"):
            db.denied.add((connector + 1, model, operation))
    db.denied |= {(connector + 1, "res.partner", "create"), (connector + 1, "hr.employee", "create")}
    return db


def connector(db: Database) -> int:
    return db.passwords["connector"][0]


def acme(db: Database, **more: object) -> int:
    """A customer."""
    vals = {"name": "Acme GmbH", "email": "ap@acme.test", "is_company": True, **more}
    return rules.create(db, "res.partner", vals, connector(db), {})


def jane(db: Database, *, own: bool = True, managed: bool = False) -> int:
    """An employee; ``own``: the connector's."""
    boss = 1 if managed else False
    return db.insert(
        "hr.employee", name="Jane Doe", work_email="jane@example.test", company_id=1, active=True, parent_id=boss,
        user_id=connector(db) if own else False,
    )  # fmt: skip


def invoice(db: Database, partner_id: int, price: float = 1000, **more: object) -> int:
    """A draft invoice made by somebody in Odoo."""
    line = {"name": "Consulting, January", "quantity": 1, "price_unit": price, "product_id": 7}
    vals = {
        "move_type": "out_invoice", "partner_id": partner_id, "invoice_date": "2026-11-20",
        "invoice_line_ids": [[0, 0, line]], **more,
    }  # fmt: skip
    return rules.create(db, "account.move", vals, 2, {})


def press(db: Database, model: str, method: str, record_id: int) -> object:
    """A button pressed by somebody in Odoo."""
    return BUTTONS[model, method](db, 2, [db.get(model, record_id)])


def pause(seconds: float) -> Callable[[], None]:
    """For ``Server.before``: a call that takes its time."""
    return lambda: time.sleep(seconds)


def refuse(message: str) -> Callable[[], None]:
    """For ``Server.before``: a rule of this company's own that says no."""

    def say_no() -> None:
        raise UserError(message)

    return say_no
