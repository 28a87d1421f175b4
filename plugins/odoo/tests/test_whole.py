"""All of it together: the real ``aie``, an Odoo, and what comes of it in the vault and on the server."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_odoo import office
from fake_odoo.shop import Shop

from aie.templates import TemplateCompiler
from aie.workflow import parse_workflow
from aie_odoo.settings import OdooSettings
from tests.aie_home import AieHome, until
from tests.plugin_dists import write_dist

PACKAGE = Path(__file__).parent.parent
ORIGINAL = PACKAGE.parent.parent / "tests" / "original" / "workflows"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

MAIL = """
import json, os
from pydantic import BaseModel, ConfigDict
from aie.actions import ActionHandler
from aie.hookspecs import hookimpl

class Mail(BaseModel):
    model_config = ConfigDict(extra="forbid")
    to: str
    subject: str
    body: str
    priority: str = "normal"

async def send(params, context):
    with open(os.environ["OUTBOX"], "a") as file:
        file.write(json.dumps(params.model_dump()) + "\\n")
    return {"sent": True}

@hookimpl
def aie_action_handlers(settings):
    return [ActionHandler("send_email", Mail, send, note_kind="EMAIL", title_field="subject", body_field="body")]
"""
INVOICE = {
    "id": "bill", "action_type": "create_invoice",
    "parameters": {
        "customer_id": "{{ event.data.customer_id }}", "items": [{"name": "Work", "quantity": 2, "price": 125}],
        "post": True,
    },
}  # fmt: skip


@pytest.fixture
def aie(shop: Shop, tmp_path: Path) -> Iterator[AieHome]:
    """A vault connected to the server, with somebody who sends mail."""
    home = AieHome(tmp_path).with_vault()
    write_dist(tmp_path / "site", "aie-mail", MAIL)
    home.env |= {
        "AIE_KEYRING": "off", "AIE_ODOO__API_KEY": shop.secret, "PYTHONPATH": str(tmp_path / "site"),
        "OUTBOX": str(tmp_path / "outbox"),
    }  # fmt: skip
    (home.vault / "aie.toml").write_text(
        f'[plugins.odoo]\nurl = "{shop.server.url}"\ndatabase = "{shop.db.name}"\nuser = "connector"\n'
        "poll_interval_s = 0.2\nsettle_s = 0\n"
    )
    yield home


def test_a_kill_between_the_invoice_and_its_record_leaves_one_invoice(aie: AieHome, shop: Shop) -> None:
    customer = office.acme(shop.db)
    aie.workflow("bill", [INVOICE], trigger_event="manual_trigger")
    aie("run", "bill", f"customer_id={customer}")
    (asked,) = aie("approvals", "list", "--json").records
    process = subprocess.Popen(
        [*aie.command, "approvals", "approve", asked["approval_id"]],
        cwd=aie.vault, env=aie.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    killed: list[int] = []

    def kill() -> None:
        os.kill(process.pid, signal.SIGKILL)
        killed.append(process.wait())

    shop.server.after["account.move.create"] = kill
    until(lambda: killed, "the invoice to be made, and aie to be killed")
    assert [row["state"] for row in shop.rows("account.move")] == ["draft"]
    with aie.started():
        until(lambda: aie("runs", "list", "--json").record["status"] == "succeeded", "the run to go on")
    (made,) = shop.rows("account.move")
    assert (made["state"], shop.server.called("account.move.create"), killed) == ("posted", 1, [-signal.SIGKILL])
    (run,) = aie("runs", "list", "--json").records
    (step,) = aie("runs", "show", run["run_id"], "--json").record["steps"]
    assert step["result"]["invoice_number"] == "INV/2026/00001"


def test_a_posted_invoice_becomes_the_mail_that_the_original_workflow_writes(aie: AieHome, shop: Shop) -> None:
    (aie.vault / "workflows").mkdir()
    shutil.copy(ORIGINAL / "invoice_to_email.json", aie.vault / "workflows")
    office.press(shop.db, "account.move", "action_post", office.invoice(shop.db, office.acme(shop.db), 70))
    with aie.started():
        until(lambda: shop.server.called("hr.expense.search_read") > 2, "the first looks")
        customer = office.acme(shop.db, name="Example Ltd", email="customer@example.com")
        for price in (1000, 40):  # the second one is under the limit of the workflow
            office.press(shop.db, "account.move", "action_post", office.invoice(shop.db, customer, price))
        found = until(lambda: aie("approvals", "list", "--json").records, "the request for the mail")
        (asked,) = found
        until(lambda: list((aie.vault / "Pending_Approval").glob("EMAIL_*.md")), "its note")
        aie("approvals", "approve", asked["approval_id"])
        outbox = Path(aie.env["OUTBOX"])
        until(outbox.exists, "the mail")
    (mail,) = map(json.loads, outbox.read_text().splitlines())
    assert (mail["to"], mail["subject"]) == ("customer@example.com", "Invoice INV/2026/00002 - $1150")
    assert mail["body"].startswith("Dear Customer,\n\nYour invoice INV/2026/00002 for $1150 has been created.")
    events = aie("events", "list", "--json").records
    assert sorted(event["event_type"] for event in events if event["source"] == "odoo.invoices") == [
        "invoice_created", "invoice_created", "invoice_posted", "invoice_posted",
    ]  # fmt: skip


@pytest.mark.parametrize("shop", [17], indirect=True)
def test_the_note_that_asks_reads_like_the_invoice(aie: AieHome, shop: Shop) -> None:
    customer = office.acme(shop.db)
    aie.workflow("bill", [INVOICE], trigger_event="manual_trigger")
    aie("run", "bill", f"customer_id={customer}")
    with aie.started():
        (note,) = until(lambda: list((aie.vault / "Pending_Approval").glob("INVOICE_*.md")), "the note")
    text = note.read_text(encoding="utf-8")
    assert f"To:     Acme GmbH (customer {customer})\nE-mail: ap@acme.test\n" in text
    assert "Total  250.00 USD\n" in text
    assert shop.secret not in text


# --- the page of this package ------------------------------------------------------------------------------------


def page(language: str) -> list[str]:
    text = (PACKAGE / "README.md").read_text(encoding="utf-8")
    return [found[2] for found in BLOCK.finditer(text) if found[1] == language]


def workflow_of_page(workflow_id: str) -> str:
    return next(block for block in page("json") if json.loads(block)["workflow_id"] == workflow_id)


def test_every_block_of_the_page_is_run_or_loaded() -> None:
    text = (PACKAGE / "README.md").read_text(encoding="utf-8")
    assert {found[1] for found in BLOCK.finditer(text)} == {"console", "toml", "json", "text"}
    for block in page("json"):
        parse_workflow(block, TemplateCompiler(), where="README.md")
    for block in page("toml"):
        OdooSettings.model_validate(tomllib.loads(block)["plugins"]["odoo"])


def test_the_settings_of_the_page_are_all_there_are() -> None:
    text = (PACKAGE / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)` \|", text.partition("## Settings")[2].partition("\n## ")[0], re.MULTILINE))
    assert named == set(OdooSettings.model_fields)


def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    shop = Shop(17, tmp_path)
    office.jane(shop.db)
    aie = AieHome(tmp_path).with_vault()
    aie.env |= {"AIE_KEYRING": "off", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{aie.env['PATH']}"}
    for block in page("console"):
        for line in block.splitlines():
            words = shlex.split(line)
            if words[:2] == ["pip", "install"]:
                assert words[2] == "aie-odoo"
                continue
            command = line.replace("https://odoo.example.com", shop.server.url).replace("mycompany", shop.db.name)
            command = command.replace("aie@example.com", "connector")
            done = subprocess.run(
                command, shell=True, cwd=aie.vault, env=aie.env, input=f"{shop.secret}\n", capture_output=True,
                text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    shop.server.stop()


@pytest.mark.parametrize("shop", [19], indirect=True)
def test_an_expense_of_the_page_is_approved_and_then_in_odoo_and_not_again(aie: AieHome, shop: Shop) -> None:
    office.jane(shop.db)
    path = aie.workflow("expense_to_odoo", [])
    path.write_text(workflow_of_page("expense_to_odoo"), encoding="utf-8")
    with aie.started():
        until(lambda: shop.server.called("hr.expense.search_read") > 2, "the first looks")
        aie("emit", "expense_recorded", "name=Team lunch", "amount=620", "date=2026-11-20", "--source", "phone")
        (asked,) = aie("approvals", "list", "--json").records
        assert shop.rows("hr.expense") == []
        aie("approvals", "approve", asked["approval_id"])
        until(lambda: shop.rows("hr.expense"), "the expense in Odoo")
        until(lambda: len(aie("events", "list", "--json").records) >= 3, "the event that Odoo makes of it")
    (row,) = shop.rows("hr.expense")
    assert (row["name"], row["total_amount"], row["date"]) == ("Team lunch", 620.0, "2026-11-20")
    runs = aie("runs", "list", "--json").records
    assert [run["status"] for run in runs] == ["succeeded"]
