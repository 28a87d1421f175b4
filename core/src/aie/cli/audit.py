"""``aie audit``: the record of everything done, and whether it is whole."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import rich_click as click

from aie.audit import verify_lines
from aie.builtin.audit_files import last_record
from aie.builtin.log_lines import log_line
from aie.cli.audit_filter import BATCH_SIZE, Filter, as_csv, as_json, filter_options, moment_of, plain
from aie.cli.output import Output, WrongUseError, common_options, write
from aie.cli.terminal import counted
from aie.cli.vaults import load_config, read_history
from aie.config import Config
from aie.history import FILES_CURSOR, History
from aie.records import AuditRecord

MAX_SHOWN = 50
TRIES = 3  # retention may take away records while they are being checked


@click.group()
def command() -> None:
    """The record of everything done."""


@command.command("show")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="How many, the newest.")
@filter_options
@common_options
def show(limit: int, vault: Path | None, output: Output, **options: str | None) -> None:
    """The newest records, oldest of them first.

    \b
    Examples:
      aie audit show --action approval_decided --since 2026-02-01
      aie audit show --run 3fk2 --json
    """
    config = load_config(vault)
    history = read_history(config)
    wanted = _filter(config, options)
    found = list(islice(wanted.newest(history), limit)) if history else []
    for record in reversed(found):
        output.record(plain(record))
        output.line(_line(record, config.timezone))
    if not found:
        output.line("No such records." if wanted else "Nothing is on record yet.")


@command.command("export")
@click.argument("file", metavar="FILE|-")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@filter_options
@common_options
def export(file: str, form: str, vault: Path | None, output: Output, **options: str | None) -> None:
    """Write records to a file, oldest first; - is standard output.

    In CSV, a cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    config = load_config(vault)
    history = read_history(config)
    records = _filter(config, options).oldest(history) if history else iter(())
    counted_records = _Counted(records)
    lines = (as_csv if form == "csv" else as_json)(counted_records)
    if file == "-":
        for line in lines:
            write(line, output.stream)
        return
    path = Path(file).expanduser()
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as written:
            written.writelines(f"{line}\n" for line in lines)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise WrongUseError(
            f"{file!r} cannot be written: {error.strerror}", where="FILE", hint="name another"
        ) from None
    output.record({"file": str(path), "format": form, "records": counted_records.count})
    output.line(f"{counted(counted_records.count, 'record')} written to {path}")


@dataclass
class _Counted:
    """Counts what is taken from it."""

    records: Iterator[AuditRecord]
    count: int = 0

    def __iter__(self) -> Iterator[AuditRecord]:
        for record in self.records:
            self.count += 1
            yield record


def _filter(config: Config, options: Mapping[str, str | None]) -> Filter:
    now, since, until = datetime.now(UTC), options["since"], options["until"]
    return Filter(
        since=moment_of(since, now, config.timezone, where="--since") if since else None,
        until=moment_of(until, now, config.timezone, where="--until", end=True) if until else None,
        run_id=options["run_id"],
        action=options["action"],
        actor=options["actor"],
    )


def _line(record: AuditRecord, zone: ZoneInfo) -> str:
    """The line of Logs/integrations.log, without the words that are the same on every one."""
    return log_line(record.fields, zone).replace(" - Orchestrator - ", "  ", 1).replace(" - ", "  ", 1)


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
    for _ in range(TRIES):
        start, start_of_files = starts = _starts(history)
        problems = verify_lines(_records(history, start[0], head[0]), head, start=start)
        parts = [("journal", problems, _count(start[0], head[0]))]
        if _has_files(folder, history):
            parts.append(("Logs/audit", *_check_files(folder, history, start_of_files)))
        wrong = any(found for _, found, _ in parts)
        if not wrong or starts == _starts(history):
            break
    output.record(
        {
            "ok": not wrong,
            "records": head[0] - start[0] + 1,
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


def _starts(history: History) -> tuple[tuple[int, str], tuple[int, str]]:
    return history.audit_start(), history.audit_start(files=True)


def _count(first: int, last: int) -> str:
    return f"{last - first + 1:,} records" + (f"; those before {first:,} were let go" if first > 1 else "")


def _records(history: History, first: int, last: int) -> Iterator[AuditRecord]:
    """All records from one to another, a batch at a time: there may be millions."""
    at = first - 1
    while at < last and (batch := history.audit(after=at, limit=min(BATCH_SIZE, last - at))):
        yield from batch
        at = batch[-1].seq


def _has_files(folder: Path, history: History) -> bool:
    return history.cursor(FILES_CURSOR) is not None or any(folder.glob("*.jsonl"))


def _check_files(folder: Path, history: History, first: tuple[int, str]) -> tuple[list[str], str]:
    """What is wrong with the files, and how far they go.

    They may end after the place up to which they are known to have been written, while aie is at work; never before
    it, and never with a record that is not the journal's.
    """
    cursor = history.cursor(FILES_CURSOR)
    at_least = cursor if isinstance(cursor, int) else 0
    ends = {path: last_record(path) for path in sorted(folder.glob("*.jsonl"))}
    # A file that was to be deleted, when aie was cut off.
    kept = [path for path, end in ends.items() if end is None or end[0] >= first[0]]
    problems = verify_lines(kept, start=first)
    last = max((end for end in ends.values() if end is not None), default=(0, ""))
    if last[0] < at_least:
        missing = f"record {at_least} is" if last[0] + 1 == at_least else f"records {last[0] + 1} to {at_least} are"
        problems.append(f"{missing} missing at the end: they were written once")
    elif last[0]:
        start = history.audit_start()
        own = {(start[0] - 1, start[1]), *((one.seq, one.hash) for one in history.audit(after=last[0] - 1, limit=1))}
        if last not in own:
            problems.append(f"the last record, {last[0]}, is not the journal's")
    head = history.audit_head()
    waiting = head[0] - last[0] if head else 0
    return problems, _count(first[0], last[0]) + (
        f"; {waiting:,} newer ones are yet to be written" if waiting > 0 else ""
    )
