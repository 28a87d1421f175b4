"""Calendars that are a feed at an address."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aie.errors import ActionError, AieError, ConfigError, RetryableError
from aie_calendar.mirror import Mirror, Said
from aie_calendar.opening import look_into, open_store
from plugins.calendar.tests.feed_server import FEED, Feed, serving
from plugins.calendar.tests.house import MONDAY, House

DAYS = dt.timedelta(days=30)


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def house(feed: Feed, tmp_path: Path) -> Iterator[House]:
    with serving(feed) as address:
        tables = {"calendars": {"feed": {"provider": "ics_url", "max_size_mb": 1}}}
        yield House(tmp_path / "vault", tables, {"calendars.feed.address": address})


def mirrored(house: House, *steps: Callable[[], object]) -> list[list[str]]:
    """The UIDs a mirror holds: at first, and after each step."""

    async def follow() -> list[list[str]]:
        mirror = Mirror(house, "feed", Said(house.log))
        held = []
        for step in (lambda: None, *steps):
            step()
            house.clock.time += dt.timedelta(minutes=15)
            await mirror.refresh(house.clock.now())
            held.append(sorted(mirror.series))
        await mirror.aclose()
        return held

    return asyncio.run(follow())


def test_it_is_asked_for_again_only_if_it_has_changed(house: House, feed: Feed) -> None:
    feed.headers = {"ETag": '"1"', "Last-Modified": "Mon, 09 Feb 2026 17:30:00 GMT"}

    def change() -> None:
        feed.headers["ETag"] = '"2"'
        feed.body = FEED.replace(b"UID:a", b"UID:b")

    assert mirrored(house, lambda: None, change, lambda: None) == [["a"], ["a"], ["b"], ["b"]]
    since = {"If-Modified-Since": "Mon, 09 Feb 2026 17:30:00 GMT"}
    assert feed.asked == [{}, *({"If-None-Match": etag, **since} for etag in ('"1"', '"1"', '"2"'))]


@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 503},
        {"status": 404},
        {"body": b"<html>Please sign in</html>"},
        {"body": FEED[:-20]},
        {"body": b""},
        {"body": b"BEGIN:VCALENDAR\r\n" + b"X-A:b\r\n" * 300_000 + b"END:VCALENDAR\r\n"},
    ],
    ids=["503", "404", "html", "cut short", "empty", "too large"],
)
def test_trouble_leaves_what_was_known(house: House, feed: Feed, trouble: dict[str, object]) -> None:
    def broken() -> None:
        for name, value in trouble.items():
            setattr(feed, name, value)

    def mended() -> None:
        feed.status, feed.body = 200, FEED.replace(b"UID:a", b"UID:b")

    assert mirrored(house, broken, mended) == [["a"], ["a"], ["b"]]


def pull(house: House) -> None:
    async def once() -> None:
        store = open_store(house, "feed")
        try:
            await store.pull({})
        finally:
            await store.aclose()

    asyncio.run(once())


def test_a_feed_without_end_is_cut_off(house: House, feed: Feed) -> None:
    feed.endless = lambda: b"x" * 100_000
    with pytest.raises(ActionError, match="has more than 1 MB, and is not read"):
        pull(house)


def test_a_small_answer_that_unpacks_to_a_large_one_is_cut_off(house: House, feed: Feed) -> None:
    feed.body, feed.headers = gzip.compress(b"x" * 50_000_000), {"Content-Encoding": "gzip"}
    assert len(feed.body) < 100_000
    with pytest.raises(ActionError, match="has more than 1 MB"):
        pull(house)


def test_redirects_in_a_circle_end(house: House, feed: Feed) -> None:
    feed.status, feed.headers = 302, {"Location": "/again"}
    with pytest.raises(RetryableError, match="does not answer: TooManyRedirects"):
        pull(house)


@pytest.mark.parametrize(
    ("status", "kind"), [(401, ConfigError), (403, ConfigError), (404, ConfigError), (500, RetryableError)]
)
def test_a_refusal_is_told_without_the_secret_address(house: House, feed: Feed, status: int, kind: type) -> None:
    feed.status = status
    with pytest.raises(kind) as failed:
        pull(house)
    assert isinstance(failed.value, AieError)
    assert "private-8d1f" not in repr((failed.value.as_dict(), failed.value.__cause__))


def test_what_is_asked_stands_in_no_log(house: House, feed: Feed, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        pull(house)
        feed.status, feed.headers = 302, {"Location": "/private-8d1f/again"}
        with pytest.raises(RetryableError):
            pull(house)
    assert caplog.messages == []


@pytest.mark.parametrize("address", ["example.com/a.ics", "ftp://example.com/a.ics", "https://", "https://\0/a.ics"])
def test_an_address_that_is_none_is_for_a_person_to_mend(tmp_path: Path, address: str) -> None:
    house = House(tmp_path / "v", {"calendars": {"feed": {"provider": "ics_url"}}}, {"calendars.feed.address": address})
    with pytest.raises(ConfigError, match="the address of 'feed' is none") as failed:
        pull(house)
    assert failed.value.hint == "aie connect calendar asks for it anew"


def test_a_time_is_looked_at(house: House) -> None:
    found, problems = asyncio.run(look_into(house, ["feed"], MONDAY, MONDAY + DAYS))
    assert ([(name, one.title) for name, one in found], problems) == ([("feed", "from the feed")], {})


def test_without_an_address_the_next_step_is_named(tmp_path: Path) -> None:
    house = House(tmp_path / "v", {"calendars": {"feed": {"provider": "ics_url"}}})
    with pytest.raises(ConfigError, match="the address of the calendar 'feed' is not known") as failed:
        open_store(house, "feed")
    assert failed.value.hint == ("aie connect calendar --set name=feed, or set AIE_CALENDAR__CALENDARS__FEED__ADDRESS")


def test_a_secret_in_the_settings_file_is_refused(tmp_path: Path) -> None:
    table = {"provider": "ics_url", "address": "https://example.com/private/x.ics"}
    house = House(tmp_path / "v", {"calendars": {"feed": table}})
    with pytest.raises(ConfigError, match=r"stands in aie\.toml, and the vault is no place for secrets") as failed:
        open_store(house, "feed")
    assert "private" not in failed.value.message + failed.value.hint
