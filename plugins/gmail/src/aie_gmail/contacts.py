"""Known contacts: who a rule may let mail go to without asking."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aie.files import Files
from aie_gmail.addresses import normal
from aie_gmail.settings import GmailSettings

MAX_NOTES = 2_000
MAX_NOTE_BYTES = 65_536
MAX_WRITTEN_TO = 20_000
_FILE = "written-to.json"
_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")


@dataclass(frozen=True, slots=True)
class Contacts:
    """Read anew each time: local files only, so that rules can ask at once."""

    settings: GmailSettings
    vault: Path
    cache_dir: Path

    def unknown(self, recipients: Iterable[str]) -> list[str]:
        """Those who are no known contacts."""
        listed = {contact for contact in self.settings.contacts if not contact.startswith("@")}
        domains = {contact[1:] for contact in self.settings.contacts if contact.startswith("@")}
        listed |= {self.settings.address.lower()} if self.settings.address else set()
        left = [
            one for one in recipients if one.lower() not in listed and one.lower().rpartition("@")[2] not in domains
        ]
        if left and self.settings.contact_notes:
            noted = self._noted()
            left = [one for one in left if one.lower() not in noted]
        if left and self.settings.contacts_from_sent:
            written = set(WrittenTo.load(self.cache_dir).addresses)
            left = [one for one in left if one.lower() not in written]
        return left

    def _noted(self) -> set[str]:
        """Every address in the contact notes."""
        folder = self.vault / self.settings.contact_notes
        found: set[str] = set()
        for number, path in enumerate(sorted(folder.rglob("*.md"))):
            if number == MAX_NOTES:
                break
            with contextlib.suppress(OSError), path.open("rb") as file:
                text = file.read(MAX_NOTE_BYTES).decode("utf-8", "replace")
                found |= {normal(address).lower() for address in _ADDRESS.findall(text)}
        return found - {""}


@dataclass(frozen=True, slots=True)
class WrittenTo:
    """Everyone who was ever written to, and how far the sent mails have been read. Can be lost: it is made anew."""

    addresses: tuple[str, ...] = ()
    position: str = ""

    @classmethod
    def load(cls, cache_dir: Path) -> WrittenTo:
        try:
            data = json.loads((cache_dir / _FILE).read_bytes())
            return cls(tuple(map(str, data["addresses"])), str(data["position"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def save(self, cache_dir: Path) -> None:
        cache_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = json.dumps({"addresses": list(self.addresses[-MAX_WRITTEN_TO:]), "position": self.position})
        Files().write(cache_dir / _FILE, text.encode())
        with contextlib.suppress(OSError):
            (cache_dir / _FILE).chmod(0o600)

    def with_more(self, addresses: Iterable[str], position: str) -> WrittenTo:
        more = (address.lower() for address in addresses if address)
        return WrittenTo(tuple(dict.fromkeys((*self.addresses, *more))), position)
