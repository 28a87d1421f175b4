"""The way to the server: which protocol, which error, and no secret in either."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from fake_odoo import office
from fake_odoo.canned import answering
from fake_odoo.errors import SerializationError
from fake_odoo.office import API_KEY, LOW, PASSWORD
from fake_odoo.shop import Shop
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aie.errors import ActionError, ConfigError, RetryableError, UncertainError
from aie_odoo import wire
from aie_odoo.client import Odoo, Session
from aie_odoo.faults import (
    BusyServerError,
    DatabaseError,
    LostError,
    NotOdooError,
    ServerError,
    SignInError,
    UnreachableError,
)
from aie_odoo.keys import planted_key
from aie_odoo.money import Currency, decimal, number
from aie_odoo.settings import OdooSettings, server_address

T = TypeVar("T")


def within(shop: Shop, work: Callable[[Session], Awaitable[T]], odoo: Odoo | None = None) -> T:
    """What work comes to in a session."""

    async def main() -> T:
        async with (odoo or shop.odoo).session(shop.credentials) as session:
            return await work(session)

    return asyncio.run(main())


async def who(session: Session) -> tuple[bool, int, int]:
    return session.json2, session.version[0], session.uid


# --- which protocol ----------------------------------------------------------------------------------------------


def test_the_server_is_asked_which_protocol_it_speaks(shop: Shop) -> None:
    assert within(shop, who) == (shop.version >= 19, shop.version, office.connector(shop.db))


@pytest.mark.parametrize("version", [17, 19])
def test_a_password_signs_in_over_xml_rpc_on_every_version(version: int, tmp_path: Path) -> None:
    shop = Shop(version, tmp_path)
    shop.secret = PASSWORD
    assert within(shop, who) == (False, version, office.connector(shop.db))
    shop.secret = API_KEY  # in place of the password
    assert within(shop, who)[0] is (version >= 19)
    shop.server.stop()


def test_what_was_learned_in_one_session_is_not_asked_in_the_next(shop: Shop) -> None:
    odoo = shop.odoo
    within(shop, who, odoo)
    before = len(shop.server.calls)
    within(shop, lambda session: session.company(), odoo)
    within(shop, lambda session: session.company(), odoo)
    asked = [name for name, _ in shop.server.calls[before:]]
    assert asked == ["res.users.read", "res.company.read", "res.currency.search_read"]


def test_pages_are_read_by_ids_so_that_none_is_passed_over(shop: Shop) -> None:
    """450 customers; while they are read, one that was read already is changed and one is deleted."""
    ids = [office.acme(shop.db, name=f"C{number}") for number in range(450)]

    async def read(session: Session) -> list[int]:
        found: list[int] = []
        async for rows in session.pages("res.partner", [["name", "=like", "C%"]], ["name"]):
            found += [row["id"] for row in rows]
            shop.db.rows["res.partner"].pop(ids[5], None)
            shop.db.update("res.partner", ids[6], phone="1")
        return found

    assert within(shop, read) == ids


# --- what goes wrong ---------------------------------------------------------------------------------------------


async def count(session: Session) -> Any:
    return await session.search_read("res.partner", [], ["name"])


async def make(session: Session) -> int:
    return await session.create("res.partner", {"name": "New"})


@pytest.mark.parametrize("wrong", ["nobody", LOW, "x" * 40])
def test_a_wrong_key_is_told_and_noted_and_kept_out_of_it(shop: Shop, wrong: str, tmp_path: Path) -> None:
    shop.secret = wrong
    with pytest.raises(SignInError) as found:
        within(shop, who)
    assert found.value.hint.endswith("aie connect odoo")
    assert wrong not in f"{found.value}{found.value.where}{found.value.hint}"


def test_a_key_that_ends_while_aie_runs_is_noticed(shop: Shop) -> None:
    odoo = shop.odoo
    within(shop, who, odoo)
    shop.db.api_keys.clear()
    shop.db.passwords["connector"] = (office.connector(shop.db), "another")
    with pytest.raises(SignInError):
        within(shop, count, odoo)


def test_a_wrong_database_is_named(shop: Shop) -> None:
    shop.change(database="nosuchdb")
    with pytest.raises(DatabaseError) as found:
        within(shop, who)
    assert str(found.value) == "the server cannot open the database 'nosuchdb'"


@pytest.mark.parametrize(
    ("status", "reading", "writing"),
    [
        (500, UnreachableError, LostError),
        (502, UnreachableError, LostError),
        (524, UnreachableError, LostError),
        (503, BusyServerError, BusyServerError),
        (504, UnreachableError, LostError),
        (429, BusyServerError, BusyServerError),
    ],
)
def test_a_proxy_in_trouble_is_asked_again_or_looked_behind(
    shop: Shop, status: int, reading: type[ActionError], writing: type[ActionError]
) -> None:
    for name, work, kind in (("search_read", count, reading), ("create", make, writing)):
        shop.server.statuses[f"res.partner.{name}"] = status
        with pytest.raises(ActionError) as found:
            within(shop, work)
        assert type(found.value) is kind
        if kind is BusyServerError:
            assert found.value.retry_after_s == 7


def test_a_record_that_somebody_else_holds_is_tried_again(shop: Shop) -> None:
    def fail() -> None:
        raise SerializationError("could not serialize access due to concurrent update")

    shop.server.before["res.partner.create"] = fail
    with pytest.raises(BusyServerError) as found:
        within(shop, make)
    assert isinstance(found.value, RetryableError)


def test_an_answer_that_is_lost_is_open_for_what_writes_and_nothing_for_what_reads(shop: Shop) -> None:
    shop.server.lost |= {"res.partner.create", "res.partner.search_read"}
    with pytest.raises(UncertainError):
        within(shop, make)
    with pytest.raises(RetryableError):
        within(shop, count)


def test_a_server_that_takes_too_long_is_given_up_in_time(shop: Shop) -> None:
    shop.change(timeout_s=0.3)
    shop.server.before["res.partner.search_read"] = office.pause(2)
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="ReadTimeout"):
        within(shop, count)
    assert time.monotonic() - began < 2


def test_a_failure_of_the_server_shows_no_traceback_and_no_secret(shop: Shop) -> None:
    async def wrong(session: Session) -> Any:
        return await session.search_read("res.partner", [["nosuchfield", "=", 1]], ["name"])

    with pytest.raises(ServerError) as found:
        within(shop, wrong)
    assert found.value.exception == "ValueError"
    assert str(found.value).startswith(
        "Odoo failed at res.partner.search_read with ValueError: Invalid field res.partner.nosuchfield in"
    )
    assert not any(text in repr(found.value.as_dict()) for text in ("Traceback", "http.py", shop.secret))


def test_a_secret_that_the_server_quotes_is_taken_out(shop: Shop) -> None:
    def fail() -> None:
        raise ValueError(f"execute_kw('odoo', 6, '{shop.secret}')")

    shop.server.before["res.partner.search_read"] = fail
    with pytest.raises(ServerError) as found:
        within(shop, count)
    assert str(found.value).endswith("with ValueError: execute_kw('odoo', 6, '‹redacted›')")


def test_a_method_that_returns_nothing_has_done_its_work(shop: Shop) -> None:
    record_id = office.invoice(shop.db, 3)
    assert within(shop, lambda session: session.press("account.move", "button_cancel", [record_id])) is None
    assert shop.db.rows["account.move"][record_id]["state"] == "cancel"


def test_a_type_error_before_anything_was_done_looks_the_same(shop: Shop) -> None:
    def fail() -> None:
        raise TypeError('can only concatenate list (not "tuple") to list')

    record_id = office.invoice(shop.db, 3)
    shop.server.before["account.move.button_cancel"] = fail
    assert within(shop, lambda session: session.press("account.move", "button_cancel", [record_id])) is None
    assert shop.db.rows["account.move"][record_id]["state"] == "draft"


def test_load_is_never_used(shop: Shop) -> None:
    """Importing an invoice again by its external id would append its lines again."""
    sources = Path(wire.__file__).parent.glob("*.py")
    assert [path.name for path in sources if '"load"' in path.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (200, {}, "what answers there is not Odoo (HTTP 200)"),
        (404, {}, "what answers there is not Odoo (HTTP 404)"),
        (301, {"Location": "https://shop.test/"}, "the server sends on to 'https://shop.test/'"),
    ],
)
def test_what_is_not_odoo_says_so(status: int, headers: dict[str, str], words: str) -> None:
    async def ask(url: str) -> Any:
        async with httpx2.AsyncClient(base_url=url) as http:
            return await wire.version_of(http)

    with answering(status, b"<p>Hi", "text/html", headers) as url, pytest.raises(NotOdooError) as found:
        asyncio.run(ask(url))
    assert (str(found.value), found.value.where) == (words, url)


def test_odoo_online_is_told_apart_by_its_address() -> None:
    async def ask() -> Any:
        answer = httpx2.MockTransport(lambda _: httpx2.Response(404, html="<p>No"))
        async with httpx2.AsyncClient(base_url="https://shop.odoo.com", transport=answer) as http:
            return await wire.version_of(http)

    with pytest.raises(NotOdooError) as found:
        asyncio.run(ask())
    assert found.value.hint.endswith("; on Odoo Online programs are let in with the Custom plan only")


def test_not_being_connected_says_how_to_connect(shop: Shop) -> None:
    shop.change(database="")
    with pytest.raises(ConfigError) as found:
        within(shop, who)
    assert found.value.hint == "aie connect odoo"


# --- values ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("odoo.example.com", "https://odoo.example.com"),
        (" http://127.0.0.1:8069/ ", "http://127.0.0.1:8069"),
        ("https://x.odoo.com/web#action=menu&cids=1", "https://x.odoo.com"),
        ("https://x.odoo.com/odoo/accounting?debug=1", "https://x.odoo.com"),
        ("https://example.com/erp/", "https://example.com/erp"),
        ("", ""),
    ],
)
def test_an_address_is_taken_as_a_person_writes_it(written: str, address: str) -> None:
    assert (server_address(written), OdooSettings(url=written).url) == (address, address)


@pytest.mark.parametrize("written", ["ftp://x", "https://", "https://me:secret@x"])
def test_an_address_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(ValidationError, match="is not the address of a server"):
        OdooSettings(url=written)


@given(st.text())
def test_any_text_arrives_over_both_protocols_as_it_was_sent_or_marked(text: str) -> None:
    import xmlrpc.client  # noqa: PLC0415

    sent = wire.sendable(text)
    (arrived,), _ = xmlrpc.client.loads(xmlrpc.client.dumps((sent,)).encode())
    normal = sent.replace("\r\n", "\n").replace("\r", "\n")  # XML has one kind of line end
    assert arrived == normal
    assert json.loads(json.dumps(sent)) == sent
    assert len(sent) == len(text)


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_amounts_arrive_exactly_as_doubles(amount: Decimal) -> None:
    assert decimal(json.loads(json.dumps(wire.sendable(amount)))) == amount
    assert Currency(1, "USD").rounded(decimal(float(amount))) == amount


def test_amounts_are_rounded_as_their_currency_says() -> None:
    usd, jpy, swiss = Currency(1, "USD"), Currency(2, "JPY", Decimal("1.0")), Currency(3, "CHF", Decimal("0.05"))
    amounts = [Decimal(text) for text in ("0.005", "-0.005", "2.675", "1234.5", "7.12")]
    assert [str(usd.rounded(amount)) for amount in amounts] == ["0.01", "-0.01", "2.68", "1234.50", "7.12"]
    assert [number(jpy.rounded(amount)) for amount in amounts[2:]] == [3, 1235, 7]
    assert [str(swiss.rounded(amount)) for amount in amounts[3:]] == ["1234.50", "7.10"]
    assert (usd.shown(Decimal("1234.5")), jpy.shown(Decimal("1234.5"))) == ("1,234.50 USD", "1,235 JPY")


def test_dates_and_nested_values_are_sent_as_odoo_takes_them() -> None:
    sent = wire.sendable({"a": [dt.date(2026, 2, 9), Decimal("1.50"), None, True], "b": (1, "x\x0b")})
    assert sent == {"a": ["2026-02-09", 1.5, None, True], "b": [1, "x\ufffd"]}


def test_planted_keys_are_short_the_same_again_and_different_for_others() -> None:
    keys = {planted_key(f"{number:032x}") for number in range(2000)}
    assert len(keys) == 2000
    assert planted_key("k1") == planted_key("k1")
    assert all(len(key) == 14 and key.startswith("AIE-") for key in keys)
