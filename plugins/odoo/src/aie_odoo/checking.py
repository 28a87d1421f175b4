"""What there is to find out about a connection: version, company, apps, rights, the employee. Nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence

from aie.connections import CheckContext, Finding, Level
from aie_odoo import directory
from aie_odoo.client import JSON2_FROM, Odoo, Session, http_client
from aie_odoo.faults import AbsentError, DatabaseError, RightsError
from aie_odoo.settings import OdooSettings
from aie_odoo.wire import databases

CHECK_WITHIN_S = 8.0  # for one request: all of a check has ten seconds

APPS = (("account.move", "Invoicing", "invoices"), ("hr.expense", "Expenses", "expenses"))
RIGHTS = (
    ("account.move", "read", "see invoices", "Invoicing: Billing"),
    ("account.move", "create", "make invoices", "Invoicing: Billing"),
    ("account.payment", "create", "register payments", "Invoicing: Billing"),
    ("res.partner", "create", "make customers", "Contact Creation"),
    ("hr.expense", "create", "record expenses", "Expenses: Team Approver"),
)


async def check(context: CheckContext) -> Sequence[Finding]:
    """How the connection stands right now; errors say what is wrong and what to do."""
    settings: OdooSettings = context.settings.model_copy(
        update={"timeout_s": min(CHECK_WITHIN_S, context.settings.timeout_s)}
    )
    secret = context.credentials.get("api_key")
    if not settings.url or secret is None:
        lacks = "no server is set" if not settings.url else "there is no key yet"
        return [Finding(Level.FAIL, lacks, "aie connect odoo")]
    try:
        async with Odoo(settings).session_with(secret) as session:
            found = [Finding(Level.OK, signed_in_as(session, settings)), *await examine(session, settings)]
    except DatabaseError as error:
        async with http_client(settings) as http:
            there = await databases(http)
        hint = f"the server has: {', '.join(there)}; aie connect odoo" if there else error.hint
        return [Finding(Level.FAIL, error.message, hint)]
    record = context.credentials.record
    if session.json2 and (record is None or record.expires_at is None):
        message = "nobody told when the API key ends; Odoo gives most users keys for three months at the most"
        found.append(Finding(Level.WARN, message, "aie connect odoo, and give the day"))
    return found


def signed_in_as(session: Session, settings: OdooSettings) -> str:
    """One line on what was reached, and how."""
    how = "JSON-2" if session.json2 else "XML-RPC"
    return f"Odoo {session.version[1]}, database {settings.database!r}, as {settings.user or 'the key’s user'}, {how}"


async def examine(session: Session, settings: OdooSettings) -> list[Finding]:
    """Company, apps, rights, employee, and whether the way in will last."""
    company = await session.company()
    found = [Finding(Level.OK, f"company {company.name}, currency {company.currency.name}")]
    if not session.json2 and session.version[0] >= JSON2_FROM:
        message = "signed in with a password over XML-RPC, which Odoo is going to give up"
        hint = "make an API key (Preferences, Account Security), then: aie connect odoo"
        found.append(Finding(Level.WARN, message, hint))
    missing = set()
    for model, app, what in APPS:
        if await session.fields(model) is None:
            missing.add(model)
            hint = f"install it (Odoo, Apps, {app})" + (
                f', or leave "{what}" out of watch' if what in settings.watch else ""
            )
            found.append(Finding(Level.WARN, f"the {app} app is not installed: nothing can be done with {what}", hint))
    if "account.move" in missing:
        missing.add("account.payment")
    for model, operation, what, right in RIGHTS:
        if model not in missing and not await session.may(model, operation):
            hint = f"give the right {right!r} to the user (Odoo, Settings, Users), or do without"
            found.append(Finding(Level.WARN, f"the user may not {what}", hint))
    if "hr.expense" not in missing:
        found += await _employee(session)
    return found


async def _employee(session: Session) -> list[Finding]:
    try:
        employee = await directory.employee(session, None)
    except AbsentError as error:
        return [Finding(Level.WARN, f"{error.message}: each expense has to name one", error.hint)]
    except RightsError:
        return [Finding(Level.WARN, "the user may not see employees", "give it a right to Employees in Odoo (Users)")]
    return [Finding(Level.OK, f"expenses without a name are {employee['name']}'s")]
