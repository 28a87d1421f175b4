"""Silence: a service that takes connections and never says a word."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """A port of this machine where everybody can connect and nobody gets an answer, until the end of the block."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:  # the system itself takes the connections
        yield int(server.getsockname()[1])
