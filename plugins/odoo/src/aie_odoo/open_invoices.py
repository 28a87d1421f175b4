"""The actions ``find_invoice`` and ``list_open_invoices``: how invoices stand now, for reminders and lists of debts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aie.actions import ActionContext, ActionHandler, Effect
from aie.plain import Json
from aie_odoo.client import Odoo, Row, Session
from aie_odoo.directory import addresses
from aie_odoo.invoices import INVOICE_FIELDS, invoice_result
from aie_odoo.money import decimal, number

MODEL = "account.move"
FIELDS = (*INVOICE_FIELDS, "commercial_partner_id", "amount_residual_signed")
ISSUED = (["move_type", "=", "out_invoice"], ["state", "=", "posted"])


class FindInvoice(BaseModel):
    """Which invoice."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    invoice_id: int | None = Field(default=None, ge=0, description="its id in Odoo, as events tell it", examples=[18])
    invoice_number: str | None = Field(default=None, description="or the number it carries")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.invoice_id is None) == (not self.invoice_number):
            raise ValueError("give either the invoice_id or the invoice_number")
        return self


EXAMPLE: dict[str, Json] = {
    "found": True, "unpaid": True, "invoice_id": 18, "invoice_number": "INV/2026/00007", "state": "posted",
    "payment_state": "not_paid", "customer_id": 7, "customer_name": "Example Ltd",
    "customer_email": "customer@example.com", "amount": 5000, "amount_untaxed": 5000, "amount_due": 5000,
    "currency": "EUR", "invoice_date": "2026-02-09", "due_date": "2026-03-11", "days_overdue": 40,
    "link": "https://odoo.example.org/mail/view?model=account.move&res_id=18",
}  # fmt: skip
EXAMPLE_TEXT = (
    "| Invoice | Customer | Due | Days late | Open |\n|---|---|---|---:|---:|\n"
    f"| [INV/2026/00007]({EXAMPLE['link']}) | Example Ltd | 2026-03-11 | 40 | 5,000.00 EUR |"
)


def _field(name: str, description: str) -> Any:
    return Field(description=description, examples=[EXAMPLE[name]])


class InvoiceNow(BaseModel):
    """How an invoice stands; all but the first two are null when there is none."""

    found: bool = Field(description="whether there is such an invoice")
    unpaid: bool = _field("unpaid", "it was issued, and something is still to be paid")
    invoice_id: int | None = _field("invoice_id", "its id in Odoo")
    invoice_number: str | None = _field("invoice_number", "the number it carries")
    state: str | None = _field("state", "draft, posted, cancel")
    payment_state: str | None = _field("payment_state", "not_paid, partial, in_payment, paid, reversed")
    customer_id: int | None = _field("customer_id", "the id of whom it is for")
    customer_name: str | None = _field("customer_name", "whom it is for")
    customer_email: str | None = _field("customer_email", "all addresses Odoo has, separated by commas")
    amount: int | float | None = _field("amount", "with taxes")
    amount_untaxed: int | float | None = _field("amount_untaxed", "without taxes")
    amount_due: int | float | None = _field("amount_due", "what is still to be paid")
    currency: str | None = _field("currency", "the currency of its amounts")
    invoice_date: str | None = _field("invoice_date", "the day it was issued")
    due_date: str | None = _field("due_date", "the day until which it is to be paid")
    days_overdue: int | None = _field("days_overdue", "days since it was due; 0 when it is not overdue")
    link: str | None = _field("link", "where a person opens it")


class ListOpenInvoices(BaseModel):
    """Which of the invoices that are not paid."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    overdue_days: int | None = Field(
        default=None, ge=1, le=3650, description="only what was due at least so many days ago; else all that is open"
    )
    limit: int = Field(default=200, ge=1, le=1000, description="the most that are listed; the sums count all")


class OpenInvoices(BaseModel):
    """What customers owe, the oldest debt first."""

    company: str = Field(description="whose invoices they are")
    currency: str = Field(description="the company's", examples=["EUR"])
    count: int = Field(description="how many there are, also beyond the limit", examples=[1])
    amount: int | float = Field(description="all that is still to be paid, in the company's currency", examples=[5000])
    invoices: list[dict[str, Any]] = Field(description="each as find_invoice gives it", examples=[[EXAMPLE]])
    text: str = Field(
        description="the same as a table in Markdown; one sentence when there are none", examples=[EXAMPLE_TEXT]
    )


@dataclass(frozen=True, slots=True)
class Debts:
    """Reads only."""

    odoo: Odoo

    async def find(self, params: FindInvoice, context: ActionContext) -> dict[str, Json]:
        wanted: list[Any] = ["name", "=", params.invoice_number]
        if params.invoice_id is not None:
            wanted = ["id", "=", params.invoice_id]
        async with self.odoo.session(context.credentials) as session:
            await session.fields_of(MODEL, "Invoicing")
            rows = await session.search_read(MODEL, [["move_type", "=", "out_invoice"], wanted], FIELDS, limit=1)
            told = await self._told(session, rows, _today(context))
        return told[0] if told else dict.fromkeys(InvoiceNow.model_fields) | {"found": False, "unpaid": False}

    async def outstanding(self, params: ListOpenInvoices, context: ActionContext) -> dict[str, Json]:
        today = _today(context)
        domain: list[Any] = [*ISSUED, ["amount_residual", ">", 0]]
        if params.overdue_days is not None:
            domain.append(["invoice_date_due", "<=", (today - dt.timedelta(days=params.overdue_days)).isoformat()])
        async with self.odoo.session(context.credentials) as session:
            await session.fields_of(MODEL, "Invoicing")
            company = await session.company()
            domain.append(["company_id", "=", company.id])
            rows = [row async for page in session.pages(MODEL, domain, FIELDS) for row in page]
            rows.sort(key=lambda row: (row["invoice_date_due"] or "9999", row["id"]))
            told = await self._told(session, rows[: params.limit], today)
        amount = company.currency.rounded(sum((decimal(row["amount_residual_signed"]) for row in rows), Decimal(0)))
        return {
            "company": company.name,
            "currency": company.currency.name,
            "count": len(rows),
            "amount": number(amount),
            "invoices": list[Json](told),
            "text": _text(told, len(rows), overdue=params.overdue_days is not None),
        }

    async def _told(self, session: Session, rows: Sequence[Row], today: dt.date) -> list[dict[str, Json]]:
        partners = {row[name][0] for row in rows for name in ("partner_id", "commercial_partner_id") if row[name]}
        emails = {row["id"]: addresses(row["email"]) for row in await session.read("res.partner", partners, ["email"])}
        return [self._invoice(row, emails, today) for row in rows]

    def _invoice(self, row: Row, emails: Mapping[int, str], today: dt.date) -> dict[str, Json]:
        due = row["invoice_date_due"]
        unpaid = row["state"] == "posted" and decimal(row["amount_residual"]) > 0
        late = (today - dt.date.fromisoformat(due)).days if unpaid and due else 0
        people = [emails.get(row[name][0]) for name in ("partner_id", "commercial_partner_id") if row[name]]
        return {
            "found": True,
            "unpaid": unpaid,
            **invoice_result(self.odoo, row),
            "customer_email": next((email for email in people if email), None),
            "days_overdue": max(late, 0),
        }


def find_invoice(odoo: Odoo) -> ActionHandler:
    """The action on this server. It changes nothing, and asks nobody."""
    return ActionHandler(
        name="find_invoice",
        params=FindInvoice,
        run=Debts(odoo).find,
        result=InvoiceNow,
        summary="look up how a customer invoice stands: paid or not, how much is open, how long overdue",
        example={"invoice_id": 18},
        effect=Effect.NONE,
        repeatable=True,
        touches=odoo.settings.servers,
    )


def list_open_invoices(odoo: Odoo) -> ActionHandler:
    """The action on this server. It changes nothing, and asks nobody."""
    return ActionHandler(
        name="list_open_invoices",
        params=ListOpenInvoices,
        run=Debts(odoo).outstanding,
        result=OpenInvoices,
        summary="list the customer invoices that are not paid, or only those overdue",
        example={"overdue_days": 14},
        effect=Effect.NONE,
        repeatable=True,
        touches=odoo.settings.servers,
    )


def _today(context: ActionContext) -> dt.date:
    return context.now.astimezone(context.timezone).date()


def _text(told: Sequence[Mapping[str, Any]], count: int, *, overdue: bool) -> str:
    if not told:
        return "Nothing is overdue." if overdue else "Nothing is open."
    lines = ["| Invoice | Customer | Due | Days late | Open |", "|---|---|---|---:|---:|"]
    lines += [
        f"| [{one['invoice_number']}]({one['link']}) | {_cell(one['customer_name'])} | {one['due_date'] or ''}"
        f" | {one['days_overdue'] or ''} | {one['amount_due']:,.2f} {one['currency']} |"
        for one in told
    ]
    if count > len(told):
        lines += ["", f"And {count - len(told)} more."]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """A name as a cell of a table: it may have come from anybody."""
    return " ".join(text.replace("|", "/").replace("[", "(").replace("]", ")").replace("<", "‹").split())
