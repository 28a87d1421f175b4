"""What is written into approval notes, and where they go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from aie.approvals import Approval, ApprovalState
from aie_vault import approval_text
from aie_vault.approval_edits import has_own_words
from aie_vault.approval_shelf import Note, Shelf
from aie_vault.frontmatter import scalar, with_keys
from aie_vault.settings import VaultSettings

CARRIED_OUT = frozenset({"succeeded", "failed", "rejected", "skipped", "cancelled", "expired"})
"""How a step stands when nothing more will come of it."""


@dataclass(frozen=True, slots=True)
class Filing:
    """One sync's way of writing notes."""

    shelf: Shelf
    settings: VaultSettings
    vault: Path
    timezone: ZoneInfo
    now: datetime

    def ask(self, approval: Approval, remark: str = "") -> None:
        """Write the note of a request that has none."""
        name = approval_text.note_name(approval, self.timezone)
        self.shelf.add(self.vault, name, approval_text.note_text(approval, self.settings, self.timezone, remark))

    def remark(self, note: Note, remark: str) -> None:
        """Put aie's remark at the top of a note, or take it away."""
        text = self.shelf.text(self.vault, note)
        self.shelf.put(self.vault, note, note.folder, approval_text.with_remark(text, remark))

    def ask_again(self, approval: Approval, notes: list[Note], intact: list[Note], reason: str) -> None:
        """One undecided note in the pending folder that says why; copies that say something else are kept in Done."""
        waiting = [note for note in intact if note.folder == self.settings.pending]
        kept = next(iter([*waiting, *intact]), None)
        for note in notes:
            if note is kept:
                continue
            if note in intact and _nothing_added(approval, note):
                self.shelf.remove(self.vault, note)
            else:
                self._park(note, "refused", [f"- Not accepted on {self._now()}: {reason}"])
        if kept is None:
            self.ask(approval, reason)
            return
        text = with_keys(self.shelf.text(self.vault, kept), {"aie_status": "pending", "decision": ""})
        self.shelf.put(self.vault, kept, self.settings.pending, approval_text.with_remark(text, reason))

    def is_filed(self, note: Note) -> bool:
        """Whether this is the note of a rejected request, outcome and all: it stays where it is."""
        return note.folder == self.settings.rejected and note.closed and note.status in {"rejected", "expired"}

    def file(self, approval: Approval, notes: list[Note], intact: list[Note]) -> list[str]:
        """Bring the notes of a decided request home; gives the answers in them that came too late."""
        filed = [note for note in notes if self.is_filed(note)]
        left = [note for note in notes if note not in filed]
        home, status = self._home(approval)
        order = [note for note in left if note.folder == home] + [note for note in left if note in intact] + left
        main = None if filed else next(iter(order), None)
        refused: list[str] = []
        for note in left:
            late = self._late(approval, note)
            if note is main and home == self.settings.approved:
                self._mark_approved(note, status, late)
            elif note is main and not late:
                self._close(approval, note, home, status, [])
            elif note in intact and _nothing_added(approval, note) and not late:
                self.shelf.remove(self.vault, note)
            else:
                why = late or "another copy of a request that was decided"
                self._close(approval, note, self.settings.done, status, [f"- This note: {why}."])
                refused += [late] if late else []
        return refused

    def _mark_approved(self, note: Note, status: str, late: str) -> None:
        """The action is still under way: the note waits for its outcome among the approved ones."""
        if late or (note.folder == self.settings.approved and note.status == status):
            return
        text = with_keys(self.shelf.text(self.vault, note), {"aie_status": scalar(status)})
        self.shelf.put(self.vault, note, self.settings.approved, approval_text.with_remark(text, ""))

    def _close(self, approval: Approval, note: Note, folder: str, status: str, added: list[str]) -> None:
        text = with_keys(self.shelf.text(self.vault, note), {"aie_status": scalar(status)})
        outcome = [] if note.closed else approval_text.outcome_lines(approval, self.timezone)
        text = approval_text.with_outcome(approval_text.with_remark(text, ""), [*outcome, *added])
        self.shelf.put(self.vault, note, folder, text)

    def _park(self, note: Note, status: str, lines: list[str]) -> None:
        text = with_keys(self.shelf.text(self.vault, note), {"aie_status": status})
        self.shelf.put(self.vault, note, self.settings.done, approval_text.with_outcome(text, lines))

    def _home(self, approval: Approval) -> tuple[str, str]:
        """Where the note of a decided request belongs, and its aie_status there."""
        if approval.state is ApprovalState.APPROVED:
            if approval.step_status not in CARRIED_OUT:
                return self.settings.approved, "approved"
            return self.settings.done, "done" if approval.step_status == "succeeded" else approval.step_status
        if approval.state is ApprovalState.CANCELLED:
            return self.settings.done, "cancelled"
        return self.settings.rejected, approval.state.value

    def _late(self, approval: Approval, note: Note) -> str:
        """What to say about an answer that came after another; empty when the note agrees with how it was decided."""
        approved = approval.state is ApprovalState.APPROVED
        says_yes = note.folder == self.settings.approved or note.word == "approve"
        says_no = note.folder == self.settings.rejected or note.word == "reject"
        if not note.closed and not (says_no if approved else says_yes):
            return ""
        when = f" on {approval_text.local(approval.decided_at, self.timezone)}" if approval.decided_at else ""
        return f"already {approval.state.value}{when}, so what it said in {note.folder}/ changed nothing"

    def _now(self) -> str:
        return approval_text.local(self.now, self.timezone)


def _nothing_added(approval: Approval, note: Note) -> bool:
    """Whether a note that shows what it should holds nothing of a person's own, so that it may be taken away."""
    return not note.comment and not note.conflict and not has_own_words(approval, note)
