"""The source ``parcels.tracking``: where parcels are, as events."""

from __future__ import annotations

from typing import Any

from aie import Event, EventSource, EventTypeSpec, RetryableError
from aie.errors import AieError
from aie.sources import SourceContext
from aie.touches import Touches
from pydantic import BaseModel, Field

from aie_parcels.service import open_service, unknown_form
from aie_parcels.settings import ParcelsSettings

EVENT_TYPE = "parcel_moved"


class ParcelMoved(BaseModel):
    """The data of an event."""

    parcel_id: str = Field(description="what the carrier calls the parcel")
    status: str = Field(description="collected, in transit, delivered or returned")
    place: str = Field(description="where it is")


def parcel_moved() -> EventTypeSpec:
    """What aie tells people about these events."""
    example = {"parcel_id": "P1", "status": "delivered", "place": "Leeds"}
    return EventTypeSpec(EVENT_TYPE, ParcelMoved, example, "a parcel has come further")


def tracking_source(settings: ParcelsSettings) -> EventSource:
    """The source."""
    return EventSource(
        name="parcels.tracking",
        event_types=(EVENT_TYPE,),
        run=run,
        summary="where parcels are",
        watching=f"parcels at {settings.url}, every {settings.interval_s:g} s",
        touches=Touches.at(settings.url),
    )


async def run(context: SourceContext) -> None:
    """Look again and again, until cancelled. The cursor is the number of the last scan that was told."""
    settings: ParcelsSettings = context.settings
    cursor, trouble = context.cursor, ""
    while True:
        wait_s = settings.interval_s
        try:
            cursor = await _tell_new(context, cursor)
            trouble = ""
        except AieError as error:
            if error.message != trouble:
                context.log.warning("parcels cannot be tracked: %s. %s", error.message, error.hint)
            trouble = error.message
            if isinstance(error, RetryableError):
                wait_s = max(wait_s, error.retry_after_s or 0)
        await context.clock.sleep(wait_s)


async def _tell_new(context: SourceContext, cursor: Any) -> Any:
    """Emit the scans after the cursor; the cursor then. On the first look of all, everything is old."""
    async with open_service(context.settings, context.credentials.require("token")) as service:
        answer = await service.ask("GET", "/scans", "the scans", params={"after": str(cursor or 0)})
    try:
        events = [_event(scan) for scan in answer]
        newest = answer[-1]["number"] if answer else cursor or 0
    except (KeyError, TypeError, ValueError):
        raise unknown_form("the scans", "GET /scans", changes=False) from None
    await context.emit([] if cursor is None else events, cursor=newest)
    return newest


def _event(scan: dict[str, Any]) -> Event:
    data = ParcelMoved(parcel_id=scan["parcel"], status=scan["status"], place=scan["place"])
    return Event(EVENT_TYPE, "parcels.tracking", data.model_dump(), scan["at"], event_id=str(scan["number"]))
