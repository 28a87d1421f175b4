"""Google calendars, against a small server that speaks the documented protocol."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from aie.errors import ActionError, ConfigError, RetryableError
from aie.testing import Home
from aie_calendar.create import uid_of
from aie_calendar.google_store import GoogleStore
from aie_calendar.mirror import Mirror, Said
from aie_calendar.series import Occurrence, Series
from aie_calendar.store import ChangedMeanwhileError
from aie_calendar.wording import entry_data
from plugins.calendar.tests.google_server import FRESH_TOKEN, REFRESH_TOKEN, GoogleCalendar, error, secrets, serving
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


@pytest.fixture
def google() -> GoogleCalendar:
    return GoogleCalendar()


@pytest.fixture
def url(google: GoogleCalendar) -> Iterator[str]:
    with serving(google) as url:
        yield url


@pytest.fixture
def google_home(url: str, at_home: Homes) -> Homes:
    """Makes a home with a calendar there."""

    def make(expires_in_s: float = 3000, connection: str = "calendar", **more: Any) -> Home:
        work = {"provider": "google", **more}
        return at_home(
            secrets(expires_in_s), connection, calendars={"work": work},
            google_api=f"{url}/calendar/v3", google_token_url=f"{url}/token",
        )  # fmt: skip

    return make


@pytest.fixture
def home(google_home: Homes) -> Home:
    return google_home()


def titles(held: Mapping[str, Series]) -> list[str]:
    return sorted(str(one.face.get("SUMMARY")) for one in held.values())


def starts(occurrences: Iterable[Occurrence]) -> list[str]:
    return [f"{one.start:%m-%d %H:%M} {one.title}" for one in occurrences]


# --- writing -----------------------------------------------------------------------------------------------------


def test_an_appointment_is_made_with_an_id_of_ours(home: Home, google: GoogleCalendar) -> None:
    made = create(
        home, **MEETING, description="Hello", attendees=["ann@example.com"],
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


def test_a_whole_day_is_sent_as_days(home: Home, google: GoogleCalendar) -> None:
    create(home, title="x", date="2026-02-16", end="2026-02-17")
    (_, _, body) = google.asked("POST")[0]
    assert (body["start"], body["end"]) == ({"date": "2026-02-16"}, {"date": "2026-02-18"})


def test_a_repeat_is_answered_409_and_makes_no_second_appointment(home: Home, google: GoogleCalendar) -> None:
    first, second = create(home, **MEETING), create(home, **MEETING)
    assert (second, list(google.events)) == ({**first, "created": False}, [UID])


def test_an_answer_that_is_lost_is_worth_another_try_which_makes_no_second(home: Home, google: GoogleCalendar) -> None:
    google.lose_answer_of = "POST"
    with pytest.raises(RetryableError, match="Google does not answer"):
        create(home, **MEETING)
    assert (create(home, **MEETING)["created"], list(google.events)) == (False, [UID])


def test_what_a_person_deleted_meanwhile_is_not_made_again(home: Home, google: GoogleCalendar) -> None:
    create(home, **MEETING)
    google.delete(UID)
    assert create(home, **MEETING)["created"] is False
    assert google.events[UID]["status"] == "cancelled"


def test_only_what_differs_is_sent_and_answers_of_attendees_stay(home: Home, google: GoogleCalendar) -> None:
    google.add("theirs", attendees=[{"email": "ann@example.com", "responseStatus": "accepted"}], location="Room 1")
    changed = update(home, uid="theirs", title="New", time="16:00")
    assert (changed["changed"], changed["start"], changed["etag"]) == (True, "2026-02-16T16:00:00+01:00", '"2"')
    ((path, params, body),) = google.asked("PATCH")
    assert (path, params) == ("/calendar/v3/calendars/primary/events/theirs", {"sendUpdates": "none"})
    assert body == {
        "summary": "New",
        "start": {"dateTime": "2026-02-16T16:00:00+01:00", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2026-02-16T17:00:00+01:00", "timeZone": "Europe/Berlin"},
    }
    assert google.events["theirs"]["attendees"] == [{"email": "ann@example.com", "responseStatus": "accepted"}]


def test_a_stale_etag_is_refused_by_google(home: Home, google: GoogleCalendar) -> None:
    google.add("theirs")

    async def work(store: GoogleStore) -> None:
        stored = await store.find("theirs")
        assert stored is not None
        google.add("theirs", summary="By somebody else")
        with pytest.raises(ChangedMeanwhileError):
            await store.replace(stored, stored.data.replace(b"SUMMARY:theirs", b"SUMMARY:ours"))
        with pytest.raises(ChangedMeanwhileError):
            await store.remove(stored)

    in_store(home, "work", work)
    assert google.events["theirs"]["summary"] == "By somebody else"


def test_a_version_that_is_not_there_any_more_is_not_changed(home: Home, google: GoogleCalendar) -> None:
    made = create(home, **MEETING)
    google.add(UID, summary="By somebody else")
    with pytest.raises(ActionError, match="was changed since"):
        update(home, uid=UID, title="Mine", etag=made["etag"])


def test_cancelling_twice_is_cancelling_once(home: Home, google: GoogleCalendar) -> None:
    create(home, **MEETING)
    assert [cancel(home, uid=UID)["cancelled"] for _ in range(2)] == [True, False]


def test_one_occurrence_is_changed_and_another_cancelled(home: Home, google: GoogleCalendar) -> None:
    create(home, **MEETING, recurrence="FREQ=WEEKLY;COUNT=4")
    update(home, uid=UID, occurrence="20260223T130000Z", title="Moved", time="10:00")
    cancel(home, uid=UID, occurrence="20260302T130000Z")
    (moved, _, body), (series, _, rules) = google.asked("PATCH")
    assert (moved.split("/")[-1], body["summary"], body["start"]["dateTime"]) == (
        f"{UID}_20260223T130000Z", "Moved", "2026-02-23T10:00:00+01:00",
    )  # fmt: skip
    assert (series.split("/")[-1], rules) == (
        UID, {"recurrence": ["EXDATE;TZID=Europe/Berlin:20260302T140000", "RRULE:FREQ=WEEKLY;COUNT=4"]},
    )  # fmt: skip


def test_guests_are_told_when_the_settings_say_so(google_home: Homes, google: GoogleCalendar) -> None:
    home = google_home(notify_guests="all")
    create(home, **MEETING, attendees=["ann@example.com"])
    assert google.asked("POST")[0][1] == {"sendUpdates": "all"}


# --- reading -----------------------------------------------------------------------------------------------------


def test_what_comes_changes_and_goes_is_followed_by_sync_token(home: Home, google: GoogleCalendar) -> None:
    google.add("aaaaa")
    assert mirrored(
        home,
        "work",
        lambda: google.add("bbbbb"),
        lambda: google.add("aaaaa", summary="renamed"),
        lambda: google.delete("bbbbb"),
        lambda: None,
        shown=titles,
    ) == [["aaaaa"], ["aaaaa", "bbbbb"], ["bbbbb", "renamed"], ["renamed"], ["renamed"]]
    assert [params.get("syncToken") for _, params, _ in google.asked("GET")] == [None, "1", "2", "3", "4"]


def test_a_forgotten_sync_token_loses_and_repeats_nothing(home: Home, google: GoogleCalendar) -> None:
    google.add("aaaaa")
    google.add("bbbbb")

    def meanwhile() -> None:
        google.delete("aaaaa")
        google.add("ccccc")
        google.floor = len(google.log)

    assert mirrored(home, "work", meanwhile, lambda: None) == [
        ["aaaaa", "bbbbb"],
        ["bbbbb", "ccccc"],
        ["bbbbb", "ccccc"],
    ]


def test_all_pages_are_read_at_first_and_later(home: Home, google: GoogleCalendar) -> None:
    google.page_size = 3
    for number in range(10):
        google.add(f"event{number}")

    def more() -> None:
        for number in range(10, 17):
            google.add(f"event{number}")

    first, second = mirrored(home, "work", more)
    assert (len(first), len(second)) == (10, 17)


def test_moved_and_cancelled_occurrences_come_with_their_series(home: Home, google: GoogleCalendar) -> None:
    google.add("weekly", recurrence=["RRULE:FREQ=WEEKLY;COUNT=4"])

    def at(day: int, hour: int, month: int = 2) -> dict[str, str]:
        return {"dateTime": f"2026-{month:02}-{day:02}T{hour:02}:00:00+01:00", "timeZone": "Europe/Berlin"}

    original = {"recurringEventId": "weekly"}

    def move() -> None:
        google.add(
            "weekly_20260223T130000Z", **original, originalStartTime=at(23, 14), start=at(24, 10), end=at(24, 11),
            summary="moved",
        )  # fmt: skip

    def cancel_one() -> None:
        start = at(2, 14, month=3)
        google.put({"id": "weekly_20260302T130000Z", "status": "cancelled", **original, "originalStartTime": start})

    def shown(held: Mapping[str, Series]) -> list[str]:
        return starts(held["weekly"].occurrences(MONDAY, MONDAY + dt.timedelta(days=60), BERLIN))

    plain = ["02-16 13:00 weekly", "02-23 13:00 weekly", "03-02 13:00 weekly", "03-09 13:00 weekly"]
    assert mirrored(home, "work", move, cancel_one, shown=shown) == [
        plain, [plain[0], "02-24 09:00 moved", *plain[2:]], [plain[0], "02-24 09:00 moved", plain[3]],
    ]  # fmt: skip


def test_a_time_is_looked_at_without_reading_the_whole_calendar(home: Home, google: GoogleCalendar) -> None:
    google.add("inside")
    google.add("allday", start={"date": "2026-02-17"}, end={"date": "2026-02-18"})
    google.add("outside", start={"date": "2026-09-01"}, end={"date": "2026-09-02"})
    google.add("office", eventType="workingLocation")
    assert starts(taking_place(home, "work")) == ["02-16 13:00 inside", "02-16 23:00 allday"]
    ((_, params, _),) = google.asked("GET")
    assert (params["singleEvents"], params["timeMin"][:10]) == ("true", "2026-02-09")


def test_the_category_is_read_back(home: Home, google: GoogleCalendar) -> None:
    create(home, **MEETING, category="LinkedIn post")
    (one,) = taking_place(home, "work")
    assert entry_data("work", one, BERLIN)["event_type"] == "linkedin_post"


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
def test_what_google_refuses_is_classed_by_who_must_act(home, google, failure, kind, says, after_s) -> None:
    google.failures.append(failure)
    with pytest.raises(kind, match=says) as failed:
        create(home, **MEETING)
    assert (type(failed.value), getattr(failed.value, "retry_after_s", None)) == (kind, after_s)
    assert google.events == {}


def test_a_rate_limit_makes_the_mirror_wait_and_keeps_what_it_knows(home: Home, google: GoogleCalendar) -> None:
    google.add("aaaaa")
    context = home.context("calendar")

    async def follow() -> tuple[list[str], int]:
        mirror = Mirror(context, "work", Said(context.log))
        await mirror.refresh(home.clock.now())
        google.failures.append(error(429, "rateLimitExceeded", "Too many", **{"Retry-After": "600"}))
        for _ in range(8):
            home.clock.move(seconds=70)
            await mirror.refresh(home.clock.now())
        await mirror.aclose()
        return list(mirror.series), len(google.asked("GET"))

    assert home.wait_for(follow()) == (["aaaaa"], 2)


def test_an_old_token_is_renewed_and_stored(google_home: Homes, google: GoogleCalendar) -> None:
    home = google_home(expires_in_s=-10)
    create(home, **MEETING)
    stored = json.loads(home.credentials("calendar").require("token"))
    assert (stored["access_token"], stored["refresh_token"]) == (FRESH_TOKEN, REFRESH_TOKEN)


def test_access_that_was_withdrawn_is_told_in_words(google_home: Homes, google: GoogleCalendar) -> None:
    home = google_home(expires_in_s=-10)
    google.revoked = True
    with pytest.raises(ConfigError, match="invalid_grant: Token has been expired or revoked"):
        create(home, **MEETING)


def test_access_another_plugin_got_is_used(google_home: Homes, google: GoogleCalendar) -> None:
    home = google_home(connection="google")
    assert create(home, **MEETING)["created"] is True


def test_without_access_the_next_step_is_named(google_home: Homes) -> None:
    home = google_home(connection="gmail")
    with pytest.raises(ConfigError, match="has no access yet") as failed:
        create(home, **MEETING)
    assert failed.value.hint == "aie connect calendar --set name=work --set provider=google"


def test_a_token_that_cannot_be_read_says_to_connect_anew(home: Home) -> None:
    home.credentials("calendar").save({"token": "no token"})
    with pytest.raises(ConfigError) as caught:
        create(home, **MEETING)
    assert caught.value.as_dict() == {
        "error": "the token of calendar cannot be read",
        "where": "calendar",
        "hint": "connect anew: aie connect calendar",
    }
