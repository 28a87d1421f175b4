"""A real Dovecot on this machine, for tests: loopback, free ports, not as root, gone at the end."""

from __future__ import annotations

import imaplib
import os
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

USER = "nobody"  # Dovecot refuses to run its services as root
CONF = """
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
listen = 127.0.0.1
protocols = imap lmtp
ssl = no
disable_plaintext_auth = no
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
first_valid_uid = 1
mail_location = maildir:{base}/mail/%n
mail_max_userip_connections = 50
auth_failure_delay = 0
mail_fsync = never
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service stats {{
  chroot =
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service auth {{
  user = {user}
}}
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={base}/home/%n
}}
namespace inbox {{
  inbox = yes
  mailbox Sent {{
    special_use = \\Sent
    auto = create
  }}
  mailbox Drafts {{
    special_use = \\Drafts
    auto = create
  }}
  mailbox Archive {{
    special_use = \\Archive
    auto = create
  }}
}}
"""


def dovecot_is_there() -> bool:
    """Whether its three packages are installed; each brings one of these."""
    programs = [shutil.which("dovecot", path=_PATH), shutil.which("doveadm", path=_PATH)]
    return all(programs) and all(Path("/usr/lib/dovecot", name).exists() for name in ("imap", "lmtp"))


_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Dovecot:
    """A server; every account exists and has the password ``secret``."""

    def __init__(self) -> None:
        import grp  # noqa: PLC0415 - not on Windows, and neither is Dovecot
        import pwd  # noqa: PLC0415

        root = os.geteuid() == 0
        entry = pwd.getpwnam(USER) if root else pwd.getpwuid(os.geteuid())
        self._as = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []} if root else {}
        self.base = Path(tempfile.mkdtemp(prefix="aie-dovecot-"))
        self.imap_port, self.lmtp_port = free_port(), free_port()
        self._conf = self.base / "dovecot.conf"
        self._conf.write_text(
            CONF.format(
                base=self.base, user=entry.pw_name, group=grp.getgrgid(entry.pw_gid).gr_name, uid=entry.pw_uid,
                gid=entry.pw_gid, imap=self.imap_port, lmtp=self.lmtp_port,
            )
        )  # fmt: skip
        if root:
            os.chown(self.base, entry.pw_uid, entry.pw_gid)
        self._numbers = count(1)

    def __enter__(self) -> Dovecot:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.base, ignore_errors=True)

    def start(self) -> None:
        self._process = subprocess.Popen(
            [shutil.which("dovecot", path=_PATH), "-F", "-c", str(self._conf)], stderr=subprocess.DEVNULL, **self._as
        )
        end = time.monotonic() + 20
        while True:
            try:
                imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=5).shutdown()
                smtplib.LMTP("127.0.0.1", self.lmtp_port).close()
                return
            except OSError:
                log = self.base / "log"
                assert time.monotonic() < end, f"Dovecot does not start: {log.read_text() if log.exists() else ''}"
                time.sleep(0.05)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)

    def account(self) -> Account:
        return Account(self, f"user{next(self._numbers)}")

    def kick(self, name: str) -> None:
        subprocess.run(
            [shutil.which("doveadm", path=_PATH), "-c", str(self._conf), "kick", name],
            check=False, capture_output=True, **self._as,
        )  # fmt: skip


@dataclass(frozen=True)
class Account:
    """One mailbox."""

    server: Dovecot
    name: str
    password: str = "secret"

    @property
    def address(self) -> str:
        return f"{self.name}@example.org"

    @property
    def port(self) -> int:
        return self.server.imap_port

    def deliver(self, *raws: bytes) -> None:
        """As a mail server does."""
        with smtplib.LMTP("127.0.0.1", self.server.lmtp_port) as lmtp:
            for raw in raws:
                lmtp.sendmail("sender@example.com", [self.name], raw)

    def imap(self) -> imaplib.IMAP4:
        """Another client, logged in."""
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=20)
        client.login(self.name, self.password)
        return client

    def append(self, raw: bytes, folder: str = "INBOX", when: str | None = None) -> None:
        client = self.imap()
        assert client.append(folder, None, when, raw)[0] == "OK"
        client.logout()

    def raws(self, folder: str) -> list[bytes]:
        """The mails of a folder."""
        client = self.imap()
        client.select(folder, readonly=True)
        kind, data = client.fetch("1:*", "(BODY.PEEK[])") if client.response("EXISTS")[1] != [b"0"] else ("OK", [])
        assert kind == "OK"
        client.logout()
        return [piece[1] for piece in data if isinstance(piece, tuple)]

    def kick(self) -> None:
        """End all its connections."""
        self.server.kick(self.name)
