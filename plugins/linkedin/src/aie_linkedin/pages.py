"""The source ``linkedin.pages``: new posts of company pages, where LinkedIn permits the app to read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from aie.errors import ActionError, AieError, RetryableError
from aie.events import Event, EventType
from aie.plain import Json
from aie.sources import EventSource, SourceContext
from aie_linkedin import little_text
from aie_linkedin.api import open_api
from aie_linkedin.publishing import SOURCE
from aie_linkedin.settings import LinkedinSettings
from aie_linkedin.urns import post_link

AT_ONCE = 50


def pages_source(settings: LinkedinSettings) -> EventSource:
    """The source that reads the pages of these settings."""
    return EventSource(
        name="linkedin.pages",
        event_types=(EventType.LINKEDIN_POST,),
        run=run,
        summary="new posts of company pages on LinkedIn",
        watching=f"posts of {', '.join(settings.organizations)}" if settings.organizations else "",
        touches=settings.servers,
    )


async def run(context: SourceContext) -> None:
    """Read the pages again and again until cancelled. The cursor has, per page, when its newest known post was made."""
    settings: LinkedinSettings = context.settings
    cursor: dict[str, Json] = dict(context.cursor) if isinstance(context.cursor, dict) else {}
    said = ""
    while True:
        wait_s = settings.organization_interval_s
        for organization in settings.organizations:
            try:
                posts = await newest_posts(context, organization)
            except AieError as error:
                if str(error) != said:
                    context.log.warning("the posts of %s cannot be read: %s. %s", organization, error, error.hint)
                said = str(error)
                if isinstance(error, RetryableError):
                    wait_s = max(wait_s, error.retry_after_s or 0)
                continue
            said = ""
            since = cursor.get(organization)
            now_ms = int(context.clock.now().timestamp() * 1000)
            # On the very first look everything that is there is old.
            since_ms = since if isinstance(since, int) else now_ms
            new = sorted((post for post in posts if _made_ms(post) > since_ms), key=_made_ms)
            after = max([since_ms, *map(_made_ms, new)])
            if after != since:
                cursor[organization] = after
                await context.emit([_event(post) for post in new], cursor=cursor)
        await context.clock.sleep(wait_s)


async def newest_posts(context: SourceContext, organization: str) -> list[Mapping[str, Any]]:
    """The page's newest published posts, as LinkedIn gives them."""
    path = f"/rest/posts?author={quote(organization, safe='')}&q=author&count={AT_ONCE}&sortBy=CREATED"
    async with open_api(context) as api:
        answer = await api.call(
            "GET", path, "reading a page's posts", scope="r_organization_social", headers={"X-RestLi-Method": "FINDER"}
        )
    try:
        return [post for post in answer.json()["elements"] if post["id"] and post["lifecycleState"] == "PUBLISHED"]
    except (ValueError, KeyError, TypeError):
        raise ActionError("LinkedIn gives the posts in a form that is not known", where="GET /rest/posts") from None


def _event(post: Mapping[str, Any]) -> Event:
    made = datetime.fromtimestamp(_made_ms(post) / 1000, UTC).isoformat(timespec="seconds")
    data = {
        "post_id": post["id"],
        "content": little_text.read(str(post.get("commentary") or "")),
        "author": post.get("author"),
        "visibility": post.get("visibility"),
        "image_path": None,
        "published_at": made,
        "link": post_link(post["id"]),
    }
    return Event(EventType.LINKEDIN_POST, SOURCE, data, timestamp=made, event_id=post["id"])


def _made_ms(post: Mapping[str, Any]) -> int:
    """Milliseconds since 1970."""
    found = post.get("publishedAt") or post.get("createdAt") or 0
    return found if isinstance(found, int) else 0
