"""``aie audit``: the record of everything done, and whether it is whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import rich_click as click

from aie.audit import verify_lines
from aie.builtin.log_lines import log_line
from aie.cli.output import Output, common_options
from aie.cli.vaults import load_config, read_history
from aie.history import History
from aie.records import AuditRecord

BATCH_SIZE = 1_000
MAX_SHOWN = 50
_TAIL_BYTES = 64 * 1024
_CURSOR = "sink:core.audit_file"


@click.group()
def command() -> None:
    """The record of everything done."""


@command.command("show")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="How many, the newest.")
@click.option("--run", "run_id", default=None, help="Only of this run; the first or last characters will do.")
@click.option("--action", default=None, help="Only of this kind, such as approval_decided or action_execution.")
@common_options
def show(limit: int, run_id: str | None, action: str | None, vault: Path | None, output: Output) -> None:
    """The newest records, oldest of them first.

    \b
    Examples:
      aie audit show --action approval_decided
      aie audit show --run 3fk2 --json
    """
    config = load_config(vault)
    history = read_history(config)
    found: list[AuditRecord] = []
    for record in _backwards(history) if history else ():
        if _wanted(record, run_id, action):
            found.append(record)
            if len(found) == limit:
                break
    for record in reversed(found):
        output.record({**record.fields, "seq": record.seq, "prev": record.prev, "hash": record.hash})
        output.line(_line(record, config.timezone))
    if not found:
        output.line("No such records." if run_id or action else "Nothing is on record yet.")


def _line(record: AuditRecord, zone: ZoneInfo) -> str:
    """The line of Logs/integrations.log, without the words that are the same on every one."""
    return log_line(record.fields, zone).replace(" - Orchestrator - ", "  ", 1).replace(" - ", "  ", 1)


def _backwards(history: History) -> Iterator[AuditRecord]:
    head = history.audit_head()
    end = head[0] if head else 0
    while end > 0:
        start = max(0, end - BATCH_SIZE)
        yield from reversed(history.audit(after=start, limit=end - start))
        end = start


def _wanted(record: AuditRecord, run_id: str | None, action: str | None) -> bool:
    of_run = str(record.fields.get("run_id") or "")
    return (action is None or record.fields.get("action") == action) and (
        run_id is None or of_run.startswith(run_id) or (bool(of_run) and of_run.endswith(run_id))
    )


@command.command("verify")
@common_options
def verify(vault: Path | None, output: Output) -> int:
    """Check that no record was changed, taken out, moved or put in.

    The journal's chain of records is checked, then the files in Logs/audit against it. The exit code is 1 when
    anything is wrong.
    """
    config = load_config(vault)
    history = read_history(config)
    head = history.audit_head() if history else None
    if history is None or head is None:
        output.record({"ok": True, "records": 0, "problems": []})
        output.line("Nothing is on record yet.")
        return 0
    folder = config.vault / "Logs" / "audit"
    problems = verify_lines(_records(history, head[0]), head)
    parts = [("journal", problems, f"{head[0]:,} records")]
    if _has_files(folder, history):
        parts.append(("Logs/audit", *_check_files(folder, history)))
    wrong = any(found for _, found, _ in parts)
    output.record(
        {
            "ok": not wrong,
            "records": head[0],
            "problems": [{"place": place, "problem": problem} for place, found, _ in parts for problem in found],
        }
    )
    for place, found, summary in parts:
        output.line(f"{place}: {'WRONG' if found else 'whole'}, {summary}")
        for problem in found[:MAX_SHOWN]:
            output.line(f"  {problem}")
        if len(found) > MAX_SHOWN:
            output.line(f"  and {len(found) - MAX_SHOWN} more; --json shows all")
    if len(parts) == 1:
        output.line("Logs/audit: not kept")
    if wrong:
        output.line("Next: compare with a backup; what the journal has and a file has not, was taken out of the file.")
    return 1 if wrong else 0


def _records(history: History, last: int) -> Iterator[AuditRecord]:
    """All records up to this one, a batch at a time: there may be millions."""
    at = 0
    while at < last and (batch := history.audit(after=at, limit=min(BATCH_SIZE, last - at))):
        yield from batch
        at = batch[-1].seq


def _has_files(folder: Path, history: History) -> bool:
    return history.cursor(_CURSOR) is not None or any(folder.glob("*.jsonl"))


def _check_files(folder: Path, history: History) -> tuple[list[str], str]:
    """What is wrong with the files, and how far they go.

    They may end after the place up to which they are known to have been written, while aie is at work; never before
    it, and never with a record that is not the journal's.
    """
    cursor = history.cursor(_CURSOR)
    at_least = cursor if isinstance(cursor, int) else 0
    problems = verify_lines([folder])
    last = max((_last(path) for path in folder.glob("*.jsonl")), default=(0, ""))
    if last[0] < at_least:
        missing = f"record {at_least} is" if last[0] + 1 == at_least else f"records {last[0] + 1} to {at_least} are"
        problems.append(f"{missing} missing at the end: they were written once")
    elif last[0]:
        own = history.audit(after=last[0] - 1, limit=1)
        if not own or (own[0].seq, own[0].hash) != last:
            problems.append(f"the last record, {last[0]}, is not the journal's")
    head = history.audit_head()
    waiting = head[0] - last[0] if head else 0
    return problems, f"{last[0]:,} records" + (f"; {waiting:,} newer ones are yet to be written" if waiting > 0 else "")


def _last(path: Path) -> tuple[int, str]:
    """Number and hash of the last record in a file; (0, '') if there is none to be read."""
    size, length = path.stat().st_size, _TAIL_BYTES
    with path.open("rb") as file:
        while True:
            file.seek(max(0, size - length))
            lines = file.read().rstrip(b"\n").rsplit(b"\n", 1)
            if len(lines) == 2 or length >= size:
                break
            length *= 4
    try:
        data: Any = json.loads(lines[-1])
        return (data["seq"], data["hash"]) if type(data["seq"]) is int else (0, "")
    except (ValueError, RecursionError, KeyError, TypeError):
        return 0, ""
