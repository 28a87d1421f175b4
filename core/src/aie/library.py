"""The workflow files: all that can be used, and for each of the others what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from aie.definition import MAX_FILE_BYTES
from aie.errors import AieError, DefinitionError
from aie.templates import TemplateCompiler
from aie.workflow import Workflow, parse_workflow


@dataclass(frozen=True)
class Shelf:
    """The workflows as they stood at one moment."""

    workflows: Mapping[str, Workflow] = field(default_factory=dict)
    problems: tuple[AieError, ...] = ()

    @cached_property
    def by_event(self) -> Mapping[str, tuple[Workflow, ...]]:
        """The workflows for each event type, in the order of their ids."""
        grouped: dict[str, list[Workflow]] = {}
        for workflow_id in sorted(self.workflows):
            workflow = self.workflows[workflow_id]
            grouped.setdefault(workflow.trigger_event, []).append(workflow)
        return {event_type: tuple(workflows) for event_type, workflows in grouped.items()}


Signature = tuple[int, int, int]  # mtime_ns, size, inode


@dataclass(slots=True)
class _File:
    signature: Signature
    workflow: Workflow | None
    problem: AieError | None


class Library:
    """Reads the folders, and reads a file again when it has changed.

    A file that turns bad (half written, say) keeps serving its last good version, and the problem is named. A deleted
    one is gone; runs that began with it go on, because the journal keeps their definition.
    """

    def __init__(self, folders: Sequence[Path], compiler: TemplateCompiler) -> None:
        self._folders = tuple(folders)
        self._compiler = compiler
        self._files: dict[Path, _File] = {}
        self.shelf = Shelf()

    def refresh(self) -> bool:
        """Read what is new or changed; True if the shelf is another one now."""
        listing = dict(self._listing())
        changed = False
        for path in self._files.keys() - listing.keys():
            del self._files[path]
            changed = True
        for path, signature in listing.items():
            known = self._files.get(path)
            if known is None or known.signature != signature:
                self._files[path] = self._read(path, signature, known.workflow if known else None)
                changed = True
        if changed:
            self.shelf = self._arrange()
        return changed

    def path_of(self, workflow_id: str) -> Path | None:
        for path, file in self._files.items():
            if file.workflow is not None and file.workflow.workflow_id == workflow_id:
                return path
        return None

    def _listing(self) -> Iterator[tuple[Path, Signature]]:
        for folder in self._folders:
            try:
                entries = sorted(folder.iterdir())
            except FileNotFoundError:
                continue
            for path in entries:
                if path.suffix == ".json" and not path.name.startswith("."):
                    try:
                        status = path.stat()
                    except OSError:
                        continue  # vanished while we looked: the next look will not list it
                    yield path, (status.st_mtime_ns, status.st_size, status.st_ino)

    def _read(self, path: Path, signature: Signature, last_good: Workflow | None) -> _File:
        where = str(path)
        try:
            if signature[1] > MAX_FILE_BYTES:
                raise DefinitionError(
                    f"the file is over {MAX_FILE_BYTES:,} bytes", where=where, hint="split the workflow"
                )
            return _File(signature, parse_workflow(path.read_bytes(), self._compiler, where=where), None)
        except OSError as error:
            problem: AieError = DefinitionError(
                f"cannot be read: {error.strerror}", where=where, hint="check its permissions"
            )
        except AieError as error:
            problem = error
        return _File(signature, last_good, problem)

    def _arrange(self) -> Shelf:
        workflows: dict[str, Workflow] = {}
        problems: list[AieError] = []
        for path in sorted(self._files):
            file = self._files[path]
            if file.problem is not None:
                problems.append(file.problem)
            if file.workflow is None:
                continue
            first = workflows.setdefault(file.workflow.workflow_id, file.workflow)
            if first is not file.workflow:
                problems.append(
                    DefinitionError(
                        f"the workflow_id {first.workflow_id!r} is taken by {first.where}",
                        where=str(path),
                        hint="give each file a workflow_id of its own; this one is not used",
                    )
                )
        return Shelf(workflows, tuple(problems))
