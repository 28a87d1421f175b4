"""``aie workflows schema``: what an editor completes workflow files by."""

from __future__ import annotations

import json
import os
from pathlib import Path

import rich_click as click

from aie.cli.anywhere import config_anywhere
from aie.cli.output import Output, common_options
from aie.cli.vaults import load_config
from aie.plugins.registry import Registry
from aie.workflow_schema import workflow_schema

SCHEMA_FILE = "workflow.schema.json"


@click.command("schema")
@click.option("--write", "write_file", is_flag=True, help=f"Write it to {SCHEMA_FILE} in the vault instead.")
@common_options
def print_schema(write_file: bool, vault: Path | None, output: Output) -> None:
    """The JSON Schema of a workflow file, for completion in an editor; made from the plugins installed here."""
    config = load_config(vault) if write_file else config_anywhere(vault)
    schema = workflow_schema(Registry.load(config))
    if not write_file:
        output.record(schema)
        output.line(json.dumps(schema, indent=2, ensure_ascii=False))
        return
    path = config.vault / SCHEMA_FILE  # not beside the workflows: every JSON file there is taken for one
    draft = path.with_name(f".{SCHEMA_FILE}.{os.getpid()}")
    draft.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)
    link = Path(os.path.relpath(path, config.workflow_folders[0])).as_posix()
    output.record({"path": str(path), "$schema": link})
    output.line(f"Written to {path}.")
    output.line(f'An editor uses it when a workflow begins with  "$schema": "{link}",')
