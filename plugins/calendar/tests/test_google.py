"""Google calendars, against a small server that speaks the documented protocol."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aie.errors import ActionError, ConfigError, RetryableError
from aie_calendar.change import cancel_calendar_event, update_calendar_event
from aie_calendar.create import create_calendar_event, uid_of
from aie_calendar.google_store import GoogleStore
from aie_calendar.mirror import Mirror, Said
from aie_calendar.opening import look_into, open_store
from aie_calendar.store import ChangedMeanwhileError
from aie_calendar.wording import entry_data
from plugins.calendar.tests.google_server import (
    FRESH_TOKEN,
    REFRESH_TOKEN,
    GoogleCalendar,
    error,
    secrets,
    serving,
)
from plugins.calendar.tests.house import MONDAY, House, act

UID = uid_of("run_1/action_0")
MEETING = {"title": "Meeting", "date": "2026-02-16", "time": "14:00", "duration": "1 hour"}


@pytest.fixture
def google() -> GoogleCalendar:
    return GoogleCalendar()


@pytest.fixture
def url(google: GoogleCalendar) -> Iterator[str]:
    with serving(google) as url:
        yield url


@pytest.fixture
def house(url: str, tmp_path: Path) -> House:
    return house_at(url, tmp_path)


def house_at(url: str, tmp_path: Path, expires_in_s: float = 3000, connection: str = "calendar", **more: Any) -> House:
    tables = {
        "calendars": {"work": {"provider": "google", **more}},
        "google_api": f"{url}/calendar/v3",
        "google_token_url": f"{url}/token",
    }
    house = House(tmp_path / "vault", tables)
    house.store.of(connection).save(secrets(expires_in_s))
    return house


def run(house: House, work: Callable[[GoogleStore], Any]) -> Any:
    async def alone() -> Any:
        store: Any = open_store(house, "work")
        try:
            return await work(store)
        finally:
            await store.aclose()

    return asyncio.run(alone())


def mirrored(house: House, *steps: Callable[[], object]) -> list[list[str]]:
    """The titles a mirror holds: at first, and after each step."""

    async def follow() -> list[list[str]]:
        mirror = Mirror(house, "work", Said(house.log))
        held = []
        for step in (lambda: None, *steps):
            step()
            house.clock.time += dt.timedelta(hours=2)
            await mirror.refresh(house.clock.now())
            held.append(sorted(str(one.face.get("SUMMARY")) for one in mirror.series.values()))
        await mirror.aclose()
        return held

    return asyncio.run(follow())


def starts(house: House) -> list[str]:
    found, problems = asyncio.run(look_into(house, ["work"], MONDAY, MONDAY + dt.timedelta(days=60)))
    assert problems == {}
    return [f"{one.start:%m-%d %H:%M} {one.title}" for _, one in found]


# --- writing -----------------------------------------------------------------------------------------------------


def test_an_appointment_is_made_with_an_id_of_ours(house: House, google: GoogleCalendar) -> None:
    made = act(
        house, create_calendar_event(house.settings), **MEETING, description="Hello", attendees=["ann@example.com"],
        reminders=[15], recurrence="FREQ=WEEKLY;COUNT=3", category="LinkedIn post",
    )  # fmt: skip
    assert (made["uid"], made["path"], made["etag"], made["created"]) == (UID, UID, '"1"', True)
    ((path, params, body),) = google.asked("POST")
    assert (path, params) == ("/calendar/v3/calendars/primary/events", {"sendUpdates": "none"})
    assert body == {
        "id": UID, "summary": "Meeting", "description": "Hello", "attendees": [{"email": "ann@example.com"}],
        "start": {"dateTime": "2026-02-16T14:00:00+01:00", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2026-02-16T15:00:00+01:00", "timeZone": "Europe/Berlin"},
        "reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 15}]},
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"],
        "extendedProperties": {"private": {"aie_category": "LinkedIn post"}},
    }  # fmt: skip


def test_a_whole_day_is_sent_as_days(house: House, google: GoogleCalendar) -> None:
    act(house, create_calendar_event(house.settings), title="x", date="2026-02-16", end="2026-02-17")
    (_, _, body) = google.asked("POST")[0]
    assert (body["start"], body["end"]) == ({"date": "2026-02-16"}, {"date": "2026-02-18"})


def test_a_repeat_is_answered_409_and_makes_no_second_appointment(house: House, google: GoogleCalendar) -> None:
    create = create_calendar_event(house.settings)
    first, second = act(house, create, **MEETING), act(house, create, **MEETING)
    assert (second, list(google.events)) == ({**first, "created": False}, [UID])


def test_an_answer_that_is_lost_is_worth_another_try_which_makes_no_second(
    house: House, google: GoogleCalendar
) -> None:
    create = create_calendar_event(house.settings)
    google.lose_answer_of = "POST"
    with pytest.raises(RetryableError, match="Google does not answer"):
        act(house, create, **MEETING)
    assert (act(house, create, **MEETING)["created"], list(google.events)) == (False, [UID])


def test_what_a_person_deleted_meanwhile_is_not_made_again(house: House, google: GoogleCalendar) -> None:
    create = create_calendar_event(house.settings)
    act(house, create, **MEETING)
    google.delete(UID)
    assert act(house, create, **MEETING)["created"] is False
    assert google.events[UID]["status"] == "cancelled"


def test_only_what_differs_is_sent_and_answers_of_attendees_stay(house: House, google: GoogleCalendar) -> None:
    google.add("theirs", attendees=[{"email": "ann@example.com", "responseStatus": "accepted"}], location="Room 1")
    changed = act(house, update_calendar_event(house.settings), uid="theirs", title="New", time="16:00")
    assert (changed["changed"], changed["start"], changed["etag"]) == (True, "2026-02-16T16:00:00+01:00", '"2"')
    ((path, params, body),) = google.asked("PATCH")
    assert (path, params) == ("/calendar/v3/calendars/primary/events/theirs", {"sendUpdates": "none"})
    assert body == {
        "summary": "New",
        "start": {"dateTime": "2026-02-16T16:00:00+01:00", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2026-02-16T17:00:00+01:00", "timeZone": "Europe/Berlin"},
    }
    assert google.events["theirs"]["attendees"] == [{"email": "ann@example.com", "responseStatus": "accepted"}]


def test_a_stale_etag_is_refused_by_google(house: House, google: GoogleCalendar) -> None:
    google.add("theirs")

    async def work(store: GoogleStore) -> None:
        stored = await store.find("theirs")
        assert stored is not None
        google.add("theirs", summary="By somebody else")
        with pytest.raises(ChangedMeanwhileError):
            await store.replace(stored, stored.data.replace(b"SUMMARY:theirs", b"SUMMARY:ours"))
        with pytest.raises(ChangedMeanwhileError):
            await store.remove(stored)

    run(house, work)
    assert google.events["theirs"]["summary"] == "By somebody else"


def test_a_version_that_is_not_there_any_more_is_not_changed(house: House, google: GoogleCalendar) -> None:
    made = act(house, create_calendar_event(house.settings), **MEETING)
    google.add(UID, summary="By somebody else")
    with pytest.raises(ActionError, match="was changed since"):
        act(house, update_calendar_event(house.settings), uid=UID, title="Mine", etag=made["etag"])


def test_cancelling_twice_is_cancelling_once(house: House, google: GoogleCalendar) -> None:
    act(house, create_calendar_event(house.settings), **MEETING)
    cancel = cancel_calendar_event(house.settings)
    assert [act(house, cancel, uid=UID)["cancelled"] for _ in range(2)] == [True, False]


def test_one_occurrence_is_changed_and_another_cancelled(house: House, google: GoogleCalendar) -> None:
    act(house, create_calendar_event(house.settings), **MEETING, recurrence="FREQ=WEEKLY;COUNT=4")
    act(
        house,
        update_calendar_event(house.settings),
        uid=UID,
        occurrence="20260223T130000Z",
        title="Moved",
        time="10:00",
    )
    act(house, cancel_calendar_event(house.settings), uid=UID, occurrence="20260302T130000Z")
    (moved, _, body), (series, _, rules) = google.asked("PATCH")
    assert (moved.split("/")[-1], body["summary"], body["start"]["dateTime"]) == (
        f"{UID}_20260223T130000Z", "Moved", "2026-02-23T10:00:00+01:00",
    )  # fmt: skip
    assert (series.split("/")[-1], rules) == (
        UID, {"recurrence": ["EXDATE;TZID=Europe/Berlin:20260302T140000", "RRULE:FREQ=WEEKLY;COUNT=4"]},
    )  # fmt: skip


def test_guests_are_told_when_the_settings_say_so(url: str, google: GoogleCalendar, tmp_path: Path) -> None:
    house = house_at(url, tmp_path, notify_guests="all")
    act(house, create_calendar_event(house.settings), **MEETING, attendees=["ann@example.com"])
    assert google.asked("POST")[0][1] == {"sendUpdates": "all"}


# --- reading -----------------------------------------------------------------------------------------------------


def test_what_comes_changes_and_goes_is_followed_by_sync_token(house: House, google: GoogleCalendar) -> None:
    google.add("aaaaa")
    assert mirrored(
        house,
        lambda: google.add("bbbbb"),
        lambda: google.add("aaaaa", summary="renamed"),
        lambda: google.delete("bbbbb"),
        lambda: None,
    ) == [["aaaaa"], ["aaaaa", "bbbbb"], ["bbbbb", "renamed"], ["renamed"], ["renamed"]]
    assert [params.get("syncToken") for _, params, _ in google.asked("GET")] == [None, "1", "2", "3", "4"]


def test_a_forgotten_sync_token_loses_and_repeats_nothing(house: House, google: GoogleCalendar) -> None:
    google.add("aaaaa")
    google.add("bbbbb")

    def meanwhile() -> None:
        google.delete("aaaaa")
        google.add("ccccc")
        google.floor = len(google.log)

    assert mirrored(house, meanwhile, lambda: None) == [["aaaaa", "bbbbb"], ["bbbbb", "ccccc"], ["bbbbb", "ccccc"]]


def test_all_pages_are_read_at_first_and_later(house: House, google: GoogleCalendar) -> None:
    google.page_size = 3
    for number in range(10):
        google.add(f"event{number}")

    def more() -> None:
        for number in range(10, 17):
            google.add(f"event{number}")

    first, second = mirrored(house, more)
    assert (len(first), len(second)) == (10, 17)


def test_moved_and_cancelled_occurrences_come_with_their_series(house: House, google: GoogleCalendar) -> None:
    google.add("weekly", recurrence=["RRULE:FREQ=WEEKLY;COUNT=4"])

    def at(day: int, hour: int, month: int = 2) -> dict[str, str]:
        return {"dateTime": f"2026-{month:02}-{day:02}T{hour:02}:00:00+01:00", "timeZone": "Europe/Berlin"}

    async def follow() -> list[list[str]]:
        mirror = Mirror(house, "work", Said(house.log))
        held = []
        for step in range(3):
            if step == 1:
                original = {"recurringEventId": "weekly", "originalStartTime": at(23, 14)}
                google.add("weekly_20260223T130000Z", **original, start=at(24, 10), end=at(24, 11), summary="moved")
            if step == 2:
                original = {"recurringEventId": "weekly", "originalStartTime": at(2, 14, month=3)}
                google.put({"id": "weekly_20260302T130000Z", "status": "cancelled", **original})
            house.clock.time += dt.timedelta(minutes=5)
            await mirror.refresh(house.clock.now())
            found = mirror.series["weekly"].occurrences(MONDAY, MONDAY + dt.timedelta(days=60), house.timezone)
            held.append([f"{one.start:%m-%d %H:%M} {one.title}" for one in found])
        await mirror.aclose()
        return held

    plain = ["02-16 13:00 weekly", "02-23 13:00 weekly", "03-02 13:00 weekly", "03-09 13:00 weekly"]
    assert asyncio.run(follow()) == [
        plain, [plain[0], "02-24 09:00 moved", *plain[2:]], [plain[0], "02-24 09:00 moved", plain[3]],
    ]  # fmt: skip


def test_a_time_is_looked_at_without_reading_the_whole_calendar(house: House, google: GoogleCalendar) -> None:
    google.add("inside")
    google.add("allday", start={"date": "2026-02-17"}, end={"date": "2026-02-18"})
    google.add("outside", start={"date": "2026-09-01"}, end={"date": "2026-09-02"})
    google.add("office", eventType="workingLocation")
    assert starts(house) == ["02-16 13:00 inside", "02-16 23:00 allday"]
    ((_, params, _),) = google.asked("GET")
    assert (params["singleEvents"], params["timeMin"][:10]) == ("true", "2026-02-09")


def test_the_category_is_read_back(house: House, google: GoogleCalendar) -> None:
    act(house, create_calendar_event(house.settings), **MEETING, category="LinkedIn post")
    found, _ = asyncio.run(look_into(house, ["work"], MONDAY, MONDAY + dt.timedelta(days=60)))
    assert entry_data("work", found[0][1], house.timezone)["event_type"] == "linkedin_post"


# --- trouble -----------------------------------------------------------------------------------------------------

QUOTA = "Calendar usage limits exceeded."


@pytest.mark.parametrize(
    ("failure", "kind", "says", "after_s"),
    [
        (error(403, "rateLimitExceeded", "Rate Limit Exceeded"), RetryableError, "403: Rate Limit Exceeded", None),
        (error(403, "userRateLimitExceeded", "User Rate Limit Exceeded"), RetryableError, "403: User Rate", None),
        (error(403, "quotaExceeded", QUOTA), RetryableError, f"403: {QUOTA}", None),
        (error(429, "rateLimitExceeded", "Too many", **{"Retry-After": "30"}), RetryableError, "429: Too many", 30.0),
        (error(500, "backendError", "Backend Error"), RetryableError, "500: Backend Error", None),
        (error(403, "forbiddenForNonOrganizer", "Not yours"), ConfigError, "403: Not yours", None),
        (error(403, "accessNotConfigured", "Enable it at https://console"), ConfigError, "403: Enable it at", None),
        (error(401, "authError", "Invalid Credentials"), ConfigError, "401: Invalid Credentials", None),
        (error(404, "notFound", "Not Found"), ConfigError, "404: Not Found", None),
        (error(400, "badRequest", "Bad Request"), ActionError, "400: Bad Request", None),
    ],
)  # fmt: skip
def test_what_google_refuses_is_classed_by_who_must_act(house, google, failure, kind, says, after_s) -> None:
    google.failures.append(failure)
    with pytest.raises(kind, match=says) as failed:
        act(house, create_calendar_event(house.settings), **MEETING)
    assert (type(failed.value), getattr(failed.value, "retry_after_s", None)) == (kind, after_s)
    assert google.events == {}


def test_a_rate_limit_makes_the_mirror_wait_and_keeps_what_it_knows(house: House, google: GoogleCalendar) -> None:
    google.add("aaaaa")

    async def follow() -> tuple[list[str], int]:
        mirror = Mirror(house, "work", Said(house.log))
        await mirror.refresh(house.clock.now())
        google.failures.append(error(429, "rateLimitExceeded", "Too many", **{"Retry-After": "600"}))
        for _ in range(8):
            house.clock.time += dt.timedelta(seconds=70)
            await mirror.refresh(house.clock.now())
        await mirror.aclose()
        return list(mirror.series), len(google.asked("GET"))

    assert asyncio.run(follow()) == (["aaaaa"], 2)


def test_an_old_token_is_renewed_and_stored(url: str, google: GoogleCalendar, tmp_path: Path) -> None:
    house = house_at(url, tmp_path, expires_in_s=-10)
    act(house, create_calendar_event(house.settings), **MEETING)
    stored = json.loads(house.credentials.require("token"))
    assert (stored["access_token"], stored["refresh_token"]) == (FRESH_TOKEN, REFRESH_TOKEN)


def test_access_that_was_withdrawn_is_told_in_words(url: str, google: GoogleCalendar, tmp_path: Path) -> None:
    house = house_at(url, tmp_path, expires_in_s=-10)
    google.revoked = True
    with pytest.raises(ConfigError, match="invalid_grant: Token has been expired or revoked"):
        act(house, create_calendar_event(house.settings), **MEETING)


def test_access_another_plugin_got_is_used(url: str, google: GoogleCalendar, tmp_path: Path) -> None:
    house = house_at(url, tmp_path, connection="google")
    assert act(house, create_calendar_event(house.settings), **MEETING)["created"] is True


def test_without_access_the_next_step_is_named(url: str, tmp_path: Path) -> None:
    house = house_at(url, tmp_path, connection="gmail")
    with pytest.raises(ConfigError, match="has no access yet") as failed:
        act(house, create_calendar_event(house.settings), **MEETING)
    assert failed.value.hint == "aie connect calendar --set name=work --set provider=google"
