"""The table ``[plugins.gmail]`` of ``aie.toml``."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from aie.errors import ParameterError
from aie.paths import PROTECTED, path_parts
from aie.touches import Touches
from aie_gmail.addresses import normal

Security = Literal["tls", "starttls", "none"]
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _folder(text: str) -> str:
    try:
        return "/".join(path_parts(text)) if text else ""
    except ParameterError as error:
        raise ValueError(f"{error}; {error.hint}") from None


def _address(text: str) -> str:
    if text and not normal(text):
        raise ValueError(f"{text!r} is not a mail address, such as me@example.com")
    return normal(text)


def _contact(text: str) -> str:
    if not normal(text) and not re.fullmatch(r"@[a-z0-9.-]+", text.lower()):
        raise ValueError(f"{text!r} is neither an address, such as ada@example.com, nor a domain, such as @example.com")
    return text.lower()


VaultFolder = Annotated[str, AfterValidator(_folder)]
MailAddress = Annotated[str, AfterValidator(_address)]
Contact = Annotated[str, AfterValidator(_contact)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ApproveByMail(_Table):
    """Requests sent to the owner by mail, decided by an answer with a code. It needs a ``trusted_host``."""

    to: MailAddress = Field(description="where requests are sent", examples=["owner@example.org"])
    accept_from: list[MailAddress] = Field(
        default=[], description="whose answers count; only that of `to` when left out", examples=[["owner@example.org"]]
    )
    interval_s: float = Field(default=30, ge=1, le=3600, description="seconds between two looks for answers")

    @property
    def deciders(self) -> tuple[str, ...]:
        return tuple(self.accept_from) or (self.to,)


class GmailSettings(_Table):
    """The mailbox, how it is reached, and what is made of what comes in. ``aie connect gmail`` sets the first ones."""

    transport: Literal["imap", "gmail_api"] = Field(
        default="imap", description="imap: IMAP and SMTP with a password, any provider; gmail_api: Google's own API"
    )
    address: MailAddress = Field(default="", description="your own address, which mail is sent from")
    from_name: str = Field(default="", description="the name beside it", examples=["Example Ltd"])
    user: str = Field(default="", description="the login name, where it is not the address")
    password: SecretStr | None = Field(default=None, description="only as the variable AIE_GMAIL__PASSWORD")

    imap_host: str = Field(default="imap.gmail.com", description="the server that mail is read from")
    imap_port: int = Field(default=993, ge=1, le=65535, description="its port")
    imap_security: Security = Field(default="tls", description="none is for a server on this machine only")
    smtp_host: str = Field(default="smtp.gmail.com", description="the server that mail is sent through")
    smtp_port: int = Field(default=465, ge=1, le=65535, description="its port")
    smtp_security: Security = Field(default="tls", description="none is for a server on this machine only")
    timeout_s: float = Field(default=60, gt=0, le=600, description="the longest wait for an answer of a server")
    sent_copy: Literal["auto", "server", "append"] = Field(
        default="auto",
        description="who files sent mail: the server by itself, or aie; auto: Google's and Microsoft's servers do",
    )

    sent_shows_up_s: float = Field(
        default=120,
        ge=0,
        le=3600,
        description="seconds until sent mail is among the sent ones, where the server files it",
    )

    api_url: str = Field(default="https://gmail.googleapis.com/gmail/v1/users/me", description="Gmail's API")
    authorize_url: str = Field(default="https://accounts.google.com/o/oauth2/v2/auth", description="Google's consent")
    token_url: str = Field(default="https://oauth2.googleapis.com/token", description="Google's tokens")

    watch: bool = Field(default=True, description="whether new mail becomes email_received events")
    folder: str = Field(default="INBOX", description="the folder that is watched")
    backfill: int = Field(
        default=0, ge=0, le=10_000, description="on the first start, how many old mails become events"
    )
    poll_interval_s: float = Field(default=60, ge=1, le=3600, description="seconds between two looks, without IDLE")
    idle: bool = Field(default=True, description="let the server tell of new mail, where it can")
    max_message_bytes: int = Field(
        default=25_000_000, ge=10_000, le=100_000_000, description="of larger mails only the beginning is read"
    )
    attachments: VaultFolder = Field(default="Attachments", description="where attachments are saved; '' saves none")
    max_attachments_bytes: int = Field(default=25_000_000, ge=0, description="the most that is saved of one mail")
    day_first: bool = Field(default=True, description="whether 3/4 is the third of April")
    trusted_host: str = Field(
        default="",
        description="the name your provider signs Authentication-Results with; Google's is known",
        examples=["mx.google.com"],
    )

    contacts: list[Contact] = Field(
        default=[], description="known contacts: addresses and @domains", examples=[["ada@example.com", "@example.org"]]
    )
    contact_notes: VaultFolder = Field(
        default="", description="a folder of notes; every address in them is a known contact", examples=["People"]
    )
    contacts_from_sent: bool = Field(default=False, description="whether everyone ever written to is a known contact")

    approve_by_mail: ApproveByMail | None = Field(
        default=None, description="decide requests by mail; off when left out"
    )

    @model_validator(mode="after")
    def _safe(self) -> Self:
        for kind in ("imap", "smtp"):
            if getattr(self, f"{kind}_security") == "none" and getattr(self, f"{kind}_host") not in LOOPBACK:
                raise ValueError(f"{kind}_security 'none' would send the password readable for all; use 'starttls'")
        if self.attachments.split("/")[0].casefold() in {name.casefold() for name in PROTECTED}:
            raise ValueError(f"attachments cannot be saved in {self.attachments!r}, which is aie's own folder")
        if self.approve_by_mail is not None and not self.receiving_host:
            raise ValueError("approve_by_mail needs trusted_host: without it nobody can tell who an answer is from")
        return self

    @property
    def servers(self) -> Touches:
        """Where the mailbox is."""
        if self.transport == "imap":
            return Touches.at(self.imap_host, self.smtp_host)
        return Touches.at(self.api_url, self.token_url)

    @property
    def login(self) -> str:
        return self.user or self.address

    @property
    def at_google(self) -> bool:
        return self.transport == "gmail_api" or self.imap_host.endswith((".gmail.com", ".googlemail.com"))

    @property
    def receiving_host(self) -> str:
        """Whose Authentication-Results are believed."""
        return self.trusted_host or ("mx.google.com" if self.at_google else "")

    @property
    def server_files_sent(self) -> bool:
        """Whether mail that was sent turns up in the Sent folder by itself."""
        if self.sent_copy != "auto":
            return self.sent_copy == "server"
        return self.smtp_host.endswith((".gmail.com", ".googlemail.com", ".office365.com", ".outlook.com"))
