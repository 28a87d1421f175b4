"""The source ``calendar.upcoming``: entries that are about to begin, begin or end become ``calendar_event``.

The cursor holds, per calendar, since when it has been watched and when it was last looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aie.events import Event, EventType
from aie.sources import EventSource, SourceContext
from aie_calendar.due import ON_TIME, Due, dues, furthest, ready
from aie_calendar.mirror import Mirror, Mirrors
from aie_calendar.series import Expansion, Occurrence
from aie_calendar.settings import CalendarSettings
from aie_calendar.wording import entry_data

LOOK_S = 15.0  # at the least; sooner when something is due sooner
AHEAD = timedelta(hours=1)  # how far occurrences are found in advance
SAVE_EVERY = timedelta(minutes=5)  # how often "last looked at" is written when nothing happens
MISSED_WITHIN = timedelta(days=7)
MISSED_SAID = 20


def upcoming_source(settings: CalendarSettings, mirrors: Mirrors) -> EventSource:
    """The source with these settings."""
    return EventSource(
        name="calendar.upcoming",
        event_types=(EventType.CALENDAR_EVENT,),
        run=Upcoming(mirrors).run,
        summary="calendar entries, some minutes before they begin, when they begin, and when they end",
        watching=f"the calendars {', '.join(settings.all)}"
        if len(settings.all) > 1
        else f"the calendar {_only(settings)}",
        touches=settings.places(),
    )


def _only(settings: CalendarSettings) -> str:
    (name, calendar), *_ = settings.all.items()
    return f"in {calendar.folder}" if calendar.provider == "ics" else name


@dataclass(slots=True)
class Plan:
    """The occurrences of one calendar that can be due for a while, found once and not at every look."""

    revision: int
    first: datetime
    last: datetime
    occurrences: Sequence[Occurrence]


@dataclass(slots=True)
class Upcoming:
    """Looks again and again; what it remembers beside the cursor saves work and is found anew after a start."""

    mirrors: Mirrors
    plans: dict[str, Plan] = field(default_factory=dict)
    expansions: dict[str, Expansion] = field(default_factory=dict)
    emitted: dict[str, datetime] = field(default_factory=dict)  # event id → when it may be forgotten
    saved_at: datetime | None = None

    async def run(self, context: SourceContext) -> None:
        """Watch until cancelled."""
        self.emitted.clear()
        async with self.mirrors.used(context, context.log):
            while True:
                next_at = await self.look(context)
                now = context.clock.now()
                wait_s = min(LOOK_S, context.settings.look_every_s)
                if next_at is not None:
                    wait_s = min(wait_s, (next_at - now).total_seconds())
                await context.clock.sleep(max(0.2, wait_s))

    async def look(self, context: SourceContext) -> datetime | None:
        """One look: what is due is recorded. Gives when the next thing is due, if that is known to be soon."""
        now = context.clock.now()
        cursor = _cursor(context.cursor)
        before = {name: dict(state) for name, state in cursor.items()}
        events: list[Event] = []
        soonest: list[datetime] = []
        for mirror in await self.mirrors.refreshed(now):
            if mirror.revision == 0:
                continue  # it could not be read yet: it is looked at from where it was left
            state = cursor.setdefault(mirror.name, {"since": now.isoformat(), "seen": now.isoformat()})
            found = await self._dues(context, mirror, now)
            events += self._due_now(context, mirror, found, state, now)
            soonest += [due.at for due in found if due.at > now]
            state["seen"] = now.isoformat()
        if events or before.keys() != cursor.keys() or self.saved_at is None or now - self.saved_at >= SAVE_EVERY:
            saved: dict[str, Any] = {"calendars": cursor}
            await context.emit(events, cursor=saved)
            self.saved_at = now
        self.emitted |= {event.event_id: now + MISSED_WITHIN for event in events}
        self.emitted = {name: until for name, until in self.emitted.items() if until > now}
        return min(soonest, default=None)

    async def _dues(self, context: SourceContext, mirror: Mirror, now: datetime) -> list[Due]:
        """Everything in the calendar that is due around now."""
        plan = self.plans.get(mirror.name)
        if plan is None or plan.revision != mirror.revision or not plan.first <= now <= plan.last - AHEAD / 2:
            expansion = self.expansions.setdefault(mirror.name, Expansion(context.timezone))
            first, last = now - MISSED_WITHIN, now + furthest(mirror.calendar) + AHEAD
            occurrences, problems = await asyncio.to_thread(
                expansion.between, list(mirror.series.values()), first, last
            )
            for uid, why in problems.items():
                mirror.problem(uid, why)
            plan = Plan(mirror.revision, first, now + AHEAD, occurrences)
            self.plans[mirror.name] = plan
        return [due for occurrence in plan.occurrences for due in dues(occurrence, mirror.calendar)]

    def _due_now(
        self, context: SourceContext, mirror: Mirror, found: Sequence[Due], state: dict[str, str], now: datetime
    ) -> list[Event]:
        settings: CalendarSettings = context.settings
        since, seen = datetime.fromisoformat(state["since"]), datetime.fromisoformat(state["seen"])
        grace = timedelta(minutes=settings.grace_minutes)
        to_emit, missed = ready(found, since, seen, now, grace)
        for due in missed[:MISSED_SAID]:
            title, when = due.occurrence.title[:100], due.at.astimezone(context.timezone)
            context.log.warning(
                "calendar %s: %r was missed: it was due at %s", mirror.name, title, f"{when:%Y-%m-%d %H:%M}"
            )
        if len(missed) > MISSED_SAID:
            context.log.warning("calendar %s: %d more were missed", mirror.name, len(missed) - MISSED_SAID)
        return [
            _event(due, mirror.name, context, late=now - due.at > ON_TIME)
            for due in to_emit
            if due.event_id(mirror.name) not in self.emitted
        ]


def _cursor(saved: Any) -> dict[str, dict[str, str]]:
    calendars = saved.get("calendars", {}) if isinstance(saved, dict) else {}
    return {name: dict(state) for name, state in calendars.items()}


def _event(due: Due, calendar: str, context: SourceContext, *, late: bool) -> Event:
    data = entry_data(calendar, due.occurrence, context.timezone)
    lead_minutes = due.lead.total_seconds() / 60
    data |= {
        "phase": due.phase,
        "lead_minutes": int(lead_minutes) if lead_minutes == int(lead_minutes) else lead_minutes,
        "due_at": due.at.astimezone(UTC).isoformat(timespec="seconds"),
        "late": late,
    }
    return Event(EventType.CALENDAR_EVENT, "", data, event_id=due.event_id(calendar))
