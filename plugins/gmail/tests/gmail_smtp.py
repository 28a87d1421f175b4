"""A real SMTP server on this machine (aiosmtpd) that takes mail, or refuses it the ways real ones do."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult


class SmtpSink:
    """Accepts mail for anybody who logs in with ``secret``; what it took is in ``taken``, in order.

    ``refuse`` has answers by recipient, ``answers`` those to come for DATA, ``delay_s`` how long it keeps silent after
    it took a mail, ``on_taken`` is called with each in the server's own thread.
    """

    def __init__(self, *, size_limit: int | None = None, login_answer: str | None = None) -> None:
        self.taken: list[tuple[str, list[str], bytes]] = []
        self.refuse: dict[str, str] = {}
        self.answers: list[str] = []
        self.delay_s = 0.0
        self.on_taken: Callable[[bytes], None] = lambda _: None
        self.login_answer = login_answer
        self.logins: list[str] = []
        self.hesitates: threading.Event | None = None  # set when asked for a recipient, which it then never answers
        self.arrived = threading.Event()
        self.port = _free_port()  # the controller cannot tell which one it got
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, authenticator=self._authenticate, auth_require_tls=False,
            data_size_limit=size_limit or 33_554_432, enable_SMTPUTF8=False,
        )  # fmt: skip

    def __enter__(self) -> SmtpSink:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    @property
    def settings(self) -> dict[str, Any]:
        """What ``[plugins.gmail]`` says of it."""
        return {"smtp_host": "127.0.0.1", "smtp_port": self.port, "smtp_security": "none"}

    @property
    def mails(self) -> list[EmailMessage]:
        return [message_from_bytes(raw.replace(b"\r\n", b"\n"), policy=policy.default) for _, _, raw in self.taken]  # type: ignore[misc]

    def _authenticate(self, server: SMTP, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.logins.append(data.login.decode())
        if data.password == b"secret" and self.login_answer is None:
            return AuthResult(success=True)
        return AuthResult(success=False, handled=False, message=self.login_answer)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.hesitates is not None:
            self.hesitates.set()
            await asyncio.sleep(60)
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802 - as above
        if self.answers:
            answer = self.answers.pop(0)
            if not answer.startswith("250"):
                return answer
        self.taken.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.original_content))
        self.on_taken(envelope.original_content)
        self.arrived.set()
        await asyncio.sleep(self.delay_s)
        return "250 2.0.0 taken"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
