# ruff: noqa: E501 - mails are as wide as they are
"""Mails of all kinds, made here, each with what must be read of it. ``LETTERS`` has name, bytes and expected data."""

from __future__ import annotations

import base64
import quopri
from typing import Any

HEAD = "From: Ada Brown <ada@example.com>\nTo: owner@example.org\nDate: Mon, 23 Nov 2026 09:00:00 +0100\nMessage-ID: <m1@example.com>\n"


def crlf(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def plain(body: str | bytes, charset: str = "utf-8", *, subject: str = "Hello", more: str = "") -> bytes:
    data = body.encode(charset) if isinstance(body, str) else body
    head = f"{HEAD}Subject: {subject}\n{more}Content-Type: text/plain; charset={charset}\n\n"
    return crlf(head) + data


def b64(data: bytes) -> str:
    return base64.encodebytes(data).decode()


def multipart(kind: str, *parts: str, boundary: str = "=_b1", subject: str = "Hello", end: bool = True) -> bytes:
    body = "".join(f"--{boundary}\n{part}\n" for part in parts) + (f"--{boundary}--\n" if end else "")
    return crlf(
        f'{HEAD}Subject: {subject}\nMIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary="{boundary}"\n\n{body}'
    )


def html(markup: str, charset: str = "utf-8") -> bytes:
    return crlf(f"{HEAD}Subject: Hello\nContent-Type: text/html; charset={charset}\n\n") + markup.encode(charset)


TEXT = "Content-Type: text/plain; charset=utf-8\n\n"
HTML = "Content-Type: text/html; charset=utf-8\n\n"
PDF = f"Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n{{}}\n\n{b64(b'%PDF-1.4 x')}"
PDF_DATA = {"content_type": "application/pdf", "size_bytes": 10}


def attached(disposition: str) -> bytes:
    return multipart("mixed", TEXT + "See it.", PDF.format(f"Content-Disposition: {disposition}"))


def ics(*lines: str, method: str = "REQUEST", zone: str = "") -> str:
    return "\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//y//EN", f"METHOD:{method}", *([zone] if zone else []), "BEGIN:VEVENT",
         "UID:u1@example.com", "DTSTAMP:20261120T100000Z", "SUMMARY:Budget", *lines, "END:VEVENT", "END:VCALENDAR", ""]
    )  # fmt: skip


def invited(calendar: str, *more: str) -> bytes:
    method = "CANCEL" if "METHOD:CANCEL" in calendar else "REQUEST"
    part = f"Content-Type: text/calendar; charset=utf-8; method={method}\n\n{calendar}"
    return multipart(
        "alternative", TEXT + "You are invited, on Friday at 9:00.", part, *more, subject="Invitation: Budget"
    )


WHEN = {"suggested_date": "2026-11-24", "suggested_time": "14:00", "suggested_end": "15:00"}
AT_TWO = ("DTSTART:20261124T130000Z", "DTEND:20261124T140000Z")
ZONE = (
    "BEGIN:VTIMEZONE\nTZID:Office\nBEGIN:STANDARD\nDTSTART:19701025T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n"
    "END:STANDARD\nEND:VTIMEZONE"
)

LETTERS: list[tuple[str, bytes, dict[str, Any]]] = [
    # --- text and charsets
    (
        "plain",
        plain("Hi\n"),
        {
            "subject": "Hello",
            "body": "Hi",
            "from_address": "ada@example.com",
            "from_name": "Ada Brown",
            "to": ["owner@example.org"],
            "date": "2026-11-23T09:00:00+01:00",
            "message_id": "<m1@example.com>",
            "oddities": [],
        },
    ),
    ("utf-8", plain("Grüße 🎉"), {"body": "Grüße 🎉"}),
    ("latin-1", plain("Grüße", "iso-8859-1"), {"body": "Grüße"}),
    ("curly quotes called latin-1", plain("“Hi”".encode("cp1252"), "iso-8859-1"), {"body": "“Hi”"}),
    ("iso-8859-15", plain("5 €", "iso-8859-15"), {"body": "5 €"}),
    ("koi8-r", plain("Привет", "koi8-r"), {"body": "Привет"}),
    ("shift_jis", plain("こんにちは", "shift_jis"), {"body": "こんにちは"}),
    ("iso-2022-jp", plain("会議", "iso-2022-jp"), {"body": "会議"}),
    ("gb2312 that is gb18030", plain("镕".encode("gb18030"), "gb2312"), {"body": "镕"}),
    ("big5", plain("會議", "big5"), {"body": "會議"}),
    ("ks_c_5601-1987", plain("회의".encode("cp949"), "ks_c_5601-1987"), {"body": "회의"}),
    ("utf-7", plain(b"Gr+APwA3w-e", "utf-7"), {"body": "Grüße"}),
    ("utf-16", plain("Hi", "utf-16"), {"body": "Hi"}),
    ("unknown charset", plain("Grüße".encode(), "x-nobody-knows"), {"body": "Grüße"}),
    ("hostile codec name", plain(b"a\\u0041", "unicode_escape"), {"body": "a\\u0041"}),
    ("codec that makes bytes", plain(b"abc", "base64"), {"body": "abc"}),
    ("no charset, but utf-8", crlf(HEAD + "Subject: x\n\nGrüße"), {"body": "Grüße"}),
    ("no charset, not utf-8", crlf(HEAD + "Subject: x\n\n") + "Grüße".encode("cp1252"), {"body": "Grüße"}),
    ("utf-8 cut in the middle", plain("Grüße".encode()[:3]), {"body": "Gr\ufffd"}),
    (
        "quoted-printable",
        crlf(
            f"{HEAD}Subject: x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
        )
        + quopri.encodestring("Grüße, a=b and a long line that has to be folded by the encoding somewhere".encode()),
        {"body": "Grüße, a=b and a long line that has to be folded by the encoding somewhere"},
    ),
    (
        "base64 text",
        crlf(
            f"{HEAD}Subject: x\nContent-Type: text/plain\nContent-Transfer-Encoding: BASE64\n\n{b64('Grüße'.encode())}"
        ),
        {"body": "Grüße"},
    ),
    (
        "base64 with rubbish in it",
        crlf(f"{HEAD}Subject: x\nContent-Transfer-Encoding: base64\n\nR3L!DvM\n$OfZQ=\n"),
        {"body": "Grüße"},
    ),
    ("controls and direction marks", plain("a\x00b\x07c\x1b[31m"), {"body": "abc[31m"}),
    # --- headers
    (
        "encoded subject",
        plain("x", subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?= an =?iso-8859-1?B?R3L832U=?="),
        {"subject": "Grüße an Grüße"},
    ),
    ("encoded in two words", plain("x", subject="=?utf-8?b?R3LDvMOf?=\n =?utf-8?b?ZQ==?="), {"subject": "Grüße"}),
    ("raw utf-8 subject", plain("x", subject="Grüße"), {"subject": "Grüße"}),
    ("raw latin-1 subject", plain("x", subject="XX").replace(b"XX", "Grüße".encode("cp1252")), {"subject": "Grüße"}),
    (
        "header injection in a word",
        plain("x", subject="=?utf-8?q?a=0D=0ABcc:_evil@x.example?="),
        {"subject": "a Bcc: evil@x.example"},
    ),
    ("broken encoded word", plain("x", subject="=?utf-8?b?####?= =?nope?q?a?="), {"subject": "=?utf-8?b?####?=a"}),
    ("no subject", crlf(HEAD + "\nHi"), {"subject": "", "body": "Hi"}),
    (
        "two subjects",
        plain("x", more="Subject: second\n"),
        {"subject": "Hello", "oddities": ["subject is there more than once"]},
    ),
    ("folded subject", plain("x", subject="one\n two\n\tthree"), {"subject": "one two three"}),
    ("huge subject", plain("x", subject="a" * 100_000), {"subject": "a" * 1000}),
    ("thousands of headers", plain("x", more="X-Y: z\n" * 5_000), {"subject": "Hello", "body": "x"}),
    (
        "message-id that crashed Python",
        plain("x").replace(b"<m1@example.com>", b"<[abc@def>"),
        {"message_id": "<[abc@def>"},
    ),
    (
        "in reply",
        plain("x", more="In-Reply-To: <a@x>\nReferences: <r1@x>\n <r2@x>\n"),
        {"in_reply_to": "<a@x>", "references": ["<r1@x>", "<r2@x>"]},
    ),
    (
        "no date",
        plain("x").replace(b"Date: Mon, 23 Nov 2026 09:00:00 +0100\r\n", b""),
        {"date": "", "oddities": ["date is missing"]},
    ),
    ("nonsense date", plain("x").replace(b"Mon, 23 Nov 2026 09:00:00 +0100", b"yesterday"), {"date": ""}),
    ("impossible date", plain("x").replace(b"23 Nov 2026", b"99 Nov 99999"), {"date": ""}),
    ("old-style zone", plain("x").replace(b"+0100", b"EST"), {"date": "2026-11-23T09:00:00-05:00"}),
    ("line ends of a Mac", plain("Hi").replace(b"\r\n", b"\r"), {"subject": "Hello", "body": "Hi"}),
    ("bare line feeds", plain("Hi").replace(b"\r\n", b"\n"), {"subject": "Hello", "body": "Hi"}),
    # --- who
    (
        "name with a comma",
        plain("x").replace(b"Ada Brown <", b'"Brown, Ada" <'),
        {"from_address": "ada@example.com", "from_name": "Brown, Ada", "from_suspicious": False},
    ),
    (
        "comma without quotes",
        plain("x").replace(b"Ada Brown <", b"Brown, Ada <"),
        {"from_address": "ada@example.com", "from_suspicious": True},
    ),
    (
        "name that is an address",
        plain("x").replace(b"Ada Brown <", b'"boss@bank.example" <'),
        {"from_address": "ada@example.com", "from_name": "boss@bank.example", "from_suspicious": True},
    ),
    (
        "unclosed quote",
        plain("x").replace(b"Ada Brown <", b'"Ada <'),
        {"from_address": "ada@example.com", "from_suspicious": True},
    ),
    (
        "two senders",
        plain("x", more="From: other@example.net\n"),
        {"from_address": "ada@example.com", "from_suspicious": True, "oddities": ["from is there more than once"]},
    ),
    (
        "no sender",
        plain("x").replace(b"From: Ada Brown <ada@example.com>\r\n", b""),
        {"sender": "", "from_address": "", "from_suspicious": True},
    ),
    (
        "encoded name with a comma",
        plain("x").replace(b"Ada Brown <", b"=?utf-8?q?Brown=2C_Ad=C3=A4?= <"),
        {"from_address": "ada@example.com", "from_name": "Brown, Adä"},
    ),
    (
        "address and comment",
        plain("x").replace(b"Ada Brown <ada@example.com>", b"ada@example.com (Ada)"),
        {"from_address": "ada@example.com", "from_name": "Ada"},
    ),
    (
        "group and many",
        plain("x").replace(b"To: owner@example.org", b'To: Team: a@x.example, "B, C" <b@X.EXAMPLE>;, d@x.example'),
        {"to": ["a@x.example", "b@x.example", "d@x.example"]},
    ),
    ("undisclosed", plain("x").replace(b"To: owner@example.org", b"To: undisclosed-recipients:;"), {"to": []}),
    ("reply-to", plain("x", more="Reply-To: Help <help@example.com>\n"), {"reply_to": "help@example.com"}),
    # --- made by programs
    (
        "list mail",
        plain("x", more="List-Id: News <news.example.com>\nPrecedence: list\n"),
        {"list_id": "News <news.example.com>", "auto_submitted": "precedence: list"},
    ),
    (
        "vacation",
        plain("x", more="Auto-Submitted: auto-replied (vacation)\n"),
        {"auto_submitted": "auto-replied (vacation)"},
    ),
    ("bounce", plain("x", more="Return-Path: <>\n"), {"auto_submitted": "bounce"}),
    ("by a person", plain("x", more="Auto-Submitted: no\n"), {"auto_submitted": None}),
    (
        "vouched for",
        b"Authentication-Results: mx.google.com; spf=pass smtp.mailfrom=x; dmarc=pass (p=NONE) header.from=example.com\r\n"
        + plain("x"),
        {"dmarc": "pass"},
    ),
    ("failed", b"Authentication-Results: mx.google.com; dmarc=fail\r\n" + plain("x"), {"dmarc": "fail"}),
    (
        "vouched for by a stranger",
        b"Authentication-Results: mx.evil.example; dmarc=pass\r\n" + plain("x"),
        {"dmarc": "none"},
    ),
    # --- multipart
    ("alternative", multipart("alternative", TEXT + "plain", HTML + "<p>html</p>"), {"body": "plain"}),
    ("alternative with an empty text", multipart("alternative", TEXT, HTML + "<p>html</p>"), {"body": "html"}),
    ("text and footer", multipart("mixed", TEXT + "one", TEXT + "footer"), {"body": "one\n\nfooter"}),
    (
        "nested",
        multipart(
            "mixed",
            'Content-Type: multipart/alternative; boundary="in"\n\n--in\n'
            + TEXT
            + "inner\n--in\n"
            + HTML
            + "<b>inner</b>\n--in--",
        ),
        {"body": "inner"},
    ),
    ("no last boundary", multipart("mixed", TEXT + "one", TEXT + "two", end=False), {"body": "one\n\ntwo"}),
    (
        "boundary never comes",
        crlf(f'{HEAD}Subject: x\nContent-Type: multipart/mixed; boundary="zz"\n\nall there is'),
        {"attachments": [{"filename": "attachment.mixed", "content_type": "multipart/mixed", "size_bytes": 12}]},
    ),
    (
        "multipart without boundary",
        crlf(f"{HEAD}Subject: x\nContent-Type: multipart/mixed\n\nall there is"),
        {"subject": "x"},
    ),
    (
        "boundary begins as another",
        multipart("mixed", TEXT + "--=_b1x is text", boundary="=_b1"),
        {"body": "--=_b1x is text"},
    ),
    (
        "preamble and epilogue",
        crlf(
            f"{HEAD}Subject: x\nContent-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n{TEXT}body\n--b--\nepilogue"
        ),
        {"body": "body"},
    ),
    (
        "nested too deep",
        crlf(
            HEAD
            + "Subject: deep\n"
            + "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(200))
            + TEXT
            + "x"
        ),
        {"subject": "deep"},
    ),
    ("many parts", multipart("mixed", *[TEXT + "x"] * 3_000), {"subject": "Hello"}),
    # --- HTML
    (
        "html only",
        html(
            "<html><head><title>t</title><style>p{}</style></head><body><p>Hi <b>Ada</b>,</p><p>bye</p></body></html>"
        ),
        {"body": "Hi Ada,\n\nbye"},
    ),
    (
        "html table",
        html("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>"),
        {"body": "a | b\n\nc | d"},
    ),
    (
        "html links",
        html(
            '<a href="https://x.example/?a=1&amp;b=2">here</a> <a href="https://x.example/">https://x.example</a> <a href="javascript:x">no</a>'
        ),
        {"body": "here (https://x.example/?a=1&b=2) https://x.example no"},
    ),
    (
        "html hidden",
        html(
            '<div>seen</div><div style="display: none">hidden <b>deep</b></div><p hidden>too</p><span>also seen</span>'
        ),
        {"body": "seen\nalso seen"},
    ),
    ("html script", html("<p>a</p><script>if (a < b) alert('x')</script><p>b</p>"), {"body": "a\n\nb"}),
    ("html broken", html('<p>a <b>b</p> < c <a href="unclosed>d<p>e'), {"from_address": "ada@example.com"}),
    (
        "html list and entities",
        html("<ul><li>one &amp; two</li><li>&euro;&nbsp;3</li></ul>"),
        {"body": "- one & two\n\n- € 3"},
    ),
    ("html nested deeply", html("<div>" * 20_000 + "deep" + "</div>" * 20_000), {"body": "deep"}),
    # --- quoted
    ("answer", plain("Yes.\n\nOn Mon, 23 Nov 2026, Bob wrote:\n> ok?\n"), {"body_new": "Yes."}),
    ("answer below", plain("On Monday, Bob wrote:\n> ok?\n\nYes."), {"body_new": "On Monday, Bob wrote:\n\nYes."}),
    (
        "outlook answer",
        plain("Yes.\n\n-----Original Message-----\nFrom: Bob\nSent: Monday\n\nok?"),
        {"body_new": "Yes."},
    ),
    ("german answer", plain("Ja.\n\nAm 23.11.2026 um 09:00 schrieb Bob:\n> gut?\n"), {"body_new": "Ja."}),
    ("german outlook", plain("Ja.\n\nVon: Bob <b@x.example>\nGesendet: Montag\nAn: Ada\n\ngut?"), {"body_new": "Ja."}),
    ("french answer", plain("Oui.\n\nLe lun. 23 nov. 2026, Bob a écrit :\n> bon ?\n"), {"body_new": "Oui."}),
    (
        "forwarded",
        plain("---------- Forwarded message ---------\nFrom: Bob\nSubject: x\n\nlook"),
        {"body_new": "---------- Forwarded message ---------\nFrom: Bob\nSubject: x\n\nlook"},
    ),
    # --- attachments
    (
        "attached",
        attached('attachment; filename="a b.pdf"'),
        {"body": "See it.", "attachments": [{**PDF_DATA, "filename": "a b.pdf"}]},
    ),
    (
        "name of another encoding",
        attached("attachment; filename*=utf-8''Rechn%C3%BCng.pdf"),
        {"attachments": [{**PDF_DATA, "filename": "Rechnüng.pdf"}]},
    ),
    (
        "name in pieces",
        attached('attachment; filename*0="one ";\n filename*1=two.pdf'),
        {"attachments": [{**PDF_DATA, "filename": "one two.pdf"}]},
    ),
    (
        "encoded name",
        attached('attachment; filename="=?utf-8?q?=C3=BC.pdf?="'),
        {"attachments": [{**PDF_DATA, "filename": "ü.pdf"}]},
    ),
    (
        "name that climbs",
        attached('attachment; filename="../../etc/cron.d/x"'),
        {"attachments": [{**PDF_DATA, "filename": "../../etc/cron.d/x"}]},
    ),
    ("no name", attached("attachment"), {"attachments": [{**PDF_DATA, "filename": "attachment.pdf"}]}),
    (
        "forwarded as attachment",
        multipart("mixed", TEXT + "fyi", "Content-Type: message/rfc822\n\nFrom: b@x.example\nSubject: Old one\n\nhi"),
        {
            "body": "fyi",
            "attachments": [{"filename": "Old one.eml", "content_type": "message/rfc822", "size_bytes": 41}],
        },
    ),
    # --- invitations
    (
        "invitation",
        invited(
            ics(
                *AT_TWO,
                "LOCATION:Room 3",
                "ORGANIZER:mailto:ada@example.com",
                "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:owner@example.org",
            )
        ),
        {
            **WHEN,
            "suggested_phrase": "invitation 'Budget'",
            "invite": {
                "method": "REQUEST",
                "uid": "u1@example.com",
                "sequence": 0,
                "title": "Budget",
                "start": "2026-11-24T13:00:00+00:00",
                "end": "2026-11-24T14:00:00+00:00",
                "location": "Room 3",
                "organizer": "ada@example.com",
                "attendees": ["owner@example.org"],
                "all_day": False,
                "rrule": "",
            },
        },
    ),
    ("invitation in a zone", invited(ics("DTSTART;TZID=America/New_York:20261124T080000", "DURATION:PT1H")), WHEN),
    (
        "invitation in a zone of Windows",
        invited(
            ics(
                "DTSTART;TZID=W. Europe Standard Time:20261124T140000",
                "DTEND;TZID=W. Europe Standard Time:20261124T150000",
            )
        ),
        WHEN,
    ),
    (
        "invitation in a zone of its own",
        invited(ics("DTSTART;TZID=Office:20261124T140000", "DTEND;TZID=Office:20261124T150000", zone=ZONE)),
        WHEN,
    ),
    (
        "invitation in no known zone",
        invited(ics("DTSTART;TZID=Nowhere:20261124T140000", "DTEND;TZID=Nowhere:20261124T150000")),
        {**WHEN, "invite": {"unknown_timezone": "Nowhere", "start": "2026-11-24T14:00:00"}},
    ),
    (
        "floating invitation",
        invited(ics("DTSTART:20261124T140000", "DTEND:20261124T150000")),
        {**WHEN, "invite": {"unknown_timezone": "", "start": "2026-11-24T14:00:00+01:00"}},
    ),
    (
        "whole day",
        invited(ics("DTSTART;VALUE=DATE:20261124")),
        {"suggested_date": "2026-11-24", "suggested_time": None, "invite": {"all_day": True, "end": "2026-11-25"}},
    ),
    (
        "cancelled",
        invited(ics(*AT_TWO, "STATUS:CANCELLED", method="CANCEL")),
        {"invite": {"method": "CANCEL"}, "suggested_date": "2026-11-27", "suggested_time": "09:00"},
    ),
    (
        "twice, the higher sequence counts",
        invited(
            ics("SEQUENCE:0", "DTSTART:20261201T130000Z"),
            "Content-Type: application/ics; name=invite.ics\n\n" + ics("SEQUENCE:2", *AT_TWO),
        ),
        {**WHEN, "invite": {"sequence": 2}},
    ),
    (
        "recurring",
        invited(ics(*AT_TWO, "RRULE:FREQ=WEEKLY;COUNT=10")),
        {**WHEN, "invite": {"rrule": "FREQ=WEEKLY;COUNT=10"}},
    ),
    (
        "recurring without end",
        invited(ics(*AT_TWO, "RRULE:FREQ=SECONDLY")),
        {**WHEN, "invite": {"rrule": "FREQ=SECONDLY"}},
    ),
    ("not a calendar", invited("BEGIN:VCALENDAR\nnonsense"), {"invite": None, "suggested_date": "2026-11-27"}),
    ("entry without a beginning", invited(ics("DTEND:20261124T140000Z")), {"invite": None}),
    # --- rubbish
    ("nothing", b"", {"subject": "", "body": "", "attachments": []}),
    ("only bytes", bytes(range(256)) * 40, {"subject": "", "attachments": []}),
    ("only a header", b"Subject: x", {"subject": "x", "body": ""}),
    ("no header", b"just text\r\n", {"subject": "", "body": "just text"}),
]
