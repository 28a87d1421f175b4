"""New mail by IMAP, against a real Dovecot: nothing lost, nothing twice, whatever happens to the connection."""

from __future__ import annotations

import datetime as dt
import logging
import socket
import threading
import time

import pytest
from gmail_house import AGES, INBOX, letter, settings_for, subjects, table, watching

from aie.credentials import ConnectionRecord
from aie.testing import Home
from aie_gmail import imap_source
from aie_gmail.contacts import Contacts
from aie_gmail.imap import Imap


@pytest.fixture
def home(dovecot, at_home):
    return at_home(table(dovecot))


def begin(home: Home) -> None:
    """Let it find out where it stands; what comes from now on is news."""
    assert home.run_source(INBOX, until=lambda events: True) == []


def test_what_was_there_before_the_first_start_is_no_news_and_what_comes_then_is(home, dovecot):
    dovecot.deliver(letter("old"))
    begin(home)
    with watching(home, 1) as watch:
        dovecot.deliver(letter("new", "Could we meet tomorrow at 2pm?"))
    (event,) = watch.events
    data = event.data
    assert (event.event_type, data["subject"], data["sender"], data["body"]) == (
        "email_received", "new", "Ada Brown <ada@example.com>", "Could we meet tomorrow at 2pm?",
    )  # fmt: skip
    assert (data["suggested_date"], data["suggested_time"]) == ("2026-11-24", "14:00")
    assert (data["folder"], data["uid"], data["truncated"]) == ("INBOX", 2, False)
    assert "\\Seen" not in data["labels"]


def test_idle_tells_of_new_mail_at_once(home, dovecot):
    begin(home)
    with watching(home, 2, span=dt.timedelta(0)) as watch:  # one that sleeps between two looks would be at its end
        dovecot.deliver(letter("before"))
        watch.wait_for(1)  # from here on it idles
        dovecot.deliver(letter("pushed"))
    assert subjects(watch.events) == ["before", "pushed"]


def test_without_idle_it_asks_again_and_again(dovecot, at_home):
    home = at_home(table(dovecot, idle=False))
    assert home.run_source(INBOX) == []
    with watching(home, 2) as watch:
        dovecot.deliver(letter("polled"))
        watch.wait_for(1)
        dovecot.deliver(letter("polled again"))
    assert subjects(watch.events) == ["polled", "polled again"]


def test_mail_that_came_while_it_was_off_is_told_once_it_is_on_also_if_somebody_read_it(home, dovecot):
    begin(home)
    dovecot.deliver(letter("one"), letter("two"))
    other = dovecot.imap()
    other.select("INBOX")
    other.store("1:*", "+FLAGS", "\\Seen")
    other.logout()
    events = home.run_source(INBOX, until=lambda events: len(events) == 2)
    with watching(home, 1) as watch:
        dovecot.deliver(letter("three"))
    assert subjects(events + watch.events) == ["one", "two", "three"]


def test_backfill_takes_the_newest_old_mails_along(dovecot, at_home):
    dovecot.deliver(letter("a"), letter("b"), letter("c"))
    home = at_home(table(dovecot, backfill=2))
    assert subjects(home.run_source(INBOX, until=bool)) == ["b", "c"]


def test_sessions_that_are_kicked_out_come_back_and_miss_nothing(home, dovecot):
    begin(home)
    with watching(home, 4) as watch:
        for number in range(4):
            dovecot.kick()
            dovecot.deliver(letter(f"mail {number}"))
            watch.wait_for(number + 1)
    assert subjects(watch.events) == [f"mail {number}" for number in range(4)]


def test_a_server_that_restarts_is_found_again(home, dovecot):
    begin(home)
    with watching(home, 2) as watch:
        dovecot.deliver(letter("before"))
        watch.wait_for(1)
        dovecot.server.stop()
        dovecot.server.start()
        dovecot.deliver(letter("after"))
    assert subjects(watch.events) == ["before", "after"]


def test_a_folder_that_was_made_anew_loses_nothing_and_repeats_nothing(dovecot, at_home):
    old, told, new = letter("old"), letter("told"), letter("new")
    dovecot.append(b"x: y\r\n\r\n", "INBOX")
    client = dovecot.imap()
    client.create("Jobs")
    long_ago = '"20-Nov-2026 10:00:00 +0000"'
    home = at_home(table(dovecot, folder="Jobs"))
    client.append("Jobs", None, long_ago, old)
    begin(home)
    client.append("Jobs", None, None, told)
    events = home.run_source(INBOX, until=bool)
    client.delete("Jobs")
    client.create("Jobs")
    for raw, when in ((old, long_ago), (told, None), (new, None)):
        client.append("Jobs", None, when, raw)
    with watching(home, 2) as watch:
        watch.wait_for(1)
        client.append("Jobs", None, None, letter("newest"))
    client.logout()
    events += watch.events
    assert subjects(events) == ["told", "new", "newest"]
    first, second, third = [event.data["uidvalidity"] for event in events]
    assert (first == second, second == third) == (False, True)


def test_two_thousand_mails_become_two_thousand_events_across_interruptions(home, dovecot):
    begin(home)
    client = dovecot.imap()
    for number in range(2000):
        client.append("INBOX", None, None, letter(f"mail {number}"))
    client.logout()
    events = home.run_source(INBOX, until=lambda events: len(events) >= 500)
    with watching(home, 2000 - len(events)) as watch:
        watch.wait_for(500)
        dovecot.kick()
    assert subjects(events + watch.events) == [f"mail {number}" for number in range(2000)]


def test_a_mail_without_message_id_and_one_of_only_bytes_are_told_all_the_same(home, dovecot):
    begin(home)
    dovecot.deliver(b"Subject: no id\r\n\r\nx\r\n", b"\xff\xfe\x00\x01 nothing of a mail")
    assert subjects(home.run_source(INBOX, until=lambda events: len(events) == 2)) == ["no id", ""]


def test_a_copy_of_a_mail_in_another_place_is_the_same_mail(home, dovecot):
    begin(home)
    with watching(home, 2) as watch:
        dovecot.append(letter("twice"))
        watch.wait_for(1)
        dovecot.append(letter("twice"))
        dovecot.deliver(letter("end"))
    assert subjects(watch.events) == ["twice", "end"]


def test_of_a_mail_beyond_the_limit_the_beginning_is_read(dovecot, at_home, monkeypatch):
    monkeypatch.setattr(imap_source, "HEAD_BYTES", 2_000)
    home = at_home(table(dovecot, max_message_bytes=10_000))
    begin(home)
    dovecot.deliver(letter("large", "Words of a long mail.\n" * 2_000))
    (event,) = home.run_source(INBOX, until=bool)
    data = event.data
    assert (data["subject"], data["truncated"], 1_000 < len(data["body"]) < 2_000) == ("large", True, True)
    assert data["size_bytes"] > 40_000


def test_a_wrong_password_is_told_once_and_mended_by_connecting_anew(dovecot, at_home, caplog):
    home = at_home(table(dovecot))
    begin(home)
    connection, troubles = home.credentials("gmail"), []
    connection.save({"password": "wrong"}, ConnectionRecord(account=dovecot.address))
    dovecot.deliver(letter("works again"))

    def owner(record: logging.LogRecord) -> bool:
        """Connects anew as soon as the log says so."""
        if "no new mail until this is mended" in record.getMessage():
            troubles.append(connection.record.trouble)
            connection.save({"password": "secret"})
        return True

    with caplog.filtering(owner):
        events = home.run_source(INBOX, span=AGES, until=bool)
    (trouble,) = troubles
    assert trouble.startswith("the mail server does not accept the password of 'user")
    assert (subjects(events), connection.record.trouble) == (["works again"], "")
    assert "wrong" not in caplog.text


def test_cancelling_in_the_middle_of_idle_ends_at_once(home):
    begin(home)
    found = home.watch(INBOX, within_s=1)
    assert (found.events, found.overdue, found.ended) == ([], True, True)


def test_a_mail_that_comes_between_search_and_idle_is_not_slept_over(home, dovecot):
    imap = Imap.connect(home.settings("gmail"), "secret")
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


def test_everyone_ever_written_to_becomes_a_known_contact(dovecot, at_home):
    home = at_home(table(dovecot, contacts_from_sent=True, idle=False))
    contacts = Contacts(home.settings("gmail"), home.vault, home.config.cache_dir("gmail"))
    dovecot.append(letter("one", To="Ada <ada@example.com>, bo@example.com", Cc="CY@example.com"), "Sent")
    home.run_source(INBOX)
    known = ["ada@example.com", "bo@example.com", "cy@example.com"]
    assert contacts.unknown([*known, "di@example.com"]) == ["di@example.com"]
    dovecot.append(letter("two", To="di@example.com"), "Sent")
    home.run_source(INBOX)
    assert contacts.unknown([*known, "di@example.com", "eve@example.com"]) == ["eve@example.com"]
