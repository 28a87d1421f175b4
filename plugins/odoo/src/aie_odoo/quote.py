"""A quote: what an invoice will come to, reckoned as Odoo reckons it, before anything is created."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from aie_odoo import directory
from aie_odoo.client import Row, Session
from aie_odoo.money import Currency, decimal

Amount = Annotated[Decimal, Field(ge=-(10**12), le=10**12, max_digits=18)]


class Item(BaseModel):
    """One line of an invoice. More may be there, such as the lines of an event carry, and is not used."""

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)

    name: str = Field(min_length=1, description="what it is for", examples=["Consulting, January"])
    quantity: Amount = Field(default=Decimal(1), description="how many", examples=[40])
    price: Amount = Field(description="the price of one, before taxes", examples=[125])
    product_id: int | None = Field(default=None, ge=0, description="the product's id in Odoo", examples=[12])
    product: str | None = Field(default=None, description="or its code or name", examples=["CONS"])
    taxes: list[int | str] | None = Field(
        default=None, description="taxes by name or id; none given: those Odoo has for the product; []: no taxes"
    )
    discount: Annotated[Decimal, Field(ge=0, le=100)] = Field(default=Decimal(0), description="percent off")


@dataclass(frozen=True, slots=True)
class Line:
    """An item, with what was found for it. ``named`` None: it names no taxes, and Odoo chooses them."""

    item: Item
    product: Row | None
    named: list[Row] | None

    def values(self) -> dict[str, Any]:
        """The line as ``account.move.line`` takes it. Keys without a value stay away: Odoo fills them in."""
        values: dict[str, Any] = {
            "name": self.item.name,
            "quantity": self.item.quantity,
            "price_unit": self.item.price,
        }
        if self.item.discount:
            values["discount"] = self.item.discount
        if self.product is not None:
            values["product_id"] = self.product["id"]
        if self.named is not None:
            values["tax_ids"] = [[6, 0, [tax["id"] for tax in self.named]]]
        return values

    def price(self, currency: Currency) -> Decimal:
        """Quantity times price, less the discount; taxes that are in the price are still in it."""
        return currency.rounded(self.item.quantity * self.item.price * (100 - self.item.discount) / 100)


@dataclass(frozen=True, slots=True)
class Quote:
    """Lines and sums. ``taxes`` None: they cannot be foreseen, only Odoo can say."""

    currency: Currency
    lines: Sequence[Line]
    net: Decimal
    taxes: Mapping[str, Decimal] | None

    @property
    def total(self) -> Decimal | None:
        return None if self.taxes is None else self.net + sum(self.taxes.values(), Decimal(0))


async def lines_of(session: Session, items: Sequence[Item]) -> list[Line]:
    """The items with the products and taxes they name."""
    lines = []
    for item in items:
        product = await directory.product(session, item.product_id, item.product)
        named = None if item.taxes is None else await directory.sale_taxes(session, item.taxes)
        lines.append(Line(item, product, named))
    return lines


async def quote(session: Session, items: Sequence[Item], currency: Currency, partner_id: int) -> Quote:
    """The lines and the sums, with the taxes that Odoo is going to choose where none are named."""
    lines = await lines_of(session, items)
    mapped = await _taxes_are_mapped(session, partner_id)
    taxes = [line.named if line.named is not None else await _usual_taxes(session, line, mapped) for line in lines]
    net, sums = _reckoned(list(zip(lines, taxes, strict=True)), currency)
    return Quote(currency, lines, net, sums)


async def _usual_taxes(session: Session, line: Line, mapped: bool) -> list[Row] | None:
    """The taxes of the line's product; None where others may be put in their place."""
    if line.product is None or not line.product["taxes_id"]:
        return []
    if mapped:
        return None
    company = await session.company()
    return await directory.taxes(session, [["id", "in", line.product["taxes_id"]], ["company_id", "=", company.id]])


async def _taxes_are_mapped(session: Session, partner_id: int) -> bool:
    """Whether a fiscal position may change the products' taxes for this customer."""
    there = await session.fields("res.partner") or {}
    if "property_account_position_id" not in there:
        return False
    rows = await session.read("res.partner", [partner_id], ["property_account_position_id"])
    return bool(rows and rows[0]["property_account_position_id"])


def _reckoned(
    lines: Sequence[tuple[Line, list[Row] | None]], currency: Currency
) -> tuple[Decimal, dict[str, Decimal] | None]:
    """The sum before taxes, and each tax, rounded line by line; None for taxes of a kind that only Odoo reckons."""
    net = Decimal(0)
    sums: dict[str, Decimal] = {}
    foreseen = all(taxes is not None and all(_is_simple(tax) for tax in taxes) for _, taxes in lines)
    for line, found in lines:
        taxes = (found or []) if foreseen else []
        included = sum((decimal(tax["amount"]) for tax in taxes if tax.get("price_include")), Decimal(0))
        base = currency.rounded(line.price(currency) * 100 / (100 + included))
        net += base
        for tax in taxes:
            rate = decimal(tax["amount"])
            part = base * rate / 100 if tax["amount_type"] == "percent" else line.item.quantity * rate
            sums[tax["name"]] = sums.get(tax["name"], Decimal(0)) + currency.rounded(part)
    return net, sums if foreseen else None


def _is_simple(tax: Row) -> bool:
    return tax["amount_type"] == "percent" or (tax["amount_type"] == "fixed" and not tax.get("price_include"))
