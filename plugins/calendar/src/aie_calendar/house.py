"""What the code needs to know of where it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from aie.credentials import Credentials


class House(Protocol):
    """What the contexts of actions, sources and checks have in common."""

    @property
    def settings(self) -> Any: ...
    @property
    def vault(self) -> Path: ...
    @property
    def timezone(self) -> ZoneInfo: ...
    @property
    def credentials(self) -> Credentials: ...
