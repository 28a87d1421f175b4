"""The actions: sending, drafting, answering, and putting mails away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from aie.actions import ActionContext, ActionHandler, Effect, LookUp
from aie.errors import ActionError, AieError, ConfigError, ParameterError
from aie.files import Files
from aie.plain import Json
from aie.touches import Touches
from aie_gmail import outgoing
from aie_gmail.addresses import same
from aie_gmail.charsets import one_line
from aie_gmail.contacts import Contacts
from aie_gmail.outgoing import Outgoing
from aie_gmail.settings import GmailSettings
from aie_gmail.transport import Access, Change, Transport

MAX_QUOTE = 10_000
ATTACHED = "the files a workflow attaches"
ANSWERED = {  # of an example
    "from_address": "ada@example.com",
    "sender": "Ada Brown <ada@example.com>",
    "subject": "Tuesday?",
    "message_id": "<1@example.com>",
    "body_new": "Does Tuesday suit you?",
}
Email = Mapping[str, Any]


def _checked(value: str | list[str], name: str) -> str | list[str]:
    try:
        outgoing.recipients(value, name)
    except ParameterError as error:
        raise ValueError(str(error)) from None
    return value


def _wanted(value: str | list[str]) -> str | list[str]:
    if not outgoing.recipients(_checked(value, "to"), "to"):
        raise ValueError("to is empty: write at least one address")
    return value


To = Annotated[str | list[str], AfterValidator(_wanted)]
Others = Annotated[str | list[str], AfterValidator(lambda value: _checked(value, "cc and bcc"))]


class _Params(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Envelope(_Params):
    to: To = Field(description="who gets it: an address, several with commas, or a list", examples=["ada@example.com"])
    cc: Others = Field(default=[], description="who gets a copy")
    bcc: Others = Field(default=[], description="who gets a copy that the others do not see")
    subject: str = Field(description="what it is about", examples=["Invoice INV-2026-001"])


class _Letter(_Params):
    body: str = Field(description="the text; Markdown becomes plain text and HTML", examples=["Good day,\n\n…"])
    html: str | None = Field(default=None, description="the HTML part, instead of the one made of the text")
    priority: Literal["low", "normal", "high"] = Field(default="normal", description="how urgent it is marked")
    attachments: list[str] = Field(default=[], description="files of the vault", examples=[["Invoices/2026-001.pdf"]])


class SendEmail(_Letter, _Envelope):
    """A mail."""

    reply_to_event: bool = Field(
        default=False, description="whether it belongs to the conversation of the mail that started the run"
    )


class ReplyToEmail(_Letter):
    """An answer to a mail, in its conversation."""

    email: dict[str, Any] | None = Field(
        default=None, description="the mail, as email_received tells of it; the one that started the run when left out"
    )
    reply_all: bool = Field(default=False, description="whether everybody who got the mail gets the answer")
    quote: bool = Field(default=True, description="whether the mail is quoted below the answer")


class OnEmail(_Params):
    """A mail in the mailbox."""

    email: dict[str, Any] | None = Field(
        default=None, description="the mail, as email_received tells of it; the one that started the run when left out"
    )


class LabelEmail(OnEmail):
    """A label on a mail."""

    label: str = Field(
        description="the label; it is made if there is none", examples=["Invoices"], min_length=1, max_length=200
    )
    remove: bool = Field(default=False, description="take it off instead")


class Sent(BaseModel):
    """What is known of a mail that was sent."""

    model_config = ConfigDict(extra="allow")

    message_id: str = Field(description="its Message-ID")
    to: list[str] = Field(default=[], description="who it went to")
    subject: str = Field(default="", description="what it is about")


class Changed(BaseModel):
    """Where the mail is: by IMAP its folder and uid, by Google's API its id."""

    model_config = ConfigDict(extra="allow")

    folder: str | None = Field(default=None, description="the folder it was found in, by IMAP")
    uid: int | None = Field(default=None, description="its number in that folder")
    provider_id: str | None = Field(default=None, description="its id, by Google's API")
    labels: list[str] | None = Field(default=None, description="its labels from now on, by Google's API")


@dataclass(frozen=True, slots=True)
class Mailing:
    """Builds mails from parameters, and hands them to the mailbox."""

    settings: GmailSettings
    transport: Callable[[GmailSettings], Transport]
    files: Files

    async def send(self, params: SendEmail | ReplyToEmail, context: ActionContext) -> dict[str, Any]:
        if isinstance(params, ReplyToEmail):
            _refuse_machines(_email(params.email, context), context)
        mail = await asyncio.to_thread(self.mail, params, context)
        result = await self.transport(self.settings).send(mail, _access(context))
        return {**result, "to": list(mail.recipients), "subject": mail.subject}

    async def look_up(self, params: SendEmail | ReplyToEmail, context: ActionContext) -> LookUp:
        mail = await asyncio.to_thread(self.mail, params, context)
        found = await self.transport(self.settings).look_for_sent(mail, _access(context))
        if not found.happened or not isinstance(found.result, dict):
            return found
        return LookUp(True, {**found.result, "to": list(mail.recipients), "subject": mail.subject})

    async def draft(self, params: SendEmail, context: ActionContext) -> dict[str, Any]:
        mail = await asyncio.to_thread(self.mail, params, context)
        result = await self.transport(self.settings).draft(mail, _access(context))
        return {**result, "to": list(mail.recipients), "subject": mail.subject}

    def preview(self, params: SendEmail | ReplyToEmail, context: ActionContext) -> str:
        """The mail as it will go out."""
        mail = self.mail(params, context)
        lines = [
            ("From", mail.sender),
            ("To", ", ".join(mail.to)),
            ("Cc", ", ".join(mail.cc)),
            ("Bcc", ", ".join(mail.bcc)),
        ]
        lines += [("Subject", mail.subject), ("Priority", "" if mail.priority == "normal" else mail.priority)]
        lines += [("Attachment", f"{one.name}, {len(one.content)} bytes") for one in mail.enclosures]
        if params.html:
            lines.append(("Note", "the HTML part is not made of this text; it is shown among the parameters"))
        return "".join(f"- {name}: {value}\n" for name, value in lines if value) + f"\n{mail.text}"

    def facts(self, params: SendEmail | ReplyToEmail, context: ActionContext) -> Mapping[str, Json]:
        """What rules in ``aie.toml`` may ask: who it goes to, whether they are known, whether it is an answer."""
        try:
            people = self._people(params, context)
        except AieError:
            return {"known_contact": False, "is_reply": False}
        everybody = [*people.to, *people.cc, *people.bcc]
        unknown = Contacts(self.settings, context.vault, context.cache_dir).unknown(everybody)
        email = _event_email(context) or {}
        asker = str(email.get("from_address") or "")
        return {
            "recipients": list[Json](everybody),
            "recipient_count": len(everybody),
            "recipient_domains": list[Json](sorted({one.rpartition("@")[2] for one in everybody})),
            "known_contact": bool(everybody) and not unknown,
            "unknown_recipients": list[Json](unknown),
            "is_reply": bool(everybody) and all(same(one, asker) for one in everybody),
            "sender_verified": email.get("dmarc") == "pass",
            "attachment_count": len(params.attachments),
        }

    def mail(self, params: SendEmail | ReplyToEmail, context: ActionContext) -> Outgoing:
        """The mail; ActionError or ParameterError when it cannot be built."""
        if not self.settings.address:
            raise ConfigError(
                "nobody has said which address mail is sent from", where="gmail", hint="aie connect gmail"
            )
        people = self._people(params, context)
        email = people.answers
        quoted = _quote(email) if isinstance(params, ReplyToEmail) and params.quote and email else ""
        text, html = outgoing.bodies(params.body, params.html, quoted)
        message_id = one_line(str((email or {}).get("message_id") or ""))
        return Outgoing(
            mark=outgoing.mark_of(context.idempotency_key),
            sender=outgoing.recipients(self.settings.address, "address")[0],
            sender_name=self.settings.from_name,
            to=people.to,
            cc=people.cc,
            bcc=people.bcc,
            subject=people.subject,
            text=text,
            html=html,
            date=_sent_at(context),
            priority=params.priority,
            enclosures=outgoing.enclosures(params.attachments, context.vault, self.files),
            in_reply_to=message_id,
            references=(*_list((email or {}).get("references")), message_id) if message_id else (),
            thread_id=str((email or {}).get("thread_id") or ""),
        )

    def _people(self, params: SendEmail | ReplyToEmail, context: ActionContext) -> _People:
        if isinstance(params, SendEmail):
            return _People(
                outgoing.recipients(params.to, "to"),
                outgoing.recipients(params.cc, "cc"),
                outgoing.recipients(params.bcc, "bcc"),
                outgoing.subject_line(params.subject),
                _email(None, context) if params.reply_to_event else None,
            )
        email = _email(params.email, context)
        to = outgoing.recipients(str(email.get("reply_to") or email.get("from_address") or ""), "to")
        if not to:
            raise ActionError("the mail has no sender that can be answered", where="email")
        others: list[str] = [*_list(email.get("to")), *_list(email.get("cc"))] if params.reply_all else []
        copies = [
            one for one in outgoing.recipients(others, "cc") if not same(one, self.settings.address) and one not in to
        ]
        subject = outgoing.subject_line(str(email.get("subject") or ""))
        answered = subject if subject.lower().startswith(("re:", "aw:", "sv:")) else f"Re: {subject}"
        return _People(to, tuple(copies), (), answered, email)


@dataclass(frozen=True, slots=True)
class _People:
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    subject: str
    answers: Email | None  # the mail this answers


@dataclass(frozen=True, slots=True)
class Tidying:
    """Changes mails in one's own mailbox."""

    settings: GmailSettings
    transport: Callable[[GmailSettings], Transport]

    def doing(self, change: Callable[[Any], Change]) -> Callable[[Any, ActionContext], Awaitable[dict[str, Any]]]:
        """A handler that makes this change."""

        async def run(params: OnEmail, context: ActionContext) -> dict[str, Any]:
            return await self.transport(self.settings).change(
                _email(params.email, context), change(params), _access(context)
            )

        return run


def action_handlers(
    settings: GmailSettings, transport: Callable[[GmailSettings], Transport], files: Files
) -> list[ActionHandler]:
    """All six."""
    mailing, tidying = Mailing(settings, transport, files), Tidying(settings, transport)

    def tidy(
        name: str, params: type[BaseModel], change: Callable[[Any], Change], summary: str, **example: Any
    ) -> ActionHandler:
        run = tidying.doing(change)
        example = {"email": {"message_id": "<1@example.com>"}, **example}
        return ActionHandler(
            name, params, run, summary, Changed, Effect.EXTERNAL, repeatable=True, asks=False, touches=settings.servers,
            example=example,
        )  # fmt: skip

    def label(params: LabelEmail) -> Change:
        return Change(remove_label=params.label) if params.remove else Change(add_label=params.label)

    send_email = ActionHandler(
        name="send_email",
        params=SendEmail,
        run=mailing.send,
        summary="send a mail, once it was approved",
        example={"to": "customer@example.com", "subject": "Invoice INV-2026-001", "body": "Good day,\n\nhere it is."},
        result=Sent,
        effect=Effect.EXTERNAL,
        look_up=mailing.look_up,
        note_kind="EMAIL",
        title_field="subject",
        body_field="body",
        preview=mailing.preview,
        facts=mailing.facts,
        touches=settings.servers | Touches(folders=tuple(filter(None, [ATTACHED, settings.contact_notes]))),
    )
    return [
        send_email,
        replace(
            send_email,
            name="reply_to_email",
            params=ReplyToEmail,
            summary="answer a mail in its conversation, once it was approved",
            example={"body": "Thank you, Tuesday it is.", "email": ANSWERED},
            title_field=None,
            locked_fields=frozenset({"email", "reply_all"}),
        ),
        replace(
            send_email,
            name="create_draft",
            run=mailing.draft,
            summary="put a mail among the drafts of the mailbox",
            repeatable=True,
            look_up=None,
            asks=False,
        ),
        tidy("label_email", LabelEmail, label, "put a label on a mail, or take it off", label="Invoices"),
        tidy("archive_email", OnEmail, lambda _: Change(archive=True), "move a mail out of the inbox"),
        tidy("mark_read", OnEmail, lambda _: Change(read=True), "mark a mail as read"),
    ]


def _access(context: ActionContext) -> Access:
    return Access(context.credentials, context.timeout_s, context.log)


def _event_email(context: ActionContext) -> Email | None:
    """The mail that started the run; None if something else did."""
    data = context.event.get("data")
    if context.event.get("event_type") != "email_received" or not isinstance(data, Mapping):
        return None
    return data


def _email(given: Email | None, context: ActionContext) -> Email:
    email = given if given is not None else _event_email(context)
    if email is None:
        raise ActionError(
            "no mail started this run, so there is none to act on",
            where="email",
            hint='start the workflow with email_received, or hand one over: "email": "{{ event.data }}"',
        )
    return email


def _refuse_machines(email: Email, context: ActionContext) -> None:
    """A program does not answer a program: two that do write to each other for ever (RFC 3834)."""
    why = email.get("auto_submitted") or (email.get("list_id") and "a mailing list")
    if why and not (context.approval or {}).get("approved"):
        raise ActionError(
            f"the mail was not written by a person ({why}), and is not answered without anybody's approval",
            where="email",
            hint="let the step ask first, or leave such mails out by a condition: event.data.auto_submitted is None",
        )


def _quote(email: Email) -> str:
    """The mail below the answer, with its first line."""
    said = str(email.get("body_new") or email.get("body") or "")[:MAX_QUOTE]
    when = str(email.get("date") or email.get("received_at") or "")[:16].replace("T", " ")
    return f"{when}, {email.get('sender') or email.get('from_address')}:\n{said}" if said else ""


def _list(value: Any) -> list[str]:
    return [one_line(str(one)) for one in ([value] if isinstance(value, str) else value or ())]


def _sent_at(context: ActionContext) -> datetime:
    """When a person agreed to it, else when its turn came: a mail that waited for days is not days old."""
    decided_at = (context.approval or {}).get("decided_at")
    moment = datetime.fromisoformat(decided_at) if isinstance(decided_at, str) else context.now
    return moment.astimezone(context.timezone)
