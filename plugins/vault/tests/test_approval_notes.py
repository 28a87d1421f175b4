"""Requests as notes: moving a note decides, and nothing else that looks like it does."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import os
import re
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aie.approvals import Approval, ApprovalState, Decision, Edit, Notice
from aie.files import Files
from aie.plain import digest
from aie_vault import approval_text, frontmatter
from aie_vault.approval_notes import WRONG_WORD, NoteChannel
from aie_vault.settings import VaultSettings

BERLIN = ZoneInfo("Europe/Berlin")
START = dt.datetime(2026, 2, 9, 17, 30, tzinfo=dt.UTC)
PARAMS = {"to": "kim@example.com", "subject": "Invoice 1", "body": "Dear Kim,\n\nplease pay.\n"}


@dataclass
class Desk:
    """The approvals of a small journal in memory."""

    vault: Path
    approvals: dict[str, Approval] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)
    evidence: list[tuple[str, bool, str, str]] = field(default_factory=list)
    edited: dict[str, dict[str, object]] = field(default_factory=dict)
    unfit: str = ""  # why edits cannot be taken
    stronger: str = ""  # why a note is not enough
    settings: object = None
    timezone: ZoneInfo = BERLIN
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("aie.test"))
    now: dt.datetime = START
    revision: int = 1

    def ask(self, name: str = "aaaaaa", **changes) -> Approval:
        params = changes.pop("params", PARAMS)
        approval = Approval(
            approval_id=f"apr_01{name}",
            run_id="run_01",
            step_id="action_1",
            workflow_id="invoice_to_email",
            workflow_name="Invoice Created → Email Notification",
            action_type="gmail.send_email",
            note_kind="EMAIL",
            title=changes.pop("title", "Send invoice INV/2026/00001"),
            body=changes.pop("body", "Dear Kim,\n\nplease pay.\n"),
            params=params,
            digest=digest(params),
            definition_hash="sha256:00",
            reason="invoice_created from odoo: evt_001",
            state=ApprovalState.PENDING,
            requested_at=START,
            expires_at=START + dt.timedelta(days=7),
            step_status="asked",
        )
        return self.set(replace(approval, **changes))

    def set(self, approval: Approval) -> Approval:
        self.approvals[approval.approval_id] = approval
        self.revision += 1
        return approval

    def pending(self) -> list[Approval]:
        return [approval for approval in self.approvals.values() if approval.state is ApprovalState.PENDING]

    def notices(self) -> list[Notice]:
        return []

    def get(self, approval_id: str) -> Approval | None:
        return self.approvals.get(approval_id)

    async def decide(self, approval_id, *, approved, by, evidence, comment="", edits=None) -> Decision:
        approval = self.get(approval_id)
        if approval is None:
            return Decision(False, None, "no such approval")
        if approval.state is not ApprovalState.PENDING:
            return Decision(False, approval, f"was already {approval.state}")
        if self.stronger:
            return Decision(False, approval, self.stronger)
        if edits and self.unfit:
            return Decision(False, approval, self.unfit)
        self.evidence.append((approval_id, approved, evidence, comment))
        if edits:
            self.edited[approval_id] = edits
            changes = tuple(Edit(name, approval.params[name], value) for name, value in edits.items())
            params = {**approval.params, **edits}
            approval = replace(approval, params=params, digest=digest(params), edits=changes)
        state = ApprovalState.APPROVED if approved else ApprovalState.REJECTED
        status = "ready" if approved else "rejected"
        decided = replace(
            approval, state=state, decided_at=self.now, decided_by=by, channel="vault.notes", step_status=status
        )
        return Decision(True, self.set(decided), "done")

    async def refuse(self, approval_id: str, *, reason: str) -> None:
        self.refused.append((approval_id, reason))

    def carried_out(self, approval: Approval, status: str = "succeeded", **changes) -> None:
        self.set(replace(self.approvals[approval.approval_id], step_status=status, **changes))


class House:
    """A vault, the desk, and a channel that can be forgotten and made anew."""

    def __init__(self, vault: Path) -> None:
        self.vault = vault
        self.desk = Desk(vault)
        self.restart()

    def restart(self) -> None:
        self.channel = NoteChannel(VaultSettings(), Files())

    def sync(self, times: int = 1) -> None:
        for _ in range(times):
            asyncio.run(self.channel.sync(self.desk))
            self.desk.now += dt.timedelta(seconds=1)

    def names(self) -> dict[str, list[str]]:
        folders = ("Pending_Approval", "Approved", "Rejected", "Done")
        found = {name: sorted(os.listdir(self.vault / name)) for name in folders if (self.vault / name).exists()}
        return {name: names for name, names in found.items() if names}

    def note(self, folder: str = "Pending_Approval") -> Path:
        (path,) = (self.vault / folder).iterdir()
        return path

    def move(self, to: str, path: Path | None = None, name: str = "") -> Path:
        path = path or self.note()
        target = self.vault / to / (name or path.name)
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
        return target

    def state(self, approval: Approval) -> str:
        return self.desk.approvals[approval.approval_id].state.value

    def properties(self, path: Path) -> dict:
        return dict(frontmatter.read(path.read_bytes().decode()).values)


NAME = "EMAIL_20260209_Send-invoice-INV-2026-00001_aaaaaa.md"


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


@pytest.fixture
def asked(house):
    approval = house.desk.ask()
    house.sync()
    return approval


# --- asking ------------------------------------------------------------------------------------------------------


def test_a_request_is_shown_as_a_note(house, asked):
    assert house.names() == {"Pending_Approval": [NAME]}
    assert house.note().read_text() == (
        """---
aie_id: apr_01aaaaaa
aie_type: approval
aie_status: pending
decision:
workflow: invoice_to_email
action: gmail.send_email
title: "Send invoice INV/2026/00001"
requested: 2026-02-09T18:30:00
expires: 2026-02-16T18:30:00
digest: "DIGEST"
run: run_01
tags:
  - aie/approval
---

# Send invoice INV/2026/00001

The workflow “Invoice Created → Email Notification” asks to run `gmail.send_email` (step `action_1`).

Why: invoice_created from odoo: evt_001

## What will happen

```text
Dear Kim,

please pay.

```

## All values

```text
to: kim@example.com
subject: Invoice 1
body: (the text above)
```

## If nobody answers

On 2026-02-16 18:30 (Europe/Berlin) the request expires, and nothing is done.

## How to decide

- Yes: move this note into `Approved/`, or write `approve` under decision at the top.
- No: move it into `Rejected/`, or write `reject` there.
- Or in a terminal: `aie approvals approve apr_01aaaaaa`, or the same with `reject`.

What is shown above is what runs; changes to it are not carried out.

Anything you write below this line is kept as your comment.
""".replace("DIGEST", asked.digest)
    )


def test_a_note_that_was_deleted_is_written_again(house, asked):
    house.note().unlink()
    house.sync()

    assert house.names() == {"Pending_Approval": [NAME]}


def test_looking_again_writes_nothing(house, asked):
    before = house.note().stat()
    house.sync(3)
    house.restart()
    house.sync(3)

    assert house.note().stat() == before
    assert house.desk.refused == []


def test_requests_whose_names_would_be_the_same_get_a_note_each(house):
    first = house.desk.ask("x1aaaaaa")
    second = house.desk.ask("x2aaaaaa")
    house.sync()

    ids = {house.properties(path)["aie_id"] for path in (house.vault / "Pending_Approval").iterdir()}
    assert ids == {first.approval_id, second.approval_id}


def test_among_very_many_notes_a_move_counts_at_once_and_a_word_within_ten_seconds(house, monkeypatch):
    monkeypatch.setattr("aie_vault.approval_shelf.MANY", 3)
    moved, worded, *_ = [house.desk.ask(f"{name}aaaaa") for name in "abcd"]
    house.sync(3)
    by_id = {house.properties(path)["aie_id"]: path for path in (house.vault / "Pending_Approval").iterdir()}
    path = by_id[worded.approval_id]
    path.write_text(path.read_text().replace("decision:", "decision: approve", 1))
    house.sync(10)
    assert house.state(worded) == "approved"

    house.move("Approved", by_id[moved.approval_id])
    house.sync()
    assert house.state(moved) == "approved"


# --- deciding ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("folder", "state"), [("Approved", "approved"), ("Rejected", "rejected")])
@pytest.mark.parametrize("restarted", [False, True])
def test_moving_the_note_decides_also_while_aie_was_off(house, asked, folder, state, restarted):
    house.move(folder)
    if restarted:
        house.restart()
    house.sync()

    assert house.state(asked) == state
    assert house.desk.evidence == [(asked.approval_id, state == "approved", f"moved to {folder}/", "")]
    assert house.names() == {folder: [NAME]}


@pytest.mark.parametrize(
    ("word", "state"),
    [("approve", "approved"), ("reject", "rejected"), ("Approve", "approved"), ('"reject"', "rejected")],
)
def test_a_word_in_the_note_decides(house, asked, word, state):
    path = house.note()
    path.write_text(path.read_text().replace("decision:", f"decision: {word}", 1))
    house.sync()

    assert house.state(asked) == state
    said = word.lower().strip('"')
    assert house.desk.evidence == [
        (asked.approval_id, state == "approved", f"decision: {said} in Pending_Approval/{NAME}", "")
    ]
    assert house.names() == {"Approved" if state == "approved" else "Rejected": [NAME]}


@pytest.mark.parametrize(
    "word", ["approverejected", "yes", "true", "maybe", "approved", "[approve]", "approve reject", "1"]
)
def test_any_other_word_decides_nothing_and_the_note_says_so(house, asked, word):
    path = house.note()
    original = path.read_text()
    path.write_text(original.replace("decision:", f"decision: {word}", 1))
    house.sync(3)

    assert house.state(asked) == "pending"
    assert f"> [!warning] {approval_text.UNKNOWN_WORD}" in path.read_text()

    path.write_text(path.read_text().replace(f"decision: {word}", "decision:", 1))
    house.sync(3)
    assert path.read_text() == original


def test_what_is_written_under_the_line_is_the_comment(house, asked):
    path = house.note()
    path.write_text(path.read_text() + "\nFine, but late.\n")
    house.move("Approved")
    house.sync()

    assert house.desk.evidence == [(asked.approval_id, True, "moved to Approved/", "Fine, but late.")]


def test_identity_is_the_id_in_the_note_and_not_its_name(house, asked):
    house.move("Approved", name="ok.md")
    house.sync()

    assert (house.state(asked), house.names()) == ("approved", {"Approved": ["ok.md"]})


def test_line_ends_byte_order_mark_and_added_properties_do_not_matter_and_stay(house, asked):
    path = house.note()
    text = path.read_text().replace("tags:", "mine: 12:30\ntags:").replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    path = house.move("Approved")
    house.sync()

    data = path.read_bytes()
    assert house.state(asked) == "approved"
    assert data == b"\xef\xbb\xbf" + text.replace("aie_status: pending", "aie_status: approved").encode()


# --- outcome -----------------------------------------------------------------------------------------------------


def test_once_carried_out_the_note_goes_to_done_with_the_outcome(house, asked):
    text = house.note().read_text()
    house.move("Approved")
    house.sync()
    house.desk.carried_out(asked, step_result={"message_id": "<1@x>"})
    house.sync()

    expected = text.replace("aie_status: pending", "aie_status: done")
    outcome = """
## Outcome

- Approved on 2026-02-09 18:30 by vault, through vault.notes.
- The action: succeeded.

Result:

```text
{
  "message_id": "<1@x>"
}
```
"""
    assert house.names() == {"Done": [NAME]}
    assert house.note("Done").read_text() == expected + outcome


def test_a_failed_action_is_told_in_the_note(house, asked):
    house.move("Approved")
    house.sync()
    house.desk.carried_out(asked, "failed", step_error="550 no such user `rm -rf`")
    house.sync()

    assert house.properties(house.note("Done"))["aie_status"] == "failed"
    assert "- Error: 550 no such user \\`rm -rf\\`\n" in house.note("Done").read_text()


def test_a_rejected_note_stays_with_its_outcome(house, asked):
    house.move("Rejected")
    house.sync()
    before = house.note("Rejected").stat()
    house.restart()
    house.sync(3)

    assert house.note("Rejected").stat() == before
    assert house.properties(house.note("Rejected"))["aie_status"] == "rejected"
    assert (
        house.note("Rejected")
        .read_text()
        .endswith(
            "## Outcome\n\n- Rejected on 2026-02-09 18:30 by vault, through vault.notes.\n- Nothing was carried out.\n"
        )
    )


@pytest.mark.parametrize(
    ("state", "step", "where", "status"),
    [
        (ApprovalState.APPROVED, "ready", "Approved", "approved"),
        (ApprovalState.APPROVED, "succeeded", "Done", "done"),
        (ApprovalState.REJECTED, "rejected", "Rejected", "rejected"),
        (ApprovalState.EXPIRED, "rejected", "Rejected", "expired"),
        (ApprovalState.CANCELLED, "cancelled", "Done", "cancelled"),
    ],
)
def test_a_decision_made_elsewhere_moves_the_note(house, asked, state, step, where, status):
    house.desk.set(replace(asked, state=state, step_status=step, decided_at=START, channel="cli", decided_by="kim"))
    house.restart()
    house.sync(2)

    assert house.names() == {where: [NAME]}
    assert house.properties(house.note(where))["aie_status"] == status


# --- what does not decide ----------------------------------------------------------------------------------------


def replaced(old: str, new: str):
    return lambda text: text.replace(old, new, 1)


TAMPERED = {
    "recipient": replaced("to: kim@example.com", "to: mallory@example.com"),
    "body": replaced("please pay.", "please pay twice."),
    "why": replaced("Why: invoice_created", "Why: nothing"),
    "text before it": replaced("\n# Send", "\nHarmless, trust me.\n\n# Send"),
    "text between": replaced("## All values", "All fine.\n\n## All values"),
    "heading faked": replaced("## All values", "## If nobody answers\n\n## All values"),
    "digest": replaced('digest: "sha256:', 'digest: "sha256:00'),
    "digest gone": replaced("digest: ", "dig: "),
    "front matter broken": replaced('title: "Send', 'title: "Se"nd'),
    "word twice": replaced("decision:", "decision: approve\ndecision: reject"),
    "cut off": lambda text: text[:600],
    "closed": lambda text: text + "\n## Outcome\n\n- Approved.\n",
    "not text": lambda text: text.replace("kim@", "k\udcff@"),
}


@pytest.mark.parametrize("change", TAMPERED)
@pytest.mark.parametrize("folder", ["Approved", "Rejected"])
def test_a_changed_note_is_refused_kept_and_asked_anew(house, asked, change, folder):
    path = house.note()
    original = path.read_text()
    path.write_bytes(TAMPERED[change](original).encode(errors="surrogateescape"))
    house.move(folder)
    house.sync(4)

    assert (house.state(asked), house.desk.evidence) == ("pending", [])
    assert [approval_id for approval_id, _ in house.desk.refused] == [asked.approval_id]
    assert house.names() == {"Pending_Approval": [NAME], "Done": [NAME]}
    reason = house.desk.refused[0][1]
    assert f"> [!warning] {reason}" in house.note().read_text()
    assert approval_text.with_remark(house.note().read_text(), "") == original
    assert reason.encode() in house.note("Done").read_bytes()

    house.move("Approved")
    house.sync()
    assert house.state(asked) == "approved"


def test_a_note_that_is_still_being_written_is_waited_for(house, asked):
    text = house.note().read_text()
    path = house.move("Approved")
    path.write_text(text[:400])
    house.sync()
    path.write_text(text[:600])
    house.sync()
    assert (house.desk.refused, house.state(asked)) == ([], "pending")

    path.write_text(text)
    house.sync()
    assert (house.desk.refused, house.state(asked)) == ([], "approved")


def test_a_change_to_a_note_that_waits_is_answered_in_the_note(house, asked):
    path = house.note()
    original = path.read_text()
    path.write_text(original.replace("kim@", "mallory@"))
    house.sync(3)

    assert house.state(asked) == "pending"
    assert f"> [!warning] {approval_text.EDITED}" in path.read_text()

    path.write_text(path.read_text().replace("mallory@", "kim@"))
    house.sync(3)
    assert path.read_text() == original


def test_yes_and_no_at_once_is_neither(house, asked):
    shutil.copy(house.note(), house.vault / "Rejected" / "copy.md")
    house.move("Approved")
    house.sync(3)

    assert (house.state(asked), len(house.desk.refused)) == ("pending", 1)
    assert list(house.names()) == ["Pending_Approval"]
    assert "approved and rejected at the same time" in house.note().read_text()


def test_a_word_against_the_folder_is_neither_and_the_word_is_cleared(house, asked):
    path = house.note()
    path.write_text(path.read_text().replace("decision:", "decision: reject", 1))
    house.move("Approved")
    house.sync(4)

    assert (house.state(asked), len(house.desk.refused)) == ("pending", 1)
    assert house.properties(house.note())["decision"] is None


def test_an_unknown_word_in_a_note_that_was_moved_decides_nothing(house, asked):
    path = house.note()
    path.write_text(path.read_text().replace("decision:", "decision: hmm", 1))
    house.move("Approved")
    house.sync(4)

    assert (house.state(asked), len(house.desk.refused)) == ("pending", 1)
    assert WRONG_WORD in house.note().read_text()


def test_a_copy_left_behind_is_taken_away_and_decides_nothing(house, asked):
    shutil.copy(house.note(), house.vault / "Approved" / "copy.md")
    house.sync()

    assert (house.state(asked), house.names()) == ("approved", {"Approved": ["copy.md"]})


def test_a_copy_with_something_of_a_persons_own_is_kept_in_done(house, asked):
    copy = house.vault / "Approved" / "copy.md"
    shutil.copy(house.note(), copy)
    house.note().write_text(house.note().read_text() + "\nAsk Bob first.\n")
    house.sync()

    assert house.names() == {"Approved": ["copy.md"], "Done": [NAME]}
    assert "Ask Bob first." in house.note("Done").read_text()


@pytest.mark.parametrize(
    "name",
    [
        "EMAIL (Conflicted copy phone 202602091830).md",
        "EMAIL (Kim's conflicted copy 2026-02-09).md",
        "EMAIL.sync-conflict-20260209-183000-ABCDEFG.md",
        "EMAIL-DESKTOP-4F2K9QX.md",
    ],
)
def test_a_conflict_copy_decides_nothing(house, asked, name, caplog):
    shutil.copy(house.note(), house.vault / "Approved" / name)
    house.sync(4)

    assert (house.state(asked), house.names()["Pending_Approval"]) == ("pending", [NAME])
    assert [record.getMessage() for record in caplog.records] == [
        f"Approved/{name} is a sync tool's conflict copy and decides nothing"
    ]


def test_notes_whose_ids_were_swapped_decide_nothing(house, asked):
    other = house.desk.ask("bbbbbb", params={"to": "all@example.com"}, title="Other", body="To all")
    house.sync()
    mine, others = (house.vault / "Pending_Approval" / name for name in (NAME, "EMAIL_20260209_Other_bbbbbb.md"))
    mine.write_text(mine.read_text().replace("apr_01aaaaaa", "apr_01bbbbbb"))
    others.write_text(others.read_text().replace("apr_01bbbbbb", "apr_01aaaaaa"))
    house.move("Approved", mine)
    house.move("Rejected", others)
    house.sync(4)

    assert (house.state(asked), house.state(other), len(house.desk.refused)) == ("pending", "pending", 2)
    waiting = sorted(house.properties(path)["aie_id"] for path in (house.vault / "Pending_Approval").iterdir())
    assert waiting == ["apr_01aaaaaa", "apr_01bbbbbb"]


def test_a_foreign_note_is_left_alone_and_reported_once(house, asked, caplog):
    foreign = {
        "mine.md": "# Mine\n",
        "unknown.md": "---\naie_type: approval\naie_id: apr_unknown\n---\n",
        "empty.md": "",
        "binary.md": "\0\0",
    }
    for name, text in foreign.items():
        (house.vault / "Approved" / name).write_text(text)
    house.sync(4)
    house.desk.revision += 1
    house.sync()

    assert {path.name: path.read_text() for path in (house.vault / "Approved").iterdir()} == foreign
    assert sorted(record.getMessage() for record in caplog.records) == [
        f"Approved/{name} is none of aie's requests and is left alone" for name in sorted(foreign)
    ]
    assert house.state(asked) == "pending"


def test_a_link_to_a_note_decides_nothing(house, asked, caplog):
    (house.vault / "Approved" / "link.md").symlink_to(house.note())
    house.sync(3)

    assert house.state(asked) == "pending"
    assert [record.getMessage() for record in caplog.records] == ["Approved/link.md is a link or a folder, not a note"]


def test_a_folder_that_is_a_link_is_not_used(house, asked, caplog, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(house.note(), elsewhere / NAME)
    (house.vault / "Approved").rmdir()
    (house.vault / "Approved").symlink_to(elsewhere)
    house.sync(3)

    assert house.state(asked) == "pending"
    assert "'Approved' is a link" in caplog.text


@pytest.mark.parametrize("folder", ["Approved", "Rejected"])
def test_a_note_brought_back_from_done_repeats_nothing(house, asked, folder):
    house.move("Approved")
    house.sync()
    house.desk.carried_out(asked)
    house.sync()
    done = house.note("Done").read_text()
    house.move(folder, house.note("Done"))
    house.sync(2)

    assert house.desk.evidence == [(asked.approval_id, True, "moved to Approved/", "")]
    assert house.names() == {"Done": [NAME]}
    late = f"already approved on 2026-02-09 18:30, so what it said in {folder}/ changed nothing"
    assert house.note("Done").read_text() == f"{done}- This note: {late}.\n"
    assert house.desk.refused == [(asked.approval_id, late)]


def test_a_rejected_note_moved_to_approved_stays_rejected(house, asked):
    house.move("Rejected")
    house.sync()
    house.move("Approved", house.note("Rejected"))
    house.sync(2)

    assert (house.state(asked), house.names()) == ("rejected", {"Done": [NAME]})
    assert "already rejected on 2026-02-09 18:30" in house.note("Done").read_text()


def test_an_answer_after_the_request_expired_changes_nothing(house, asked):
    house.move("Approved")
    house.desk.set(replace(asked, state=ApprovalState.EXPIRED, step_status="rejected", decided_at=START))
    house.sync()

    assert (house.state(asked), house.names(), len(house.desk.refused)) == ("expired", {"Done": [NAME]}, 1)


def test_where_a_note_is_not_enough_it_comes_back_and_says_why(house, asked):
    house.desk.stronger = "more than $1000: use `aie approvals approve`"
    house.move("Approved")
    house.sync(3)

    assert (house.state(asked), house.names()) == ("pending", {"Pending_Approval": [NAME]})
    assert "> [!warning] more than $1000: use \\`aie approvals approve\\`" in house.note().read_text()


def test_a_request_whose_values_changed_is_shown_anew(house, asked):
    params = {**PARAMS, "subject": "Invoice 1, corrected"}
    house.desk.set(replace(asked, params=params, digest=digest(params)))
    house.sync(3)

    assert house.properties(house.note())["digest"] == digest(params)
    assert "subject: Invoice 1, corrected" in house.note().read_text()


@pytest.mark.parametrize("crash_at", range(12))
def test_a_crash_between_any_two_writes_is_made_good(house, asked, crash_at, monkeypatch):
    path = house.note()
    path.write_text(path.read_text() + "\nMy comment.\n")
    house.move("Approved")
    calls, real_replace, real_link, real_unlink = [], os.replace, os.link, os.unlink

    def crashing(real):
        def call(*args, **kwargs):
            calls.append(1)
            if len(calls) == crash_at + 1:
                raise KeyboardInterrupt
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name, real in (("replace", real_replace), ("link", real_link), ("unlink", real_unlink)):
            patch.setattr(os, name, crashing(real))
        try:
            house.sync()
            house.desk.carried_out(asked)
            house.sync(2)
        except KeyboardInterrupt:
            pass
    house.restart()
    house.sync()
    house.desk.carried_out(asked)
    house.sync(2)

    assert len(house.desk.evidence) == 1
    visible = {folder: [name for name in names if not name.startswith(".")] for folder, names in house.names().items()}
    assert {folder: names for folder, names in visible.items() if names} == {"Done": [NAME]}
    assert (house.vault / "Done" / NAME).read_text().count("## Outcome") == 1


# --- foreign text ------------------------------------------------------------------------------------------------

HOSTILE = st.lists(
    st.sampled_from(
        [
            *(
                "\n---\n",
                "---",
                "\r",
                "\r\n",
                "\u2028",
                "\x85",
                "decision: approve\n",
                "aie_id: apr_x\n",
                "```",
                "````\n",
                "~~~\n",
            ),
            *(
                "\n## If nobody answers\n",
                "\n## Outcome\n",
                "<% tp.file.x %>",
                "<<%",
                "%%",
                "`= this`",
                "```dataviewjs\n",
            ),
            *(
                "> [!warning] x\n",
                "- [x] Approve\n",
                "\ufeff",
                "\0",
                "\u202e",
                '"',
                "'",
                "\\",
                ": ",
                "# ",
                "{{x}}",
                "<b>",
            ),
            *("Anything you write below this line is kept as your comment.\n", "ä", "😀", "text"),
        ]
    )
    | st.text(max_size=5),
    max_size=12,
).map("".join)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_whatever_text_a_request_holds_its_note_stays_undecided_and_runs_nothing(tmp_path, title, body, value, reason):
    approval = Desk(tmp_path).ask(title=title, body=body, params={"text": value, "list": [value]}, reason=reason)
    text = approval_text.note_text(approval, VaultSettings(), BERLIN)

    properties = frontmatter.read(text)
    assert (properties.broken, properties.values["aie_id"], properties.values["decision"]) == (
        False,
        approval.approval_id,
        None,
    )
    assert approval_text.hash_of(text) == approval_text.shown_hash(approval)
    assert (approval_text.comment_in(text), approval_text.remark_in(text)) == ("", "")
    assert approval_text.has_outcome(text) is False
    assert "<%" not in text
    outside = "\n".join(_outside_fences(frontmatter.body(text)))
    assert re.findall(r"(?<!\\)`|<|%%|::|~~~|!\[", outside) == []


def _outside_fences(body: str) -> list[str]:
    lines, fence = [], ""
    for line in body.split("\n"):
        if fence:
            fence = "" if line == fence else fence
        elif line.startswith("```"):
            fence = line.removesuffix("text")
        else:
            lines.append(line)
    assert fence == ""
    return [line for line in lines if not line.startswith(("The workflow “", "- Yes:", "- No:", "- Or in"))]
