"""Invoices and expenses that become events: all of them, each once, in the server's own time."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fake_odoo import office
from fake_odoo.shop import Shop
from hypothesis import given
from hypothesis import strategies as st

from aie.builtin.event_types import event_types as core_types
from aie.credentials import ConnectionRecord, CredentialStore
from aie.events import Event
from aie_odoo import watch
from aie_odoo.event_types import event_types
from aie_odoo.expense_source import expense_source
from aie_odoo.invoice_source import invoice_source
from aie_odoo.polling import Poller
from aie_odoo.watch import Cursor, Record
from tests.stand_ins import ManualClock


class Desk:
    """A source's way into aie: what it told, and its cursor, kept together as the journal keeps them."""

    def __init__(self, shop: Shop, make: Any = invoice_source) -> None:
        self.shop = shop
        self.make = make
        self.settings = shop.settings
        self.vault = shop.folder
        self.timezone = ZoneInfo("Europe/Berlin")
        self.clock = ManualClock()
        self.log = logging.getLogger("aie.test")
        self.cache_dir = shop.folder
        self.credentials = shop.credentials
        self.cursor: Any = None
        self.told: list[Event] = []
        self.saves = 0
        self.crash = False

    async def emit(self, events: Sequence[Event], *, cursor: Any = None) -> int:
        if self.crash and events:
            raise RuntimeError("the process ends here, and nothing was recorded")
        known = {event.event_id for event in self.told}
        assert not known & {event.event_id for event in events}
        self.told += [Event(**{**_fields(event), "source": "odoo.x"}).checked() for event in events]
        self.cursor = json.loads(json.dumps(cursor))
        self.saves += 1
        return len(events)

    def pending_approvals(self) -> int:
        return 0

    def scheduled_workflows(self) -> Sequence[Any]:
        return ()

    def look(self) -> list[tuple[str, Any]]:
        """One look, by a process that has just been started; what is new in it."""
        before = len(self.told)
        self.shop.db.now += dt.timedelta(seconds=30)

        async def main() -> None:
            odoo = self.shop.odoo
            poller: Poller = self.make(odoo).run.__self__
            async with odoo.session(self.credentials) as session:
                await poller.look(session, self)

        asyncio.run(main())
        return [(str(event.event_type), _about(event)) for event in self.told[before:]]


def _fields(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in ("event_type", "source", "data", "timestamp", "event_id")}


def _about(event: Event) -> Any:
    return event.data.get("invoice_id") or (event.data["expense_id"], event.data["state"])


def pass_(shop: Shop, **time: float) -> None:
    shop.db.now += dt.timedelta(**time)


# --- invoices ----------------------------------------------------------------------------------------------------


def test_the_first_start_tells_nothing_that_is_old(shop: Shop) -> None:
    customer = office.acme(shop.db)
    old = [office.invoice(shop.db, customer) for _ in range(3)]
    office.press(shop.db, "account.move", "action_post", old[0])
    desk = Desk(shop)
    assert (desk.look(), desk.look()) == ([], [])
    pass_(shop, days=3)
    shop.db.update("account.move", old[0], ref="touched")
    assert desk.look() == []


def test_an_invoice_is_told_once_it_is_posted_and_once_it_is_paid(shop: Shop) -> None:
    desk = Desk(shop)
    desk.look()
    record_id = office.invoice(shop.db, office.acme(shop.db))
    assert desk.look() == []
    office.press(shop.db, "account.move", "action_post", record_id)
    assert desk.look() == [("invoice_created", record_id), ("invoice_posted", record_id)]
    shop.run("register_payment", invoice_id=record_id, amount=150)
    assert desk.look() == []
    shop.run("register_payment", key="k2", invoice_id=record_id)
    assert desk.look() == [("invoice_paid", record_id)]
    pass_(shop, days=30)
    shop.db.update("account.move", record_id, ref="touched")
    assert (desk.look(), len(desk.told)) == ([], 3)


def test_all_that_happened_between_two_looks_is_told_in_order(shop: Shop) -> None:
    desk = Desk(shop)
    desk.look()
    record_id = office.invoice(shop.db, office.acme(shop.db))
    office.press(shop.db, "account.move", "action_post", record_id)
    shop.run("register_payment", invoice_id=record_id)
    kinds = [kind for kind, _ in desk.look()]
    assert kinds == ["invoice_created", "invoice_posted", "invoice_paid"]


def test_drafts_are_told_where_that_is_wanted(shop: Shop) -> None:
    shop.change(invoice_created_when="draft")
    desk = Desk(shop)
    desk.look()
    record_id = office.invoice(shop.db, office.acme(shop.db))
    assert desk.look() == [("invoice_created", record_id)]
    assert (desk.told[0].data["state"], desk.told[0].data["invoice_number"]) == ("draft", None)
    office.press(shop.db, "account.move", "action_post", record_id)
    assert desk.look() == [("invoice_posted", record_id)]


def test_an_old_draft_is_told_when_it_is_posted_and_an_old_invoice_when_it_is_paid(shop: Shop) -> None:
    customer = office.acme(shop.db)
    draft, unpaid = (office.invoice(shop.db, customer) for _ in range(2))
    office.press(shop.db, "account.move", "action_post", unpaid)
    pass_(shop, days=90)
    desk = Desk(shop)
    desk.look()
    office.press(shop.db, "account.move", "action_post", draft)
    shop.run("register_payment", invoice_id=unpaid)
    assert desk.look() == [("invoice_created", draft), ("invoice_posted", draft), ("invoice_paid", unpaid)]


def test_a_posted_invoice_that_is_taken_back_and_posted_again_is_told_once(shop: Shop) -> None:
    """The journal refuses the second event with the same id; the source gives the same one."""
    desk = Desk(shop)
    desk.look()
    record_id = office.invoice(shop.db, office.acme(shop.db))
    office.press(shop.db, "account.move", "action_post", record_id)
    desk.look()
    first = {event.event_id for event in desk.told}
    office.press(shop.db, "account.move", "button_draft", record_id)
    desk.look()
    office.press(shop.db, "account.move", "action_post", record_id)
    desk.told.clear()
    desk.look()
    assert {event.event_id for event in desk.told} == first


def test_cancelled_invoices_credit_notes_and_bills_are_no_invoices(shop: Shop) -> None:
    desk = Desk(shop)
    desk.look()
    customer = office.acme(shop.db)
    cancelled = office.invoice(shop.db, customer)
    office.press(shop.db, "account.move", "button_cancel", cancelled)
    for kind in ("out_refund", "in_invoice"):
        office.press(shop.db, "account.move", "action_post", office.invoice(shop.db, customer, move_type=kind))
    assert desk.look() == []


def test_a_long_transaction_that_appears_late_with_an_old_stamp_is_not_missed(shop: Shop) -> None:
    """It began first and has the lower id; the newer invoice was seen meanwhile."""
    desk = Desk(shop)
    customer = office.acme(shop.db)
    office.invoice(shop.db, customer)
    desk.look()
    slow = office.invoice(shop.db, customer)
    office.press(shop.db, "account.move", "action_post", slow)
    shop.db.hide("account.move", slow)
    pass_(shop, minutes=3)
    fast = office.invoice(shop.db, customer)
    office.press(shop.db, "account.move", "action_post", fast)
    assert desk.look() == [("invoice_created", fast), ("invoice_posted", fast)]
    pass_(shop, minutes=4)
    shop.db.commit()
    assert desk.look() == [("invoice_created", slow), ("invoice_posted", slow)]
    assert desk.look() == []


def test_a_transaction_under_way_at_the_first_start_is_new(shop: Shop) -> None:
    customer = office.acme(shop.db)
    slow = office.invoice(shop.db, customer)
    office.press(shop.db, "account.move", "action_post", slow)
    shop.db.hide("account.move", slow)
    pass_(shop, minutes=1)
    office.invoice(shop.db, customer)
    desk = Desk(shop)
    desk.look()
    shop.db.commit()
    assert [kind for kind, _ in desk.look()] == ["invoice_created", "invoice_posted"]


def test_two_changes_in_one_second_are_both_told(shop: Shop) -> None:
    """The wire has whole seconds, the database more."""
    desk = Desk(shop)
    desk.look()
    customer = office.acme(shop.db)
    for microsecond in (100_000, 900_000):
        shop.db.now = shop.db.now.replace(microsecond=microsecond)
        record_id = office.invoice(shop.db, customer)
        office.press(shop.db, "account.move", "action_post", record_id)
        now = shop.db.now
        assert [about for _, about in desk.look()] == [record_id, record_id]
        shop.db.now = now


def test_a_crash_before_the_events_are_recorded_tells_them_at_the_next_start(shop: Shop) -> None:
    desk = Desk(shop)
    desk.look()
    record_id = office.invoice(shop.db, office.acme(shop.db))
    office.press(shop.db, "account.move", "action_post", record_id)
    desk.crash = True
    with pytest.raises(RuntimeError):
        desk.look()
    desk.crash = False
    assert [kind for kind, _ in desk.look()] == ["invoice_created", "invoice_posted"]


def test_hundreds_of_invoices_come_page_by_page_and_quiet_looks_write_nothing(shop: Shop) -> None:
    desk = Desk(shop)
    desk.look()
    customer = office.acme(shop.db)
    ids = [office.invoice(shop.db, customer) for _ in range(450)]
    for record_id in ids:
        office.press(shop.db, "account.move", "action_post", record_id)
    asked = len(shop.server.calls)
    assert [about for kind, about in desk.look() if kind == "invoice_posted"] == ids
    assert len(shop.server.calls) - asked < 25  # for all of them, not for each
    saves = desk.saves
    desk.look()
    assert (desk.look(), desk.saves) == ([], saves)


def test_another_server_is_watched_from_now_on(shop: Shop) -> None:
    desk = Desk(shop)
    desk.look()
    office.press(shop.db, "account.move", "action_post", office.invoice(shop.db, office.acme(shop.db)))
    desk.cursor["server"] = "other@elsewhere"
    assert (desk.look(), desk.look()) == ([], [])


def test_only_the_company_that_is_set_is_watched(shop: Shop) -> None:
    shop.db.insert("res.company", id=2, name="Second", currency_id=126)
    shop.change(company_id=2)
    desk = Desk(shop)
    desk.look()
    customer = office.acme(shop.db)
    for company in (1, 2):
        record_id = office.invoice(shop.db, customer, company_id=company)
        office.press(shop.db, "account.move", "action_post", record_id)
    assert [about for _, about in desk.look()] == [record_id, record_id]
    assert desk.told[0].data["company"] == "Second"


def test_the_data_of_an_invoice_is_what_the_original_names_and_more(shop: Shop) -> None:
    desk = Desk(shop)
    desk.look()
    company = office.acme(shop.db, email="ap@acme.test; boss@acme.test")
    contact = office.acme(shop.db, name="Ada", email=False, parent_id=company)
    record_id = office.invoice(shop.db, contact, 1000.5, ref="PO 7", invoice_date_due="2026-12-20")
    shop.db.insert("account.move.line", id=900, move_id=record_id, display_type="line_note", name="A remark")
    shop.db.rows["account.move"][record_id]["invoice_line_ids"].append(900)
    office.press(shop.db, "account.move", "action_post", record_id)
    desk.look()
    created, _ = desk.told
    assert created.data == {
        "invoice_id": record_id, "invoice_number": "INV/2026/00001", "customer_id": contact, "customer_name": "Ada",
        "customer_email": "ap@acme.test, boss@acme.test", "amount": 1150.58, "amount_text": "1150.58",
        "amount_untaxed": 1000.5, "amount_due": 1150.58, "currency": "USD", "company_amount": 1150.58,
        "company_currency": "USD", "invoice_date": "2026-11-20", "due_date": "2026-12-20", "state": "posted",
        "payment_state": "not_paid", "company": "My Company", "reference": "PO 7", "origin": None,
        "items": [{
            "name": "Consulting, January", "quantity": 1, "price": 1000.5, "discount": 0, "product_id": 7,
            "product_name": "[CONS] Consulting", "subtotal": 1000.5, "total": 1150.58,
        }],
        "link": f"{shop.server.url}/mail/view?model=account.move&res_id={record_id}",
    }  # fmt: skip
    assert created.event_id == f"{shop.odoo.server}/account.move/{record_id}/invoice_created"
    assert created.timestamp == shop.db.rows["account.move"][record_id]["write_date"].strftime(
        "%Y-%m-%dT%H:%M:%S+00:00"
    )


# --- expenses ----------------------------------------------------------------------------------------------------


def test_an_expense_is_told_when_it_is_recorded_and_at_every_step(shop: Shop) -> None:
    office.jane(shop.db, managed=True)
    desk = Desk(shop, expense_source)
    desk.look()
    expense_id = shop.run("record_expense", name="Team lunch", amount=620)["expense_id"]
    assert desk.look() == [("expense_recorded", (expense_id, "draft"))]
    shop.run("submit_expense", expense_id=expense_id)
    assert desk.look() == [("expense_changed", (expense_id, "submitted"))]
    shop.run("approve_expense", expense_id=expense_id)
    assert desk.look() == [("expense_changed", (expense_id, "approved"))]
    assert desk.told[-1].data["previous_state"] == "submitted"
    shop.db.update("hr.expense", expense_id, description="touched")
    assert desk.look() == []


def test_an_expense_that_goes_back_and_forth_is_told_each_time(shop: Shop) -> None:
    office.jane(shop.db)
    expense_id = shop.run("record_expense", name="Team lunch", amount=620)["expense_id"]
    pass_(shop, days=1)
    desk = Desk(shop, expense_source)
    desk.look()
    for state in ("submitted", "draft", "submitted", "done" if shop.version < 19 else "paid"):
        pass_(shop, days=1)
        shop.db.update("hr.expense", expense_id, state=state)
        assert desk.look() == [("expense_changed", (expense_id, state))]
    pass_(shop, days=1)
    shop.db.update("hr.expense", expense_id, description="touched")
    assert desk.look() == []
    pass_(shop, days=1)
    shop.db.update("hr.expense", expense_id, state="draft")
    assert desk.look() == [("expense_changed", (expense_id, "draft"))]


def test_the_data_of_an_expense_is_what_the_original_names_and_more(shop: Shop) -> None:
    employee = office.jane(shop.db)
    desk = Desk(shop, expense_source)
    desk.look()
    shop.run("record_expense", name="Team lunch", amount="620.10", date="2026-11-20", product="FOOD")
    desk.look()
    assert desk.told[0].data == {
        "expense_id": 1, "name": "Team lunch", "amount": 620.1, "amount_text": "620.10", "currency": "USD",
        "date": "2026-11-20", "employee": "Jane Doe", "employee_id": employee, "category": "[FOOD] Meals",
        "payment_mode": "own_account", "state": "draft", "company": "My Company",
        "link": f"{shop.server.url}/mail/view?model=hr.expense&res_id=1",
    }  # fmt: skip


def test_what_is_told_fits_the_types_of_events(shop: Shop) -> None:
    types = {spec.name: spec for spec in (*core_types(), *event_types())}
    office.jane(shop.db, managed=True)
    invoices, expenses = Desk(shop), Desk(shop, expense_source)
    invoices.look(), expenses.look()
    record_id = office.invoice(shop.db, office.acme(shop.db))
    office.press(shop.db, "account.move", "action_post", record_id)
    shop.run("register_payment", invoice_id=record_id)
    expense_id = shop.run("record_expense", name="Team lunch", amount=620)["expense_id"]
    invoices.look(), expenses.look()
    shop.run("submit_expense", expense_id=expense_id)
    expenses.look()
    told = [*invoices.told, *expenses.told]
    assert {str(event.event_type) for event in told} == {
        "invoice_created", "invoice_posted", "invoice_paid", "expense_recorded", "expense_changed",
    }  # fmt: skip
    for event in told:
        types[str(event.event_type)].model.model_validate(event.data)
    for spec in event_types():
        spec.model.model_validate(spec.example)
        assert set(spec.example) == set(spec.model.model_fields)


# --- while it runs -----------------------------------------------------------------------------------------------


def test_it_goes_on_after_the_server_was_away_and_says_so_once(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(shop)

    async def main() -> None:
        source = asyncio.create_task(invoice_source(shop.odoo).run(desk))
        await until(lambda: desk.saves == 1)
        for _ in range(3):
            shop.server.statuses["account.move.search_read"] = 503
            desk.clock.move(seconds=1)
            await until(lambda: "account.move.search_read" not in shop.server.statuses)
            await asyncio.sleep(0.05)
        office.press(shop.db, "account.move", "action_post", office.invoice(shop.db, office.acme(shop.db)))
        for _ in range(20):
            desk.clock.move(seconds=1)
            await asyncio.sleep(0.05)
        source.cancel()
        await asyncio.gather(source, return_exceptions=True)

    with caplog.at_level(logging.INFO, "aie.test"):
        asyncio.run(main())
    assert [record.getMessage() for record in caplog.records if "again" in record.getMessage()] == [
        "the server asks for patience (HTTP 503); account.move is looked at again later (aie tries again by itself)",
        "Odoo is watched again",
    ]
    assert [str(event.event_type) for event in desk.told] == ["invoice_created", "invoice_posted"]


def test_a_key_that_is_refused_is_said_once_and_noted_until_it_works(
    shop: Shop, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    desk = Desk(shop)
    desk.credentials = CredentialStore(tmp_path / "credentials", {}, keyring=False).of("odoo")
    desk.credentials.save({"api_key": "a key that has ended"}, ConnectionRecord("connector"))

    def trouble() -> str:
        assert desk.credentials.record is not None
        return desk.credentials.record.trouble

    async def main() -> None:
        source = asyncio.create_task(invoice_source(shop.odoo).run(desk))
        for _ in range(3):
            await until(trouble)
            desk.clock.move(seconds=1)
            await asyncio.sleep(0.1)
        desk.credentials.save({"api_key": shop.secret})
        for _ in range(20):
            desk.clock.move(seconds=1)
            await asyncio.sleep(0.05)
        source.cancel()
        await asyncio.gather(source, return_exceptions=True)

    with caplog.at_level(logging.WARNING, "aie.test"):
        asyncio.run(main())
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("Odoo does not know the user 'connector' with that key or password; account.move is looked")
    assert (trouble(), desk.saves) == ("", 1)


def test_an_app_that_is_not_installed_is_said_once_and_looked_for_later(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    kept = shop.db.fields["hr.expense"], shop.db.rows["hr.expense"]
    shop.db.uninstall("hr.expense")
    desk = Desk(shop, expense_source)

    async def main() -> None:
        source = asyncio.create_task(expense_source(shop.odoo).run(desk))
        await until(lambda: caplog.records)
        shop.db.fields["hr.expense"], shop.db.rows["hr.expense"] = kept
        desk.clock.move(hours=2)
        await until(lambda: desk.saves == 1)
        source.cancel()
        await asyncio.gather(source, return_exceptions=True)

    with caplog.at_level(logging.WARNING, "aie.test"):
        asyncio.run(main())
    assert [record.getMessage() for record in caplog.records] == [
        "the Expenses app is not installed in Odoo: there are no expenses to watch"
    ]


async def until(true: Any) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - it is about what other threads do
            await asyncio.sleep(0.01)


# --- the cursor, alone -------------------------------------------------------------------------------------------

STAMP = dt.datetime(2026, 11, 23, 6, 0, 0)  # noqa: DTZ001
RECORD = st.builds(
    lambda number, minutes, state: Record(number, _stamp(minutes), _stamp(minutes), state),
    st.integers(1, 30), st.integers(-60, 0), st.sampled_from(["draft", "posted", "paid"]),
)  # fmt: skip


def _stamp(minutes: float) -> str:
    return (STAMP + dt.timedelta(minutes=minutes)).isoformat(sep=" ", timespec="seconds")


@given(st.lists(RECORD, unique_by=lambda record: record.id), st.integers(0, 3600))
def test_what_was_noted_is_no_change_any_more_and_a_saved_cursor_comes_back(records: list, overlap_s: int) -> None:
    cursor = watch.noted(Cursor("db@host"), records)
    seen = {record.id: record for record in records}
    after = watch.closed(cursor, seen, {"paid"}, overlap_s)
    floor = after.floor(overlap_s)
    recent = [record for record in records if record.written >= floor]
    assert watch.changes(after, recent, floor) == []
    assert watch.from_saved(json.loads(json.dumps(after.saved()))) == after
    assert all(state != "paid" or seen[number].written >= floor for number, state in after.known.items())


def test_a_cursor_of_another_kind_is_the_first_start() -> None:
    assert [watch.from_saved(data) for data in (None, 7, {}, {"known": [1]})] == [None] * 4
