"""``aie plugins list``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from aie.cli.anywhere import config_anywhere
from aie.cli.output import Output, common_options
from aie.cli.plugins.details import KINDS, info_record
from aie.cli.terminal import labelled, safe, wrapped
from aie.plugins.plugin import PluginInfo
from aie.plugins.registry import Registry


@click.command("list")
@common_options
def list_plugin(vault: Path | None, output: Output) -> None:
    """Every installed plugin, whether it works, and what it adds."""
    registry = Registry.load(config_anywhere(vault))
    for info in registry.plugins:
        output.record(info_record(info))
    output.table(
        ("Plugin", "Package", "Version", "State", "Adds"),
        [
            (safe(info.name), safe(info.package or info.origin), safe(info.version), info.state, _adds(info))
            for info in registry.plugins
        ],
        empty="No plugins are installed, not even aie's own: install aie-core again.",
    )
    for info in registry.plugins:
        if info.reason:
            output.line()
            for line in _reason(info):
                output.line(line)
    for warning in registry.warnings:
        output.line()
        for line in wrapped(warning, indent="Warning: ", more="         "):
            output.line(line)


def _adds(info: PluginInfo) -> str:
    return "\n".join(safe(f"{KINDS[kind]}: {', '.join(names)}") for kind, names in info.adds.items()) or "-"


def _reason(info: PluginInfo) -> list[str]:
    lines = wrapped(f"{info.name}: {info.reason}")
    return [*lines, *(labelled("Next:", info.hint, width=6) if info.hint else [])]
