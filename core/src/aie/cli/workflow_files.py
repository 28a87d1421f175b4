"""The workflow files as a command looks at them: each on its own, the bad ones included."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aie.config import Config
from aie.definition import FileError
from aie.errors import AieError, DefinitionError, NotFoundError
from aie.lint import Finding, Severity, lint, needed_package
from aie.plugins.registry import Registry
from aie.spelling import nearest
from aie.templates import TemplateCompiler
from aie.workflow import Workflow, parse_workflow


@dataclass(frozen=True, slots=True)
class Looked:
    """One file. ``workflow`` is None when it cannot be used; ``findings`` then say why."""

    path: Path
    where: str  # the path as shown
    workflow_id: str  # as far as it can be told
    workflow: Workflow | None
    findings: tuple[Finding, ...]
    needs: tuple[str, ...] = ()  # packages to install

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity is Severity.ERROR]

    @property
    def state(self) -> str:
        """``ok``, ``needs aie-gmail``, ``has errors`` or ``bad file``."""
        if self.workflow is None:
            return "bad file"
        if self.needs:
            return f"needs {', '.join(self.needs)}"
        return "has errors" if self.errors else "ok"


def listed_files(config: Config) -> list[Path]:
    """Every workflow file of the vault."""
    found = [path for folder in config.workflow_folders if folder.is_dir() for path in json_files(folder)]
    return sorted(found)


def json_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))


def look_at(paths: Iterable[Path], config: Config, registry: Registry) -> list[Looked]:
    """Compile and lint each of the files; one that is bad does not stop the others."""
    compiler = TemplateCompiler()
    looked: list[Looked] = []
    first: dict[str, Looked] = {}
    for path in paths:
        found = _look(path, shown_path(path, config), compiler, registry)
        if found.workflow is not None:
            other = first.setdefault(found.workflow_id, found)
            if other is not found:
                message = f"the workflow_id {found.workflow_id!r} is taken by {other.where}"
                hint = "give each file a workflow_id of its own; this one is not used"
                taken = Finding(Severity.ERROR, f"{found.where}, workflow_id", message, hint)
                found = Looked(path, found.where, found.workflow_id, None, (taken, *found.findings))
        looked.append(found)
    return looked


def _look(path: Path, where: str, compiler: TemplateCompiler, registry: Registry) -> Looked:
    text = b""
    try:
        text = path.read_bytes()
        workflow = parse_workflow(text, compiler, where=where)
    except OSError as error:
        problem = DefinitionError(f"cannot be read: {error.strerror}", where=where, hint="check its permissions")
        return Looked(path, where, path.stem, None, tuple(_findings(problem)))
    except AieError as error:
        return Looked(path, where, _id_in(text) or path.stem, None, tuple(_findings(error)))
    needs = dict.fromkeys(needed_package(step.action_type, registry) for step in workflow.steps)
    return Looked(
        path, where, workflow.workflow_id, workflow, tuple(lint(workflow, registry)), tuple(filter(None, needs))
    )


def _findings(error: AieError) -> list[Finding]:
    problems = error.problems if isinstance(error, FileError) else (error,)
    return [Finding(Severity.ERROR, problem.where, problem.message, problem.hint) for problem in problems]


def _id_in(text: bytes) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    found = value.get("workflow_id") if isinstance(value, dict) else None
    return found[:120] if isinstance(found, str) else ""


def shown_path(path: Path, config: Config) -> str:
    """Relative to the vault where it is in it."""
    resolved = path.resolve()
    return str(resolved.relative_to(config.vault)) if resolved.is_relative_to(config.vault) else str(path)


def one_of(workflow_id: str, looked: list[Looked]) -> Looked:
    """The file of a workflow, by its id or the file's name. Raises NotFoundError with the nearest id."""
    for found in looked:
        if found.workflow is not None and found.workflow_id == workflow_id:
            return found
    for found in looked:
        if workflow_id in (found.workflow_id, found.path.name, found.path.stem):
            return found
    near = nearest(workflow_id, [found.workflow_id for found in looked])
    hint = f"did you mean {near!r}?" if near else "aie workflows list shows what there is"
    raise NotFoundError(f"no workflow has the id {workflow_id!r}", where="workflow_id", hint=hint)
