"""What the vault plugin offers."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from aie.actions import ActionHandler
from aie.approvals import ApprovalChannel
from aie.connections import Inspection
from aie.files import Files
from aie.hookspecs import hookimpl
from aie.records import AuditSink
from aie.sources import EventSource
from aie_vault.actions import create_file
from aie_vault.approval_notes import note_channel
from aie_vault.failures import failure_notes
from aie_vault.inspection import note_inspection
from aie_vault.moving import move_file
from aie_vault.notices import notice_channel
from aie_vault.notifications import send_notification
from aie_vault.settings import VaultSettings
from aie_vault.source import file_source
from aie_vault.waiting import waiting_channel

AIE_API_VERSION = 1


@hookimpl
def aie_settings() -> type[BaseModel]:
    return VaultSettings


@hookimpl
def aie_event_sources(settings: VaultSettings) -> Sequence[EventSource]:
    return [file_source(settings)]


@hookimpl
def aie_action_handlers(settings: VaultSettings) -> Sequence[ActionHandler]:
    files = Files()
    return [create_file(settings, files), move_file(settings, files), send_notification(settings, files)]


@hookimpl
def aie_approval_channels(settings: VaultSettings) -> Sequence[ApprovalChannel]:
    files = Files()
    return [note_channel(settings, files), notice_channel(settings, files), waiting_channel(settings, files)]


@hookimpl
def aie_inspections(settings: VaultSettings) -> Sequence[Inspection]:
    return [note_inspection(settings, Files())]


@hookimpl
def aie_audit_sinks(settings: VaultSettings) -> Sequence[AuditSink]:
    return [failure_notes(settings, Files())]
