"""A Google calendar, by its REST API (Calendar API v3). Needs the extra ``google``."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx2
from authlib.integrations.base_client import OAuthError

from aie.credentials import Credentials
from aie.errors import ActionError, ConfigError, RetryableError
from aie.oauth import OAuthService, refused, stored_token, token_client
from aie_calendar.google_events import NO_APPOINTMENTS, body_of, object_of
from aie_calendar.house import House
from aie_calendar.reading import entries
from aie_calendar.series import moment, occurrence_id
from aie_calendar.settings import CalendarSettings, OneCalendar
from aie_calendar.store import ChangedMeanwhileError, Draft, Pulled, Stored

SHARED = "google"  # a connection that plugins for Google's services may share
SCOPES = (
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
)
TIMEOUT_S = 20.0
PER_PAGE = 2500
MAX_PAGES = 400
RATE_REASONS = frozenset(
    {
        *("rateLimitExceeded", "userRateLimitExceeded", "dailyLimitExceeded"),
        *("quotaExceeded", "calendarUsageLimits"),
    }
)


def google_service(settings: CalendarSettings) -> OAuthService:
    """How Google is asked for access; without ``prompt=consent`` a second consent gives no refresh token."""
    return OAuthService(
        authorize_url=settings.google_authorize_url,
        token_url=settings.google_token_url,
        scopes=SCOPES,
        more={"access_type": "offline", "prompt": "consent"},
    )


def google_credentials(own: Credentials) -> Credentials | None:
    """The credentials with a token for calendars: the calendar's own, or else those that plugins share."""
    for credentials in (own, own.of(SHARED)):
        if credentials.get("token") and "/auth/calendar" in str(
            stored_token(credentials).get("scope", "/auth/calendar")
        ):
            return credentials
    return None


def open_google(house: House, name: str, calendar: OneCalendar) -> GoogleStore:
    """The store; :class:`ConfigError` when nobody has agreed yet."""
    credentials = google_credentials(house.credentials)
    if credentials is None:
        raise ConfigError(
            f"the calendar {name!r} is Google's, and aie has no access yet",
            where=f"[plugins.calendar.calendars.{name}]",
            hint=f"aie connect calendar --set name={name} --set provider=google",
        )
    settings: CalendarSettings = house.settings
    client = token_client(credentials, google_service(settings), base_url=settings.google_api, timeout=TIMEOUT_S)
    return GoogleStore(name, calendar, client, house.timezone)


class GoogleStore:
    """The store. It keeps the events it was sent, because a change of one is sent without the rest of its series."""

    def __init__(self, name: str, calendar: OneCalendar, client: Any, zone: ZoneInfo) -> None:
        self._name = name
        self._calendar = calendar
        self._client = client
        self._zone = zone
        self._path = f"/calendars/{quote(calendar.calendar_id or 'primary', safe='')}/events"
        self._events: dict[str, dict[str, Any]] = {}
        self._token = ""
        self._lock = asyncio.Lock()

    async def pull(self, known: Mapping[str, str]) -> Pulled:
        async with self._lock:
            items = await self._since(self._token) if self._token and known else None
            whole = items is None
            if items is None:
                self._events, self._token = {}, ""
                items = await self._since("")
            if items is None:
                raise RetryableError("Google wants a full look at the calendar, and refuses it", where=self._name)
            touched = self._take(items)
            objects = self._objects(None if whole else touched)
        changed = {uid: one for uid, one in objects.items() if known.get(uid) != one.etag}
        gone = frozenset(known if whole else touched) & frozenset(known) - objects.keys()
        return Pulled(changed, gone)

    async def window(self, start: datetime, end: datetime) -> list[Stored]:
        asked = {
            "timeMin": start.isoformat(),
            "timeMax": end.isoformat(),
            "singleEvents": "true",
            "orderBy": "startTime",
            "maxResults": str(PER_PAGE),
        }
        by_series: dict[str, list[dict[str, Any]]] = defaultdict(list)
        async for page in self._pages(asked):
            for item in page.get("items", ()):
                if item.get("eventType", "default") not in NO_APPOINTMENTS:
                    by_series[_series_of(item)].append(item)
        return [Stored(uid, _etag(items), object_of(uid, items)) for uid, items in by_series.items()]

    async def find(self, uid: str, original: str = "") -> Stored | None:
        master = await self._get(uid)
        if master is None or master.get("status") == "cancelled":
            return None
        exception = await self._get(f"{uid}_{original}") if original else None
        items = [master, *([exception] if exception else [])]
        return Stored(uid, _etag(items), object_of(uid, items))

    async def create(self, draft: Draft) -> tuple[Stored, bool]:
        """The id is the draft's UID, so Google itself refuses a second one (409), also of one that was deleted."""
        (block, event), *_ = entries(draft.data, draft.uid, self._zone)
        body = {name: value for name, value in body_of(block, event, self._zone).items() if value}
        status, found = await self._ask("POST", self._path, body={**body, "id": draft.uid}, expected=(409,))
        created = status != 409
        if not created:
            there = await self._get(draft.uid)
            if there is None:
                raise ActionError("Google says the entry exists, and does not have it", where=self._name)
            found = there
        return Stored(draft.uid, str(found.get("etag", "")), object_of(draft.uid, [found])), created

    async def replace(self, stored: Stored, data: bytes) -> Stored:
        """Send only the fields that differ: what attendees answered, say, is nobody's business here."""
        before, after = self._bodies(stored), self._bodies(Stored(stored.href, "", data))
        etags = json.loads(stored.etag) if stored.etag.startswith("{") else {stored.href: stored.etag}
        for event_id, body in after.items():
            old = before.get(event_id, before.get(stored.href, {}))
            fields = {name: value for name, value in body.items() if old.get(name) != value}
            if event_id != stored.href:
                fields.pop("recurrence", None)
            if fields:
                await self._patch(event_id, fields, etags.get(event_id, ""))
        found = await self.find(stored.href)
        if found is None:
            raise ActionError("the entry is not there any more", where=self._name)
        return found

    async def remove(self, stored: Stored) -> bool:
        etags = json.loads(stored.etag) if stored.etag.startswith("{") else {}
        headers = {"If-Match": etags.get(stored.href, stored.etag)}
        path = f"{self._path}/{quote(stored.href, safe='')}"
        status, _ = await self._ask("DELETE", path, headers=headers, expected=(404, 410, 412))
        if status == 412:
            raise ChangedMeanwhileError("the entry was changed meanwhile", where=self._name)
        return status not in (404, 410)

    async def aclose(self) -> None:
        await self._client.aclose()

    # --- events ---------------------------------------------------------------------------------------------------

    def _take(self, items: list[dict[str, Any]]) -> set[str]:
        """Keep what was sent; gives the series that it is about."""
        for item in items:
            exception = "recurringEventId" in item
            if item.get("eventType", "default") in NO_APPOINTMENTS:
                continue
            if item.get("status") == "cancelled" and not exception:
                self._events.pop(item["id"], None)
            else:
                self._events[item["id"]] = item
        return {_series_of(item) for item in items}

    def _objects(self, only: Collection[str] | None = None) -> dict[str, Stored]:
        """An object for each series; of a master that is gone, cancelled exceptions are none."""
        by_series: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for item in self._events.values():
            if only is None or _series_of(item) in only:
                by_series[_series_of(item)].append(item)
        return {
            uid: Stored(uid, _etag(items), object_of(uid, items))
            for uid, items in by_series.items()
            if any(item.get("status") != "cancelled" for item in items)
        }

    def _bodies(self, stored: Stored) -> dict[str, dict[str, Any]]:
        """What the API would be sent for each entry of an object, by event id."""
        found = {}
        for block, event in entries(stored.data, stored.href, self._zone):
            original = moment(event, "RECURRENCE-ID")
            name = stored.href if original is None else f"{stored.href}_{occurrence_id(original, self._zone)}"
            found[name] = body_of(block, event, self._zone)
        return found

    async def _patch(self, event_id: str, fields: dict[str, Any], etag: str) -> None:
        path = f"{self._path}/{quote(event_id, safe='')}"
        headers = {"If-Match": etag} if etag else {}
        status, _ = await self._ask("PATCH", path, body=fields, headers=headers, expected=(404, 412))
        if status == 412:
            raise ChangedMeanwhileError("the entry was changed meanwhile", where=self._name)
        if status == 404:
            raise ActionError("the entry is not there any more", where=self._name)

    # --- Google ---------------------------------------------------------------------------------------------------

    async def _since(self, token: str) -> list[dict[str, Any]] | None:
        """All events, or those that changed since the token; None when Google has forgotten the token (410)."""
        asked = {"maxResults": str(PER_PAGE), **({"syncToken": token} if token else {})}
        items: list[dict[str, Any]] = []
        async for page in self._pages(asked):
            if page.get("gone"):
                return None
            items += page.get("items", ())
            self._token = page.get("nextSyncToken", "")
        return items

    async def _pages(self, asked: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
        page_token = ""
        for _ in range(MAX_PAGES):
            params = {**asked, **({"pageToken": page_token} if page_token else {})}
            status, page = await self._ask("GET", self._path, params=params, expected=(410,))
            yield {"gone": True} if status == 410 else page
            page_token = page.get("nextPageToken", "")
            if status == 410 or not page_token:
                return
        raise ActionError(f"Google does not come to an end after {MAX_PAGES} pages", where=self._name)

    async def _get(self, event_id: str) -> dict[str, Any] | None:
        status, found = await self._ask("GET", f"{self._path}/{quote(event_id, safe='')}", expected=(404,))
        return None if status == 404 else found

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        expected: Collection[int] = (),
    ) -> tuple[int, dict[str, Any]]:
        """The status and the answer. A status of 400 and up is an error unless it is expected."""
        asked = dict(params or {})
        if method != "GET":
            asked["sendUpdates"] = self._calendar.notify_guests
        try:
            answer = await self._client.request(method, path, params=asked, json=body, headers=dict(headers or {}))
        except OAuthError as error:
            raise refused(error, self._name) from None
        except httpx2.TransportError as error:
            raise RetryableError(f"Google does not answer: {type(error).__name__}", where=self._name) from None
        data = _json(answer)
        if answer.status_code >= 400 and answer.status_code not in expected:
            raise self._error(answer, data)
        return answer.status_code, data

    def _error(self, answer: httpx2.Response, data: dict[str, Any]) -> Exception:
        said = data.get("error") if isinstance(data.get("error"), dict) else {}
        assert isinstance(said, dict)
        reasons = {str(one.get("reason")) for one in said.get("errors", ()) if isinstance(one, dict)}
        text = f"Google answers {answer.status_code}: {str(said.get('message') or answer.reason_phrase)[:300]}"
        status = answer.status_code
        if status == 429 or (status == 403 and reasons & RATE_REASONS):
            after = answer.headers.get("Retry-After", "")
            return RetryableError(text, where=self._name, retry_after_s=float(after) if after.isdecimal() else None)
        if status >= 500:
            return RetryableError(text, where=self._name)
        if status == 401:
            return ConfigError(text, where=self._name, hint="connect anew: aie connect calendar")
        if status == 403:
            return ConfigError(text, where=self._name, hint="look at the access this account has to the calendar")
        if status == 404:
            hint = "set calendar_id to the id in the calendar's settings at Google"
            return ConfigError(text, where=f"[plugins.calendar.calendars.{self._name}]", hint=hint)
        return ActionError(text, where=self._name)


def _series_of(item: Mapping[str, Any]) -> str:
    return str(item.get("recurringEventId") or item["id"])


def _etag(items: list[dict[str, Any]]) -> str:
    """One event's own etag, or all of them by id: a change to any of them changes the object."""
    if len(items) == 1 and "recurringEventId" not in items[0]:
        return str(items[0].get("etag", ""))
    if len(items) > 20:
        mark = hashlib.sha256(json.dumps(sorted(str(one.get("etag")) for one in items)).encode()).hexdigest()
        own = {str(one["id"]): one.get("etag", "") for one in items if "recurringEventId" not in one}
        return json.dumps({**own, "": mark})
    return json.dumps({str(one["id"]): one.get("etag", "") for one in items}, sort_keys=True)


def _json(answer: httpx2.Response) -> dict[str, Any]:
    try:
        data = answer.json()
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
