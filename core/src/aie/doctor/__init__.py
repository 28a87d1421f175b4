"""The doctor: looks over a whole set-up, and says of each part how it stands and what to do about it.

It only looks. Nothing is written, and the journal of a running engine is read beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from aie.config import Config
from aie.connections import Level
from aie.doctor.check import Check, with_place
from aie.doctor.ground import folder_checks, plugin_checks, setting_checks, sqlite_check, state_checks
from aie.doctor.journal import journal_checks
from aie.doctor.services import connection_checks, inspection_checks
from aie.doctor.work import schedule_checks, workflow_checks
from aie.errors import AieError
from aie.library import Library
from aie.plugins.registry import Registry
from aie.templates import TemplateCompiler


def examine(vault: Path, env: Mapping[str, str], now: datetime, *, offline: bool = False) -> Iterator[Check]:
    """Everything, in the order in which one thing stands on another; ``offline`` asks no service how it stands."""
    try:
        config = Config.load(vault, env)
    except AieError as error:
        yield Check("settings", Level.FAIL, with_place(error), error.hint)
        return
    registry = Registry.load(config)
    library = Library(config.workflow_folders, TemplateCompiler())
    library.refresh()
    yield from setting_checks(config, registry, env)
    yield from folder_checks(config)
    yield from state_checks(config)
    yield sqlite_check()
    yield from plugin_checks(registry)
    yield from connection_checks(config, registry, env, now, offline)
    yield from inspection_checks(config, registry, env, now)
    yield from workflow_checks(library.shelf, registry)
    yield from schedule_checks(library.shelf, registry, config, now)
    yield from journal_checks(config, library.shelf, now)
