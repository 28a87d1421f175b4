"""``aie plugins``: one file per command; and where ``aie PLUGIN …`` finds the plugin's own command."""

from __future__ import annotations

import rich_click as click

from aie.cli.anywhere import config_anywhere
from aie.cli.plugins.check import check_plugin
from aie.cli.plugins.install import install_plugin
from aie.cli.plugins.list import list_plugins
from aie.cli.plugins.remove import remove_plugin
from aie.cli.plugins.show import show_plugin
from aie.cli.plugins.switch import disable_plugin, enable_plugin
from aie.plugins.discovery import PLUGINS_GROUP, discover
from aie.plugins.registry import Registry


@click.group()
def command() -> None:
    """What is installed and what it adds; install, remove, check, enable, disable."""


for each in (list_plugins, show_plugin, check_plugin, install_plugin, remove_plugin, enable_plugin, disable_plugin):
    command.add_command(each)


def plugin_command(name: str) -> click.Command | None:
    """The command behind ``aie NAME …``; None if no plugin has that name.

    Raises PluginError if the plugin cannot be used, UsageError if it has no command.
    """
    if not any(found.name == name for found in discover(PLUGINS_GROUP)):
        return None
    registry = Registry.load(config_anywhere(None), only={name})
    command = registry.plugin(name).command()
    if command is None:
        raise click.UsageError(f"The plugin {name!r} has no command of its own. Try: aie plugins show {name}")
    return command
