"""``aie plugins check``."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import rich_click as click

from aie.cli.anywhere import config_anywhere
from aie.cli.output import Output, common_options
from aie.cli.terminal import counted, labelled, wrapped
from aie.config import Config
from aie.plugins.advice import unusable
from aie.plugins.local_file import LocalFile
from aie.plugins.plugin import PluginState
from aie.plugins.registry import Registry
from aie.testing import Check, Report, Result, examine


@click.command("check")
@click.argument("name")
@common_options
@click.pass_context
def check_plugin(context: click.Context, name: str, vault: Path | None, output: Output) -> None:
    """Hold an installed plugin to the contract, as far as can be told without its service: nothing is carried out."""
    config = config_anywhere(vault)
    info = Registry.discover(config).info(name)
    if info.state is not PluginState.FOUND:
        raise unusable(f"the plugin {name!r}", info)
    # Without the environment's settings: secrets are among those, and the check writes settings into a scratch vault.
    report = examine(_thing(name, config), settings=config.tables.get(name, {}))
    for check in report.checks:
        output.record({"plugin": name, **check.as_dict()})
    for line in _lines(report):
        output.line(line)
    context.exit(0 if report.ok else 1)


def _thing(name: str, config: Config) -> str | dict[str, object]:
    """What is examined: what is installed under the name, or what the file defines."""
    if name not in config.plugin_files:
        return name
    return {name: _Defined(LocalFile(name, config.plugin_files[name]).module())}


class _Defined:
    """What a file defines, without being a module: as such nobody else could import it."""

    def __init__(self, module: ModuleType) -> None:
        vars(self).update(vars(module))


def _lines(report: Report) -> list[str]:
    good = sum(check.outcome is Result.OK for check in report.checks)
    lines = [f"{report.plugin}: {counted(good, 'check')} went well, {len(report.failed)} did not"]
    for check in report.failed:
        lines += ["", *wrapped(f"{check.name}: {check.subject}"), *labelled("Why", check.message)]
        lines += labelled("Next", check.hint) if check.hint else []
    if report.not_tried:
        lines += ["", "Not tried"]
        lines += [line for check in report.not_tried for line in wrapped(_not_tried(check), indent="  ", more="    ")]
    return lines


def _not_tried(check: Check) -> str:
    return f"{check.name}, {check.subject}: {check.message}"
