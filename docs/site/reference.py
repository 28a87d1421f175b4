"""The reference, made from the code: nobody writes these pages, so they cannot fall behind.

Commands are read from the tree of click, plugins from what ``aie plugins show NAME --json`` says, tables of settings
and the fields of a workflow from their models, the Python names from their docstrings.
"""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from markdown_pieces import cell, fields_table, heading, table
from python_pages import python_page

from aie import cli, config, errors
from aie.plugins import Registry
from aie.workflow_schema import workflow_schema

# A plugin offers its sources once it knows what to watch.
CONNECTED = """
[plugins.gmail]
address = "me@example.com"

[plugins.linkedin]
organizations = ["2414183"]

[plugins.odoo]
url = "https://odoo.example.com"
database = "mycompany"
user = "aie@example.com"
"""
PLUGINS = ("core", "vault", "gmail", "calendar", "odoo", "linkedin")


def write_reference(folder: Path) -> None:
    """Write all pages of the reference into this folder, in place of those that are there."""
    with tempfile.TemporaryDirectory() as empty:
        vault = Path(empty) / "vault"
        vault.mkdir()
        (vault / config.FILE_NAME).write_text(CONNECTED, encoding="utf-8")
        registry = Registry.load(config.Config.load(vault, {"AIE_STATE_DIR": f"{empty}/state"}))
        for info in registry.plugins:
            if info.name in PLUGINS and info.reason:
                raise RuntimeError(f"the plugin {info.name} cannot be shown: {info.reason}")
        pages = {
            "index.md": list(index_page()),
            "commands.md": list(commands_page()),
            "settings.md": list(settings_page(registry)),
            "workflow-fields.md": list(workflow_page(registry)),
            "errors.md": list(errors_page()),
            "python.rst": list(python_page()),
            **{f"plugin-{name}.md": list(plugin_page(name, registry, vault)) for name in PLUGINS},
        }
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, lines in pages.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def index_page() -> Iterator[str]:
    yield from heading(1, "Reference")
    yield "Made from the code of this version, each time the site is built."
    names = ["commands", "workflow-fields", "settings", *(f"plugin-{name}" for name in PLUGINS), "errors", "python"]
    yield from ("", "```{toctree}", ":maxdepth: 1", "", *names, "```")


# --- commands -----------------------------------------------------------------------------------------------------


def commands_page() -> Iterator[str]:
    yield from heading(1, "Every command")
    yield "`aie COMMAND --help` says the same in a terminal."
    root = cli.root
    context = click.Context(root, info_name="aie")
    for name in root.list_commands(context):
        _, command, _ = root.resolve_command(context, [name])
        assert command is not None
        yield from command_lines(command, click.Context(command, info_name=name, parent=context), level=2)


def command_lines(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield from heading(level, f"`{context.command_path}`")
    yield from help_lines(command.help or "")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            part = command.get_command(context, name)
            assert part is not None
            yield from command_lines(part, click.Context(part, info_name=name, parent=context), level + 1)
        return
    yield from ("", "```text", f"{context.command_path} {' '.join(command.collect_usage_pieces(context))}", "```", "")
    rows = [record for part in command.get_params(context) if (record := part.get_help_record(context))]
    yield from table(("option", "what it does"), [(f"`{names}`", cell(text)) for names, text in rows if text])


def help_lines(text: str) -> Iterator[str]:
    r"""Paragraphs as they are; those behind click's ``\b`` keep their lines."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            yield from ("", "```text", paragraph.removeprefix("\b\n"), "```")
        else:
            yield from ("", paragraph)


# --- settings -----------------------------------------------------------------------------------------------------


def settings_page(registry: Registry) -> Iterator[str]:
    yield from heading(1, "aie.toml, every key")
    yield "`aie init` writes this, with a line on each key people change:"
    yield from ("", "```toml", config.DEFAULT_TOML.rstrip(), "```", "")
    yield "All keys at the top level: " + ", ".join(f"`{key}`" for key in config._KEYS) + "."
    yield from heading(2, "The environment")
    yield from (config.__doc__ or "").split("\n\n", 1)[1].replace("``", "`").split("\n")
    yield from heading(2, "Tables of core")
    model = registry.plugin("core").settings_model
    assert model is not None
    yield from model_lines(model.model_json_schema(by_alias=True), level=3)
    yield ""
    yield "The table `[plugins.NAME]` of each plugin is on the plugin's page of this reference."


def model_lines(schema: Mapping[str, Any], level: int) -> Iterator[str]:
    """A table of the model's fields, and one for each model within it."""
    definitions = schema.get("$defs", {})
    yield from fields_table(schema, definitions)
    for name, inner in definitions.items():
        if "properties" in inner:
            yield from heading(level, name)
            yield from ("", (inner.get("description") or "").replace("``", "`"), "")
            yield from fields_table(inner, definitions)


# --- workflows ----------------------------------------------------------------------------------------------------


def workflow_page(registry: Registry) -> Iterator[str]:
    schema = workflow_schema(registry)
    definitions = schema["$defs"]
    yield from heading(1, "A workflow file, every field")
    yield "`aie workflows schema` prints this as a JSON Schema, for completion in an editor."
    yield from ("", *fields_table(schema, definitions))
    for name, title in (
        ("StepDefinition", "A step: one item of `actions`"),
        ("RetryDefinition", "`retry`"),
        ("ScheduleDefinition", "`schedule`, when it is an object"),
    ):
        yield from heading(2, title)
        yield from fields_table(definitions[name], definitions)


# --- plugins ------------------------------------------------------------------------------------------------------


def shown(name: str, vault: Path) -> dict[str, Any]:
    """What ``aie plugins show NAME --json`` says."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("AIE_")}
    command = [sys.executable, "-m", "aie", "plugins", "show", name, "--json"]
    done = subprocess.run(command, cwd=vault, env=env, capture_output=True, text=True, check=True)  # noqa: S603
    record: dict[str, Any] = json.loads(done.stdout)
    return record


def plugin_page(name: str, registry: Registry, vault: Path) -> Iterator[str]:
    record = shown(name, vault)
    yield from heading(1, f"What {name} adds")
    yield f"The package `{record['package']}`. `aie plugins show {name}` says the same in a terminal."
    for title, key, lines in (
        ("Actions", "actions", action_lines),
        ("Events", "event_types", event_lines),
        ("Sources", "sources", source_lines),
    ):
        if record[key]:
            yield from heading(2, title)
            for item in record[key]:
                yield from heading(3, f"`{item['name']}`")
                yield item["summary"]
                yield from lines(item)
    others = [item for kind in ("sinks", "channels", "connections") for item in record[kind]]
    if others:
        yield from heading(2, "Views, sinks and connections")
        yield from table(("name", "what it is"), [(f"`{item['name']}`", cell(item["summary"])) for item in others])
    model = registry.plugin(name).settings_model
    if model is not None and name != "core":
        yield from heading(2, "Settings")
        yield f"In `[plugins.{name}]` of `aie.toml`, or `AIE_{name.upper()}__FIELD` in the environment."
        yield ""
        yield from model_lines(model.model_json_schema(by_alias=True), level=3)


def action_lines(action: Mapping[str, Any]) -> Iterator[str]:
    effects = {"none": "changes nothing", "local": "stays on this machine", "external": "acts outside the house"}
    asks = "asks first" if action["asks_first"] else "does not ask"
    again = "is safe to repeat" if action["repeatable"] else "is never repeated by guessing"
    yield f"\nIt {effects[action['effect']]}, {asks}, and {again}. {touched(action['touches'])}\n"
    yield from parameters(action["parameters"])
    if action["example"]:
        yield from example_lines("An example of its parameters:", action["example"])
    if action["result"]:
        yield "\nIts result:\n"
        yield from json_fields(action["result"])


def touched(touches: Mapping[str, list[str]]) -> str:
    """A sentence; '' for an action that touches nothing."""
    words = {"hosts": "over the network", "folders": "in the vault", "commands": "by running"}
    named = {kind: ["all of it" if one == "." else f"`{one}`" for one in touches[kind]] for kind in words}
    parts = [f"{words[kind]} {', '.join(names)}" for kind, names in named.items() if names]
    return f"It touches {'; '.join(parts)}." if parts else ""


def example_lines(intro: str, example: object) -> Iterator[str]:
    yield from ("", intro, "", "```json", json.dumps(example, ensure_ascii=False, indent=2), "```")


def event_lines(event: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield from json_fields(event["fields"])
    yield from example_lines("An example of its data:", event["example"])


def source_lines(source: Mapping[str, Any]) -> Iterator[str]:
    yield f"\nIt emits {', '.join(f'`{name}`' for name in source['event_types'])}."


def json_fields(fields: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    rows = [(f"`{field['name']}`", cell(field["type"]), cell(field["description"])) for field in fields]
    yield from table(("field", "kind", "what it is"), rows)


def parameters(fields: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    rows = [
        (
            f"`{field['name']}`",
            cell(field["type"]),
            "needed" if field["required"] else default(field["default"]),
            cell(field["description"]),
        )
        for field in fields
    ]
    yield from table(("parameter", "kind", "when left out", "what it is"), rows)


def default(value: Any) -> str:
    return "" if value in (None, "", [], {}) else f"`{json.dumps(value, ensure_ascii=False)}`"


# --- errors -------------------------------------------------------------------------------------------------------


def errors_page() -> Iterator[str]:
    yield from heading(1, "Exit codes and errors")
    yield (cli.main.__doc__ or "").strip().replace("Run a command and end the process: ", "A command ends with ")
    yield ""
    yield "An error is one block on standard error: what, where, and what to do next. With `--json` it is an object"
    yield "too, with `error`, `where` and `hint`. `--verbose` shows the traceback as well."
    yield ""
    found = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.AieError) and kind is not errors.AieError
    ]
    rows = [(f"`{kind.__name__}`", cell((kind.__doc__ or "").split("\n\n")[0])) for kind in found]
    yield from table(("in Python", "what it means"), rows)
