"""The sink ``vault.failures``: a note in the Inbox for every run that failed, the same failures in one note.

The same are those of one workflow, step and error; numbers within the error may differ. A note that a person moved or
took away is done with: the next failure makes another. Records may come twice, so a note says which it has last.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import shlex
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from aie.files import Files, Folder
from aie.plain import Json
from aie.records import AuditRecord, AuditSink, SinkContext
from aie.touches import Touches
from aie_vault import inert
from aie_vault.frontmatter import quoted, read, scalar, with_keys
from aie_vault.notifications import slug
from aie_vault.settings import VaultSettings

PREFIX = "FAILURE_"
MAX_NOTE_BYTES = 1024 * 1024
MOST_LINES = 50  # times that are listed; later ones are only counted


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that failed, or a workflow that did not start because its condition failed; then ``run_id`` is ''."""

    seq: int  # of its record
    at: datetime
    workflow_id: str
    step_id: str
    error: str
    run_id: str = ""
    event_id: str = ""
    hint: str = ""

    @property
    def key(self) -> str:
        """The same for failures that are one matter to a person."""
        error = re.sub(r"\d+", "#", self.error)
        return hashlib.sha256(json.dumps([self.workflow_id, self.step_id, error]).encode()).hexdigest()[:12]

    @property
    def title(self) -> str:
        if not self.run_id:
            return f"{self.workflow_id} did not start: its condition failed"
        return f"{self.workflow_id} failed" + (f" at {self.step_id}" if self.step_id else "")

    @property
    def stem(self) -> str:
        """How the names of its notes begin."""
        return f"{PREFIX}{slug(f'{self.workflow_id} {self.step_id}'.strip())}_{self.key}"

    @property
    def commands(self) -> Iterator[tuple[str, str]]:
        if self.run_id:
            yield "All about it", f"aie runs show {self.run_id}"
            yield "Do it again from there, once the cause is mended", f"aie runs rerun {self.run_id}"
        else:
            yield "What its condition saw", f"aie why {shlex.quote(self.event_id)}"
            yield "Look over its file", f"aie workflows check {shlex.quote(self.workflow_id)}"


def failure_notes(settings: VaultSettings, files: Files) -> AuditSink:
    """The sink with these settings."""
    lock = threading.Lock()  # a batch may come again while a cancelled one is still being written

    def put_down(failures: Sequence[Failure], context: SinkContext) -> None:
        with lock, files.folder(context.vault, settings.inbox, create=True) as folder:
            by_stem: dict[str, list[Failure]] = {}
            for failure in failures:
                by_stem.setdefault(failure.stem, []).append(failure)
            for stem, same in by_stem.items():
                _put_down(folder, stem, same, context)

    async def write(records: Sequence[AuditRecord], context: SinkContext) -> None:
        failures = list(failures_in(records))
        if failures:
            await asyncio.to_thread(partial(put_down, failures, context))

    return AuditSink(
        name="failures",
        write=write,
        summary=f"notes in {settings.inbox}/ about runs that failed",
        wants=is_failure,
        touches=Touches(folders=(settings.inbox,)),
    )


def is_failure(record: AuditRecord) -> bool:
    """Whether a record tells of a failure, or of a step that may be the reason for one."""
    return record.fields.get("status") in ("failed", "error")


def failures_in(records: Iterable[AuditRecord]) -> Iterator[Failure]:
    """Every failure that is an end."""
    hints: dict[tuple[Json, Json], str] = {}
    for record in records:
        fields, details = record.fields, record.fields.get("details")
        details = details if isinstance(details, dict) else {}
        match fields.get("action"), fields.get("status"):
            case "action_execution", "failed":
                hints[fields.get("run_id"), fields.get("step_id")] = str(details.get("hint") or "")
            case "workflow_execution", "failed":
                step_id, error = _parted(str(fields.get("error") or ""))
                yield Failure(
                    record.seq, _time(fields), str(fields["target"]), step_id,
                    error, str(fields["run_id"]),
                    hint=hints.get((fields.get("run_id"), step_id), ""),
                )  # fmt: skip
            case "workflow_skipped", "error":
                yield Failure(
                    record.seq, _time(fields), str(fields["target"]), "", str(fields.get("error") or ""),
                    event_id=str(details.get("event_id") or ""), hint=str(details.get("hint") or ""),
                )  # fmt: skip


def _parted(error: str) -> tuple[str, str]:
    """The step and the error of ``step mail: the service says no``."""
    found = re.match(r"step ([A-Za-z_]\w*): ", error)
    return (found[1], error[found.end() :]) if found else ("", error)


def _time(fields: dict[str, Json]) -> datetime:
    return datetime.fromisoformat(str(fields["timestamp"]))


def _put_down(folder: Folder, stem: str, failures: Sequence[Failure], context: SinkContext) -> None:
    """Add failures of one kind to their note, or make that; those that it has are left out."""
    for name in sorted(entry.name for entry in folder.scan() if entry.name.startswith(stem)):
        with folder.open(name) as file:
            data = file.read(MAX_NOTE_BYTES + 1)
        before = data.decode(errors="surrogateescape")
        properties = read(before)
        last = properties.values.get("last_record")
        ours = properties.values.get("aie_type") == "failure" and isinstance(properties.values.get("count"), int)
        if ours and isinstance(last, str) and not properties.broken and len(data) <= MAX_NOTE_BYTES:
            after = _once_more(before, [failure for failure in failures if _mark(failure) > last], context)
            if after != before:
                folder.write(name, after.encode(errors="surrogateescape"))
            return
    first, *others = failures
    folder.create_numbered(f"{stem}.md", _once_more(note_text(first, context), others, context).encode())


def _mark(failure: Failure) -> str:
    """Orders failures: later ones have greater marks."""
    return f"{failure.at.isoformat(timespec='milliseconds')} {failure.seq:012}"


def note_text(failure: Failure, context: SinkContext) -> str:
    """The note about the first of them; what came from outside can do nothing in it."""
    when = _local(failure.at, context)
    properties = {
        "aie_type": "failure",
        "title": quoted(failure.title),
        "workflow": scalar(failure.workflow_id),
        "step": scalar(failure.step_id),
        "count": "1",
        "first": when,
        "last": when,
        "last_record": quoted(_mark(failure)),
    }
    front = "".join(f"{key}: {value}\n".replace(": \n", ":\n") for key, value in properties.items())
    hint = f"\nNext: {inert.paragraph(failure.hint).rstrip()}\n" if failure.hint else ""
    ways = "".join(f"\n{what}:\n\n{inert.fenced(command)}\n" for what, command in failure.commands)
    return (
        f"---\n{front}---\n\n# {inert.line(failure.title)}\n\n{inert.paragraph(failure.error).rstrip()}\n{hint}{ways}"
        f"\nWhen:\n\n{_line(failure, context)}"
    )


def _once_more(text: str, failures: Sequence[Failure], context: SinkContext) -> str:
    """The note with more failures; what a person wrote into it stays."""
    for failure in failures:
        count = read(text).values["count"]
        assert isinstance(count, int)
        last = {"count": str(count + 1), "last": _local(failure.at, context), "last_record": quoted(_mark(failure))}
        text = with_keys(text, last)
        if count < MOST_LINES:
            text += ("" if text.endswith("\n") else "\n") + _line(failure, context)
    return text


def _line(failure: Failure, context: SinkContext) -> str:
    when = _local(failure.at, context).replace("T", " ")
    return f"- {when}  {inert.line(failure.run_id or failure.event_id)}\n"


def _local(moment: datetime, context: SinkContext) -> str:
    return moment.astimezone(context.timezone).strftime("%Y-%m-%dT%H:%M:%S")
