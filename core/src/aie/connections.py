"""Connections: how a plugin gets access to an account, and how it says whether that still works."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from logging import Logger
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from aie.credentials import Credentials
from aie.touches import NOTHING, Touches


class Level(StrEnum):
    """How something stands."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: how it stands, in a sentence, and the next step where there is one."""

    level: Level
    message: str
    hint: str = ""


class ConnectDesk(Protocol):
    """What ``aie connect NAME`` gives a plugin to ask with, and to store the answers."""

    settings: Any  # the plugin's settings as they are now
    vault: Path
    timezone: ZoneInfo
    credentials: Credentials  # of the connection's own name
    log: Logger
    cache_dir: Path
    paste: bool  # nobody can open a browser here: addresses are shown, and what they lead to is pasted

    @property
    def now(self) -> datetime:
        """The time, aware, UTC."""
        ...

    def ask(
        self, key: str, question: str, *, default: str = "", secret: bool = False, choices: Sequence[str] = ()
    ) -> str:
        """What a person answers, without blanks around it. ``aie connect NAME --set KEY=VALUE`` answers beforehand.

        A secret is not shown as it is typed, and never taken from ``--set``: from standard input where that is no
        terminal. :class:`ConfigError` when there is nobody to ask and no default.
        """
        ...

    def say(self, text: str) -> None:
        """A sentence for the person."""
        ...

    def open_page(self, address: str) -> None:
        """Show the address, and open it in the person's browser unless ``paste``."""
        ...

    def keep_settings(self, values: Mapping[str, Any]) -> None:
        """Write settings into the plugin's table of ``aie.toml``; nested mappings are tables. The rest of it stays."""
        ...


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What a check is given."""

    settings: Any
    vault: Path
    timezone: ZoneInfo
    credentials: Credentials
    now: datetime  # aware, UTC
    log: Logger
    cache_dir: Path


@dataclass(frozen=True, slots=True)
class Inspection:
    """Something of a plugin's own, such as its folders, that ``aie doctor`` looks at beside its connections.

    ``check`` says what is not in order, and nothing when all is. It changes nothing, asks nobody over the network, and
    has ten seconds.
    """

    name: str
    check: Callable[[CheckContext], Awaitable[Sequence[Finding]]]
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Connection:
    """One account that a plugin needs access to, by the name that ``aie connect`` takes.

    ``connect`` asks for what is needed, *tries it live*, then stores the secrets (``desk.credentials.save``) and the
    settings (``desk.keep_settings``). It raises :class:`~aie.errors.ConfigError` in plain words when it did not work,
    and has then stored nothing. ``check`` looks whether the connection works right now, over the network, and never
    changes anything; ``aie doctor`` calls it, and gives it ten seconds. ``used`` tells from the settings whether it is
    needed at all.
    """

    name: str
    connect: Callable[[ConnectDesk], Awaitable[None]]
    check: Callable[[CheckContext], Awaitable[Sequence[Finding]]] | None = None
    used: Callable[[Any], bool] | None = None  # None: whenever it has been connected
    summary: str = ""
    touches: Touches = NOTHING
