"""The action ``post_to_linkedin``.

LinkedIn takes no idempotency key, and an ordinary app may not read posts. What it does is refuse a text that it has
just published. So when an answer was lost, the same text is sent once more: either LinkedIn names the post that is
there, or it was not there and is now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel, Field

from aie.actions import ActionContext, ActionHandler, LookUp, Outcome
from aie.errors import ActionError, ParameterError, RetryableError, UncertainError
from aie.events import Event, EventType
from aie.touches import Touches
from aie_linkedin.answers import DuplicateError, PicturesNotReadyError
from aie_linkedin.api import Api, open_api
from aie_linkedin.pictures import Picture, forget_shown, refuse_others, remember_shown, upload
from aie_linkedin.post import PostToLinkedin, preview, request
from aie_linkedin.settings import LinkedinSettings
from aie_linkedin.urns import post_link

SOURCE = "linkedin"  # of all linkedin_post events, so that a post of ours that is also read from its page is one event
_PICTURE_PAUSES_S = (3.0, 7.0, 15.0, 30.0)


class Posted(BaseModel):
    """The post."""

    post_id: str = Field(description="its URN")
    link: str = Field(description="where a person opens it")
    author: str = Field(description="the URN it was posted as")
    already_there: bool = Field(description="an earlier attempt had posted it, and its answer was lost")


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes posts."""

    now: Callable[[], datetime] = _now

    async def run(self, params: PostToLinkedin, context: ActionContext) -> Outcome:
        """Publish once the time has come."""
        self._wait_for_its_time(params, context)
        try:
            posted = await self._publish(params, context)
        except DuplicateError as error:
            found = f": {post_link(error.post_id)}" if error.post_id else ""
            raise ActionError(
                f"{error.message}{found}",
                where="content",
                hint="change the text; LinkedIn may refuse it for a day or two even after that post was deleted",
            ) from None
        return Outcome(posted.model_dump(), events=(self._event(params, posted),))

    async def look_up(self, params: PostToLinkedin, context: ActionContext) -> LookUp:
        """Send the same text once more: if it was there before, LinkedIn refuses it and names the post."""
        if (due := params.due(context.timezone)) is not None and due > self.now():
            return LookUp(happened=False)
        await asyncio.sleep(context.settings.look_again_after_s)
        try:
            posted = await self._publish(params, context)
        except DuplicateError as error:
            async with open_api(context) as api:
                author = await api.author(params.as_organization)
            link = post_link(error.post_id) if error.post_id else ""
            posted = Posted(post_id=error.post_id, link=link, author=author, already_there=True)
        except RetryableError as error:
            raise UncertainError(f"whether the post is there could not be found out: {error.message}") from None
        return LookUp(happened=True, result=posted.model_dump())

    async def preview(self, params: PostToLinkedin, context: ActionContext) -> str:
        """The text, the pictures and what LinkedIn counts."""
        pictures: list[Picture] = []
        warning = ""
        try:
            pictures = await asyncio.to_thread(params.pictures, context.vault)
        except ParameterError as error:
            warning = f"It CANNOT be posted: {error}. Reject it, put that right, and start the run again.\n\n"
        await asyncio.to_thread(remember_shown, context.cache_dir, _step(context), pictures)
        record = context.credentials.record
        account = params.as_organization or (record.account if record and record.account else "you")
        return warning + preview(params, pictures, account, context.timezone)

    def _wait_for_its_time(self, params: PostToLinkedin, context: ActionContext) -> None:
        due, now = params.due(context.timezone), self.now()
        if due is not None and due > now:
            raise RetryableError(
                f"it is to be posted on {due.astimezone(context.timezone):%Y-%m-%d at %H:%M}, and waits until then",
                retry_after_s=(due - now).total_seconds(),
                where="schedule_at",
                hint="waiting takes one of the step's retries: give it a retry_count of 2 or more",
            )

    async def _publish(self, params: PostToLinkedin, context: ActionContext) -> Posted:
        pictures = await asyncio.to_thread(params.pictures, context.vault)
        await asyncio.to_thread(refuse_others, context.cache_dir, _step(context), pictures)
        async with open_api(context) as api:
            author = await api.author(params.as_organization)
            urns = await upload(api, author, pictures)
            post_id = await _create(
                api, request(params, author, pictures, urns), _picture_pauses(pictures, context.timeout_s)
            )
        await asyncio.to_thread(forget_shown, context.cache_dir, _step(context))
        return Posted(post_id=post_id, link=post_link(post_id), author=author, already_there=False)

    def _event(self, params: PostToLinkedin, posted: Posted) -> Event:
        first = params.images[0].path if params.images else None
        return Event(
            EventType.LINKEDIN_POST,
            SOURCE,
            {
                "post_id": posted.post_id,
                "content": params.shown,
                "author": posted.author,
                "visibility": params.visibility,
                "image_path": params.image_path or first,
                "published_at": self.now().isoformat(timespec="seconds"),
                "link": posted.link,
            },
            event_id=posted.post_id,
        )


async def _create(api: Api, body: dict[str, Any], pauses_s: tuple[float, ...]) -> str:
    """The URN of the new post. LinkedIn may need time for the pictures, and creates nothing before it had it."""
    scope = "w_organization_social" if ":organization:" in body["author"] else "w_member_social"
    for pause_s in (*pauses_s, None):
        try:
            answer = await api.call("POST", "/rest/posts", "the post", body=body, changes=True, scope=scope)
        except PicturesNotReadyError:
            if pause_s is None:
                raise
            await asyncio.sleep(pause_s)
            continue
        post_id = unquote(str(answer.headers.get("x-restli-id", "")))
        if not post_id:
            raise UncertainError("LinkedIn took the post and does not name it", where="POST /rest/posts")
        return post_id
    raise AssertionError("the last pause is None")


def _picture_pauses(pictures: list[Picture], timeout_s: float) -> tuple[float, ...]:
    """How long to wait before each further try; in the end half of the attempt's time is left for the requests."""
    waited = accumulate(_PICTURE_PAUSES_S)
    return tuple(
        pause for pause, sum_s in zip(_PICTURE_PAUSES_S, waited, strict=True) if pictures and sum_s <= timeout_s / 2
    )


def _step(context: ActionContext) -> str:
    return f"{context.run_id}/{context.step_id}"


def post_to_linkedin(publisher: Publisher, settings: LinkedinSettings) -> ActionHandler:
    """The action."""
    return ActionHandler(
        name="post_to_linkedin",
        params=PostToLinkedin,
        run=publisher.run,
        summary="publish a post on LinkedIn",
        example={"content": "From March on we open at 8. #bakery", "visibility": "PUBLIC"},
        result=Posted,
        look_up=publisher.look_up,
        note_kind="LINKEDIN_POST",
        body_field="content",
        locked_fields=frozenset({"as_organization", "mentions"}),
        preview=publisher.preview,
        touches=settings.servers | Touches(folders=("the pictures a workflow names",)),
    )
