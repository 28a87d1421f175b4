"""What the plugin offers. aie calls these functions once per process: they only answer, and touch nothing."""

from __future__ import annotations

from collections.abc import Sequence

from aie import ActionHandler, EventSource, EventTypeSpec, hookimpl
from aie.connections import Connection
from pydantic import BaseModel

from aie_parcels.booking import book_parcel
from aie_parcels.connecting import connection
from aie_parcels.settings import ParcelsSettings
from aie_parcels.tracking import parcel_moved, tracking_source

AIE_API_VERSION = 1  # of the plugin API that this is written for


@hookimpl
def aie_settings() -> type[BaseModel]:
    return ParcelsSettings


@hookimpl
def aie_event_types() -> Sequence[EventTypeSpec]:
    return [parcel_moved()]


@hookimpl
def aie_event_sources(settings: ParcelsSettings) -> Sequence[EventSource]:
    return [tracking_source(settings)]


@hookimpl
def aie_action_handlers(settings: ParcelsSettings) -> Sequence[ActionHandler]:
    return [book_parcel(settings)]


@hookimpl
def aie_connections(settings: ParcelsSettings) -> Sequence[Connection]:
    return [connection(settings)]
