"""Reading mails: a corpus with expected results, and that no bytes at all crash it or hold it up."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import json
import time

import pytest
from gmail_corpus import HEAD, LETTERS, b64, crlf, html, ics, invited, multipart, plain
from gmail_house import BERLIN, letter, table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aie.plain import check_json
from aie_gmail.arrivals import Arrived, Intake
from aie_gmail.keeping import Keeping, stored_name
from aie_gmail.mail import Attachment, Reader, identity
from aie_gmail.reading import ReadingRoom, UnreadableError, reading_room

NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
READER = Reader(BERLIN, trusted_host="mx.google.com")
WITHIN_S = 1.0


def at_most(found, expected):
    """The part of what was found that something is expected of."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return {key: at_most(found.get(key, "nothing"), value) for key, value in expected.items()}
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [at_most(*pair) for pair in zip(found, expected, strict=True)]
    return found


@pytest.mark.parametrize(("raw", "expected"), [row[1:] for row in LETTERS], ids=[row[0] for row in LETTERS])
def test_a_mail_is_read_as_a_person_would(raw, expected):
    began = time.process_time()
    data = READER.read(raw, NOW).data
    assert time.process_time() - began < WITHIN_S
    assert at_most(data, expected) == expected
    check_json(data)


def test_the_corpus_is_as_large_as_promised():
    assert len({name for name, _, _ in LETTERS}) == len(LETTERS) >= 60


def test_the_original_workflows_find_what_they_ask_for():
    data = READER.read(letter("Meeting", "tomorrow at 2pm"), NOW).data
    wanted = ("subject", "sender", "body", "received_at", "suggested_date", "suggested_time")
    assert {key: data[key] for key in wanted} == {
        "subject": "Meeting",
        "sender": "Ada Brown <ada@example.com>",
        "body": "tomorrow at 2pm",
        "received_at": "2026-11-23T09:00:00+01:00",
        "suggested_date": "2026-11-24",
        "suggested_time": "14:00",
    }


def test_tomorrow_counts_from_the_mails_own_date_in_its_senders_zone():
    late = letter("x", "tomorrow at 9am", Date="Sun, 22 Nov 2026 23:30:00 -0800")
    assert READER.read(late, NOW).data["suggested_date"] == "2026-11-23"


# --- nothing crashes it ----------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=",
        b"Content-Type: text/html\n\n",
        b"Content-Type: text/calendar\n\n",
        b"--b",
        b"\n",
        b"\r\n\r\n",
        b"b\n",
        b"From: ",
        b'"',
        b"<",
        b">",
        b"(",
        b"@",
        b",",
        b";",
        b"=?utf-8?b?",
        b"?=",
        b"=?x?q?",
        b"Date: ",
        b"+9999",
        b"9" * 40,
        b"Subject: ",
        b"BEGIN:VCALENDAR\n",
        b"BEGIN:VEVENT\n",
        b"DTSTART:",
        b"20261124T130000Z\n",
        b"END:VEVENT\n",
        b"TZID=",
        b"RRULE:FREQ=SECONDLY\n",
        b"Content-Transfer-Encoding: base64\n\n",
        b"Content-Disposition: attachment; filename*0*=",
        b"charset=",
        b"utf-7",
        b"<div style='",
        b"<!--",
        b"&#",
        b"tomorrow at ",
        b"2pm",
        b"14:00",
        b"12/12/",
        b"next Monday ",
        b"\x00",
        b"\xff",
        b"\x1b$B",
        b"+AAA-",
        b"> ",
        b"On x wrote:\n",
        b"a" * 300,
    ]
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(st.binary(max_size=2_000), st.lists(st.one_of(WORDS, st.binary(max_size=6)), max_size=60).map(b"".join))
)
def test_no_bytes_crash_the_parser_or_take_long(raw):
    began = time.process_time()
    mail = READER.read(raw, NOW)
    assert time.process_time() - began < WITHIN_S
    check_json(mail.data)
    json.dumps(mail.data)


@settings(max_examples=60)
@given(st.sampled_from([row[1] for row in LETTERS if len(row[1]) < 20_000]), st.data())
def test_no_damage_to_a_real_mail_crashes_the_parser(raw, data):
    place = data.draw(st.integers(0, len(raw)))
    cut = data.draw(st.integers(0, 40))
    check_json(READER.read(raw[:place] + data.draw(st.binary(max_size=10)) + raw[place + cut :], NOW).data)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(WORDS, st.binary(min_size=1, max_size=3)), min_size=1, max_size=3), WORDS)
def test_no_repetition_takes_long(pieces, first):
    unit = b"".join(pieces)
    raw = crlf(HEAD) + first + unit * (400_000 // len(unit))
    began = time.process_time()
    READER.read(raw, NOW)
    assert time.process_time() - began < WITHIN_S


@pytest.mark.parametrize(
    "raw",
    [
        b"\n" * 3_000_000,
        b"Content-Type: multipart/mixed; boundary=-\n\n" + b"---\n" * 1_000_000,
        b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n" * 1_000_000,
        b"From: " + b'"a" <a@b.c>, ' * 100_000 + b"\n\n",
        b"To: " + b"((((" * 100_000,
        b"Subject: " + b"=?utf-8?q?a?= " * 100_000 + b"\n\n",
        html('<a "' * 250_000),
        html("<" * 1_000_000),
        html('<a href="http://x.y">' * 50_000 + "</a>" * 50_000),
        html('<div style="display:none">' * 50_000),
        plain("am a a a a schrieb \n" * 50_000),
        plain("on the 3rd at 3pm " * 50_000),
        plain(b"+AAA-" * 300_000, "utf-7"),
        invited(ics(*["ATTENDEE:mailto:a@b.example"] * 20_000)),
        invited(ics("DTSTART:20261124T130000Z", *["BEGIN:VALARM"] * 150)),
        multipart(
            "mixed", f"Content-Transfer-Encoding: base64\nContent-Type: application/pdf\n\n{b64(bytes(12_000_000))}"
        ),
    ],
    ids=range(16),
)
def test_what_was_made_to_hold_a_reader_up_does_not(raw):
    began = time.process_time()
    READER.read(raw, NOW)
    assert time.process_time() - began < WITHIN_S


# --- in a process of its own -----------------------------------------------------------------------------------------


def test_the_other_process_reads_as_this_one_does():
    async def story():
        async with reading_room(READER) as room:
            return [await room.read(raw, NOW) for _, raw, _ in LETTERS[:40]], room

    mails, _ = asyncio.run(story())
    assert mails == [READER.read(raw, NOW) for _, raw, _ in LETTERS[:40]]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import sys; sys.exit(3)", "the process that read it ended"),
        ("import time; time.sleep(60)", "it took more than 0.5 s to read"),
        ("print('nonsense', flush=True); input()", "the process that read it ended"),
    ],
)
def test_a_process_that_dies_hangs_or_talks_nonsense_costs_one_mail(code, why):
    async def story():
        room = ReadingRoom(READER, within_s=0.5, command=("-c", code))
        with pytest.raises(UnreadableError, match=why):
            await room.read(b"Subject: x\n\n", NOW)
        room.command, room.within_s = ("-I", "-m", "aie_gmail.reading"), 20
        mail = await room.read(b"Subject: next\n\n", NOW)
        await room.close()
        return mail.data["subject"]

    assert asyncio.run(story()) == "next"


def test_a_mail_that_cannot_be_read_becomes_an_event_that_says_so_and_is_kept(at_home, caplog):
    home = at_home(table())
    intake = Intake.of(home.settings("gmail"), home.context("gmail"))
    intake.room.command = ("-c", "raise SystemExit(1)")
    event = home.wait_for(intake.event(Arrived(b"From: x\r\n\r\nhi", "a" * 32, NOW, {"folder": "INBOX"})))
    assert (event.event_type, event.event_id) == ("email_unparsable", "a" * 32)
    assert event.data == {
        "received_at": "2026-11-23T09:00:00+01:00",
        "reason": "the process that read it ended without an answer",
        "path": "Attachments/2026-11-23 unreadable aaaaaaaa.eml",
        "size_bytes": 13,
        "folder": "INBOX",
    }
    assert (home.vault / event.data["path"]).read_bytes() == b"From: x\r\n\r\nhi"


# --- attachments -----------------------------------------------------------------------------------------------------


def keep(vault, *attachments: Attachment, most_bytes: int = 1_000_000):
    described = [one.plain() for one in attachments]
    return Keeping(vault, "Attachments", most_bytes).attachments(described, attachments, "2026-11-23 Budget 3fa1c29b")


def test_attachments_are_saved_below_one_folder_of_the_mail_and_twice_is_once(tmp_path):
    one = Attachment("a.pdf", "application/pdf", b"1")
    other = Attachment("a.pdf", "application/pdf", b"2")
    told = [keep(tmp_path, one, other) for _ in range(2)]
    assert told[0] == told[1]
    assert [entry["path"] for entry in told[0]] == [
        "Attachments/2026-11-23 Budget 3fa1c29b/a.pdf", "Attachments/2026-11-23 Budget 3fa1c29b/a 2.pdf",
    ]  # fmt: skip
    assert told[0][0]["sha256"] == hashlib.sha256(b"1").hexdigest()
    assert [path.read_bytes() for path in sorted(tmp_path.rglob("*.pdf"))] == [b"2", b"1"]


def test_what_is_more_than_is_kept_of_one_mail_is_told_and_not_saved(tmp_path):
    large, small = Attachment("l.bin", "x/y", bytes(900)), Attachment("s.bin", "x/y", bytes(50))
    told = keep(tmp_path, large, small, large, most_bytes=1_000)
    assert ["path" in one for one in told] == [True, True, False]
    assert told[2]["not_saved"] == "more than is kept of one mail"


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("../../etc/cron.d/x", "x"),
        ("C:\\Users\\me\\a.pdf", "a.pdf"),
        ("CLAUDE.md", "CLAUDE.md.txt"),
        ("aie.toml", "aie.toml.txt"),
        ("note.MD", "note.MD.txt"),
        (".obsidian", "obsidian"),
        ("CON.pdf", "CON_.pdf"),
        ("", "untitled"),
        ("..", "untitled"),
        ("a\u202efdp.exe", "afdp.exe.txt"),
        ("invoice 1.pdf", "invoice 1.pdf"),
        ("x" * 300 + ".pdf", "x" * 100 + ".pdf"),
        ("workflow.json", "workflow.json.txt"),
    ],
)
def test_names_are_safe_wherever_a_vault_is(given, stored):
    assert stored_name(given) == stored


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60))
def test_no_name_at_all_leads_out_of_the_folder(tmp_path_factory, name):
    vault = tmp_path_factory.mktemp("v")
    (told,) = keep(vault, Attachment(name, "x/y", b"1"))
    (path,) = [path for path in vault.rglob("*") if path.is_file()]
    assert told["path"] == path.relative_to(vault).as_posix()
    assert path.parent.parent == vault / "Attachments"


def test_a_mail_has_one_identity_wherever_its_copies_lie_and_others_have_another():
    raw = letter("x")
    assert identity(b"Received: from a\r\n" + raw) == identity(b"Received: from b\r\n" + raw)
    assert len({identity(raw), identity(letter("y")), identity(b"x"), identity(b"y")}) == 4
