"""The channel ``vault.notes``: requests as notes that a person moves to ``Approved/`` or ``Rejected/``.

A note is a view. What runs is what the journal holds; a note only says yes or no to it, and only while it shows exactly
that. Which request it answers is said by ``aie_id`` in its front matter, never by its name.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial

from aie.approvals import Approval, ApprovalChannel, ApprovalDesk, ApprovalState
from aie.errors import ParameterError
from aie.files import Files
from aie.plain import Json
from aie.touches import Touches
from aie_vault import approval_text
from aie_vault.approval_edits import asked_digest, edits_in
from aie_vault.approval_filing import Filing
from aie_vault.approval_shelf import ChangedError, Note, Shelf
from aie_vault.inert import line
from aie_vault.settings import VaultSettings

CHANGED = (
    "Something in this note was changed that is only shown, such as who gets it or how much. That is not carried out: "
    "put it back and decide again, or reject this and ask for it otherwise."
)
WRONG_WORD = "The note that was moved said something else under decision than approve or reject. Decide again."
NO_TEXT = "The text in this note could not be told from the rest. Keep the lines of ` around it, and decide again."
DIFFERENT = "Copies of this note were approved with different changes in them, so none counts. Decide again, with one."
BOTH = "This request was approved and rejected at the same time, so neither counts. Decide again."
_WORDS = {"approve": True, "reject": False}


def note_channel(settings: VaultSettings, files: Files) -> ApprovalChannel:
    """The channel with these settings."""
    return ApprovalChannel(
        name="vault.notes",
        sync=NoteChannel(settings, files).sync,
        summary=f"notes in {settings.pending}/, decided by moving them to {settings.approved}/ or {settings.rejected}/",
        touches=Touches(folders=settings.own_folders),
    )


class NoteChannel:
    """Compares the requests with the notes, once per ``sync``. What it remembers only saves work."""

    def __init__(self, settings: VaultSettings, files: Files) -> None:
        self._settings = settings
        self._shelf = Shelf(settings, files)
        self._shown: dict[tuple[str, str], str] = {}
        self._told: set[str] = set()
        self._revision: int | None = None
        self._again = False  # something was put off, so the next sync looks at everything

    async def sync(self, desk: ApprovalDesk) -> None:
        """Take decisions from the notes, bring the notes in line with the requests."""
        revision = desk.revision
        notes, changed = await asyncio.to_thread(self._shelf.survey, desk.vault, desk.now.timestamp())
        if not changed and not self._again and revision == self._revision:
            return
        self._again = False
        groups: defaultdict[str, list[Note]] = defaultdict(list)
        for note in notes:
            if note.approval_id:
                groups[note.approval_id].append(note)
            else:
                self._tell_foreign(desk, note)
        pending = {approval.approval_id: approval for approval in desk.pending()}
        for approval_id in [*groups, *(missing for missing in pending if missing not in groups)]:
            try:
                await self._bring_in_line(desk, pending.get(approval_id), approval_id, groups[approval_id])
            except ChangedError:  # somebody is writing it: look again
                self._again = True
            except (OSError, ParameterError) as error:
                self._again = True
                self._tell(desk, f"the note of {approval_id} could not be written: {error}")
        self._shown = {key: shown for key, shown in self._shown.items() if key[0] in pending}
        self._revision = revision

    async def _bring_in_line(
        self, desk: ApprovalDesk, approval: Approval | None, approval_id: str, notes: list[Note]
    ) -> None:
        if approval is not None:
            await self._pending(desk, approval, notes)
            return
        if all(self._filing(desk).is_filed(note) for note in notes):
            return
        known = desk.get(approval_id)
        if known is None:
            for note in notes:
                self._tell_foreign(desk, note)
        elif known.state is ApprovalState.PENDING:  # asked since the list was made
            self._again = True
        else:
            await self._file(desk, known, notes)

    # --- requests that wait --------------------------------------------------------------------------------------

    async def _pending(self, desk: ApprovalDesk, approval: Approval, notes: list[Note]) -> None:
        for note in notes:
            if note.conflict:
                self._tell(desk, f"{note.path} is a sync tool's conflict copy and decides nothing")
        notes = [note for note in notes if not note.conflict]
        if not notes:
            await self._in_thread(self._filing(desk).ask, approval)
            return
        answers = {note: said for note in notes if (said := self._said(note))}
        now_s = desk.now.timestamp()
        if not answers:
            await self._remark(desk, approval, notes)
            return
        fault = next((fault for note in answers if (fault := self._fault(approval, note))), "")
        fault = fault or (WRONG_WORD if any(None in said for said in answers.values()) else "")
        fault = fault or (BOTH if len(set().union(*answers.values())) > 1 else "")
        changes = {note: edits_in(approval, note) for note in answers} if not fault else {}
        if True in set().union(*answers.values()) and any(
            one != next(iter(changes.values())) for one in changes.values()
        ):
            fault = DIFFERENT
        if not fault:
            await self._decide(desk, approval, answers, notes, next(iter(changes.values())))
        elif all(note.settled(now_s) for note in answers):
            await self._ask_again(desk, approval, notes, fault)
        else:
            self._again = True

    def _said(self, note: Note) -> frozenset[bool | None]:
        """What the note answers by its place and its word; None is an unknown word in a note that was moved."""
        moved = {self._settings.approved: True, self._settings.rejected: False}.get(note.folder)
        word = _WORDS.get(note.word)
        said: set[bool | None] = {answer for answer in (moved, word) if answer is not None}
        if moved is not None and note.word and word is None:
            said.add(None)
        return frozenset(said)

    def _fault(self, approval: Approval, note: Note) -> str:
        """Why this note cannot answer this request; empty when it can."""
        if note.broken:
            return "The properties at the top of this note could not be read. Decide again."
        if note.closed:
            return "This was a copy that aie had closed already. Decide here."
        if note.digest != asked_digest(approval):
            return "This note belonged to another request, or its digest was changed. Read this one, and decide again."
        if approval.edits:  # it shows what was asked, and what was asked is not what it became
            return ""
        if approval.body_field and note.text is None:
            return NO_TEXT
        return "" if note.shown == self._expected(approval) else CHANGED

    def _expected(self, approval: Approval) -> str:
        key = (approval.approval_id, approval.digest)
        if key not in self._shown:
            self._shown[key] = approval_text.shown_hash(approval)
        return self._shown[key]

    async def _remark(self, desk: ApprovalDesk, approval: Approval, notes: list[Note]) -> None:
        """Say in notes that wait what is wrong with them."""
        for note in notes:
            fault = self._fault(approval, note)
            if fault and not note.settled(desk.now.timestamp()):
                self._again = True
                continue
            if fault and fault not in (CHANGED, NO_TEXT):
                await self._in_thread(
                    self._filing(desk).ask_again, approval, notes, self._intact(approval, notes), fault
                )
                return
            remark = approval_text.EDITED if fault else approval_text.UNKNOWN_WORD if note.word else ""
            if line(remark, 400) != note.remark if remark else note.remark in approval_text.PASSING:
                await self._in_thread(self._filing(desk).remark, note, remark)

    async def _decide(
        self,
        desk: ApprovalDesk,
        approval: Approval,
        answers: dict[Note, frozenset[bool | None]],
        notes: list[Note],
        edits: Mapping[str, Json],
    ) -> None:
        approved = True in next(iter(answers.values()))
        decision = await desk.decide(
            approval.approval_id,
            approved=approved,
            by="vault",
            evidence="; ".join(sorted({self._evidence(note) for note in answers})),
            comment=next((note.comment for note in answers if note.comment), ""),
            edits=edits if approved else {},
        )
        after = decision.approval or desk.get(approval.approval_id)
        if after is not None and after.state is not ApprovalState.PENDING:
            await self._file(desk, after, notes)
        elif not decision.accepted:
            filing = self._filing(desk)
            await self._in_thread(filing.ask_again, approval, notes, self._intact(approval, notes), decision.message)

    def _evidence(self, note: Note) -> str:
        if note.folder in {self._settings.approved, self._settings.rejected}:
            return f"moved to {note.folder}/"
        return f"decision: {note.word} in {note.path}"

    async def _ask_again(self, desk: ApprovalDesk, approval: Approval, notes: list[Note], fault: str) -> None:
        await desk.refuse(approval.approval_id, reason=fault)
        await self._in_thread(self._filing(desk).ask_again, approval, notes, self._intact(approval, notes), fault)

    def _intact(self, approval: Approval, notes: Sequence[Note]) -> list[Note]:
        return [note for note in notes if not self._fault(approval, note)]

    # --- requests that were decided ------------------------------------------------------------------------------

    async def _file(self, desk: ApprovalDesk, approval: Approval, notes: list[Note]) -> None:
        filing = self._filing(desk)
        for reason in await self._in_thread(filing.file, approval, notes, self._intact(approval, notes)) or ():
            await desk.refuse(approval.approval_id, reason=reason)

    def _filing(self, desk: ApprovalDesk) -> Filing:
        return Filing(self._shelf, self._settings, desk.vault, desk.timezone, desk.now)

    async def _in_thread(self, *call: object) -> list[str] | None:
        function, *args = call
        assert callable(function)
        return await asyncio.to_thread(partial(function, *args))

    def _tell_foreign(self, desk: ApprovalDesk, note: Note) -> None:
        if note.problem:
            self._tell(desk, f"{note.path} {note.problem}")
        elif note.folder != self._settings.pending and note.settled(desk.now.timestamp()):
            self._tell(desk, f"{note.path} is none of aie's requests and is left alone")
        elif note.folder != self._settings.pending:
            self._again = True

    def _tell(self, desk: ApprovalDesk, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            desk.log.warning("%s", message)
