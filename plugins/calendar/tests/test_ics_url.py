"""Calendars that are a feed at an address."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterator

import pytest

from aie.errors import ActionError, AieError, ConfigError, PluginError, RetryableError
from aie.testing import Home
from plugins.calendar.tests.feed_server import FEED, Feed, serving
from plugins.calendar.tests.steps import Homes, in_store, mirrored, taking_place

TABLE = {"provider": "ics_url"}


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def home(feed: Feed, at_home: Homes) -> Iterator[Home]:
    with serving(feed) as address:
        yield at_home({"calendars.feed.address": address}, calendars={"feed": {**TABLE, "max_size_mb": 1}})


def test_it_is_asked_for_again_only_if_it_has_changed(home: Home, feed: Feed) -> None:
    feed.headers = {"ETag": '"1"', "Last-Modified": "Mon, 09 Feb 2026 17:30:00 GMT"}

    def change() -> None:
        feed.headers["ETag"] = '"2"'
        feed.body = FEED.replace(b"UID:a", b"UID:b")

    assert mirrored(home, "feed", lambda: None, change, lambda: None) == [["a"], ["a"], ["b"], ["b"]]
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
def test_trouble_leaves_what_was_known(home: Home, feed: Feed, trouble: dict[str, object]) -> None:
    def broken() -> None:
        for name, value in trouble.items():
            setattr(feed, name, value)

    def mended() -> None:
        feed.status, feed.body = 200, FEED.replace(b"UID:a", b"UID:b")

    assert mirrored(home, "feed", broken, mended) == [["a"], ["a"], ["b"]]


def pull(home: Home) -> None:
    in_store(home, "feed", lambda store: store.pull({}))


def test_a_feed_without_end_is_cut_off(home: Home, feed: Feed) -> None:
    feed.endless = lambda: b"x" * 100_000
    with pytest.raises(ActionError, match="has more than 1 MB, and is not read"):
        pull(home)


def test_a_small_answer_that_unpacks_to_a_large_one_is_cut_off(home: Home, feed: Feed) -> None:
    feed.body, feed.headers = gzip.compress(b"x" * 50_000_000), {"Content-Encoding": "gzip"}
    assert len(feed.body) < 100_000
    with pytest.raises(ActionError, match="has more than 1 MB"):
        pull(home)


def test_redirects_in_a_circle_end(home: Home, feed: Feed) -> None:
    feed.status, feed.headers = 302, {"Location": "/again"}
    with pytest.raises(RetryableError, match="does not answer: TooManyRedirects"):
        pull(home)


@pytest.mark.parametrize(
    ("status", "kind"), [(401, ConfigError), (403, ConfigError), (404, ConfigError), (500, RetryableError)]
)
def test_a_refusal_is_told_without_the_secret_address(home: Home, feed: Feed, status: int, kind: type) -> None:
    feed.status = status
    with pytest.raises(kind) as failed:
        pull(home)
    assert isinstance(failed.value, AieError)
    assert "private-8d1f" not in repr((failed.value.as_dict(), failed.value.__cause__))


def test_what_is_asked_stands_in_no_log(home: Home, feed: Feed, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        pull(home)
        feed.status, feed.headers = 302, {"Location": "/private-8d1f/again"}
        with pytest.raises(RetryableError):
            pull(home)
    assert caplog.messages == []


@pytest.mark.parametrize("address", ["example.com/a.ics", "ftp://example.com/a.ics", "https://", "https://\0/a.ics"])
def test_an_address_that_is_none_is_for_a_person_to_mend(at_home: Homes, address: str) -> None:
    home = at_home({"calendars.feed.address": address}, calendars={"feed": TABLE})
    with pytest.raises(ConfigError, match="the address of 'feed' is none") as failed:
        pull(home)
    assert failed.value.hint == "aie connect calendar asks for it anew"


def test_a_time_is_looked_at(home: Home) -> None:
    assert [one.title for one in taking_place(home, "feed", days=30)] == ["from the feed"]


def test_without_an_address_the_next_step_is_named(at_home: Homes) -> None:
    home = at_home(calendars={"feed": TABLE})
    with pytest.raises(ConfigError, match="the address of the calendar 'feed' is not known") as failed:
        pull(home)
    assert failed.value.hint == ("aie connect calendar --set name=feed, or set AIE_CALENDAR__CALENDARS__FEED__ADDRESS")


def test_a_secret_in_the_settings_file_is_refused(at_home: Homes) -> None:
    table = {**TABLE, "address": "https://example.com/private/x.ics"}
    with pytest.raises(PluginError, match="address is a secret, and the vault is no place for secrets") as failed:
        at_home(calendars={"feed": table})
    assert "private" not in failed.value.message + failed.value.hint
