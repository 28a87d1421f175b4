"""A carrier to test against: a real HTTP server that keeps what it was told.

``python tests/fake_parcels.py`` runs one to play with.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "the-token-of-the-tests"
WANTED = {"reference", "recipient", "address", "weight_g", "note"}


@dataclass
class FakeServer:
    """What the carrier has. ``faults`` are used up by bookings, one by one.

    They are "429" before anything happens, and "lost": the parcel is booked, and no answer comes.
    """

    url: str = ""
    parcels: list[dict[str, Any]] = field(default_factory=list)
    scans: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    working: threading.Event = field(default_factory=threading.Event)

    @property
    def settings(self) -> dict[str, str]:
        """What makes the plugin use this server."""
        return {"url": self.url}

    def state(self) -> Any:
        """All that it has, as data."""
        return {"parcels": [dict(parcel) for parcel in self.parcels]}

    def scan(self, parcel: str, status: str, place: str) -> None:
        """A driver scans a parcel."""
        number, at = len(self.scans) + 1, f"2026-02-09T18:00:{len(self.scans):02}+00:00"
        self.scans.append({"number": number, "parcel": parcel, "status": status, "place": place, "at": at})

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        """Within the block it takes connections and never answers."""
        self.working.clear()
        try:
            yield
        finally:
            self.working.set()


class _Handler(BaseHTTPRequestHandler):
    fake: FakeServer

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.fake.working.is_set():
            self.fake.working.wait()
            return
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._reply(401, {"error": "unknown token"})
            return
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match self.command, parts.path:
            case "GET", "/me":
                self._reply(200, {"name": "Ada Brown"})
            case "GET", "/parcels":
                self._reply(200, [one for one in self.fake.parcels if one["reference"] == query["reference"]])
            case "POST", "/parcels":
                self._book(json.loads(body))
            case "GET", "/scans":
                self._reply(200, self.fake.scans[int(query["after"]) :])
            case _:
                self._reply(404, {"error": "there is no such thing"})

    def _book(self, data: dict[str, Any]) -> None:
        fault = self.fake.faults.pop(0) if self.fake.faults else ""
        if fault == "429":
            self._reply(429, {"error": "slow down"}, {"Retry-After": "7"})
            return
        if set(data) != WANTED:
            self._reply(400, {"error": f"a parcel has {', '.join(sorted(WANTED))}"})
            return
        parcel = {"id": f"P{len(self.fake.parcels) + 1}", "price": "5.90", "currency": "EUR", **data}
        self.fake.parcels.append(parcel)  # a second time too: this carrier does not look at the reference
        self.fake.scan(parcel["id"], "collected", "York")
        if fault != "lost":
            self._reply(201, parcel)

    def _reply(self, status: int, data: Any, headers: dict[str, str] | None = None) -> None:
        text = json.dumps(data).encode()
        with contextlib.suppress(OSError):  # whoever asked may be gone
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    def log_message(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def serving(port: int = 0) -> Iterator[FakeServer]:
    """The server, until the end of the block; on a free port unless one is given."""
    fake = FakeServer()
    fake.working.set()
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"fake": fake}))
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


if __name__ == "__main__":
    with serving(8791) as shown:
        print(f'[plugins.parcels]\nurl = "{shown.url}"\n\nThe token is {TOKEN}. Ctrl-C stops it.', flush=True)
        threading.Event().wait()
