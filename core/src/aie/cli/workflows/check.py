"""``aie workflows check``: what is wrong in files, and what would be right."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from aie.cli.anywhere import config_anywhere
from aie.cli.output import Output, common_options
from aie.cli.terminal import counted, labelled, safe, wrapped
from aie.cli.vaults import read_history
from aie.cli.workflow_files import Looked, json_files, listed_files, look_at, one_of
from aie.cli.workflows.on_record import OnRecord
from aie.config import Config
from aie.errors import NotFoundError
from aie.lint import Severity
from aie.plugins.registry import Registry


@click.command("check")
@click.argument("what", metavar="[FILES|IDS]...", nargs=-1)
@common_options
def check_workflows(what: tuple[str, ...], vault: Path | None, output: Output) -> int:
    """Look over files, or workflows by their ids; all of the vault when none is named.

    Finds misspelt keys, unknown actions, jumps and values, and says what would be right. Exit code 1 if there is an
    error; warnings are for you to judge.
    """
    config = config_anywhere(vault)
    registry = Registry.load(config)
    looked = _chosen(what, config, registry)
    on_record = OnRecord(read_history(config))
    for found in looked:
        output.record(
            {
                "file": str(found.path.resolve()),
                "workflow_id": found.workflow_id,
                "ok": not found.errors,
                "enabled": on_record.enabled(found.workflow) if found.workflow else None,
                "findings": [
                    {"severity": each.severity, "where": each.where, "message": each.message, "hint": each.hint}
                    for each in found.findings
                ],
            }
        )
        for each in found.findings:
            for line in _block(each.severity, each.message, each.where, each.hint):
                output.line(line)
            output.line()
    _summary(looked, on_record, output)
    return 1 if any(found.errors for found in looked) else 0


def _chosen(what: tuple[str, ...], config: Config, registry: Registry) -> list[Looked]:
    if not what:
        return look_at(listed_files(config), config, registry)
    paths: dict[Path, None] = {}
    known: list[Looked] | None = None
    for name in what:
        path = Path(name)
        if path.is_dir():
            paths.update(dict.fromkeys(json_files(path)))
        elif path.exists():
            paths[path] = None
        elif path.suffix == ".json" or len(path.parts) > 1:
            raise NotFoundError(f"there is no file {name!r}", where=str(Path.cwd()), hint="check the path")
        else:
            known = look_at(listed_files(config), config, registry) if known is None else known
            paths[one_of(name, known).path] = None
    return look_at(paths, config, registry)


def _block(severity: Severity, message: str, where: str, hint: str) -> list[str]:
    """A finding as errors look everywhere in aie."""
    word = "Error: " if severity is Severity.ERROR else "Warning: "
    lines = wrapped(message, indent=word, more=" " * len(word))
    lines += labelled("Where:", where, width=7)
    return [*lines, *(labelled("Next:", hint, width=7) if hint else [])]


def _summary(looked: list[Looked], on_record: OnRecord, output: Output) -> None:
    if not looked:
        output.line("There are no workflow files to check.")
        return
    bad = [found for found in looked if found.errors]
    warned = sum(len(found.findings) - len(found.errors) for found in looked)
    disabled = [found.workflow_id for found in looked if found.workflow and not on_record.enabled(found.workflow)]
    parts = [counted(len(looked), "file") + " checked", f"{len(looked) - len(bad)} in order"]
    parts += [f"{len(bad)} with errors"] if bad else []
    parts += [counted(warned, "warning")] if warned else []
    output.line(", ".join(parts) + ".")
    if disabled:
        output.line(f"Disabled: {safe(', '.join(disabled))}.")
