"""Deciding by mail: what counts as an answer, and what does not."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from typing import Any

import pytest
from gmail_house import INBOX, NOW, letter, settings_for, subjects, table
from gmail_server import GmailServer
from gmail_smtp import SmtpSink
from pydantic import ValidationError

from aie.approvals import Approval, ApprovalState, Decision
from aie.testing import Home
from aie_gmail import plugin
from aie_gmail.approval_mail import code_of

OWNER = "boss@example.net"
VOUCHED = "mx.google.com; spf=pass; dkim=pass; dmarc=pass (p=REJECT) header.from=example.net"


def approval(number: int = 1) -> Approval:
    return Approval(
        approval_id=f"apr_000000000000000{number}",
        run_id="run_1",
        step_id="mail",
        workflow_id="w",
        workflow_name="Invoices",
        action_type="send_email",
        note_kind="EMAIL",
        title=f"Invoice {number}",
        body="- To: customer@example.com\n\nGood day",
        params={"to": "customer@example.com"},
        digest=f"sha256:{number}",
        definition_hash="h",
        reason="invoice_created",
        state=ApprovalState.PENDING,
        requested_at=dt.datetime.now(dt.UTC),
        expires_at=NOW + dt.timedelta(days=7),
    )


class Desk:
    """Implements ApprovalDesk over a list of requests."""

    def __init__(self, home: Home, *approvals: Approval) -> None:
        given = home.context("gmail")
        self.settings, self.vault, self.timezone = given.settings, given.vault, given.timezone
        self.credentials, self.log, self.cache_dir = given.credentials, given.log, given.cache_dir
        self.approvals = {one.approval_id: one for one in approvals}
        self.decided: list[tuple[str, bool, str, str]] = []
        self.refused: list[str] = []
        self.now, self.revision = given.now, 0

    def pending(self) -> list[Approval]:
        return [one for one in self.approvals.values() if one.state is ApprovalState.PENDING]

    def get(self, approval_id: str) -> Approval | None:
        return self.approvals.get(approval_id)

    def notices(self) -> list[Any]:
        return []

    async def decide(self, approval_id: str, *, approved: bool, by: str, evidence: str, comment: str = "") -> Decision:
        before = self.approvals[approval_id]
        self.approvals[approval_id] = replace(
            before, state=ApprovalState.APPROVED if approved else ApprovalState.REJECTED
        )
        self.decided.append((approval_id, approved, by, comment))
        return Decision(True, before, "done")

    async def refuse(self, approval_id: str, *, reason: str) -> None:
        self.refused.append(reason)


def sync(home: Home, desk: Desk) -> None:
    (channel,) = plugin.aie_approval_channels(home.settings("gmail"))
    home.wait_for(channel.sync(desk))


class Office:
    def __init__(self, gmail: GmailServer, home: Home, *approvals: Approval) -> None:
        self.gmail, self.home = gmail, home
        self.desk = Desk(home, *approvals)

    def sync(self) -> None:
        sync(self.home, self.desk)

    def code(self, number: int = 1) -> str:
        return code_of(self.desk.credentials.require("approval_key"), approval(number))

    def answer(
        self, body: str, *, number: int = 1, vouched: str = VOUCHED, sender: str = OWNER, **headers: str
    ) -> None:
        subject = f"Re: [aie-approval] Invoice {number} (apr_000000000000000{number})"
        known = {"From": f"The boss <{sender}>", "Message_ID": f"<{len(self.gmail.messages)}@example.net>", **headers}
        first = {"Authentication_Results": vouched} if vouched else {}
        self.gmail.deliver(letter(subject, body, **{**first, **known}))
        self.sync()


@pytest.fixture
def gmail():
    with GmailServer() as server:
        yield server


@pytest.fixture
def office(gmail, at_home):
    home = at_home(table(approve_by_mail={"to": OWNER}, **gmail.settings), gmail.secrets)
    office = Office(gmail, home, approval(1), approval(2))
    office.sync()
    return office


def test_it_is_off_by_default_and_needs_a_server_whose_word_counts():
    assert plugin.aie_approval_channels(settings_for()) == []
    with pytest.raises(ValidationError, match="approve_by_mail needs trusted_host"):
        settings_for(approve_by_mail={"to": OWNER})


def test_every_request_is_sent_once_to_the_owner_with_a_code_of_its_own(office, gmail):
    office.sync()
    first, second = gmail.sent
    assert (first["To"], first["Subject"]) == (OWNER, "[aie-approval] Invoice 1 (apr_0000000000000001)")
    text = first.get_body(("plain",)).get_content()
    assert f"APPROVE {office.code(1)}" in text
    assert "> - To: customer@example.com" in text
    assert text.startswith("A request waits for your decision.")
    assert "Without an answer until 2026-11-30 09:00 it is rejected." in text
    assert office.code(1) != office.code(2)
    assert office.code(2) in second.get_body(("plain",)).get_content()


@pytest.mark.parametrize(
    ("word", "approved"), [("APPROVE", True), ("approve", True), ("Yes:", True), ("REJECT", False), ("nein", False)]
)
def test_an_answer_with_the_code_decides(office, word, approved):
    office.answer(f"{word} {office.code().lower()}\n\nThanks\n\nOn Monday aie wrote:\n> REJECT {office.code()}\n")
    assert office.desk.decided == [("apr_0000000000000001", approved, OWNER, "Thanks")]
    assert office.desk.refused == []


def test_an_answer_decides_once_and_its_code_is_worth_nothing_after(office):
    office.answer(f"APPROVE {office.code()}")
    office.answer(f"REJECT {office.code()}")
    office.answer(f"APPROVE {office.code(1)}", number=2)
    assert [(one[0], one[1]) for one in office.desk.decided] == [("apr_0000000000000001", True)]
    assert office.desk.refused == [
        f"an answer by mail from {OWNER} does not count: the code in it is not that of this request"
    ]


def test_a_code_does_not_fit_a_request_that_shows_something_else(office):
    before = office.code()
    changed = replace(approval(1), digest="sha256:other")
    office.desk.approvals[changed.approval_id] = changed
    office.answer(f"APPROVE {before}")
    assert office.desk.decided == []


def test_quoted_text_and_words_without_a_code_decide_nothing(office):
    for body in (
        f"On Monday aie wrote:\n> APPROVE {office.code()}\n",
        f"> APPROVE {office.code()}\n",
        "approve",
        "Please approve it",
        f"I will not approve this.\n\n> APPROVE {office.code()}",
        f"-----Original Message-----\nAPPROVE {office.code()}",
    ):
        office.answer(body)
    assert (office.desk.decided, office.desk.refused) == ([], [])


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"sender": "stranger@example.net"}, "that address is not one of those that may decide"),
        ({"From": f"{OWNER} <stranger@example.net>"}, "that address is not one of those that may decide"),
        ({"From": f"<{OWNER}>, <stranger@example.net>"}, "that address is not one of those that may decide"),
        ({"vouched": ""}, "the mail server does not vouch for its sender (DMARC)"),
        (
            {"vouched": VOUCHED.replace("dmarc=pass", "dmarc=fail")},
            "the mail server does not vouch for its sender (DMARC)",
        ),
        (
            {"vouched": VOUCHED.replace("mx.google.com", "mx.evil.example")},
            "the mail server does not vouch for its sender (DMARC)",
        ),
        ({"vouched": "mx.google.com; spf=pass (dmarc=pass)"}, "the mail server does not vouch for its sender (DMARC)"),
        ({"vouched": "mx.google.com; dmarc=fail; dmarc=pass"}, "the mail server does not vouch for its sender (DMARC)"),
        ({"Auto_Submitted": "auto-replied"}, "a program wrote it"),
    ],
)
def test_an_answer_nobody_can_be_sure_of_decides_nothing_and_is_on_record(office, how, why):
    office.answer(f"APPROVE {office.code()}", **how)
    assert office.desk.decided == []
    assert [reason.partition(" does not count: ")[2] for reason in office.desk.refused] == [why]


def test_a_line_that_the_sender_added_below_the_servers_own_counts_for_nothing(office):
    forged = letter(
        "Re: [aie-approval] Invoice 1 (apr_0000000000000001)",
        f"APPROVE {office.code()}",
        From=OWNER,
        Message_ID="<f@x>",
    )
    own = b"Authentication-Results: mx.google.com; dmarc=fail header.from=example.net\r\n"
    office.gmail.deliver(own + b"Authentication-Results: " + VOUCHED.encode() + b"\r\n" + forged)
    office.sync()
    assert office.desk.decided == []


def test_guessing_ends_after_five_wrong_codes(office):
    for number in range(6):
        office.answer(f"APPROVE AAAAA-AAAA{number + 2}")
    office.answer(f"APPROVE {office.code()}")
    assert office.desk.decided == []
    assert "there were too many wrong codes for this request" in office.desk.refused[-1]


def test_what_it_remembers_may_be_lost(office):
    office.answer(f"APPROVE {office.code()}")
    for path in office.desk.cache_dir.iterdir():
        path.unlink()
    office.sync()
    assert [one[0] for one in office.desk.decided] == ["apr_0000000000000001"]
    assert len([mail for mail in office.gmail.sent if "Invoice 2" in mail["Subject"]]) == 2  # with the same code


def test_mails_of_this_channel_become_no_events(office, gmail):
    assert office.home.run_source(INBOX) == []
    gmail.deliver(letter("Re: [aie-approval] x (apr_0000000000000001)", "APPROVE", From=OWNER))
    gmail.deliver(letter("[aie-approval] from a stranger", "x"))
    assert subjects(office.home.run_source(INBOX)) == ["[aie-approval] from a stranger"]


def test_over_imap_with_a_real_server_it_decides_as_well(dovecot, at_home):
    with SmtpSink() as sink:
        more = {"approve_by_mail": {"to": OWNER}, "trusted_host": "mx.test", **sink.settings}
        home = at_home(table(dovecot, **more))
        desk = Desk(home, approval(1))
        sync(home, desk)
        code = re.search(r"APPROVE (\S+)", sink.mails[0].get_body(("plain",)).get_content())[1]
        dovecot.append(
            b"Authentication-Results: mx.test; dmarc=pass header.from=example.net\r\n"
            + letter(f"Re: {sink.mails[0]['Subject']}", f"APPROVE {code}", From=OWNER)
        )
        sync(home, desk)
    assert [(one[0], one[1]) for one in desk.decided] == [("apr_0000000000000001", True)]
