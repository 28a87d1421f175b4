"""Which package to install for what: known plugins, their actions and the event types their sources bring.

It only words advice. What is there is decided by what is installed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Each mapping goes from a name to the package that brings it."""

    plugins: Mapping[str, str]
    actions: Mapping[str, str]
    event_types: Mapping[str, str]

    @classmethod
    def load(cls) -> Catalogue:
        """The catalogue that comes with aie, ``catalogue.json``."""
        text = (resources.files("aie") / "catalogue.json").read_text(encoding="utf-8")
        packages = json.loads(text)
        return cls(
            plugins={entry["plugin"]: package for package, entry in packages.items()},
            actions={name: package for package, entry in packages.items() for name in entry["actions"]},
            event_types={name: package for package, entry in packages.items() for name in entry["event_types"]},
        )
