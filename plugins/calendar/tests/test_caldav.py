"""Calendars on a real CalDAV server (Radicale, a process of its own on the loopback interface)."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from aie.errors import ActionError, ConfigError, RetryableError
from aie.testing import Home
from aie_calendar.caldav_store import CaldavStore
from aie_calendar.create import uid_of
from aie_calendar.entry import Changes, new_entry
from aie_calendar.store import ChangedMeanwhileError, Draft
from aie_calendar.times import Span
from plugins.calendar.tests.local_server import QuietHandler, listening
from plugins.calendar.tests.radicale import PASSWORD, USER, Radicale
from plugins.calendar.tests.steps import (
    BERLIN,
    KEY,
    MONDAY,
    Homes,
    cancel,
    create,
    in_store,
    mirrored,
    taking_place,
    update,
)

UID = uid_of(KEY)
MEETING = {"title": "Meeting", "date": "2026-02-16", "time": "14:00", "duration": "1 hour"}


def draft(uid: str, day: int = 16, title: str = "x") -> Draft:
    at = Span(dt.datetime(2026, 2, day, 14, tzinfo=BERLIN), dt.datetime(2026, 2, day, 15, tzinfo=BERLIN))
    return Draft(uid, new_entry(uid, Changes(title=title, span=at), MONDAY), title, f"2026-02-{day}")


@pytest.fixture
def path(radicale: Radicale) -> str:
    return radicale.calendar()


@pytest.fixture
def caldav_home(at_home: Homes) -> Homes:
    """Makes a home with a calendar at this address."""

    def make(url: str, password: str = PASSWORD, **more: Any) -> Home:
        table = {"provider": "caldav", "url": url, "user": USER, **more}
        return at_home({"calendars.work.password": password}, calendars={"work": table})

    return make


@pytest.fixture
def home(radicale: Radicale, path: str, caldav_home: Homes) -> Home:
    return caldav_home(radicale.url + path.lstrip("/"))


def on_the_server(radicale: Radicale, path: str) -> list[str]:
    """The objects' names."""
    status, body = radicale.request("PROPFIND", path, Depth="1")
    assert status == 207
    return sorted(part.split(b"<")[0].decode().split("/")[-1] for part in body.split(b"<href>") if b".ics<" in part)


def test_an_appointment_is_made_once_changed_and_cancelled(home: Home, radicale: Radicale, path: str) -> None:
    made = create(home, **MEETING)
    again = create(home, **MEETING)
    assert (made["created"], again) == (True, {**made, "created": False})
    assert (on_the_server(radicale, path), made["path"]) == ([f"{UID}.ics"], f"{path}{UID}.ics")

    changed = update(home, uid=UID, time="16:00", etag=made["etag"])
    assert (changed["changed"], changed["start"], changed["etag"] != made["etag"]) == (
        True,
        "2026-02-16T16:00:00+01:00",
        True,
    )
    data = radicale.request("GET", made["path"])[1]
    assert b"DTSTART;TZID=Europe/Berlin:20260216T160000" in data

    assert [cancel(home, uid=UID)["cancelled"] for _ in range(2)] == [True, False]
    assert on_the_server(radicale, path) == []


def test_a_version_that_is_not_there_any_more_is_not_changed(home: Home, radicale: Radicale, path: str) -> None:
    made = create(home, **MEETING)
    radicale.put(made["path"], draft(UID, title="By somebody else").data)
    with pytest.raises(ActionError, match="was changed since"):
        update(home, uid=UID, title="Mine", etag=made["etag"])
    assert b"By somebody else" in radicale.request("GET", made["path"])[1]


def test_the_server_itself_refuses_a_stale_etag(home: Home, radicale: Radicale) -> None:
    async def work(store: CaldavStore) -> None:
        stored, _ = await store.create(draft("a"))
        radicale.put(stored.href, draft("a", title="By somebody else").data)
        with pytest.raises(ChangedMeanwhileError):
            await store.replace(stored, draft("a", title="Mine").data)
        with pytest.raises(ChangedMeanwhileError):
            await store.remove(stored)
        assert b"By somebody else" in radicale.request("GET", stored.href)[1]

    in_store(home, "work", work)


def test_a_uid_that_is_there_under_another_name_is_not_made_again(home: Home, radicale: Radicale, path: str) -> None:
    radicale.put(f"{path}by-another-program.ics", draft("a b@c/d", title="Theirs").data)

    async def work(store: CaldavStore) -> None:
        stored, created = await store.create(draft("a b@c/d", title="Ours"))
        assert (stored.href, created, b"Theirs" in stored.data) == (f"{path}by-another-program.ics", False, True)

    in_store(home, "work", work)
    assert on_the_server(radicale, path) == ["by-another-program.ics"]


def test_one_occurrence_is_changed_and_another_cancelled(home: Home) -> None:
    create(home, **MEETING, recurrence="FREQ=WEEKLY;COUNT=3")
    update(home, uid=UID, occurrence="20260223T130000Z", time="10:00")
    cancel(home, uid=UID, occurrence="20260302T130000Z")
    assert [f"{one.start:%m-%d %H:%M}" for one in taking_place(home, "work")] == ["02-16 13:00", "02-23 09:00"]


def test_conflicts_and_free_time_see_what_is_on_the_server(home: Home, radicale: Radicale, path: str) -> None:
    radicale.put(f"{path}t.ics", draft("t", title="Theirs").data)
    text = home.preview("create_calendar_event", MEETING)
    assert "- Theirs: Monday 2026-02-16, 14:00 to 15:00 (Europe/Berlin) (calendar work)" in text
    asked = {"duration": "4 hours", "first_day": "2026-02-16", "last_day": "2026-02-16"}
    found: Any = home.run_action("find_free_time", asked).result
    assert [slot["time"] for slot in found["slots"]] == ["09:00"]


# --- following a calendar ----------------------------------------------------------------------------------------


def test_what_comes_changes_and_goes_is_followed(home: Home, radicale: Radicale, path: str) -> None:
    assert mirrored(
        home,
        "work",
        lambda: radicale.put(f"{path}a.ics", draft("a").data),
        lambda: radicale.put(f"{path}b.ics", draft("b").data),
        lambda: radicale.request("DELETE", f"{path}a.ics"),
        lambda: None,
    ) == [[], ["a"], ["a", "b"], ["b"], ["b"]]


def test_an_expired_sync_token_loses_and_repeats_nothing(home: Home, radicale: Radicale, path: str) -> None:
    radicale.put(f"{path}a.ics", draft("a").data)
    radicale.put(f"{path}b.ics", draft("b").data)

    def meanwhile() -> None:
        radicale.request("DELETE", f"{path}a.ics")
        radicale.put(f"{path}c.ics", draft("c").data)
        radicale.forget_changes(path)

    assert mirrored(home, "work", meanwhile, lambda: None) == [["a", "b"], ["b", "c"], ["b", "c"]]


def test_only_what_changed_is_fetched(home: Home, radicale: Radicale, path: str) -> None:
    for number in range(10):
        radicale.put(f"{path}{number}.ics", draft(str(number)).data)

    async def work(store: CaldavStore) -> None:
        first = await store.pull({})
        known = {href: stored.etag for href, stored in first.changed.items()}
        radicale.put(f"{path}3.ics", draft("3", title="new").data)
        second = await store.pull(known)
        radicale.forget_changes(path)
        third = await store.pull({**known, f"{path}3.ics": second.changed[f"{path}3.ics"].etag})
        assert (len(known), list(second.changed), dict(third.changed)) == (10, [f"{path}3.ics"], {})

    in_store(home, "work", work)


def test_two_thousand_entries_are_followed_within_seconds(home: Home, radicale: Radicale, path: str) -> None:
    one = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:{}\r\n"
        "DTSTART:20260216T130000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    radicale.fill(path, {f"e{number}.ics": one.format(f"e{number}").encode() for number in range(2000)})
    began = time.monotonic()
    (held,) = mirrored(home, "work")
    assert (len(held), time.monotonic() - began < 60) == (2000, True)


# --- trouble -----------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_told_in_words_and_without_it(radicale: Radicale, path: str, caldav_home: Homes) -> None:
    home = caldav_home(radicale.url + path.lstrip("/"), "not the password")
    with pytest.raises(ConfigError) as refused:
        create(home, **MEETING)
    assert refused.value.message == f"127.0.0.1:{radicale.port} refuses the user 'alice': 401"
    assert "not the password" not in repr(vars(refused.value))


def test_a_server_that_is_away_for_a_while_is_waited_for(home: Home, radicale: Radicale, path: str, caplog) -> None:
    radicale.put(f"{path}a.ics", draft("a").data)

    def back() -> None:
        radicale.start()
        radicale.put(f"{path}b.ics", draft("b").data)

    with caplog.at_level(logging.INFO, "aie.plugin.calendar"):
        assert mirrored(home, "work", radicale.stop, lambda: None, back) == [["a"], ["a"], ["a"], ["a", "b"]]
    assert [one.getMessage() for one in caplog.records if one.name == "aie.plugin.calendar"] == [
        f"calendar work: 127.0.0.1:{radicale.port} does not answer: ConnectionError",
        "calendar work: it can be read again",
    ]


def test_an_action_while_the_server_is_away_did_not_happen_and_is_worth_another_try(caldav_home: Homes) -> None:
    home = caldav_home("http://127.0.0.1:9/")
    with pytest.raises(RetryableError, match=r"127\.0\.0\.1:9 does not answer"):
        create(home, **MEETING)


def test_a_calendar_is_found_from_the_servers_address(radicale: Radicale, path: str, caldav_home: Homes) -> None:
    radicale.calendar()
    name = path.strip("/").split("/")[-1]
    home = caldav_home(radicale.url, calendar_id=name)
    assert create(home, **MEETING)["path"] == f"{path}{UID}.ics"
    home = caldav_home(radicale.url, calendar_id="holidays")
    with pytest.raises(ConfigError, match="has no calendar 'holidays'") as wrong:
        create(home, **MEETING)
    assert name in wrong.value.hint


def test_an_object_that_is_too_large_is_not_fetched(caldav_home: Homes, radicale: Radicale, path: str) -> None:
    small = caldav_home(radicale.url + path.lstrip("/"), max_size_mb=0.01)
    radicale.put(f"{path}a.ics", draft("a").data)
    radicale.put(f"{path}huge.ics", draft("huge", title="x" * 20_000).data)

    async def work(store: CaldavStore) -> None:
        pulled = await store.pull({})
        assert (list(pulled.changed), list(pulled.problems)) == ([f"{path}a.ics"], [f"{path}huge.ics"])

    in_store(small, "work", work)


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "' + b"a" * 1000 + b'">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + level, b"&%c;" % (97 + level) * 100) for level in range(8))
    + b']><multistatus xmlns="DAV:"><response><href>&i;</href></response></multistatus>'
)  # fmt: skip
OUTSIDE = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    b'<multistatus xmlns="DAV:"><response><href>&a;</href><propstat><prop><getetag>&a;</getetag></prop></propstat>'
    b"</response><sync-token>t</sync-token></multistatus>"
)
DEEP = b"<multistatus xmlns='DAV:'>" + b"<a>" * 100_000


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """A server that gives the same answer to everything."""
    with ExitStack() as servers:

        def serve(body: bytes) -> str:
            class Handler(QuietHandler):
                def answer(self) -> None:
                    self.rfile.read(int(self.headers.get("Content-Length") or 0))
                    self.send_response(207)
                    self.send_header("Content-Type", "application/xml")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

                do_PROPFIND = do_REPORT = do_GET = do_PUT = answer  # noqa: N815 - the library's names

            return f"{servers.enter_context(listening(Handler))}/"

        yield serve


@pytest.mark.parametrize(
    "body", [BOMB, OUTSIDE, DEEP, b"<html>Sign in</html>", b"\x00" * 100], ids=["bomb", "file", "deep", "html", "zeros"]
)
def test_tricks_with_xml_end_in_an_error_soon_and_read_no_file(answering, body: bytes, caldav_home: Homes) -> None:
    home = caldav_home(answering(body))
    began = time.monotonic()
    with pytest.raises((ActionError, ConfigError)) as failed:
        in_store(home, "work", lambda store: store.pull({}))
    assert time.monotonic() - began < 10
    assert Path("/etc/hostname").read_text().strip() not in str(vars(failed.value))
