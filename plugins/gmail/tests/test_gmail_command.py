"""The real ``aie``, with real servers: connecting, a mail that becomes an appointment, a mail that is sent once."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from gmail_house import letter
from gmail_server import Failure, GmailServer
from gmail_smtp import SmtpSink

from tests.aie_home import AieHome, until
from tests.plugin_dists import write_dist

ORIGINALS = Path(__file__).parents[3] / "tests" / "original" / "workflows"
CALENDAR = """
import json
from pathlib import Path
from pydantic import BaseModel
from aie.actions import ActionHandler, Effect
from aie.hookspecs import hookimpl

class Entry(BaseModel):
    title: str
    date: str
    time: str
    duration: str = "1 hour"
    description: str = ""

async def create(params, context):
    with (context.vault / "calendar.jsonl").open("a") as file:
        file.write(params.model_dump_json() + "\\n")
    return {"created": True}

@hookimpl
def aie_action_handlers(settings):
    return [ActionHandler("create_calendar_event", Entry, create, effect=Effect.LOCAL)]
"""


@pytest.fixture
def aie(tmp_path):
    home = AieHome(tmp_path).with_vault()
    write_dist(tmp_path / "site", "aie-standin", CALENDAR)
    home.env |= {"PYTHONPATH": str(tmp_path / "site"), "AIE_KEYRING": "off", "AIE_SHUTDOWN_GRACE_S": "1"}
    return home


@pytest.fixture
def sink():
    with SmtpSink() as server:
        yield server


@pytest.fixture
def gmail():
    with GmailServer() as server:
        yield server


def connect_imap(aie, account, sink, *more: str, password: str = "secret", code: int = 0):
    answers = {
        "transport": "imap", "address": account.address, "google": "no", "user": account.name,
        "imap_host": "127.0.0.1", "imap_port": account.port, "imap_security": "none",
        "smtp_host": "127.0.0.1", "smtp_port": sink.port, "smtp_security": "none",
    }  # fmt: skip
    words = [word for key, value in answers.items() for word in ("--set", f"{key}={value}")]
    return aie("connect", "gmail", *words, *more, stdin=f"{password}\n", code=code)


def add_settings(aie, text: str) -> None:
    path = aie.vault / "aie.toml"
    before = path.read_text()
    assert "[plugins.gmail]\n" in before
    path.write_text(before.replace("[plugins.gmail]\n", f"[plugins.gmail]\n{text}\n"))


def connect_api(aie, gmail) -> None:
    """As a person would after the consent, without the consent page."""
    lines = "".join(f'{name} = "{value}"\n' for name, value in gmail.settings.items())
    (aie.vault / "aie.toml").write_text(f"[plugins.gmail]\npoll_interval_s = 1\n{lines}")
    folder = aie.state / "credentials"
    folder.mkdir(parents=True)
    (folder / "gmail.json").write_text(
        json.dumps({"secrets": gmail.secrets, "record": {"account": "owner@example.org"}})
    )


# --- connecting ------------------------------------------------------------------------------------------------------


def test_connecting_tries_both_servers_and_the_doctor_looks_again(aie, dovecot, sink):
    said = connect_imap(aie, dovecot, sink)
    assert said.out.endswith(f"gmail is connected as {dovecot.address}. aie doctor looks at it any time.\n")
    toml = (aie.vault / "aie.toml").read_text()
    assert f'imap_port = {dovecot.port}\nimap_security = "none"' in toml
    written = [path for path in aie.home.rglob("*") if path.is_file() and path.parent.name != "credentials"]
    assert [path for path in written if b"secret" in path.read_bytes()] == []
    found = [one for one in aie("doctor", "--json").records if one["area"] == "connection"]
    assert [(one["level"], one["message"]) for one in found] == [
        ("ok", "gmail: reading mail works"), ("ok", "gmail: sending mail works"),
    ]  # fmt: skip
    sink.login_answer = "535 5.7.8 Username and Password not accepted"
    found = [one for one in aie("doctor", "--json", code=1).records if one["area"] == "connection"]
    assert found[-1]["level"] == "FAIL"
    assert "does not accept the password" in found[-1]["message"]


def test_a_wrong_password_stores_nothing_and_is_in_no_message(aie, dovecot, sink):
    said = connect_imap(aie, dovecot, sink, password="open sesame", code=1)
    assert said.err == (
        f"Error: the mail server does not accept the password of '{dovecot.name}': "
        "[AUTHENTICATIONFAILED] Authentication failed.\n"
        f"  Where: 127.0.0.1:{dovecot.port}\n"
        "  Next:  check user and password, then: aie connect gmail\n"
    )
    assert (aie.vault / "aie.toml").read_text() == ""
    assert not (aie.state / "credentials" / "gmail.json").exists()


def test_a_server_that_is_not_there_is_said_at_once(aie, sink, dovecot):
    said = connect_imap(aie, dovecot, sink, "--set", "imap_port=1", code=1)
    assert said.err.startswith("Error: nothing answers there\n  Where: 127.0.0.1:1\n")


def test_a_password_is_never_sent_over_an_open_line_to_another_machine(aie):
    words = [
        "--set",
        "transport=imap",
        "--set",
        "address=me@example.org",
        "--set",
        "google=no",
        "--set",
        "imap_host=mail.example.org",
    ]
    said = aie("connect", "gmail", *words, "--set", "imap_port=143", "--set", "imap_security=none", code=2)
    assert "'none' is not an answer to: How it is secured" in said.err


def test_googles_consent_by_pasting_the_address(aie, gmail):
    lines = "".join(f'{name} = "{value}"\n' for name, value in gmail.settings.items())
    (aie.vault / "aie.toml").write_text(f"[plugins.gmail]\n{lines}")
    gmail.token_answer = {"refresh_token_expires_in": 604_799}
    words = ["connect", "gmail", "--paste", "--set", "transport=gmail_api", "--set", "client_id=client-1"]
    said = paste(aie, words, "client-secret")
    assert "Google ends this access in seven days" in " ".join(said.split())
    assert "gmail is connected as owner@example.org" in said
    record = aie("connect", "--json").record
    assert (record["account"], record["connected"], record["expires_at"] is not None) == (
        "owner@example.org",
        True,
        True,
    )
    found = [one for one in aie("doctor", "--json").records if one["area"] == "connection"]
    assert ("ok", "gmail: Gmail's API works for owner@example.org") in [(one["level"], one["message"]) for one in found]


@pytest.mark.parametrize(
    ("answer", "failure", "said"),
    [
        ({"scope": "openid"}, None, "a box was left unticked"),
        ({"refresh_token": None}, None, "Google gave no lasting access"),
        (
            {},
            Failure("GET /profile", 403, "accessNotConfigured", "see https://console.example"),
            "the Gmail API is not turned on",
        ),
    ],
)
def test_consent_that_is_not_enough_is_said_and_nothing_stored(aie, gmail, answer, failure, said):
    lines = "".join(f'{name} = "{value}"\n' for name, value in gmail.settings.items())
    (aie.vault / "aie.toml").write_text(f"[plugins.gmail]\n{lines}")
    gmail.token_answer = answer
    gmail.failures += [failure] if failure else []
    words = ["connect", "gmail", "--paste", "--set", "transport=gmail_api", "--set", "client_id=client-1"]
    assert said in " ".join(paste(aie, words, "client-secret", code=1).split())
    assert not (aie.state / "credentials" / "gmail.json").exists()


def paste(aie, words: list[str], secret: str, code: int = 0) -> str:
    """Run a command that shows an address and wants the one it leads to; gives all it said."""
    env = {**aie.env, "PYTHONUNBUFFERED": "1", "COLUMNS": "5000"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = subprocess.Popen([*aie.command, *words], cwd=aie.vault, env=env, encoding="utf-8", **pipes)
    process.stdin.write(secret + "\n")
    process.stdin.flush()
    said = ""
    for line in process.stdout:
        said += line
        if line.strip().startswith("http://"):
            query = parse_qs(urlsplit(line.strip()).query)
            assert query["access_type"] == ["offline"]
            back = f"{query['redirect_uri'][0]}?code=abc&state={query['state'][0]}"
            process.stdin.write(back + "\n")
            process.stdin.flush()
    assert process.wait(30) == code, said
    return said


# --- a mail becomes an appointment ---------------------------------------------------------------------------------


def test_a_mail_about_a_meeting_becomes_a_calendar_entry(aie, dovecot, sink):
    connect_imap(aie, dovecot, sink)
    (aie.vault / "workflows").mkdir()
    original = (ORIGINALS / "email_to_calendar.json").read_text()
    (aie.vault / "workflows" / "email_to_calendar.json").write_text(original)
    calendar = aie.vault / "calendar.jsonl"
    with aie.started() as running:
        until(lambda: "INBOX" in running.text(), "the source")
        mail = letter("Team meeting", "Hi, meeting tomorrow at 2pm?", Date="Mon, 23 Nov 2026 09:00:00 +0100")
        deliver_until(lambda: dovecot.deliver(mail), calendar.exists)
        running.stop()
    (entry,) = [json.loads(line) for line in calendar.read_text().splitlines()]
    assert entry == {
        "title": "Team meeting",
        "date": "2026-11-24",
        "time": "14:00",
        "duration": "1 hour",
        "description": (
            "Meeting scheduled via email from Ada Brown <ada@example.com>\n\n"
            "Original email:\nHi, meeting tomorrow at 2pm?"
        ),
    }


def deliver_until(deliver, there) -> None:
    """The first start takes what is there as old, and says nothing when it has: deliver until one is told."""
    for _ in range(60):
        deliver()
        for _ in range(10):
            if there():
                return
            time.sleep(0.1)
    raise AssertionError("no mail was told")


def test_the_same_over_googles_api(aie, gmail):
    connect_api(aie, gmail)
    (aie.vault / "workflows").mkdir()
    original = (ORIGINALS / "email_to_calendar.json").read_text()
    (aie.vault / "workflows" / "email_to_calendar.json").write_text(original)
    calendar = aie.vault / "calendar.jsonl"
    with aie.started() as running:
        until(lambda: "GET /history" in gmail.calls, "the first look")
        gmail.deliver(
            letter("Appointment", "See you on Friday from 10 to 11:30 am", Date="Mon, 23 Nov 2026 09:00:00 +0100")
        )
        until(calendar.exists, "the calendar entry")
        running.stop()
    (entry,) = [json.loads(line) for line in calendar.read_text().splitlines()]
    assert (entry["date"], entry["time"]) == ("2026-11-27", "10:00")


# --- a mail is sent once -------------------------------------------------------------------------------------------


def invoice_workflow(aie) -> None:
    params = {"to": "customer@example.com", "subject": "Invoice {{ event.data.invoice_number }}", "body": "Good day"}
    aie.workflow(
        "invoice",
        [{"id": "mail", "action_type": "send_email", "parameters": params, "timeout": 15}],
        trigger_event="invoice_created",
    )


def approve(aie) -> subprocess.Popen[bytes]:
    """Approve the one request; the command itself waits for what comes of it."""
    (request,) = until(lambda: aie("approvals", "list", "--json").records, "the request")
    words = [*aie.command, "approvals", "approve", request["approval_id"]]
    return subprocess.Popen(words, cwd=aie.vault, env=aie.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def killed_once(aie, there, number: str) -> None:
    """A mail is approved, and aie killed at the moment that ``there`` tells of."""
    with aie.started() as running:
        aie("emit", "invoice_created", f"invoice_number={number}", "amount=5000")
        waiting = approve(aie)
        until(there, "the mail server")
        running.process.kill()
        running.process.wait()
        waiting.kill()
        waiting.wait()


def ends_as(aie, status: str) -> None:
    """aie, started again, brings the one run there."""
    with aie.started() as running:
        until(lambda: statuses(aie) == [status], f"the run to be {status}")
        running.stop()


def statuses(aie) -> list[str]:
    return [one["status"] for one in aie("runs", "list", "--json").records]


def file_as_google_does(sink, dovecot) -> None:
    sink.on_taken = lambda raw: threading.Thread(target=dovecot.append, args=(raw, "Sent")).start()


def test_killed_between_acceptance_and_record_the_mail_is_found_and_not_sent_again(aie, dovecot, sink):
    connect_imap(aie, dovecot, sink)
    add_settings(aie, 'sent_copy = "server"\nsent_shows_up_s = 1')
    invoice_workflow(aie)
    file_as_google_does(sink, dovecot)
    sink.delay_s = 30
    killed_once(aie, sink.arrived.is_set, "INV-1")
    sink.delay_s = 0
    ends_as(aie, "succeeded")
    assert [mail["Subject"] for mail in sink.mails] == ["Invoice INV-1"]


def test_killed_where_nobody_can_tell_a_person_is_asked_and_nothing_sent_again(aie, dovecot, sink):
    connect_imap(aie, dovecot, sink)
    invoice_workflow(aie)
    sink.delay_s = 30
    killed_once(aie, sink.arrived.is_set, "INV-2")
    sink.delay_s = 0
    ends_as(aie, "uncertain")
    assert len(sink.mails) == 1


def test_killed_before_the_server_took_it_the_mail_is_sent_then(aie, dovecot, sink):
    connect_imap(aie, dovecot, sink)
    add_settings(aie, 'sent_copy = "server"\nsent_shows_up_s = 1')
    invoice_workflow(aie)
    file_as_google_does(sink, dovecot)
    sink.hesitates = threading.Event()
    killed_once(aie, sink.hesitates.is_set, "INV-3")
    sink.hesitates = None
    assert sink.taken == []
    ends_as(aie, "succeeded")
    assert [mail["Subject"] for mail in sink.mails] == ["Invoice INV-3"]


def test_an_invoice_mail_is_approved_by_moving_its_note_and_arrives_once(aie, dovecot, sink):
    connect_imap(aie, dovecot, sink)
    (aie.vault / "workflows").mkdir()
    (aie.vault / "workflows" / "invoice_to_email.json").write_text((ORIGINALS / "invoice_to_email.json").read_text())
    pending, approved = aie.vault / "Pending_Approval", aie.vault / "Approved"
    data = {"invoice_number": "INV-7", "amount": 5000, "customer_id": 3, "customer_email": "customer@example.com"}
    with aie.started() as running:
        aie("emit", "invoice_created", "--data", json.dumps(data))
        note = until(lambda: next(iter(pending.glob("EMAIL_*.md")), None), "the note")
        text = note.read_text()
        assert "- To: customer@example.com" in text
        assert sink.taken == []
        approved.mkdir(exist_ok=True)
        note.rename(approved / note.name)
        until(lambda: sink.taken, "the mail")
        until(lambda: list((aie.vault / "Done").glob("EMAIL_*.md")), "the note to be filed")
        running.stop()
    (mail,) = sink.mails
    assert (mail["To"], mail["Subject"]) == ("customer@example.com", "Invoice INV-7 - $5000")
    assert len(dovecot.raws("Sent")) == 1


def test_an_error_after_sending_by_api_ends_in_one_mail(aie, gmail):
    connect_api(aie, gmail)
    invoice_workflow(aie)
    gmail.failures.append(Failure("POST /messages/send", 500, after_doing_it=True))
    with aie.started() as running:
        aie("emit", "invoice_created", "invoice_number=INV-4", "amount=5000")
        approve(aie).wait(30)
        running.stop()
    assert statuses(aie) == ["succeeded"]
    assert [mail["Subject"] for mail in gmail.sent] == ["Invoice INV-4"]


def test_what_the_plugin_offers_is_listed(aie):
    (aie.vault / "aie.toml").write_text('[plugins.gmail]\naddress = "me@example.org"\n')
    said = aie("plugins", "show", "gmail").out
    for name in (
        "send_email",
        "create_draft",
        "reply_to_email",
        "label_email",
        "archive_email",
        "mark_read",
        "gmail.inbox",
    ):
        assert name in said
