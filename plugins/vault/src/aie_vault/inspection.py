"""What ``aie doctor`` says of the folders of approval notes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from aie.connections import CheckContext, Finding, Inspection, Level
from aie.files import Files
from aie_vault.approval_shelf import Note, Shelf
from aie_vault.settings import VaultSettings

MOST_NAMED = 5


def note_inspection(settings: VaultSettings, files: Files) -> Inspection:
    """Notes that cannot be read, and notes that aie did not write."""

    async def check(context: CheckContext) -> Sequence[Finding]:
        notes, _ = await asyncio.to_thread(Shelf(settings, files).survey, context.vault, context.now.timestamp())
        return list(findings_in(notes))

    return Inspection("notes", check, "the folders of approval notes")


def findings_in(notes: Sequence[Note]) -> Iterable[Finding]:
    """What is not in order with the notes."""
    for note in [note for note in notes if note.problem][:MOST_NAMED]:
        yield Finding(Level.WARN, f"{note.path or note.folder} {note.problem}", "look at it, or move it elsewhere")
    broken = [note for note in notes if note.broken]
    if broken:
        hint = "aie asks for these decisions anew; they can be decided with aie approvals too"
        yield Finding(Level.WARN, f"{_named(broken)}: the properties at the top cannot be read", hint)
    foreign = sorted((note for note in notes if not (note.approval_id or note.problem)), key=lambda note: note.path)
    if foreign:
        one = len(foreign) == 1
        message = f"{_named(foreign)}: aie did not write {'it' if one else 'them'}, so {'it is' if one else 'they are'}"
        yield Finding(Level.WARN, f"{message} never executed", "move such notes to another folder")


def _named(notes: Sequence[Note]) -> str:
    more = len(notes) - MOST_NAMED
    return ", ".join(note.path for note in notes[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
