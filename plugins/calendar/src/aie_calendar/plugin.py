"""What the calendar plugin offers."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from aie.actions import ActionHandler
from aie.hookspecs import hookimpl
from aie_calendar.create import create_calendar_event
from aie_calendar.settings import CalendarSettings


@hookimpl
def aie_settings() -> type[BaseModel]:
    return CalendarSettings


@hookimpl
def aie_action_handlers(settings: CalendarSettings) -> Sequence[ActionHandler]:
    return [create_calendar_event(settings)]
