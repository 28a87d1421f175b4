"""The nine event types every installation knows: what their data holds, and an example of each.

Every field is optional and more may be there: an event may come from any program, and a workflow asks for what it
needs.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from aie.events import EventType, EventTypeSpec

Number: TypeAlias = int | float | str  # amounts and ids arrive as numbers or as text


class _Data(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)


class EmailData(_Data):
    """A mail that came in."""

    subject: str | None = Field(None, description="The subject line")
    sender: str | None = Field(None, description="The whole From line, for people; match on from_address")
    from_address: str | None = Field(None, description="The sender's bare address")
    from_name: str | None = Field(None, description="The sender's display name; anybody can write anything here")
    to: list[str] | str | None = Field(None, description="Addresses it was sent to")
    cc: list[str] | str | None = Field(None, description="Addresses in copy")
    reply_to: str | None = Field(None, description="Where answers go, if not to the sender")
    date: str | None = Field(None, description="The mail's own Date, ISO 8601; '' or null if it has none")
    received_at: str | None = Field(None, description="When the mailbox received it, ISO 8601")
    body: str | None = Field(None, description="The text of the mail, quoted parts included")
    body_new: str | None = Field(None, description="The text without quoted earlier mails")
    snippet: str | None = Field(None, description="The first words")
    message_id: str | None = Field(None, description="The Message-ID header")
    thread_id: str | None = Field(None, description="The conversation, as the provider names it")
    folder: str | None = Field(None, description="The mailbox folder it is in")
    labels: list[str] | None = Field(None, description="The provider's labels")
    attachments: list[dict[str, Any]] | None = Field(
        None, description="filename, content_type, size_bytes and sha256 of each attachment"
    )
    invite: dict[str, Any] | None = Field(
        None, description="The calendar invitation in it: method, uid, title, start, end"
    )
    suggested_date: str | None = Field(None, description="The date an appointment could be meant for, YYYY-MM-DD")
    suggested_time: str | None = Field(None, description="The time of day with it, HH:MM")
    suggested_end: str | None = Field(None, description="When that ends, HH:MM")
    suggested_phrase: str | None = Field(None, description="The words the suggestion was read from")
    list_id: str | None = Field(None, description="The mailing list it came through")
    auto_submitted: str | None = Field(None, description="Set when a program sent it: never answer those automatically")
    dmarc: str | None = Field(None, description="pass, fail or none: whether the sender's domain vouches for it")


class CalendarData(_Data):
    """A calendar entry that is about to begin."""

    event_type: str | None = Field(None, description="The entry's category, such as linkedin_post or meeting")
    title: str | None = Field(None, description="The entry's title")
    start: str | None = Field(None, description="When it begins, ISO 8601 with offset")
    end: str | None = Field(None, description="When it ends, ISO 8601 with offset")
    all_day: bool | None = Field(None, description="Whether it is a whole day")
    location: str | None = Field(None, description="Where")
    description: str | None = Field(None, description="The entry's text")
    post_content: str | None = Field(None, description="The text to publish, for entries of type linkedin_post")
    image_path: str | None = Field(None, description="A picture to publish with it, relative to the vault")
    calendar: str | None = Field(None, description="The calendar it is in")
    uid: str | None = Field(None, description="The entry's UID")
    attendees: list[str] | None = Field(None, description="Addresses of those invited")
    lead_minutes: Number | None = Field(None, description="How long before its beginning the event was due")
    late: bool | None = Field(None, description="Whether aie noticed it after it was due")


class InvoiceData(_Data):
    """An invoice to a customer."""

    invoice_number: Number | None = Field(None, description="The number it carries")
    customer_id: Number | None = Field(None, description="The customer's id in the accounting system")
    customer_name: str | None = Field(None, description="The customer's name")
    customer_email: str | None = Field(None, description="The customer's address; null if none is known")
    amount: Number | None = Field(None, description="The total, tax included")
    currency: str | None = Field(None, description="The currency, such as EUR")
    invoice_date: str | None = Field(None, description="The invoice's date, YYYY-MM-DD")
    due_date: str | None = Field(None, description="When it is to be paid, YYYY-MM-DD")
    items: list[dict[str, Any]] | None = Field(None, description="name, quantity, price and product_id of each line")
    state: str | None = Field(None, description="draft, posted, cancel")
    company: str | None = Field(None, description="Which of one's own companies issued it")
    link: str | None = Field(None, description="Where a person opens it")


class ExpenseData(_Data):
    """An expense somebody recorded."""

    name: str | None = Field(None, description="What it was for")
    amount: Number | None = Field(None, description="The total, tax included")
    currency: str | None = Field(None, description="The currency, such as EUR")
    date: str | None = Field(None, description="When it was spent, YYYY-MM-DD")
    employee: str | None = Field(None, description="Who spent it")
    employee_id: Number | None = Field(None, description="Their id in the accounting system")
    category: str | None = Field(None, description="The kind of expense")
    payment_mode: str | None = Field(None, description="own_account or company_account")
    state: str | None = Field(None, description="draft, submitted, approved, …")
    expense_id: Number | None = Field(None, description="Its id in the accounting system")
    company: str | None = Field(None, description="Which of one's own companies it is charged to")
    link: str | None = Field(None, description="Where a person opens it")


class LinkedinData(_Data):
    """A post that was published on LinkedIn."""

    post_id: str | None = Field(None, description="The post's URN")
    content: str | None = Field(None, description="The text that was published")
    author: str | None = Field(None, description="The URN of who published it")
    visibility: str | None = Field(None, description="PUBLIC or CONNECTIONS")
    image_path: str | None = Field(None, description="The picture published with it, relative to the vault")
    published_at: str | None = Field(None, description="When, ISO 8601")
    link: str | None = Field(None, description="Where a person opens it")


class FileData(_Data):
    """A file that is new in a watched folder, and complete."""

    file_path: str | None = Field(None, description="The file, relative to the vault")
    file_name: str | None = Field(None, description="Its name with the extension")
    file_type: str | None = Field(None, description="What it is: from its front matter, its name, or its extension")
    extension: str | None = Field(None, description="The extension without the dot, lower case")
    folder: str | None = Field(None, description="The folder, relative to the vault")
    size_bytes: int | None = Field(None, description="Its size")
    created_at: str | None = Field(None, description="When it was created, ISO 8601, as far as the disk knows")
    modified_at: str | None = Field(None, description="When it was last changed, ISO 8601")
    content: str | None = Field(None, description="The text of a note that is not too long")
    front_matter: dict[str, Any] | None = Field(None, description="The note's properties")
    sha256: str | None = Field(None, description="The hex SHA-256 of its content")


class ApprovalData(_Data):
    """A person's decision on a request."""

    approval_id: str | None = Field(None, description="The request")
    approved: bool | None = Field(None, description="true or false; no answer in time is false")
    state: str | None = Field(None, description="approved, rejected or expired")
    edits: list[dict[str, Any]] | None = Field(None, description="What the person changed: field, before, after")
    approval_type: str | None = Field(None, description="The action that was asked for")
    title: str | None = Field(None, description="The request in one line")
    decided_by: str | None = Field(None, description="Who decided")
    channel: str | None = Field(None, description="Where they did: note, cli, …")
    comment: str | None = Field(None, description="What they wrote with it")
    workflow_id: str | None = Field(None, description="The workflow that asked")
    run_id: str | None = Field(None, description="The run that asked")
    step_id: str | None = Field(None, description="The step that asked")
    details: dict[str, Any] | None = Field(None, description="The parameters that were shown")


class ScheduleData(_Data):
    """A time that a schedule was due."""

    trigger_time: str | None = Field(None, description="The time of day, HH:MM, in the schedule's zone")
    date: str | None = Field(None, description="The date, YYYY-MM-DD, in the schedule's zone")
    weekday: str | None = Field(None, description="Monday to Sunday, in the schedule's zone")
    pending_count: int | None = Field(None, description="How many requests wait for a person")
    schedule: str | None = Field(None, description="The schedule's name, or the workflow whose own it is")
    late: bool | None = Field(None, description="Whether it was due more than a minute ago: aie was off")
    due_at: str | None = Field(None, description="The instant it was due, ISO 8601, UTC")


class ManualData(_Data):
    """Whatever the person or workflow that started it gave along."""


_EXAMPLES: tuple[tuple[EventType, type[BaseModel], str, dict[str, Any]], ...] = (
    (
        EventType.EMAIL_RECEIVED,
        EmailData,
        "A mail came in",
        {
            "subject": "Meeting about the spring budget",
            "sender": "Ada Brown <ada@example.com>",
            "from_address": "ada@example.com",
            "from_name": "Ada Brown",
            "to": ["owner@example.org"],
            "cc": [],
            "reply_to": "",
            "date": "2026-02-09T18:29:31+01:00",
            "received_at": "2026-02-09T18:30:00+01:00",
            "body": "Hello,\n\ncould we meet on Thursday at 10:00?\n\nAda\n\n> Shall we talk about the budget?",
            "body_new": "Hello,\n\ncould we meet on Thursday at 10:00?\n\nAda",
            "snippet": "Hello, could we meet on Thursday at 10:00?",
            "message_id": "<20260209182931.1@example.com>",
            "thread_id": "18e5b7a90c1d2f34",
            "folder": "INBOX",
            "labels": ["INBOX", "UNREAD"],
            "attachments": [
                {
                    "filename": "budget.pdf",
                    "content_type": "application/pdf",
                    "size_bytes": 48211,
                    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                }
            ],
            "invite": None,
            "suggested_date": "2026-02-12",
            "suggested_time": "10:00",
            "suggested_end": None,
            "suggested_phrase": "on Thursday at 10:00",
            "list_id": None,
            "auto_submitted": None,
            "dmarc": "pass",
        },
    ),
    (
        EventType.CALENDAR_EVENT,
        CalendarData,
        "A calendar entry is about to begin",
        {
            "event_type": "linkedin_post",
            "title": "LinkedIn: spring opening hours",
            "start": "2026-02-10T09:00:00+01:00",
            "end": "2026-02-10T09:15:00+01:00",
            "all_day": False,
            "location": "",
            "description": "From March on we open at 8.",
            "post_content": "From March on we open at 8.",
            "image_path": "Assets/opening-hours.png",
            "calendar": "Marketing",
            "uid": "7f3c9a52-spring@example.org",
            "attendees": [],
            "lead_minutes": 0,
            "late": False,
        },
    ),
    (
        EventType.INVOICE_CREATED,
        InvoiceData,
        "An invoice was issued",
        {
            "invoice_number": "INV-2026-001",
            "customer_id": 7,
            "customer_name": "Example Ltd",
            "customer_email": "customer@example.com",
            "amount": 5000,
            "currency": "EUR",
            "invoice_date": "2026-02-09",
            "due_date": "2026-03-11",
            "items": [{"name": "Consulting, January", "quantity": 40, "price": 125, "product_id": 12}],
            "state": "posted",
            "company": "My Company",
            "link": "https://odoo.example.org/mail/view?model=account.move&res_id=18",
        },
    ),
    (
        EventType.EXPENSE_RECORDED,
        ExpenseData,
        "An expense was recorded",
        {
            "name": "Team lunch",
            "amount": 620,
            "currency": "EUR",
            "date": "2026-02-09",
            "employee": "Sam Reed",
            "employee_id": 4,
            "category": "Meals",
            "payment_mode": "own_account",
            "state": "submitted",
            "expense_id": 2041,
            "company": "My Company",
            "link": "https://odoo.example.org/mail/view?model=hr.expense&res_id=2041",
        },
    ),
    (
        EventType.LINKEDIN_POST,
        LinkedinData,
        "A post was published on LinkedIn",
        {
            "post_id": "urn:li:share:7141138937766391808",
            "content": "From March on we open at 8.",
            "author": "urn:li:person:a1B2c3D4e5",
            "visibility": "PUBLIC",
            "image_path": "Assets/opening-hours.png",
            "published_at": "2026-02-10T09:02:11+01:00",
            "link": "https://www.linkedin.com/feed/update/urn:li:share:7141138937766391808",
        },
    ),
    (
        EventType.FILE_ADDED,
        FileData,
        "A file is new in the vault",
        {
            "file_path": "Inbox/INVOICE_example-ltd.md",
            "file_name": "INVOICE_example-ltd.md",
            "file_type": "invoice",
            "extension": "md",
            "folder": "Inbox",
            "size_bytes": 61,
            "created_at": "2026-02-09T18:30:00+01:00",
            "modified_at": "2026-02-09T18:30:00+01:00",
            "content": "---\ncustomer: Example Ltd\namount: 5000\n---\nConsulting, January\n",
            "front_matter": {"customer": "Example Ltd", "amount": 5000},
            "sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
        },
    ),
    (
        EventType.APPROVAL_RECEIVED,
        ApprovalData,
        "A person decided on a request",
        {
            "approval_id": "apr_01kh2v9c8x4m7q5tz",
            "approved": True,
            "state": "approved",
            "edits": [],
            "approval_type": "send_email",
            "title": "Invoice INV-2026-001 - $5000",
            "decided_by": "owner",
            "channel": "note",
            "comment": "",
            "workflow_id": "invoice_to_email",
            "run_id": "run_01kh2v9bq0e6n3rws",
            "step_id": "action_1",
            "details": {"to": "customer@example.com", "subject": "Invoice INV-2026-001 - $5000"},
        },
    ),
    (
        EventType.SCHEDULED_TRIGGER,
        ScheduleData,
        "A schedule was due",
        {
            "trigger_time": "08:00",
            "date": "2026-02-09",
            "weekday": "Monday",
            "pending_count": 3,
            "schedule": "morning",
            "late": False,
            "due_at": "2026-02-09T07:00:00+00:00",
        },
    ),
    (
        EventType.MANUAL_TRIGGER,
        ManualData,
        "A person or another workflow started it",
        {"reason": "month end", "customer_id": 7},
    ),
)


def event_types() -> tuple[EventTypeSpec, ...]:
    """The nine, in the order of :class:`~aie.events.EventType`."""
    return tuple(EventTypeSpec(kind.value, model, example, summary) for kind, model, summary, example in _EXAMPLES)
