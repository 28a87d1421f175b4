"""New mail by IMAP, against a real Dovecot: nothing lost, nothing twice, whatever happens to the connection."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest
from gmail_house import House, letter, settings_for

from aie_gmail import imap_source
from aie_gmail.contacts import Contacts
from aie_gmail.imap import Imap


@pytest.fixture
def house(dovecot, tmp_path):
    return House(tmp_path, settings_for(dovecot), {"password": "secret"})


def run(coroutine):
    return asyncio.run(coroutine)


def test_what_was_there_before_the_first_start_is_no_news_and_what_comes_then_is(house, dovecot):
    dovecot.deliver(letter("old"))

    async def story():
        async with house.watching():
            dovecot.deliver(letter("new", "Could we meet tomorrow at 2pm?"))
            await house.until(lambda: house.events)

    run(story())
    (event,) = house.events
    data = event.data
    assert (event.event_type, data["subject"], data["sender"], data["body"]) == (
        "email_received", "new", "Ada Brown <ada@example.com>", "Could we meet tomorrow at 2pm?",
    )  # fmt: skip
    assert (data["suggested_date"], data["suggested_time"]) == ("2026-11-24", "14:00")
    assert (data["folder"], data["uid"], data["truncated"]) == ("INBOX", 2, False)
    assert "\\Seen" not in data["labels"]


def test_idle_tells_of_new_mail_at_once(house, dovecot):
    async def story():
        async with house.watching():
            await asyncio.sleep(0.3)  # now it idles; the poll interval would be far longer
            began = time.monotonic()
            dovecot.deliver(letter("pushed"))
            await house.until(lambda: house.events)
            return time.monotonic() - began

    assert run(story()) < 5


def test_without_idle_it_asks_again_and_again(dovecot, tmp_path):
    house = House(tmp_path, settings_for(dovecot, idle=False), {"password": "secret"})

    async def story():
        async with house.watching():
            dovecot.deliver(letter("polled"))
            await house.until(lambda: house.events)

    run(story())
    assert house.subjects == ["polled"]


def test_mail_that_came_while_it_was_off_is_told_once_it_is_on_also_if_somebody_read_it(house, dovecot):
    async def story():
        async with house.watching():
            pass
        dovecot.deliver(letter("one"), letter("two"))
        other = dovecot.imap()
        other.select("INBOX")
        other.store("1:*", "+FLAGS", "\\Seen")
        other.logout()
        async with house.watching():
            await house.until(lambda: len(house.events) == 2)
        async with house.watching():
            dovecot.deliver(letter("three"))
            await house.until(lambda: len(house.events) == 3)

    run(story())
    assert house.subjects == ["one", "two", "three"]


def test_backfill_takes_the_newest_old_mails_along(dovecot, tmp_path):
    house = House(tmp_path, settings_for(dovecot, backfill=2), {"password": "secret"})
    dovecot.deliver(letter("a"), letter("b"), letter("c"))

    async def story():
        async with house.watching():
            await house.until(lambda: len(house.events) == 2)

    run(story())
    assert house.subjects == ["b", "c"]


def test_sessions_that_are_kicked_out_come_back_and_miss_nothing(house, dovecot):
    async def story():
        async with house.watching():
            for number in range(4):
                dovecot.kick()
                dovecot.deliver(letter(f"mail {number}"))
                await house.until(lambda number=number: len(house.events) == number + 1)

    run(story())
    assert house.subjects == [f"mail {number}" for number in range(4)]


def test_a_server_that_restarts_is_found_again(house, dovecot):
    async def story():
        async with house.watching():
            dovecot.deliver(letter("before"))
            await house.until(lambda: house.events)
            dovecot.server.stop()
            dovecot.server.start()
            dovecot.deliver(letter("after"))
            await house.until(lambda: len(house.events) == 2)

    run(story())
    assert house.subjects == ["before", "after"]


def test_a_folder_that_was_made_anew_loses_nothing_and_repeats_nothing(dovecot, tmp_path):
    house = House(tmp_path, settings_for(dovecot, folder="Jobs"), {"password": "secret"})
    old, told, new = letter("old"), letter("told"), letter("new")
    dovecot.append(b"x: y\r\n\r\n", "INBOX")
    client = dovecot.imap()
    client.create("Jobs")
    long_ago = '"20-Nov-2026 10:00:00 +0000"'

    async def story():
        client.append("Jobs", None, long_ago, old)
        async with house.watching():
            client.append("Jobs", None, None, told)
            await house.until(lambda: house.events)
        before = house.cursor["uidvalidity"]
        client.delete("Jobs")
        client.create("Jobs")
        for raw, when in ((old, long_ago), (told, None), (new, None)):
            client.append("Jobs", None, when, raw)
        async with house.watching():
            await house.until(lambda: len(house.events) == 2)
            client.append("Jobs", None, None, letter("newest"))
            await house.until(lambda: len(house.events) == 3)
        assert house.cursor["uidvalidity"] != before

    run(story())
    client.logout()
    assert house.subjects == ["told", "new", "newest"]


def test_two_thousand_mails_become_two_thousand_events_across_interruptions(house, dovecot):
    async def story():
        async with house.watching():
            pass
        client = dovecot.imap()
        for number in range(2000):
            client.append("INBOX", None, None, letter(f"mail {number}"))
        client.logout()
        async with house.watching():
            await house.until(lambda: len(house.events) >= 500)
        async with house.watching():
            await house.until(lambda: len(house.events) >= 1000)
            dovecot.kick()
            await house.until(lambda: len(house.events) >= 2000)

    run(story())
    assert house.subjects == [f"mail {number}" for number in range(2000)]


def test_a_mail_without_message_id_and_one_of_only_bytes_are_told_all_the_same(house, dovecot):
    async def story():
        async with house.watching():
            dovecot.deliver(b"Subject: no id\r\n\r\nx\r\n", b"\xff\xfe\x00\x01 nothing of a mail")
            await house.until(lambda: len(house.events) == 2)

    run(story())
    assert house.subjects == ["no id", ""]


def test_a_copy_of_a_mail_in_another_place_is_the_same_mail(house, dovecot):
    raw = letter("twice")

    async def story():
        async with house.watching():
            dovecot.append(raw)
            await house.until(lambda: house.events)
            dovecot.append(raw)
            dovecot.deliver(letter("end"))
            await house.until(lambda: len(house.events) == 2)

    run(story())
    assert house.subjects == ["twice", "end"]


def test_of_a_mail_beyond_the_limit_the_beginning_is_read(dovecot, tmp_path, monkeypatch):
    monkeypatch.setattr(imap_source, "HEAD_BYTES", 2_000)
    house = House(tmp_path, settings_for(dovecot, max_message_bytes=10_000), {"password": "secret"})

    async def story():
        async with house.watching():
            dovecot.deliver(letter("large", "Words of a long mail.\n" * 2_000))
            await house.until(lambda: house.events)

    run(story())
    data = house.events[0].data
    assert (data["subject"], data["truncated"], 1_000 < len(data["body"]) < 2_000) == ("large", True, True)
    assert data["size_bytes"] > 40_000


def test_a_wrong_password_is_told_once_and_mended_by_connecting_anew(dovecot, tmp_path, caplog):
    house = House(tmp_path, settings_for(dovecot), {"password": "wrong"})

    async def story():
        async with house.watching() as task:
            await house.until(lambda: house.credentials.record.trouble)
            trouble = house.credentials.record.trouble
            house.credentials.save({"password": "secret"})
            await house.until(lambda: house.cursor["version"] == 1)
            dovecot.deliver(letter("works again"))
            await house.until(lambda: house.events)
            assert not task.done()
            return trouble

    house.cursor = {"version": 0}  # so that watching() need not wait for one: it comes once the password is right
    trouble = run(story())
    assert trouble.startswith("the mail server does not accept the password of 'user")
    assert (house.subjects[-1], house.credentials.record.trouble) == ("works again", "")
    assert len([record for record in caplog.records if "no new mail until this is mended" in record.message]) == 1
    assert "wrong" not in caplog.text


def test_cancelling_in_the_middle_of_idle_ends_at_once(house):
    async def story():
        async with house.watching() as task:
            await asyncio.sleep(0.3)
            began = time.monotonic()
            task.cancel()
            await asyncio.wait([task])
            return time.monotonic() - began

    assert run(story()) < 2


def test_a_mail_that_comes_between_search_and_idle_is_not_slept_over(house, dovecot):
    imap = Imap.connect(house.settings, "secret")
    imap.open("INBOX")
    assert imap.after(0) == []
    dovecot.deliver(letter("in between"))
    imap.noop()  # the answer to another command tells of it, so IDLE will not
    began = time.monotonic()
    imap.wait(60)
    assert (imap.after(0), time.monotonic() - began < 5) == ([1], True)
    imap.close()


def test_what_comes_in_one_packet_with_the_begin_of_idle_is_not_slept_over():
    server = socket.create_server(("127.0.0.1", 0))
    answers = {
        b"CAPABILITY": b"* CAPABILITY IMAP4rev1 IDLE\r\n",
        b"IDLE": b"+ idling\r\n* 1 EXISTS\r\n",
        b"DONE": b"",
    }

    def serve():
        client, _ = server.accept()
        with client, client.makefile("rb") as lines:
            client.sendall(b"* OK hello\r\n")
            tag = b""
            for line in lines:
                words = line.split()
                tag, word = (tag, words[0]) if words[0] == b"DONE" else words[:2]
                client.sendall(answers.get(word, b"") + (b"" if word == b"IDLE" else tag + b" OK done\r\n"))

    threading.Thread(target=serve, daemon=True).start()
    settings = settings_for(imap_host="127.0.0.1", imap_port=server.getsockname()[1], imap_security="none")
    imap = Imap.connect(settings, "secret")
    began = time.monotonic()
    imap.wait(60)
    assert time.monotonic() - began < 5
    imap.close()
    server.close()


def test_everyone_ever_written_to_becomes_a_known_contact(dovecot, tmp_path):
    house = House(tmp_path, settings_for(dovecot, contacts_from_sent=True), {"password": "secret"})
    dovecot.append(letter("one", To="Ada <ada@example.com>, bo@example.com", Cc="CY@example.com"), "Sent")

    contacts = Contacts(house.settings, house.vault, house.cache_dir)

    async def story():
        async with house.watching():
            await house.until(lambda: not contacts.unknown(["ada@example.com", "bo@example.com", "cy@example.com"]))
        dovecot.append(letter("two", To="di@example.com"), "Sent")
        async with house.watching():
            await house.until(lambda: not contacts.unknown(["di@example.com"]))

    run(story())
    assert contacts.unknown(["ada@example.com", "eve@example.com"]) == ["eve@example.com"]
