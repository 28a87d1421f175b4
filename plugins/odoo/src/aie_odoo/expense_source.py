"""The source ``odoo.expenses``: expenses that are recorded, and every step they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aie.events import Event, EventType
from aie.sources import EventSource
from aie_odoo.client import Odoo, Row, Session
from aie_odoo.event_types import EXPENSE_CHANGED
from aie_odoo.expenses import MODEL, expense_amount, expense_result, readable_fields
from aie_odoo.polling import Poller, Watched, company_domain, event
from aie_odoo.watch import ENDED, NEW, Change

ENDS = frozenset({"done", "paid"})  # up to 18; from 19 on


@dataclass(frozen=True, slots=True)
class ExpenseEvents:
    """Turns changes of expenses into events, with the whole expense as their data."""

    odoo: Odoo

    async def __call__(self, session: Session, changes: Sequence[Change]) -> list[Event]:
        # An old expense that had ended and is touched again tells nothing, unless it is opened again.
        told = [change for change in changes if change.before != ENDED or change.record.state not in ENDS]
        ids = [change.record.id for change in told]
        rows = {row["id"]: row for row in await session.read(MODEL, ids, await readable_fields(session))}
        events = []
        for change in told:
            if row := rows.get(change.record.id):
                events.append(await self._event(session, change, row))
        return events

    async def _event(self, session: Session, change: Change, row: Row) -> Event:
        currency = await session.currency(row["currency_id"][0])
        new = change.before == NEW
        data = expense_result(
            self.odoo,
            row,
            amount_text=f"{currency.rounded(expense_amount(row)):f}",
            company=row["company_id"][1],
        )
        if new:
            return event(self.odoo, EventType.EXPENSE_RECORDED, change, MODEL, "recorded", data)
        previous = None if change.before == ENDED else change.before
        about = f"{change.record.state}@{change.record.written.replace(' ', 'T')}"
        return event(self.odoo, EXPENSE_CHANGED, change, MODEL, about, data | {"previous_state": previous})


def expense_source(odoo: Odoo) -> EventSource:
    """The source on this server."""
    watched = Watched(
        model=MODEL,
        domain=company_domain(odoo),
        state_fields=("state",),
        state=lambda row: str(row["state"]),
        ended=ENDS,
        still_open=[["state", "not in", sorted(ENDS)]],
        events=ExpenseEvents(odoo),
        missing="the Expenses app is not installed in Odoo: there are no expenses to watch",
    )
    return EventSource(
        name="odoo.expenses",
        event_types=(EventType.EXPENSE_RECORDED, EXPENSE_CHANGED),
        run=Poller(odoo, watched).run,
        summary="expenses in Odoo: recorded, submitted, approved, paid, refused",
        watching=f"expenses in {odoo.server}",
        touches=odoo.settings.servers,
    )
