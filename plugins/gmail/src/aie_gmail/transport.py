"""The two ways to a mailbox, as the actions see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from logging import Logger
from typing import Any, Protocol

from aie.actions import LookUp
from aie.credentials import Credentials
from aie_gmail.outgoing import Outgoing


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of a mail in the mailbox."""

    add_label: str = ""
    remove_label: str = ""
    read: bool = False
    archive: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """What is needed to reach the mailbox, whoever wants to."""

    credentials: Credentials
    timeout_s: float
    log: Logger


class Transport(Protocol):
    """A mailbox. Errors are aie's own; see :mod:`aie.errors` for what each says about whether it happened."""

    async def send(self, mail: Outgoing, access: Access) -> dict[str, Any]:
        """Send it. The result has what is known of it beside the parameters."""
        ...

    async def look_for_sent(self, mail: Outgoing, access: Access) -> LookUp:
        """Whether it was sent, by what is among the sent mails."""
        ...

    async def draft(self, mail: Outgoing, access: Access) -> dict[str, Any]:
        """Put it among the drafts, unless it is there."""
        ...

    async def change(self, email: Mapping[str, Any], change: Change, access: Access) -> dict[str, Any]:
        """Change a mail that an event told of. Doing it twice is doing it once."""
        ...

    async def arrived(
        self, word: str, since: datetime, known: frozenset[str], access: Access
    ) -> list[tuple[str, bytes]]:
        """Mails in the watched folder with this word in the subject, each with a name; the known ones left out."""
        ...
