"""What is installed, read from package metadata alone: nothing is imported."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from email.utils import getaddresses
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution, distributions
from urllib.parse import unquote, urlsplit

PLUGINS_GROUP = "aie.plugins"
ENGINES_GROUP = "aie.engines"


@dataclass(frozen=True, slots=True)
class Found:
    """One entry point and the package that declares it."""

    name: str
    package: str
    version: str
    origin: str  # where the package came from, for people: a folder or an address
    entry_point: EntryPoint
    publisher: str = ""  # authors and maintainers, as the package says; nobody has checked it
    requires: tuple[str, ...] = ()  # the packages it needs, as it says


def discover(group: str = PLUGINS_GROUP) -> tuple[Found, ...]:
    """Every entry point of the group, by name and package. A package with unreadable metadata is passed over."""
    found: list[Found] = []
    packages: set[str] = set()
    for candidate in distributions():
        try:
            entry_points = _entry_points(candidate, group)
            package = candidate.metadata["Name"] if entry_points else ""
            if not package or canonical(package) in packages or _shadowed(candidate, package):
                continue
            version, origin = candidate.version or "", _origin(candidate)
            publisher, requires = _publisher(candidate), tuple(candidate.requires or ())
        except Exception:  # noqa: S112 - whose metadata cannot be read cannot be named either
            continue
        packages.add(canonical(package))
        found.extend(
            Found(entry_point.name, package, version, origin, entry_point, publisher, requires)
            for entry_point in entry_points
        )
    return tuple(sorted(found, key=lambda item: (item.name, canonical(item.package), item.entry_point.value)))


def canonical(package: str) -> str:
    """A package's name in the one spelling that counts: ``AIE_Gmail`` is ``aie-gmail``."""
    return re.sub(r"[-_.]+", "-", package).lower()


def _entry_points(candidate: Distribution, group: str) -> tuple[EntryPoint, ...]:
    # Looking at the text first spares parsing every other package there is.
    text = candidate.read_text("entry_points.txt") or ""
    return tuple(candidate.entry_points.select(group=group)) if f"[{group}]" in text.replace(" ", "") else ()


def _shadowed(candidate: Distribution, package: str) -> bool:
    """Whether another copy of the package comes first on the path, so that this one would not be imported."""
    try:
        first = distribution(package)
    except PackageNotFoundError:
        return False
    return str(first.locate_file("")) != str(candidate.locate_file(""))


def _origin(candidate: Distribution) -> str:
    text = candidate.read_text("direct_url.json")  # PEP 610: written for what did not come from an index
    if not text:
        return str(candidate.locate_file(""))
    said = json.loads(text)
    url = urlsplit(str(said["url"]))
    if url.scheme != "file":
        return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()  # without a password
    folder = re.sub(r"^/(?=[A-Za-z]:)", "", unquote(url.path))  # file:///C:/… on Windows
    return f"{folder} (editable)" if said.get("dir_info", {}).get("editable") else folder


def _publisher(candidate: Distribution) -> str:
    """``Ada Example, Example Ltd``: who the package names, with or without an address."""
    names: list[str] = []
    for kind in ("Author", "Maintainer"):
        names += candidate.metadata.get_all(kind) or []
        addresses = getaddresses(candidate.metadata.get_all(f"{kind}-email") or [])
        names += [name or address for name, address in addresses]
    return ", ".join(dict.fromkeys(" ".join(name.split()) for name in names if name.strip()))
