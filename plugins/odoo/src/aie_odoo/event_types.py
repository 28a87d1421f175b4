"""The event types this plugin adds to those that core knows."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aie.events import EventTypeSpec

INVOICE_POSTED = "invoice_posted"
INVOICE_PAID = "invoice_paid"
EXPENSE_CHANGED = "expense_changed"


class InvoiceData(BaseModel):
    """An invoice to a customer, as it stands in Odoo. The same data as that of ``invoice_created``."""

    model_config = ConfigDict(extra="allow", frozen=True)

    invoice_id: int = Field(description="Its id in Odoo, for register_payment")
    invoice_number: str | None = Field(description="The number it carries")
    customer_id: int | None = Field(description="The customer's id in Odoo")
    customer_name: str = Field(description="The customer's name")
    customer_email: str | None = Field(description="The customer's addresses, separated by commas; null: none is known")
    amount: int | float = Field(description="The total, tax included")
    amount_text: str = Field(description="The same as text with its decimals, such as 1200.50")
    amount_untaxed: int | float = Field(description="The total before taxes")
    amount_due: int | float = Field(description="What is still to be paid")
    currency: str = Field(description="The currency, such as EUR")
    company_amount: int | float = Field(description="The total in the company's own currency")
    company_currency: str = Field(description="The company's own currency")
    invoice_date: str | None = Field(description="The invoice's date, YYYY-MM-DD")
    due_date: str | None = Field(description="When it is to be paid, YYYY-MM-DD")
    items: list[dict[str, Any]] = Field(description="name, quantity, price, product_id, total … of each line")
    state: str = Field(description="posted")
    payment_state: str = Field(description="not_paid, partial, in_payment, paid")
    company: str = Field(description="Which of one's own companies issued it")
    reference: str | None = Field(description="The customer's reference")
    origin: str | None = Field(description="What it was made from; AIE-… when aie made it")
    link: str = Field(description="Where a person opens it")


class ExpenseChange(BaseModel):
    """An expense that took a step. The same data as that of ``expense_recorded``, and where it stood before."""

    model_config = ConfigDict(extra="allow", frozen=True)

    expense_id: int = Field(description="Its id in Odoo, for approve_expense")
    name: str = Field(description="What it was for")
    amount: int | float = Field(description="The total, tax included")
    amount_text: str = Field(description="The same as text with its decimals, such as 62.50")
    currency: str = Field(description="The currency, such as EUR")
    date: str | None = Field(description="When it was spent, YYYY-MM-DD")
    employee: str = Field(description="Who spent it")
    employee_id: int | None = Field(description="Their id in Odoo")
    category: str | None = Field(description="The kind of expense")
    payment_mode: str = Field(description="own_account or company_account")
    state: str = Field(
        description="Where it stands now: draft, submitted, approved, refused, paid … as this version calls it"
    )
    previous_state: str | None = Field(description="Where it stood before; null if that is not known")
    company: str = Field(description="Which of one's own companies it is charged to")
    link: str = Field(description="Where a person opens it")


_INVOICE: dict[str, Any] = {
    "invoice_id": 18,
    "invoice_number": "INV/2026/00007",
    "customer_id": 7,
    "customer_name": "Example Ltd",
    "customer_email": "customer@example.com",
    "amount": 5000,
    "amount_text": "5000.00",
    "amount_untaxed": 5000,
    "amount_due": 5000,
    "currency": "EUR",
    "company_amount": 5000,
    "company_currency": "EUR",
    "invoice_date": "2026-02-09",
    "due_date": "2026-03-11",
    "items": [
        {
            "name": "Consulting, January",
            "quantity": 40,
            "price": 125,
            "discount": 0,
            "product_id": 12,
            "product_name": "[CONS] Consulting",
            "subtotal": 5000,
            "total": 5000,
        }
    ],
    "state": "posted",
    "payment_state": "not_paid",
    "company": "My Company",
    "reference": None,
    "origin": None,
    "link": "https://odoo.example.org/mail/view?model=account.move&res_id=18",
}


def event_types() -> list[EventTypeSpec]:
    """The three, each with an example."""
    expense = {
        "expense_id": 2041,
        "name": "Team lunch",
        "amount": 620,
        "amount_text": "620.00",
        "currency": "EUR",
        "date": "2026-02-09",
        "employee": "Sam Reed",
        "employee_id": 4,
        "category": "[FOOD] Meals",
        "payment_mode": "own_account",
        "state": "approved",
        "previous_state": "submitted",
        "company": "My Company",
        "link": "https://odoo.example.org/mail/view?model=hr.expense&res_id=2041",
    }
    paid = _INVOICE | {"payment_state": "paid", "amount_due": 0}
    return [
        EventTypeSpec(INVOICE_POSTED, InvoiceData, _INVOICE, "An invoice was posted: it has its number"),
        EventTypeSpec(INVOICE_PAID, InvoiceData, paid, "An invoice was paid in full"),
        EventTypeSpec(EXPENSE_CHANGED, ExpenseChange, expense, "An expense was submitted, approved, refused, paid …"),
    ]
