"""``aie plugins``: one file per command; and where ``aie PLUGIN …`` finds the plugin's own command."""

from __future__ import annotations

import importlib

import rich_click as click

from aie.cli.anywhere import config_anywhere
from aie.config import Config
from aie.errors import ConfigError
from aie.plugins.discovery import PLUGINS_GROUP, discover
from aie.plugins.registry import Registry

# name: module in aie.cli.plugins, where the command is called NAME_plugin
COMMANDS = {
    "list": "list",
    "show": "show",
    "check": "check",
    "new": "new",
    "install": "install",
    "remove": "remove",
    "enable": "switch",
    "disable": "switch",
}


class _Commands(click.RichGroup):
    """Imports a command when it is asked for: what check needs takes as long to import as listing takes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]  # list is a module in here once it was imported

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(
            importlib.import_module(f"aie.cli.plugins.{COMMANDS[cmd_name]}"), f"{cmd_name}_plugin"
        )
        return command


@click.group(cls=_Commands)
def command() -> None:
    """What is installed and what it adds; make, install, remove, check, enable, disable."""


def plugin_command(name: str) -> click.Command | None:
    """The command behind ``aie NAME …``; None if no plugin has that name.

    Raises PluginError if the plugin cannot be used, UsageError if it has no command.
    """
    if not any(found.name == name for found in discover(PLUGINS_GROUP)) and name not in _files():
        return None
    registry = Registry.load(config_anywhere(None), only={name})
    command = registry.plugin(name).command()
    if command is None:
        raise click.UsageError(f"The plugin {name!r} has no command of its own. Try: aie plugins show {name}")
    return command


def _files() -> frozenset[str]:
    """The plugins that are files in the vault around us; none where its settings cannot be read."""
    try:
        config: Config = config_anywhere(None)
    except ConfigError:
        return frozenset()
    return frozenset(config.plugin_files)
