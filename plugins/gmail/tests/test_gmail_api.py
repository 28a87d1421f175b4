"""Gmail's REST API, over real HTTP: new mail, sending, drafts, labels, and the errors Google gives."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from gmail_house import INBOX, MAIL, letter, look, send, settings_for, subjects, table, watching
from gmail_server import ACCOUNT, Failure, GmailServer

from aie.actions import LookUp
from aie.errors import ActionError, ConfigError, RetryableError, UncertainError
from aie_gmail.api import gmail_api
from aie_gmail.contacts import Contacts

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def gmail():
    with GmailServer() as server:
        yield server


@pytest.fixture
def home(gmail, at_home):
    return at_home(table(sent_shows_up_s=0.5, **gmail.settings), gmail.secrets, now=dt.datetime.now(dt.UTC))


# --- new mail --------------------------------------------------------------------------------------------------------


def test_new_mail_is_told_once_and_old_mail_drafts_and_sent_mail_are_not(home, gmail):
    gmail.deliver(letter("old"))
    assert home.run_source(INBOX) == []
    with watching(home, 2) as watch:
        gmail.deliver(letter("a draft"), ("DRAFT",))
        gmail.deliver(letter("mine"), ("SENT",))
        message = gmail.deliver(letter("new", "tomorrow at 2pm"))
        watch.wait_for(1)
        gmail.deliver(letter("newer"))
    assert subjects(watch.events) == ["new", "newer"]
    event = watch.events[0]
    data = event.data
    assert (event.event_id, data["provider_id"], data["labels"]) == (
        f"gm-{message.id}",
        message.id,
        ["INBOX", "UNREAD"],
    )
    assert (data["suggested_date"], data["suggested_time"], data["thread_id"]) == ("2026-11-24", "14:00", message.id)


def test_mail_of_the_time_it_was_off_comes_in_pages_and_each_once(at_home):
    with GmailServer(page_size=3) as gmail:
        home = at_home(table(**gmail.settings), gmail.secrets, now=dt.datetime.now(dt.UTC))
        home.run_source(INBOX)
        for number in range(10):
            gmail.deliver(letter(f"mail {number}"))
        vanished = gmail.deliver(letter("vanished"))
        del gmail.messages[vanished.id]
        events = home.run_source(INBOX)
    assert subjects(events) == [f"mail {number}" for number in range(10)]


def test_a_history_that_google_forgot_loses_nothing_and_repeats_nothing(home, gmail):
    gmail.deliver(letter("old"), received_at=dt.datetime.now(dt.UTC) - dt.timedelta(days=1))
    events = home.run_source(INBOX)
    gmail.deliver(letter("told"))
    events += home.run_source(INBOX)
    gmail.deliver(letter("missed"))
    gmail.forget_history()
    events += home.run_source(INBOX)
    gmail.deliver(letter("after"))
    events += home.run_source(INBOX)
    assert subjects(events) == ["told", "missed", "after"]


def test_backfill_takes_the_newest_along_in_order(gmail, at_home):
    home = at_home(table(backfill=2, **gmail.settings), gmail.secrets)
    for number, subject in enumerate(("a", "b", "c")):
        gmail.deliver(letter(subject), received_at=dt.datetime(2026, 11, 20, 8, number, tzinfo=dt.UTC))
    assert subjects(home.run_source(INBOX)) == ["b", "c"]


@pytest.mark.parametrize(
    "failure",
    [
        Failure("GET /history", 403, "rateLimitExceeded", "Rate Limit Exceeded"),
        Failure("GET /messages/", 429, "rateLimitExceeded", "Too many", {"Retry-After": "1"}),
        Failure("GET /messages/", 500),
        Failure("GET /history", 503, hang_up=True),
    ],
)
def test_errors_that_pass_hold_up_new_mail_and_lose_none(home, gmail, failure):
    home.run_source(INBOX)
    gmail.failures.append(failure)
    gmail.deliver(letter("in spite of it"))
    assert (subjects(home.run_source(INBOX, span=HOUR)), gmail.failures) == (["in spite of it"], [])


def test_a_token_that_ended_is_renewed_and_the_refresh_token_kept(home, gmail):
    home.run_source(INBOX)
    gmail.access_token = "access-2"
    gmail.deliver(letter("with the new token"))
    assert subjects(home.run_source(INBOX)) == ["with the new token"]
    token = json.loads(home.credentials("gmail").require("token"))
    assert (token["access_token"], token["refresh_token"]) == ("access-2", "refresh-1")


def test_access_that_was_taken_back_is_told_once_and_asked_for_no_more(home, gmail, caplog):
    home.credentials("gmail").note(account=ACCOUNT)
    home.run_source(INBOX)
    gmail.access_token = "access-2"
    gmail.refresh_answer = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
    gmail.calls.clear()
    assert (home.run_source(INBOX, span=HOUR), gmail.calls) == ([], ["GET /history"])
    assert home.credentials("gmail").record.trouble.startswith("Google's access has ended")
    assert len([one for one in caplog.records if "until this is mended" in one.message]) == 1


def test_the_other_transport_goes_on_where_this_one_stood(home, gmail):
    home.run_source(INBOX)
    gmail.deliver(letter("told"))
    events = home.run_source(INBOX)
    cursor = {"version": 1, "transport": "imap", "folder": "INBOX", "uidvalidity": 1, "uid": 7}
    times = {"seen_at": home.clock.now().isoformat(), "since": (home.clock.now() - HOUR).isoformat()}
    gmail.deliver(letter("missed"))
    events += home.run_source(INBOX, cursor={**cursor, **times})
    assert subjects(events) == ["told", "missed"]


def test_everyone_lately_written_to_becomes_a_known_contact(gmail, at_home):
    home = at_home(table(contacts_from_sent=True, **gmail.settings), gmail.secrets)
    contacts = Contacts(home.settings("gmail"), home.vault, home.config.cache_dir("gmail"))
    gmail.deliver(letter("one", To="Ada <ada@example.com>", Cc="bo@example.com"), ("SENT",))
    home.run_source(INBOX)
    assert contacts.unknown(["ada@example.com", "bo@example.com", "cy@example.com"]) == ["cy@example.com"]
    gmail.deliver(letter("two", To="cy@example.com"), ("SENT",))
    home.run_source(INBOX)
    assert contacts.unknown(["ada@example.com", "cy@example.com", "eve@example.com"]) == ["eve@example.com"]


# --- out -------------------------------------------------------------------------------------------------------------


def test_a_mail_is_sent_in_its_conversation_and_found_again(home, gmail):
    event = {
        "event_type": "email_received",
        "data": {"message_id": "<1@x>", "thread_id": "abc", "from_address": "a@b.example"},
    }
    result = send(home, bcc="di@example.com", reply_to_event=True, event=event)
    (mail,) = gmail.sent
    assert (mail["In-Reply-To"], mail["Bcc"], result["thread_id"]) == ("<1@x>", None, "abc")
    found = look(home, bcc="di@example.com", event=event)
    assert found == LookUp(
        True,
        {
            "message_id": result["message_id"],
            "provider_id": result["provider_id"],
            "to": result["to"],
            "subject": "Hello",
        },
    )


def test_a_mail_google_gave_another_message_id_is_found_by_aies_own_mark(home, gmail):
    gmail.rewrites_message_ids = True
    send(home)
    send(home, key="run_9/other")
    assert look(home).happened is True
    assert look(home, key="run_3/none") == LookUp(False)
    assert look(home, key="run_3/none", timeout_s=10.2) == LookUp(None)


@pytest.mark.parametrize("how", [{"status": 500}, {"status": 503, "hang_up": True}])
def test_an_error_after_sending_leaves_it_open_and_looking_finds_the_one_mail(home, gmail, how):
    gmail.failures.append(Failure("POST /messages/send", after_doing_it=True, **how))
    with pytest.raises(UncertainError):
        send(home)
    assert look(home).happened is True
    assert len(gmail.sent) == 1


def test_an_error_that_kept_it_from_being_sent_is_found_out_by_looking(home, gmail):
    gmail.failures.append(Failure("POST /messages/send", 500))
    with pytest.raises(UncertainError):
        send(home)
    assert look(home) == LookUp(False)


@pytest.mark.parametrize(
    ("failure", "kind", "said", "hint"),
    [
        (
            Failure(
                "",
                403,
                "accessNotConfigured",
                "Not used yet. Enable it by visiting https://console.example/x then retry",
            ),
            ConfigError,
            "the Gmail API is not turned on in your Google Cloud project",
            "turn on the Gmail API: https://console.example/x",
        ),
        (
            Failure("", 403, "insufficientPermissions", "Insufficient Permission"),
            ConfigError,
            "aie was not given access to the mail",
            "connect anew and leave every box ticked: aie connect gmail",
        ),
        (
            Failure("", 403, "domainPolicy", "Disabled by the administrator"),
            ConfigError,
            "Gmail says: Disabled by the administrator",
            "ask whoever looks after the Google account of your company",
        ),
        (Failure("", 400, "invalidArgument", "Invalid To header"), ActionError, "Gmail says: Invalid To header", ""),
        (
            Failure("", 429, "rateLimitExceeded", "User-rate limit exceeded.", {"Retry-After": "77"}),
            RetryableError,
            "Gmail says: User-rate limit exceeded.",
            "",
        ),
    ],
)
def test_what_google_refuses_is_said_in_plain_words(home, gmail, failure, kind, said, hint):
    failure.call = "POST /messages/send"
    gmail.failures.append(failure)
    with pytest.raises(kind) as found:
        send(home)
    assert (found.type, str(found.value), found.value.hint) == (kind, said, hint)
    assert (getattr(found.value, "retry_after_s", None), gmail.sent) == (77 if kind is RetryableError else None, [])


def test_a_time_to_wait_until_is_honoured(home, gmail):
    later = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=10)
    message = f"User-rate limit exceeded.  Retry after {later:%Y-%m-%dT%H:%M:%S.000Z} (Mail sending)"
    gmail.failures.append(Failure("POST /messages/send", 429, "rateLimitExceeded", message))
    with pytest.raises(RetryableError) as found:
        send(home)
    assert 590 < found.value.retry_after_s <= 600


def test_a_draft_is_made_once(home, gmail):
    first, again = (home.run_action("create_draft", MAIL).result for _ in range(2))
    assert (first, len(gmail.drafts), gmail.sent) == (again, 1, [])


def test_labels_reading_and_archiving(home, gmail):
    message = gmail.deliver(letter("x", Message_ID="<7@example.com>"))
    email = {"provider_id": message.id}
    for _ in range(2):
        home.run_action("label_email", {"email": email, "label": "Invoices"})
    home.run_action("mark_read", {"email": {"message_id": "<7@example.com>"}})
    home.run_action("archive_email", {"email": email})
    assert [gmail.labels[label] for label in message.labels] == ["Invoices"]
    home.run_action("label_email", {"email": email, "label": "invoices", "remove": True})
    assert message.labels == []
    with pytest.raises(ActionError, match="not in the mailbox any more"):
        home.run_action("mark_read", {"email": {"provider_id": "abc"}})


def test_what_is_not_json_is_said_so(home, gmail):
    async def story():
        settings = settings_for(**{**gmail.settings, "api_url": f"{gmail.url}/nowhere"})
        async with gmail_api(settings, home.credentials("gmail")) as api:
            await api.get("/profile")

    with pytest.raises(ActionError, match="Gmail says"):
        home.wait_for(story())
