"""Every recipe of the cookbook: in order, tried as its page says with what its page shows, and done for real."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.aie_home import AieHome, until
from tests.demo_services import meeting_mail, services
from tests.together.cookbook import FOLDER, LANGUAGES, NAMES, RECIPES, Recipe, says
from tests.together.firm import ENDED, Firm, Shop, office, rules, save

BERLIN = ZoneInfo("Europe/Berlin")  # of AieHome
SECTIONS = ["The workflow", "Try it", "Make it yours", "When it fails"]
VOUCHED = "mx.google.com; spf=pass; dkim=pass; dmarc=pass (p=REJECT) header.from=example.com"


# --- the pages ---------------------------------------------------------------------------------------------------


def test_the_cookbook_has_ten_recipes_and_its_first_page_names_them_all() -> None:
    index = (FOLDER / "index.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| \[[^]]+\]\(([\w-]+)\.md\)", index, re.MULTILINE)
    tree = index.partition("{toctree}")[2].split()
    assert sorted(table) == sorted(set(tree) & set(NAMES)) == NAMES
    assert len(NAMES) == 10


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_a_page_has_everything_in_its_place_and_no_block_that_nobody_tries(recipe: Recipe) -> None:
    assert [heading for heading in recipe.headings if heading != "The script"] == SECTIONS
    assert recipe.languages <= LANGUAGES
    saved = list(recipe.files.values())
    assert [block for block in recipe.blocks("json") if block not in saved] == []
    assert "--dry-run" in recipe.command


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_what_a_page_links_to_is_there(recipe: Recipe) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", recipe.text.partition("```text")[0] + recipe.text.rpartition("```")[2])
    assert [target for target in targets if not (FOLDER / target).exists()] == []


# --- dry runs ----------------------------------------------------------------------------------------------------


@pytest.fixture
def aie(tmp_path: Path) -> AieHome:
    """A vault with nothing in it, and nothing connected."""
    home = AieHome(tmp_path).with_vault()
    home.env["AIE_KEYRING"] = "off"
    return home


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_the_workflow_of_a_page_is_in_order_without_a_warning(recipe: Recipe, aie: AieHome) -> None:
    save(recipe, aie)
    assert aie("workflows", "check").out == "1 file checked, 1 in order.\n"


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_the_command_of_a_page_shows_what_the_page_says_and_touches_nothing(recipe: Recipe, aie: AieHome) -> None:
    save(recipe, aie)
    before = aie.snapshot()
    aie.env["PATH"] = f"{Path(sys.executable).parent}:{aie.env['PATH']}"
    done = subprocess.run(
        ["bash", "-c", recipe.command], cwd=aie.vault, env=aie.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert says(recipe.output, done.stdout), f"the page says\n{recipe.output}\nand this was printed\n{done.stdout}"
    assert aie.snapshot() == before


# --- for real ----------------------------------------------------------------------------------------------------


@pytest.fixture
def firm(aie: AieHome, tmp_path: Path) -> Iterator[Firm]:
    odoo = Shop(19, tmp_path)
    with services() as outside:
        yield Firm(aie, outside, odoo)
    odoo.server.stop()


def test_an_invoice_that_is_overdue_and_unpaid_brings_one_reminder_once_it_was_approved(firm: Firm) -> None:
    firm.use("invoice-reminder", **{"7 days": "1s"})
    customer = office.acme(firm.odoo.db, name="Kim Lee", email="kim@example.com")
    with firm.aie.started():
        firm.looks_at_invoices()
        unpaid = office.invoice(firm.odoo.db, customer, 1000, invoice_date="2026-02-09", invoice_date_due="2026-03-11")
        office.press(firm.odoo.db, "account.move", "action_post", unpaid)
        note = firm.request("EMAIL")
        assert firm.sent == []
        firm.decide(note)
        steps = firm.ended()
    assert steps == {"until_due": "succeeded", "grace": "succeeded", "now": "succeeded", "remind": "succeeded"}
    number = firm.odoo.db.get("account.move", unpaid)["name"]
    assert firm.sent == [
        (
            "kim@example.com",
            f"Invoice {number}: a reminder",
            f"Good day,\n\nour invoice {number} of 09.02.2026 was due on 11.03.2026, and 1,150.00 USD of it are still "
            "open. Perhaps it has slipped through. If you have paid meanwhile, please take no notice of this mail.\n\n"
            "Kind regards\nExample Bakery\n",
        )
    ]


def test_an_invoice_that_was_paid_in_time_brings_no_reminder(firm: Firm) -> None:
    firm.use("invoice-reminder", **{"7 days": "3s"})
    customer = office.acme(firm.odoo.db)
    with firm.aie.started():
        firm.looks_at_invoices()
        invoice = office.invoice(firm.odoo.db, customer, 1000, invoice_date_due="2026-03-11")
        office.press(firm.odoo.db, "account.move", "action_post", invoice)
        until(firm.runs, "the run to start")
        rules.pay(firm.odoo.db, firm.odoo.db.get("account.move", invoice), 1150)
        steps = firm.ended()
    assert (steps["now"], steps["remind"], firm.sent) == ("succeeded", "skipped", [])


def test_a_reminder_waits_until_the_day_it_is_due_and_then_for_a_week(firm: Firm) -> None:
    firm.use("invoice-reminder")
    due = today() + dt.timedelta(days=30)
    firm.aie("emit", "invoice_posted", "invoice_id=18", "amount_due=5000", f"due_date={due}")
    (run,) = firm.runs()
    (waiting, *later) = firm.show(run["run_id"])["steps"]
    nine = dt.datetime.combine(due, dt.time(9), BERLIN)
    assert (run["status"], dt.datetime.fromisoformat(waiting["wake_at"])) == ("waiting", nine)
    assert {step["status"] for step in later} == {"not reached"}


def test_a_mail_with_a_day_in_it_becomes_an_entry_and_gets_a_label_once_that_was_approved(firm: Firm) -> None:
    firm.use("meeting-from-mail")
    with firm.aie.started():
        firm.looks_at_mail()
        mail = firm.outside.gmail.deliver(meeting_mail())
        note = firm.request("CALENDAR")
        assert firm.notes("Calendar/*") == []
        firm.decide(note)
        steps = firm.ended()
    assert steps == {"entry": "succeeded", "label": "succeeded"}
    (entry,) = firm.notes("Calendar/*.ics")
    lines = entry.read_text(encoding="utf-8").replace("\n ", "").splitlines()
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    assert "SUMMARY:Meeting about the spring menu" in lines
    assert f"DTSTART;TZID=Europe/Berlin:{tomorrow:%Y%m%d}T140000" in lines
    assert "TRIGGER:-PT15M" in lines
    assert [firm.outside.gmail.labels[label] for label in mail.labels][-1:] == ["In the calendar"]


def test_the_hour_of_a_meeting_can_be_changed_in_its_note(firm: Firm) -> None:
    firm.use("meeting-from-mail")
    firm.aie("run", "meeting_from_mail", "--example")  # its day is long past
    with firm.aie.started():
        note = firm.request("CALENDAR")
        text = note.read_text(encoding="utf-8")
        assert text.count('\ntime: "10:00"\n') == 1
        note.write_text(text.replace('\ntime: "10:00"\n', '\ntime: "11:30"\n'), encoding="utf-8")
        firm.decide(note)
    (entry,) = firm.notes("Calendar/*.ics")
    assert "DTSTART;TZID=Europe/Berlin:20260212T113000" in entry.read_text(encoding="utf-8")


def test_a_meeting_that_is_rejected_makes_no_entry_and_no_label(firm: Firm) -> None:
    firm.use("meeting-from-mail")
    with firm.aie.started():
        firm.looks_at_mail()
        mail = firm.outside.gmail.deliver(meeting_mail())
        firm.decide(firm.request("CALENDAR"), "Rejected")
        steps = firm.ended()
    assert (steps, mail.labels) == ({"entry": "rejected", "label": "skipped"}, ["INBOX", "UNREAD"])
    assert firm.notes("Calendar/*") == []


def test_an_expense_over_the_limit_is_filed_once_it_was_approved(firm: Firm) -> None:
    firm.use("expense-over-a-limit")
    firm.aie("emit", "expense_recorded", "name=Laptop", "amount=750", "date=2026-02-09", "currency=EUR")
    firm.aie("emit", "expense_recorded", "name=Pens", "amount=7", "date=2026-02-09")
    assert firm.notes("Expenses/**/*.md") == []
    with firm.aie.started():
        firm.decide(firm.request("APPROVAL"))
        steps = firm.ended()
    assert steps == {"ask": "succeeded", "file": "succeeded", "declined": "not reached"}
    (note,) = firm.notes("Expenses/**/*.md")
    assert note.relative_to(firm.vault).as_posix() == "Expenses/2026-02/2026-02-09 Laptop.md"
    assert note.read_text() == ("---\namount: 750\ndate: 2026-02-09\napproved_by: vault\n---\nLaptop, 750.00 EUR\n")


def test_an_expense_that_is_declined_is_told_and_not_filed(firm: Firm) -> None:
    firm.use("expense-over-a-limit")
    firm.aie("emit", "expense_recorded", "name=Laptop", "amount=750", "date=2026-02-09")
    with firm.aie.started():
        firm.decide(firm.request("APPROVAL"), "Rejected")
        steps = firm.ended()
    assert steps == {"ask": "rejected", "file": "not reached", "declined": "succeeded"}
    assert [run["status"] for run in firm.runs()] == ["succeeded"]
    (told,) = firm.notes("Inbox/NOTIFICATION_*.md")
    assert "The expense of 750.00 was not approved." in told.read_text()
    assert firm.notes("Expenses/**/*.md") == []


def test_an_expense_without_a_date_is_filed_by_a_rerun_that_gives_it_and_does_not_ask_again(firm: Firm) -> None:
    firm.use("expense-over-a-limit")
    firm.aie("emit", "expense_recorded", "name=Laptop", "amount=750")
    (asked,) = firm.aie("approvals", "list", "--json").records
    firm.aie("approvals", "approve", asked["approval_id"])
    (run,) = firm.runs()
    with firm.aie.started():
        (told,) = until(lambda: firm.notes("Inbox/FAILURE_*.md"), "the note about the failure")
    assert "event.data has no 'date'; it has: " in told.read_text()
    firm.aie("runs", "rerun", run["run_id"], "--set", "event.data.date=2026-02-09")
    assert [path.name for path in firm.notes("Expenses/**/*.md")] == ["2026-02-09 Laptop.md"]


def test_an_amount_that_is_text_starts_nothing_and_is_told(firm: Firm) -> None:
    firm.use("expense-over-a-limit")
    firm.aie("emit", "expense_recorded", "name=Laptop", "amount=750 EUR", "--id", "laptop", code=1)
    assert "cannot compare text with a number (>)" in firm.aie("why", "laptop").out
    with firm.aie.started():
        until(lambda: firm.notes("Inbox/FAILURE_*.md"), "the note about the condition")
    assert firm.runs() == []


def test_a_very_large_expense_is_decided_in_a_terminal_only(firm: Firm) -> None:
    firm.use("expense-over-a-limit")
    firm.aie("emit", "expense_recorded", "name=Oven", "amount=9000", "date=2026-02-09")
    (asked,) = firm.aie("approvals", "list", "--json").records
    assert (asked["rule"], asked["required_channel"]) == ("large expenses in a terminal", "cli")
    firm.aie("approvals", "approve", asked["approval_id"])
    assert [path.name for path in firm.notes("Expenses/**/*.md")] == ["2026-02-09 Oven.md"]


def test_the_briefing_has_the_weeks_appointments_the_money_and_what_waits(firm: Firm) -> None:
    firm.use("weekly-briefing")
    day = today() + dt.timedelta(days=2)
    (firm.vault / "Calendar").mkdir()
    (firm.vault / "Calendar" / "tasting.ics").write_text(appointment("Tasting", day), newline="")
    customer = office.acme(firm.odoo.db)
    invoice = office.invoice(firm.odoo.db, customer, 1000, invoice_date="2020-01-01", invoice_date_due="2020-02-01")
    office.press(firm.odoo.db, "account.move", "action_post", invoice)
    firm.aie("run", "weekly_briefing", "date=2026-02-09", "pending_count=2")
    month = today().replace(day=1)
    end = (month + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)
    (note,) = firm.notes("Briefings/*.md")
    assert (note.name, note.read_text()) == (
        "2026-02-09.md",
        "# Week from 09.02.2026\n\n## Appointments\n\n"
        f"- {day:%A %Y-%m-%d}, 14:00 to 15:00: Tasting\n\n## Money\n\n"
        f"- Invoiced {month} to {end}: 0.00 USD (0)\n- Of these paid: 0.00 USD (0)\n"
        "- Open: 1,150.00 USD (1)\n- Overdue: 1,150.00 USD (1)\n\n## Waiting for you\n\n2 in Pending_Approval\n",
    )


def test_the_briefing_comes_without_odoo_and_says_so(firm: Firm) -> None:
    firm.use("weekly-briefing", **{'"on_failure": "week"': '"on_failure": "week", "retry_count": 0'})
    firm.odoo.server.stop()
    firm.aie("run", "weekly_briefing", "date=2026-02-09", "pending_count=0")
    (note,) = firm.notes("Briefings/*.md")
    assert note.read_text() == (
        "# Week from 09.02.2026\n\n## Appointments\n\nNothing is in the calendar.\n\n## Money\n\n"
        "Odoo could not be asked.\n\n## Waiting for you\n\nNothing.\n"
    )


def test_a_pdf_gets_an_entry_and_the_same_one_again_is_pointed_out(firm: Firm) -> None:
    firm.use("file-intake")
    content = b"%PDF-1.7 an offer\n"
    sha256, received = hashlib.sha256(content).hexdigest(), today()
    with firm.aie.started():
        firm.looks_at_files()
        (firm.vault / "Inbox" / "offer.pdf").write_bytes(content)
        (firm.vault / "Inbox" / "list.txt").write_text("no pdf")
        until(lambda: firm.notes("Inbox/NOTIFICATION_*offer*"), "word of the file")
        (firm.vault / "Inbox" / "again.pdf").write_bytes(content)
        until(lambda: firm.notes("Inbox/NOTIFICATION_*again*"), "word of the second file")
    month = f"{received:%Y-%m}"
    assert sorted(path.name for path in firm.vault.glob("Inbox/*") if "NOTIFICATION" not in path.name) == ["list.txt"]
    assert {path.name: path.read_bytes() for path in firm.vault.glob(f"Archive/{month}/*")} == {
        "offer.pdf": content,
        "again.pdf": content,
    }
    (entry,) = firm.notes("Register/*.md")
    assert (entry.name, entry.read_text()) == (
        f"{sha256[:12]}.md",
        f'---\nfile: "[[Archive/{month}/offer.pdf]]"\nreceived: {received}\nsize_bytes: 18\n---\n'
        "- [ ] Look through offer.pdf\n",
    )
    told = {note.name.split("_")[2].split(".")[0]: note.read_text() for note in firm.notes("Inbox/NOTIFICATION_*.md")}
    assert len(told) == 2
    (first,) = (text for text in told.values() if "# New: offer.pdf" in text)
    (second,) = (text for text in told.values() if "# Not registered: again.pdf" in text)
    assert f"It is filed as [[Archive/{month}/offer.pdf]], its entry is [[Register/{entry.name}]]." in first
    assert (
        f"It is filed as [[Archive/{month}/again.pdf]], and 'Register/{entry.name}' exists already, with other "
        f"content. A file with this content has its entry in [[Register/{entry.name}]]."
    ) in second
    assert [run["status"] for run in firm.runs()] == ["succeeded", "succeeded"]


def test_a_note_whose_date_has_come_is_published_once_it_was_approved_and_recorded(firm: Firm) -> None:
    recipe = firm.use("post-calendar")
    due = (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)).isoformat(timespec="seconds")
    folder = firm.vault / "LinkedIn" / "Scheduled"
    folder.mkdir(parents=True)
    (folder / "Spring.md").write_text(recipe.note.replace("2026-03-01T09:00", due))
    os.utime(folder / "Spring.md", (time.time() - 60,) * 2)
    with firm.aie.started():
        note = firm.request("LINKEDIN_POST")
        assert firm.outside.linkedin.texts == []
        firm.decide(note)
        steps = firm.ended()
    assert steps == {"post": "succeeded", "record": "succeeded"}
    assert firm.outside.linkedin.texts == ["From March on we open at 8. #bakery"]
    (record,) = firm.notes("LinkedIn/Published/*.md")
    assert re.fullmatch(
        r"---\nlink: https://www\.linkedin\.com/feed/update/urn:li:share:\d+\n---\n"
        r"From March on we open at 8\. #bakery\n",
        record.read_text(),
    )


def test_a_note_about_a_customer_becomes_a_record_then_a_welcome_then_a_card(firm: Firm) -> None:
    recipe = firm.use("new-customer")
    with firm.aie.started():
        firm.looks_at_files()
        (firm.vault / "Inbox" / "Example.md").write_text(recipe.note)
        firm.decide(firm.request("CUSTOMER"))
        firm.decide(firm.request("EMAIL"))
        steps = firm.ended()
    assert steps == {"customer": "succeeded", "welcome": "succeeded", "card": "succeeded"}
    (made,) = (row for row in firm.odoo.rows("res.partner") if row["name"] == "Example Ltd")
    assert made["email"] == "kim@example.com"
    ((to, subject, text),) = firm.sent
    assert (to, subject) == ("kim@example.com", "Welcome to Example Bakery")
    assert text.startswith("Dear Kim Lee,\n\nthank you for choosing us.")
    (card,) = firm.notes("Customers/*.md")
    link = f"{firm.odoo.server.url}/mail/view?model=res.partner&res_id={made['id']}"
    assert (card.name, card.read_text()) == ("Example Ltd.md", f"---\nemail: kim@example.com\nodoo: {link}\n---\n")


def test_a_note_without_a_name_fails_and_a_rerun_may_give_it(firm: Firm) -> None:
    firm.use("new-customer")
    firm.aie("emit", "file_added", "file_type=customer", 'front_matter={"email": "kim@example.com"}', code=1)
    (run,) = firm.runs()
    assert "event.data.front_matter has no 'name'" in firm.show(run["run_id"])["error"]["error"]
    firm.aie("runs", "rerun", run["run_id"], "--set", "event.data.front_matter.name=Example Ltd")
    (asked,) = firm.aie("approvals", "list", "--json").records
    assert asked["title"] == "Example Ltd"


def test_a_customer_who_is_known_gets_no_welcome(firm: Firm) -> None:
    recipe = firm.use("new-customer")
    known = office.acme(firm.odoo.db, name="Example", email="kim@example.com")
    with firm.aie.started():
        firm.looks_at_files()
        (firm.vault / "Inbox" / "Example.md").write_text(recipe.note)
        firm.decide(firm.request("CUSTOMER"))
        steps = firm.ended()
    assert (steps, firm.sent) == ({"customer": "succeeded", "welcome": "skipped", "card": "succeeded"}, [])
    assert firm.notes("Customers/*.md")[0].read_text().endswith(f"&res_id={known}\n---\n")


def test_the_overdue_list_names_who_owes_what_and_points_out_what_is_a_month_old(firm: Firm) -> None:
    firm.use("overdue-list")
    customer = office.acme(firm.odoo.db)
    made = []
    for days in (40, 2, -5):
        due = str(today() - dt.timedelta(days=days))
        made.append(office.invoice(firm.odoo.db, customer, 1000, invoice_date_due=due))
        office.press(firm.odoo.db, "account.move", "action_post", made[-1])
    firm.aie("run", "overdue_list")
    (note,) = firm.notes("Finance/*.md")
    names = [firm.odoo.db.get("account.move", one)["name"] for one in made]
    links = [f"{firm.odoo.server.url}/mail/view?model=account.move&res_id={one}" for one in made]
    assert note.read_text() == (
        f"# Overdue on {today()}\n\nInvoices: 2, together 2,300.00 USD\n\n"
        "| Invoice | Customer | Due | Days late | Open |\n|---|---|---|---:|---:|\n"
        f"| [{names[0]}]({links[0]}) | Acme GmbH | {today() - dt.timedelta(days=40)} | 40 | 1,150.00 USD |\n"
        f"| [{names[1]}]({links[1]}) | Acme GmbH | {today() - dt.timedelta(days=2)} | 2 | 1,150.00 USD |\n"
    )
    (told,) = firm.notes("Inbox/NOTIFICATION_*.md")
    assert "- Acme GmbH: 1,150.00 USD, 40 days\n" in told.read_text()
    firm.aie("run", "overdue_list")
    assert firm.notes("Finance/*.md") == [note]


def letter(subject: str, **headers: str) -> bytes:
    mail = EmailMessage()
    fields = {
        "From": "Ada Brown <ada@example.com>", "To": "owner@example.org", "Subject": subject,
        "Date": "Tue, 21 Jul 2026 10:00:00 +0200", "Message_ID": f"<{subject}@example.com>",
        "Authentication_Results": VOUCHED, **headers,
    }  # fmt: skip
    for name, value in fields.items():
        mail[name.replace("_", "-")] = value
    mail.set_content("Are the rolls for Friday ready?\n")
    return mail.as_bytes()


def test_while_away_each_person_is_answered_once_and_programs_and_forgers_never(firm: Firm) -> None:
    first, last = today(), today() + dt.timedelta(days=5)
    firm.use("out-of-office", **{"2026-07-20": str(first), "2026-08-02": str(last)})
    during = dt.datetime.now(dt.UTC)
    after = during + dt.timedelta(days=7)
    other = "Kim Lee <Kim@example.com>"
    with firm.aie.started():
        firm.looks_at_mail()
        for raw in (
            letter("first"),
            letter("second"),
            letter("list", List_Id="<news.example.com>", From="News <news@example.com>"),
            letter("robot", Auto_Submitted="auto-replied", From="Robot <robot@example.com>"),
            letter("no-reply", From="Shop <no-reply@example.com>"),
            letter("forged", Authentication_Results="mx.google.com; dmarc=fail", From="Bo <bo@example.com>"),
            letter("in-copy", To="somebody@example.org", Cc="owner@example.org", From="Cy <cy@example.com>"),
            letter("from-myself", From="owner@example.org"),
            letter("other", From=other),
        ):
            firm.outside.gmail.deliver(raw, received_at=during)
        firm.outside.gmail.deliver(letter("later", From="Di <di@example.com>"), received_at=after)
        until(lambda: len(firm.aie("events", "list", "--json").records) >= 10, "all mails to be read")
        until(lambda: all(run["status"] in ENDED for run in firm.runs()) and len(firm.runs()) == 3, "all runs to end")
    assert sorted((to, subject) for to, subject, _ in firm.sent) == [
        ("Kim@example.com", "Re: other"), ("ada@example.com", "Re: first"),
    ]  # fmt: skip
    assert {text.partition("\n\n")[2].partition(".")[0] for _, _, text in firm.sent} == {"thank you for your mail"}
    assert {mail["Auto-Submitted"] for mail in firm.outside.gmail.sent} == {"auto-generated"}
    assert [note.name for note in firm.notes("Away/**/*.md")] == ["ada@example.com.md", "kim@example.com.md"]
    assert firm.notes("Inbox/FAILURE_*") == []
    assert firm.aie("approvals", "list", "--json").records == []


def test_the_backup_has_the_vault_in_it_and_a_script_that_fails_is_told(firm: Firm) -> None:
    firm.use("backup-script")
    (firm.vault / "Note.md").write_text("kept")
    firm.aie("run", "nightly_backup", "date=2026-02-09")
    (archive,) = (firm.aie.home / "Backups").iterdir()
    assert archive.name == f"vault-{dt.datetime.now().astimezone().date()}.tar.gz"
    with tarfile.open(archive) as packed:
        assert packed.extractfile("./Note.md").read() == b"kept"  # type: ignore[union-attr]
    said = (firm.vault / "Backups" / "Last.md").read_text()
    assert re.fullmatch(r"Last backup: 2026-02-09, 1 kept, \d+\.\d s\n", said)
    (firm.vault / "scripts" / "backup.sh").write_text("echo the disk is full >&2\nexit 3\n")
    firm.aie("run", "nightly_backup", "date=2026-02-10", code=1)
    assert (firm.vault / "Backups" / "Last.md").read_text() == said
    with firm.aie.started():
        (told,) = until(lambda: firm.notes("Inbox/FAILURE_*.md"), "the note about the failure")
    assert "the script 'backup' ended with exit code 3; its last words: the disk is full" in told.read_text()


def today() -> dt.date:
    return dt.datetime.now(BERLIN).date()


def appointment(title: str, day: dt.date) -> str:
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VEVENT", f"UID:{title}",
        f"DTSTAMP:{day:%Y%m%d}T000000Z", f"DTSTART:{day:%Y%m%d}T140000", f"DTEND:{day:%Y%m%d}T150000",
        f"SUMMARY:{title}", "END:VEVENT", "END:VCALENDAR", "",
    ]  # fmt: skip
    return "\r\n".join(lines)
