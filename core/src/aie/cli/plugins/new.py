"""``aie plugins new``."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import rich_click as click

from aie.catalogue import Catalogue
from aie.cli.anywhere import config_anywhere
from aie.cli.output import Output, WrongUseError, common_options
from aie.cli.plugins.scaffold import package_of, scaffold
from aie.errors import ConfigError, RefusedError
from aie.files import Files
from aie.plugin_tables import CORE, RESERVED
from aie.plugins.offers import NAME
from aie.plugins.registry import Registry

LONGEST = 40  # characters: the name stands in those of files, classes and variables


@click.command("new")
@click.argument("name")
@click.option(
    "--into", "folder", metavar="DIR", type=click.Path(path_type=Path), help="Where to make it; ./aie-NAME if left out."
)
@click.option("--minimal", is_flag=True, help="One file with one action, and its test.")
@common_options
def new_plugin(name: str, folder: Path | None, minimal: bool, vault: Path | None, output: Output) -> None:
    """Make a plugin to begin with: a package that installs and passes its tests.

    It has an action, an event source, a connection, settings, and a stand-in of its service that the tests run
    against. Put your service's in their place, one after the other, and keep the tests passing.

    \b
    Examples:
      aie plugins new slack
      aie plugins new my_crm --into ~/code/aie-my-crm --minimal
    """
    _refuse_impossible(name)
    _refuse_taken(name, vault)
    place = (folder or Path(package_of(name))).expanduser()
    files = scaffold(name, "minimal" if minimal else "package")
    write_files(place, files)
    steps = [f"cd {shlex.quote(str(place))}", "pip install -e '.[test]'", "pytest"]
    output.record({"plugin": name, "package": package_of(name), "folder": str(place.resolve()), "files": list(files),
                   "next": steps})  # fmt: skip
    output.line(f"Made the plugin {name} in {place}:")
    for path in files:
        output.line(f"  {path}")
    output.line("\nNext:")
    for step in steps:
        output.line(f"  {step}")


def write_files(place: Path, files: dict[str, str]) -> None:
    """Make the folder with these files. Raises RefusedError if something is there already: nothing is overwritten."""
    try:
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            what = "a folder that is not empty" if place.is_dir() else "a file"
            hint = "choose another place with --into, or move away what is there"
            raise RefusedError(f"{str(place)!r} is {what}: nothing was made", where=str(place.resolve()), hint=hint)
        for path, text in files.items():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            Files().create(place / path, text.encode())
    except OSError as error:
        raise ConfigError(
            f"the plugin cannot be made: {error.strerror}",
            where=str(error.filename or place),
            hint="check the permissions of that folder, or choose another place with --into",
        ) from error


def _refuse_impossible(name: str) -> None:
    if NAME.fullmatch(name) and not name.endswith("_") and "__" not in name and len(name) <= LONGEST:
        if name not in (CORE, *RESERVED):
            return
        raise WrongUseError(f"{name!r} cannot be the name of a plugin", hint="aie itself uses that word; take another")
    words = re.findall("[a-z0-9]+", name.lower().removeprefix("aie-").removeprefix("aie_"))
    near = "_".join(words)[:LONGEST].strip("_").lstrip("0123456789_")
    hint = "a name is lower-case letters, digits and single underscores, a letter first, and at most 40 of them"
    if near and near != name and near not in (CORE, *RESERVED):
        hint += f": {near}"
    raise WrongUseError(f"{name!r} cannot be the name of a plugin", hint=hint)


def _refuse_taken(name: str, vault: Path | None) -> None:
    for info in Registry.discover(config_anywhere(vault)).plugins:
        if info.name == name:
            hint = f"take another name; aie plugins show {name} has what it offers"
            origin = f"from {info.package} {info.version}".rstrip() if info.package else info.origin
            raise RefusedError(f"a plugin named {name!r} is installed already, {origin}", where=name, hint=hint)
    if package := Catalogue.load().plugins.get(name):
        hint = f"install that one, aie plugins install {name}, or take another name: two of one name do not work"
        raise RefusedError(f"there is a plugin named {name!r} already, in the package {package}", where=name, hint=hint)
