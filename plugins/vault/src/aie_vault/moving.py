"""The action ``move_file``."""

from __future__ import annotations

import asyncio
import errno
import os
import unicodedata
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from aie.actions import ActionContext, ActionHandler, Effect, LookUp
from aie.errors import ActionError, ParameterError, RetryableError
from aie.files import Files, Folder, advice
from aie.paths import path_parts, safe_name
from aie.plain import Json
from aie.touches import Touches
from aie_vault.actions import PathOfFile, VaultPath, of_this_title
from aie_vault.moves import MOVES, Moves
from aie_vault.settings import VaultSettings


def _one_name(text: str) -> str:
    if "/" in text:
        raise ValueError("a name has no slash in it; where the file goes is said under folder")
    return text


class MoveFile(BaseModel):
    """A file of the vault, and where it belongs."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    path: PathOfFile = Field(description="the file, below the vault", examples=["Inbox/offer.pdf"])
    folder: VaultPath = Field(
        description="where it goes, below the vault; missing folders are made", examples=["Archive/2026-02"]
    )
    name: Annotated[VaultPath, AfterValidator(_one_name)] | None = Field(
        default=None,
        description="its new name with the extension; without one it keeps its own, as far as every system can have it",
        examples=["2026-02-09 offer.pdf"],
    )
    if_exists: Literal["number", "error"] = Field(
        default="number", description="when another file has that name: take the next free 'NAME 2', or fail"
    )

    @property
    def target(self) -> PurePosixPath:
        """The path it gets, if that is free."""
        return PurePosixPath(self.folder, self.name or _portable(PurePosixPath(self.path).name))


class Moved(BaseModel):
    """Where the file is now."""

    path: str = Field(description="where it is, below the vault")


@dataclass(frozen=True, slots=True)
class MoveFileHandler:
    """Gives a file its place. It is in one place or the other, and never takes another file's."""

    settings: VaultSettings
    files: Files
    moves: Moves = MOVES

    def __call__(self, params: MoveFile, context: ActionContext) -> dict[str, Json]:
        if str(params.target) == params.path:
            return {"path": params.path}
        try:
            name = self._move(params, context)
        except FileNotFoundError:
            hint = "see whether somebody has moved, renamed or removed it meanwhile"
            raise ActionError(f"there is no file {params.path!r}", where="path", hint=hint) from None
        except OSError as error:
            if error.errno == errno.EXDEV:
                hint = "choose a folder on the disk that the file is on"
                raise ActionError(f"{params.folder!r} is on another disk", where="folder", hint=hint) from None
            if error.errno in (errno.EINVAL, errno.EISDIR, errno.ENOTDIR):
                raise ActionError(f"{params.path!r} cannot be moved: {error.strerror}", where="path") from None
            problem = f"{params.path!r} could not be moved: {error.strerror}"
            raise RetryableError(problem, where="path", hint=advice(error)) from error
        return self._told(params, name, context)

    def _move(self, params: MoveFile, context: ActionContext) -> str:
        with (
            self._folder(params.path, context) as (source, wanted),
            self._folder(str(params.target), context, create=True) as (target, new_name),
        ):
            name = _as_written(source, wanted)
            if params.if_exists == "number":
                return source.move_numbered(name, target, new_name)
            if not source.move(name, target, new_name):
                hint = 'choose another name or folder, or if_exists "number"'
                raise ActionError(f"{str(params.target)!r} exists already", where="name", hint=hint)
            return new_name

    async def look_up(self, params: MoveFile, context: ActionContext) -> LookUp:
        """What became of an attempt whose end aie did not see; one that came halfway is brought to its end."""
        return await asyncio.to_thread(self._look_up, params, context)

    def _look_up(self, params: MoveFile, context: ActionContext) -> LookUp:
        found: dict[str, os.stat_result | None] = {}
        try:
            with self._folder(str(params.target), context) as (target, new_name):
                found = {name: target.stat(name) for name in of_this_title(target, new_name)}
        except FileNotFoundError:
            return LookUp(False)  # the folder is made first
        try:
            with self._folder(params.path, context) as (source, wanted):
                name = _as_written(source, wanted)
                before = source.stat(name)
                twin = None if before is None else _twin(params, before, found)
                if twin is not None:
                    source.remove(name)
                    return LookUp(True, self._told(params, twin, context))
        except FileNotFoundError:
            before = None
        if before is not None:
            return LookUp(False)
        return LookUp(True, _moved(params, *found)) if len(found) == 1 else LookUp(None)

    def _told(self, params: MoveFile, name: str, context: ActionContext) -> dict[str, Json]:
        """The result, which whoever watches the vault has heard of as well."""
        result = _moved(params, name)
        self.moves.tell(context.vault, params.path, str(result["path"]))
        return result

    def _folder(
        self, path: str, context: ActionContext, *, create: bool = False
    ) -> AbstractContextManager[tuple[Folder, str]]:
        return self.files.folder_of(context.vault, path, create=create, protected=self.settings.protected)


def move_file(settings: VaultSettings, files: Files, moves: Moves = MOVES) -> ActionHandler:
    """The action with these settings."""
    handler = MoveFileHandler(settings, files, moves)
    return ActionHandler(
        name="move_file",
        params=MoveFile,
        run=handler,
        summary="move or rename a file of the vault",
        example={"path": "Inbox/offer.pdf", "folder": "Archive/2026-02"},
        result=Moved,
        effect=Effect.LOCAL,
        look_up=handler.look_up,
        title_field="path",
        touches=Touches(folders=(".",)),
    )


def _moved(params: MoveFile, name: str) -> dict[str, Json]:
    return {"path": str(params.target.with_name(name))}


def _portable(name: str) -> str:
    """The name, or the nearest one that a file can have on every system."""
    try:
        path_parts(name)
    except ParameterError:
        path = PurePosixPath(name)
        return safe_name(path.stem) + (f".{safe_name(path.suffix)}" if path.suffix else "")
    return name


def _as_written(folder: Folder, name: str) -> str:
    """The name as the folder has it: some systems write accents in another form than a workflow does."""
    if folder.stat(name) is not None:
        return name
    same = (entry.name for entry in folder.scan() if unicodedata.normalize("NFC", entry.name) == name)
    return next(same, name)


def _twin(params: MoveFile, before: os.stat_result, found: dict[str, os.stat_result | None]) -> str | None:
    """The second name of a file that was halfway through its move and still has the first."""
    if before.st_nlink < 2:
        return None
    others = {name: status for name, status in found.items() if _moved(params, name)["path"] != params.path}
    return next((name for name, status in others.items() if status and os.path.samestat(status, before)), None)
