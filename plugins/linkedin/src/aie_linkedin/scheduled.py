"""The source ``linkedin.scheduled``: a note's date has come, so it becomes a draft.

It gives a ``calendar_event`` of the kind ``linkedin_post``, as a calendar does: one workflow serves both.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from logging import Logger

from aie.events import MAX_NAME_LENGTH, Event, EventType
from aie.sources import EventSource, SourceContext
from aie.touches import Touches
from aie_linkedin.notes import Note, NoteError, note, notes_in
from aie_linkedin.settings import LinkedinSettings

SOURCE = "linkedin.scheduled"
SETTLED_S = 2.0  # a file that changed within this time may still be written
ON_TIME = dt.timedelta(minutes=1)


def scheduled_source(settings: LinkedinSettings) -> EventSource:
    """The source that watches the folder of these settings."""
    return EventSource(
        name=SOURCE,
        event_types=(EventType.CALENDAR_EVENT,),
        run=run,
        summary="notes with a date become drafts of posts when it has come",
        watching=f"dated notes in {settings.scheduled_folder}",
        touches=Touches(folders=(settings.scheduled_folder,)),
    )


async def run(context: SourceContext) -> None:
    """Watch until cancelled. Nothing is kept but what was told: an event that was given before is not new."""
    told = Told(context.log)
    given: set[str] = set()
    while True:
        found = await asyncio.to_thread(_look, context, told)
        now = context.clock.now()
        events = due(found, now, context.settings.late_days, told)
        if new := [event for event in events if event.event_id not in given]:
            await context.emit(new)
            given |= {event.event_id for event in new}
        coming = (one.due - now for one in found if one.due > now)
        next_s = min((wait.total_seconds() for wait in coming), default=context.settings.scan_interval_s)
        await context.clock.sleep(min(next_s, context.settings.scan_interval_s))


def due(found: Sequence[Note], now: dt.datetime, late_days: int, told: Told) -> list[Event]:
    """The events of the notes whose time has come, oldest first."""
    events = []
    for one in sorted(found, key=lambda note: note.due):
        if one.due > now:
            continue
        if now - one.due > dt.timedelta(days=late_days):
            told.about(one.path, f"its date is more than {late_days} days ago: give it a new one to have it posted")
            continue
        events.append(_event(one, now))
    return events


def _event(one: Note, now: dt.datetime) -> Event:
    at = one.due.isoformat()
    data = {
        "event_type": "linkedin_post",
        "title": one.title,
        "start": at,
        "post_content": one.content,
        "image_path": one.image_path,
        "alt_text": one.alt_text,
        "visibility": one.visibility,
        "calendar": one.path.rpartition("/")[0],
        "file_path": one.path,
        "late": now - one.due > ON_TIME,
    }
    return Event(EventType.CALENDAR_EVENT, SOURCE, data, event_id=f"{one.path[: MAX_NAME_LENGTH - len(at) - 1]}@{at}")


def _look(context: SourceContext, told: Told) -> list[Note]:
    settings: LinkedinSettings = context.settings
    usual_time = dt.time.fromisoformat(settings.scheduled_time)
    settled_before = context.clock.now().timestamp() - SETTLED_S
    found = []
    for path, data, changed_at in notes_in(context.vault, settings.scheduled_folder):
        if changed_at > settled_before:
            continue
        try:
            if one := note(path, data, context.timezone, usual_time):
                found.append(one)
        except NoteError as error:
            told.about(path, str(error))
    return found


@dataclass(slots=True)
class Told:
    """What the log has been told already, so that it is told once."""

    log: Logger
    said: set[tuple[str, str]] = field(default_factory=set)

    def about(self, path: str, problem: str) -> None:
        if (path, problem) not in self.said:
            self.said.add((path, problem))
            self.log.warning("%s is not posted: %s", path, problem)
