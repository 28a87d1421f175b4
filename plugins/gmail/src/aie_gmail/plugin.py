"""What the gmail plugin offers."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from aie.events import EventTypeSpec
from aie.hookspecs import hookimpl
from aie.sources import EventSource
from aie_gmail import arrivals
from aie_gmail.settings import GmailSettings
from aie_gmail.source import inbox


@hookimpl
def aie_settings() -> type[BaseModel]:
    return GmailSettings


@hookimpl
def aie_event_types() -> Sequence[EventTypeSpec]:
    return arrivals.event_types()


@hookimpl
def aie_event_sources(settings: GmailSettings) -> Sequence[EventSource]:
    return [inbox(settings)] if settings.watch else []
