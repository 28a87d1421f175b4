"""Gmail's REST API, over real HTTP: new mail, sending, drafts, labels, and the errors Google gives."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import Any

import pytest
from gmail_house import House, letter, settings_for
from gmail_server import Failure, GmailServer

from aie.actions import LookUp
from aie.errors import ActionError, ConfigError, RetryableError, UncertainError
from aie_gmail import api_source, plugin
from aie_gmail.api import gmail_api
from aie_gmail.contacts import Contacts


@pytest.fixture
def gmail():
    with GmailServer() as server:
        yield server


@pytest.fixture
def house(gmail, tmp_path):
    return House(tmp_path, settings_for(sent_shows_up_s=0.5, **gmail.settings), gmail.secrets)


def run(coroutine):
    return asyncio.run(coroutine)


def do(house: House, name: str = "send_email", *, context: Any = None, look: bool = False, **params: Any) -> Any:
    action = next(one for one in plugin.aie_action_handlers(house.settings) if one.name == name)
    known = (
        {"to": "ada@example.com", "subject": "Hello", "body": "Hi"} if "subject" in action.params.model_fields else {}
    )
    function = action.look_up if look else action.run
    return run(function(action.params.model_validate({**known, **params}), context or house.context()))


# --- new mail --------------------------------------------------------------------------------------------------------


def test_new_mail_is_told_once_and_old_mail_drafts_and_sent_mail_are_not(house, gmail):
    gmail.deliver(letter("old"))

    async def story():
        async with house.watching():
            gmail.deliver(letter("a draft"), ("DRAFT",))
            gmail.deliver(letter("mine"), ("SENT",))
            message = gmail.deliver(letter("new", "tomorrow at 2pm"))
            await house.until(lambda: house.events)
            gmail.deliver(letter("newer"))
            await house.until(lambda: len(house.events) == 2)
            return message

    message = run(story())
    assert house.subjects == ["new", "newer"]
    event = house.events[0]
    data = event.data
    assert (event.event_id, data["provider_id"], data["labels"]) == (
        f"gm-{message.id}",
        message.id,
        ["INBOX", "UNREAD"],
    )
    assert (data["suggested_date"], data["suggested_time"], data["thread_id"]) == ("2026-11-24", "14:00", message.id)


def test_mail_of_the_time_it_was_off_comes_in_pages_and_each_once(tmp_path):
    with GmailServer(page_size=3) as gmail:
        house = House(tmp_path, settings_for(**gmail.settings), gmail.secrets)

        async def story():
            async with house.watching():
                pass
            for number in range(10):
                gmail.deliver(letter(f"mail {number}"))
            vanished = gmail.deliver(letter("vanished"))
            del gmail.messages[vanished.id]
            async with house.watching():
                await house.until(lambda: len(house.events) == 10)

        run(story())
    assert house.subjects == [f"mail {number}" for number in range(10)]


def test_a_history_that_google_forgot_loses_nothing_and_repeats_nothing(house, gmail):
    gmail.deliver(letter("old"), received_at=dt.datetime.now(dt.UTC) - dt.timedelta(days=1))

    async def story():
        async with house.watching():
            gmail.deliver(letter("told"))
            await house.until(lambda: house.events)
        gmail.deliver(letter("missed"))
        gmail.forget_history()
        async with house.watching():
            await house.until(lambda: len(house.events) == 2)
            gmail.deliver(letter("after"))
            await house.until(lambda: len(house.events) == 3)

    run(story())
    assert house.subjects == ["told", "missed", "after"]


def test_backfill_takes_the_newest_along_in_order(gmail, tmp_path):
    house = House(tmp_path, settings_for(backfill=2, **gmail.settings), gmail.secrets)
    for number, subject in enumerate(("a", "b", "c")):
        gmail.deliver(letter(subject), received_at=dt.datetime(2026, 11, 20, 8, number, tzinfo=dt.UTC))

    async def story():
        async with house.watching():
            await house.until(lambda: len(house.events) == 2)

    run(story())
    assert house.subjects == ["b", "c"]


@pytest.mark.parametrize(
    "failure",
    [
        Failure("GET /history", 403, "rateLimitExceeded", "Rate Limit Exceeded"),
        Failure("GET /messages/", 429, "rateLimitExceeded", "Too many", {"Retry-After": "1"}),
        Failure("GET /messages/", 500),
        Failure("GET /history", 503, hang_up=True),
    ],
)
def test_errors_that_pass_hold_up_new_mail_and_lose_none(house, gmail, failure):
    async def story():
        async with house.watching():
            gmail.failures.append(failure)
            gmail.deliver(letter("in spite of it"))
            await house.until(lambda: house.events)

    run(story())
    assert (house.subjects, gmail.failures) == (["in spite of it"], [])


def test_a_token_that_ended_is_renewed_and_the_refresh_token_kept(house, gmail):
    async def story():
        async with house.watching():
            gmail.access_token = "access-2"
            gmail.deliver(letter("with the new token"))
            await house.until(lambda: house.events)

    run(story())
    token = json.loads(house.credentials.require("token"))
    assert (token["access_token"], token["refresh_token"]) == ("access-2", "refresh-1")


def test_access_that_was_taken_back_is_told_once_and_asked_for_no_more(house, gmail, caplog):
    async def story():
        async with house.watching():
            gmail.access_token = "access-2"
            gmail.refresh_answer = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
            await house.until(lambda: house.credentials.record.trouble)
            asked = len(gmail.calls)
            await asyncio.sleep(0.5)
            assert len(gmail.calls) == asked

    run(story())
    assert house.credentials.record.trouble.startswith("Google's access has ended")
    assert len([one for one in caplog.records if "until this is mended" in one.message]) == 1


def test_the_other_transport_goes_on_where_this_one_stood(house, gmail, monkeypatch):
    monkeypatch.setattr(api_source, "PACE_S", 0)

    async def story():
        async with house.watching():
            gmail.deliver(letter("told"))
            await house.until(lambda: house.events)
        house.cursor = {**house.cursor, "transport": "imap", "folder": "INBOX", "uidvalidity": 1, "uid": 7}
        gmail.deliver(letter("missed"))
        async with house.watching():
            await house.until(lambda: len(house.events) == 2)

    run(story())
    assert house.subjects == ["told", "missed"]


def test_everyone_lately_written_to_becomes_a_known_contact(gmail, tmp_path, monkeypatch):
    monkeypatch.setattr(api_source, "PACE_S", 0)
    house = House(tmp_path, settings_for(contacts_from_sent=True, **gmail.settings), gmail.secrets)
    contacts = Contacts(house.settings, house.vault, house.cache_dir)
    gmail.deliver(letter("one", To="Ada <ada@example.com>", Cc="bo@example.com"), ("SENT",))

    async def story():
        async with house.watching():
            await house.until(lambda: not contacts.unknown(["ada@example.com", "bo@example.com"]))
        gmail.deliver(letter("two", To="cy@example.com"), ("SENT",))
        async with house.watching():
            await house.until(lambda: not contacts.unknown(["cy@example.com"]))

    run(story())
    assert contacts.unknown(["ada@example.com", "eve@example.com"]) == ["eve@example.com"]


# --- out -------------------------------------------------------------------------------------------------------------


def test_a_mail_is_sent_in_its_conversation_and_found_again(house, gmail):
    event = {
        "event_type": "email_received",
        "data": {"message_id": "<1@x>", "thread_id": "abc", "from_address": "a@b.example"},
    }
    context = house.context(event=event)
    result = do(house, bcc="di@example.com", reply_to_event=True, context=context)
    (mail,) = gmail.sent
    assert (mail["In-Reply-To"], mail["Bcc"], result["thread_id"]) == ("<1@x>", None, "abc")
    found = do(house, look=True, bcc="di@example.com", context=context)
    assert found == LookUp(
        True,
        {
            "message_id": result["message_id"],
            "provider_id": result["provider_id"],
            "to": result["to"],
            "subject": "Hello",
        },
    )


def test_a_mail_google_gave_another_message_id_is_found_by_aies_own_mark(house, gmail):
    gmail.rewrites_message_ids = True
    do(house)
    do(house, context=house.context("run_9/other"))
    assert do(house, look=True).happened is True
    assert do(house, look=True, context=house.context("run_3/none")) == LookUp(False)
    assert do(house, look=True, context=house.context("run_3/none", timeout_s=10.2)) == LookUp(None)


@pytest.mark.parametrize("how", [{"status": 500}, {"status": 503, "hang_up": True}])
def test_an_error_after_sending_leaves_it_open_and_looking_finds_the_one_mail(house, gmail, how):
    gmail.failures.append(Failure("POST /messages/send", after_doing_it=True, **how))
    with pytest.raises(UncertainError):
        do(house)
    assert do(house, look=True).happened is True
    assert len(gmail.sent) == 1


def test_an_error_that_kept_it_from_being_sent_is_found_out_by_looking(house, gmail):
    gmail.failures.append(Failure("POST /messages/send", 500))
    with pytest.raises(UncertainError):
        do(house)
    assert do(house, look=True) == LookUp(False)


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
def test_what_google_refuses_is_said_in_plain_words(house, gmail, failure, kind, said, hint):
    failure.call = "POST /messages/send"
    gmail.failures.append(failure)
    with pytest.raises(kind) as found:
        do(house)
    assert (found.type, str(found.value), found.value.hint) == (kind, said, hint)
    assert (getattr(found.value, "retry_after_s", None), gmail.sent) == (77 if kind is RetryableError else None, [])


def test_a_time_to_wait_until_is_honoured(house, gmail):
    later = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=10)
    message = f"User-rate limit exceeded.  Retry after {later:%Y-%m-%dT%H:%M:%S.000Z} (Mail sending)"
    gmail.failures.append(Failure("POST /messages/send", 429, "rateLimitExceeded", message))
    with pytest.raises(RetryableError) as found:
        do(house)
    assert 590 < found.value.retry_after_s <= 600


def test_a_draft_is_made_once(house, gmail):
    first, again = do(house, "create_draft"), do(house, "create_draft")
    assert (first, len(gmail.drafts), gmail.sent) == (again, 1, [])


def test_labels_reading_and_archiving(house, gmail):
    message = gmail.deliver(letter("x", Message_ID="<7@example.com>"))
    email = {"provider_id": message.id}
    for _ in range(2):
        do(house, "label_email", email=email, label="Invoices")
    do(house, "mark_read", email={"message_id": "<7@example.com>"})
    do(house, "archive_email", email=email)
    assert [gmail.labels[label] for label in message.labels] == ["Invoices"]
    do(house, "label_email", email=email, label="invoices", remove=True)
    assert message.labels == []
    with pytest.raises(ActionError, match="not in the mailbox any more"):
        do(house, "mark_read", email={"provider_id": "abc"})


def test_what_is_not_json_is_said_so(house, gmail):
    async def story():
        settings = house.settings.model_copy(update={"api_url": f"{gmail.url}/nowhere"})
        async with gmail_api(settings, house.credentials) as api:
            await api.get("/profile")

    with pytest.raises(ActionError, match="Gmail says"):
        run(story())
