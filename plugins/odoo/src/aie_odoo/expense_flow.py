"""The actions ``submit_expense`` and ``approve_expense``.

Up to 18 an expense is handed in with a report (``hr.expense.sheet``); from 19 on there are no reports. Which it is, is
asked of the server. What a button did is read back from the expense: over XML-RPC most answer a fault although they
have done their work, and some open a dialogue and do nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from aie.actions import ActionContext, ActionHandler
from aie.errors import ActionError
from aie.plain import Json
from aie_odoo import documents
from aie_odoo.client import Odoo, Row, Session
from aie_odoo.expenses import MODEL, Expense, expense_amount, expense_fields, expense_result, expense_row
from aie_odoo.faults import AbsentError, ServerError
from aie_odoo.invoices import link

SHEET = "hr.expense.sheet"
APPROVED = ("approved", "posted", "in_payment", "paid", "done")
APPROVE_SHEET = ("action_approve_expense_sheets", "approve_expense_sheets")  # 17 and 18; up to 16


class OneExpense(BaseModel):
    """An expense that is in Odoo."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    expense_id: int = Field(ge=0, description="its id in Odoo, as events and record_expense tell it", examples=[2041])


@dataclass(frozen=True, slots=True)
class Flow:
    """Hands in and approves. What is done already is done: both can be repeated."""

    odoo: Odoo

    async def submit(self, params: OneExpense, context: ActionContext) -> dict[str, Json]:
        async with self.odoo.session(context.credentials) as session:
            unsent, _ = await _states(session)
            row = await expense_row(session, params.expense_id)
            changed = row["state"] in unsent
            if changed:
                await self._hand_in(session, row)
                row = await expense_row(session, params.expense_id)
            if row["state"] in (*unsent, "refused"):
                raise self._stuck(row, "handed in")
            return expense_result(self.odoo, row, created=False, changed=changed)

    async def approve(self, params: OneExpense, context: ActionContext) -> dict[str, Json]:
        async with self.odoo.session(context.credentials) as session:
            unsent, submitted = await _states(session)
            row = await expense_row(session, params.expense_id)
            changed = row["state"] == submitted
            if row["state"] in unsent:
                raise ActionError(
                    f"the expense {row['name']!r} is not handed in yet",
                    where=link(self.odoo, MODEL, row["id"]),
                    hint="submit_expense comes before approve_expense",
                )
            if changed:
                await self._agree(session, row)
                row = await expense_row(session, params.expense_id)
            if row["state"] not in APPROVED:
                raise self._stuck(row, "approved")
            return expense_result(self.odoo, row, created=False, changed=changed)

    async def _hand_in(self, session: Session, row: Row) -> None:
        if "sheet_id" not in row:
            await session.press(MODEL, "action_submit", [row["id"]])
            return
        sheet_id = row["sheet_id"][0] if row["sheet_id"] else None
        if sheet_id is None:
            values = {
                "name": row["name"],
                "employee_id": row["employee_id"][0],
                "expense_line_ids": [[6, 0, [row["id"]]]],
            }
            sheet_id = await session.create(SHEET, values)
        await session.press(SHEET, "action_submit_sheet", [sheet_id])

    async def _agree(self, session: Session, row: Row) -> None:
        if "sheet_id" not in row:
            await session.press(MODEL, "action_approve", [row["id"]])
            return
        for place, method in enumerate(APPROVE_SHEET):
            try:
                await session.press(SHEET, method, [row["sheet_id"][0]])
                return
            except (AbsentError, ServerError) as error:
                unknown = isinstance(error, AbsentError) or error.exception == "AttributeError"
                if not unknown or place == len(APPROVE_SHEET) - 1:
                    raise

    def _stuck(self, row: Row, wanted: str) -> ActionError:
        return ActionError(
            f"the expense {row['name']!r} was not {wanted}: its state is {row['state']!r}",
            where=link(self.odoo, MODEL, row["id"]),
            hint="Odoo may want to ask a person first, for example about a similar expense: open it there",
        )


async def _states(session: Session) -> tuple[tuple[str, ...], str]:
    """The states of an expense that is not handed in yet, and the one of an expense that is.

    ``reported`` is in a report that is not handed in yet where there is ``submitted`` as well (17, 18); up to 16, which
    does not have that, it is the report that was handed in.
    """
    selection = (await expense_fields(session))["state"].get("selection") or []
    if "submitted" in [state for state, _ in selection]:
        return ("draft", "reported"), "submitted"
    return ("draft",), "reported"


@dataclass(frozen=True, slots=True)
class Previewing:
    """Shows the expense that a button is about to be pressed for."""

    odoo: Odoo
    title: str

    async def __call__(self, params: OneExpense, context: ActionContext) -> str:
        return await documents.or_why_not(self._document(params, context))

    async def _document(self, params: OneExpense, context: ActionContext) -> str:
        async with self.odoo.session(context.credentials) as session:
            row = await expense_row(session, params.expense_id)
            currency = await session.currency(row["currency_id"][0])
        lines = documents.heading(
            self.title,
            ("What for", row["name"]),
            ("Category", row["product_id"][1] if row["product_id"] else ""),
            ("Spent by", row["employee_id"][1] if row["employee_id"] else ""),
            ("Date", row["date"] or ""),
            ("Stands at", row["state"]),
        )
        return "\n".join([*lines, "", *documents.totals([("Total", currency.shown(expense_amount(row)))])])


class Moved(Expense):
    """The expense after it."""

    changed: bool = Field(description="false when it had been done before")


def submit_expense(odoo: Odoo) -> ActionHandler:
    """The action on this server."""
    flow = Flow(odoo)
    return ActionHandler(
        name="submit_expense",
        params=OneExpense,
        run=flow.submit,
        preview=Previewing(odoo, "Hand in this expense for approval in Odoo"),
        result=Moved,
        summary="hand in an expense in Odoo, for approval there",
        example={"expense_id": 2041},
        repeatable=True,
        note_kind="EXPENSE",
        locked_fields=frozenset({"expense_id"}),
        touches=odoo.settings.servers,
    )


def approve_expense(odoo: Odoo) -> ActionHandler:
    """The action on this server."""
    flow = Flow(odoo)
    return ActionHandler(
        name="approve_expense",
        params=OneExpense,
        run=flow.approve,
        preview=Previewing(odoo, "Approve this expense in Odoo"),
        result=Moved,
        summary="approve an expense in Odoo that was handed in",
        example={"expense_id": 2041},
        repeatable=True,
        note_kind="EXPENSE",
        locked_fields=frozenset({"expense_id"}),
        touches=odoo.settings.servers,
    )
