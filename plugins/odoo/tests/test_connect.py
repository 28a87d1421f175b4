"""``aie connect odoo`` and what ``aie doctor`` says of it: the real command against a server of each version."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fake_odoo import office
from fake_odoo.office import API_KEY, PASSWORD
from fake_odoo.shop import NOW, Shop

from aie.connections import CheckContext
from aie.errors import AieError
from aie_odoo.checking import check
from tests.aie_home import AieHome, Said


class Office:
    """A vault, and an Odoo to connect it to."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.shop = shop
        self.aie = AieHome(folder).with_vault()
        self.aie.env["AIE_KEYRING"] = "off"

    def connect(self, *words: str, code: int = 0, secret: str = "", **answers: str) -> Said:
        said = {"url": self.shop.server.url, "database": self.shop.db.name, "user": "connector", **answers}
        settings = [word for key, value in said.items() for word in ("--set", f"{key}={value}")]
        return self.aie("connect", "odoo", *settings, *words, code=code, stdin=f"{secret or self.shop.secret}\n")

    def doctor(self, code: int = 0) -> list[tuple[str, str, str]]:
        found = self.aie("doctor", "--json", code=code).records
        start = "odoo: "
        return [
            (one["level"], one["message"].removeprefix(start), one["hint"])
            for one in found
            if one["area"] == "connection"
        ]

    def edit(self, old: str, new: str) -> None:
        path = self.aie.vault / "aie.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


@pytest.fixture
def here(shop: Shop, tmp_path: Path) -> Iterator[Office]:
    yield Office(shop, tmp_path)


@pytest.fixture
def at_17(tmp_path: Path) -> Iterator[Office]:
    shop = Shop(17, tmp_path)
    yield Office(shop, tmp_path)
    shop.server.stop()


@pytest.fixture
def at_19(tmp_path: Path) -> Iterator[Office]:
    shop = Shop(19, tmp_path)
    yield Office(shop, tmp_path)
    shop.server.stop()


def test_connecting_says_what_was_found_and_keeps_the_key_out_of_the_vault(here: Office) -> None:
    office.jane(here.shop.db)
    said = here.connect("--set", "expires=2027-01-31") if here.shop.version >= 19 else here.connect()
    version, how = ("19.0", "JSON-2") if here.shop.version >= 19 else ("17.0-20240709", "XML-RPC")
    database = here.shop.db.name
    assert said.out.splitlines() == [
        f"Odoo {version} answers there.",
        f"Odoo {version}, database '{database}', as connector, {how}",
        "Company My Company, currency USD.",
        "Expenses without a name are Jane Doe's.",
        f"The key is kept in {here.aie.state}/credentials/odoo.json.",
        f"odoo is connected as connector at {database}. aie doctor looks at it any time.",
    ]
    assert (here.aie.vault / "aie.toml").read_text() == (
        f'[plugins.odoo]\nurl = "{here.shop.server.url}"\ndatabase = "{database}"\nuser = "connector"\n'
    )
    stored = json.loads((here.aie.state / "credentials" / "odoo.json").read_text())
    assert stored["secrets"] == {"api_key": here.shop.secret}
    expires = "2027-01-31T00:00:00+00:00" if here.shop.version >= 19 else None
    assert (stored["record"]["account"], stored["record"]["expires_at"], stored["record"]["details"]) == (
        f"connector at {database}",
        expires,
        {"version": version, "protocol": how, "company": "My Company", "currency": "USD"},
    )
    assert here.doctor() == [
        ("ok", f"Odoo {version}, database '{database}', as connector, {how}", ""),
        ("ok", "company My Company, currency USD", ""),
        ("ok", "expenses without a name are Jane Doe's", ""),
    ]


def test_the_end_of_the_only_key_is_read_from_odoo(at_19: Office) -> None:
    import datetime as dt  # noqa: PLC0415

    db = at_19.shop.db
    db.insert("res.users.apikeys", user_id=office.connector(db), name="aie", expiration_date=dt.datetime(2026, 12, 1))  # noqa: DTZ001
    at_19.connect()
    (ends, *_) = at_19.doctor()
    assert ends == ("warn", "the connection ends on 2026-12-01, in 5 days", "aie connect odoo")


def test_an_end_that_nobody_told_is_a_warning(at_19: Office) -> None:
    office.jane(at_19.shop.db)
    at_19.connect()
    assert at_19.doctor()[-1] == (
        "warn",
        "nobody told when the API key ends; Odoo gives most users keys for three months at the most",
        "aie connect odoo, and give the day",
    )


def test_a_password_on_19_works_with_a_warning(at_19: Office) -> None:
    office.jane(at_19.shop.db)
    said = at_19.connect(secret=PASSWORD)
    assert "as connector, XML-RPC\n" in said.out
    assert "Note: signed in with a password over XML-RPC" in said.out


def test_a_key_of_somebody_else_is_noticed(at_19: Office) -> None:
    said = at_19.connect(user="somebody")
    assert "That key belongs to connector.\n" in said.out
    assert 'user = "connector"' in (at_19.aie.vault / "aie.toml").read_text()


def test_where_there_are_several_companies_one_is_chosen(here: Office) -> None:
    here.shop.db.insert("res.company", id=2, name="Second", currency_id=126)
    said = here.connect("--set", "company=Second")
    assert "Company Second, currency EUR.\n" in said.out
    assert "company_id = 2\n" in (here.aie.vault / "aie.toml").read_text()


@pytest.mark.parametrize(
    ("answers", "message", "where", "hint"),
    [
        (
            {"url": "http://127.0.0.1:9"},
            "no connection to the Odoo server: All connection attempts failed",
            "http://127.0.0.1:9",
            "see whether the address is right and the server is on: aie doctor",
        ),
        (
            {"user": "nobody"},
            "Odoo does not know the user 'nobody' with that key or password",
            "{url}",
            "make an API key in Odoo (Preferences, Account Security), then: aie connect odoo",
        ),
        (
            {"database": "nosuchdb"},
            "the server cannot open the database 'nosuchdb'",
            "{url}",
            "write its name as the login page shows it",
        ),
        ({"url": "ftp://x"}, "'ftp://x' is not the address of a server", "url", "for example https://odoo.example.com"),
    ],
)
def test_what_does_not_work_is_said_and_nothing_is_stored(
    at_17: Office, answers: dict[str, str], message: str, where: str, hint: str
) -> None:
    at_17.shop.server.list_databases = False
    error = at_17.connect(code=1, **answers).err
    flat = " ".join(error.split())
    assert flat.startswith(f"Error: {message}")
    assert f"Where: {where.format(url=at_17.shop.server.url)}" in flat
    assert f"Next: {hint}" in flat
    assert ((at_17.aie.vault / "aie.toml").read_text(), (at_17.aie.state / "credentials").exists()) == ("", False)


def test_a_database_that_the_server_does_not_list_is_not_taken(here: Office) -> None:
    error = here.connect(code=2, database="odooo").err
    assert "Error: 'odooo' is not an answer to: Which database\n  Where: database\n  Next:  did you mean " in error


def test_a_database_that_is_gone_is_not_offered_again(at_17: Office) -> None:
    (at_17.aie.vault / "aie.toml").write_text('[plugins.odoo]\ndatabase = "old"\n')
    settings = ("--set", f"url={at_17.shop.server.url}", "--set", "user=connector")
    said = at_17.aie("connect", "odoo", *settings, stdin=f"\n{at_17.shop.secret}\n")
    assert "database 'odoo17', as connector" in said.out
    at_17.shop.server.list_databases = False
    (at_17.aie.vault / "aie.toml").write_text("")
    error = at_17.aie("connect", "odoo", *settings, stdin="\n", code=1).err
    assert error.startswith("Error: there is no database to connect to\n")


def test_no_secret_is_in_any_message(here: Office) -> None:
    for secret in ("wrong-" + "x" * 20, API_KEY[:-1] + "0"):
        said = here.connect(code=1, secret=secret)
        assert secret not in said.out + said.err


# --- aie doctor --------------------------------------------------------------------------------------------------


def told(shop: Shop) -> list[tuple[str, str, str]]:
    """What the check finds, as the doctor says it."""
    context = CheckContext(
        shop.settings, shop.folder, ZoneInfo("Europe/Berlin"), shop.credentials, NOW, logging.getLogger(), shop.folder
    )
    try:
        return [(str(one.level), one.message, one.hint) for one in asyncio.run(check(context))]
    except AieError as error:
        return [("FAIL", f"{error.where}: {error.message}", error.hint)]


def test_the_doctor_names_a_server_that_is_away(at_17: Office) -> None:
    at_17.connect()
    at_17.edit(at_17.shop.server.url, "http://127.0.0.1:9")
    expected = [
        (
            "FAIL",
            "http://127.0.0.1:9: no connection to the Odoo server: All connection attempts failed",
            "see whether the address is right and the server is on: aie doctor",
        )
    ]
    assert at_17.doctor(code=1) == expected
    at_17.shop.change(url="http://127.0.0.1:9")
    assert told(at_17.shop) == expected


def test_the_doctor_names_an_address_that_is_not_odoo(shop: Shop) -> None:
    shop.change(url=f"{shop.server.url}/shop")
    assert told(shop) == [
        (
            "FAIL",
            f"{shop.server.url}/shop: what answers there is not Odoo (HTTP 404)",
            "use the address that the browser shows for Odoo, up to the first slash",
        )
    ]


def test_the_doctor_names_a_wrong_database_and_those_there_are(shop: Shop) -> None:
    right = shop.db.name
    shop.change(database="nosuchdb")
    message = "the server cannot open the database 'nosuchdb'"
    assert told(shop) == [("FAIL", message, f"the server has: {right}; aie connect odoo")]
    shop.server.list_databases = False
    assert told(shop) == [("FAIL", message, "see whether its name is right: aie connect odoo")]


def test_the_doctor_names_a_key_that_is_refused(here: Office) -> None:
    here.connect()
    here.shop.db.api_keys.clear()
    here.shop.db.passwords.clear()
    (found,) = here.doctor(code=1)
    assert found == (
        "FAIL",
        f"{here.shop.server.url}: Odoo does not know the user 'connector' with that key or password",
        "make an API key in Odoo (Preferences, Account Security), then: aie connect odoo",
    )


def test_the_doctor_names_apps_that_are_missing(shop: Shop) -> None:
    shop.db.uninstall("hr.expense")
    assert (
        "warn",
        "the Expenses app is not installed: nothing can be done with expenses",
        'install it (Odoo, Apps, Expenses), or leave "expenses" out of watch',
    ) in told(shop)
    shop.db.uninstall("account.move")
    assert (
        "warn",
        "the Invoicing app is not installed: nothing can be done with invoices",
        'install it (Odoo, Apps, Invoicing), or leave "invoices" out of watch',
    ) in told(shop)


def test_the_doctor_names_the_missing_employee_and_rights(shop: Shop) -> None:
    uid = office.connector(shop.db)
    assert (
        "warn",
        "no employee belongs to aie's user in Odoo: each expense has to name one",
        "name the employee, or link one to the user: Odoo, Employees, HR Settings, Related User",
    ) in told(shop)
    for model, operation in (("account.move", "create"), ("account.payment", "create"), ("hr.employee", "read")):
        shop.db.denied.add((uid, model, operation))
    right = "give the right 'Invoicing: Billing' to the user (Odoo, Settings, Users), or do without"
    assert [found for found in told(shop) if found[0] == "warn" and "API key" not in found[1]] == [
        ("warn", "the user may not make invoices", right),
        ("warn", "the user may not register payments", right),
        ("warn", "the user may not see employees", "give it a right to Employees in Odoo (Users)"),
    ]


def test_a_server_that_has_dropped_the_old_question_for_rights_is_asked_the_new_one(shop: Shop) -> None:
    shop.server.general.pop("check_access_rights")
    shop.server.general["has_access"] = lambda db, uid, model, ids, arguments, context: model != "account.payment"
    found = [message for _, message, _ in told(shop) if message.startswith("the user may not")]
    assert found == ["the user may not register payments"]


def test_the_doctor_speaks_of_it_once_a_server_is_set(at_17: Office) -> None:
    assert at_17.doctor() == []
    (at_17.aie.vault / "aie.toml").write_text(f'[plugins.odoo]\nurl = "{at_17.shop.server.url}"\n')
    assert at_17.doctor(code=1) == [("FAIL", "there is no key yet", "aie connect odoo")]
