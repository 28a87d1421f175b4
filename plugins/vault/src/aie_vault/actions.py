"""The action ``create_file``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from aie.actions import ActionContext, ActionHandler, Effect
from aie.errors import ActionError, ParameterError, RetryableError
from aie.files import Files, Folder, advice
from aie.paths import PROTECTED, path_parts
from aie.touches import Touches
from aie_vault.settings import VaultSettings


def _path(text: str, *, there: bool = False) -> str:
    try:
        return "/".join(path_parts(text, protected=PROTECTED, there=there))
    except ParameterError as error:
        raise ValueError(f"{error}; {error.hint}") from None


VaultPath = Annotated[str, AfterValidator(_path)]
PathOfFile = Annotated[str, AfterValidator(partial(_path, there=True))]


class CreateFile(BaseModel):
    """A file in the vault."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    path: VaultPath = Field(
        description="where, below the vault; missing folders are made", examples=["Inbox/BRIEFING_2026-02-09.md"]
    )
    content: str = Field(description="the text of the file", examples=["# Briefing\n\n- [ ] Review approvals\n"])
    if_exists: Literal["number", "error", "overwrite"] = Field(
        default="number",
        description="when another file has that name: take the next free 'NAME 2', fail, or replace it",
    )


class Written(BaseModel):
    """Where the file is, and whether this attempt made it: not when it was there already, or was replaced."""

    path: str = Field(description="where it is, below the vault")
    created: bool = Field(description="whether this step made it")


@dataclass(frozen=True, slots=True)
class CreateFileHandler:
    """Makes a file. A file that already has that name and that content is the result of an earlier attempt: done."""

    settings: VaultSettings
    files: Files

    def __call__(self, params: CreateFile, context: ActionContext) -> dict[str, str | bool]:
        try:
            name, created = self._write(params, context)
        except (IsADirectoryError, NotADirectoryError) as error:
            raise ActionError(f"{params.path!r} cannot be written: {error.strerror}", where="path") from None
        except OSError as error:
            raise RetryableError(
                f"{params.path!r} could not be written: {error.strerror}", where="path", hint=advice(error)
            ) from error
        return {"path": str(PurePosixPath(params.path).with_name(name)), "created": created}

    def _write(self, params: CreateFile, context: ActionContext) -> tuple[str, bool]:
        data = params.content.encode()
        with self.files.folder_of(context.vault, params.path, protected=self.settings.protected) as (folder, name):
            if params.if_exists == "number":
                made = _numbered_with(folder, name, data)
                return (made, False) if made else (folder.create_numbered(name, data), True)
            if folder.create(name, data):
                return name, True
            if _holds(folder, name, data):
                return name, False
            if params.if_exists == "error":
                raise ActionError(
                    f"{params.path!r} exists already, with other content",
                    where="path",
                    hint='choose another path, or if_exists "number" or "overwrite"',
                )
            folder.write(name, data)
            return name, False


def create_file(settings: VaultSettings, files: Files) -> ActionHandler:
    """The action with these settings."""
    return ActionHandler(
        name="create_file",
        params=CreateFile,
        run=CreateFileHandler(settings, files),
        summary="write a file into the vault",
        example={"path": "Inbox/BRIEFING_2026-02-09.md", "content": "# Briefing\n\n- [ ] Review approvals\n"},
        result=Written,
        effect=Effect.LOCAL,
        repeatable=True,
        title_field="path",
        body_field="content",
        touches=Touches(folders=(".",)),
    )


def _numbered_with(folder: Folder, name: str, data: bytes) -> str | None:
    """The file of this name, numbered or not, that has this content already."""
    return next((candidate for candidate in of_this_title(folder, name) if _holds(folder, candidate, data)), None)


def of_this_title(folder: Folder, name: str) -> list[str]:
    """What has this name in the folder, numbered or not, the lowest number first."""
    path = Path(name)
    same_title = re.compile(f"{re.escape(path.stem)}( [0-9]+)?{re.escape(path.suffix)}", re.IGNORECASE)
    names = (entry.name for entry in folder.scan() if same_title.fullmatch(entry.name))
    return sorted(names, key=lambda found: (len(found), found))


def _holds(folder: Folder, name: str, data: bytes) -> bool:
    status = folder.stat(name)
    if status is None or status.st_size != len(data):
        return False
    try:
        with folder.open(name) as file:
            return file.read() == data
    except OSError:  # a link, a device, a folder
        return False
