"""What the gmail plugin offers."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from aie.actions import ActionHandler
from aie.approvals import ApprovalChannel
from aie.connections import Connection
from aie.events import EventTypeSpec
from aie.files import Files
from aie.hookspecs import hookimpl
from aie.sources import EventSource
from aie_gmail import arrivals
from aie_gmail.actions import action_handlers
from aie_gmail.approval_mail import mail_channel
from aie_gmail.connecting import connection
from aie_gmail.settings import GmailSettings
from aie_gmail.source import inbox
from aie_gmail.transport import Transport

AIE_API_VERSION = 1


@hookimpl
def aie_settings() -> type[BaseModel]:
    return GmailSettings


@hookimpl
def aie_event_types() -> Sequence[EventTypeSpec]:
    return arrivals.event_types()


@hookimpl
def aie_event_sources(settings: GmailSettings) -> Sequence[EventSource]:
    return [inbox(settings)] if settings.watch and settings.address else []


@hookimpl
def aie_action_handlers(settings: GmailSettings) -> Sequence[ActionHandler]:
    return action_handlers(settings, _mailbox, Files())


@hookimpl
def aie_connections(settings: GmailSettings) -> Sequence[Connection]:
    return [connection(settings)]


@hookimpl
def aie_approval_channels(settings: GmailSettings) -> Sequence[ApprovalChannel]:
    return [mail_channel(settings, _mailbox)] if settings.approve_by_mail is not None and settings.address else []


def _mailbox(settings: GmailSettings) -> Transport:
    # Only one of the two is needed, and what they are made with takes a while to import.
    if settings.transport == "gmail_api":
        from aie_gmail.over_api import OverApi  # noqa: PLC0415

        return OverApi(settings)
    from aie_gmail.over_imap import OverImap  # noqa: PLC0415

    return OverImap(settings)
