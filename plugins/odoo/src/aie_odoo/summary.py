"""The action ``financial_summary``: what was invoiced, what came in, what is open and overdue."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aie.actions import ActionContext, ActionHandler, Effect
from aie.plain import Json
from aie_odoo.client import Domain, Odoo, Session
from aie_odoo.money import Currency, decimal, number

FIELDS = ("amount_total_signed", "amount_residual_signed", "invoice_date_due", "move_type")
SALES: Domain = (["move_type", "in", ["out_invoice", "out_refund"]], ["state", "=", "posted"])


class FinancialSummary(BaseModel):
    """Which time it is about."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    period: Literal["today", "this_week", "this_month", "last_month", "this_year", "last_year"] = Field(
        default="this_month", description="the days whose invoices are counted, in the vault's time zone"
    )
    date_from: dt.date | None = Field(default=None, description="or from this day")
    date_to: dt.date | None = Field(default=None, description="to this day, which is counted in")

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.date_from is None) != (self.date_to is None):
            raise ValueError("give date_from and date_to, or neither")
        if self.date_from is not None and self.date_to is not None and self.date_from > self.date_to:
            raise ValueError("date_from is after date_to")
        return self


class Sum(BaseModel):
    """How many invoices, and how much."""

    count: int = Field(description="how many invoices")
    amount: int | float = Field(description="how much money")


class Summary(BaseModel):
    """All amounts in the company's currency, taxes included; credit notes are taken off."""

    company: str = Field(description="whose invoices these are")
    currency: str = Field(description="the code of the currency of all amounts")
    date_from: str = Field(description="the first day that counts, YYYY-MM-DD")
    date_to: str = Field(description="the last, which counts too")
    posted: Sum = Field(description="invoices dated in the period")
    paid: Sum = Field(description="of these, the ones that are paid in full, and all that was paid of any of them")
    open: Sum = Field(description="invoices of any time that are not paid in full, and what is still open of them")
    overdue: Sum = Field(description="of the open ones, those whose due date is past")
    text: str = Field(description="the same in a few lines of Markdown, for a briefing")


@dataclass(slots=True)
class Tally:
    """A sum as it grows."""

    count: int = 0
    amount: Decimal = field(default_factory=Decimal)

    def add(self, amount: Decimal, *, counted: bool) -> None:
        self.count += counted
        self.amount += amount


@dataclass(frozen=True, slots=True)
class Tallies:
    """The four sums."""

    posted: Tally = field(default_factory=Tally)
    paid: Tally = field(default_factory=Tally)
    open: Tally = field(default_factory=Tally)
    overdue: Tally = field(default_factory=Tally)


@dataclass(frozen=True, slots=True)
class Summing:
    """Reads and adds up. It does not let the server group: how that is asked for differs by version."""

    odoo: Odoo

    async def __call__(self, params: FinancialSummary, context: ActionContext) -> dict[str, Json]:
        today = context.now.astimezone(context.timezone).date()
        begin, end = params.date_from, params.date_to
        if begin is None or end is None:
            begin, end = days_of(params.period, today)
        async with self.odoo.session(context.credentials) as session:
            company = await session.company()
            sums = await self._sums(session, begin, end, today)
        told: dict[str, Json] = {
            "company": company.name,
            "currency": company.currency.name,
            "date_from": begin.isoformat(),
            "date_to": end.isoformat(),
        }
        for name in ("posted", "paid", "open", "overdue"):
            tally: Tally = getattr(sums, name)
            told[name] = {"count": tally.count, "amount": number(company.currency.rounded(tally.amount))}
        return told | {"text": _text(sums, company.currency, begin, end)}

    async def _sums(self, session: Session, begin: dt.date, end: dt.date, today: dt.date) -> Tallies:
        await session.fields_of("account.move", "Invoicing")
        sums = Tallies()
        company = await session.company()
        own = [*SALES, ["company_id", "=", company.id]]
        dated = [["invoice_date", ">=", begin.isoformat()], ["invoice_date", "<=", end.isoformat()]]
        async for rows in session.pages("account.move", [*own, *dated], FIELDS):
            for row in rows:
                invoice = row["move_type"] == "out_invoice"
                total, left = decimal(row["amount_total_signed"]), decimal(row["amount_residual_signed"])
                sums.posted.add(total, counted=invoice)
                sums.paid.add(total - left, counted=invoice and not left)
        async for rows in session.pages("account.move", [*own, ["amount_residual_signed", "!=", 0]], FIELDS):
            for row in rows:
                invoice, left = row["move_type"] == "out_invoice", decimal(row["amount_residual_signed"])
                sums.open.add(left, counted=invoice)
                if row["invoice_date_due"] and dt.date.fromisoformat(row["invoice_date_due"]) < today:
                    sums.overdue.add(left, counted=invoice)
        return sums


def financial_summary(odoo: Odoo) -> ActionHandler:
    """The action on this server. It changes nothing, and asks nobody."""
    return ActionHandler(
        name="financial_summary",
        params=FinancialSummary,
        run=Summing(odoo).__call__,
        result=Summary,
        summary="what was invoiced and paid in a period, and what is open and overdue",
        example={"period": "last_month"},
        effect=Effect.NONE,
        repeatable=True,
        touches=odoo.settings.servers,
    )


def days_of(period: str, today: dt.date) -> tuple[dt.date, dt.date]:
    """The first and the last day of a period by its name."""
    month = today.replace(day=1)
    year = month.replace(month=1)
    match period:
        case "today":
            return today, today
        case "this_week":
            monday = today - dt.timedelta(days=today.weekday())
            return monday, monday + dt.timedelta(days=6)
        case "last_month":
            last = month - dt.timedelta(days=1)
            return last.replace(day=1), last
        case "this_year":
            return year, year.replace(month=12, day=31)
        case "last_year":
            return year.replace(year=year.year - 1), year - dt.timedelta(days=1)
    return month, (month + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)


def _text(sums: Tallies, currency: Currency, begin: dt.date, end: dt.date) -> str:
    lines = (
        (f"Invoiced {begin} to {end}", sums.posted),
        ("Of these paid", sums.paid),
        ("Open", sums.open),
        ("Overdue", sums.overdue),
    )
    return "\n".join(f"- {name}: {currency.shown(tally.amount)} ({tally.count})" for name, tally in lines)
