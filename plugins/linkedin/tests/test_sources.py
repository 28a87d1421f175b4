"""Sources: dated notes become drafts, pages' posts become events, and the end of the access is told ahead."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import os
from pathlib import Path

import pytest

from aie_linkedin import pages, scheduled
from aie_linkedin.post import PostToLinkedin
from aie_linkedin.publishing import Publisher
from plugins.linkedin.tests.house import MONDAY, Clock, House
from plugins.linkedin.tests.linkedin_server import MEMBER, PAGE, LinkedinServer

DAY = dt.timedelta(days=1)


def run(source: object, house: House, *, sleeps: int = 1, now: dt.datetime = MONDAY) -> list[dict[str, object]]:
    """The data of the events of some looks."""
    house.clock = Clock(now, sleeps)
    before = len(house.events)
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(source.run(house))  # type: ignore[attr-defined]
    return [dict(event.data) for event in house.events[before:]]


def write(house: House, name: str, text: str | bytes) -> Path:
    path = house.vault / "LinkedIn" / "Scheduled" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.utime(path, ((MONDAY - DAY).timestamp(),) * 2)
    return path


# --- notes -------------------------------------------------------------------------------------------------------


def test_a_note_becomes_a_draft_when_its_time_has_come_and_once(house: House) -> None:
    write(
        house, "Spring hours.md",
        '---\ndate: 2026-02-09T18:31\nimage: "[[Assets/shop.png]]"\nalt: the shop\n---\n\n'
        "From March on\r\nwe open at 8.\n",
    )  # fmt: skip
    assert run(scheduled, house) == []
    assert run(scheduled, house, sleeps=12) == [
        {
            "event_type": "linkedin_post",
            "title": "Spring hours",
            "start": "2026-02-09T18:31:00+01:00",
            "post_content": "From March on\nwe open at 8.",
            "image_path": "Assets/shop.png",
            "alt_text": "the shop",
            "visibility": "PUBLIC",
            "calendar": "LinkedIn/Scheduled",
            "file_path": "LinkedIn/Scheduled/Spring hours.md",
            "late": False,
        }
    ]
    (event,) = house.events
    assert (event.event_type, event.source) == ("calendar_event", "linkedin.scheduled")
    assert event.event_id == "LinkedIn/Scheduled/Spring hours.md@2026-02-09T18:31:00+01:00"
    assert run(scheduled, house, now=MONDAY + DAY) == []  # after a restart


def test_a_note_given_a_new_date_is_posted_again(house: House) -> None:
    path = write(house, "a.md", "---\ndate: 2026-02-09\n---\nOne\n")
    assert len(run(scheduled, house)) == 1
    write(house, path.name, "---\ndate: 2026-02-10\n---\nTwo\n")
    assert [data["post_content"] for data in run(scheduled, house, now=MONDAY + DAY)] == ["Two"]


@pytest.mark.parametrize(
    ("written", "start"),
    [
        ("2026-02-09", "2026-02-09T09:00:00+01:00"),
        ("2026-02-09 10:00", "2026-02-09T10:00:00+01:00"),
        ("2026-02-09T10:00:30", "2026-02-09T10:00:30+01:00"),
        ("2026-02-09T10:00:00-05:00", "2026-02-09T16:00:00+01:00"),
        ("2026-02-09T10:00:00Z", "2026-02-09T11:00:00+01:00"),
        ('"2026-02-09"', "2026-02-09T09:00:00+01:00"),
    ],
)
def test_dates_are_read_as_people_write_them(house: House, written: str, start: str) -> None:
    write(house, "a.md", f"---\nDate: {written}\n---\nText\n")
    assert [data["start"] for data in run(scheduled, house)] == [start]


def test_a_note_missed_while_aie_was_off_is_late_and_an_old_one_is_left_alone(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    write(house, "a.md", "---\ndate: 2026-02-07\n---\nLate\n")
    write(house, "b.md", "---\ndate: 2025-02-07\n---\nOld\n")
    with caplog.at_level(logging.WARNING):
        assert [(data["post_content"], data["late"]) for data in run(scheduled, house, sleeps=3)] == [("Late", True)]
    said = (
        "LinkedIn/Scheduled/b.md is not posted: its date is more than 7 days ago: give it a new one to have it posted"
    )
    assert [record.getMessage() for record in caplog.records] == [said]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("---\ndate: tomorrow\n---\nText", "its date is 'tomorrow'; write it as 2026-02-10 or 2026-02-10T09:00"),
        ("---\ndate: 2026-02-09\n---\n\n", "there is no text below its properties"),
        ("---\ndate: [\n---\nText", "its properties are not YAML: while parsing a flow node"),
        (b"---\ndate: 2026-02-09\n---\n\xff", "it is not UTF-8 text"),
        ("x" * 200_001, "it is too long for a post"),
    ],
)
def test_a_note_that_is_wrong_is_told_once_and_stops_no_other(
    house: House, caplog: pytest.LogCaptureFixture, text: str | bytes, problem: str
) -> None:
    write(house, "a.md", text)
    write(house, "b.md", "---\ndate: 2026-02-09\n---\nGood\n")
    with caplog.at_level(logging.WARNING):
        assert [data["post_content"] for data in run(scheduled, house, sleeps=3)] == ["Good"]
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"LinkedIn/Scheduled/a.md is not posted: {problem}"]


def test_notes_without_a_date_hidden_ones_links_and_other_files_are_nothing(house: House, tmp_path: Path) -> None:
    due = "---\ndate: 2026-02-09\n---\nText\n"
    write(house, "idea.md", "Some day\n")
    write(house, "list.md", "---\ntags: [a]\n---\nSome day\n")
    write(house, ".hidden.md", due)
    write(house, "a.txt", due)
    (tmp_path / "outside.md").write_text(due)
    (house.vault / "LinkedIn" / "Scheduled" / "link.md").symlink_to(tmp_path / "outside.md")
    assert run(scheduled, house) == []


def test_a_note_that_is_being_written_is_left_until_it_is_still(house: House) -> None:
    path = write(house, "a.md", "---\ndate: 2026-02-09\n---\nText\n")
    os.utime(path, (MONDAY.timestamp() - 1,) * 2)
    assert run(scheduled, house) == []
    assert len(run(scheduled, house, sleeps=2)) == 1


def test_without_the_folder_there_is_nothing_to_do(house: House) -> None:
    assert run(scheduled, house, sleeps=3) == []


# --- pages -------------------------------------------------------------------------------------------------------


@pytest.fixture
def page_house(house: House, linkedin: LinkedinServer) -> House:
    linkedin.scopes |= {"w_organization_social", "r_organization_social"}
    house.settings = house.settings.model_copy(update={"organizations": [PAGE]})
    return house


def test_new_posts_of_a_page_become_events_and_old_ones_do_not(page_house: House, linkedin: LinkedinServer) -> None:
    now = dt.datetime.now(dt.UTC)
    linkedin.publish(PAGE, "before").made_ms -= 60_000
    assert run(pages, page_house, now=now) == []
    post = linkedin.publish(PAGE, r"We are \(nearly\) open {hashtag|\#|bakery}")
    linkedin.publish(MEMBER, "mine")
    post.made_ms = int(now.timestamp() * 1000) + 2500
    made = dt.datetime.fromtimestamp(post.made_ms / 1000, dt.UTC).isoformat(timespec="seconds")
    assert run(pages, page_house, now=now) == [
        {
            "post_id": post.urn,
            "content": "We are (nearly) open #bakery",
            "author": PAGE,
            "visibility": "PUBLIC",
            "image_path": None,
            "published_at": made,
            "link": f"https://www.linkedin.com/feed/update/{post.urn}",
        }
    ]
    assert run(pages, page_house, now=now) == []


def test_a_post_that_aie_made_as_the_page_is_the_same_event(page_house: House, linkedin: LinkedinServer) -> None:
    run(pages, page_house, now=dt.datetime.now(dt.UTC) - DAY)
    params = PostToLinkedin(content="Ours", as_organization=PAGE)
    outcome = asyncio.run(Publisher().run(params, page_house.context()))
    asyncio.run(page_house.emit(outcome.events))
    assert run(pages, page_house) == []
    assert [event.data["content"] for event in page_house.events] == ["Ours"]


def test_a_page_that_may_not_be_read_is_told_once(
    page_house: House, linkedin: LinkedinServer, caplog: pytest.LogCaptureFixture
) -> None:
    linkedin.scopes.discard("r_organization_social")
    with caplog.at_level(logging.WARNING):
        assert run(pages, page_house, sleeps=3) == []
    (record,) = caplog.records
    assert record.getMessage() == (
        "the posts of urn:li:organization:2414183 cannot be read: LinkedIn does not permit reading a page's posts: "
        "'Not enough permissions to access: posts.FINDER-author'. add the product 'Community Management API' to the "
        "app (it gives r_organization_social), then: aie connect linkedin"
    )
