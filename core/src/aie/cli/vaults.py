"""Opening the vault a command works on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from aie.config import Config, find_vault
from aie.history import History
from aie.journal import FILE_NAME
from aie.journal_file import look, present
from aie.orchestrator import AsyncOrchestrator

T = TypeVar("T")


def load_config(vault: Path | None) -> Config:
    """The settings of the vault given, or of the one around where we stand."""
    return Config.load(vault if vault is not None else find_vault(Path.cwd(), os.environ), os.environ)


def open_vault(vault: Path | None) -> AsyncOrchestrator:
    """The vault, ready for ``async with``."""
    return AsyncOrchestrator(vault if vault is not None else find_vault(Path.cwd(), os.environ))


def read_history(config: Config) -> History | None:
    """What is on record, for commands that only look; None when nothing ever happened here."""
    path = config.state_dir / FILE_NAME
    return History(look(path)) if present(path) else None


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end."""
    return asyncio.run(work)
