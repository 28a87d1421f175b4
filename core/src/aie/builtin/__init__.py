"""Core's own plugin: the event types, actions, schedule and records that every installation has.

It enters by the entry point everybody's plugins use, so that the hooks are in use wherever aie is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from aie.actions import ActionHandler
from aie.builtin import event_types, flow, schedule, scripts, sinks
from aie.builtin.settings import CoreSettings
from aie.events import EventTypeSpec
from aie.hookspecs import hookimpl
from aie.records import AuditSink
from aie.sources import EventSource


@hookimpl
def aie_settings() -> type[BaseModel]:
    return CoreSettings


@hookimpl
def aie_event_types() -> Sequence[EventTypeSpec]:
    return event_types.event_types()


@hookimpl
def aie_event_sources(settings: Any) -> Sequence[EventSource]:
    return (schedule.source(settings),)


@hookimpl
def aie_action_handlers(settings: Any) -> Sequence[ActionHandler]:
    return (flow.WAIT, flow.REQUEST_APPROVAL, flow.RUN_WORKFLOW, flow.EMIT_EVENT, scripts.RUN_SCRIPT)


@hookimpl
def aie_audit_sinks(settings: Any) -> Sequence[AuditSink]:
    return (sinks.log_file(), sinks.audit_file()) if settings is None or settings.logs else ()
