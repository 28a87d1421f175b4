"""The two protocols that Odoo speaks to programs, behind one interface.

JSON-2 is there from 19 on: ``POST /json/2/MODEL/METHOD`` with an API key, arguments by name, the bare result as the
answer. XML-RPC is there in 14 to 21: ``execute_kw`` with a password or an API key.
"""

from __future__ import annotations

import json
import re
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Protocol
from xml.parsers.expat import ExpatError

import httpx2

from aie.errors import ActionError
from aie_odoo import faults, transport
from aie_odoo.faults import DatabaseError, NotOdooError, ServerError, SignInError

_POSITIONAL = {
    "create": ("vals_list",),
    "write": ("vals",),
    "search": ("domain",),
    "search_read": ("domain",),
    "search_count": ("domain",),
    "check_access_rights": ("operation",),
}
"""What XML-RPC is given by position, as ``create`` of 17 must have it; everything else goes by name."""

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Call:
    """One method of one model. ``ids`` None: a method of the model itself."""

    model: str
    method: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    ids: Sequence[int] | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    writes: bool = False

    @property
    def doing(self) -> str:
        return f"{self.model}.{self.method}"


class Wire(Protocol):
    """A way to call methods, signed in."""

    async def call(self, call: Call) -> Any:
        """What the method returns: plain data as Odoo sends it, ``false`` for everything that is empty."""
        ...


@dataclass(frozen=True, slots=True)
class Json2:
    """JSON-2."""

    http: httpx2.AsyncClient
    database: str
    api_key: str = field(repr=False)

    async def call(self, call: Call) -> Any:
        body: dict[str, Any] = {**sendable(call.arguments)}
        if call.ids is not None:
            body["ids"] = list(call.ids)
        if call.context:
            body["context"] = sendable(call.context)
        headers = {
            "Authorization": f"bearer {self.api_key}",
            "Content-Type": "application/json; charset=utf-8",
            "X-Odoo-Database": self.database,
        }
        path = f"json/2/{call.model}/{call.method}"
        answer = await transport.post(
            self.http, path, json.dumps(body).encode(), headers, doing=call.doing, writes=call.writes
        )
        return self._result(answer, call.doing)

    def _result(self, answer: httpx2.Response, doing: str) -> Any:
        try:
            data = json.loads(answer.content)
        except ValueError:
            if answer.status_code == 404:  # an HTML page: the request never got as far as a database
                raise no_database(self.http, self.database) from None
            raise _no_odoo(self.http, answer) from None
        if answer.is_success:
            return data
        if isinstance(data, dict) and isinstance(data.get("name"), str):
            raise faults.from_exception(data["name"], str(data.get("message", "")), doing)
        raise _no_odoo(self.http, answer)


@dataclass(frozen=True, slots=True)
class XmlRpc:
    """XML-RPC."""

    http: httpx2.AsyncClient
    database: str
    uid: int
    secret: str = field(repr=False)

    async def call(self, call: Call) -> Any:
        named = dict(call.arguments)
        positional = [named.pop(name) for name in _POSITIONAL.get(call.method, ()) if name in named]
        if call.ids is not None:
            positional.insert(0, list(call.ids))
        if call.context:
            named["context"] = dict(call.context)
        arguments = [self.database, self.uid, self.secret, call.model, call.method, positional, named]
        return await ask(self.http, "object", "execute_kw", arguments, doing=call.doing, writes=call.writes)


async def sign_in(http: httpx2.AsyncClient, database: str, user: str, secret: str) -> XmlRpc:
    """XML-RPC as this user; the secret is a password or an API key."""
    try:
        uid = await ask(http, "common", "authenticate", [database, user, secret, {}], doing="signing in")
    except DatabaseError:
        raise no_database(http, database) from None
    if not isinstance(uid, int) or uid is False:
        raise SignInError(
            f"Odoo does not know the user {user!r} with that key or password",
            where=transport.address(http),
            hint="make an API key in Odoo (Preferences, Account Security), then: aie connect odoo",
        )
    return XmlRpc(http, database, uid, secret)


async def ask(
    http: httpx2.AsyncClient, service: str, method: str, arguments: Sequence[Any], *, doing: str, writes: bool = False
) -> Any:
    """One XML-RPC request to a service (``common``, ``object``, ``db``)."""
    try:
        content = xmlrpc.client.dumps(tuple(sendable(list(arguments))), method, allow_none=True).encode()
    except OverflowError:
        raise faults.RefusedError(
            f"a number in {doing} is larger than XML-RPC can carry", hint="use a smaller number"
        ) from None
    answer = await transport.post(
        http, f"xmlrpc/2/{service}", content, {"Content-Type": "text/xml"}, doing=doing, writes=writes
    )
    try:
        (result,), _ = xmlrpc.client.loads(answer.content)
    except xmlrpc.client.Fault as fault:
        raise faults.from_fault(fault.faultCode, str(fault.faultString), doing) from None
    except (ExpatError, xmlrpc.client.Error, ValueError):
        raise _no_odoo(http, answer) from None
    return result


async def version_of(http: httpx2.AsyncClient) -> tuple[int, str]:
    """The server's main version and its whole name, asked without signing in: ``(17, '17.0-20240709')``."""
    try:
        answer = await http.get("web/version")
    except httpx2.HTTPError as error:
        raise transport.unreachable(http, error) from None
    if answer.is_success:
        try:
            data = answer.json()
            return _main_version(data["version_info"]), str(data["version"])
        except (ValueError, TypeError, LookupError):  # an older server shows a page there
            pass
    try:
        data = await ask(http, "common", "version", [], doing="asking for the version")
        return _main_version(data["server_version_info"]), str(data["server_version"])
    except (ServerError, TypeError, LookupError, ValueError):
        raise _no_odoo(http, answer) from None


def _main_version(info: Sequence[Any]) -> int:
    """Odoo Online writes its versions as ``saas~17``."""
    return int(str(info[0]).removeprefix("saas~"))


def sendable(value: Any) -> Any:
    """The value as the wire takes it: decimals as numbers, dates as text, no characters that XML or PostgreSQL refuse.

    A double holds 15 digits, more than any amount here has: ``42.10`` arrives as 42.1 and is stored as 42.10.
    """
    if isinstance(value, str):
        return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): sendable(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [sendable(item) for item in value]
    return value


def no_database(http: httpx2.AsyncClient, database: str) -> DatabaseError:
    """What to say when the server does not open the database: wrong name and database down look the same."""
    return DatabaseError(
        f"the server cannot open the database {database!r}",
        where=transport.address(http),
        hint=f"see whether its name is right: aie connect odoo{_on_odoo_online(http)}",
    )


async def databases(http: httpx2.AsyncClient) -> list[str]:
    """The names of the server's databases; [] where it does not tell."""
    try:
        names = await ask(http, "db", "list", [], doing="listing the databases")
    except ActionError:  # most servers on the internet have the list switched off
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _no_odoo(http: httpx2.AsyncClient, answer: httpx2.Response) -> NotOdooError:
    return NotOdooError(
        f"what answers there is not Odoo (HTTP {answer.status_code})",
        where=transport.address(http),
        hint=f"use the address that the browser shows for Odoo, up to the first slash{_on_odoo_online(http)}",
    )


def _on_odoo_online(http: httpx2.AsyncClient) -> str:
    return (
        "; on Odoo Online programs are let in with the Custom plan only"
        if http.base_url.host.endswith(".odoo.com")
        else ""
    )
