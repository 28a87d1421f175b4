"""Time zones as calendars name them, made names that Python knows.

A calendar may call a zone anything: an IANA name, one of Windows', an IANA name behind a vendor's path, or a name of
its own that a VTIMEZONE in the same file explains.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from icalendar import Timezone
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

MAX_DEFINITIONS = 100  # VTIMEZONEs read of one file
_MAX_LINES = 1_000
_YEARLY = re.compile(r"RRULE[:;].*FREQ=YEARLY", re.IGNORECASE)
_RULE = re.compile(r"RRULE[:;]", re.IGNORECASE)


@lru_cache(maxsize=1)
def _known() -> Mapping[str, str]:
    return {name.casefold(): name for name in available_timezones()}


@lru_cache(maxsize=2048)
def iana_name(text: str) -> str | None:
    """The IANA name of the zone that is meant; None when nobody can tell."""
    name = text.strip().strip('"')
    if found := WINDOWS_TO_OLSON.get(name):
        return found
    parts = name.strip("/").split("/")
    tails = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((_known()[tail.casefold()] for tail in tails if tail.casefold() in _known()), None)


def named(text: str) -> ZoneInfo:
    """The zone of that name; ValueError, as a sentence, when there is none."""
    name = iana_name(text)
    if name is None:
        raise ValueError(f"{text[:80]!r} is not a time zone; write one such as 'Europe/Berlin'")
    return ZoneInfo(name)


class Zones:
    """The zones of one file: what each name in it means."""

    def __init__(self, definitions: Sequence[Sequence[str]], fallback: ZoneInfo) -> None:
        self._fallback = fallback
        self._definitions: dict[str, Sequence[str]] = {}
        for lines in definitions[:MAX_DEFINITIONS]:
            for line in lines:
                if found := re.match(r"TZID[^:]*:(.*)", line, re.IGNORECASE):
                    self._definitions.setdefault(found[1].strip(), lines)
        self._meant: dict[str, tuple[str, bool]] = {}

    def meant(self, name: str) -> tuple[str, bool]:
        """A name that icalendar understands, and whether it is certain: an unknown zone counts as the vault's own."""
        if name not in self._meant:
            known = iana_name(name) or self._defined(name)
            self._meant[name] = (known or self._fallback.key, known is not None)
        return self._meant[name]

    def _defined(self, name: str) -> str | None:
        """A name of our own for the zone that a VTIMEZONE defines.

        icalendar keeps definitions by name for the whole process; a name made of the content keeps one calendar's
        definition from becoming another's. Only definitions that cannot run away are read.
        """
        lines = self._definitions.get(name.strip().strip('"'))
        if lines is None or len(lines) > _MAX_LINES:
            return None
        if any(_RULE.match(line) and not _YEARLY.match(line) for line in lines):
            return None
        mark = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:20]
        own = f"aie-{mark}"
        renamed = [f"TZID:{own}" if re.match("TZID", line, re.IGNORECASE) else line for line in lines]
        try:
            Timezone.from_ical("\r\n".join([*renamed, ""]))
        except Exception:  # whatever a broken definition makes the parser raise
            return None
        return own
