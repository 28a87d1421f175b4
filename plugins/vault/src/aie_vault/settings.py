"""The table ``[plugins.vault]`` of ``aie.toml``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from aie.errors import ParameterError
from aie.paths import PROTECTED, path_parts


def _folder(text: str) -> str:
    try:
        return "/".join(path_parts(text))
    except ParameterError as error:
        raise ValueError(f"{error}; {error.hint}") from None


def _watched(text: str) -> str:
    return "." if text == "." else _folder(text)


def _top_folder(text: str) -> str:
    if "/" in text:
        raise ValueError(f"{text!r} is not at the top of the vault; write one name, such as 'Approved'")
    return _folder(text)


Folder = Annotated[str, AfterValidator(_folder)]
Watched = Annotated[str, AfterValidator(_watched)]
TopFolder = Annotated[str, AfterValidator(_top_folder)]


class VaultSettings(BaseModel):
    """Which folders are watched, and what the folders of the approval notes are called."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    watch: list[Watched] = Field(
        default=["Inbox"],
        description="folders whose new files become file_added events, with their subfolders; '.' is the whole vault",
        examples=[["Inbox", "Receipts"]],
    )
    ignore: list[str] = Field(
        default=[],
        description="file names or vault paths that never become events; * and ? stand for any characters",
        examples=[["*.log", "Inbox/Private/*"]],
    )
    scan_interval_s: float = Field(default=2.0, ge=0.2, le=3600, description="seconds between two looks at the folders")
    native_watching: Literal["auto"] | bool = Field(
        default="auto",
        description="let the system report changes to shorten the wait; auto: where it can be relied on",
    )
    inbox: Folder = Field(default="Inbox", description="where notifications are written")
    pending: TopFolder = Field(default="Pending_Approval", description="where notes wait for a decision")
    approved: TopFolder = Field(default="Approved", description="moving a note here approves it")
    rejected: TopFolder = Field(default="Rejected", description="moving a note here rejects it; it stays here")
    done: TopFolder = Field(default="Done", description="where notes go once their action was carried out")

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if len({name.casefold() for name in self.own_folders}) < len(self.own_folders):
            raise ValueError(
                f"pending, approved, rejected and done are four different folders, found {self.own_folders}"
            )
        return self

    @property
    def own_folders(self) -> tuple[str, ...]:
        """The folders of approval notes: never watched for new files, never written to by a workflow."""
        return (self.pending, self.approved, self.rejected, self.done)

    @property
    def protected(self) -> tuple[str, ...]:
        """What no workflow writes to."""
        return (*PROTECTED, *self.own_folders)
