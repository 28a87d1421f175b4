"""What a person changed in an approval note before answering it."""

from __future__ import annotations

from aie.approvals import Approval
from aie.plain import Json, digest
from aie_vault import approval_text
from aie_vault.approval_shelf import Note


def edits_in(approval: Approval, note: Note) -> dict[str, Json]:
    """The parameters that stand differently in the note, as they stand there. A property that is gone says nothing."""
    edits: dict[str, Json] = {}
    for name in approval_text.in_properties(approval):
        key, before = approval_text.property_of(name), approval.params[name]
        if key in note.values and not _same(note.values[key], approval_text.as_shown(before)):
            edits[name] = note.values[key]
    if approval.body_field and note.text is not None:
        before = str(approval.params[approval.body_field])
        if note.text != approval_text.text_as_shown(before):
            edits[approval.body_field] = note.text
    return edits


def has_own_words(approval: Approval, note: Note) -> bool:
    """Whether the note holds anything of a person's: a change, or a property that aie did not write."""
    written = {approval_text.property_of(name) for name in approval_text.in_properties(approval)}
    return bool(approval.edits or note.values.keys() - written or edits_in(approval, note))


def asked_digest(approval: Approval) -> str:
    """The digest of the parameters as they were shown, before anybody changed them."""
    if not approval.edits:
        return approval.digest
    return digest({**approval.params, **{edit.field: edit.before for edit in approval.edits}})


def _same(found: Json, shown: Json) -> bool:
    """Whether a property says what aie wrote; 1 and true are not the same, an empty text and nothing are."""
    if shown is None or found is None:
        return found in (None, "") and shown in (None, "")
    return type(found) is type(shown) and found == shown
