"""The plugin keeps the contract of plugins, against a real CalDAV server, and with a folder of the vault."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

from aie.testing import Home, Report, contract, silent_port
from plugins.calendar.tests.radicale import PASSWORD, USER, Radicale

ENTRY = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260201T080000Z\r\n"
    "SUMMARY:Offer\r\nDTSTART:20260209T180000Z\r\nDTEND:20260209T190000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def test_a_calendar_on_a_server_keeps_the_contract_of_plugins(radicale: Radicale) -> None:
    path, numbers = radicale.calendar(), itertools.count(1)

    def settings(port: int) -> dict[str, Any]:
        work = {"provider": "caldav", "url": f"http://127.0.0.1:{port}{path}", "user": USER, "refresh_s": 60}
        return {"calendars": {"work": work}}

    def an_entry(home: Home | None = None) -> dict[str, Any]:
        uid = f"offer-{next(numbers)}"
        radicale.put(f"{path}{uid}.ics", ENTRY.format(uid=uid).encode())
        return {"uid": uid}

    @contextlib.contextmanager
    def stalled() -> Iterator[dict[str, Any]]:
        with silent_port() as port:
            yield settings(port)

    report = contract(
        "calendar",
        settings=settings(radicale.port),
        credentials={"calendars.work.password": PASSWORD},
        state=lambda: sorted(radicale.request("GET", path)[1].decode().splitlines()),
        stalled=stalled,
        params={
            "update_calendar_event": lambda home: {**an_entry(), "time": "15:00", "location": "Room 2"},
            "cancel_calendar_event": an_entry,
        },
        news={"calendar.upcoming": an_entry, "calendar.changes": an_entry},
    )
    assert not_tried(report) == []


def test_a_folder_of_the_vault_keeps_the_contract_of_plugins() -> None:
    numbers = itertools.count(1)

    def an_entry(home: Home) -> dict[str, Any]:
        uid, folder = f"offer-{next(numbers)}", home.vault / "Calendar"
        folder.mkdir(exist_ok=True)
        (folder / f"{uid}.ics").write_bytes(ENTRY.format(uid=uid).encode())
        return {"uid": uid}

    report = contract(
        "calendar",
        state=dict,
        params={
            "update_calendar_event": lambda home: {**an_entry(home), "time": "15:00", "location": "Room 2"},
            "cancel_calendar_event": an_entry,
        },
        news={"calendar.upcoming": an_entry, "calendar.changes": an_entry},
    )
    assert not_tried(report) == [
        ("secrets", "plugin calendar", "no credentials were given"),
        ("timeout", "plugin calendar", "no stalled was given, so nothing was kept waiting"),
    ]


def not_tried(report: Report) -> list[tuple[str, str, str]]:
    return [(check.name, check.subject, check.message) for check in report.not_tried]
