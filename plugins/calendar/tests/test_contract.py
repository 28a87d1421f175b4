"""The plugin keeps the contract of plugins, with each kind of calendar."""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from aie.testing import Home, Report, contract, silent_port
from plugins.calendar.tests import feed_server, google_server
from plugins.calendar.tests.feed_server import Feed
from plugins.calendar.tests.google_server import GoogleCalendar
from plugins.calendar.tests.radicale import PASSWORD, USER, Radicale

ENTRY = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260201T080000Z\r\n"
    "SUMMARY:Offer\r\nDTSTART:20260209T180000Z\r\nDTEND:20260209T190000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
NUMBERS = itertools.count(1)


def test_a_calendar_on_a_server_keeps_the_contract_of_plugins(radicale: Radicale) -> None:
    path = radicale.calendar()

    def settings(url: str) -> dict[str, Any]:
        return {"calendars": {"work": {"provider": "caldav", "url": f"{url}{path}", "user": USER, "refresh_s": 60}}}

    def an_entry(home: Home) -> dict[str, Any]:
        uid, data = an_offer()
        radicale.put(f"{path}{uid}.ics", data)
        return {"uid": uid}

    report = contract(
        "calendar",
        settings=settings(radicale.url.rstrip("/")),
        credentials={"calendars.work.password": PASSWORD},
        state=lambda: sorted(radicale.request("GET", path)[1].decode().splitlines()),
        stalled=silent(settings),
        params=changed_or_cancelled(an_entry),
        news={"calendar.upcoming": an_entry, "calendar.changes": an_entry},
    )
    assert not_tried(report) == []


def test_a_calendar_at_google_keeps_the_contract_of_plugins() -> None:
    google = GoogleCalendar()

    def settings(url: str) -> dict[str, Any]:
        work = {"provider": "google", "refresh_s": 60}
        return {"calendars": {"work": work}, "google_api": f"{url}/calendar/v3", "google_token_url": f"{url}/token"}

    def an_entry(home: Home) -> dict[str, Any]:
        start, end = ({"dateTime": f"2026-02-09T{hour}:00:00+01:00", "timeZone": "Europe/Berlin"} for hour in (19, 20))
        return {"uid": google.add(f"offer{next(NUMBERS)}", start=start, end=end)["id"]}

    with google_server.serving(google) as url:
        report = contract(
            "calendar",
            settings=settings(url),
            credentials=google_server.secrets(),
            state=lambda: copy.deepcopy(google.events),
            stalled=silent(settings),
            params=changed_or_cancelled(an_entry),
            news={"calendar.upcoming": an_entry, "calendar.changes": an_entry},
        )
    assert not_tried(report) == []


def test_a_feed_keeps_the_contract_of_plugins() -> None:
    """Beside a folder: a feed can only be read, and what an action makes has to go somewhere."""
    feed = Feed(an_offer()[1])
    table: dict[str, Any] = {"provider": "ics_url", "refresh_s": 60}

    def news(home: Home) -> None:
        feed.body = an_offer()[1]

    def nowhere(url: str) -> dict[str, Any]:  # under another name, for which no address is stored
        return {"calendars": {"silent": {**table, "url": f"{url}/basic.ics"}, "main": {}}}

    with feed_server.serving(feed) as address:
        report = contract(
            "calendar",
            settings={"calendars": {"feed": table, "main": {}}},
            credentials={"calendars.feed.address": address},
            state=lambda: {"feed": feed.body.decode()},
            stalled=silent(nowhere),
            params=changed_or_cancelled(a_file),
            news={"calendar.upcoming": news, "calendar.changes": news},
        )
    assert not_tried(report) == [
        (check, f"action {action}_calendar_event{when}", why)
        for action in ("create", "update", "cancel")  # these write to the folder, and ask the feed nothing
        for check, when, why in (
            ("secrets", ", with wrong credentials", "it does not need them"),
            ("timeout", "", "it does not wait for the service"),
            ("cancellation", "", "it does not wait for the service"),
        )
    ]


def test_a_folder_of_the_vault_keeps_the_contract_of_plugins() -> None:
    report = contract(
        "calendar",
        state=dict,
        params=changed_or_cancelled(a_file),
        news={"calendar.upcoming": a_file, "calendar.changes": a_file},
    )
    assert not_tried(report) == [
        ("secrets", "plugin calendar", "no credentials were given"),
        ("timeout", "plugin calendar", "no stalled was given, so nothing was kept waiting"),
    ]


def an_offer() -> tuple[str, bytes]:
    """A new entry within the hour: its uid, and a file with it."""
    uid = f"offer-{next(NUMBERS)}"
    return uid, ENTRY.format(uid=uid).encode()


def a_file(home: Home) -> dict[str, Any]:
    """An entry in the vault's folder, as an action names it."""
    uid, data = an_offer()
    folder = home.vault / "Calendar"
    folder.mkdir(exist_ok=True)
    (folder / f"{uid}.ics").write_bytes(data)
    return {"uid": uid}


def changed_or_cancelled(an_entry: Callable[[Home], dict[str, Any]]) -> dict[str, Callable[[Home], dict[str, Any]]]:
    """What to try the actions with that need an entry which is there."""
    return {
        "update_calendar_event": lambda home: {**an_entry(home), "time": "15:00", "location": "Room 2"},
        "cancel_calendar_event": an_entry,
    }


def silent(settings: Callable[[str], dict[str, Any]]) -> Callable[[], AbstractContextManager[dict[str, Any]]]:
    """The settings with an address where nobody answers."""

    @contextlib.contextmanager
    def stalled() -> Iterator[dict[str, Any]]:
        with silent_port() as port:
            yield settings(f"http://127.0.0.1:{port}")

    return stalled


def not_tried(report: Report) -> list[tuple[str, str, str]]:
    return [(check.name, check.subject, check.message) for check in report.not_tried]
