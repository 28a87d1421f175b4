"""A feed over real HTTP, whose answers a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from plugins.calendar.tests.local_server import QuietHandler, listening

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

    class Handler(QuietHandler):
        def do_GET(self) -> None:  # noqa: N802 - the library's name
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

    with listening(Handler) as address:
        yield f"{address}/private-8d1f/basic.ics"
