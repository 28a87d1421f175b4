"""What the doctor says: one thing that was looked at, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass

from aie.connections import Level
from aie.errors import AieError


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: how it stands, and the next step where there is one."""

    area: str
    level: Level
    message: str
    hint: str = ""


def with_place(error: AieError) -> str:
    return f"{error.where}: {error.message}" if error.where else error.message
