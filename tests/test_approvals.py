"""Decisions people can trust: bound to what was shown, edited within limits, by rule, in time, held back on pause."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from aie import ActionContext, ActionHandler, AsyncOrchestrator, Event, hookimpl
from aie.approvals import Approval, ApprovalChannel, ApprovalDesk, ApprovalState
from aie.errors import PluginError
from aie.notices import timely_notices
from aie.plain import digest
from tests.stand_ins import ManualClock, make_vault, workflow

MAIL = {
    "action_type": "mail",
    "parameters": {"to": "{{ event.data.to }}", "subject": "Hello", "body": "Dear you,\n\nhello.", "copies": 1},
}
NEXT = {"action_type": "note", "parameters": {"text": "after"}}
SHOW = "aie plugins show post"
SAID: dict[str, Any] = {"by": "owner", "channel": "test", "evidence": "test"}


class Mail(BaseModel):
    """A mail."""

    model_config = ConfigDict(extra="forbid")
    to: str = Field(description="who gets it")
    subject: str = Field(description="one line")
    body: str = Field(description="the text")
    copies: int = Field(default=1, ge=1, le=9, description="how many")

    @field_validator("subject")
    @classmethod
    def _short(cls, value: str) -> str:
        if len(value) > 20:
            raise ValueError("a subject has at most 20 characters")
        return value


class Note(BaseModel):
    """A note."""

    text: str = Field(description="what it says")


@dataclass
class Post:
    """A plugin whose mail leaves the house and whose note does not; ``sent`` is what was carried out."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    known: bool = False

    @hookimpl
    def aie_action_handlers(self, settings: object) -> list[ActionHandler]:
        async def mail(params: Mail, context: ActionContext) -> dict[str, Any]:
            self.sent.append(params.model_dump())
            return {"sent": True}

        async def note(params: Note, context: ActionContext) -> None:
            self.sent.append(params.model_dump())

        def facts(params: Mail, context: ActionContext) -> dict[str, Any]:
            return {"known_contact": self.known}

        async def preview(params: Mail, context: ActionContext) -> str:
            return f"To {params.to}: {params.subject}"

        return [
            ActionHandler(
                "mail", Mail, mail, title_field="subject", body_field="body", note_kind="EMAIL", preview=preview,
                facts=facts, expires_after=timedelta(days=2),
            ),
            ActionHandler("note", Note, note, asks=False),
        ]  # fmt: skip


@dataclass
class Scene:
    """One vault, opened for a while."""

    vault: Path
    post: Post = field(default_factory=Post)
    clock: ManualClock = field(default_factory=ManualClock)

    def play(self, act: Callable[[AsyncOrchestrator], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            options: dict[str, Any] = {"plugins": {"post": self.post}, "clock": self.clock, "env": {}}
            async with AsyncOrchestrator(self.vault, **options) as orchestrator:
                return await act(orchestrator)

        return asyncio.run(main())

    def rules(self, text: str) -> None:
        with (self.vault / "aie.toml").open("a", encoding="utf-8") as file:
            file.write(text)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(make_vault(tmp_path / "v", workflow("w", MAIL, NEXT)))


def event(number: int = 1, **data: Any) -> Event:
    return Event("manual_trigger", "t", {"to": "kim@example.com", **data}, event_id=f"e{number}")


async def asked(orchestrator: AsyncOrchestrator, number: int = 1, **data: Any) -> Approval:
    await orchestrator.process_event(event(number, **data), linger_s=0)
    return orchestrator.history.approvals()[-1]


async def answer(orchestrator: AsyncOrchestrator, approval: Approval, **said: Any) -> tuple[bool, str]:
    found = await orchestrator.decide(approval.approval_id, **{"approved": True, **SAID, **said})
    await orchestrator.settle(0)
    return found["accepted"], found["message"]


def steps(orchestrator: AsyncOrchestrator, run: int = 1) -> dict[int, str]:
    return {record.index: str(record.status) for record in orchestrator.history.steps(run)}


def audit(orchestrator: AsyncOrchestrator, action: str) -> list[dict[str, Any]]:
    return [record.fields for record in orchestrator.history.audit() if record.fields["action"] == action]


# --- editing ----------------------------------------------------------------------------------------------------------


def test_what_a_person_changes_is_what_runs_and_the_difference_is_on_record(scene: Scene) -> None:
    async def act(orchestrator: AsyncOrchestrator) -> None:
        approval = await asked(orchestrator)
        assert (approval.title, approval.body) == ("Hello", "To kim@example.com: Hello")
        assert approval.editable == ("subject", "body", "copies")
        assert await answer(orchestrator, approval, edits={"subject": "Good day", "copies": 2}) == (True, "approved")
        after = orchestrator.history.approval(approval.approval_id)
        assert after is not None
        assert (after.title, after.body, after.state) == ("Good day", "To kim@example.com: Good day", "approved")
        assert sorted((edit.field, edit.before, edit.after) for edit in after.edits) == [
            ("copies", 1, 2),
            ("subject", "Hello", "Good day"),
        ]
        assert after.digest == digest(after.params) != approval.digest
        (decided,) = audit(orchestrator, "approval_decided")
        assert decided["details"]["edits"] == [edit.plain() for edit in after.edits]
        received = orchestrator.history.events(event_type="approval_received")[0]
        assert (received.data["edits"], received.data["state"]) == ([edit.plain() for edit in after.edits], "approved")

    scene.play(act)
    body = "Dear you,\n\nhello."
    assert scene.post.sent == [
        {"text": "after"},
        {"to": "kim@example.com", "subject": "Good day", "body": body, "copies": 2},
    ]


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ({"to": "eve@example.com"},
         "to cannot be changed while approving; reject the request, and ask for it as it should be"),
        ({"subject": "x" * 21},
         f"subject: a subject has at most 20 characters, found {'x' * 21!r}; see the parameters with: {SHOW}"),
        ({"copies": "many"},
         "copies: input should be a valid integer, unable to parse string as an integer, found 'many'; see the"
         f" parameters with: {SHOW}"),
        ({"colour": "red"}, "'colour' is no parameter of this request; to be changed: subject, body, copies"),
    ],
    ids=["locked", "too long", "no number", "unknown"],
)  # fmt: skip
def test_a_change_that_cannot_be_taken_decides_nothing(scene: Scene, edits: dict[str, Any], message: str) -> None:
    async def act(orchestrator: AsyncOrchestrator) -> None:
        approval = await asked(orchestrator)
        assert await answer(orchestrator, approval, edits=edits) == (False, message)
        assert [each.state for each in orchestrator.history.approvals()] == [ApprovalState.PENDING]
        assert await answer(orchestrator, approval) == (True, "approved")

    scene.play(act)
    assert [mail["subject"] for mail in scene.post.sent[1:]] == ["Hello"]


def test_a_change_back_to_what_was_there_is_no_change(scene: Scene) -> None:
    async def act(orchestrator: AsyncOrchestrator) -> None:
        approval = await asked(orchestrator)
        assert await answer(orchestrator, approval, edits={"to": "kim@example.com", "subject": "Hello"})
        after = orchestrator.history.approval(approval.approval_id)
        assert after is not None
        assert (after.edits, after.digest) == ((), approval.digest)

    scene.play(act)


# --- binding ----------------------------------------------------------------------------------------------------------


def tamper(scene: Scene, params: dict[str, Any]) -> None:
    """Somebody changes what is stored while aie is off."""
    with apsw.Connection(str(scene.vault.parent / "state" / "journal.db")) as connection:
        connection.execute("UPDATE step SET params=? WHERE position=0", (json.dumps(params),))


EVIL = {"to": "eve@example.com", "subject": "Hello", "body": "Dear you,\n\nhello.", "copies": 1}


def test_what_would_run_and_is_not_what_was_shown_is_asked_anew(scene: Scene) -> None:
    async def ask(orchestrator: AsyncOrchestrator) -> Approval:
        return await asked(orchestrator)

    async def decide(orchestrator: AsyncOrchestrator) -> None:
        told = await answer(orchestrator, approval)
        assert told == (False, "what would run is not what was shown, so it is asked anew")
        (anew,) = orchestrator.history.approvals()
        assert (anew.params, anew.approval_id != approval.approval_id) == (EVIL, True)
        before = orchestrator.history.approval(approval.approval_id)
        assert before is not None
        assert before.state is ApprovalState.CANCELLED
        assert await answer(orchestrator, anew, approved=False) == (True, "rejected")

    approval = scene.play(ask)
    tamper(scene, EVIL)
    scene.play(decide)
    assert scene.post.sent == [{"text": "after"}]


def test_what_was_approved_and_is_not_what_would_run_any_more_is_asked_anew(scene: Scene) -> None:
    async def ask(orchestrator: AsyncOrchestrator) -> None:
        approval = await asked(orchestrator)
        await orchestrator.pause("for the test", by="owner")
        assert await answer(orchestrator, approval) == (True, "approved")

    async def go_on(orchestrator: AsyncOrchestrator) -> dict[str, Any]:
        await orchestrator.resume(by="owner")
        await orchestrator.settle(0)
        (anew,) = orchestrator.history.approvals()
        return anew.params

    scene.play(ask)
    tamper(scene, EVIL)
    assert scene.play(go_on) == EVIL
    assert scene.post.sent == [{"text": "after"}]


# --- time -------------------------------------------------------------------------------------------------------------


def test_no_answer_in_time_is_a_no_and_the_run_goes_on_without(scene: Scene) -> None:
    async def act(orchestrator: AsyncOrchestrator) -> None:
        approval = await asked(orchestrator)
        assert approval.expires_at == scene.clock.now() + timedelta(days=2)
        scene.clock.move(days=2)
        await asyncio.sleep(0)
        await orchestrator.settle(0)
        after = orchestrator.history.approval(approval.approval_id)
        assert after is not None
        assert (after.state, after.decided_by, after.channel) == ("expired", "aie", "expiry")
        assert (steps(orchestrator), orchestrator.history.run(1).status) == (
            {0: "rejected", 1: "succeeded"},
            "succeeded",
        )
        assert await answer(orchestrator, approval) == (
            False, f"it was already expired on {scene.clock.now():%Y-%m-%d %H:%M} UTC, by aie (expiry)",
        )  # fmt: skip
        received = orchestrator.history.events(event_type="approval_received")[0]
        assert (received.data["approved"], received.data["state"]) == (False, "expired")

    scene.play(act)
    assert scene.post.sent == [{"text": "after"}]


def test_an_answer_that_comes_after_the_time_while_aie_was_off_changes_nothing(scene: Scene) -> None:
    async def ask(orchestrator: AsyncOrchestrator) -> Approval:
        return await asked(orchestrator)

    async def too_late(orchestrator: AsyncOrchestrator) -> tuple[bool, str]:
        return await answer(orchestrator, approval)

    approval = scene.play(ask)
    scene.clock.move(days=3)
    accepted, message = scene.play(too_late)
    assert (accepted, "expired" in message) == (False, True)
    assert scene.post.sent == [{"text": "after"}]


def test_on_failure_follows_a_request_that_expired(tmp_path: Path) -> None:
    sorry = {"action_type": "note", "parameters": {"text": "nobody said yes"}}
    steps_ = [{**MAIL, "on_failure": "action_2", "on_success": "action_3"}, NEXT, sorry]
    scene = Scene(make_vault(tmp_path / "v", workflow("w", *steps_)))

    async def act(orchestrator: AsyncOrchestrator) -> None:
        await asked(orchestrator)
        scene.clock.move(days=2)
        await asyncio.sleep(0)
        await orchestrator.settle(0)

    scene.play(act)
    assert scene.post.sent == [{"text": "nobody said yes"}]


def test_a_yes_in_time_counts_although_it_is_carried_out_later(scene: Scene) -> None:
    async def act(orchestrator: AsyncOrchestrator) -> None:
        approval = await asked(orchestrator)
        await orchestrator.pause("for the test", by="owner")
        assert await answer(orchestrator, approval) == (True, "approved")
        scene.clock.move(days=5)
        await orchestrator.resume(by="owner")
        await orchestrator.settle(0)

    scene.play(act)
    assert [mail.get("subject") for mail in scene.post.sent] == [None, "Hello"]


def test_one_reminder_at_half_of_the_time_and_one_at_nine_tenths(scene: Scene) -> None:
    async def act(orchestrator: AsyncOrchestrator) -> list[list[str]]:
        engine = orchestrator.engine
        assert engine is not None

        def reminders() -> list[str]:
            zone, now = orchestrator.config.timezone, scene.clock.now()
            found = timely_notices(engine.history, engine.credentials, engine.library.shelf, now, zone)
            return [f"{notice.notice_id[:8]}{notice.since:%d %H:%M} {notice.title}" for notice in found]

        seen = []
        await asked(orchestrator, 1)
        await asked(orchestrator, 2)
        for hours in (23, 1, 19, 5):
            scene.clock.move(hours=hours)
            seen.append(reminders())
        return seen

    ends = "2 requests wait for you, until 2026-02-11 18:30"
    half, late = [f"reminder10 17:30 {ends}"], [f"reminder11 12:42 {ends}"]
    assert scene.play(act) == [[], half, half, late]


# --- rules ------------------------------------------------------------------------------------------------------------

ALLOW = """
[[approvals.rules]]
name = "friends"
action = "mail"
when = "facts.known_contact and params.copies < 3"
then = "allow"
max_count = 2
per = "1 day"
"""


def test_what_a_rule_allows_goes_without_asking_and_says_so_on_record(scene: Scene) -> None:
    scene.rules(ALLOW)
    scene.post.known = True

    async def act(orchestrator: AsyncOrchestrator) -> None:
        await orchestrator.process_event(event(), linger_s=0)
        assert orchestrator.history.approvals() == []
        record = orchestrator.history.steps(1)[0]
        assert record.approval is not None
        assert (record.approval["decided_by"], record.approval["rule"]) == ("rule friends", "friends")
        done = next(one for one in audit(orchestrator, "action_execution") if one["step_id"] == "action_0")
        assert (done["approval_status"], done["details"]["rule"]) == ("allowed by rule", "friends")

    scene.play(act)
    assert [mail.get("subject") for mail in scene.post.sent] == ["Hello", None]


def test_a_rule_allows_no_more_than_its_limit_also_after_a_restart_until_time_has_passed(scene: Scene) -> None:
    scene.rules(ALLOW)
    scene.post.known = True

    def three(first: int) -> Callable[[AsyncOrchestrator], Awaitable[int]]:
        async def act(orchestrator: AsyncOrchestrator) -> int:
            for number in range(first, first + 3):
                await orchestrator.process_event(event(number), linger_s=0)
            return len(orchestrator.history.approvals())

        return act

    assert (scene.play(three(1)), scene.play(three(4))) == (1, 4)
    scene.clock.move(days=1, seconds=1)
    assert scene.play(three(7)) == 5


def test_the_first_rule_that_matches_counts(scene: Scene) -> None:
    scene.rules('[[approvals.rules]]\nname = "never"\nwhen = "params.copies < 9"\naction = "mail"\nthen = "refuse"\n')
    scene.rules(ALLOW)
    scene.post.known = True

    async def act(orchestrator: AsyncOrchestrator) -> None:
        await orchestrator.process_event(event(), linger_s=0)
        assert (steps(orchestrator), orchestrator.history.approvals()) == ({0: "rejected", 1: "succeeded"}, [])
        (refused,) = (one for one in audit(orchestrator, "action_execution") if one["step_id"] == "action_0")
        assert (refused["status"], refused["error"], refused["approval_status"]) == (
            "refused", "the rule 'never' of aie.toml refuses it", "refused by rule",
        )  # fmt: skip

    scene.play(act)
    assert scene.post.sent == [{"text": "after"}]


def test_a_rule_that_cannot_be_applied_allows_nothing_and_the_request_says_why(scene: Scene) -> None:
    scene.rules('[[approvals.rules]]\nname = "cheap"\nwhen = "event.data.price < 5"\nthen = "allow"\n')

    async def act(orchestrator: AsyncOrchestrator) -> str:
        return (await asked(orchestrator)).problem

    assert scene.play(act).startswith("rule 'cheap': 'event.data' has no 'price'")


def test_a_stronger_channel_is_the_only_one_that_decides(scene: Scene) -> None:
    scene.rules(
        '[[approvals.rules]]\nname = "all"\naction = "mail"\nthen = "ask"\nchannel = "cli"\nexpires_after = "1 hour"\n'
    )

    async def act(orchestrator: AsyncOrchestrator) -> None:
        approval = await asked(orchestrator)
        assert (approval.required_channel, approval.rule) == ("cli", "all")
        assert approval.expires_at == scene.clock.now() + timedelta(hours=1)
        told = await answer(orchestrator, approval, channel="vault.notes")
        assert told == (False, f"this one is decided in a terminal only: aie approvals approve {approval.approval_id}")
        assert await answer(orchestrator, approval, channel="cli") == (True, "approved")

    scene.play(act)
    assert len(scene.post.sent) == 2


def test_a_rule_may_ask_about_what_would_not_ask(scene: Scene) -> None:
    scene.rules('[[approvals.rules]]\nname = "notes too"\naction = "post.note"\nthen = "ask"\n')

    async def act(orchestrator: AsyncOrchestrator) -> list[str]:
        await orchestrator.process_event(event(), linger_s=0)
        return [approval.action_type for approval in orchestrator.history.approvals()]

    assert scene.play(act) == ["mail", "note"]


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (
            'name = "a"\nthen = "maybe"',
            "approvals.rules[0].then is not right: input should be 'allow', 'ask' or 'refuse'",
        ),
        ('name = "a"\nthen = "allow"\nwhen = "params.x >"', "approvals.rules[0].when is not right: "),
        ('name = "a"\nthen = "allow"\nwhen = "results.a"', "approvals.rules[0].when is not right: "),
        ('name = "a"\nthen = "allow"\nchannel = "cli"', 'channel goes with then = "ask", found then = "allow"'),
        ('name = "a"\nthen = "ask"\nexpires_after = "soon"', "'soon' is not a length of time"),
        ('name = "a"\nthen = "ask"\nextra = 1', "approvals.rules[0].extra is not a setting of the plugin"),
    ],
)
def test_a_rule_that_is_wrong_stops_aie_with_its_place(scene: Scene, rule: str, problem: str) -> None:
    scene.rules(f"[[approvals.rules]]\n{rule}\n")

    async def act(orchestrator: AsyncOrchestrator) -> None:
        raise AssertionError("it opened")

    with pytest.raises(PluginError) as caught:
        scene.play(act)
    assert problem in caught.value.message


# --- pause ------------------------------------------------------------------------------------------------------------


def test_a_pause_holds_back_what_reaches_outside_and_nothing_else(scene: Scene) -> None:
    scene.rules(ALLOW)
    scene.post.known = True

    async def act(orchestrator: AsyncOrchestrator) -> None:
        assert await orchestrator.pause("a strange invoice", by="owner")
        assert not await orchestrator.pause("a strange invoice", by="owner")
        await orchestrator.process_event(event(), linger_s=0)
        row = orchestrator.history.run(1)
        told = {"error": "aie is paused: a strange invoice", "hint": "aie resume lets it go on"}
        assert (row.status, row.error, scene.post.sent) == ("blocked", told, [])

    async def go_on(orchestrator: AsyncOrchestrator) -> None:
        assert orchestrator.history.run(1).status == "blocked"
        assert await orchestrator.resume(by="owner") == (True, "")
        await orchestrator.settle(0)
        assert orchestrator.history.run(1).status == "succeeded"
        assert [(one["action"], one["actor"]) for one in audit(orchestrator, "aie_resumed")] == [
            ("aie_resumed", "owner")
        ]

    scene.play(act)
    scene.play(go_on)
    assert [mail.get("subject") for mail in scene.post.sent] == ["Hello", None]


def test_a_note_that_says_stop_holds_everything_back_until_it_is_gone(scene: Scene) -> None:
    stop = scene.vault / "STOP.md"
    stop.touch()

    async def held(orchestrator: AsyncOrchestrator) -> None:
        approval = await asked(orchestrator)
        assert await answer(orchestrator, approval) == (True, "approved")
        assert scene.post.sent == []
        assert await orchestrator.resume(by="owner") == (False, "STOP.md lies in the vault")

    async def free(orchestrator: AsyncOrchestrator) -> None:
        await orchestrator.settle(0)

    scene.play(held)
    stop.unlink()
    scene.play(free)
    assert [mail.get("subject") for mail in scene.post.sent] == ["Hello", None]


def test_times_are_utc(scene: Scene) -> None:
    async def act(orchestrator: AsyncOrchestrator) -> datetime | None:
        return (await asked(orchestrator)).expires_at

    assert scene.play(act) == datetime(2026, 2, 11, 17, 30, tzinfo=UTC)


# --- channels ----------------------------------------------------------------------------------------------------


class Board:
    """A channel that notes when a sync of it begins and ends."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def sync(self, desk: ApprovalDesk) -> None:
        self.seen.append("begins")
        await asyncio.sleep(0)
        self.seen.append("ends")

    @hookimpl
    def aie_approval_channels(self, settings: object) -> list[ApprovalChannel]:
        return [ApprovalChannel("board.wall", self.sync)]


def test_a_channel_is_brought_in_step_by_one_at_a_time(tmp_path):
    board = Board()

    async def sync_thrice() -> list[str]:
        async with AsyncOrchestrator(make_vault(tmp_path), plugins={"board": board}) as o:
            await asyncio.gather(o.channels.sync(), o.channels.sync(), o.channels.sync())
            return list(board.seen)

    assert asyncio.run(sync_thrice()) == ["begins", "ends"] * 3
