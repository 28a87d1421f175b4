"""Audit files past their time: which ones may go, and where the chain of the others begins."""

from __future__ import annotations

from pathlib import Path

from aie.audit import verify_lines
from aie.builtin.audit_files import day_files, last_record
from aie.errors import AieError


def outdated(folder: Path, first_day: str, start: tuple[int, str]) -> tuple[list[Path], tuple[int, str]]:
    """The files of days before ``first_day`` (2026-02-09), and the start of the chain without them.

    ``start`` is where it begins now. The newest file stays. AieError when the old ones are not whole: then they are
    what shows that something was done to them.
    """
    old = [path for path in day_files(folder)[:-1] if path.stem < first_day]
    ends = {path: last_record(path) or (0, "") for path in old}
    part = [path for path, end in ends.items() if end[0] >= start[0] or not end[0]]  # others: aie was cut off
    if not part:
        return old, start
    problems = verify_lines(part, start=start)
    if problems:
        hint = "nothing of it is deleted until aie audit verify finds it whole"
        raise AieError(problems[0], where=str(folder), hint=hint)
    seq, digest = max(ends.values())
    return old, (seq + 1, digest)
