"""What an approval note says, and how its text is taken apart again."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime
from zoneinfo import ZoneInfo

from aie.approvals import Approval, ApprovalState
from aie.files import safe_name
from aie.plain import Json
from aie_vault import frontmatter, inert
from aie_vault.frontmatter import quoted, scalar
from aie_vault.notifications import slug
from aie_vault.settings import VaultSettings

OWN_KEYS = frozenset(
    {
        *("aie_id", "aie_type", "aie_status", "decision", "workflow", "action", "title"),
        *("requested", "expires", "digest", "run", "tags"),
    }
)
_SHOWN_END = "## If nobody answers"
_COMMENT = "Anything you write below this line is kept as your comment."
_OUTCOME = "## Outcome"
_REMARK = "> [!warning] "

UNKNOWN_WORD = "The word under decision is not one aie knows. Write approve or reject, or move this note."
EDITED = (
    "This text was changed. Edits are not carried out: what aie asked is what runs. To have it otherwise, reject this "
    "request."
)
PASSING = frozenset({UNKNOWN_WORD, EDITED})
"""Remarks that go away when their cause does."""


def note_name(approval: Approval, timezone: ZoneInfo) -> str:
    """``EMAIL_20260209_Send-invoice-00001_k3x9qd.md``."""
    kind = safe_name(approval.note_kind, 40).replace(" ", "_")
    day = approval.requested_at.astimezone(timezone).strftime("%Y%m%d")
    return f"{kind}_{day}_{slug(approval.title)}_{safe_name(approval.approval_id[-6:])}.md"


def note_text(approval: Approval, settings: VaultSettings, timezone: ZoneInfo, remark: str = "") -> str:
    """The whole note for a request that waits. Everything that may have come from outside is inert in it."""
    properties = {
        "aie_id": scalar(approval.approval_id),
        "aie_type": "approval",
        "aie_status": "pending",
        "decision": "",
        "workflow": scalar(approval.workflow_id),
        "action": scalar(approval.action_type),
        "title": quoted(approval.title),
        "requested": _property_time(approval.requested_at, timezone),
        "expires": _property_time(approval.expires_at, timezone) if approval.expires_at else "",
        "digest": scalar(approval.digest),
        "run": scalar(approval.run_id),
    }
    front = "".join(f"{key}: {value}".rstrip() + "\n" for key, value in properties.items())
    parts = [
        *([f"{_REMARK}{inert.line(remark, 400)}"] if remark else []),
        _shown(approval),
        _how_to(approval, settings, timezone),
    ]
    return inert.tamed(f"---\n{front}tags:\n  - aie/approval\n---\n\n" + "\n\n".join(parts) + "\n")


def shown_hash(approval: Approval) -> str:
    """What :func:`hash_of` gives for a note of this approval that nobody changed."""
    return _hash(inert.tamed(_shown(approval)))


def hash_of(text: str) -> str:
    """A hash of what the note shows of its request: its body without aie's remark and what follows."""
    return _hash(_parts(text)[1])


def comment_in(text: str) -> str:
    """What a person wrote under the line for it."""
    before, line, after = _parts(text)[2].rpartition(_COMMENT)
    return after.split(f"\n{_OUTCOME}")[0].strip()[:2000] if line and before else ""


def remark_in(text: str) -> str:
    """aie's remark at the top; empty when there is none."""
    return _parts(text)[0]


def has_outcome(text: str) -> bool:
    """Whether aie has closed this note."""
    return f"\n{_OUTCOME}\n" in _parts(text)[2]


def with_remark(text: str, remark: str) -> str:
    """The note with this remark at the top instead of any before; none when it is empty."""
    body = frontmatter.body(text)
    front, newline = text[: len(text) - len(body)], "\r\n" if "\r\n" in text else "\n"
    rest = body.lstrip("\r\n")
    if rest.startswith(_REMARK):
        rest = re.sub(r"\A[^\r\n]*", "", rest).lstrip("\r\n")
    top = f"{newline}{_REMARK}{inert.line(remark, 400)}{newline}{newline}" if remark else newline
    return front + top + rest


def with_outcome(text: str, lines: list[str]) -> str:
    """The note with an outcome section at the end, or these lines added to the one it has."""
    newline = "\r\n" if "\r\n" in text else "\n"
    heading = [] if has_outcome(text) else ["", _OUTCOME, ""]
    added = "\n".join([*heading, *lines]).replace("\n", newline)
    return f"{text.rstrip()}{newline}{inert.tamed(added)}{newline}"


def outcome_lines(approval: Approval, timezone: ZoneInfo) -> list[str]:
    """How the request was decided and what came of it; the same lines for the same approval, whenever written."""
    when = f" on {local(approval.decided_at, timezone)}" if approval.decided_at else ""
    by = f" by {inert.line(approval.decided_by)}" if approval.decided_by else ""
    through = f", through {inert.line(approval.channel)}" if approval.channel else ""
    lines = [f"- {approval.state.value.capitalize()}{when}{by}{through}."]
    if approval.comment:
        lines.append(f"- Comment: {inert.line(approval.comment, 500)}")
    if approval.state is ApprovalState.APPROVED:
        lines.append(f"- The action: {inert.line(approval.step_status)}.")
    else:
        lines.append("- Nothing was carried out.")
    if approval.step_error:
        lines.append(f"- Error: {inert.line(approval.step_error, 500)}")
    if approval.step_result is not None:
        lines += ["", "Result:", "", inert.fenced(_json(approval.step_result))]
    return lines


def local(when: datetime, timezone: ZoneInfo) -> str:
    """A time for a person to read."""
    return when.astimezone(timezone).strftime("%Y-%m-%d %H:%M")


def _shown(approval: Approval) -> str:
    name = inert.line(approval.workflow_name or approval.workflow_id)
    parts = [
        f"# {inert.line(approval.title)}",
        f"The workflow “{name}” asks to run `{_code(approval.action_type)}` (step `{_code(approval.step_id)}`).",
        f"Why: {inert.line(approval.reason, 500)}" if approval.reason else "",
        "## What will happen",
        inert.fenced(approval.body) if approval.body.strip() else "The action runs with the values below.",
        "## All values",
        inert.fenced(_values(approval)),
    ]
    return "\n\n".join(part for part in parts if part)


def _how_to(approval: Approval, settings: VaultSettings, timezone: ZoneInfo) -> str:
    if approval.expires_at:
        ends = f"On {local(approval.expires_at, timezone)} ({timezone.key}) the request expires, and nothing is done."
    else:
        ends = "The request waits until somebody does, and nothing is done before."
    command = f"aie approvals approve {_code(approval.approval_id)}"
    return "\n".join(
        [
            f"{_SHOWN_END}\n\n{ends}\n",
            "## How to decide\n",
            f"- Yes: move this note into `{settings.approved}/`, or write `approve` under decision at the top.",
            f"- No: move it into `{settings.rejected}/`, or write `reject` there.",
            f"- Or in a terminal: `{command}`, or the same with `reject`.\n",
            "What is shown above is what runs; changes to it are not carried out.\n",
            _COMMENT,
        ]
    )


def _values(approval: Approval) -> str:
    """One ``name: value`` a line; text of several lines below its name, each line behind a bar."""
    lines = []
    for key, value in approval.params.items():
        name = key if key.isidentifier() else json.dumps(key)
        text = inert.visible(value) if isinstance(value, str) else _json(value)
        if "\n" in text and value == approval.body:
            lines.append(f"{name}: (the text above)")
        elif "\n" in text:
            lines += [f"{name}:", *(f"  | {line}" for line in text.split("\n"))]
        else:
            lines.append(f"{name}: {text}")
    return "\n".join(lines) or "(none)"


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _code(text: str) -> str:
    return re.sub(r"[^\w.@:/-]", "", text)


def _property_time(when: datetime, timezone: ZoneInfo) -> str:
    return when.astimezone(timezone).strftime("%Y-%m-%dT%H:%M:%S")


def _parts(text: str) -> tuple[str, str, str]:
    """The body as remark, shown part and the rest. A heading in the shown part does not end it: the last one does."""
    body = frontmatter.body(text).replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")
    remark = ""
    if body.startswith(_REMARK):
        line, _, body = body.partition("\n")
        remark = line.removeprefix(_REMARK)
    before, heading, after = f"\n{body}".rpartition(f"\n{_SHOWN_END}\n")
    return (remark, before, heading + after) if heading else (remark, body, "")


def _hash(shown: str) -> str:
    lines = [line.rstrip() for line in shown.strip().split("\n")]
    return hashlib.sha256("\n".join(lines).encode(errors="surrogatepass")).hexdigest()
