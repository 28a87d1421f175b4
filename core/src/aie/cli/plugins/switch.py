"""``aie plugins enable`` and ``aie plugins disable``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from aie.cli.output import Output, common_options
from aie.cli.plugins.details import info_record
from aie.cli.plugins.install import RESTART
from aie.cli.terminal import labelled, wrapped
from aie.cli.vaults import load_config
from aie.config import Config
from aie.errors import ConfigError
from aie.plugin_tables import CORE
from aie.plugins.plugin import PluginInfo, PluginState
from aie.plugins.registry import Registry
from aie.settings_file import switch_plugin


@click.command("enable")
@click.argument("name")
@common_options
@click.pass_context
def enable_plugin(context: click.Context, name: str, vault: Path | None, output: Output) -> None:
    """Use a plugin again that was turned off in this vault."""
    config = load_config(vault)
    changed = name in config.disabled
    if not changed:
        Registry.discover(config).info(name)
    else:
        switch_plugin(config.vault, name, on=True)
        config = load_config(config.vault)
    info = Registry.load(config, only={name}).info(name)
    output.record(info_record(info))
    _tell(info, "on again" if changed else "not turned off", output, changed=changed)
    context.exit(0 if info.state is PluginState.OK else 1)


@click.command("disable")
@click.argument("name")
@common_options
def disable_plugin(name: str, vault: Path | None, output: Output) -> None:
    """Leave a plugin installed and do not use it in this vault."""
    config = load_config(vault)
    if name == CORE:
        raise ConfigError(
            "the plugin 'core' cannot be turned off",
            where=str(config.vault),
            hint="waiting, approvals and schedules come from it",
        )
    info = Registry.discover(config).info(name)
    changed = name not in config.disabled
    if changed:
        switch_plugin(config.vault, name, on=False)
        info = _info(config.vault, name)
    output.record(info_record(info))
    _tell(info, "off" if changed else "off already", output, changed=changed)


def _info(vault: Path, name: str) -> PluginInfo:
    config: Config = load_config(vault)
    return Registry.discover(config).info(name)


def _tell(info: PluginInfo, how: str, output: Output, *, changed: bool) -> None:
    output.line(f"{info.name} is {how}.")
    if info.state is PluginState.BROKEN or (info.state is PluginState.OFF and not how.startswith("off")):
        for label, text in (("Why", info.reason), ("Next", info.hint)):
            for line in labelled(label, text) if text else []:
                output.line(line)
    if changed:
        for line in wrapped(RESTART):
            output.line(line)
