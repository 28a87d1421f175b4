"""What the Odoo plugin offers."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from aie.actions import ActionHandler
from aie.connections import Connection
from aie.events import EventTypeSpec
from aie.hookspecs import hookimpl
from aie.sources import EventSource
from aie_odoo.client import Odoo
from aie_odoo.connecting import odoo_connection
from aie_odoo.customers import create_customer, find_customer
from aie_odoo.event_types import event_types
from aie_odoo.expense_flow import approve_expense, submit_expense
from aie_odoo.expense_source import expense_source
from aie_odoo.expenses import record_expense
from aie_odoo.invoice_source import invoice_source
from aie_odoo.invoices import create_invoice
from aie_odoo.open_invoices import find_invoice, list_open_invoices
from aie_odoo.payments import register_payment
from aie_odoo.settings import OdooSettings
from aie_odoo.summary import financial_summary

AIE_API_VERSION = 1


@hookimpl
def aie_settings() -> type[BaseModel]:
    return OdooSettings


@hookimpl
def aie_event_types() -> Sequence[EventTypeSpec]:
    return event_types()


@hookimpl
def aie_event_sources(settings: OdooSettings) -> Sequence[EventSource]:
    if not settings.url:
        return []
    odoo = Odoo(settings)
    sources = {"invoices": invoice_source, "expenses": expense_source}
    return [source(odoo) for name, source in sources.items() if name in settings.watch]


@hookimpl
def aie_action_handlers(settings: OdooSettings) -> Sequence[ActionHandler]:
    odoo = Odoo(settings)
    actions = (
        create_invoice, register_payment, record_expense, submit_expense, approve_expense, find_customer,
        create_customer, find_invoice, list_open_invoices, financial_summary,
    )  # fmt: skip
    return [action(odoo) for action in actions]


@hookimpl
def aie_connections(settings: OdooSettings) -> Sequence[Connection]:
    return [odoo_connection(settings)]
