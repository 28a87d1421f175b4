"""``aie plugins show``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from aie.cli.anywhere import config_anywhere
from aie.cli.output import Output, common_options
from aie.cli.plugins.details import KINDS, info_record, offers_in_detail, touched
from aie.cli.plugins.sheet import in_words, sheet
from aie.cli.terminal import labelled, safe_lines, wrapped
from aie.plugins.plugin import Plugin, PluginInfo, PluginState
from aie.plugins.registry import Registry


@click.command("show")
@click.argument("name")
@common_options
@click.pass_context
def show_plugin(context: click.Context, name: str, vault: Path | None, output: Output) -> None:
    """One plugin: its events, actions and their parameters, settings, and what it touches."""
    registry = Registry.load(config_anywhere(vault), only={name})
    info = registry.info(name)
    verbose = bool(context.meta.get("aie.verbose"))
    plugin = registry.plugin(name) if info.state is PluginState.OK else None
    details = offers_in_detail(plugin) if plugin else {kind: [] for kind in (*KINDS, "settings")}
    record = {**info_record(info), "touches": touched(plugin.touches) if plugin else None, **details}
    if verbose and info.traceback_text:
        record["traceback"] = info.traceback_text
    output.record(record)
    if output.json:
        return
    for line in [*_head(info), *(_touching(plugin) if plugin else [])]:
        output.line(line)
    for line in sheet(details):
        output.line(line)
    if verbose and info.traceback_text:
        output.line()
        for line in safe_lines(info.traceback_text):
            output.line(line)


def _head(info: PluginInfo) -> list[str]:
    package = f"{info.package} {info.version}".strip()
    lines = wrapped(f"{info.name}: {package}" if package else info.name)
    lines += labelled("State", info.state)
    lines += labelled("From", info.origin)
    lines += labelled("Publisher", f"{info.publisher}, as the package says") if info.publisher else []
    if info.reason:
        lines += labelled("Why" if info.state is not PluginState.OK else "Note", info.reason)
        lines += labelled("Next", info.hint) if info.hint else []
    return lines


def _touching(plugin: Plugin) -> list[str]:
    """What its author says it touches; nothing holds it to that."""
    said = in_words(touched(plugin.touches)) or ("nothing outside aie" if not plugin.silent_actions else "")
    silent = f"not said of {', '.join(plugin.silent_actions)}" if plugin.silent_actions else ""
    return labelled("Touches", "; ".join(filter(None, [said, silent])))
