"""The action ``record_expense``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aie.actions import ActionContext, ActionHandler, LookUp
from aie.errors import ActionError
from aie.plain import Json
from aie.touches import Touches
from aie_odoo import directory, documents, receipts
from aie_odoo.client import Odoo, Row, Session
from aie_odoo.faults import RightsError
from aie_odoo.invoices import link
from aie_odoo.keys import found_later, planted_key
from aie_odoo.money import Currency, decimal, number

MODEL = "hr.expense"
AMOUNT_FIELDS = ("total_amount_currency", "total_amount", "price_unit_currency", "unit_amount")
"""Where the amount goes, best first: 17 and later, 16, a change that is under way, up to 15."""

EXPENSE_FIELDS = ("name", "date", "employee_id", "product_id", "currency_id", "payment_mode", "state", "company_id")


class RecordExpense(BaseModel):
    """Money that was spent."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    name: str = Field(min_length=1, description="what it was for", examples=["Team lunch"])
    amount: Annotated[Decimal, Field(gt=0, le=10**12, max_digits=18)] = Field(
        description="the total, taxes included", examples=[62.5]
    )
    date: dt.date | None = Field(default=None, description="when it was spent; today if left out")
    product_id: int | None = Field(default=None, ge=0, description="the category's id in Odoo")
    product: str | None = Field(
        default=None,
        description="or its code or name, such as FOOD or Meals; the usual one of the settings if left out",
    )
    employee_id: int | None = Field(default=None, ge=0, description="who spent it, by their id in Odoo")
    employee: str | None = Field(default=None, description="or by work address or name; aie's own user if left out")
    currency: str | None = Field(default=None, description="a code such as EUR; the company's if left out")
    payment_mode: Literal["own_account", "company_account"] = Field(
        default="own_account", description="whose money it was: the employee's, to be paid back, or the company's"
    )
    description: str | None = Field(default=None, description="a remark")
    receipt: str | None = Field(default=None, description="a file in the vault", examples=["Receipts/lunch.pdf"])


class Expense(BaseModel):
    """An expense as it stands in Odoo."""

    expense_id: int = Field(description="its id in Odoo")
    created: bool = Field(description="false when an earlier attempt had made it")
    name: str = Field(description="what it was for")
    amount: int | float = Field(description="the total, taxes included")
    currency: str = Field(description="its code, such as EUR")
    date: str | None = Field(description="when it was spent, YYYY-MM-DD")
    employee: str = Field(description="who spent it; '' if nobody is named")
    employee_id: int | None = Field(description="their id in Odoo")
    category: str | None = Field(description="what kind of expense it is, as Odoo shows it")
    payment_mode: str = Field(description="own_account: the employee gets it back; company_account: the company paid")
    state: str = Field(description="as this version of Odoo calls it: draft, submitted, approved, …")
    link: str = Field(description="where a person opens it")


@dataclass(frozen=True, slots=True)
class Recording:
    """Records, looks for, and previews."""

    odoo: Odoo

    async def record(self, params: RecordExpense, context: ActionContext) -> dict[str, Json]:
        receipt = await receipts.read_receipt(context.vault, params.receipt) if params.receipt else b""
        key = planted_key(context.idempotency_key)
        async with self.odoo.session(context.credentials) as session:
            expense_id = await _find(session, key)
            created = expense_id is None
            if expense_id is None:
                expense_id = await session.create(MODEL, await self._values(session, params, context, key))
            return await self._complete(session, expense_id, params, receipt, created=created)

    async def look_up(self, params: RecordExpense, context: ActionContext) -> LookUp:
        """Whether an earlier attempt made it; a receipt that is not attached yet is attached."""
        key = planted_key(context.idempotency_key)
        expense_id = await found_later(self.odoo, context.credentials, lambda session: _find(session, key))
        if expense_id is None:
            return LookUp(happened=False)
        receipt = await receipts.read_receipt(context.vault, params.receipt) if params.receipt else b""
        async with self.odoo.session(context.credentials) as session:
            return LookUp(True, await self._complete(session, expense_id, params, receipt, created=True))

    async def preview(self, params: RecordExpense, context: ActionContext) -> str:
        return await documents.or_why_not(self._document(params, context))

    async def _document(self, params: RecordExpense, context: ActionContext) -> str:
        async with self.odoo.session(context.credentials) as session:
            await amount_field(session)
            employee = await directory.employee(session, params.employee_id or params.employee)
            product = await self._product(session, params)
            currency = await _currency(session, params)
            company = (await session.company()).name
        paid_by = "the employee, to be paid back" if params.payment_mode == "own_account" else "the company"
        lines = documents.heading(
            "Expense",
            ("What for", params.name),
            ("Category", product["name"] if product else ""),
            ("Spent by", employee["name"]),
            ("Paid by", paid_by),
            ("Charged to", company),
            ("Date", str(params.date or _today(context))),
            ("Receipt", params.receipt or ""),
            ("Remark", params.description or ""),
        )
        return "\n".join([*lines, "", *documents.totals([("Total", currency.shown(params.amount))])])

    async def _product(self, session: Session, params: RecordExpense) -> Row | None:
        usual = self.odoo.settings.expense_product
        return await directory.expense_product(session, params.product_id, params.product, usual)

    async def _values(
        self, session: Session, params: RecordExpense, context: ActionContext, key: str
    ) -> dict[str, Any]:
        amount = await amount_field(session)
        employee = await directory.employee(session, params.employee_id or params.employee)
        product = await self._product(session, params)
        currency = await _currency(session, params)
        remark = f"{params.description}\n[{key}]" if params.description else f"[{key}]"
        values: dict[str, Any] = {
            "name": params.name,
            "employee_id": employee["id"],
            "date": params.date or _today(context),
            amount: currency.rounded(params.amount),
            "quantity": 1,
            "payment_mode": params.payment_mode,
            "description": remark,
        }
        if product is not None:
            values["product_id"] = product["id"]
        if params.currency:
            values["currency_id"] = currency.id
        return values

    async def _complete(
        self, session: Session, expense_id: int, params: RecordExpense, receipt: bytes, *, created: bool
    ) -> dict[str, Json]:
        if params.receipt:
            await receipts.attach(session, expense_id, params.receipt, receipt)
        row = await expense_row(session, expense_id)
        currency = await session.currency(row["currency_id"][0])
        if created and expense_amount(row) != currency.rounded(params.amount):
            raise ActionError(
                f"Odoo took the expense with {currency.shown(expense_amount(row))} in place of"
                f" {currency.shown(params.amount)}",
                where=link(self.odoo, MODEL, expense_id),
                hint="a category with a price of its own, such as mileage, reckons the amount: correct it there",
            )
        return expense_result(self.odoo, row, created=created)


def record_expense(odoo: Odoo) -> ActionHandler:
    """The action on this server."""
    recording = Recording(odoo)
    return ActionHandler(
        name="record_expense",
        params=RecordExpense,
        run=recording.record,
        look_up=recording.look_up,
        preview=recording.preview,
        facts=_facts,
        result=Expense,
        summary="record an expense in Odoo, with its receipt",
        example={"name": "Team lunch", "amount": 62.5, "date": "2026-02-09", "product": "FOOD"},
        note_kind="EXPENSE",
        title_field="name",
        locked_fields=frozenset({"amount", "currency", "employee", "employee_id", "payment_mode", "receipt"}),
        touches=odoo.settings.servers | Touches(folders=("the receipt a workflow names",)),
    )


async def expense_fields(session: Session) -> Mapping[str, Row]:
    """The fields that expenses have on this server; :class:`AbsentError` where the app is not installed."""
    return await session.fields_of(MODEL, "Expenses")


async def amount_field(session: Session) -> str:
    """The field that takes the amount, asked of the server: it differs by version."""
    there = await expense_fields(session)
    for name in AMOUNT_FIELDS:
        if name in there and not there[name].get("readonly"):
            return name
    raise RightsError(
        "the user may not record expenses", where=MODEL, hint="give the user a right to Expenses in Odoo (Users)"
    )


async def expense_row(session: Session, expense_id: int) -> Row:
    """An expense as it stands, with its ``amount`` in its own currency, and its report where there are reports."""
    rows = await session.read(MODEL, [expense_id], await readable_fields(session))
    if not rows:
        raise ActionError(
            f"there is no expense with the id {expense_id} in Odoo",
            where="expense_id",
            hint="take the id from the event's data (expense_id) or from the result of record_expense",
        )
    return rows[0]


async def readable_fields(session: Session) -> list[str]:
    """What is read of an expense on this server."""
    there = await expense_fields(session)
    amount = next(name for name in AMOUNT_FIELDS if name in there)
    return [*EXPENSE_FIELDS, amount, *(["sheet_id"] if "sheet_id" in there else [])]


def expense_amount(row: Row) -> Decimal:
    """The total in the expense's own currency."""
    return decimal(next(row[name] for name in AMOUNT_FIELDS if name in row))


def expense_result(odoo: Odoo, row: Row, **more: Json) -> dict[str, Json]:
    """What an action or an event says of an expense."""
    employee = row["employee_id"] or [None, ""]
    return {
        "expense_id": row["id"],
        "name": row["name"],
        "amount": number(expense_amount(row)),
        "currency": row["currency_id"][1],
        "date": row["date"] or None,
        "employee": employee[1],
        "employee_id": employee[0],
        "category": row["product_id"][1] if row["product_id"] else None,
        "payment_mode": row["payment_mode"],
        "state": row["state"],
        "link": link(odoo, MODEL, row["id"]),
        **more,
    }


async def _find(session: Session, key: str) -> int | None:
    await expense_fields(session)
    rows = await session.search_read(MODEL, [["description", "like", f"[{key}]"]], ["state"], limit=1)
    return int(rows[0]["id"]) if rows else None


async def _currency(session: Session, params: RecordExpense) -> Currency:
    return await session.currency(params.currency) if params.currency else (await session.company()).currency


def _today(context: ActionContext) -> dt.date:
    return context.now.astimezone(context.timezone).date()


def _facts(params: RecordExpense, context: ActionContext) -> dict[str, Json]:
    """For approval rules: ``amount`` as a number, whatever it was written as."""
    return {"amount": float(params.amount)}
