"""What a person means who says what to install."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

from aie.catalogue import Catalogue
from aie.cli.output import WrongUseError
from aie.plugins.discovery import canonical
from aie.plugins.offers import NAME

_ARCHIVES = (".whl", ".tar.gz")


@dataclass(frozen=True, slots=True)
class Wanted:
    """``package`` is its name; ``target`` what the installer is given; ``source`` where it comes from, in words."""

    package: str
    target: str
    source: str


def wanted(said: str, folder: Path) -> Wanted:
    """A plugin aie knows, another package, or a path, relative to ``folder``. Raises WrongUseError."""
    path = folder / Path(said).expanduser()
    if "://" not in said and ("/" in said or "\\" in said or said.startswith((".", "~")) or said.endswith(_ARCHIVES)):
        return _on_disk(path)
    try:
        asked = Requirement(said)
    except InvalidRequirement:
        hint = "name a plugin (gmail), a package (aie-gmail, aie-gmail==0.1.0) or a path (./my-plugin)"
        raise WrongUseError(f"{said!r} is neither a name nor a path", where="WHAT", hint=hint) from None
    if asked.url or asked.marker:
        raise WrongUseError(
            f"{said!r} is an address, and this installs by name or path only",
            where="WHAT",
            hint="download it and look at it, then install it from its path",
        )
    known = Catalogue.load().plugins
    package = canonical(known.get(asked.name, asked.name))
    own = package in known.values()
    if not own and NAME.fullmatch(asked.name):
        package = f"aie-{canonical(asked.name)}"
    extras = f"[{','.join(sorted(asked.extras))}]" if asked.extras else ""
    source = "which aie knows" if own or package == "aie-core" else "a package of somebody else's"
    return Wanted(package, f"{package}{extras}{asked.specifier}", f"{source}, as the package index has it")


def _on_disk(path: Path) -> Wanted:
    if not path.exists():
        raise WrongUseError(f"there is no {str(path)!r}", where="WHAT", hint="correct the path")
    path = path.resolve()
    return Wanted(_name_of(path), str(path), f"from {path}")


def _name_of(path: Path) -> str:
    """The package a folder, a wheel or an archive holds."""
    try:
        if path.name.endswith(".whl"):
            return canonical(parse_wheel_filename(path.name)[0])
        if path.name.endswith(".tar.gz"):
            return canonical(parse_sdist_filename(path.name)[0])
        project = tomllib.loads((path / "pyproject.toml").read_text(encoding="utf-8"))
        return canonical(re.sub(r"\s", "", str(project["project"]["name"])))
    except (InvalidWheelFilename, InvalidSdistFilename, OSError, ValueError, KeyError, TypeError) as error:
        raise WrongUseError(
            f"{str(path)!r} holds no package of Python: {type(error).__name__}: {error}",
            where="WHAT",
            hint="name a wheel, or the folder with the plugin's pyproject.toml; "
            "a plugin that is one file goes into [plugins] files in aie.toml",
        ) from None
