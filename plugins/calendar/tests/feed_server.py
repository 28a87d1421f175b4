"""A feed over real HTTP, whose answers a test chooses."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

FEED = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:a\r\nSUMMARY:from the feed\r\n"
    b"DTSTART:20260216T130000Z\r\nDTEND:20260216T140000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@dataclass
class Feed:
    """What the server sends, and what it was asked: the validators of each request."""

    body: bytes = FEED
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    endless: Callable[[], bytes] | None = None


@contextmanager
def serving(feed: Feed) -> Iterator[str]:
    """The feed's address, while it is served. It has an ETag, and honours it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            names = ("If-None-Match", "If-Modified-Since")
            feed.asked.append({name: self.headers[name] for name in names if self.headers[name]})
            etag = feed.headers.get("ETag")
            if feed.status == 200 and etag and self.headers["If-None-Match"] == etag:
                self.send_response(304)
                self.end_headers()
                return
            self.send_response(feed.status)
            for name, value in feed.headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(feed.body)
                while feed.endless is not None:
                    self.wfile.write(feed.endless())
            except OSError:  # the client had enough
                return

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/private-8d1f/basic.ics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
