"""Sources: dated notes become drafts, pages' posts become events, and the end of the access is told ahead."""

from __future__ import annotations

import datetime as dt
import logging
import os
from pathlib import Path

import pytest

from aie.events import Event
from aie.testing import Home
from plugins.linkedin.tests.linkedin_server import MEMBER, PAGE, LinkedinServer

SCHEDULED, PAGES = "linkedin.scheduled", "linkedin.pages"


def told(home: Home, source: str, **span: float) -> list[dict[str, object]]:
    """The data of the events of some looks."""
    return [dict(event.data) for event in home.run_source(source, span=dt.timedelta(**span))]


def write(home: Home, name: str, text: str | bytes) -> Path:
    path = home.vault / "LinkedIn" / "Scheduled" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.utime(path, (home.clock.now().timestamp() - 3600,) * 2)
    return path


# --- notes -------------------------------------------------------------------------------------------------------


def test_a_note_becomes_a_draft_when_its_time_has_come_and_once(home: Home) -> None:
    write(
        home, "Spring hours.md",
        '---\ndate: 2026-02-09T18:31\nimage: "[[Assets/shop.png]]"\nalt: the shop\n---\n\n'
        "From March on\r\nwe open at 8.\n",
    )  # fmt: skip
    assert told(home, SCHEDULED) == []
    data = {
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
    event_id = "LinkedIn/Scheduled/Spring hours.md@2026-02-09T18:31:00+01:00"
    assert home.run_source(SCHEDULED, span=dt.timedelta(minutes=2)) == [
        Event("calendar_event", SCHEDULED, data, "2026-02-09T18:31:00+01:00", event_id)
    ]
    home.clock.move(days=1)
    assert told(home, SCHEDULED) == []  # after a restart


def test_a_note_given_a_new_date_is_posted_again(home: Home) -> None:
    path = write(home, "a.md", "---\ndate: 2026-02-09\n---\nOne\n")
    assert len(told(home, SCHEDULED)) == 1
    write(home, path.name, "---\ndate: 2026-02-10\n---\nTwo\n")
    home.clock.move(days=1)
    assert [data["post_content"] for data in told(home, SCHEDULED)] == ["Two"]


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
def test_dates_are_read_as_people_write_them(home: Home, written: str, start: str) -> None:
    write(home, "a.md", f"---\nDate: {written}\n---\nText\n")
    assert [data["start"] for data in told(home, SCHEDULED)] == [start]


def test_a_note_missed_while_aie_was_off_is_late_and_an_old_one_is_left_alone(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    write(home, "a.md", "---\ndate: 2026-02-07\n---\nLate\n")
    write(home, "b.md", "---\ndate: 2025-02-07\n---\nOld\n")
    with caplog.at_level(logging.WARNING):
        assert [(data["post_content"], data["late"]) for data in told(home, SCHEDULED, seconds=20)] == [("Late", True)]
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
    home: Home, caplog: pytest.LogCaptureFixture, text: str | bytes, problem: str
) -> None:
    write(home, "a.md", text)
    write(home, "b.md", "---\ndate: 2026-02-09\n---\nGood\n")
    with caplog.at_level(logging.WARNING):
        assert [data["post_content"] for data in told(home, SCHEDULED, seconds=20)] == ["Good"]
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"LinkedIn/Scheduled/a.md is not posted: {problem}"]


def test_notes_without_a_date_hidden_ones_links_and_other_files_are_nothing(home: Home, tmp_path: Path) -> None:
    due = "---\ndate: 2026-02-09\n---\nText\n"
    write(home, "idea.md", "Some day\n")
    write(home, "list.md", "---\ntags: [a]\n---\nSome day\n")
    write(home, ".hidden.md", due)
    write(home, "a.txt", due)
    (tmp_path / "outside.md").write_text(due)
    (home.vault / "LinkedIn" / "Scheduled" / "link.md").symlink_to(tmp_path / "outside.md")
    assert told(home, SCHEDULED) == []


def test_a_note_that_is_being_written_is_left_until_it_is_still(home: Home) -> None:
    path = write(home, "a.md", "---\ndate: 2026-02-09\n---\nText\n")
    os.utime(path, (home.clock.now().timestamp() - 1,) * 2)
    assert told(home, SCHEDULED) == []
    assert len(told(home, SCHEDULED, seconds=10)) == 1


def test_without_the_folder_there_is_nothing_to_do(home: Home) -> None:
    assert told(home, SCHEDULED, seconds=20) == []


# --- pages -------------------------------------------------------------------------------------------------------


@pytest.fixture
def page_home(home: Home, linkedin: LinkedinServer) -> Home:
    linkedin.scopes |= {"w_organization_social", "r_organization_social"}
    home.restart({"linkedin": {**linkedin.settings, "organizations": [PAGE]}})
    return home


def test_new_posts_of_a_page_become_events_and_old_ones_do_not(page_home: Home, linkedin: LinkedinServer) -> None:
    now_ms = int(page_home.clock.now().timestamp() * 1000)
    linkedin.publish(PAGE, "before").made_ms = now_ms - 60_000
    assert told(page_home, PAGES) == []
    post = linkedin.publish(PAGE, r"We are \(nearly\) open {hashtag|\#|bakery}")
    linkedin.publish(MEMBER, "mine")
    post.made_ms = now_ms + 2500
    assert told(page_home, PAGES) == [
        {
            "post_id": post.urn,
            "content": "We are (nearly) open #bakery",
            "author": PAGE,
            "visibility": "PUBLIC",
            "image_path": None,
            "published_at": "2026-02-09T17:30:02+00:00",
            "link": f"https://www.linkedin.com/feed/update/{post.urn}",
        }
    ]
    assert told(page_home, PAGES) == []


def test_a_post_that_aie_made_as_the_page_is_the_same_event(page_home: Home, linkedin: LinkedinServer) -> None:
    assert told(page_home, PAGES) == []
    (made,) = page_home.run_action("post_to_linkedin", {"content": "Ours", "as_organization": PAGE}).events
    linkedin.posts[0].made_ms = int(page_home.clock.now().timestamp() * 1000) + 2500
    (read,) = page_home.run_source(PAGES)
    assert made.data["content"] == "Ours"
    assert read.data == {**made.data, "published_at": "2026-02-09T17:30:02+00:00"}
    wait = {"action_type": "wait", "parameters": {"duration": 1}}
    workflow = {"workflow_id": "remember", "trigger_event": "linkedin_post", "actions": [wait]}
    runs = [page_home.run_workflow(workflow, event) for event in (made, read)]
    assert [(run.status, run.reason) for run in runs] == [
        ("succeeded", ""),
        ("not started", f"the event {made.event_id!r} is known already"),
    ]


def test_a_page_that_may_not_be_read_is_told_once(
    page_home: Home, linkedin: LinkedinServer, caplog: pytest.LogCaptureFixture
) -> None:
    linkedin.scopes.discard("r_organization_social")
    with caplog.at_level(logging.WARNING):
        assert told(page_home, PAGES, minutes=30) == []
    (record,) = caplog.records
    assert record.getMessage() == (
        "the posts of urn:li:organization:2414183 cannot be read: LinkedIn does not permit reading a page's posts: "
        "'Not enough permissions to access: posts.FINDER-author'. add the product 'Community Management API' to the "
        "app (it gives r_organization_social), then: aie connect linkedin"
    )
