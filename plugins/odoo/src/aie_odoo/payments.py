"""The action ``register_payment``: money that came in for an invoice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from aie.actions import ActionContext, ActionHandler, LookUp
from aie.errors import ActionError
from aie.plain import Json
from aie_odoo import directory, documents
from aie_odoo.client import Odoo, Row, Session
from aie_odoo.invoices import PAID_STATES, Invoice, invoice_result, invoice_row
from aie_odoo.keys import found_later, planted_key
from aie_odoo.money import Currency, decimal


class RegisterPayment(BaseModel):
    """A payment of an invoice."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    invoice_id: int = Field(ge=0, description="the invoice's id in Odoo, as events and create_invoice tell it")
    amount: Annotated[Decimal, Field(gt=0, le=10**12, max_digits=18)] | None = Field(
        default=None, description="in the invoice's currency; all that is open if left out"
    )
    payment_date: date | None = Field(default=None, description="when it came in; today if left out")
    journal: str | None = Field(
        default=None, description="the bank or cash journal, by code or name; Odoo's usual one if left out"
    )
    memo: str | None = Field(default=None, description="a remark, such as the text on the bank statement")


class Payment(Invoice):
    """The invoice after the payment."""

    payment_id: int = Field(description="the payment's id in Odoo")


@dataclass(frozen=True, slots=True)
class Paying:
    """Registers, looks for, and previews."""

    odoo: Odoo

    async def register(self, params: RegisterPayment, context: ActionContext) -> dict[str, Json]:
        key = planted_key(context.idempotency_key)
        async with self.odoo.session(context.credentials) as session:
            payment_id = await self._find(session, key)
            created = payment_id is None
            if payment_id is None:
                payment_id = await self._pay(session, params, context, key)
            return await self._result(session, params, payment_id, created=created)

    async def look_up(self, params: RegisterPayment, context: ActionContext) -> LookUp:
        key = planted_key(context.idempotency_key)
        payment_id = await found_later(self.odoo, context.credentials, lambda session: self._find(session, key))
        if payment_id is None:
            return LookUp(happened=False)
        async with self.odoo.session(context.credentials) as session:
            return LookUp(True, await self._result(session, params, payment_id, created=True))

    async def preview(self, params: RegisterPayment, context: ActionContext) -> str:
        return await documents.or_why_not(self._document(params, context))

    async def _document(self, params: RegisterPayment, context: ActionContext) -> str:
        async with self.odoo.session(context.credentials) as session:
            row = await invoice_row(session, params.invoice_id)
            currency = await session.currency(row["currency_id"][0])
            amount = self._amount(params, row, currency)
        left = decimal(row["amount_residual"]) - amount
        lines = documents.heading(
            "Payment received",
            ("Invoice", str(row["name"] or params.invoice_id)),
            ("From", row["partner_id"][1] if row["partner_id"] else ""),
            ("Amount", currency.shown(amount)),
            ("Date", str(params.payment_date or context.now.astimezone(context.timezone).date())),
            ("Into", params.journal or "Odoo's usual bank or cash journal"),
            ("Remark", params.memo or ""),
            ("Still open after it", currency.shown(left)),
        )
        return "\n".join(lines)

    async def _pay(self, session: Session, params: RegisterPayment, context: ActionContext, key: str) -> int:
        row = await invoice_row(session, params.invoice_id)
        currency = await session.currency(row["currency_id"][0])
        memo = " ".join(part for part in (str(row["name"] or ""), params.memo or "", key) if part)
        values: dict[str, Any] = {
            "amount": self._amount(params, row, currency),
            "payment_date": params.payment_date or context.now.astimezone(context.timezone).date(),
            "communication": memo,
        }
        if params.journal:
            values["journal_id"] = (await directory.journal(session, params.journal))["id"]
        about = {"active_model": "account.move", "active_ids": [params.invoice_id]}
        wizard = await session.create("account.payment.register", values, context=about)
        await session.press("account.payment.register", "action_create_payments", [wizard], context=about)
        payment_id = await self._find(session, key)
        if payment_id is None:
            raise ActionError(
                "Odoo took the payment, and did not make one", where=str(params.invoice_id), hint="look in Odoo"
            )
        return payment_id

    def _amount(self, params: RegisterPayment, row: Row, currency: Currency) -> Decimal:
        open_amount = decimal(row["amount_residual"])
        amount = currency.rounded(params.amount if params.amount is not None else open_amount)
        if row["state"] != "posted" or not open_amount or row["payment_state"] in PAID_STATES:
            stands = row["payment_state"] if row["state"] == "posted" else row["state"]
            raise ActionError(
                f"there is nothing to pay of the invoice {row['name'] or params.invoice_id}: its state is {stands!r}",
                where="invoice_id",
                hint="look at it in Odoo",
            )
        if amount > open_amount:
            raise ActionError(
                f"{currency.shown(amount)} is more than the {currency.shown(open_amount)} that are open",
                where="amount",
                hint="register what belongs to this invoice, and the rest in Odoo",
            )
        return amount

    async def _find(self, session: Session, key: str) -> int | None:
        """The payment with this key in its memo, which is called ref up to 17."""
        there = await session.fields("account.payment") or {}
        name = "memo" if "memo" in there else "ref"
        rows = await session.search_read("account.payment", [[name, "like", key]], [name], limit=1)
        return int(rows[0]["id"]) if rows else None

    async def _result(
        self, session: Session, params: RegisterPayment, payment_id: int, *, created: bool
    ) -> dict[str, Json]:
        row = await invoice_row(session, params.invoice_id)
        return invoice_result(self.odoo, row, created=created, payment_id=payment_id)


def register_payment(odoo: Odoo) -> ActionHandler:
    """The action on this server."""
    paying = Paying(odoo)
    return ActionHandler(
        name="register_payment",
        params=RegisterPayment,
        run=paying.register,
        look_up=paying.look_up,
        preview=paying.preview,
        result=Payment,
        summary="register in Odoo that an invoice was paid, in full or in part",
        example={"invoice_id": 18, "amount": 500, "memo": "first half"},
        note_kind="INVOICE",
        locked_fields=frozenset({"invoice_id", "amount", "payment_date", "journal"}),
        touches=odoo.settings.servers,
    )
