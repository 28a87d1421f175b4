"""The actions ``find_customer`` and ``create_customer``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aie.actions import ActionContext, ActionHandler, Effect, LookUp
from aie.plain import Json
from aie_odoo import directory, documents
from aie_odoo.client import Odoo, Session
from aie_odoo.directory import Partner
from aie_odoo.invoices import link
from aie_odoo.keys import found_later, planted_key

MODEL = "res.partner"


class FindCustomer(BaseModel):
    """Whom to look for. All that is given is tried in this order, until something is found."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    customer_id: int | None = Field(default=None, ge=0, description="the id in Odoo")
    email: str | None = Field(default=None, description="the e-mail address")
    name: str | None = Field(default=None, description="the name, in full")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.customer_id is None and not self.email and not self.name:
            raise ValueError("give the customer_id, the email or the name")
        return self


class Customer(BaseModel):
    """The customer; nothing but ``found: false`` when there is none, or several."""

    found: bool = Field(description="whether there is exactly one")
    customer_id: int | None = Field(description="their id in Odoo")
    customer_name: str | None = Field(description="their name")
    customer_email: str | None = Field(description="their e-mail address")
    matches: int = Field(description="how many fit")
    link: str | None = Field(description="where a person opens it")


class CreateCustomer(BaseModel):
    """A new customer."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    name: str = Field(min_length=1, description="the name", examples=["Example Ltd"])
    email: str | None = Field(default=None, description="the e-mail address")
    phone: str | None = Field(default=None, description="the telephone number")
    street: str | None = Field(default=None, description="street and number")
    zip_code: str | None = Field(default=None, description="the postal code")
    city: str | None = Field(default=None, description="the place")
    country: str | None = Field(default=None, description="the country's code, such as DE", examples=["DE"])
    vat: str | None = Field(default=None, description="the VAT number")
    is_company: bool = Field(default=True, description="false for a private person")


class Created(Customer):
    """The customer that is there now."""

    created: bool = Field(description="false when the address was known already, or an earlier attempt had made it")


@dataclass(frozen=True, slots=True)
class Customers:
    """Finds, creates, looks for, and previews."""

    odoo: Odoo

    async def find(self, params: FindCustomer, context: ActionContext) -> dict[str, Json]:
        async with self.odoo.session(context.credentials) as session:
            found = await directory.customers(session, params.customer_id, params.email, params.name)
        return self._result(found[0] if len(found) == 1 else None, matches=len(found))

    async def create(self, params: CreateCustomer, context: ActionContext) -> dict[str, Json]:
        key = planted_key(context.idempotency_key)
        async with self.odoo.session(context.credentials) as session:
            partner_id = await self._find(session, key, params)
            created = partner_id is None
            if partner_id is None:
                partner_id = await session.create(MODEL, await self._values(session, params, key))
            partner = await directory.customer(session, partner_id)
        return self._result(partner, matches=1, created=created)

    async def look_up(self, params: CreateCustomer, context: ActionContext) -> LookUp:
        key = planted_key(context.idempotency_key)
        partner_id = await found_later(self.odoo, context.credentials, lambda session: self._find(session, key, params))
        if partner_id is None:
            return LookUp(happened=False)
        async with self.odoo.session(context.credentials) as session:
            partner = await directory.customer(session, partner_id)
        return LookUp(True, self._result(partner, matches=1, created=True))

    async def _find(self, session: Session, key: str, params: CreateCustomer) -> int | None:
        """A customer with this key among the notes, or else with this address."""
        rows = await session.search_read(MODEL, [["comment", "like", key]], ["name"], limit=1, archived=True)
        if rows:
            return int(rows[0]["id"])
        known = await directory.customers(session, email=params.email) if params.email else []
        return known[0].id if known else None

    async def _values(self, session: Session, params: CreateCustomer, key: str) -> dict[str, Any]:
        values: dict[str, Any] = {"name": params.name, "is_company": params.is_company, "comment": key}
        more = {
            "email": params.email,
            "phone": params.phone,
            "street": params.street,
            "zip": params.zip_code,
            "city": params.city,
            "vat": params.vat,
        }
        values |= {name: value for name, value in more.items() if value}
        if params.country:
            values["country_id"] = (await directory.country(session, params.country))["id"]
        if self.odoo.settings.company_id:
            values["company_id"] = self.odoo.settings.company_id
        return values

    def _result(self, partner: Partner | None, **more: Json) -> dict[str, Json]:
        return {
            "found": partner is not None,
            "customer_id": partner.id if partner else None,
            "customer_name": partner.name if partner else None,
            "customer_email": (partner.email or None) if partner else None,
            "link": link(self.odoo, MODEL, partner.id) if partner else None,
            **more,
        }


def find_customer(odoo: Odoo) -> ActionHandler:
    """The action on this server. It changes nothing, and asks nobody."""
    return ActionHandler(
        name="find_customer",
        params=FindCustomer,
        run=Customers(odoo).find,
        result=Customer,
        summary="look up a customer in Odoo by id, address or name",
        example={"email": "customer@example.com"},
        effect=Effect.NONE,
        repeatable=True,
        touches=odoo.settings.servers,
    )


def create_customer(odoo: Odoo) -> ActionHandler:
    """The action on this server."""
    customers = Customers(odoo)
    return ActionHandler(
        name="create_customer",
        params=CreateCustomer,
        run=customers.create,
        look_up=customers.look_up,
        preview=_preview,
        result=Created,
        summary="make a new customer in Odoo, unless the address is known there",
        example={"name": "Example Ltd", "email": "customer@example.com", "city": "Berlin"},
        note_kind="CUSTOMER",
        title_field="name",
        touches=odoo.settings.servers,
    )


def _preview(params: CreateCustomer, context: ActionContext) -> str:
    place = " ".join(part for part in (params.zip_code, params.city, params.country) if part)
    lines = documents.heading(
        "New customer",
        ("Name", params.name),
        ("Kind", "company" if params.is_company else "private person"),
        ("E-mail", params.email or ""),
        ("Telephone", params.phone or ""),
        ("Street", params.street or ""),
        ("Place", place),
        ("VAT number", params.vat or ""),
    )
    return "\n".join(lines)
