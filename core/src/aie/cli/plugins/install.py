"""``aie plugins install``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import rich_click as click

from aie.cli.output import Output, WrongUseError, common_options
from aie.cli.plugins.afresh import listed_afresh, of_package
from aie.cli.plugins.installer import find_installer, run, shown
from aie.cli.plugins.wanted import Wanted, wanted
from aie.cli.terminal import labelled, wrapped

TRUST = (
    "A plugin is code that runs with your rights: it can read, change and send whatever you can. aie does not fence it "
    "in, so install only what you would trust with all of that."
)
RESTART = "An aie start that is running keeps what it has loaded: end it and start it again."


@click.command("install")
@click.argument("what")
@click.option("--upgrade", is_flag=True, help="Take the newest version, also where one is installed.")
@click.option("--yes", is_flag=True, help="Do not ask before.")
@common_options
@click.pass_context
def install_plugin(
    context: click.Context, what: str, upgrade: bool, yes: bool, vault: Path | None, output: Output
) -> None:
    """Install a plugin by its name (gmail), its package (aie-gmail) or its path, into the environment aie runs in."""
    meant = wanted(what, Path.cwd())
    installer = find_installer(Path(sys.prefix), os.environ)
    command = installer.install(meant.target, upgrade=upgrade)
    lines = wrapped(f"This installs {meant.package}, {meant.source}, into {sys.prefix}:")
    lines += [*wrapped(shown(command), indent="  "), "", *wrapped(TRUST)]
    lines += wrapped(installer.note, indent="Note: ", more="      ") if installer.note else []
    for line in lines:
        output.line(line)
    output.line()
    if not is_wanted(yes, command, f"aie plugins install {what}{' --upgrade' if upgrade else ''} --yes"):
        context.exit(1)
    run(command, f"installing {meant.package} with {installer.name}")
    came = of_package(listed_afresh(vault), meant.package)
    output.record({"package": meant.package, "command": command, "plugins": came})
    context.exit(_tell(meant, came, output))


def is_wanted(yes: bool, command: list[str], again: str) -> bool:
    """Whether the person says so. Raises WrongUseError where nobody can be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise WrongUseError("nobody is here to be asked before this is run", where=shown(command), hint=again)
    if click.confirm("Go on?", err=True):
        return True
    click.echo("Nothing was changed.", err=True)
    return False


def _tell(meant: Wanted, came: list[dict[str, Any]], output: Output) -> int:
    if meant.package == "aie-core":
        output.line(f"aie-core is up to date. {RESTART}")
        return 0
    if not came:
        output.line(f"{meant.package} is installed, and there is no aie plugin in it.")
        for line in labelled("Next:", f"aie plugins remove {meant.package}", width=6):
            output.line(line)
        return 1
    for plugin in came:
        adds = [name for names in plugin["adds"].values() for name in names]
        for line in wrapped(f"{plugin['name']} ({meant.package} {plugin['version']}): {plugin['state']}"):
            output.line(line)
        detail = [("Adds", ", ".join(adds)), ("Why", plugin["reason"]), ("Next", plugin["hint"])]
        if plugin["state"] == "ok":
            steps = f"aie plugins show {plugin['name']} shows what it does and touches"
            connections = "".join(f"; aie connect {name}" for name in plugin["adds"]["connections"])
            detail = [*detail[:2], ("Next", steps + connections)]
        for label, text in detail:
            for line in labelled(label, text) if text else []:
                output.line(line)
    output.line()
    for line in wrapped(RESTART):
        output.line(line)
    return 1 if any(plugin["state"] == "broken" for plugin in came) else 0
