"""The source ``linkedin.access``: a note 14, 7 and 1 days before LinkedIn's permission ends.

LinkedIn gives ordinary apps 60 days and nothing to renew them with, so a person has to agree anew.
"""

from __future__ import annotations

import asyncio
import math
from datetime import datetime, timedelta

from aie.files import Files
from aie.plain import Json
from aie.sources import EventSource, SourceContext

DAYS_AHEAD = (1, 7, 14)
LOOK_EVERY_S = 3600.0


def reminders_source() -> EventSource:
    """The source; it gives notes and no events."""
    return EventSource(
        name="linkedin.access",
        event_types=(),
        run=run,
        summary="a note 14, 7 and 1 days before the access to LinkedIn ends",
        watching="when the access to LinkedIn ends",
    )


async def run(context: SourceContext) -> None:
    """Look each hour until cancelled. The cursor says which reminder of which end was given last."""
    while True:
        record = context.credentials.record
        if record is not None and record.expires_at is not None:
            mark = due(record.expires_at, context.clock.now())
            told: dict[str, Json] = {"ends": record.expires_at.isoformat(), "days": mark}
            if mark is not None and context.cursor != told:
                await asyncio.to_thread(_write, context, record.expires_at, mark)
                await context.emit([], cursor=told)
        await context.clock.sleep(LOOK_EVERY_S)


def due(ends: datetime, now: datetime) -> int | None:
    """Which reminder it is time for, in days ahead; None: not yet."""
    return next((days for days in DAYS_AHEAD if ends - now <= timedelta(days=days)), None)


def _write(context: SourceContext, ends: datetime, mark: int) -> None:
    day = f"{ends.astimezone(context.timezone):%Y-%m-%d}"
    left = max(0, math.ceil((ends - context.clock.now()).total_seconds() / 86_400))
    when = (
        f"ends on {day}, in {left} day{'' if left == 1 else 's'}" if ends > context.clock.now() else f"ended on {day}"
    )
    created = f"{context.clock.now().astimezone(context.timezone):%Y-%m-%dT%H:%M:%S}"
    text = (
        f'---\naie_type: notification\ntitle: "LinkedIn: connect anew"\ncreated: {created}\npriority: high\n---\n\n'
        "# LinkedIn: connect anew\n\n"
        f"The permission to post on LinkedIn {when}. LinkedIn gives it for 60 days, and nobody can renew it for you.\n"
        "\nOpen a terminal in the vault and run:\n\n    aie connect linkedin\n"
    )
    path = f"{context.settings.inbox}/NOTIFICATION_linkedin-access-ends-{day}_{mark}-days.md"
    Files().create_inside(context.vault, path, text.encode(), protected=())
