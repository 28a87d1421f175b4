"""Events: facts that happened, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from aie.errors import EventError
from aie.plain import Json, check_json

MAX_NAME_LENGTH = 200


class EventType(StrEnum):
    """The event types every installation knows; plugins add more, by plain names."""

    EMAIL_RECEIVED = "email_received"
    CALENDAR_EVENT = "calendar_event"
    INVOICE_CREATED = "invoice_created"
    EXPENSE_RECORDED = "expense_recorded"
    LINKEDIN_POST = "linkedin_post"
    FILE_ADDED = "file_added"
    APPROVAL_RECEIVED = "approval_received"
    SCHEDULED_TRIGGER = "scheduled_trigger"
    MANUAL_TRIGGER = "manual_trigger"


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. ``(source, event_id)`` identifies it for ever; ``timestamp`` is ISO 8601, local time if it has no zone.

    ``workflow_id`` addresses the event to one workflow instead of all those its type triggers.
    """

    event_type: str
    source: str
    data: Mapping[str, Any] = field(default_factory=dict)
    timestamp: str = ""
    event_id: str = ""
    workflow_id: str | None = None

    def checked(self) -> Event:
        """The same event with a private copy of its data; :class:`EventError` if it is not acceptable."""
        for name in ("event_type", "source", "event_id"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip() or len(value) > MAX_NAME_LENGTH:
                raise EventError(
                    f"an event's {name} is text of 1 to {MAX_NAME_LENGTH} characters, found {value!r}"[:400],
                    where=name,
                    hint="give every event a type, the source it comes from, and an id that source never uses again",
                )
        check_json([str(self.event_type), self.source, self.event_id, self.timestamp], where="event")
        data = check_json(self.data, where="data")
        if not isinstance(data, dict):
            raise EventError(
                f"an event's data is an object, found {type(self.data).__name__}",
                where="data",
                hint='write it as {"name": value, …}',
            )
        return Event(str(self.event_type), self.source, data, self.timestamp, self.event_id, self.workflow_id)

    def plain(self) -> dict[str, Json]:
        """What conditions and templates see as ``event``."""
        return {
            "event_type": str(self.event_type),
            "source": self.source,
            "data": dict(self.data),
            "timestamp": self.timestamp,
            "event_id": self.event_id,
        }


@dataclass(frozen=True, slots=True)
class EventTypeSpec:
    """What a plugin says about one type of event: the shape of ``data`` and an example that fits it."""

    name: str
    model: type[BaseModel]
    example: Mapping[str, Any]
    summary: str = ""
