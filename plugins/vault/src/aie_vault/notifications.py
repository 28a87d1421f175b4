"""The action ``send_notification``: a note in the Inbox."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aie.actions import ActionContext, ActionHandler, Effect
from aie.errors import RetryableError
from aie.files import Files, advice
from aie.paths import safe_name
from aie.touches import Touches
from aie_vault import inert
from aie_vault.actions import Written
from aie_vault.frontmatter import quoted, scalar
from aie_vault.settings import VaultSettings


class SendNotification(BaseModel):
    """A note for the person."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    title: str = Field(description="what it is about, in one line", examples=["New invoice"], min_length=1)
    message: str = Field(
        description="the text; lists, emphasis and links work, what could run or fetch something is made inert",
        examples=["Invoice INV/2026/00001 for $5000 has been created"],
    )
    priority: Literal["low", "normal", "high"] = Field(default="normal", description="how urgent it is")


@dataclass(frozen=True, slots=True)
class SendNotificationHandler:
    """Writes one note per step: its name carries the step's key, so a second attempt finds the note of the first."""

    settings: VaultSettings
    files: Files

    def __call__(self, params: SendNotification, context: ActionContext) -> dict[str, str | bool]:
        path = f"{self.settings.inbox}/{note_name(params.title, context)}"
        text = note_text(params, context)
        try:
            # The path is aie's own making, so an Inbox below a protected folder is the operator's choice.
            created = self.files.create_inside(context.vault, path, text.encode(), protected=())
        except OSError as error:
            raise RetryableError(f"{path!r} could not be written: {error.strerror}", hint=advice(error)) from error
        return {"path": path, "created": created}


def note_name(title: str, context: ActionContext) -> str:
    """``NOTIFICATION_20260209_183000_New-invoice_3fa1c29be04d.md``: when, about what, and for which step."""
    when = context.now.astimezone(context.timezone).strftime("%Y%m%d_%H%M%S")
    key = hashlib.sha256(context.idempotency_key.encode()).hexdigest()[:12]
    return f"NOTIFICATION_{when}_{slug(title)}_{key}.md"


def slug(title: str) -> str:
    """A title as part of a file name, blanks as hyphens."""
    return safe_name(title, 60).replace(" ", "-")


def note_text(params: SendNotification, context: ActionContext) -> str:
    """The note."""
    properties = {
        "aie_type": "notification",
        "title": quoted(params.title),
        "created": context.now.astimezone(context.timezone).strftime("%Y-%m-%dT%H:%M:%S"),
        "workflow": scalar(context.workflow_id),
        "run": scalar(context.run_id),
        "priority": params.priority,
    }
    front = "".join(f"{key}: {value}\n" for key, value in properties.items())
    text = f"---\n{front}---\n\n# {inert.line(params.title)}\n\n{inert.paragraph(params.message).rstrip()}\n"
    return inert.tamed(text)


def send_notification(settings: VaultSettings, files: Files) -> ActionHandler:
    """The action with these settings."""
    return ActionHandler(
        name="send_notification",
        params=SendNotification,
        run=SendNotificationHandler(settings, files),
        summary=f"put a note into {settings.inbox}/",
        example={"title": "New invoice", "message": "Invoice INV/2026/00001 for $5000 has been created"},
        result=Written,
        effect=Effect.LOCAL,
        repeatable=True,
        title_field="title",
        body_field="message",
        touches=Touches(folders=(settings.inbox,)),
    )
