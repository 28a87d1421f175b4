"""The action ``create_invoice``."""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aie.actions import ActionContext, ActionHandler, LookUp
from aie.errors import ActionError
from aie.plain import Json
from aie_odoo import directory, documents
from aie_odoo.client import Odoo, Row, Session
from aie_odoo.directory import Partner
from aie_odoo.faults import RefusedError, RightsError
from aie_odoo.keys import found_later, planted_key
from aie_odoo.money import Currency, decimal, number
from aie_odoo.quote import Item, Quote, lines_of, quote

INVOICE_FIELDS = (
    *("name", "state", "payment_state", "partner_id", "invoice_date", "invoice_date_due", "currency_id"),
    *("amount_untaxed", "amount_tax", "amount_total", "amount_residual"),
)

PAID_STATES = ("paid", "in_payment")  # in_payment: registered, and not on a bank statement yet


class CreateInvoice(BaseModel):
    """An invoice to a customer."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    customer_id: int | None = Field(default=None, ge=0, description="the customer's id in Odoo", examples=[7])
    customer_email: str | None = Field(default=None, description="or their address, as Odoo has it")
    customer_name: str | None = Field(default=None, description="or their name, as Odoo has it")
    items: list[Item] = Field(
        min_length=1,
        description="the lines: name, quantity, price, and product_id or product, taxes, discount if wanted",
        examples=[[{"name": "Consulting, January", "quantity": 40, "price": 125, "product_id": 12}]],
    )
    invoice_date: date | None = Field(default=None, description="the date on it; today if left out")
    due_date: date | None = Field(
        default=None, description="when it is to be paid; by the customer's terms if left out"
    )
    currency: str | None = Field(default=None, description="a code such as EUR; the company's if left out")
    reference: str | None = Field(default=None, description="the customer's own reference, such as an order number")
    note: str | None = Field(default=None, description="a text below the lines")
    post: bool = Field(default=False, description="issue it: it gets its number; otherwise it is left as a draft")

    @model_validator(mode="after")
    def _for_somebody(self) -> Self:
        if self.customer_id is None and not self.customer_email and not self.customer_name:
            raise ValueError("give the customer_id, the customer_email or the customer_name")
        return self


class Invoice(BaseModel):
    """An invoice as it stands in Odoo."""

    invoice_id: int = Field(description="its id in Odoo")
    invoice_number: str | None = Field(description="its number; null while it is a draft")
    created: bool = Field(description="false when an earlier attempt had made it")
    state: str = Field(description="draft, posted, cancel")
    payment_state: str = Field(description="not_paid, partial, in_payment, paid, reversed")
    customer_id: int | None = Field(description="whose it is: their id in Odoo")
    customer_name: str = Field(description="and their name")
    amount: int | float = Field(description="the total, taxes included")
    amount_untaxed: int | float = Field(description="the total without taxes")
    amount_due: int | float = Field(description="what is still to be paid")
    currency: str = Field(description="its code, such as EUR")
    invoice_date: str | None = Field(description="the date on it, YYYY-MM-DD; null while it is a draft without one")
    due_date: str | None = Field(description="when it is to be paid, YYYY-MM-DD")
    link: str = Field(description="where a person opens it")


@dataclass(frozen=True, slots=True)
class Invoicing:
    """Creates, looks for, and previews."""

    odoo: Odoo

    async def create(self, params: CreateInvoice, context: ActionContext) -> dict[str, Json]:
        key = planted_key(context.idempotency_key)
        async with self.odoo.session(context.credentials) as session:
            invoice_id = await self._find(session, key)
            created = invoice_id is None
            if invoice_id is None:
                invoice_id = await session.create("account.move", await self._values(session, params, context, key))
            return await self._posted(session, invoice_id, params, created=created)

    async def look_up(self, params: CreateInvoice, context: ActionContext) -> LookUp:
        """Whether an earlier attempt made it. What was still to be done to it is done here: that can be repeated."""
        key = planted_key(context.idempotency_key)
        invoice_id = await found_later(self.odoo, context.credentials, lambda session: self._find(session, key))
        if invoice_id is None:
            return LookUp(happened=False)
        async with self.odoo.session(context.credentials) as session:
            return LookUp(True, await self._posted(session, invoice_id, params, created=True))

    async def preview(self, params: CreateInvoice, context: ActionContext) -> str:
        return await documents.or_why_not(self._document(params, context))

    async def _document(self, params: CreateInvoice, context: ActionContext) -> str:
        async with self.odoo.session(context.credentials) as session:
            partner = await directory.customer(session, params.customer_id, params.customer_email, params.customer_name)
            currency = await self._currency(session, params)
            reckoned = await quote(session, params.items, currency, partner.id)
            issuer = (await session.company()).name
        return invoice_text(params, partner, reckoned, issuer=issuer, today=_today(context))

    async def _find(self, session: Session, key: str) -> int | None:
        await session.fields_of("account.move", "Invoicing")
        domain = [["move_type", "=", "out_invoice"], [self.odoo.settings.key_field, "=", key]]
        rows = await session.search_read("account.move", domain, ["state"], limit=1)
        return int(rows[0]["id"]) if rows else None

    async def _currency(self, session: Session, params: CreateInvoice) -> Currency:
        return await session.currency(params.currency) if params.currency else (await session.company()).currency

    async def _values(
        self, session: Session, params: CreateInvoice, context: ActionContext, key: str
    ) -> dict[str, Any]:
        partner = await directory.customer(session, params.customer_id, params.customer_email, params.customer_name)
        currency = await self._currency(session, params)
        lines = await lines_of(session, params.items)
        values: dict[str, Any] = {
            "move_type": "out_invoice",
            "partner_id": partner.id,
            "invoice_date": params.invoice_date or _today(context),
            "invoice_line_ids": [[0, 0, line.values()] for line in lines],
        }
        more = {"invoice_date_due": params.due_date, "ref": params.reference, "narration": _as_html(params.note or "")}
        values |= {name: value for name, value in more.items() if value}
        if params.due_date:
            values["invoice_payment_term_id"] = False  # the customer's terms would reckon another date
        if params.currency:
            values["currency_id"] = currency.id
        if self.odoo.settings.company_id:
            values["company_id"] = self.odoo.settings.company_id
        return values | {self.odoo.settings.key_field: key}

    async def _posted(
        self, session: Session, invoice_id: int, params: CreateInvoice, *, created: bool
    ) -> dict[str, Json]:
        row = await invoice_row(session, invoice_id)
        if params.post and row["state"] == "draft":
            why = ""
            try:
                await session.press("account.move", "action_post", [invoice_id])
            except (RefusedError, RightsError) as error:
                why = f": {error.message}"
            row = await invoice_row(session, invoice_id)
            if row["state"] != "posted":
                raise ActionError(
                    f"the invoice {invoice_id} is in Odoo, as a draft; it could not be posted{why}",
                    where=link(self.odoo, "account.move", invoice_id),
                    hint="open it there, see what it lacks, and post or delete it",
                )
        return invoice_result(self.odoo, row, created=created)


def create_invoice(odoo: Odoo) -> ActionHandler:
    """The action on this server."""
    invoicing = Invoicing(odoo)
    return ActionHandler(
        name="create_invoice",
        params=CreateInvoice,
        run=invoicing.create,
        look_up=invoicing.look_up,
        preview=invoicing.preview,
        facts=_facts,
        result=Invoice,
        summary="make an invoice in Odoo, as a draft or posted",
        example={
            "customer_email": "customer@example.com",
            "items": [{"name": "Consulting, January", "quantity": 40, "price": 125}],
            "reference": "PO-2026-017",
        },
        note_kind="INVOICE",
        locked_fields=frozenset({"customer_id", "customer_email", "customer_name", "items", "currency", "reference"}),
        touches=odoo.settings.servers,
    )


async def invoice_row(session: Session, invoice_id: int) -> Row:
    """An invoice as it stands."""
    await session.fields_of("account.move", "Invoicing")
    rows = await session.read("account.move", [invoice_id], [*INVOICE_FIELDS, "move_type"])
    if not rows or rows[0]["move_type"] != "out_invoice":
        raise ActionError(
            f"there is no customer invoice with the id {invoice_id} in Odoo",
            where="invoice_id",
            hint="take the id from the event's data (invoice_id) or from the result of create_invoice",
        )
    return rows[0]


def invoice_result(odoo: Odoo, row: Row, **more: Json) -> dict[str, Json]:
    """What an action says of an invoice."""
    partner = row["partner_id"] or [None, ""]
    return {
        "invoice_id": row["id"],
        "invoice_number": invoice_number(row),
        "state": row["state"],
        "payment_state": row["payment_state"] or "not_paid",
        "customer_id": partner[0],
        "customer_name": partner[1],
        "amount": number(decimal(row["amount_total"])),
        "amount_untaxed": number(decimal(row["amount_untaxed"])),
        "amount_due": number(decimal(row["amount_residual"])),
        "currency": row["currency_id"][1],
        "invoice_date": row["invoice_date"] or None,
        "due_date": row["invoice_date_due"] or None,
        "link": link(odoo, "account.move", row["id"]),
        **more,
    }


def invoice_number(row: Row) -> str | None:
    """Its number; None before it is posted: up to 18 the first draft shows the one it may get, and 19 shows none."""
    return row["name"] if row["state"] != "draft" and row["name"] not in (False, "/") else None


def link(odoo: Odoo, model: str, record_id: int) -> str:
    """Where a person opens a record, in every version."""
    return f"{odoo.settings.url}/mail/view?model={model}&res_id={record_id}"


def invoice_text(params: CreateInvoice, partner: Partner, reckoned: Quote, *, issuer: str, today: date) -> str:
    """The invoice as text."""
    currency = reckoned.currency
    day = params.invoice_date or today
    due = str(params.due_date) if params.due_date else "by the customer's payment terms"
    lines = documents.heading(
        "Invoice" if params.post else "Invoice (left as a draft in Odoo)",
        ("From", issuer),
        ("To", f"{partner.name} (customer {partner.id})"),
        ("E-mail", partner.email),
        ("Date", str(day)),
        ("Due", due),
        ("Reference", params.reference or ""),
    )
    cells = [
        (
            line.item.name,
            f"{line.item.quantity.normalize():f}",
            f"{line.item.price:,f}" + (f" -{line.item.discount.normalize():f}%" if line.item.discount else ""),
            currency.shown(line.price(currency)),
        )
        for line in reckoned.lines
    ]
    lines += ["", *documents.table(("What", "Quantity", "Price", "Amount"), cells), ""]
    lines += documents.totals(_sums(reckoned))
    if params.note:
        lines += ["", params.note]
    return "\n".join(lines)


def _sums(reckoned: Quote) -> list[tuple[str, str]]:
    shown = reckoned.currency.shown
    sums = [("Net", shown(reckoned.net))]
    if reckoned.taxes is None or reckoned.total is None:
        return [*sums, ("Taxes and total", "as Odoo reckons them for this customer")]
    sums += [(name, shown(amount)) for name, amount in reckoned.taxes.items()]
    return [*sums, ("Total", shown(reckoned.total))]


def _as_html(text: str) -> str:
    """The field of that text is HTML."""
    return html.escape(text, quote=False).replace("\n", "<br>")


def _today(context: ActionContext) -> date:
    return context.now.astimezone(context.timezone).date()


def _facts(params: CreateInvoice, context: ActionContext) -> dict[str, Json]:
    """For approval rules: the sum of the lines before taxes, as ``amount``."""
    total = sum((one.quantity * one.price * (100 - one.discount) / 100 for one in params.items), Decimal(0))
    return {"amount": float(total), "lines": len(params.items)}
