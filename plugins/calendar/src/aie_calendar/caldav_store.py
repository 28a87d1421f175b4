"""A calendar on a CalDAV server: Nextcloud, iCloud, Fastmail, Radicale and others. Needs the extra ``caldav``.

The library finds the calendar, logs in, and knows the servers' quirks. What is asked for is written here: the library
answers an expired sync token with all there is and a token of its own making, and gives no way to say "only if it is
as I read it".
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urljoin, urlsplit
from xml.sax.saxutils import escape

import niquests
from caldav import DAVClient
from caldav.lib import error as dav_error

from aie.errors import ActionError, ConfigError, RetryableError
from aie_calendar import content_lines
from aie_calendar.settings import OneCalendar
from aie_calendar.store import ChangedMeanwhileError, Draft, Pulled, Stored

T = TypeVar("T")
TIMEOUT_S = 60  # servers think long about the first look at a large calendar
WHOLE_S = 300.0  # for all requests of one call
PER_REQUEST = 50  # objects asked for at once
MAX_PAGES = 1000
_ICS = "text/calendar; charset=utf-8"
_NAMESPACES = 'xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"'
_DATA = "<d:prop><d:getetag/><c:calendar-data/></d:prop>"
_LISTING = "<d:prop><d:getetag/><d:getcontentlength/><d:resourcetype/></d:prop>"
_NO_SYNC = (400, 403, 405, 409, 412, 415, 501, 507)  # what servers say to a token they do not know, or to the report


@dataclass(frozen=True, slots=True)
class Listed:
    """One object in an answer: no etag when it is gone."""

    href: str
    etag: str
    size_bytes: int
    data: bytes


class CaldavStore:
    """The store. Everything runs in threads, one request at a time."""

    def __init__(self, name: str, calendar: OneCalendar, password: str) -> None:
        self._name = name
        self._calendar = calendar
        make_client: Any = DAVClient  # its own types do not let it be called
        self._client: Any = make_client(
            url=calendar.url,
            username=calendar.user,
            password=password,
            timeout=TIMEOUT_S,
            enable_rfc6764=False,  # the address is what the person wrote; nothing is guessed by DNS
        )
        self._lock = threading.Lock()
        self._address = ""
        self._token = ""

    async def pull(self, known: Mapping[str, str]) -> Pulled:
        return await self._in_thread(lambda: self._pull(known))

    async def window(self, start: datetime, end: datetime) -> list[Stored]:
        times = f'<c:time-range start="{_utc(start)}" end="{_utc(end)}"/>'
        return await self._in_thread(lambda: self._query(times))

    async def find(self, uid: str, original: str = "") -> Stored | None:
        return await self._in_thread(lambda: self._find(uid))

    async def create(self, draft: Draft) -> tuple[Stored, bool]:
        return await self._in_thread(lambda: self._create(draft))

    async def replace(self, stored: Stored, data: bytes) -> Stored:
        return await self._in_thread(lambda: self._replace(stored, data))

    async def remove(self, stored: Stored) -> bool:
        return await self._in_thread(lambda: self._remove(stored))

    async def aclose(self) -> None:
        await asyncio.to_thread(self._client.close)

    async def names(self) -> list[str]:
        """The calendars this user has there; none when the address is a calendar's own."""
        return await self._in_thread(self._names)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        def alone() -> T:
            with self._lock:
                return work()

        try:
            async with asyncio.timeout(WHOLE_S):
                return await asyncio.to_thread(alone)
        except TimeoutError:
            raise RetryableError(f"{self._host} took longer than {WHOLE_S:g} s", where=self._name) from None

    # --- reading --------------------------------------------------------------------------------------------------

    def _pull(self, known: Mapping[str, str]) -> Pulled:
        listed = self._sync(self._token) if self._token and known else None
        whole = listed is None
        if listed is None:
            self._token = ""
            listed = self._sync("")
        if listed is None:  # a server without sync tokens
            listed = self._listing()
        there = {one.href: one for one in listed if one.etag and one.href.endswith(".ics")}
        problems = {href: said for href, one in there.items() if (said := self._too_large(one.size_bytes))}
        wanted = [href for href, one in there.items() if known.get(href) != one.etag and href not in problems]
        changed = {}
        for stored in self._get_all(wanted[: self._calendar.max_events]):
            if said := self._too_large(len(stored.data)):  # not all servers say beforehand how large objects are
                problems[stored.href] = said
            else:
                changed[stored.href] = stored
        if whole:
            gone = frozenset(known.keys() - there.keys())
        else:
            gone = frozenset(one.href for one in listed if not one.etag) & known.keys()
        return Pulled(changed, gone, problems)

    def _too_large(self, size_bytes: int) -> str:
        if size_bytes <= self._calendar.max_bytes:
            return ""
        return f"has {size_bytes / 1e6:.1f} MB, and is not read (max_size_mb)"

    def _sync(self, token: str) -> list[Listed] | None:
        """What changed since the token, all pages of it; None when the server does not know the token (RFC 6578)."""
        found: list[Listed] = []
        for _ in range(MAX_PAGES):
            body = (
                f"<d:sync-collection {_NAMESPACES}><d:sync-token>{escape(token)}</d:sync-token>"
                f"<d:sync-level>1</d:sync-level>{_LISTING}</d:sync-collection>"
            )
            status, answer = self._ask("REPORT", self._found(), body, depth=0, expected=_NO_SYNC)
            if status in _NO_SYNC or answer.tree is None:
                return None
            found += _objects(answer.tree)
            token = next((element.text or "" for element in answer.tree.iter("{DAV:}sync-token")), "")
            if not token:
                return None
            if not _cut_short(answer.tree):
                self._token = token
                return found
        raise ActionError(f"{self._host} does not come to an end of what changed", where=self._name)

    def _listing(self) -> list[Listed]:
        body = f"<d:propfind {_NAMESPACES}>{_LISTING}</d:propfind>"
        _, answer = self._ask("PROPFIND", self._found(), body, depth=1)
        return list(_objects(self._tree(answer)))

    def _get_all(self, hrefs: list[str]) -> Iterator[Stored]:
        for first in range(0, len(hrefs), PER_REQUEST):
            names = "".join(f"<d:href>{escape(quote(href))}</d:href>" for href in hrefs[first : first + PER_REQUEST])
            body = f"<c:calendar-multiget {_NAMESPACES}>{_DATA}{names}</c:calendar-multiget>"
            _, answer = self._ask("REPORT", self._found(), body, depth=1)
            yield from _stored(_objects(self._tree(answer)))

    def _query(self, condition: str) -> list[Stored]:
        body = (
            f'<c:calendar-query {_NAMESPACES}>{_DATA}<c:filter><c:comp-filter name="VCALENDAR">'
            f'<c:comp-filter name="VEVENT">{condition}</c:comp-filter></c:comp-filter></c:filter></c:calendar-query>'
        )
        _, answer = self._ask("REPORT", self._found(), body, depth=1)
        return list(_stored(_objects(self._tree(answer))))

    def _find(self, uid: str) -> Stored | None:
        condition = (
            f'<c:prop-filter name="UID"><c:text-match collation="i;octet">{escape(uid)}</c:text-match></c:prop-filter>'
        )
        return next((stored for stored in self._query(condition) if _has(stored.data, uid)), None)

    # --- writing --------------------------------------------------------------------------------------------------

    def _create(self, draft: Draft) -> tuple[Stored, bool]:
        address = urljoin(self._found(), f"{quote(draft.uid, safe='')}.ics")
        headers = {"Content-Type": _ICS, "If-None-Match": "*"}
        status, answer = self._ask("PUT", address, draft.data, headers=headers, expected=(403, 409, 412))
        if status in (403, 409, 412):  # not 412: the UID is there under another name, or there is another reason
            there = self._find(draft.uid)
            if there is None:
                raise ActionError(f"{self._host} refuses the entry: {status}", where=self._name)
            return there, False
        return self._written(address, answer, draft.data), True

    def _replace(self, stored: Stored, data: bytes) -> Stored:
        address = urljoin(self._found(), quote(stored.href))
        headers = {"Content-Type": _ICS, "If-Match": stored.etag}
        status, answer = self._ask("PUT", address, data, headers=headers, expected=(404, 412))
        if status == 412:
            raise ChangedMeanwhileError("the entry was changed meanwhile", where=self._name)
        if status == 404:
            raise ActionError("the entry is not there any more", where=self._name)
        return self._written(address, answer, data)

    def _remove(self, stored: Stored) -> bool:
        address = urljoin(self._found(), quote(stored.href))
        status, _ = self._ask("DELETE", address, headers={"If-Match": stored.etag}, expected=(404, 410, 412))
        if status == 412:
            raise ChangedMeanwhileError("the entry was changed meanwhile", where=self._name)
        return status not in (404, 410)

    def _written(self, address: str, answer: Any, data: bytes) -> Stored:
        """The object as it is now; servers that rewrite what they are given send no etag, and are asked."""
        etag = str(answer.headers.get("ETag", ""))
        if not etag:
            _, again = self._ask("GET", address)
            etag, data = str(again.headers.get("ETag", "")), again.raw.encode()
        return Stored(unquote(urlsplit(address).path), etag, data)

    # --- the server -----------------------------------------------------------------------------------------------

    def _found(self) -> str:
        """The calendar's own address, looked up once."""
        if not self._address:
            self._address = self._look_up()
        return self._address

    def _names(self) -> list[str]:
        return [] if self._is_calendar_itself() else sorted(self._by_name())

    def _is_calendar_itself(self) -> bool:
        body = f"<d:propfind {_NAMESPACES}><d:prop><d:resourcetype/></d:prop></d:propfind>"
        status, answer = self._ask("PROPFIND", self._calendar.url, body, depth=0, expected=(403, 404, 405, 501))
        return status < 400 and answer.tree is not None and _is_calendar(answer.tree)

    def _by_name(self) -> dict[str, str]:
        """The addresses of the user's calendars."""
        return {str(one.get_display_name() or _last(str(one.url))): str(one.url) for one in self._calendars()}

    def _look_up(self) -> str:
        if self._is_calendar_itself():
            return self._calendar.url.rstrip("/") + "/"
        wanted, names = self._calendar.calendar_id, self._by_name()
        if not wanted and len(names) == 1:
            return next(iter(names.values()))
        matching = [address for name, address in names.items() if wanted in (name, _last(address))]
        if wanted and matching:
            return matching[0]
        raise ConfigError(
            f"{self._host} has no calendar {wanted!r}" if wanted else f"{self._host} has {len(names)} calendars",
            where=f"[plugins.calendar.calendars.{self._name}] calendar_id",
            hint="set calendar_id to one of: " + (", ".join(sorted(names)) or "(there are none)"),
        )

    def _calendars(self) -> list[Any]:
        """The calendars of this user, found from the address given, or from where servers say it (RFC 6764)."""
        for address in (self._calendar.url, urljoin(self._calendar.url, "/.well-known/caldav")):
            try:
                self._client.url = self._client.url.join(address)
                return self._safely(lambda: list(self._client.get_principal().get_calendars()))
            except (ConfigError, RetryableError):
                raise
            except ActionError:
                continue
        raise ConfigError(
            f"there is no CalDAV service at {self._calendar.url}",
            where=f"[plugins.calendar.calendars.{self._name}] url",
            hint="look up the address of the calendar server in your provider's help",
        )

    def _ask(
        self,
        method: str,
        address: str,
        body: str | bytes = "",
        *,
        depth: int | None = None,
        headers: Mapping[str, str] | None = None,
        expected: Iterable[int] = (),
    ) -> tuple[int, Any]:
        """The status and the answer. A status of 400 and up is an error unless it is expected."""
        sent = dict(headers or {"Content-Type": "application/xml; charset=utf-8"})
        if depth is not None:
            sent["Depth"] = str(depth)
        content = f'<?xml version="1.0" encoding="utf-8"?>{body}' if isinstance(body, str) and body else body

        def ask() -> Any:
            try:
                return self._client.request(address, method, content, sent)
            except dav_error.AuthorizationError as error:
                if 403 in expected and _status(error) == 403:
                    return None
                raise

        answer = self._safely(ask)
        status = 403 if answer is None else int(answer.status)
        if status >= 400 and status not in expected:
            failure = RetryableError if status >= 500 else ActionError
            raise failure(f"{self._host} answers {status} to {method}", where=self._name)
        return status, answer

    def _safely(self, call: Callable[[], T]) -> T:
        """The answer, or an error that says whose turn it is."""
        try:
            return call()
        except dav_error.RateLimitError as error:
            raise RetryableError(
                f"{self._host} asks to wait", where=self._name, retry_after_s=error.retry_after_seconds
            ) from None
        except dav_error.AuthorizationError as error:
            raise ConfigError(
                f"{self._host} refuses the user {self._calendar.user!r}: {_status(error)}",
                where=f"[plugins.calendar.calendars.{self._name}]",
                hint="check the password (many services want an app password): aie connect calendar",
            ) from None
        except (niquests.exceptions.RequestException, OSError) as error:
            raise RetryableError(f"{self._host} does not answer: {type(error).__name__}", where=self._name) from None
        except SyntaxError:  # what the XML parser raises, on attacks too
            raise ActionError(f"{self._host} answers with what is no XML", where=self._name) from None
        except dav_error.DAVError as error:
            raise ActionError(f"{self._host} answers: {type(error).__name__}", where=self._name) from None

    def _tree(self, answer: Any) -> Any:
        if answer.tree is None:
            raise ActionError(f"{self._host} answers with what is no XML", where=self._name)
        return answer.tree

    @property
    def _host(self) -> str:
        return urlsplit(self._calendar.url).netloc.rpartition("@")[2]


def _objects(tree: Any) -> Iterator[Listed]:
    """The objects of a multistatus answer; collections are none."""
    for response in tree.iter("{DAV:}response"):
        href = response.findtext("{DAV:}href") or ""
        status = response.findtext("{DAV:}status") or ""
        if response.find(".//{DAV:}collection") is not None or " 507 " in f"{status} ":
            continue
        data = response.findtext(".//{urn:ietf:params:xml:ns:caldav}calendar-data") or ""
        size = response.findtext(".//{DAV:}getcontentlength") or ""
        etag = response.findtext(".//{DAV:}getetag") or ""
        yield Listed(unquote(urlsplit(href).path), etag, int(size) if size.isdecimal() else 0, data.encode())


def _stored(objects: Iterable[Listed]) -> Iterator[Stored]:
    return (Stored(one.href, one.etag, one.data) for one in objects if one.data)


def _cut_short(tree: Any) -> bool:
    """Whether the server sent only the first part (RFC 6578, section 3.6)."""
    return any(" 507 " in f"{status.text or ''} " for status in tree.iter("{DAV:}status"))


def _is_calendar(tree: Any) -> bool:
    return any(True for _ in tree.iter("{urn:ietf:params:xml:ns:caldav}calendar"))


def _has(data: bytes, uid: str) -> bool:
    return any(content_lines.value_of(block, "UID").strip() == uid for block in content_lines.cut(data).events)


def _last(address: str) -> str:
    """The last name in an address."""
    return unquote(urlsplit(address).path.rstrip("/").split("/")[-1])


def _status(error: Any) -> int:
    found = getattr(error, "status", None) or getattr(error, "status_code", None)
    return int(found) if found else 401


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
