"""Changing a request in its note: what may be changed is carried out, what may not is refused, and nothing is lost."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aie_vault import approval_text
from aie_vault.approval_edits import edits_in
from aie_vault.approval_notes import CHANGED, DIFFERENT, NO_TEXT
from aie_vault.waiting import NAME, WaitingChannel
from plugins.vault.tests.test_approval_notes import NAME as NOTE
from plugins.vault.tests.test_approval_notes import START, House

PARAMS = {
    "to": "kim@example.com",
    "subject": "Invoice 1",
    "priority": "normal",
    "copies": 2,
    "urgent": False,
    "labels": ["a", "b"],
    "image": None,
    "body": "Dear Kim,\n\nplease pay.\n",
}
EDITABLE = ("subject", "priority", "copies", "urgent", "labels", "image", "body")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def ask(house: House, **changes):
    fields = {"params": PARAMS, "body": "A mail to Kim", "editable": EDITABLE, "body_field": "body", **changes}
    approval = house.desk.ask(**fields)
    house.sync()
    return approval


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_note_has_what_may_be_changed_as_properties_and_text(house: House) -> None:
    ask(house)
    text = house.note().read_text()
    front, body = text.split("\ntags:\n", 1)
    assert front.split("\nrun: run_01\n")[1] == (
        'subject: "Invoice 1"\npriority: "normal"\ncopies: 2\nurgent: false\nlabels: ["a", "b"]\nimage:'
    )
    assert body.partition("\n## If nobody")[0] == (
        "  - aie/approval\n---\n\n# Send invoice INV/2026/00001\n\n"
        "The workflow “Invoice Created → Email Notification” asks to run `gmail.send_email` (step `action_1`).\n\n"
        "Why: invoice_created from odoo: evt_001\n\n"
        "## The text, yours to change\n\n```text\nDear Kim,\n\nplease pay.\n\n```\n\n"
        "## What will happen\n\n```text\nA mail to Kim\n```\n\n"
        "## All values\n\n```text\n"
        "to: kim@example.com\nsubject: Invoice 1\npriority: normal\ncopies: 2\nurgent: false\n"
        'labels: [\n  "a",\n  "b"\n]\nimage: null\nbody: (the text above)\n```\n'
    ).replace('labels: [\n  "a",\n  "b"\n]', 'labels:\n  | [\n  |   "a",\n  |   "b"\n  | ]')
    assert (
        "You may change the properties `subject`, `priority`, `copies`, `urgent`, `labels`, `image` at the top and the "
        "text under its heading first: what then stands there is what runs. The rest is only shown.\n"
    ) in text


@pytest.mark.parametrize(
    ("old", "new", "edits"),
    [
        ('subject: "Invoice 1"', 'subject: "Invoice 2"', {"subject": "Invoice 2"}),
        ('subject: "Invoice 1"', "subject: Invoice 2", {"subject": "Invoice 2"}),
        ("copies: 2", "copies: 3", {"copies": 3}),
        ("urgent: false", "urgent: true", {"urgent": True}),
        ('labels: ["a", "b"]', "labels:\n  - a\n  - c", {"labels": ["a", "c"]}),
        ("image:", "image: Pictures/a.png", {"image": "Pictures/a.png"}),
        ("please pay.", "please pay soon.", {"body": "Dear Kim,\n\nplease pay soon.\n"}),
        ("please pay.\n\n```", "```", {"body": "Dear Kim,\n"}),
    ],
)
def test_a_change_is_carried_out_when_the_note_is_moved(house: House, old: str, new: str, edits: dict) -> None:
    approval = ask(house)
    path = house.note()
    edit(path, old, new)
    house.sync()
    assert (house.state(approval), house.names()) == ("pending", {"Pending_Approval": [NOTE]})
    assert "[!warning]" not in path.read_text()

    house.move("Approved")
    house.restart()
    house.sync()
    assert house.desk.edited == {approval.approval_id: edits}
    assert house.state(approval) == "approved"

    house.desk.carried_out(approval)
    house.sync()
    assert house.names() == {"Done": [NOTE]}
    (name,) = edits
    assert f"- Changed before: {name}, from “" in house.note("Done").read_text()


def test_a_note_that_was_only_moved_changes_nothing(house: House) -> None:
    approval = ask(house)
    house.move("Approved")
    house.sync()
    assert (house.desk.edited, house.state(approval)) == ({}, "approved")


def test_a_rejected_note_changes_nothing(house: House) -> None:
    approval = ask(house)
    edit(house.note(), "please pay.", "please pay soon.")
    house.move("Rejected")
    house.sync()
    assert (house.desk.edited, house.state(approval)) == ({}, "rejected")


def test_what_the_action_cannot_take_comes_back_with_the_reason_and_the_words_stay(house: House) -> None:
    approval = ask(house)
    house.desk.unfit = "copies: input should be less than or equal to 9"
    edit(house.note(), "copies: 2", "copies: 99")
    house.move("Approved")
    house.sync(2)
    assert (house.state(approval), house.names()) == ("pending", {"Pending_Approval": [NOTE]})
    text = house.note().read_text()
    assert "> [!warning] copies: input should be less than or equal to 9\n" in text
    assert "copies: 99\n" in text

    house.desk.unfit = ""
    edit(house.note(), "copies: 99", "copies: 9")
    house.move("Approved")
    house.sync()
    assert house.desk.edited == {approval.approval_id: {"copies": 9}}


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("to: kim@example.com", "to: eve@example.com", CHANGED),
        ("A mail to Kim", "A mail to Eve", CHANGED),
        ("please pay.\n", "please pay.\n```\n\n```text\nmore\n", CHANGED),
        ("```text\nDear Kim", "Dear Kim", NO_TEXT),
        ("## The text, yours to change", "## The text", NO_TEXT),
    ],
    ids=["recipient", "preview", "a fence in the text", "no fence", "no heading"],
)
def test_what_is_only_shown_cannot_be_changed(house: House, old: str, new: str, fault: str) -> None:
    approval = ask(house)
    edit(house.note(), old, new)
    house.move("Approved")
    house.sync(4)
    assert (house.state(approval), house.desk.edited) == ("pending", {})
    assert house.desk.refused == [(approval.approval_id, fault)]
    (path,) = (house.vault / "Pending_Approval").iterdir()
    assert f"> [!warning] {approval_text.inert.line(fault, 400)}\n" in path.read_text()


def test_copies_with_different_changes_decide_nothing(house: House) -> None:
    approval = ask(house)
    path = house.note()
    copy = path.with_name("EMAIL_copy.md")
    copy.write_text(path.read_text())
    edit(path, "copies: 2", "copies: 3")
    edit(copy, "copies: 2", "copies: 4")
    house.move("Approved", path)
    house.move("Approved", copy)
    house.sync(4)
    assert (house.state(approval), house.desk.edited) == ("pending", {})
    assert house.desk.refused == [(approval.approval_id, DIFFERENT)]


def test_a_property_that_is_gone_says_nothing(house: House) -> None:
    approval = ask(house)
    edit(house.note(), "copies: 2\n", "")
    house.move("Approved")
    house.sync()
    assert (house.state(approval), house.desk.edited) == ("approved", {})


def test_a_parameter_that_has_the_name_of_a_key_of_aie_s_own_is_told_apart(house: House) -> None:
    approval = ask(house, params={"title": "Pay?", "description": "x\ny"}, editable=("title", "description"),
                   body="x\ny", body_field="description", title="Pay?")  # fmt: skip
    edit(house.note(), 'set_title: "Pay?"', 'set_title: "Pay later?"')
    house.move("Approved")
    house.sync()
    assert house.desk.edited == {approval.approval_id: {"title": "Pay later?"}}


def test_one_that_is_decided_in_a_terminal_says_so_and_comes_back_when_it_is_moved(house: House) -> None:
    approval = ask(house, required_channel="cli", rule="large ones")
    text = house.note().read_text()
    assert "By the rule “large ones” of aie.toml." in text
    assert "This one is decided in a terminal only; moving the note decides nothing:" in text
    house.desk.stronger = "this one is decided in a terminal only: aie approvals approve apr_01aaaaaa"
    house.move("Approved")
    house.sync(2)
    assert (house.state(approval), house.names()) == ("pending", {"Pending_Approval": [NOTE]})
    assert "> [!warning] this one is decided in a terminal only" in house.note().read_text()


def test_the_note_links_to_the_file_that_started_it(house: House) -> None:
    ask(house, source_note="Inbox/Offer 3]].md")
    assert "From: [[Inbox/Offer 3]]\n" in house.note().read_text()


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(body=TEXTS, subject=TEXTS, labels=st.lists(TEXTS, max_size=3))
def test_whatever_the_values_are_a_note_that_nobody_changed_has_no_changes_in_it(
    tmp_path_factory: pytest.TempPathFactory, body: str, subject: str, labels: list[str]
) -> None:
    house = House(tmp_path_factory.mktemp("v"))
    approval = ask(house, params={"subject": subject, "labels": labels, "body": body}, title="x",
                   editable=("subject", "labels", "body"))  # fmt: skip
    house.move("Approved")
    house.sync()
    assert (house.state(approval), house.desk.edited) == ("approved", {})


def test_a_change_of_type_is_a_change(house: House) -> None:
    approval = ask(house)
    (note,) = house.channel._shelf.survey(house.vault, START.timestamp())[0]
    assert edits_in(approval, replace(note, values={**note.values, "urgent": 0})) == {"urgent": 0}


# --- the list of what waits -------------------------------------------------------------------------------------------


def test_one_note_lists_what_waits_soonest_end_first_and_comes_back_when_it_was_moved_along(house: House) -> None:
    channel = WaitingChannel(house.channel._settings, house.channel._shelf._files)

    def listed() -> str:
        asyncio.run(channel.sync(house.desk))
        path = house.vault / "Pending_Approval" / NAME
        return path.read_text() if path.exists() else ""

    assert listed() == ""
    house.desk.ask("aaaaaa", title="Later | one", expires_at=START + dt.timedelta(days=9))
    house.desk.ask("bbbbbb", title="Soon")
    assert listed() == (
        "---\naie_type: list\nwaiting: 2\n---\n\n# 2 requests wait for you\n\n"
        "| request | workflow | asked | ends |\n| --- | --- | --- | --- |\n"
        "| [[EMAIL_20260209_Soon_bbbbbb\\|Soon]] | invoice_to_email | 2026-02-09 18:30 | 2026-02-16 18:30 |\n"
        "| [[EMAIL_20260209_Later-one_aaaaaa\\|Later \\| one]] | invoice_to_email | 2026-02-09 18:30 "
        "| 2026-02-18 18:30 |\n"
        "\nAll of one kind at once, after a look: `aie approvals approve --all --workflow NAME`\n"
    )
    house.sync()
    assert all(note.name != NAME for note in house.channel._shelf.survey(house.vault, START.timestamp())[0])
    for path in (house.vault / "Pending_Approval").glob("*.md"):
        house.move("Approved", path)
    house.sync()
    assert listed() == ""
    assert not (house.vault / "Approved" / NAME).exists()

    house.desk.ask("cccccc", title="Soon")
    assert listed().startswith("---\naie_type: list\nwaiting: 1\n---\n\n# 1 request waits for you\n")
    house.desk.approvals.clear()
    house.desk.revision += 1
    assert listed() == "---\naie_type: list\nwaiting: 0\n---\n\n# Nothing waits for you\n"
