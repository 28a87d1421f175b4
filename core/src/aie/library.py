"""The workflow files: all that can be used, and for each of the others what is wrong with it."""

from __future__ import annotations

import gc
import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import cycle, islice
from pathlib import Path

from aie.definition import MAX_FILE_BYTES
from aie.errors import AieError, DefinitionError
from aie.index import Index
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

    def index(self, event_type: str) -> Index:
        """The index over the workflows on one event type."""
        if event_type not in self.by_event:
            return Index(())
        index = self._indexes.get(event_type)
        if index is None:
            index = self._indexes[event_type] = Index(self.by_event.get(event_type, ()))
        return index

    @cached_property
    def _indexes(self) -> dict[str, Index]:
        return {}


Signature = tuple[int, int, int]  # mtime_ns, size, inode

COARSEST_TIME_NS = 2_000_000_000
GLANCE_FILES = 1_000  # how many files one glance looks at: a few milliseconds
_MANY = 1_000
_LOOK_EVERY = 60  # glances; some file systems do not tell of a new file by the time of its folder


@dataclass(slots=True)
class _File:
    signature: Signature
    workflow: Workflow | None
    problem: AieError | None
    digest: bytes = b""  # of what was read


class Library:
    """Reads the folders, and reads a file again when it has changed.

    A file that turns bad (half written, say) keeps serving its last good version, and the problem is named. A deleted
    one is gone; runs that began with it go on, because the journal keeps their definition.
    """

    def __init__(self, folders: Sequence[Path], compiler: TemplateCompiler) -> None:
        self._folders = sorted(folders)
        self._compiler = compiler
        self._files: dict[str, _File] = {}
        self._shut: dict[str, DefinitionError] = {}  # the folders that could not be read, and why
        self._folder_times: list[int] = []
        self._settled = False  # whether the last two looks found the same times
        self._glances = 0
        self._round: Iterator[str] = iter(())  # all files in turn, over and over
        self.shelf = Shelf()

    def refresh(self) -> bool:
        """Read what is new or changed; True if the shelf is another one now."""
        times = self._times()  # before the files: what changes meanwhile is seen the next time
        # Times are coarse: what comes right after a look may not change them. So after a new time we look once more.
        self._settled = times == self._folder_times
        self._folder_times = times
        shut, self._shut = self._shut, {}
        listing = dict(self._listing())
        as_before = listing == {path: file.signature for path, file in self._files.items()}
        if as_before and self._shut.keys() == shut.keys():
            return False
        before = self._files
        with _garbage_left_alone(len(listing) - len(before)):
            # In the order of folders, then of names.
            self._files = {path: self._current(path, listing[path]) for path in sorted(listing, key=os.path.split)}
        if self._shut.keys() == shut.keys() and self._files.keys() == before.keys():
            pairs = ((self._files[path], before[path]) for path in before)
            if all(new.workflow is old.workflow and new.problem is old.problem for new, old in pairs):
                return False
        self._round = cycle(list(self._files))
        self.shelf = self._arrange()
        return True

    def glance(self) -> bool:
        """:meth:`refresh` for every second: new and deleted files are seen at once, an edit in place at once too as
        long as the files are not thousands, and then within some seconds.
        """
        self._glances += 1
        edited = any(map(self._is_edited, islice(self._round, min(len(self._files), GLANCE_FILES))))
        if edited or not self._settled or self._times() != self._folder_times or self._glances % _LOOK_EVERY == 0:
            return self.refresh()
        return False

    def _is_edited(self, path: str) -> bool:
        try:
            # As text, because making a Path for each of thousands takes longer than looking at them.
            return _signature(os.stat(path)) != self._files[path].signature  # noqa: PTH116
        except OSError:
            return True

    def _times(self) -> list[int]:
        """When an entry of each folder last came, went or got another name."""
        times = []
        for folder in self._folders:
            try:
                times.append(folder.stat().st_mtime_ns)
            except OSError:
                times.append(0)
        return times

    def _listing(self) -> Iterator[tuple[str, Signature]]:
        for folder in self._folders:
            try:
                entries = os.scandir(folder)
            except FileNotFoundError:
                continue
            except OSError as error:  # what is known from it keeps serving
                self._shut[str(folder)] = DefinitionError(
                    f"the folder cannot be read: {error.strerror}", where=str(folder), hint="check its permissions"
                )
                known = self._files.items()
                yield from ((path, file.signature) for path, file in known if Path(path).parent == folder)
                continue
            with entries:
                for entry in entries:
                    if entry.name.endswith(".json") and not entry.name.startswith("."):
                        # One that vanished while we looked will not be listed at the next look.
                        with suppress(OSError):
                            yield entry.path, _signature(entry.stat())

    def _current(self, path: str, signature: Signature) -> _File:
        known = self._files.get(path)
        if known is not None and known.signature == signature:
            return known
        return self._read(Path(path), signature, known)

    def _read(self, path: Path, signature: Signature, known: _File | None) -> _File:
        where, digest = str(path), b""
        try:
            if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
                raise DefinitionError("this is no file", where=where, hint="put a file there, or take it away")
            if signature[1] > MAX_FILE_BYTES:
                raise DefinitionError(
                    f"the file is over {MAX_FILE_BYTES:,} bytes", where=where, hint="split the workflow"
                )
            data = path.read_bytes()
            digest = hashlib.sha256(data).digest()
            if known is not None and known.digest == digest:
                return _File(_trusted(signature), known.workflow, known.problem, digest)
            return _File(_trusted(signature), parse_workflow(data, self._compiler, where=where), None, digest)
        except OSError as error:
            problem: AieError = DefinitionError(
                f"cannot be read: {error.strerror}", where=where, hint="check its permissions"
            )
        except AieError as error:
            problem = error
        return _File(_trusted(signature), known.workflow if known else None, problem, digest)

    def _arrange(self) -> Shelf:
        workflows: dict[str, Workflow] = {}
        problems: list[AieError] = list(self._shut.values())
        for path, file in self._files.items():
            if file.problem is not None:
                problems.append(file.problem)
            if file.workflow is None:
                continue
            first = workflows.setdefault(file.workflow.workflow_id, file.workflow)
            if first is not file.workflow:
                problems.append(
                    DefinitionError(
                        f"the workflow_id {first.workflow_id!r} is taken by {first.where}",
                        where=path,
                        hint="give each file a workflow_id of its own; this one is not used",
                    )
                )
        return Shelf(workflows, tuple(problems))


def _signature(status: os.stat_result) -> Signature:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _trusted(signature: Signature) -> Signature:
    """The signature, unless the file changed so lately that another change may leave it as it is: times are coarse."""
    lately = abs(time.time_ns() - signature[0]) < COARSEST_TIME_NS
    return (0, *signature[1:]) if lately else signature


@contextmanager
def _garbage_left_alone(files: int) -> Iterator[None]:
    """No search for garbage while many files are read: what they leave is there to stay, and each search goes through
    all of it. One at the end, rather than in the middle of the first event.
    """
    if files < _MANY or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()
