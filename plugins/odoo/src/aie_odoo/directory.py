"""The directory: which customer, product, tax, journal or employee a person means. Never a guess: one, or an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aie_odoo.client import Row, Session
from aie_odoo.faults import AbsentError, RefusedError

AMBIGUOUS = 6  # how many are read to name them


@dataclass(frozen=True, slots=True)
class Partner:
    """A customer, with the addresses Odoo has, separated by commas; '' when there is none."""

    id: int
    name: str
    email: str = ""


async def customer(
    session: Session, customer_id: int | None = None, email: str | None = None, name: str | None = None
) -> Partner:
    """The customer with this id, else this address, else this name; :class:`AbsentError` when there is none."""
    found = await customers(session, customer_id, email, name)
    said = customer_id or email or name
    if not found:
        raise AbsentError(
            f"Odoo has no customer {said!r}", where="customer", hint="see how it is written there, or create_customer"
        )
    if len(found) > 1:
        raise RefusedError(
            f"several customers are meant by {said!r}: " + ", ".join(f"{one.name} (id {one.id})" for one in found),
            where="customer",
            hint="give the customer_id",
        )
    return found[0]


async def customers(
    session: Session, customer_id: int | None = None, email: str | None = None, name: str | None = None
) -> list[Partner]:
    """All that fit. Of a company and its contacts with one address, the company."""
    if customer_id is not None:
        rows = await session.read("res.partner", [customer_id], ["name", "email"])
        return [_partner(row) for row in rows]
    fields = ["name", "email", "parent_id"]
    rows = []
    if email:
        domain = [["email_normalized", "=", email.strip().lower()]]
        rows = await session.search_read("res.partner", domain, fields, limit=AMBIGUOUS)
    if not rows and name:
        domain = [["name", "=ilike", _literally(name.strip())]]
        rows = await session.search_read("res.partner", domain, fields, limit=AMBIGUOUS)
    heads = [row for row in rows if not row["parent_id"]]
    return [_partner(row) for row in (heads if len(heads) == 1 else rows)]


async def product(session: Session, product_id: int | None, said: str | None) -> Row | None:
    """A product by its id, else its code, else its name: name, taxes_id; None if none is named."""
    fields = ["name", "default_code", "taxes_id"]
    if product_id is not None:
        rows = await session.read("product.product", [product_id], fields)
    elif said:
        rows = await session.search_read("product.product", [["default_code", "=", said]], fields, limit=AMBIGUOUS)
        rows = rows or await session.search_read(
            "product.product", [["name", "=ilike", _literally(said)]], fields, limit=AMBIGUOUS
        )
    else:
        return None
    return _one(rows, "product", product_id if product_id is not None else said)


async def sale_taxes(session: Session, wanted: Sequence[int | str]) -> list[Row]:
    """Taxes on sales by id or name."""
    company = await session.company()
    rows = await taxes(session, [["type_tax_use", "=", "sale"], ["company_id", "=", company.id]]) if wanted else []
    return [_one([row for row in rows if said in (row["id"], row["name"])], "tax", said) for said in wanted]


async def taxes(session: Session, domain: Sequence[Any]) -> list[Row]:
    """Taxes with what is needed to reckon with them."""
    there = await session.fields_of("account.tax", "Invoicing")
    fields = [name for name in ("name", "amount", "amount_type", "price_include") if name in there]
    return await session.search_read("account.tax", domain, fields)


async def journal(session: Session, said: str) -> Row:
    """A bank or cash journal by its code or name."""
    rows = await session.search_read("account.journal", [["type", "in", ["bank", "cash"]]], ["code", "name"])
    return _one([row for row in rows if said.strip() in (row["code"], row["name"])], "bank or cash journal", said)


async def employee(session: Session, said: int | str | None) -> Row:
    """An employee by id, work address or name; None: the user's own."""
    fields = ["name", "work_email", "company_id"]
    if said is None:
        rows = await session.search_read("hr.employee", [["user_id", "=", session.uid]], fields)
        if not rows:
            raise AbsentError(
                "no employee belongs to aie's user in Odoo",
                where="employee",
                hint="name the employee, or link one to the user: Odoo, Employees, HR Settings, Related User",
            )
        return rows[0]
    if isinstance(said, int):
        return _one(await session.read("hr.employee", [said], fields), "employee", said)
    exact = _literally(said.strip())
    domain = ["|", ["work_email", "=ilike", exact], ["name", "=ilike", exact]]
    return _one(await session.search_read("hr.employee", domain, fields, limit=AMBIGUOUS), "employee", said)


async def expense_product(session: Session, product_id: int | None, said: str | None, usual: str) -> Row | None:
    """A category of expenses; the usual one where none is named, if it is there."""
    expensed = ["can_be_expensed", "=", True]
    fields = ["name", "default_code"]
    if product_id is not None:
        return _one(await session.read("product.product", [product_id], fields), "product", product_id)
    if not said:
        domain = [expensed, ["default_code", "=", usual]]
        rows = await session.search_read("product.product", domain, fields, limit=1) if usual else []
        return rows[0] if rows else None
    domain = [expensed, "|", ["default_code", "=", said], ["name", "=ilike", _literally(said)]]
    return _one(await session.search_read("product.product", domain, fields, limit=AMBIGUOUS), "expense category", said)


def _one(rows: Sequence[Row], what: str, said: object) -> Row:
    if not rows:
        raise AbsentError(f"Odoo has no {what} {said!r}", where=what, hint="see how it is written in Odoo")
    if len(rows) > 1:
        names = ", ".join(f"{row['name']} (id {row['id']})" for row in rows)
        raise RefusedError(f"several of the kind {what} are meant by {said!r}: {names}", where=what, hint="give the id")
    return rows[0]


def _partner(row: Row) -> Partner:
    return Partner(int(row["id"]), str(row["name"] or ""), addresses(row["email"]))


def addresses(email: str | bool) -> str:
    """What Odoo has under e-mail, which may be several, separated by commas; '' for none."""
    return ", ".join(part.strip() for part in str(email or "").replace(";", ",").split(",") if part.strip())


def _literally(text: str) -> str:
    """For ``=ilike``: the same text whatever the case, with no character standing for others."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def country(session: Session, code: str) -> Row:
    """A country by its code."""
    rows = await session.search_read("res.country", [["code", "=", code.strip().upper()]], ["name"])
    return _one(rows, "country", code)
