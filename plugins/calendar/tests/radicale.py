"""A real CalDAV server in a process of its own, on the loopback interface."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import sys
import time
import uuid
from base64 import b64encode
from pathlib import Path

SERVE = """
import sys
from radicale import config, server
configuration = config.load([(sys.argv[1], False)])
# Its tests' own setting: nobody needs these calendars after a power cut, and waiting for the disk is most of the work.
configuration.update({"storage": {"_filesystem_fsync": "False"}}, "tests", privileged=True)
server.serve(configuration)
"""
USER, PASSWORD = "alice", "correct horse battery"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Radicale:
    """One server with one user; it can be stopped and started again, as servers are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "users").write_text(f"{USER}:{PASSWORD}\n")
        (folder / "config").write_text(
            f"[server]\nhosts = 127.0.0.1:{self.port}\n"
            f"[auth]\ntype = htpasswd\nhtpasswd_filename = {folder / 'users'}\nhtpasswd_encryption = plain\ndelay = 0\n"
            f"[storage]\nfilesystem_folder = {folder / 'collections'}\nmax_sync_token_age = 2592000\n"
            "[rights]\ntype = owner_only\n[logging]\nlevel = critical\n"
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(self.folder / "config")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            assert self.process.poll() is None and time.monotonic() < end, "Radicale did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """What another program does to the calendar."""
        login = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {"Authorization": f"Basic {login}", **named})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def calendar(self) -> str:
        """A new, empty calendar; gives its path."""
        path = f"/{USER}/{uuid.uuid4().hex}/"
        status, _ = self.request("MKCALENDAR", path)
        assert status == 201
        return path

    def put(self, path: str, data: bytes) -> None:
        status, _ = self.request("PUT", path, data, Content_Type="text/calendar")
        assert status in (201, 204), status

    def fill(self, path: str, objects: dict[str, bytes]) -> None:
        """Put many objects into a calendar at once, behind the server's back."""
        folder = self.folder / "collections" / "collection-root" / path.strip("/")
        for name, data in objects.items():
            (folder / name).write_bytes(data)

    def forget_changes(self, calendar: str) -> None:
        """Lose the memory that sync tokens refer to, as servers do after a while."""
        for path in (self.folder / "collections").rglob("sync-token/*"):
            if calendar.strip("/").split("/")[-1] in path.parts:
                path.unlink()
