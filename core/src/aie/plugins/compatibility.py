"""Whether a plugin was built for this aie: by what its package asks for, and by what it says itself."""

from __future__ import annotations

from importlib.metadata import version

from packaging.requirements import InvalidRequirement, Requirement

from aie.hookspecs import API_VERSION
from aie.plugins.discovery import Found, canonical
from aie.plugins.guard import BrokenPluginError

CORE_PACKAGE = "aie-core"
ATTRIBUTE = "AIE_API_VERSION"


def misfit(found: Found) -> tuple[str, str]:
    """Why its package does not fit the aie that is installed, and the next step; two empty texts when it does."""
    installed = version(CORE_PACKAGE)
    for text in found.requires:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if canonical(wanted.name) != CORE_PACKAGE or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        if not wanted.specifier.contains(installed, prereleases=True):
            needs = f"{CORE_PACKAGE} {wanted.specifier}"
            return (
                f"{found.package} {found.version} needs {needs}, and {installed} is installed",
                f"let the installer find versions that fit: aie plugins install --upgrade {found.package}",
            )
    return "", ""


def refuse_other_version(thing: object, package: str) -> None:
    """Raise BrokenPluginError if a plugin says that it is built for another version of the plugin API.

    One that says nothing is built for version 1.
    """
    said = getattr(thing, ATTRIBUTE, 1)
    if isinstance(said, bool) or not isinstance(said, int):
        hint = f"write {ATTRIBUTE} = {API_VERSION}"
        raise BrokenPluginError(f"its {ATTRIBUTE} is {said!r:.100}, which is no whole number", hint=hint)
    if said == API_VERSION:
        return
    hint = f"its author brings it up to version {API_VERSION}"
    if said > API_VERSION:
        hint = f"bring aie up to date: aie plugins install --upgrade {CORE_PACKAGE}"
    elif package:
        hint = f"look for a newer one: aie plugins install --upgrade {package}"
    raise BrokenPluginError(
        f"it is built for version {said} of the plugin API, and this aie has version {API_VERSION}", hint=hint
    )
