"""``aie approvals``: what waits, what exactly will happen, deciding, and what came of it."""

from __future__ import annotations

import json
import signal
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aie.cli.approvals.choosing import find_approval
from aie.errors import AieError, NotFoundError
from tests.command_line import CommandLine, Ran, new_vault

ASK = {
    "action_type": "request_approval",
    "parameters": {"title": "Buy {{ event.data.name }}?", "description": "Amount: {{ event.data.amount }}"},
}
TELL = {
    "action_type": "send_notification",
    "parameters": {"title": "Decided", "message": "By {{ results.action_0.decided_by }}"},
}


@pytest.fixture
def aie(tmp_path: Path) -> CommandLine:
    aie = new_vault(tmp_path)
    aie.workflow("buy", name="Buying", trigger_event="expense_recorded", actions=[ASK, TELL])
    return aie


def expense(aie: CommandLine, name: str) -> str:
    """Emit an expense; the id of the request it leads to."""
    ran = aie("emit", "expense_recorded", "--data", json.dumps({"name": name, "amount": 750}))
    assert ran.code == 0, ran.err
    return str(waiting(aie)[-1]["approval_id"])


def waiting(aie: CommandLine) -> list[dict[str, Any]]:
    return aie("approvals", "list", "--json").records


def error(ran: Ran) -> tuple[int, dict[str, Any]]:
    (record,) = ran.records
    return ran.code, record


def test_nothing_waits_where_nothing_happened(aie: CommandLine) -> None:
    ran = aie("approvals", "list")
    assert (ran.code, ran.out, ran.err) == (0, "Nothing waits for a decision.\n", "")
    assert aie("approvals", "list", "--json").out == ""


def test_list_has_what_who_and_since_when(aie: CommandLine) -> None:
    approval_id = expense(aie, "a chair")
    (record,) = waiting(aie)
    asked_at, ends_at = (datetime.fromisoformat(record[name]) for name in ("requested_at", "expires_at"))
    assert ends_at - asked_at == timedelta(days=7)
    varying = {name: record[name] for name in ("run_id", "reason", "requested_at", "expires_at")}
    assert record == {
        "approval_id": approval_id,
        "state": "pending",
        "title": "Buy a chair?",
        "action_type": "request_approval",
        "workflow_id": "buy",
        "workflow_name": "Buying",
        "step_id": "action_0",
        "decided_at": None,
        "decided_by": "",
        "channel": "",
        "comment": "",
        "step_status": "asked",
        "step_error": "",
        "rule": "",
        "required_channel": "",
        "editable": ["title", "description"],
        "edits": [],
        **varying,
    }
    short = approval_id[-6:]
    assert aie("approvals", "list").out.splitlines()[1].split() == [
        short, "request_approval:", "Buy", "a", "chair?", "buy", "just", "now",
    ]  # fmt: skip


def test_show_says_exactly_what_will_happen_and_how_to_decide(aie: CommandLine) -> None:
    approval_id = expense(aie, "a chair")
    lines = aie("approvals", "show", approval_id[-6:]).out.splitlines()
    assert lines[:4] == [
        "Buy a chair?",
        "",
        f"  Id         {approval_id}",
        "  Asked by   Buying (buy), step action_0",
    ]
    assert lines[-8:] == [
        "",
        "What will be carried out, exactly this",
        "  description  Amount: 750",
        "  title        Buy a chair?",
        "",
        f"Approve: aie approvals approve {approval_id}",
        f"Reject:  aie approvals reject {approval_id}",
        f"Change:  aie approvals approve {approval_id} --set NAME=VALUE; of these: title, description",
    ]


def test_approving_carries_out_and_tells_how_it_went(aie: CommandLine) -> None:
    approval_id = expense(aie, "a chair")
    ran = aie("approvals", "approve", approval_id, "--comment", "go on", "--json")
    (record,) = ran.records
    by = record["decided_by"]
    assert ran.code == 0
    assert record == {
        "approval_id": approval_id,
        "accepted": True,
        "message": "approved",
        "state": "approved",
        "decided_by": by,
        "workflow_id": "buy",
        "run_id": record["run_id"],
        "step_id": "action_0",
        "step_status": "succeeded",
        "step_result": {
            "status": "approved",
            "approved": True,
            "decided_by": by,
            "channel": "cli",
            "comment": "go on",
        },
        "step_error": "",
        "edits": [],
        "run_status": "succeeded",
    }
    assert waiting(aie) == []
    (note,) = (aie.vault / "Inbox").glob("NOTIFICATION_*.md")
    assert f"By {by}" in note.read_text()


def test_rejecting_leaves_it_undone(aie: CommandLine) -> None:
    approval_id = expense(aie, "a chair")
    ran = aie("approvals", "reject", approval_id, "--comment", "too dear")
    assert (ran.code, ran.out.splitlines()[:2]) == (
        0,
        ["Rejected: Buy a chair?", "  Step request_approval (action_0) is not done"],
    )
    (record,) = aie("approvals", "list", "--all", "--json").records
    assert (record["state"], record["comment"], record["step_status"]) == ("rejected", "too dear", "rejected")
    assert not list((aie.vault / "Inbox").glob("NOTIFICATION_*.md"))


def test_what_was_decided_stays_decided_and_says_by_whom_and_when(aie: CommandLine) -> None:
    approval_id = expense(aie, "a chair")
    aie("approvals", "approve", approval_id)
    ran = aie("approvals", "reject", approval_id)
    (decided,) = aie("approvals", "show", approval_id, "--json").records
    assert ran.code == 1
    assert ran.out.startswith(f"Not decided: Buy a chair?: was already approved by {decided['decided_by']} (cli) on 20")
    assert (decided["state"], decided["run_status"]) == ("approved", "succeeded")


class Requests:
    """A history of requests with ids of one's choosing."""

    def __init__(self, *ids: str) -> None:
        self.ids = ids

    def approval(self, approval_id: str) -> SimpleNamespace | None:
        return self._one(approval_id) if approval_id in self.ids else None

    def find_approvals(self, text: str) -> list[SimpleNamespace]:
        return [self._one(each) for each in self.ids if each.startswith(text) or each.endswith(text)]

    def approvals(self, *, pending: bool) -> list[SimpleNamespace]:
        return [self._one(each) for each in self.ids]

    @staticmethod
    def _one(approval_id: str) -> SimpleNamespace:
        return SimpleNamespace(approval_id=approval_id, action_type="wait", title="T", state="pending")


def test_an_id_that_could_be_two_names_both_and_chooses_none() -> None:
    history: Any = Requests("apr_aaaa1111", "apr_aaaa2222", "apr_bbbb1111")
    with pytest.raises(AieError) as caught:
        find_approval(history, "aaaa")
    assert caught.value.as_dict() == {
        "error": "'aaaa' could be 2 requests:\n  apr_aaaa1111  wait: T (pending)\n  apr_aaaa2222  wait: T (pending)",
        "where": "id",
        "hint": "give more of the id",
    }
    chosen = [
        find_approval(history, text).approval_id for text in ("bbbb", "apr_bbbb", "2222", "APR_AAAA1", "apr_aaaa1111")
    ]
    assert chosen == ["apr_bbbb1111", "apr_bbbb1111", "apr_aaaa2222", "apr_aaaa1111", "apr_aaaa1111"]


def test_an_id_nobody_has_names_the_nearest() -> None:
    history: Any = Requests("apr_aaaa1111", "apr_bbbb2222")
    with pytest.raises(NotFoundError) as caught:
        find_approval(history, "apr_aaaa1112")
    assert caught.value.hint == "did you mean 'apr_aaaa1111'?"


def test_one_unknown_id_among_several_and_nothing_is_decided(aie: CommandLine) -> None:
    first, second = expense(aie, "a chair"), expense(aie, "a table")
    ran = aie("approvals", "approve", first, "nope1", "--json")
    assert error(ran) == (
        1,
        {
            "error": "no request has the id 'nope1'",
            "where": "id",
            "hint": "aie approvals list --all shows all there are",
        },
    )
    assert [each["approval_id"] for each in waiting(aie)] == [first, second]


@pytest.mark.parametrize("text", ["", "%", "apr_", "____", "a%b%"])
def test_what_is_no_id_finds_nothing(aie: CommandLine, text: str) -> None:
    expense(aie, "a chair")
    code, record = error(aie("approvals", "approve", text, "--json"))
    assert (code, record["error"]) == (1, f"{text!r} is not the id of a request")
    assert len(waiting(aie)) == 1


def test_several_can_be_decided_at_once(aie: CommandLine) -> None:
    first, second = expense(aie, "a chair"), expense(aie, "a table")
    ran = aie("approvals", "approve", first[-6:], second[:12], "--json")
    assert (ran.code, [(each["approval_id"], each["step_status"]) for each in ran.records]) == (
        0,
        [(first, "succeeded"), (second, "succeeded")],
    )


def test_text_from_an_event_steers_no_terminal_and_is_no_markup(aie: CommandLine) -> None:
    expense(aie, "\x1b[31m[red]x[/red]\nFAKE\u202e")
    listed, shown = aie("approvals", "list").out, aie("approvals", "show", waiting(aie)[0]["approval_id"]).out
    assert shown.splitlines()[0] == "Buy \\x1b[31m[red]x[/red]\\nFAKE\\u202e?"
    assert "[red]x[/red]" in listed
    assert not {"\x1b", "\u202e"} & set(listed + shown)


def test_beside_a_running_aie_the_decision_is_handed_over_and_followed(aie: CommandLine) -> None:
    approval_id = expense(aie, "a chair")
    process = aie.start()
    try:
        ran = aie("approvals", "approve", approval_id, "--json")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    (record,) = ran.records
    assert (ran.code, record["accepted"], record["step_status"], record["run_status"]) == (
        0,
        True,
        "succeeded",
        "succeeded",
    )
