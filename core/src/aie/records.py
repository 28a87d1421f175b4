"""What goes on record: audit records, and the sinks they are fed to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from aie.plain import Json
from aie.touches import NOTHING, Touches


class AuditRecord(Struct, frozen=True):
    """One line of what was done. ``text`` is the canonical JSON the hash is made of.

    ``fields`` has ``timestamp, session_id, actor, action, target, status, approval_status, details, error, duration_ms,
    security_level, run_id, step_id``.
    """

    seq: int  # 1, 2, 3 … without a gap
    fields: dict[str, Json]
    text: str
    prev: str  # the hash of record seq - 1; 64 zeros for the first
    hash: str  # hex SHA-256


@dataclass(frozen=True, slots=True)
class SinkContext:
    """What a sink is given."""

    settings: Any
    vault: Path
    timezone: ZoneInfo
    log: Logger


@dataclass(frozen=True, slots=True)
class AuditSink:
    """One consumer of the audit records.

    ``wants`` says which records it is for; None: all. It must be quick. The others it is never given.

    ``write`` gets them in order, each at least once: after a crash the last batch comes again, so a sink that must not
    repeat itself compares ``seq``. While it raises, its cursor stays where it is and it is tried again later.
    """

    name: str
    write: Callable[[Sequence[AuditRecord], SinkContext], Awaitable[None] | None]
    summary: str = ""
    wants: Callable[[AuditRecord], bool] | None = None
    touches: Touches = NOTHING
