"""What the LinkedIn plugin offers."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from aie.actions import ActionHandler
from aie.connections import Connection
from aie.hookspecs import hookimpl
from aie.sources import EventSource
from aie_linkedin.commenting import comment_on_linkedin, delete_linkedin_post
from aie_linkedin.connecting import connection
from aie_linkedin.pages import pages_source
from aie_linkedin.publishing import Publisher, post_to_linkedin
from aie_linkedin.scheduled import scheduled_source
from aie_linkedin.settings import LinkedinSettings

AIE_API_VERSION = 1


@hookimpl
def aie_settings() -> type[BaseModel]:
    return LinkedinSettings


@hookimpl
def aie_event_sources(settings: LinkedinSettings) -> Sequence[EventSource]:
    sources = [scheduled_source(settings)]
    return [*sources, pages_source(settings)] if settings.organizations else sources


@hookimpl
def aie_action_handlers(settings: LinkedinSettings) -> Sequence[ActionHandler]:
    return [post_to_linkedin(Publisher(), settings), comment_on_linkedin(settings), delete_linkedin_post(settings)]


@hookimpl
def aie_connections(settings: LinkedinSettings) -> Sequence[Connection]:
    return [connection(settings)]
