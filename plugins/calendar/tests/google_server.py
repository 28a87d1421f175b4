"""A small server that speaks Google Calendar's protocol (API v3) as it is documented, over real HTTP."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from plugins.calendar.tests.local_server import QuietHandler, listening

GOOD_TOKEN = "access-token-that-is-good"
FRESH_TOKEN = "access-token-that-was-renewed"
REFRESH_TOKEN = "refresh-token-for-ever"
EVENTS = re.compile(r"/calendar/v3/calendars/([^/]+)/events(?:/([^/]+))?")


class GoogleCalendar:
    """One account, one calendar: 'primary'. ``failures`` are answered first, in order; ``requests`` is what came."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.log: list[str] = []  # ids in the order they changed: a sync token is a place in it
        self.floor = 0  # sync tokens before it are forgotten
        self.page_size = 250
        self.failures: list[tuple[int, dict[str, Any], dict[str, str]]] = []
        self.lose_answer_of = ""  # a method whose next answer is lost after the work was done
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.tokens = {GOOD_TOKEN}
        self.revoked = False
        self.version = 0

    def put(self, event: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        stored = {"status": "confirmed", **event, "etag": f'"{self.version}"', "kind": "calendar#event"}
        self.events[stored["id"]] = stored
        self.log.append(stored["id"])
        return stored

    def add(self, event_id: str, **fields: Any) -> dict[str, Any]:
        """What another program makes or changes."""
        start = {"dateTime": "2026-02-16T14:00:00+01:00", "timeZone": "Europe/Berlin"}
        end = {"dateTime": "2026-02-16T15:00:00+01:00", "timeZone": "Europe/Berlin"}
        return self.put({"id": event_id, "summary": event_id, "start": start, "end": end, **fields})

    def delete(self, event_id: str) -> None:
        old = self.events[event_id]
        kept = {name: old[name] for name in ("id", "recurringEventId", "originalStartTime") if name in old}
        self.put({**kept, "status": "cancelled"})

    def asked(self, method: str) -> list[tuple[str, dict[str, str], Any]]:
        return [(path, params, body) for found, path, params, body in self.requests if found == method]

    # --- the answers ----------------------------------------------------------------------------------------------

    def answer(self, method: str, url: str, headers: Any, body: bytes) -> tuple[int, dict[str, Any], dict[str, str]]:
        parts = urlsplit(url)
        params = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/token":
            return self._token({name: values[0] for name, values in parse_qs(body.decode()).items()})
        data = json.loads(body) if body else None
        self.requests.append((method, parts.path, params, data))
        if self.failures:
            return self.failures.pop(0)
        if headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return error(401, "authError", "Invalid Credentials")
        found = EVENTS.fullmatch(parts.path)
        if found is None or unquote(found[1]) != "primary":
            return error(404, "notFound", "Not Found")
        event_id = unquote(found[2] or "")
        if method == "GET" and not event_id:
            return self._list(params)
        if method == "POST" and data["id"] in self.events:
            return error(409, "duplicate", "The requested identifier already exists.")
        if method == "POST":
            assert re.fullmatch(r"[0-9a-v]{5,1024}", data["id"]), data["id"]
            return 200, self.put(data), {}
        return self._one(method, event_id, data, headers.get("If-Match"))

    def _one(
        self, method: str, event_id: str, data: Any, etag: str | None
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        event = self.events.get(event_id) or self._instance(event_id)
        if event is None:
            return error(404, "notFound", "Not Found")
        if etag is not None and etag != event["etag"]:
            return error(412, "conditionNotMet", "Precondition Failed")
        if method == "GET":
            return 200, event, {}
        if method == "PATCH":
            return 200, self.put({**event, **data}), {}
        if event["status"] == "cancelled":
            return error(410, "deleted", "Resource has been deleted")
        self.delete(event_id)
        return 204, {}, {}

    def _instance(self, event_id: str) -> dict[str, Any] | None:
        """An occurrence that is as its series has it; only its start is worked out here."""
        series, _, original = event_id.rpartition("_")
        master = self.events.get(series)
        if master is None or not original.endswith("Z"):
            return None
        start = datetime.fromisoformat(original).isoformat()
        kept = {name: value for name, value in master.items() if name not in ("recurrence", "id")}
        moment = {"dateTime": start, "timeZone": "Europe/Berlin"}
        end = {"dateTime": datetime.fromisoformat(original).replace(hour=14).isoformat(), "timeZone": "Europe/Berlin"}
        return {
            **kept,
            "id": event_id,
            "recurringEventId": series,
            "originalStartTime": moment,
            "start": moment,
            "end": end,
        }

    def _list(self, params: dict[str, str]) -> tuple[int, dict[str, Any], dict[str, str]]:
        token = params.get("syncToken")
        if token is not None and {"timeMin", "timeMax", "orderBy", "q", "updatedMin"} & params.keys():
            return error(400, "badRequest", "syncToken cannot be used with these parameters")
        if token is not None and int(token) < self.floor:
            return error(410, "fullSyncRequired", "Sync token is no longer valid, a full sync is required.")
        if token is not None:
            items = [self.events[one] for one in dict.fromkeys(self.log[int(token) :])]
        else:
            items = [one for one in self.events.values() if one["status"] != "cancelled" or "recurringEventId" in one]
        first, last = params.get("timeMin"), params.get("timeMax")
        if first and last:
            items = [
                one for one in items if _when(one["end"]) > _when_text(first) and _when(one["start"]) < _when_text(last)
            ]
        start = int(params.get("pageToken", 0))
        end = start + min(self.page_size, int(params["maxResults"]))
        page: dict[str, Any] = {"kind": "calendar#events", "items": items[start:end]}
        if end < len(items):
            page["nextPageToken"] = str(end)
        elif not first:
            page["nextSyncToken"] = str(len(self.log))
        return 200, page, {}

    def _token(self, asked: dict[str, str]) -> tuple[int, dict[str, Any], dict[str, str]]:
        self.requests.append(("TOKEN", asked["grant_type"], {}, None))
        if self.revoked:
            return 400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}, {}
        self.tokens.add(FRESH_TOKEN)
        answer = {"access_token": FRESH_TOKEN, "expires_in": 3599, "token_type": "Bearer"}
        if asked["grant_type"] == "authorization_code":
            answer |= {"refresh_token": REFRESH_TOKEN, "scope": "https://www.googleapis.com/auth/calendar.events"}
        return 200, answer, {}


def error(status: int, reason: str, message: str, **headers: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    """An error as Google words it, on both levels."""
    inner = {"domain": "global", "reason": reason, "message": message}
    return status, {"error": {"code": status, "message": message, "errors": [inner]}}, headers


def secrets(expires_in_s: float = 3000) -> dict[str, str]:
    """What `aie connect` stores of a client of one's own and its access, which is good for so long."""
    token = {
        "access_token": GOOD_TOKEN, "refresh_token": REFRESH_TOKEN, "token_type": "Bearer",
        "expires_at": time.time() + expires_in_s, "scope": "https://www.googleapis.com/auth/calendar.events",
    }  # fmt: skip
    return {"client_id": "id-of-mine", "client_secret": "secret-of-mine", "token": json.dumps(token)}


def _when(moment: dict[str, str]) -> datetime:
    return _when_text(moment.get("dateTime") or f"{moment['date']}T00:00:00+01:00")


def _when_text(text: str) -> datetime:
    return datetime.fromisoformat(text)


@contextmanager
def serving(calendar: GoogleCalendar) -> Iterator[str]:
    """The server's address, while it runs."""

    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, data, headers = calendar.answer(self.command, self.path, self.headers, body)
            if calendar.lose_answer_of == self.command:
                calendar.lose_answer_of = ""
                self.close_connection = True
                return
            text = json.dumps(data).encode() if status != 204 else b""
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(text)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - the library's names

    with listening(Handler) as address:
        yield address
