"""The whole of it: the real ``aie``, a vault, and LinkedIn on the other side of HTTP."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from plugins.linkedin.tests.conftest import WORKSPACE
from plugins.linkedin.tests.linkedin_server import MEMBER, TOKEN, LinkedinServer
from tests.aie_home import AieHome, until

TEXT = "From March on we open at 8 (also on Sundays). #bakery"
FIRST = "urn:li:share:7141138937766391808"


@pytest.fixture
def aie(tmp_path: Path, linkedin: LinkedinServer) -> AieHome:
    """A vault with the original workflow, connected."""
    home = AieHome(tmp_path).with_vault()
    settings = f"{linkedin.toml}scan_interval_s = 0.2\n[plugins.vault]\nscan_interval_s = 0.2\n"
    (home.vault / "aie.toml").write_text(settings, encoding="utf-8")
    (home.vault / "workflows").mkdir()
    shutil.copy(
        WORKSPACE / "tests" / "original" / "workflows" / "scheduled_linkedin_post.json", home.vault / "workflows"
    )
    said = home("connect", "linkedin", "--set", "how=token", "--set", "client_id=", stdin=f"{TOKEN}\n").out
    assert "linkedin is connected as Ada Brown." in said
    return home


def schedule(home: AieHome, text: str) -> None:
    """A note whose time came a minute ago, and that nobody is writing any more."""
    folder = home.vault / "LinkedIn" / "Scheduled"
    folder.mkdir(parents=True)
    due = (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)).isoformat(timespec="seconds")
    (folder / "Spring.md").write_text(f"---\ndate: {due}\n---\n{text}\n", encoding="utf-8")
    os.utime(folder / "Spring.md", (time.time() - 60,) * 2)


def notes(home: AieHome, folder: str) -> list[Path]:
    return sorted((home.vault / folder).glob("LINKEDIN_POST_*.md"))


def only_run(home: AieHome) -> dict[str, Any]:
    runs = home("runs", "list", "--workflow", "scheduled_linkedin_post", "--json").records
    assert len(runs) == 1
    return home("runs", "show", runs[0]["run_id"], "--json").record


def ended(home: AieHome) -> dict[str, Any] | None:
    run = only_run(home)
    return run if run["status"] in ("succeeded", "failed", "uncertain") else None


def test_a_dated_note_becomes_a_draft_and_a_post_once_that_is_moved_to_approved(
    aie: AieHome, linkedin: LinkedinServer
) -> None:
    schedule(aie, TEXT)
    with aie.started() as running:
        (note,) = until(lambda: notes(aie, "Pending_Approval"), "the draft")
        assert TEXT in note.read_text(encoding="utf-8")
        assert f"({len(TEXT)} of 3,000 characters)" in note.read_text(encoding="utf-8")
        assert linkedin.texts == []
        (aie.vault / "Approved").mkdir(exist_ok=True)
        note.rename(aie.vault / "Approved" / note.name)
        until(lambda: notes(aie, "Done"), "the note to be done with")
        running.stop()
    (post,) = linkedin.posts
    assert (post.text, post.hashtags, post.author) == (TEXT, ["bakery"], MEMBER)
    (event,) = [one for one in aie("events", "list", "--json").records if one["event_type"] == "linkedin_post"]
    assert (event["source"], event["event_id"]) == ("linkedin", FIRST)
    assert TOKEN not in "".join(path.read_text() for path in aie.vault.rglob("*") if path.is_file())


def test_killed_between_publication_and_record_there_is_one_post(aie: AieHome, linkedin: LinkedinServer) -> None:
    schedule(aie, TEXT)
    linkedin.faults = ["hold"]
    with aie.started() as running:
        (note,) = until(lambda: notes(aie, "Pending_Approval"), "the draft")
        (aie.vault / "Approved").mkdir(exist_ok=True)
        note.rename(aie.vault / "Approved" / note.name)
        until(lambda: linkedin.texts, "the post")
        running.stop(signal.SIGKILL)
    linkedin.let_go.set()
    with aie.started() as running:
        run = until(lambda: ended(aie), "the run to end")
        running.stop()
    assert linkedin.texts == [TEXT]
    post, told = run["steps"]
    assert (run["status"], post["status"], told["status"]) == ("succeeded", "succeeded", "succeeded")
    link = f"https://www.linkedin.com/feed/update/{FIRST}"
    assert post["result"] == {"post_id": FIRST, "link": link, "author": MEMBER, "already_there": True}
    assert [one for one in linkedin.requests if "/rest/posts" in one] == ["POST /rest/posts 202609"] * 2


def test_an_error_after_publishing_ends_in_one_post_and_no_question(aie: AieHome, linkedin: LinkedinServer) -> None:
    linkedin.faults = ["after"]
    data = {"event_type": "linkedin_post", "post_content": TEXT, "image_path": None}
    aie("emit", "calendar_event", "--data", json.dumps(data), "--id", "spring")
    (approval,) = aie("approvals", "list", "--json").records
    aie("approvals", "approve", approval["approval_id"])
    run = only_run(aie)
    assert (run["status"], run["steps"][0]["result"]["already_there"]) == ("succeeded", True)
    assert linkedin.texts == [TEXT]


def test_a_post_for_later_waits_through_a_restart(aie: AieHome, linkedin: LinkedinServer) -> None:
    due = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=12)
    step = {"action_type": "post_to_linkedin", "parameters": {"content": TEXT, "schedule_at": due.isoformat()}}
    aie.workflow("later", [step], trigger_event="manual_trigger")
    with aie.started() as running:
        aie("emit", "manual_trigger", "--workflow", "later", "--id", "one")
        (note,) = until(lambda: notes(aie, "Pending_Approval"), "the draft")
        assert "not before " in note.read_text(encoding="utf-8")
        (aie.vault / "Approved").mkdir(exist_ok=True)
        note.rename(aie.vault / "Approved" / note.name)
        until(lambda: aie("runs", "list", "--json").record["status"] == "waiting", "the run to wait for its time")
        running.stop(signal.SIGKILL)
    assert linkedin.texts == []
    with aie.started() as running:
        until(lambda: linkedin.texts, "the post")
        running.stop()
    assert linkedin.posts[0].made_ms >= due.timestamp() * 1000


def test_too_long_a_text_fails_before_anybody_is_asked(aie: AieHome, linkedin: LinkedinServer) -> None:
    data = {"event_type": "linkedin_post", "post_content": "x" * 3001, "image_path": None}
    aie("emit", "calendar_event", "--data", json.dumps(data), "--id", "long", code=1)
    run = only_run(aie)
    assert run["status"] == "failed"
    assert "3,001 characters as LinkedIn counts, 3,000 are allowed" in run["steps"][0]["error"]["error"]
    assert notes(aie, "Pending_Approval") == []
