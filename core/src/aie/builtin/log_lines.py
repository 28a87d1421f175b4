"""An audit record as a line for a person: ``2026-02-09 18:30:00 - Orchestrator - INFO - Processing event: …``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

from aie.plain import Json

MAX_MESSAGE = 2_000
_FAILED = frozenset({"error", "failed", "failure", "uncertain"})
_Fields = Mapping[str, Json]


def log_line(fields: _Fields, zone: ZoneInfo) -> str:
    """The line without its end; nothing in the fields can break it, add one, or steer a terminal."""
    text = _MESSAGES.get(_text(fields, "action"), _anything)(fields)
    if len(text) > MAX_MESSAGE:
        text = text[:MAX_MESSAGE] + "…"
    return f"{_local_time(_text(fields, 'timestamp'), zone)} - Orchestrator - {_level(fields)} - {harmless(text)}"


def _level(fields: _Fields) -> str:
    status = _text(fields, "status")
    if status == "retrying":
        return "WARNING"
    return "ERROR" if fields.get("error") or status in _FAILED else "INFO"


def harmless(text: str) -> str:
    """The text with line breaks, terminal controls and invisible direction marks shown as escapes."""
    return text if text.isascii() and text.isprintable() else text.translate(_ESCAPES)


def _escapes() -> dict[int, str]:
    controls = [*range(0x20), *range(0x7F, 0xA0)]
    marks = [0x61C, 0x200B, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF]
    shown = {code: f"\\x{code:02x}" for code in controls} | {code: f"\\u{code:04x}" for code in marks}
    return shown | {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t"}


_ESCAPES = MappingProxyType(_escapes())


@lru_cache(maxsize=256)
def _local_second(second: str, zone: ZoneInfo) -> str:
    try:
        time = datetime.fromisoformat(second)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError):
        return harmless(second[:19]) or "0000-00-00 00:00:00"


def _local_time(timestamp: str, zone: ZoneInfo) -> str:
    # Many records share a second; a fraction after it changes nothing.
    if len(timestamp) > 20 and timestamp[19] == ".":
        timestamp = timestamp[:19] + timestamp[20:].lstrip("0123456789")
    return _local_second(timestamp, zone)


# --- one sentence per kind of record ------------------------------------------------------------------------------


def _text(fields: _Fields, name: str) -> str:
    value = fields.get(name)
    return "" if value is None else str(value)


def _detail(fields: _Fields, *names: str) -> str:
    """The first of these details that is there."""
    details = fields.get("details")
    if isinstance(details, dict):
        for name in names:
            if details.get(name) not in (None, ""):
                return str(details[name])
    return ""


def _name(fields: _Fields) -> str:
    return _detail(fields, "workflow_name", "name") or _text(fields, "target")


def _why(fields: _Fields) -> str:
    """``: reason``, or nothing."""
    reason = _text(fields, "error") or _detail(fields, "reason", "message")
    return f": {reason}" if reason else ""


def _event_received(fields: _Fields) -> str:
    return f"Processing event: {_detail(fields, 'event_type') or _text(fields, 'target')} from {_origin(fields)}"


def _origin(fields: _Fields) -> str:
    return _detail(fields, "source") or _text(fields, "actor") or "unknown"


def _workflow_started(fields: _Fields) -> str:
    return f"Triggering workflow: {_name(fields)}"


def _workflow_skipped(fields: _Fields) -> str:
    return f"Not triggering workflow: {_name(fields)}{_why(fields)}"


def _action_execution(fields: _Fields) -> str:
    step, status = _text(fields, "step_id") or _text(fields, "target"), _text(fields, "status")
    if status == "retrying":
        return f"Action {step} failed and will be tried again{_why(fields)}"
    if status == "uncertain":
        return f"Action {step} may have happened or not, and waits for a person{_why(fields)}"
    if status == "blocked":
        return f"Action {step} waits for a plugin{_why(fields)}"
    if fields.get("error") or status in _FAILED:
        return f"Action {step} failed{_why(fields)}"
    line = f"Executing action: {_text(fields, 'target')}"
    return line if status in ("", "success") else f"{line} ({status}){_why(fields)}"


def _approval_requested(fields: _Fields) -> str:
    title, number = _detail(fields, "title"), _detail(fields, "approval_id") or _text(fields, "target")
    return f"Approval requested: {title} ({number})" if title else f"Approval requested: {number}"


def _approval_decided(fields: _Fields) -> str:
    decision = _text(fields, "approval_status") or _text(fields, "status")
    by, channel = _detail(fields, "decided_by") or _text(fields, "actor"), _detail(fields, "channel")
    title = _detail(fields, "title") or _text(fields, "target")
    who = (f", by {by}" if by else "") + (f" ({channel})" if channel else "")
    return f"Approval {decision}: {title}{who}{_changed(fields)}"


def _changed(fields: _Fields) -> str:
    """``, changed before: body``, or nothing."""
    details = fields.get("details")
    edits = details.get("edits") if isinstance(details, dict) else None
    names = [str(edit.get("field")) for edit in edits if isinstance(edit, dict)] if isinstance(edits, list) else []
    return f", changed before: {', '.join(names)}" if names else ""


def _workflow_execution(fields: _Fields) -> str:
    status = _text(fields, "status")
    if fields.get("error") or status in _FAILED:
        return f"Workflow {_name(fields)} failed{_why(fields)}"
    if status in ("", "success"):
        return f"Workflow {_name(fields)} completed successfully"
    return f"Workflow {_name(fields)} {status}{_why(fields)}"


def _run_again(fields: _Fields) -> str:
    return f"Doing again: {_name(fields)}, {_detail(fields, 'of_run')}, by {_text(fields, 'actor')}"


def _run_migrated(fields: _Fields) -> str:
    return (
        f"Moved to the workflow as it is now: {_name(fields)}, {_text(fields, 'run_id')}, by {_text(fields, 'actor')}"
    )


def _anything(fields: _Fields) -> str:
    parts = [_text(fields, "action").replace("_", " ").capitalize() or "Record", _text(fields, "target")]
    status = _text(fields, "status")
    return ": ".join(part for part in parts if part) + (f" ({status})" if status else "") + _why(fields)


_MESSAGES: Mapping[str, Callable[[_Fields], str]] = MappingProxyType(
    {
        "event_received": _event_received,
        "workflow_started": _workflow_started,
        "workflow_skipped": _workflow_skipped,
        "action_execution": _action_execution,
        "approval_requested": _approval_requested,
        "approval_decided": _approval_decided,
        "workflow_execution": _workflow_execution,
        "run_again": _run_again,
        "run_migrated": _run_migrated,
    }
)
