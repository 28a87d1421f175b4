"""The connection ``parcels``.

``aie connect parcels`` asks for a token and tries it; ``aie doctor`` looks whether it works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aie import ActionError
from aie.connections import CheckContext, ConnectDesk, Connection, Finding, Level
from aie.credentials import ConnectionRecord
from aie.errors import ConfigError
from aie.touches import Touches

from aie_parcels.service import open_service, unknown_form
from aie_parcels.settings import ParcelsSettings


async def connect(desk: ConnectDesk) -> None:
    """Ask, try, store; when it does not work, nothing is stored."""
    token = await asyncio.to_thread(desk.ask, "token", "Token", secret=True)
    try:
        account = await _account(desk.settings, token)
    except ActionError as error:
        raise ConfigError(error.message, where=error.where, hint="make a new token") from None
    where = desk.credentials.save({"token": token}, ConnectionRecord(account=account, connected_at=desk.now))
    desk.say(f"The token is stored in {where}.")


async def check(context: CheckContext) -> Sequence[Finding]:
    """Whether Parcels accepts the token now."""
    token = context.credentials.get("token")
    if token is None:
        return [Finding(Level.WARN, "not connected", "aie connect parcels")]
    try:
        account = await _account(context.settings, token)
    except ActionError as error:
        return [Finding(Level.FAIL, error.message, error.hint)]
    return [Finding(Level.OK, f"works, as {account}")]


async def _account(settings: ParcelsSettings, token: str) -> str:
    async with open_service(settings, token) as service:
        answer = await service.ask("GET", "/me", "whose account it is")
    try:
        return str(answer["name"])
    except (KeyError, TypeError):
        raise unknown_form("whose account it is", "GET /me", changes=False) from None


def connection(settings: ParcelsSettings) -> Connection:
    """The connection."""
    touches = Touches.at(settings.url)
    return Connection("parcels", connect, check=check, summary="your account at Parcels", touches=touches)
