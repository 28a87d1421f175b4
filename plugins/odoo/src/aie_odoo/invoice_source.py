"""The source ``odoo.invoices``: invoices that come to be, are posted, are paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aie.events import Event, EventType
from aie.plain import Json
from aie.sources import EventSource
from aie_odoo.client import Odoo, Row, Session
from aie_odoo.directory import addresses
from aie_odoo.event_types import INVOICE_PAID, INVOICE_POSTED
from aie_odoo.invoices import INVOICE_FIELDS, PAID_STATES, invoice_result
from aie_odoo.money import Currency, decimal, number
from aie_odoo.polling import Poller, Watched, company_domain, event
from aie_odoo.watch import ENDED, NEW, Change

MODEL = "account.move"
DRAFT, POSTED, PAID, CANCELLED, REVERSED = "draft", "posted", "paid", "cancel", "reversed"
LINE_FIELDS = (
    *("move_id", "display_type", "name", "product_id", "quantity", "price_unit", "discount"),
    *("price_subtotal", "price_total"),
)
NO_LINE = ("line_section", "line_subsection", "line_note")


@dataclass(frozen=True, slots=True)
class InvoiceEvents:
    """Turns changes of invoices into events, with the whole invoice as their data."""

    odoo: Odoo

    async def __call__(self, session: Session, changes: Sequence[Change]) -> list[Event]:
        kinds = {change.record.id: kinds_of(change, self.odoo.settings.invoice_created_when) for change in changes}
        data = await self._data(session, [record_id for record_id, told in kinds.items() if told])
        return [
            event(self.odoo, kind, change, MODEL, kind, data[change.record.id])
            for change in changes
            for kind in kinds[change.record.id]
            if change.record.id in data  # deleted between two reads: there is nothing to tell of it
        ]

    async def _data(self, session: Session, ids: Sequence[int]) -> dict[int, dict[str, Json]]:
        """The invoices with these ids, lines and addresses included."""
        fields = (
            *(*INVOICE_FIELDS, "invoice_line_ids", "company_id", "company_currency_id", "amount_total_signed"),
            *("ref", "invoice_origin", "commercial_partner_id"),
        )
        rows = await session.read(MODEL, ids, fields)
        lines = await session.read("account.move.line", _ids(rows, "invoice_line_ids"), LINE_FIELDS)
        partners = {row["partner_id"][0] for row in rows if row["partner_id"]}
        partners |= {row["commercial_partner_id"][0] for row in rows if row["commercial_partner_id"]}
        emails = {row["id"]: row["email"] for row in await session.read("res.partner", partners, ["email"])}
        data = {}
        for row in rows:
            currency = await session.currency(row["currency_id"][0])
            items: list[Json] = [item(line) for line in lines if line["move_id"][0] == row["id"] and _counts(line)]
            data[int(row["id"])] = self._invoice(row, items, _address(row, emails), currency)
        return data

    def _invoice(self, row: Row, items: list[Json], email: str | None, currency: Currency) -> dict[str, Json]:
        total = decimal(row["amount_total"])
        return invoice_result(
            self.odoo,
            row,
            customer_email=email,
            amount_text=f"{currency.rounded(total):f}",
            items=items,
            company=row["company_id"][1],
            company_amount=number(decimal(row["amount_total_signed"])),
            company_currency=row["company_currency_id"][1],
            reference=row["ref"] or None,
            origin=row["invoice_origin"] or None,
        )


def kinds_of(change: Change, created_when: str) -> list[str]:
    """The events a change is told as, in their order."""
    before, after = change.before, change.record.state
    if before == ENDED or after in (CANCELLED, REVERSED):
        return []  # an old invoice that is touched again, or one that came to nothing
    issued = after in (POSTED, PAID)
    was_issued = before in (POSTED, PAID, REVERSED)
    kinds: list[str] = []
    if (created_when == "draft" and before == NEW) or (created_when == "posted" and issued and not was_issued):
        kinds.append(EventType.INVOICE_CREATED)
    if issued and not was_issued:
        kinds.append(INVOICE_POSTED)
    if after == PAID:
        kinds.append(INVOICE_PAID)
    return kinds


def state_of(row: Row) -> str:
    """draft, posted, paid, reversed or cancel."""
    if row["state"] != POSTED:
        return str(row["state"])
    if row["payment_state"] in PAID_STATES:
        return PAID
    return REVERSED if row["payment_state"] == REVERSED else POSTED


def item(line: Row) -> dict[str, Json]:
    """A line of an invoice, with the names that ``create_invoice`` takes as well."""
    product = line["product_id"] or [None, None]
    return {
        "name": line["name"] or product[1] or "",
        "quantity": number(decimal(line["quantity"])),
        "price": number(decimal(line["price_unit"])),
        "discount": number(decimal(line["discount"])),
        "product_id": product[0],
        "product_name": product[1],
        "subtotal": number(decimal(line["price_subtotal"])),
        "total": number(decimal(line["price_total"])),
    }


def invoice_source(odoo: Odoo) -> EventSource:
    """The source on this server."""
    watched = Watched(
        model=MODEL,
        domain=[["move_type", "=", "out_invoice"], *company_domain(odoo)],
        state_fields=("state", "payment_state"),
        state=state_of,
        ended=frozenset({PAID, CANCELLED, REVERSED}),
        still_open=[
            *("|", ["state", "=", DRAFT], "&", ["state", "=", POSTED]),
            ["payment_state", "not in", [*PAID_STATES, REVERSED]],
        ],
        events=InvoiceEvents(odoo),
        missing="the Invoicing app is not installed in Odoo: there are no invoices to watch",
    )
    return EventSource(
        name="odoo.invoices",
        event_types=(EventType.INVOICE_CREATED, INVOICE_POSTED, INVOICE_PAID),
        run=Poller(odoo, watched).run,
        summary="customer invoices in Odoo: created, posted, paid",
        watching=f"customer invoices in {odoo.server}",
        touches=odoo.settings.servers,
    )


def _ids(rows: Sequence[Row], field_name: str) -> set[int]:
    return {record_id for row in rows for record_id in row[field_name]}


def _counts(line: Row) -> bool:
    return line["display_type"] not in NO_LINE


def _address(row: Row, emails: dict[int, str | bool]) -> str | None:
    """The customer's address: the contact's own, else the company's it belongs to."""
    for name in ("partner_id", "commercial_partner_id"):
        if row[name] and (found := addresses(emails.get(row[name][0], False))):
            return found
    return None
