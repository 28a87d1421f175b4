"""The original workflows, start to end, through the real command; and what the README shows."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import tomllib
from pathlib import Path

import icalendar
import pytest

from aie.templates import TemplateCompiler
from aie.workflow import parse_workflow
from aie_calendar import plugin
from aie_calendar.create import CreateCalendarEvent
from aie_calendar.reading import read
from aie_calendar.settings import CalendarSettings, OneCalendar
from aie_calendar.wording import entry_data
from plugins.calendar.tests.steps import BERLIN
from tests.aie_home import AieHome, until
from tests.plugin_dists import write_dist

ROOT = Path(__file__).parents[3]
README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINKEDIN = """
import json
from pathlib import Path
from pydantic import BaseModel
from aie import ActionHandler, Effect, hookimpl

class Post(BaseModel):
    content: str
    visibility: str = "PUBLIC"
    image_path: str | None = None

async def post(params, context):
    with (context.vault / "posted.jsonl").open("a") as file:
        file.write(json.dumps(params.model_dump()) + "\\n")
    return {"post_id": "urn:li:share:1"}

@hookimpl
def aie_action_handlers(settings):
    kind = {"effect": Effect.EXTERNAL, "note_kind": "LINKEDIN_POST", "body_field": "content"}
    return [ActionHandler("post_to_linkedin", Post, post, **kind)]
"""


@pytest.fixture(params=["workflows", "tests/original/workflows"], ids=["shipped", "original"])
def aie(request: pytest.FixtureRequest, tmp_path: Path) -> AieHome:
    """A vault with no settings at all, the workflows, and a stand-in for LinkedIn."""
    home = AieHome(tmp_path).with_vault()
    (home.vault / "workflows").mkdir()
    for name in ("email_to_calendar", "scheduled_linkedin_post"):
        shutil.copy(ROOT / request.param / f"{name}.json", home.vault / "workflows")
    write_dist(tmp_path / "site", "aie-linkedin-stand-in", LINKEDIN, module="aie_linkedin_stand_in", plugin="stand_in")
    home.env |= {"PYTHONPATH": str(tmp_path / "site"), "AIE_KEYRING": "off"}
    return home


def test_a_mail_about_a_meeting_becomes_an_entry_once_a_person_agreed(aie: AieHome) -> None:
    mail = [
        "subject=Project Meeting",
        "sender=ann@example.com",
        "body=Monday at two?",
        "received_at=2026-02-09T18:30:00",
    ]
    aie("emit", "email_received", *mail, "suggested_date=2026-02-16", "suggested_time=14:00", "--id", "mail-1")
    (note,) = (aie.vault / "Pending_Approval").glob("CALENDAR_*Project-Meeting*.md")
    assert "Monday 2026-02-16, 14:00 to 15:00 (Europe/Berlin)" in note.read_text()
    assert "Nothing else is at that time." in note.read_text()
    assert not (aie.vault / "Calendar").exists()

    note.rename(aie.vault / "Approved" / note.name)
    aie("emit", "manual_trigger", "--id", "anything")  # whatever starts aie takes up the decision

    (file,) = until(lambda: list((aie.vault / "Calendar").glob("*.ics")), "the entry")
    (event,) = icalendar.Calendar.from_ical(file.read_bytes()).walk("VEVENT")
    assert (event["SUMMARY"], event["DTSTART"].dt, event["DTEND"].dt, event.errors) == (
        "Project Meeting", dt.datetime(2026, 2, 16, 14, tzinfo=BERLIN), dt.datetime(2026, 2, 16, 15, tzinfo=BERLIN), [],
    )  # fmt: skip
    assert event["DESCRIPTION"].endswith("\n\nMonday at two?") or event["DESCRIPTION"].endswith("\nMonday at two?")
    assert [one["status"] for one in aie("runs", "list", "--workflow", "email_to_calendar", "--json").records] == [
        "succeeded"
    ]


def test_an_entry_that_begins_becomes_a_draft_for_linkedin(aie: AieHome) -> None:
    (aie.vault / "Calendar").mkdir()
    aie.env["AIE_CALENDAR__CALENDARS__MAIN__REFRESH_S"] = "1"
    with aie.started():
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        text = (
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:post-1\r\nSUMMARY:Opening hours\r\n"
            "CATEGORIES:linkedin_post\r\n"
            f"DTSTART:{now + dt.timedelta(seconds=3):%Y%m%dT%H%M%SZ}\r\nDESCRIPTION:From March on we open at 8.\r\n"
            "X-AIE-IMAGE-PATH:Assets/opening.png\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
        (aie.vault / "Calendar" / "post.ics").write_text(text, newline="")
        pending = aie.vault / "Pending_Approval"
        (note,) = until(lambda: list(pending.glob("LINKEDIN_POST_*.md")), "the draft")
        assert "From March on we open at 8." in note.read_text()
        note.rename(aie.vault / "Approved" / note.name)
        posted = until(
            lambda: (aie.vault / "posted.jsonl").exists() and (aie.vault / "posted.jsonl").read_text(), "the post"
        )
    assert json.loads(posted) == {
        "content": "From March on we open at 8.", "visibility": "PUBLIC", "image_path": "Assets/opening.png",
    }  # fmt: skip
    (event,) = aie("events", "list", "--type", "calendar_event", "--json").records
    assert event["source"] == "calendar.upcoming"


# --- the README --------------------------------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    found = [text for said, text in BLOCK.findall(README.read_text(encoding="utf-8")) if said == language]
    assert found
    return found


def test_every_block_is_of_a_kind_that_is_tried() -> None:
    kinds = {said for said, _ in BLOCK.findall(README.read_text(encoding="utf-8"))}
    assert kinds == {"console", "json", "toml", "text"}
    assert blocks("console") == ["pip install aie-calendar\n"]


@pytest.mark.parametrize("text", blocks("json"), ids=lambda text: json.loads(text)["workflow_id"])
def test_the_workflows_in_the_readme_pass_every_check(text: str, tmp_path: Path) -> None:
    parse_workflow(text, TemplateCompiler(), where="README.md")
    home = AieHome(tmp_path).with_vault()
    (home.vault / "workflows").mkdir()
    (home.vault / "workflows" / f"{json.loads(text)['workflow_id']}.json").write_text(text, encoding="utf-8")
    assert home("workflows", "check").out == "1 file checked, 1 in order.\n"


@pytest.mark.parametrize("text", blocks("toml"))
def test_the_settings_in_the_readme_are_settings(text: str) -> None:
    CalendarSettings.model_validate(tomllib.loads(text)["plugins"]["calendar"])


def test_what_the_readme_says_of_parameters_is_all_there_is() -> None:
    assert named_in_tables("| `") == set(CreateCalendarEvent.model_fields)


def test_what_the_readme_says_of_actions_events_and_settings_is_all_there_is() -> None:
    settings = CalendarSettings()
    actions = {handler.name for handler in plugin.aie_action_handlers(settings)}
    assert named_in_tables("| action ") == actions
    assert named_in_tables("| event ") == {"calendar_event", "calendar_changed"}
    connected = {name for name in CalendarSettings.model_fields if not name.startswith("google_")}  # addresses
    assert named_in_tables("| for all: ") == connected
    assert named_in_tables("| for one: ") == set(OneCalendar.model_fields)


def named_in_tables(beginning: str) -> set[str]:
    """What stands as code in the first cell of the lines that begin so."""
    lines = [line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith(beginning)]
    return {name for line in lines for name in re.findall(r"`(\w+)`", line.split("|")[1])}


def test_a_description_as_in_the_readme_makes_a_post(tmp_path: Path) -> None:
    (text,) = blocks("text")
    lines = text.rstrip().replace("\n", "\\n")
    entry = f"BEGIN:VEVENT\nUID:a\nDTSTART:20260216T130000Z\nDESCRIPTION:{lines}\nEND:VEVENT"
    data = f"BEGIN:VCALENDAR\n{entry}\nEND:VCALENDAR\n"
    (series,) = read(data.encode(), BERLIN).series.values()
    found = entry_data("main", series.as_one(BERLIN), BERLIN)
    assert (found["event_type"], found["image_path"], found["post_content"]) == (
        "linkedin_post", "Assets/opening-hours.png", "From March on we open at 8.",
    )  # fmt: skip
