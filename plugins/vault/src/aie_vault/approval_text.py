"""What an approval note says, and how its text is taken apart again.

A person may change what stands in properties of the note's own and in the one text below its heading; everything else
in it is only shown.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime
from zoneinfo import ZoneInfo

from aie.approvals import Approval, ApprovalState
from aie.paths import safe_name
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
_TEXT = "## The text, yours to change"
_FENCE = re.compile(r"(`{3,})text")
_SHOWN_END = "## If nobody answers"
_COMMENT = "Anything you write below this line is kept as your comment."
_OUTCOME = "## Outcome"
_REMARK = "> [!warning] "

UNKNOWN_WORD = "The word under decision is not one aie knows. Write approve or reject, or move this note."
EDITED = (
    "Something was changed here that is only shown, and such a change is not carried out. What may be changed is named "
    "under How to decide; to have the rest otherwise, reject this request."
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
        **{property_of(name): _property(approval.params[name]) for name in in_properties(approval)},
    }
    front = "".join(f"{key}: {value}".rstrip() + "\n" for key, value in properties.items())
    parts = [
        *([f"{_REMARK}{inert.line(remark, 400)}"] if remark else []),
        _shown(approval),
        _how_to(approval, settings, timezone),
    ]
    return inert.tamed(f"---\n{front}tags:\n  - aie/approval\n---\n\n" + "\n\n".join(parts) + "\n")


def in_properties(approval: Approval) -> list[str]:
    """The parameters that a person changes in the note's properties: those of one line."""
    names = [name for name in approval.editable if name != approval.body_field and name in approval.params]
    return [name for name in names if name.isidentifier() and _fits(approval.params[name])]


def _fits(value: Json) -> bool:
    texts = value if isinstance(value, list) else [value]
    return all(not isinstance(text, str) or (len(text) <= 1000 and text.isprintable()) for text in texts)


def property_of(name: str) -> str:
    """What the property of a parameter is called."""
    return f"set_{name}" if name in OWN_KEYS else name


def as_shown(value: Json) -> Json:
    """What is read back from the property of a value that nobody changed."""
    if isinstance(value, str):
        return inert.tamed(value)
    if isinstance(value, list):
        return [as_shown(item) for item in value]
    return value


def text_as_shown(value: str) -> str:
    """What is read back from the text of a note that nobody changed."""
    return inert.tamed(inert.visible(value))


def text_in(text: str) -> str | None:
    """The text that a person may change; None when the note has none, or not as aie wrote it."""
    return _parts(text)[3]


def _property(value: Json) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[" + ", ".join(quoted(str(item)) for item in value) + "]"
    return "" if value is None else json.dumps(value)


def shown_hash(approval: Approval) -> str:
    """What :func:`hash_of` gives for a note of this approval that nobody changed."""
    return _hash(_without_text(inert.tamed(_shown(approval)))[0])


def hash_of(text: str) -> str:
    """A hash of what the note only shows of its request: its body without aie's remark, the text and what follows."""
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
    for edit in approval.edits:
        lines.append(f"- Changed before: {_code(edit.field)}, from {_brief(edit.before)} to {_brief(edit.after)}.")
    if approval.state is ApprovalState.APPROVED:
        lines.append(f"- The action: {inert.line(approval.step_status)}.")
    else:
        lines.append("- Nothing was carried out.")
    if approval.step_error:
        lines.append(f"- Error: {inert.line(approval.step_error, 500)}")
    if approval.step_result is not None:
        lines += ["", "Result:", "", inert.fenced(_json(approval.step_result))]
    return lines


def _brief(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"“{inert.line(text, 120)}”"


def local(when: datetime, timezone: ZoneInfo) -> str:
    """A time for a person to read."""
    return when.astimezone(timezone).strftime("%Y-%m-%d %H:%M")


def _shown(approval: Approval) -> str:
    name = inert.line(approval.workflow_name or approval.workflow_id)
    text = approval.params.get(approval.body_field) if approval.body_field else None
    parts = [
        f"# {inert.line(approval.title)}",
        f"The workflow “{name}” asks to run `{_code(approval.action_type)}` (step `{_code(approval.step_id)}`).",
        f"Why: {inert.line(approval.reason, 500)}" if approval.reason else "",
        f"From: [[{_link(approval.source_note)}]]" if approval.source_note else "",
        f"By the rule “{inert.line(approval.rule)}” of aie.toml." if approval.rule else "",
        f"A rule of aie.toml could not be applied: {inert.line(approval.problem, 300)}" if approval.problem else "",
    ]
    if isinstance(text, str):
        parts += [_TEXT, inert.fenced(text)]
    if approval.body.strip() and approval.body != text:
        parts += ["## What will happen", inert.fenced(approval.body)]
    elif not isinstance(text, str):
        parts += ["## What will happen", "The action runs with the values below."]
    parts += ["## All values", inert.fenced(_values(approval))]
    return "\n\n".join(part for part in parts if part)


def _how_to(approval: Approval, settings: VaultSettings, timezone: ZoneInfo) -> str:
    if approval.expires_at:
        ends = f"On {local(approval.expires_at, timezone)} ({timezone.key}) the request expires, and nothing is done."
    else:
        ends = "The request waits until somebody does, and nothing is done before."
    command = f"aie approvals approve {_code(approval.approval_id)}"
    if approval.required_channel:
        ways = [
            "This one is decided in a terminal only; moving the note decides nothing:\n",
            f"- Yes: `{command}`",
            f"- No: `aie approvals reject {_code(approval.approval_id)}`\n",
        ]
    else:
        ways = [
            f"- Yes: move this note into `{settings.approved}/`, or write `approve` under decision at the top.",
            f"- No: move it into `{settings.rejected}/`, or write `reject` there.",
            f"- Or in a terminal: `{command}`, or the same with `reject`.\n",
        ]
    return "\n".join([f"{_SHOWN_END}\n\n{ends}\n", "## How to decide\n", *ways, f"{_to_change(approval)}\n", _COMMENT])


def _to_change(approval: Approval) -> str:
    """What a person may change before saying yes, and how."""
    names = [property_of(name) for name in in_properties(approval)]
    word = "property" if len(names) == 1 else "properties"
    places = [f"the {word} {', '.join(f'`{_code(name)}`' for name in names)} at the top"] if names else []
    if approval.body_field:
        places.append("the text under its heading")
    if not places or approval.required_channel:
        return "What is shown above is what runs; changes to it are not carried out."
    return f"You may change {' and '.join(places)} first: what then stands there is what runs. The rest is only shown."


def _link(path: str) -> str:
    """A vault path as the target of a link: nothing in it can end the link."""
    return re.sub(r"[\[\]|#^`<>]", "", path.removesuffix(".md"))


def _values(approval: Approval) -> str:
    """One ``name: value`` a line; text of several lines below its name, each line behind a bar."""
    lines = []
    for key, value in approval.params.items():
        name = key if key.isidentifier() else json.dumps(key)
        text = inert.visible(value) if isinstance(value, str) else _json(value)
        if key == approval.body_field or ("\n" in text and value == approval.body):
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


def _parts(text: str) -> tuple[str, str, str, str | None]:
    """The body as remark, shown part, the rest, and the text to be changed.

    A heading in the shown part does not end it: the last one does.
    """
    body = frontmatter.body(text).replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")
    remark = ""
    if body.startswith(_REMARK):
        line, _, body = body.partition("\n")
        remark = line.removeprefix(_REMARK)
    before, heading, after = f"\n{body}".rpartition(f"\n{_SHOWN_END}\n")
    shown, own = _without_text(before if heading else body)
    return remark, shown, heading + after if heading else "", own


def _without_text(shown: str) -> tuple[str, str | None]:
    """The shown part without the text that may be changed, and that text.

    Nothing foreign of more than a line stands before its heading, so the first one is aie's own. A fence in a changed
    text ends it early; what is left over then counts as a change to what is only shown.
    """
    before, heading, after = f"\n{shown}".partition(f"\n{_TEXT}\n")
    lines = after.lstrip("\n").split("\n") if heading else []
    opening = _FENCE.fullmatch(lines[0].rstrip()) if lines else None
    if opening is None:
        return shown, None
    for number, line in enumerate(lines[1:], start=1):
        if line.rstrip() == opening[1]:
            return f"{before}{heading}" + "\n".join(lines[number + 1 :]), "\n".join(lines[1:number])
    return shown, None


def _hash(shown: str) -> str:
    lines = [line.rstrip() for line in shown.strip().split("\n")]
    return hashlib.sha256("\n".join(lines).encode(errors="surrogatepass")).hexdigest()
