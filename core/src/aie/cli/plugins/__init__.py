"""``aie plugins``: one file per command; and where ``aie PLUGIN …`` finds the plugin's own command."""

from __future__ import annotations

import rich_click as click

from aie.cli.anywhere import config_anywhere
from aie.cli.plugins.list import list_plugins
from aie.cli.plugins.new import new_plugin
from aie.cli.plugins.show import show_plugin
from aie.plugins.discovery import PLUGINS_GROUP, discover
from aie.plugins.registry import Registry


@click.group()
def command() -> None:
    """What is installed, and what it adds."""


for each in (list_plugins, show_plugin, new_plugin):
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
