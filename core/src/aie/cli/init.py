"""``aie init``."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import rich_click as click

from aie.cli.output import Output, WrongUseError, common_options
from aie.config import DEFAULT_TOML, Config
from aie.config_file import FILE_NAME
from aie.doctor import missing_actions
from aie.errors import AieError, ConfigError
from aie.files import Files
from aie.library import Library
from aie.plain import parse_json
from aie.plugins.registry import Registry
from aie.templates import TemplateCompiler

FOLDERS = ("workflows", "Inbox", "Pending_Approval", "Approved", "Rejected", "Done", "Logs")


@dataclass(slots=True)
class Done:
    """What was made, and what was there already."""

    made: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    workflows: list[str] = field(default_factory=list)  # ids that were copied
    left: list[str] = field(default_factory=list)  # a sentence for each that was not
    adopted: list[str] = field(default_factory=list)  # ids of workflows that were here before


@click.command()
@click.argument("folder", metavar="[VAULT]", required=False, type=click.Path(path_type=Path))
@click.option("--no-workflows", is_flag=True, help="Leave out the five workflows to begin with.")
@common_options
def command(folder: Path | None, no_workflows: bool, vault: Path | None, output: Output) -> None:
    """Make a vault, or adopt the one you have: a folder of notes.

    Your notes stay as they are, and nothing is overwritten. Workflows in integrations/workflows are used where they
    lie. Run it again whenever you like.

    \b
    Examples:
      aie init ~/Documents/MyVault
      cd MyVault && aie init --no-workflows
    """
    if folder is not None and vault is not None:
        raise WrongUseError("the vault is given twice", hint="leave out --vault")
    place = (folder or vault or Path.cwd()).expanduser().resolve()
    done = make_vault(place, workflows=not no_workflows)
    config = Config.load(place, os.environ)
    missing = list(_missing(config))
    output.record(
        {"vault": str(place), "made": done.made, "found": done.found, "workflows": done.workflows, "left": done.left,
         "adopted": done.adopted, "missing": missing}
    )  # fmt: skip
    _tell(place, done, missing, output)


def make_vault(vault: Path, *, workflows: bool) -> Done:
    """Make what is not there yet; a second time makes nothing."""
    if vault == Path.home():
        raise WrongUseError(
            "your home folder is too large a vault", where=str(vault), hint=f"name one: aie init {vault / 'vault'}"
        )
    done = Done()
    files = Files()
    try:
        _make_folder(vault, str(vault), done)
        created = files.create(vault / FILE_NAME, DEFAULT_TOML.encode())
        (done.made if created else done.found).append(FILE_NAME)
        for name in FOLDERS:
            _make_folder(vault / name, f"{name}/", done)
        _offer_workflows(vault, files, done, wanted=workflows)
    except OSError as error:
        raise ConfigError(
            f"the vault cannot be made: {error.strerror}",
            where=str(error.filename or vault),
            hint="check the permissions of that folder, or choose another place",
        ) from error
    return done


def _make_folder(path: Path, name: str, done: Done) -> None:
    (done.found if path.is_dir() else done.made).append(name)
    path.mkdir(parents=True, exist_ok=True)


def _offer_workflows(vault: Path, files: Files, done: Done, *, wanted: bool) -> None:
    config = Config.load(vault, os.environ)
    library = Library(config.workflow_folders, TemplateCompiler())
    library.refresh()
    done.adopted = sorted(library.shelf.workflows)
    if not wanted:
        return
    for name, text in _shipped():
        data = parse_json(text, where=name)
        assert isinstance(data, dict)
        workflow_id = str(data["workflow_id"])
        if workflow_id in library.shelf.workflows:
            continue  # listed as adopted
        target = config.workflow_folders[0] / name
        if files.create(target, text):
            done.workflows.append(workflow_id)
        else:
            done.left.append(f"{target.relative_to(vault)} is there and is not the workflow {workflow_id}")


def _shipped() -> Iterator[tuple[str, bytes]]:
    folder = resources.files("aie") / "workflows"
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.name.endswith(".json"):
            yield item.name, item.read_bytes()


def _missing(config: Config) -> Iterator[dict[str, str]]:
    """What workflows here need and nobody has installed."""
    library = Library(config.workflow_folders, TemplateCompiler())
    library.refresh()
    registry = Registry.load(config)
    for problem in library.shelf.problems:
        yield {"workflow_id": "", **problem.as_dict()}
    for workflow_id, workflow in sorted(library.shelf.workflows.items()):
        for error in missing_actions(workflow, registry):
            yield {"workflow_id": workflow_id, **AieError.as_dict(error)}


def _tell(vault: Path, done: Done, missing: list[dict[str, str]], output: Output) -> None:
    output.line(f"The vault {vault}")
    if done.made:
        output.line(f"  made            {', '.join(name for name in done.made if name != str(vault)) or 'the folder'}")
    if done.found and not done.made:
        output.line("  everything was there already")
    if done.adopted:
        output.line("  yours, in use   " + "\n                  ".join(done.adopted))
    if done.workflows:
        output.line("  added           " + "\n                  ".join(done.workflows))
    for sentence in done.left:
        output.line(f"  left alone      {sentence}")
    if missing:
        output.line("\nNot all of it can run yet:")
    for problem in missing:
        place = problem["workflow_id"] or problem.get("where", "")
        output.line(f"  {place}: {problem['error']}")
        if problem.get("hint"):
            output.line(f"      → {problem['hint']}")
    output.line("\nNext:")
    if vault != Path.cwd():
        output.line(f"  cd {shlex.quote(str(vault))}")
    output.line('  aie emit expense_recorded name="Team lunch" amount=750 date=2026-02-09 --dry-run')
    output.line("  aie start")
    output.line("  aie doctor")
