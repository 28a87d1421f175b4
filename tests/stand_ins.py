"""Plugins for tests: real ones, handed to the orchestrator by name, whose effects are lines in a file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aie import ActionContext, ActionHandler, Effect, hookimpl
from aie.testing import FakeClock
from aie.testing.clock import MONDAY


class SendEmail(BaseModel):
    """A mail."""

    model_config = ConfigDict(extra="forbid")
    to: str = Field(description="who gets it")
    subject: str = Field(description="one line")
    body: str = Field(description="the text")
    priority: str = Field(default="normal", description="low, normal or high")


class CreateCalendarEvent(BaseModel):
    """An appointment."""

    model_config = ConfigDict(extra="forbid")
    title: str = Field(description="one line")
    date: str = Field(description="2026-02-16")
    time: str = Field(description="14:00")
    duration: str = Field(default="1 hour", description="how long")
    description: str = Field(default="", description="more")


class PostToLinkedin(BaseModel):
    """A post."""

    model_config = ConfigDict(extra="forbid")
    content: str = Field(description="the text")
    visibility: str = Field(default="PUBLIC", description="who sees it")
    image_path: str | None = Field(default=None, description="a picture in the vault")


@dataclass
class Outbox:
    """The outside world: what left the house, in order, as lines of a file."""

    path: Path

    def send(self, action: str, params: BaseModel, context: ActionContext) -> dict[str, Any]:
        entry = {"action": action, **params.model_dump(), "key": context.idempotency_key}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        return {"sent": True}

    def sent(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        entries = [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]
        return [{name: value for name, value in entry.items() if name != "key"} for entry in entries]


@dataclass
class Services:
    """The actions of the integrations that the original workflows use."""

    outbox: Outbox

    @hookimpl
    def aie_action_handlers(self, settings: object) -> list[ActionHandler]:
        def action(name: str, params: type[BaseModel], note_kind: str) -> ActionHandler:
            async def run(values: BaseModel, context: ActionContext) -> dict[str, Any]:
                return self.outbox.send(name, values, context)

            return ActionHandler(name, params, run, summary=str(params.__doc__), note_kind=note_kind)

        return [
            action("send_email", SendEmail, "EMAIL"),
            action("create_calendar_event", CreateCalendarEvent, "CALENDAR"),
            action("post_to_linkedin", PostToLinkedin, "LINKEDIN_POST"),
        ]


class Free(BaseModel):
    """Anything."""

    model_config = ConfigDict(extra="allow")


@dataclass
class Scripted:
    """Actions whose behaviour a test gives by name; ``calls`` has every call made."""

    actions: dict[str, Callable[[dict[str, Any], ActionContext], Any]]
    effect: Effect = Effect.LOCAL
    repeatable: bool = True
    calls: list[tuple[str, dict[str, Any], int]] = field(default_factory=list)

    @hookimpl
    def aie_action_handlers(self, settings: object) -> list[ActionHandler]:
        def action(name: str, behave: Callable[[dict[str, Any], ActionContext], Any]) -> ActionHandler:
            async def run(values: Free, context: ActionContext) -> Any:
                self.calls.append((name, values.model_dump(), context.attempt))
                answer = behave(values.model_dump(), context)
                return await answer if asyncio.iscoroutine(answer) else answer

            return ActionHandler(name, Free, run, effect=self.effect, repeatable=self.repeatable)

        return [action(name, behave) for name, behave in self.actions.items()]


class ManualClock(FakeClock):
    """A clock that stands still until a test moves it."""

    def __init__(self, now: datetime = MONDAY) -> None:
        super().__init__(now, by_hand=True)


def workflow(
    workflow_id: str, *actions: dict[str, Any], trigger: str = "manual_trigger", **fields: Any
) -> dict[str, Any]:
    """A definition with these actions."""
    return {"workflow_id": workflow_id, "trigger_event": trigger, "actions": list(actions), **fields}


def make_vault(folder: Path, *workflows: dict[str, Any]) -> Path:
    """A vault with these workflows."""
    (folder / "workflows").mkdir(parents=True, exist_ok=True)
    (folder / "aie.toml").write_text('timezone = "Europe/Berlin"\nstate_dir = "../state"\n', encoding="utf-8")
    for definition in workflows:
        path = folder / "workflows" / f"{definition['workflow_id']}.json"
        path.write_text(json.dumps(definition), encoding="utf-8")
    return folder
