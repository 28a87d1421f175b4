"""Mail out: what it looks like, what servers refuse, and that nothing is sent twice."""

from __future__ import annotations

from email import message_from_bytes, policy
from typing import Any

import pytest
from gmail_house import MAIL, letter, look, send, table
from gmail_smtp import SmtpSink
from pydantic import ValidationError

from aie.actions import LookUp
from aie.errors import ActionError, ConfigError, RetryableError, UncertainError
from aie.testing import Home

ADA = {
    "event_type": "email_received",
    "data": {
        "from_address": "ada@example.com",
        "sender": "Ada <ada@example.com>",
        "to": ["owner@example.org", "Bo@example.com"],
        "cc": ["cy@example.com"],
        "subject": "Budget",
        "message_id": "<1@example.com>",
        "references": ["<0@example.com>"],
        "body_new": "How much?\n![x](http://tracker.example/)",
        "date": "2026-11-23T09:00:00+01:00",
        "dmarc": "pass",
        "auto_submitted": None,
        "list_id": None,
    },
}


@pytest.fixture
def sink():
    with SmtpSink() as server:
        yield server


@pytest.fixture
def home(sink, at_home):
    return at_home(table(sent_copy="server", from_name="Example Ltd", **sink.settings))


def reply(home: Home, event: Any, *, approval: Any = None, **params: Any) -> Any:
    return home.run_action("reply_to_email", {"body": "x", **params}, event=event, approval=approval).result


def tidy(home: Home, name: str, email: Any, **params: Any) -> Any:
    return home.run_action(name, {"email": email, **params}).result


# --- what goes out ---------------------------------------------------------------------------------------------------


def test_what_the_original_workflow_asks_for_is_sent(home, sink):
    result = send(
        home,
        to="customer@example.com",
        subject="Invoice INV-2026-001 - $5000",
        body="Dear Customer,\n\nYour invoice is **ready**.\n\nBest regards,\nAI Employee",
        priority="normal",
    )
    (mail,) = sink.mails
    assert result == {
        "message_id": mail["Message-ID"],
        "answer": "250 2.0.0 taken",
        "to": ["customer@example.com"],
        "subject": "Invoice INV-2026-001 - $5000",
    }
    assert sink.taken[0][:2] == ("owner@example.org", ["customer@example.com"])
    assert dict(mail.items()) | {"Message-ID": "", "X-Aie-Id": "", "Content-Type": ""} == {
        "Message-ID": "",
        "Date": "Mon, 23 Nov 2026 09:00:00 +0100",
        "From": "Example Ltd <owner@example.org>",
        "To": "customer@example.com",
        "Subject": "Invoice INV-2026-001 - $5000",
        "Auto-Submitted": "auto-generated",
        "X-Aie-Id": "",
        "MIME-Version": "1.0",
        "Content-Type": "",
    }
    assert mail.get_body(("plain",)).get_content() == (
        "Dear Customer,\n\nYour invoice is **ready**.\n\nBest regards,\nAI Employee\n"
    )
    assert "<p>Your invoice is <strong>ready</strong>.</p>\n<p>Best regards,<br>\nAI Employee</p>" in (
        mail.get_body(("html",)).get_content().replace("<br />", "<br>")
    )


def test_html_in_the_text_stays_text_and_no_picture_is_fetched(home, sink):
    send(home, body="<script>alert(1)</script> <b>x</b> ![y](https://tracker.example/)")
    page = sink.mails[0].get_body(("html",)).get_content()
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &lt;b&gt;x&lt;/b&gt;" in page


def test_the_hidden_recipients_are_hidden_and_priority_and_files_are_there(home, sink):
    (home.vault / "Invoices").mkdir()
    (home.vault / "Invoices" / "INV 1.pdf").write_bytes(b"%PDF-1.4")
    send(
        home,
        to="Ada <ada@example.com>, bo@example.com",
        cc=["cy@example.com"],
        bcc="di@example.com",
        priority="high",
        attachments=["Invoices/INV 1.pdf"],
        html="<p>Mine</p>",
    )
    (mail,) = sink.mails
    assert sink.taken[0][1] == ["ada@example.com", "bo@example.com", "cy@example.com", "di@example.com"]
    assert (mail["To"], mail["Cc"], mail["Bcc"]) == ("ada@example.com, bo@example.com", "cy@example.com", None)
    assert (mail["Importance"], mail["X-Priority"]) == ("high", "1")
    assert mail.get_body(("html",)).get_content() == "<p>Mine</p>\n"
    (attached,) = mail.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type(), attached.get_content()) == (
        "INV 1.pdf", "application/pdf", b"%PDF-1.4",
    )  # fmt: skip


def test_everything_that_goes_out_is_plain_ascii_also_with_umlauts_and_emoji(home, sink):
    send(home, subject="Grüße 🎉 " + "wort " * 60, body="Käse für müde Füße 🎉")
    raw = sink.taken[0][2]
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    (mail,) = sink.mails
    assert mail["Subject"] == ("Grüße 🎉 " + "wort " * 60).strip()
    assert mail.get_body(("plain",)).get_content() == "Käse für müde Füße 🎉\n"


def test_a_template_cannot_inject_headers(home, sink):
    send(home, subject="Hello\r\nBcc: evil@example.com\r\n\r\nbody")
    (mail,) = sink.mails
    assert (mail["Subject"], mail["Bcc"], sink.taken[0][1]) == (
        "Hello Bcc: evil@example.com body", None, ["ada@example.com"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("to", "complaint"),
    [
        ("nobody", "to is not a mail address: 'nobody'"),
        ("", "to is empty: write at least one address"),
        ("a@example.com\r\nBcc: evil@example.com", "to has a line break in it"),
        ("jürgen@example.com", "to has letters before the @ that many mail servers do not take: 'jürgen@example.com'"),
        ("a@example.com, oops", "to is not a mail address: 'a@example.com, oops'"),
    ],
)
def test_recipients_that_cannot_work_are_refused_before_anybody_is_asked(home, to, complaint):
    with pytest.raises(ValidationError, match="(?s)" + complaint.replace("(", "\\(")):
        home.preview("send_email", {**MAIL, "to": to})


def test_a_mail_that_waited_for_approval_is_dated_when_it_was_approved(home, sink):
    send(home, approval={"approved": True, "decided_at": "2026-11-26T10:00:00+00:00"})
    assert sink.mails[0]["Date"] == "Thu, 26 Nov 2026 11:00:00 +0100"


@pytest.mark.parametrize("address", ["a..b@example.com", "o'brien@example.com", "a+b=c@example.com"])
def test_addresses_that_are_unusual_and_exist_are_written_to(home, sink, address):
    send(home, to=address)
    assert (sink.taken[0][1], sink.mails[0]["To"].addresses[0].domain) == ([address], "example.com")


def test_an_event_with_line_breaks_in_its_ids_injects_no_header(home, sink):
    data = {**ADA["data"], "message_id": "<1@x>\r\nBcc: evil@example.com", "references": ["<0@x>\nX-Evil: 1"]}
    reply(home, {**ADA, "data": data})
    assert (sink.mails[0]["Bcc"], sink.mails[0]["X-Evil"], len(sink.taken)) == (None, None, 1)


def test_a_domain_with_umlauts_is_written_as_the_network_wants_it(home, sink):
    send(home, to="info@münchen.example")
    assert sink.taken[0][1] == ["info@xn--mnchen-3ya.example"]


@pytest.mark.parametrize("path", ["aie.toml", "../secret.txt", "Logs/audit.jsonl", "missing.pdf", ".obsidian/app.json"])
def test_files_that_are_not_a_workflows_to_send_are_not_sent(home, sink, path):
    with pytest.raises((ActionError, Exception)) as found:
        send(home, attachments=[path])
    assert found.type.__name__ in {"ActionError", "ParameterError"}
    assert sink.taken == []


# --- refusals --------------------------------------------------------------------------------------------------------


def test_when_one_of_several_recipients_is_refused_nobody_gets_it(home, sink):
    sink.refuse["bo@example.com"] = "550 5.1.1 no such user"
    with pytest.raises(ActionError) as found:
        send(home, to=["ada@example.com", "bo@example.com"])
    assert str(found.value) == (
        "the mail server refused the recipient bo@example.com: 550 5.1.1 no such user; "
        "nobody was sent the mail, those it would have taken included"
    )
    assert not isinstance(found.value, (RetryableError, UncertainError))
    assert sink.taken == []


def test_greylisting_is_worth_another_try_and_then_it_is_sent_once(home, sink):
    sink.refuse["ada@example.com"] = "451 4.7.1 greylisted, try again later"
    with pytest.raises(RetryableError, match="greylisted"):
        send(home)
    del sink.refuse["ada@example.com"]
    send(home)
    assert len(sink.taken) == 1


def test_the_daily_limit_is_worth_a_try_tomorrow(home, sink):
    sink.answers = ["550 5.4.5 Daily user sending limit exceeded"]
    with pytest.raises(RetryableError) as found:
        send(home)
    assert found.value.retry_after_s == 86_400


@pytest.mark.parametrize(("answer", "kind"), [("554 5.7.1 spam", ActionError), ("452 4.3.1 full", RetryableError)])
def test_a_no_after_the_whole_mail_means_it_was_not_sent(home, sink, answer, kind):
    sink.answers = [answer]
    with pytest.raises(kind, match=answer) as found:
        send(home)
    assert found.type is kind


def test_a_mail_larger_than_the_server_takes_is_not_begun(at_home):
    with SmtpSink(size_limit=10_000) as sink:
        home = at_home(table(sent_copy="server", **sink.settings))
        with pytest.raises(ActionError, match="the server takes at most 10000"):
            send(home, body="x" * 20_000)


def test_a_wrong_password_says_so_and_what_to_do(sink, at_home):
    home = at_home(table(**sink.settings), {"password": "not it"})
    with pytest.raises(ConfigError) as found:
        send(home)
    assert str(found.value).startswith("the mail server does not accept the password of 'owner@example.org': 535")
    assert "not it" not in f"{found.value}{found.value.hint}"


def test_google_asking_for_an_app_password_is_said_in_plain_words(at_home):
    with SmtpSink(login_answer="534 5.7.9 Application-specific password required") as sink:
        home = at_home(table(**sink.settings))
        with pytest.raises(ConfigError) as found:
            send(home)
    assert str(found.value) == "the mail server wants an app password"
    assert "https://myaccount.google.com/apppasswords" in found.value.hint


def test_a_server_that_is_not_there_is_worth_another_try(at_home):
    with SmtpSink() as sink:
        settings = sink.settings
    home = at_home(table(**settings))
    with pytest.raises(RetryableError, match="nothing answers there"):
        send(home)


def test_nothing_connected_says_how_to(sink, at_home):
    home = at_home(table(**sink.settings), {})
    with pytest.raises(ConfigError) as found:
        send(home)
    assert (str(found.value), found.value.hint) == ("gmail is not connected", "aie connect gmail")


# --- sent once -------------------------------------------------------------------------------------------------------


def test_silence_after_the_mail_was_given_means_that_nobody_knows(sink, at_home):
    home = at_home(table(sent_copy="server", timeout_s=0.5, **sink.settings))
    sink.delay_s = 3
    with pytest.raises(UncertainError, match="did not say whether it took it"):
        send(home)
    assert len(sink.taken) == 1


def test_every_attempt_at_a_step_writes_the_same_message_id_and_other_steps_another(home, sink):
    send(home, key="run_1/mail")
    send(home, key="run_1/mail")
    send(home, key="run_2/mail")
    first, again, other = [mail["Message-ID"] for mail in sink.mails]
    assert first == again
    assert other not in (first, None)


def test_a_copy_is_filed_among_the_sent_mails_and_found_again(dovecot, sink, at_home):
    home = at_home(table(dovecot, **sink.settings))
    assert look(home) == LookUp(None)
    assert send(home)["filed"] is True
    (copy,) = dovecot.raws("Sent")
    assert copy.replace(b"\r\n", b"\n").strip() == sink.taken[0][2].replace(b"\r\n", b"\n").strip()
    found = look(home)
    assert (found.happened, found.result["to"]) == (True, ["ada@example.com"])
    assert look(home, key="run_2/mail") == LookUp(None)


def test_where_the_server_files_sent_mail_a_missing_one_was_not_sent(dovecot, sink, at_home):
    home = at_home(table(dovecot, sent_copy="server", sent_shows_up_s=0.5, **sink.settings))
    assert look(home) == LookUp(False)
    sink.on_taken = lambda raw: dovecot.append(raw, "Sent")
    send(home)
    assert look(home).happened is True


def test_a_step_without_the_time_to_wait_for_it_cannot_tell(dovecot, sink, at_home):
    home = at_home(table(dovecot, sent_copy="server", **sink.settings))
    assert look(home, timeout_s=10.5) == LookUp(None)


def test_a_mail_that_the_server_gave_another_message_id_is_found_by_aies_own_mark(dovecot, sink, at_home):
    home = at_home(table(dovecot, sent_copy="server", **sink.settings))
    sink.on_taken = lambda raw: dovecot.append(raw.replace(b"Message-ID: <aie.", b"Message-ID: <other."), "Sent")
    send(home)
    assert look(home).happened is True


def test_a_copy_that_cannot_be_filed_does_not_fail_a_mail_that_is_out(sink, at_home):
    home = at_home(table(**sink.settings))  # nothing is there by IMAP
    assert send(home)["filed"] is False
    assert len(sink.taken) == 1


# --- drafts, answers, tidying ----------------------------------------------------------------------------------------


def test_a_draft_is_put_among_the_drafts_once_and_sent_to_nobody(dovecot, sink, at_home):
    home = at_home(table(dovecot, **sink.settings))
    params = {**MAIL, "bcc": "di@example.com"}
    assert [home.run_action("create_draft", params).result["folder"] for _ in range(2)] == ["Drafts", "Drafts"]
    (raw,) = dovecot.raws("Drafts")
    mail = message_from_bytes(raw, policy=policy.default)
    assert (mail["Subject"], mail["Bcc"], sink.taken) == ("Hello", "di@example.com", [])


def test_an_answer_stays_in_the_conversation(home, sink):
    reply(home, ADA, body="About **500**.")
    (mail,) = sink.mails
    assert (mail["To"], mail["Subject"], mail["In-Reply-To"], mail["References"]) == (
        "ada@example.com", "Re: Budget", "<1@example.com>", "<0@example.com> <1@example.com>",
    )  # fmt: skip
    assert mail.get_body(("plain",)).get_content() == (
        "About **500**.\n\n> 2026-11-23 09:00, Ada <ada@example.com>:\n> How much?\n> ![x](http://tracker.example/)\n"
    )
    assert "<img" not in mail.get_body(("html",)).get_content()


def test_an_answer_to_all_leaves_oneself_out(home, sink):
    reply(home, ADA, reply_all=True, quote=False)
    assert sink.taken[0][1] == ["ada@example.com", "Bo@example.com", "cy@example.com"]


def test_a_very_long_message_id_is_not_folded_to_pieces(home, sink):
    long = f"<{'a' * 200}@example.com>"
    event = {**ADA, "data": {**ADA["data"], "message_id": long, "references": [f"<{'b' * 150}@x>"] * 4}}
    send(home, event=event, reply_to_event=True)
    assert f"In-Reply-To: {long}\r\n".encode() in sink.taken[0][2]


@pytest.mark.parametrize("told", [{"auto_submitted": "auto-replied"}, {"list_id": "<news.example.com>"}])
def test_a_program_is_answered_only_when_a_person_said_so(home, sink, told):
    event = {**ADA, "data": {**ADA["data"], **told}}
    assert "- To: ada@example.com" in home.preview("reply_to_email", {"body": "x"}, event=event)
    with pytest.raises(ActionError, match="not written by a person"):
        reply(home, event)
    by_rule = {"approved": True, "decided_by": "rule away", "channel": "rule"}
    with pytest.raises(ActionError, match="is not answered unless a person says so"):
        reply(home, event, approval=by_rule)
    reply(home, event, approval={"approved": True})
    assert len(sink.taken) == 1


def test_an_answer_without_a_mail_to_answer_says_what_to_do(home):
    with pytest.raises(ActionError, match="no mail started this run"):
        reply(home, {})


def test_labels_reading_and_archiving_on_a_real_server(dovecot, sink, at_home):
    home = at_home(table(dovecot, **sink.settings))
    raw = letter("Invoice 7", Message_ID="<seven@example.com>")
    dovecot.deliver(raw)
    client = dovecot.imap()
    client.select("INBOX")
    email = {"folder": "INBOX", "uid": 1, "uidvalidity": -1, "message_id": "<seven@example.com>"}  # found by its id
    for name, params in (("label_email", {"label": "Big invoices"}), ("mark_read", {})):
        for _ in range(2):
            assert tidy(home, name, email, **params) == {"folder": "INBOX", "uid": 1}
    client.noop()
    flags = client.fetch("1", "(FLAGS)")[1][0]
    assert (b"Big_invoices" in flags, b"\\Seen" in flags) == (True, True)
    tidy(home, "label_email", email, label="Big invoices", remove=True)
    tidy(home, "archive_email", email)
    tidy(home, "archive_email", email)  # it is in the archive now, and stays there
    assert (len(dovecot.raws("INBOX")), len(dovecot.raws("Archive"))) == (0, 1)
    with pytest.raises(ActionError, match="not in the mailbox any more"):
        tidy(home, "mark_read", {**email, "message_id": "<none@example.com>"})
    client.logout()


# --- for the person and for rules ------------------------------------------------------------------------------------


def test_the_request_shows_the_mail_as_it_will_go_out(home):
    action = home.action("send_email").handler
    assert home.preview("send_email", {"to": "ada@example.com", "bcc": "x@y.example", "subject": "S", "body": "B"}) == (
        "- From: owner@example.org\n- To: ada@example.com\n- Bcc: x@y.example\n- Subject: S\n\nB\n"
    )
    locked = action.locked & action.params.model_fields.keys()
    assert (action.note_kind, action.asks_first, locked) == ("EMAIL", True, {"to", "cc", "bcc"})


def test_rules_can_ask_whether_everybody_is_known_and_whether_it_is_an_answer(sink, at_home):
    settings = table(
        contacts=["bo@example.com", "@partner.example"],
        contact_notes="People",
        contacts_from_sent=True,
        **sink.settings,
    )
    home = at_home(settings)
    (home.vault / "People").mkdir()
    (home.vault / "People" / "Cy.md").write_text("---\nemail: Cy@example.com\n---\n")
    cache_dir = home.config.cache_dir("gmail")
    cache_dir.mkdir(parents=True)
    (cache_dir / "written-to.json").write_text('{"addresses": ["di@example.com"], "position": "1"}')
    action = home.action("send_email").handler

    def facts(to: Any, event: Any = None) -> Any:
        params = action.params.model_validate({"to": to, "subject": "S", "body": "B"})
        return action.facts(params, home.context("gmail", event=event or {}))

    known = ["BO@example.com", "any@partner.example", "cy@example.com", "di@example.com", "owner@example.org"]
    assert [facts(one)["known_contact"] for one in known] == [True] * 5
    assert facts(["bo@example.com", "ada@example.com"], ADA) == {
        "recipients": ["bo@example.com", "ada@example.com"],
        "recipient_count": 2,
        "recipient_domains": ["example.com"],
        "known_contact": False,
        "unknown_recipients": ["ada@example.com"],
        "is_reply": False,
        "sender_verified": True,
        "attachment_count": 0,
    }
    assert facts("ADA@example.com", ADA)["is_reply"] is True
