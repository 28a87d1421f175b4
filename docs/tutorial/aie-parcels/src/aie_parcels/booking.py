"""The action ``book_parcel``."""

from __future__ import annotations

from typing import Any

from aie import ActionContext, ActionHandler, Effect, LookUp
from aie.touches import Touches
from pydantic import BaseModel, ConfigDict, Field

from aie_parcels.service import open_service, unknown_form
from aie_parcels.settings import ParcelsSettings


class BookParcel(BaseModel):
    """A parcel to be collected and delivered."""

    model_config = ConfigDict(extra="forbid")

    recipient: str = Field(min_length=1, description="who gets it")
    address: str = Field(min_length=1, description="where it is delivered, in one line")
    weight_g: int = Field(gt=0, le=31_500, description="its weight in grams; the price depends on it")
    note: str = Field(default="", max_length=200, description="a word for the driver")


class Booked(BaseModel):
    """The parcel as the carrier has it."""

    parcel_id: str = Field(description="what the carrier calls it")
    price: str = Field(description="what it costs, for example 5.90")
    currency: str = Field(description="of the price, for example EUR")


async def run(params: BookParcel, context: ActionContext) -> Booked:
    """Book it, under a reference that is the same for every attempt at this step."""
    body = {**params.model_dump(), "reference": context.idempotency_key}
    async with open_service(context.settings, context.credentials.require("token")) as service:
        return _booked(await service.ask("POST", "/parcels", "the booking", changes=True, json=body), changes=True)


async def look_up(params: BookParcel, context: ActionContext) -> LookUp:
    """Whether an earlier attempt is there: the carrier can be asked for our reference."""
    query = {"reference": context.idempotency_key}
    async with open_service(context.settings, context.credentials.require("token")) as service:
        answer = await service.ask("GET", "/parcels", "the earlier booking", params=query)
    if not isinstance(answer, list):
        raise unknown_form("the earlier booking", "GET /parcels", changes=False)
    if not answer:
        return LookUp(happened=False)
    return LookUp(happened=True, result=_booked(answer[0], changes=False).model_dump())


def _booked(answer: Any, *, changes: bool) -> Booked:
    try:
        return Booked(parcel_id=answer["id"], price=answer["price"], currency=answer["currency"])
    except (KeyError, TypeError, ValueError):
        raise unknown_form("the booking", "/parcels", changes=changes) from None


def preview(params: BookParcel, context: ActionContext) -> str:
    """What the person who approves it sees."""
    return f"A parcel of {params.weight_g / 1000:g} kg to **{params.recipient}**, {params.address}."


def book_parcel(settings: ParcelsSettings) -> ActionHandler:
    """The action."""
    return ActionHandler(
        name="book_parcel",
        params=BookParcel,
        run=run,
        summary="book the delivery of a parcel",
        result=Booked,
        effect=Effect.EXTERNAL,
        repeatable=False,  # the carrier books twice when it is asked twice,
        look_up=look_up,  # and can be asked what it has
        title_field="recipient",
        body_field="note",
        locked_fields=frozenset({"recipient", "address", "weight_g"}),
        example={"recipient": "Kim Lee", "address": "12 Mill Lane, Leeds", "weight_g": 1200, "note": "Ring twice."},
        preview=preview,
        touches=Touches.at(settings.url),
    )
