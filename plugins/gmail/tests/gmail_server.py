"""Gmail's REST API and Google's token endpoint on this machine, for tests and demos: documented calls, real HTTP.

``with GmailServer() as gmail:`` gives a mailbox. ``gmail.deliver(raw)`` puts a mail into it, ``gmail.sent`` has what
was sent, ``gmail.settings`` is what ``[plugins.gmail]`` must say, and ``gmail.secrets`` what a connection
stores. Standard library only. Errors to come are put into ``gmail.failures``.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import threading
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

BASE = "/gmail/v1/users/me"
ACCOUNT = "owner@example.org"


@dataclass
class Message:
    """A mail in the mailbox."""

    id: str
    thread_id: str
    raw: bytes
    labels: list[str]
    received_at: dt.datetime

    @property
    def parsed(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)  # type: ignore[return-value]


@dataclass
class Failure:
    """An answer to give instead: once, to the next call whose method and path begin so."""

    call: str  # for example "POST /messages/send"
    status: int
    reason: str = "backendError"
    message: str = "Something went wrong"
    headers: dict[str, str] = field(default_factory=dict)
    after_doing_it: bool = False
    hang_up: bool = False

    @property
    def body(self) -> dict[str, Any]:
        error = {"domain": "global", "reason": self.reason, "message": self.message}
        return {"error": {"code": self.status, "message": self.message, "errors": [error], "status": "ERROR"}}


class GmailServer:
    """One account."""

    def __init__(self, *, page_size: int = 500) -> None:
        self.messages: dict[str, Message] = {}
        self.drafts: dict[str, str] = {}
        self.labels: dict[str, str] = {name: name for name in ("INBOX", "UNREAD", "SENT", "DRAFT", "TRASH", "SPAM")}
        self.history: list[tuple[int, str, list[str]]] = []
        self.oldest_history = 0
        self.failures: list[Failure] = []
        self.calls: list[str] = []
        self.access_token = "access-1"
        self.refresh_answer: dict[str, Any] | None = None
        self.token_answer: dict[str, Any] = {}
        self.rewrites_message_ids = False
        self._page_size = page_size
        self._number = 1000
        self._lock = threading.RLock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.answer(self, "GET")

            def do_POST(self) -> None:
                server.answer(self, "POST")

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True

    def __enter__(self) -> GmailServer:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    # --- for whoever uses it -----------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "transport": "gmail_api",
            "address": ACCOUNT,
            "api_url": self.url + BASE,
            "authorize_url": f"{self.url}/authorize",
            "token_url": f"{self.url}/token",
        }

    @property
    def secrets(self) -> dict[str, str]:
        token = {
            "access_token": self.access_token,
            "refresh_token": "refresh-1",
            "token_type": "Bearer",
            "expires_at": 4e9,
        }
        return {"token": json.dumps(token), "client_id": "client-1", "client_secret": "client-secret"}

    @property
    def sent(self) -> list[EmailMessage]:
        return [message.parsed for message in self.messages.values() if "SENT" in message.labels]

    def deliver(
        self, raw: bytes, labels: tuple[str, ...] = ("INBOX", "UNREAD"), *, received_at: dt.datetime | None = None
    ) -> Message:
        """Put a mail into the mailbox."""
        with self._lock:
            self._number += 7  # ids have gaps
            message = Message(
                f"{0x18E5B7A90C000000 + self._number:x}", f"{0x18E5B7A90C000000 + self._number:x}", raw, list(labels),
                received_at or dt.datetime.now(dt.UTC),
            )  # fmt: skip
            self.messages[message.id] = message
            self.history.append((self._number, message.id, list(labels)))
            return message

    def forget_history(self) -> None:
        """From now on every history id there was is too old."""
        with self._lock:
            self._number += 1
            self.oldest_history = self._number

    # --- the calls ---------------------------------------------------------------------------------------------------

    def answer(self, http: BaseHTTPRequestHandler, method: str) -> None:
        url = urlsplit(http.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        data = http.rfile.read(int(http.headers.get("Content-Length", 0)))
        if url.path == "/token":
            self._reply(http, *self._token({key: value[0] for key, value in parse_qs(data.decode()).items()}))
            return
        path = url.path.removeprefix("/upload").removeprefix(BASE)
        with self._lock:
            self.calls.append(f"{method} {path}")
            failure = next((one for one in self.failures if f"{method} {path}".startswith(one.call)), None)
            if failure is not None:
                self.failures.remove(failure)
            if http.headers.get("Authorization") != f"Bearer {self.access_token}":
                failure = Failure("", 401, "authError", "Invalid Credentials")
            if failure is None or failure.after_doing_it:
                body = (
                    json.loads(data) if data and http.headers["Content-Type"].startswith("application/json") else data
                )
                status, said = self._call(method, path, query, body)
        if failure is not None:
            status, said = failure.status, failure.body
            if failure.hang_up:
                http.close_connection = True
                http.connection.close()
                return
        self._reply(http, status, said, failure.headers if failure else {})

    def _reply(
        self, http: BaseHTTPRequestHandler, status: int, said: Any, headers: dict[str, str] | None = None
    ) -> None:
        data = json.dumps(said).encode()
        http.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            http.send_header(name, value)
        http.send_header("Content-Length", str(len(data)))
        http.end_headers()
        http.wfile.write(data)

    def _token(self, form: dict[str, str]) -> tuple[int, Any]:
        if form.get("client_secret") != "client-secret":
            return 401, {"error": "invalid_client", "error_description": "Unauthorized"}
        if form["grant_type"] == "authorization_code":
            scope = "https://www.googleapis.com/auth/gmail.modify"
            known = {"access_token": self.access_token, "refresh_token": "refresh-1", "expires_in": 3599}
            return 200, {**known, "scope": scope, "token_type": "Bearer", **self.token_answer}
        if self.refresh_answer is not None:
            return 400, self.refresh_answer
        return 200, {"access_token": self.access_token, "expires_in": 3599, "token_type": "Bearer"}

    def _call(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if (method, path) == ("GET", "/profile"):
            return 200, {"emailAddress": ACCOUNT, "messagesTotal": len(self.messages), "historyId": str(self._number)}
        if (method, path) == ("GET", "/messages"):
            return 200, self._paged("messages", self._search(query.get("q", "")), query)
        if (method, path) == ("GET", "/history"):
            return self._history(query)
        if (method, path) == ("POST", "/messages/send"):
            return 200, self._send(body)
        if (method, path) == ("GET", "/labels"):
            return 200, {"labels": [{"id": key, "name": name} for key, name in self.labels.items()]}
        if (method, path) == ("POST", "/labels"):
            key = f"Label_{len(self.labels)}"
            self.labels[key] = body["name"]
            return 200, {"id": key, "name": body["name"]}
        if path == "/drafts":
            return self._drafts(method, query, body)
        return self._one(method, path, query, body)

    def _one(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        found = re.fullmatch(r"/messages/([0-9a-f]+)(/modify)?", path)
        message = self.messages.get(found[1]) if found else None
        if message is None or found is None:
            return 404, Failure("", 404, "notFound", "Requested entity was not found.").body
        told = {"id": message.id, "threadId": message.thread_id, "labelIds": message.labels}
        if found[2]:
            kept = [label for label in message.labels if label not in body["removeLabelIds"]]
            message.labels = list(dict.fromkeys(kept + body["addLabelIds"]))
            return 200, {**told, "labelIds": message.labels}
        told |= {"internalDate": str(int(message.received_at.timestamp() * 1000)), "sizeEstimate": len(message.raw)}
        if query.get("format") == "raw":
            return 200, {**told, "raw": base64.urlsafe_b64encode(message.raw).decode()}
        headers = [{"name": name, "value": str(value)} for name, value in message.parsed.items()]
        return 200, {**told, "payload": {"headers": headers}}

    def _send(self, body: Any) -> dict[str, Any]:
        raw = base64.urlsafe_b64decode(body["raw"] + "==") if isinstance(body, dict) else body
        raw = re.sub(rb"(?im)^Bcc:.*\r?\n", b"", raw, count=1)
        if self.rewrites_message_ids:
            raw = re.sub(rb"(?im)^Message-ID:.*$", b"Message-ID: <CA+rewritten@mail.gmail.com>\r", raw, count=1)
        message = self.deliver(raw, ("SENT",))
        message.thread_id = body.get("threadId", message.id) if isinstance(body, dict) else message.id
        return {"id": message.id, "threadId": message.thread_id, "labelIds": ["SENT"]}

    def _drafts(self, method: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if method == "POST":
            message = self.deliver(base64.urlsafe_b64decode(body["message"]["raw"] + "=="), ("DRAFT",))
            self.drafts[f"r{len(self.drafts) + 1}"] = message.id
            return 200, {"id": f"r{len(self.drafts)}", "message": {"id": message.id, "labelIds": ["DRAFT"]}}
        wanted = {one["id"] for one in self._search(query.get("q", ""))}
        found = [{"id": key, "message": {"id": one}} for key, one in self.drafts.items() if one in wanted]
        return 200, self._paged("drafts", found, query)

    def _history(self, query: dict[str, str]) -> tuple[int, Any]:
        start = int(query["startHistoryId"])
        if start == 0 or start < self.oldest_history:
            return 404, Failure("", 404, "notFound", "Requested entity was not found.").body
        wanted = query.get("labelId", "")
        records = []
        for number, message_id, labels in self.history:
            if number > start and (not wanted or wanted in labels):
                added = {"message": {"id": message_id, "threadId": message_id, "labelIds": labels}}
                records.append({"id": str(number), "messages": [added["message"]], "messagesAdded": [added]})
        return 200, {**self._paged("history", records, query), "historyId": str(self._number)}

    def _paged(self, name: str, rows: list[Any], query: dict[str, str]) -> dict[str, Any]:
        start, most = int(query.get("pageToken", 0)), min(int(query.get("maxResults", 100)), self._page_size)
        page = {name: rows[start : start + most]} if rows[start : start + most] else {}
        return page | ({"nextPageToken": str(start + most)} if len(rows) > start + most else {})

    def _search(self, text: str) -> list[dict[str, str]]:
        """The few search words that are used: in:, after:, newer_than:, rfc822msgid:, subject:."""
        rows = sorted(self.messages.values(), key=lambda one: one.received_at, reverse=True)
        for word in text.split():
            key, _, value = word.partition(":")
            if key == "in":
                rows = [one for one in rows if value.upper() in one.labels]
            elif key == "after":
                rows = [one for one in rows if one.received_at.timestamp() >= int(value)]
            elif key == "rfc822msgid":
                rows = [one for one in rows if str(one.parsed["Message-ID"]).strip().strip("<>") == value]
            elif key == "subject":
                rows = [one for one in rows if value in str(one.parsed["Subject"])]
        return [{"id": one.id, "threadId": one.thread_id} for one in rows]
