"""``aie plugins remove``."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import rich_click as click

from aie.cli.anywhere import config_anywhere
from aie.cli.output import Output, WrongUseError, common_options
from aie.cli.plugins.afresh import listed_afresh, of_package
from aie.cli.plugins.install import RESTART, is_wanted
from aie.cli.plugins.installer import InstallError, find_installer, run, shown
from aie.cli.terminal import counted, wrapped
from aie.cli.workflow_files import listed_files, look_at
from aie.config import Config
from aie.errors import NotFoundError
from aie.plugin_tables import CORE
from aie.plugins.compatibility import CORE_PACKAGE
from aie.plugins.discovery import canonical
from aie.plugins.plugin import PluginInfo
from aie.plugins.registry import Registry


@click.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask before.")
@common_options
@click.pass_context
def remove_plugin(context: click.Context, name: str, yes: bool, vault: Path | None, output: Output) -> None:
    """Take a plugin away, by its name or its package. Its settings, credentials and past stay."""
    config = config_anywhere(vault)
    package = _package(name, Registry.discover(config))
    registry = Registry.load(config)
    names = [info.name for info in registry.plugins if canonical(info.package) == package]
    using = list(_using(config, registry, names))
    installer = find_installer(Path(sys.prefix), os.environ)
    command = installer.remove(package)
    said = f", and with it {counted(len(names), 'plugin')}: {', '.join(names)}" if names else ""
    for line in [*wrapped(f"This takes {package} out of {sys.prefix}{said}:"), *wrapped(shown(command), indent="  ")]:
        output.line(line)
    for line in using:
        for part in wrapped(line, indent="Warning: ", more="         "):
            output.line(part)
    if not is_wanted(yes, command, f"aie plugins remove {name} --yes"):
        context.exit(1)
    run(command, f"taking away {package} with {installer.name}")
    left = [record["name"] for record in of_package(listed_afresh(vault), package)]
    if left:
        hint = "look where it comes from: aie plugins list"
        raise InstallError(f"{package} still brings the plugin {left[0]!r}", where=sys.prefix, hint=hint)
    output.record({"package": package, "command": command, "plugins": names, "warnings": using})
    output.line(f"{package} is gone. Settings in aie.toml and stored credentials are as they were.")
    for line in wrapped(RESTART):
        output.line(line)


def _package(name: str, registry: Registry) -> str:
    """The package to take away. Raises WrongUseError for what is not to go, NotFoundError for what is not there."""
    infos = [info for info in registry.plugins if name == info.name or canonical(name) == canonical(info.package)]
    if name == CORE or canonical(name) == CORE_PACKAGE:
        hint = f"to take all of aie away: {shown(find_installer(Path(sys.prefix), os.environ).remove(CORE_PACKAGE))}"
        raise WrongUseError("that is aie itself", where=name, hint=hint)
    if not infos:
        if canonical(name).startswith("aie-"):
            return canonical(name)  # perhaps one without a plugin in it
        registry.info(name)
    packages = list(dict.fromkeys(canonical(info.package) for info in infos if info.package))
    if len(packages) > 1:
        hint = f"name one of them: {', '.join(packages)}"
        raise WrongUseError(f"{len(packages)} packages offer a plugin named {name!r}", where=name, hint=hint)
    if not packages:
        raise NotFoundError(
            f"the plugin {name!r} is not of a package: it is {_origin(infos)}",
            where=name,
            hint="take it out of [plugins] files in aie.toml",
        )
    return packages[0]


def _origin(infos: list[PluginInfo]) -> str:
    return infos[0].origin if infos else "nowhere"


def _using(config: Config, registry: Registry, names: Collection[str]) -> Iterator[str]:
    """A sentence for each workflow of the vault that would miss something."""
    for looked in look_at(listed_files(config), config, registry):
        if looked.workflow is None:
            continue
        types = dict.fromkeys(step.action_type for step in looked.workflow.steps)
        missed = [action for action in types if _brings(action, registry, names)]
        if missed:
            yield f"the workflow {looked.workflow_id} uses {', '.join(missed)} of it"


def _brings(action_type: str, registry: Registry, names: Collection[str]) -> bool:
    bound = registry.actions().get(action_type)
    return bound.plugin in names if bound else action_type.partition(".")[0] in names
