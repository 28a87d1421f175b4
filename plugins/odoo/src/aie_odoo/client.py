"""The client: one Odoo server, as one user sees it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx2

from aie.credentials import MASK, Credentials
from aie.errors import ActionError, ConfigError
from aie_odoo import wire
from aie_odoo.faults import AbsentError, RefusedError, RightsError, ServerError, SignInError
from aie_odoo.money import Currency
from aie_odoo.settings import OdooSettings
from aie_odoo.wire import Call, Json2, Wire

JSON2_FROM = 19
XMLRPC_UNTIL = 21  # the last version that speaks it
PAGE = 200  # records read at once
CONNECT_WITHIN_S = 10.0

Row = dict[str, Any]
Domain = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Company:
    """The company that is worked in."""

    id: int
    name: str
    currency: Currency


@dataclass(slots=True)
class Known:
    """What was learned of the server since the plugin was loaded, and does not change from call to call."""

    version: tuple[int, str] | None = None
    uid: int | None = None
    json2: bool = False
    fields: dict[str, Mapping[str, Row]] = field(default_factory=dict)
    currencies: dict[int | str, Currency] = field(default_factory=dict)
    company: Company | None = None


class Odoo:
    """Opens sessions. What it learned of the server in one it uses in the next."""

    def __init__(self, settings: OdooSettings) -> None:
        self.settings = settings
        self._known = Known()

    @contextlib.asynccontextmanager
    async def session(self, credentials: Credentials) -> AsyncIterator[Session]:
        """A session, signed in; the connection's record is told when the key is refused, and when it is right again."""
        secret = credentials.require("api_key")
        record = credentials.record
        try:
            async with self.session_with(secret) as session:
                if record is not None and record.trouble:
                    credentials.note(trouble="")
                yield session
        except SignInError as error:
            if record is not None:
                credentials.note(trouble=error.message)
            raise

    @contextlib.asynccontextmanager
    async def session_with(self, secret: str) -> AsyncIterator[Session]:
        """A session with this key or password."""
        if not (self.settings.url and self.settings.database):
            raise ConfigError("odoo is not connected", where="[plugins.odoo]", hint="aie connect odoo")
        async with http_client(self.settings) as http:
            try:
                yield await _signed_in(http, self.settings, secret, self._known)
            except ActionError as error:
                error.message = error.message.replace(secret, MASK)  # a server may quote what it was sent
                if isinstance(error, SignInError):
                    self._known = Known()
                raise

    @property
    def server(self) -> str:
        """Which server and database this is, for ids of events."""
        return f"{self.settings.database}@{self.settings.url.partition('://')[2]}"


class Session:
    """Methods of the server's models, for as long as the HTTP client is open."""

    def __init__(self, channel: Wire, settings: OdooSettings, known: Known) -> None:
        self._wire = channel
        self._settings = settings
        self._known = known

    @property
    def uid(self) -> int:
        assert self._known.uid is not None
        return self._known.uid

    @property
    def version(self) -> tuple[int, str]:
        """The main version, and the whole name."""
        assert self._known.version is not None
        return self._known.version

    @property
    def json2(self) -> bool:
        """Whether it speaks JSON-2."""
        return self._known.json2

    async def call(
        self,
        model: str,
        method: str,
        ids: Sequence[int] | None = None,
        *,
        writes: bool = False,
        context: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> Any:
        """Any method."""
        if company := self._settings.company_id:
            context = {"allowed_company_ids": [company], **(context or {})}
        return await self._wire.call(Call(model, method, arguments, ids, context or {}, writes))

    async def search_read(
        self,
        model: str,
        domain: Domain,
        fields: Sequence[str],
        *,
        limit: int = PAGE,
        order: str = "id asc",
        archived: bool = False,
    ) -> list[Row]:
        """The first records that fit; fields are always named, for some of a model may be unreadable."""
        context = {"active_test": False} if archived else None
        rows: list[Row] = await self.call(
            model, "search_read", domain=domain, fields=list(fields), limit=limit, order=order, context=context
        )
        return rows

    async def pages(self, model: str, domain: Domain, fields: Sequence[str]) -> AsyncIterator[list[Row]]:
        """All records that fit, in the order of their ids, some at a time.

        By ids, not by offsets: a record that changes meanwhile keeps its place, and none is passed over.
        """
        last = 0
        while rows := await self.search_read(model, [*domain, ["id", ">", last]], fields):
            yield rows
            if len(rows) < PAGE:
                return
            last = int(rows[-1]["id"])

    async def read(self, model: str, ids: Iterable[int], fields: Sequence[str]) -> list[Row]:
        """These records; those that do not exist are left out."""
        wanted = sorted(set(ids))
        if not wanted:
            return []
        rows: list[Row] = await self.call(model, "read", wanted, fields=list(fields))
        return rows

    async def create(self, model: str, values: Mapping[str, Any], *, context: Mapping[str, Any] | None = None) -> int:
        """The id of a new record. XML-RPC answers with the id, JSON-2 with a list of it."""
        made = await self.call(model, "create", vals_list=values, writes=True, context=context)
        return int(made[0] if isinstance(made, list) else made)

    async def press(
        self, model: str, method: str, ids: Sequence[int], *, context: Mapping[str, Any] | None = None
    ) -> Any:
        """What a button does. The caller reads the record back: only its state says what came of it.

        Over XML-RPC a method that returns nothing does its work, commits, and then answers a TypeError, because it
        cannot send None. A real TypeError looks the same and has changed nothing; both give None here.
        """
        try:
            return await self.call(model, method, ids, writes=True, context=context)
        except ServerError as error:
            if error.exception != "TypeError":
                raise
            return None

    async def fields(self, model: str) -> Mapping[str, Row] | None:
        """What fields a model has: type, readonly, selection. None when there is no such model: its app is missing."""
        if model not in self._known.fields:
            try:
                facts = ["type", "readonly", "selection"]
                self._known.fields[model] = await self.call(model, "fields_get", attributes=facts)
            except (RefusedError, AbsentError):  # asked of a model that is there, it has nothing to refuse
                return None  # and is asked again: its app may be installed meanwhile
        return self._known.fields[model]

    async def fields_of(self, model: str, app: str) -> Mapping[str, Row]:
        """The same for a model that must be there; :class:`AbsentError` names the app that brings it."""
        there = await self.fields(model)
        if there is None:
            raise AbsentError(
                f"the {app} app is not installed in this Odoo", where=model, hint=f"install it: Odoo, Apps, {app}"
            )
        return there

    async def may(self, model: str, operation: str) -> bool:
        """Whether the user has the right to ``read``, ``create`` or ``write`` records of a model."""
        try:
            return bool(await self.call(model, "check_access_rights", operation=operation, raise_exception=False))
        except (AbsentError, ServerError):  # a server that has dropped it
            return bool(await self.call(model, "has_access", [], operation=operation))
        except RightsError:
            return False

    async def company(self) -> Company:
        """The company that is worked in, with its currency."""
        if self._known.company is None:
            company_id = self._settings.company_id
            if company_id is None:
                (user,) = await self.read("res.users", [self.uid], ["company_id"])
                company_id = user["company_id"][0]
            rows = await self.read("res.company", [company_id], ["name", "currency_id"])
            if not rows:
                raise AbsentError(
                    f"there is no company with the id {company_id}", where="company_id", hint="aie connect odoo"
                )
            currency = await self.currency(rows[0]["currency_id"][0])
            self._known.company = Company(int(rows[0]["id"]), str(rows[0]["name"]), currency)
        return self._known.company

    async def currency(self, wanted: int | str) -> Currency:
        """A currency by its id or code; :class:`RefusedError` for one that is not switched on."""
        if wanted not in self._known.currencies:
            name, value = ("id", wanted) if isinstance(wanted, int) else ("name", wanted.strip().upper())
            fields = ["name", "rounding", "active"]
            rows = await self.search_read("res.currency", [[name, "=", value]], fields, archived=True)
            if not rows or not rows[0]["active"]:
                said = "is not switched on in Odoo" if rows else "is not a currency that Odoo knows"
                hint = "write a code such as EUR; Odoo: Accounting, Currencies"
                raise RefusedError(f"{wanted!r} {said}", where="currency", hint=hint)
            rounding = Decimal(repr(rows[0]["rounding"]))
            self._known.currencies[wanted] = Currency(int(rows[0]["id"]), str(rows[0]["name"]), rounding)
        return self._known.currencies[wanted]


def http_client(settings: OdooSettings, url: str = "") -> httpx2.AsyncClient:
    """An HTTP client for the server. Odoo closes each connection itself."""
    timeout = httpx2.Timeout(settings.timeout_s, connect=min(CONNECT_WITHIN_S, settings.timeout_s))
    address = url or settings.url
    encrypted = address.startswith("https:")  # without, nothing is verified: do not read all certificates for it
    return httpx2.AsyncClient(base_url=address, timeout=timeout, verify=encrypted)


async def _signed_in(http: httpx2.AsyncClient, settings: OdooSettings, secret: str, known: Known) -> Session:
    if known.version is None:
        known.version = await wire.version_of(http)
    if known.uid is not None:
        json2 = Json2(http, settings.database, secret)
        return Session(
            json2 if known.json2 else wire.XmlRpc(http, settings.database, known.uid, secret), settings, known
        )
    if known.version[0] >= JSON2_FROM:
        channel = Json2(http, settings.database, secret)
        try:
            whoami = await channel.call(Call("res.users", "context_get"))
        except SignInError:
            if known.version[0] > XMLRPC_UNTIL or not settings.user:
                raise
        else:
            known.uid, known.json2 = int(whoami["uid"]), True
            return Session(channel, settings, known)
    # Up to 18; and a password, which JSON-2 does not take.
    older = await wire.sign_in(http, settings.database, settings.user, secret)
    known.uid, known.json2 = older.uid, False
    return Session(older, settings, known)
