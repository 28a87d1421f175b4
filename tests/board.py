"""A plugin for a message board and the board itself, in this process: what the tests of aie.testing try."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aie import ActionContext, ActionHandler, Effect, Event, EventSource, EventTypeSpec, LookUp, hookimpl
from aie.connections import Connection, Finding, Level
from aie.errors import ActionError

SECRET = "xoxb-very-secret"


class Post(BaseModel):
    """A message."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(description="what it says")


class Posted(BaseModel):
    """The message as it stands."""

    number: int = Field(description="which one it is")


@dataclass
class Board:
    """The service: a board of messages, in this process."""

    posts: dict[str, str] = field(default_factory=dict)
    held: bool = False

    async def post(self, key: str, text: str, token: str | None) -> int:
        if self.held:
            await asyncio.get_running_loop().create_future()
        if token != SECRET:
            raise ActionError("the board does not know this token")
        self.posts.setdefault(key, text)
        return list(self.posts).index(key) + 1

    def state(self) -> dict[str, Any]:
        return {"posts": list(self.posts.values())}

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        self.held = True
        yield
        self.held = False


BOARD = Board()


async def post(params: Post, context: ActionContext) -> dict[str, Any]:
    return {"number": await BOARD.post(context.idempotency_key, params.text, context.credentials.get("token"))}


async def look_up(params: Post, context: ActionContext) -> LookUp:
    return LookUp(context.idempotency_key in BOARD.posts)


async def watch(context: Any) -> None:
    seen = context.cursor or 0
    while True:
        new = list(BOARD.posts.values())[seen:]
        events = [Event("board_message", "", {"text": text}, event_id=f"m{seen + at}") for at, text in enumerate(new)]
        seen += len(new)
        await context.emit(events, cursor=seen)
        await context.clock.sleep(60)


async def connect(desk: Any) -> None:
    """Nothing to ask."""


async def check(context: Any) -> list[Finding]:
    return [Finding(Level.OK, "the board answers")]


HANDLER = ActionHandler(
    name="post_message",
    params=Post,
    run=post,
    summary="post a message",
    result=Posted,
    example={"text": "Hello"},
    effect=Effect.EXTERNAL,
    repeatable=True,
    look_up=look_up,
    preview=lambda params, context: f"> {params.text}",
)
SOURCE = EventSource(name="board.messages", event_types=("board_message",), run=watch, summary="new messages")
EVENT_TYPE = EventTypeSpec("board_message", Post, {"text": "Hello"}, "A message was posted")
CONNECTION = Connection(name="board", connect=connect, check=check, summary="your board")


@dataclass
class Plugin:
    """A plugin that offers these."""

    handlers: Any = (HANDLER,)
    sources: Any = (SOURCE,)
    event_types: Any = (EVENT_TYPE,)
    connections: Any = (CONNECTION,)
    model: Any = None
    asked: Any = lambda: None  # called whenever a hook is

    @hookimpl
    def aie_action_handlers(self, settings: Any) -> Any:
        self.asked()
        return self.handlers

    @hookimpl
    def aie_event_sources(self, settings: Any) -> Any:
        return self.sources

    @hookimpl
    def aie_event_types(self) -> Any:
        return self.event_types

    @hookimpl
    def aie_connections(self, settings: Any) -> Any:
        return self.connections
