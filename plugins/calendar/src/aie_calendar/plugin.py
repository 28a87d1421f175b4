"""What the calendar plugin offers."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from aie.actions import ActionHandler
from aie.connections import Connection
from aie.events import EventTypeSpec
from aie.hookspecs import hookimpl
from aie.sources import EventSource
from aie_calendar.agenda import list_calendar_events
from aie_calendar.change import cancel_calendar_event, update_calendar_event
from aie_calendar.changes import changed_type, changes_source
from aie_calendar.connect import calendar_connection
from aie_calendar.create import create_calendar_event
from aie_calendar.free_time import find_free_time
from aie_calendar.mirror import Mirrors
from aie_calendar.settings import CalendarSettings
from aie_calendar.upcoming import upcoming_source

AIE_API_VERSION = 1


@hookimpl
def aie_settings() -> type[BaseModel]:
    return CalendarSettings


@hookimpl
def aie_action_handlers(settings: CalendarSettings) -> Sequence[ActionHandler]:
    return [
        create_calendar_event(settings),
        update_calendar_event(settings),
        cancel_calendar_event(settings),
        find_free_time(settings),
        list_calendar_events(settings),
    ]


@hookimpl
def aie_event_types() -> Sequence[EventTypeSpec]:
    return [changed_type()]


@hookimpl
def aie_event_sources(settings: CalendarSettings) -> Sequence[EventSource]:
    mirrors = Mirrors()
    return [upcoming_source(settings, mirrors), changes_source(settings, mirrors)]


@hookimpl
def aie_connections(settings: CalendarSettings) -> Sequence[Connection]:
    return [calendar_connection(settings)]
