"""Every state a request can be in, and everything a person can do to its note: at most one execution, and a reason."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from aie import ActionContext, ActionHandler, AsyncOrchestrator, Event, hookimpl
from tests.stand_ins import ManualClock, make_vault, workflow

FOLDERS = ("Pending_Approval", "Approved", "Rejected", "Done")


class Mail(BaseModel):
    """A mail."""

    to: str = Field(description="who gets it")
    subject: str = Field(description="one line")
    body: str = Field(description="the text")


@dataclass
class Post:
    """Sends mail into a list."""

    sent: list[str] = field(default_factory=list)

    @hookimpl
    def aie_action_handlers(self, settings: object) -> list[ActionHandler]:
        async def mail(params: Mail, context: ActionContext) -> dict[str, Any]:
            self.sent.append(params.subject)
            return {"sent": True}

        return [ActionHandler("mail", Mail, mail, title_field="subject", body_field="body", note_kind="EMAIL")]


@dataclass
class Scene:
    """A vault with one request, seen by one aie after another."""

    vault: Path
    post: Post = field(default_factory=Post)
    clock: ManualClock = field(default_factory=ManualClock)
    backup: str = ""  # the note as it was when it waited

    def notes(self) -> list[Path]:
        found = (path for name in FOLDERS for path in sorted((self.vault / name).glob("*_*.md")))
        return [path for path in found if not path.is_symlink()]

    @property
    def note(self) -> Path:
        (path,) = self.notes()
        return path

    def move(self, folder: str, name: str = "") -> None:
        note = self.note
        target = self.vault / folder / (name or note.name)
        target.parent.mkdir(exist_ok=True)
        note.rename(target)

    def edit(self, old: str, new: str) -> None:
        text = self.note.read_text(encoding="utf-8")
        self.note.write_text(text.replace(old, new, 1), encoding="utf-8")

    async def opened(self, act: Callable[[AsyncOrchestrator], Any]) -> None:
        options: dict[str, Any] = {"plugins": {"post": self.post}, "clock": self.clock, "env": {}}
        async with AsyncOrchestrator(self.vault, **options) as orchestrator:
            await act(orchestrator)
            for _ in range(4):  # notes count once they have stood still
                await orchestrator.settle(0)
                self.clock.move(seconds=2)


async def _asked(orchestrator: AsyncOrchestrator) -> str:
    await orchestrator.process_event(Event("manual_trigger", "t", {}, event_id="e"), linger_s=0)
    await orchestrator.settle(0)
    return orchestrator.history.approvals()[0].approval_id


async def _decide(orchestrator: AsyncOrchestrator, approved: bool) -> None:
    approval_id = orchestrator.history.approvals()[0].approval_id
    await orchestrator.decide(approval_id, approved=approved, by="owner", channel="cli", evidence="test")


async def _wait(orchestrator: AsyncOrchestrator) -> None:
    pass


async def _approve_while_paused(orchestrator: AsyncOrchestrator) -> None:
    await orchestrator.pause("for the test", by="owner")
    await _decide(orchestrator, True)


async def _approve(orchestrator: AsyncOrchestrator) -> None:
    await _decide(orchestrator, True)


async def _reject(orchestrator: AsyncOrchestrator) -> None:
    await _decide(orchestrator, False)


async def _cancel(orchestrator: AsyncOrchestrator) -> None:
    await orchestrator.cancel(1, by="owner")


STATES = {
    "waits": _wait,
    "approved, not carried out": _approve_while_paused,
    "carried out": _approve,
    "rejected": _reject,
    "expired": _wait,
    "cancelled": _cancel,
}


def _both(scene: Scene) -> None:
    (scene.vault / "Rejected").mkdir(exist_ok=True)
    shutil.copy(scene.note, scene.vault / "Rejected" / "EMAIL_copy_of_it.md")
    pending = next(path for path in scene.notes() if path.name != "EMAIL_copy_of_it.md")
    pending.rename(scene.vault / "Approved" / pending.name)


def _edited(scene: Scene) -> None:
    scene.edit('subject: "Hello"', 'subject: "Good day"')
    scene.move("Approved")


def _broken(scene: Scene) -> None:
    scene.edit("aie_status:", "aie_status: [")
    scene.move("Approved")


def _replayed(scene: Scene) -> None:
    (scene.vault / "Approved" / "EMAIL_from_a_backup.md").write_text(scene.backup, encoding="utf-8")


def _linked(scene: Scene) -> None:
    (scene.vault / "Approved" / "EMAIL_a_link.md").symlink_to(scene.note)


GESTURES: dict[str, Callable[[Scene], None]] = {
    "moved to Approved": lambda scene: scene.move("Approved"),
    "moved to Rejected": lambda scene: scene.move("Rejected"),
    "in both folders": _both,
    "edited and moved": _edited,
    "renamed and moved": lambda scene: scene.move("Approved", "EMAIL_another_name.md"),
    "conflict copy": lambda scene: scene.move("Approved", "EMAIL_x (conflicted copy 2026-02-09).md"),
    "deleted": lambda scene: scene.note.unlink(),
    "brought back from a backup": _replayed,
    "a word in it": lambda scene: scene.edit("decision:", "decision: approve"),
    "front matter broken": _broken,
    "a link to it": _linked,
}
SAYS_YES = {
    "moved to Approved", "edited and moved", "renamed and moved", "brought back from a backup", "a word in it",
}  # fmt: skip


@pytest.mark.parametrize("gesture", GESTURES)
@pytest.mark.parametrize("state", STATES)
def test_whatever_is_done_to_its_note_a_request_is_carried_out_once_at_most_and_says_why(
    tmp_path: Path, state: str, gesture: str
) -> None:
    mail = {"action_type": "mail", "parameters": {"to": "kim@example.com", "subject": "Hello", "body": "Dear Kim"}}
    scene = Scene(make_vault(tmp_path / "v", workflow("w", mail)))

    async def ask(orchestrator: AsyncOrchestrator) -> None:
        await _asked(orchestrator)
        scene.backup = scene.note.read_text(encoding="utf-8")
        await STATES[state](orchestrator)
        if state == "expired":
            scene.clock.move(days=8)

    async def look(orchestrator: AsyncOrchestrator) -> None:
        await orchestrator.settle(0)
        await orchestrator.resume(by="owner")

    asyncio.run(scene.opened(ask))
    GESTURES[gesture](scene)
    asyncio.run(scene.opened(look))

    once = state in ("approved, not carried out", "carried out") or (state == "waits" and gesture in SAYS_YES)
    changed = state == "waits" and gesture == "edited and moved"
    assert scene.post.sent == (["Good day" if changed else "Hello"] if once else [])
    open_still = state == "waits" and not once and gesture != "moved to Rejected"
    told = [path.read_text(encoding="utf-8") for path in scene.notes() if "conflicted" not in path.name]
    waits = [text for text in told if "\n## Outcome\n" not in text]
    assert len(waits) == int(open_still), "each note that does not wait any more says what became of it"
    if open_still and gesture in ("in both folders", "front matter broken"):
        assert "\n> [!warning] " in waits[0]
