"""What can be asked how it stands: connections to services, and plugins about what is their own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from aie.config import Config
from aie.connections import CheckContext, Connection, Finding, Level
from aie.credentials import Credentials, CredentialStore
from aie.doctor.check import Check, with_place
from aie.errors import AieError
from aie.plugins.plugin import Offer
from aie.plugins.registry import Registry

CONNECTION_WITHIN_S = 10.0
SOON_DAYS = 14  # before a connection ends


def connection_checks(
    config: Config, registry: Registry, env: Mapping[str, str], now: datetime, offline: bool
) -> Iterator[Check]:
    store = CredentialStore(config.credentials_dir, env)
    offers = [offer for offer in registry.connections() if _is_used(offer, store)]

    async def look_at_all() -> list[list[Finding]]:
        return await asyncio.gather(*(_look_at(offer, store, config, now, offline) for offer in offers))

    for offer, findings in zip(offers, asyncio.run(look_at_all()), strict=True):
        for found in findings:
            message = store.masked(f"{offer.item.name}: {found.message}")
            yield Check("connection", found.level, message, store.masked(found.hint))


def _is_used(offer: Offer[Connection], store: CredentialStore) -> bool:
    used = offer.item.used
    return store.of(offer.item.name).record is not None or used is None or bool(used(offer.settings))


async def _look_at(
    offer: Offer[Connection], store: CredentialStore, config: Config, now: datetime, offline: bool
) -> list[Finding]:
    """How a connection stands: by what is known here, then by what its service says."""
    name, credentials = offer.item.name, store.of(offer.item.name)
    again = f"aie connect {name}"
    try:
        record = credentials.record
    except AieError as error:
        return [Finding(Level.FAIL, error.message, error.hint)]
    if record is None and offer.item.used is None:
        return [Finding(Level.WARN, "not connected", again)]
    findings = []
    asks = not offline and offer.item.check is not None  # then it says itself what does not work
    if record is not None and record.trouble and not asks:
        findings.append(Finding(Level.FAIL, record.trouble, again))
    if record is not None and record.expires_at is not None:
        left_days = (record.expires_at - now).total_seconds() / 86_400
        day = f"{record.expires_at.astimezone(config.timezone):%Y-%m-%d}"
        if left_days <= 0:
            findings.append(Finding(Level.FAIL, f"the connection ended on {day}", again))
        elif left_days <= SOON_DAYS:
            findings.append(Finding(Level.WARN, f"the connection ends on {day}, in {left_days:.0f} days", again))
    if not offline and offer.item.check is not None:
        findings += await _asked(offer.item.check(check_context(offer, credentials, config, now)), again)
    whose = f" as {record.account}" if record and record.account else ""
    return findings or [Finding(Level.OK, f"connected{whose}" + (", not asked now" if offline else ""))]


def check_context(offer: Offer[Any], credentials: Credentials, config: Config, now: datetime) -> CheckContext:
    """What a connection's or an inspection's check is given."""
    log = logging.getLogger(f"aie.plugin.{offer.plugin}")
    cache_dir = config.cache_dir(offer.plugin)
    return CheckContext(offer.settings, config.vault, config.timezone, credentials, now, log, cache_dir)


def inspection_checks(config: Config, registry: Registry, env: Mapping[str, str], now: datetime) -> Iterator[Check]:
    """What plugins find amiss in what is their own."""
    store, offers = CredentialStore(config.credentials_dir, env), registry.inspections()

    async def look_at_all() -> list[list[Finding]]:
        contexts = [check_context(offer, store.of(offer.plugin), config, now) for offer in offers]
        checks = zip(offers, contexts, strict=True)
        return await asyncio.gather(*(_asked(offer.item.check(context), "") for offer, context in checks))

    for offer, findings in zip(offers, asyncio.run(look_at_all()), strict=True):
        for found in findings:
            yield Check(offer.item.name, found.level, store.masked(found.message), store.masked(found.hint))


async def _asked(check: Awaitable[Sequence[Finding]], again: str) -> list[Finding]:
    try:
        return list(await asyncio.wait_for(check, CONNECTION_WITHIN_S))
    except TimeoutError:
        hint = "look at the network and at the service, then try again"
        return [Finding(Level.FAIL, f"no answer within {CONNECTION_WITHIN_S:g} s", hint)]
    except AieError as error:
        return [Finding(Level.FAIL, with_place(error), error.hint or again)]
    except Exception as error:  # plugin code may raise anything
        return [Finding(Level.FAIL, f"the check failed: {type(error).__name__}: {error}", again)]
