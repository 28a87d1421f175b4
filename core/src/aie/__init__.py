"""aie: workflows for small businesses that survive crashes and ask a person before anything leaves the house.

The names below are the whole public surface. They are imported when first used, so that a command that needs none of
them starts fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aie.actions import ActionContext, ActionHandler, Effect, LookUp, Outcome
    from aie.approvals import ApprovalChannel
    from aie.errors import ActionError, RetryableError, UncertainError
    from aie.events import Event, EventType, EventTypeSpec
    from aie.hookspecs import hookimpl
    from aie.orchestrator import AsyncOrchestrator
    from aie.records import AuditSink
    from aie.sources import EventSource
    from aie.workflow_orchestrator import WorkflowOrchestrator

_HOMES = {
    "ActionContext": "actions",
    "ActionError": "errors",
    "ActionHandler": "actions",
    "ApprovalChannel": "approvals",
    "AsyncOrchestrator": "orchestrator",
    "AuditSink": "records",
    "Effect": "actions",
    "Event": "events",
    "EventSource": "sources",
    "EventType": "events",
    "EventTypeSpec": "events",
    "LookUp": "actions",
    "Outcome": "actions",
    "RetryableError": "errors",
    "UncertainError": "errors",
    "WorkflowOrchestrator": "workflow_orchestrator",
    "hookimpl": "hookspecs",
}

__all__ = [
    "ActionContext",
    "ActionError",
    "ActionHandler",
    "ApprovalChannel",
    "AsyncOrchestrator",
    "AuditSink",
    "Effect",
    "Event",
    "EventSource",
    "EventType",
    "EventTypeSpec",
    "LookUp",
    "Outcome",
    "RetryableError",
    "UncertainError",
    "WorkflowOrchestrator",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'aie' has no attribute {name!r}")
    return getattr(importlib.import_module(f"aie.{_HOMES[name]}"), name)
