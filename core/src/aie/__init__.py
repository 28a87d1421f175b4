"""aie: workflows for small businesses that survive crashes and ask a person before anything leaves the house.

The names in ``__all__`` are what a plugin and a script import from here; docs/plugins.md lists the modules that have
the rest of what they may rely on. All else may change with any release. Names are imported when first used, so that a
command that needs none of them starts fast. One that moved can be had here for a release more, with a warning.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aie.actions import ActionContext, ActionHandler, Effect, LookUp
    from aie.errors import ActionError, RetryableError
    from aie.events import Event, EventType, EventTypeSpec
    from aie.hookspecs import hookimpl
    from aie.orchestrator import AsyncOrchestrator, WorkflowOrchestrator
    from aie.sources import EventSource

_HOMES = {
    "ActionContext": "actions",
    "ActionError": "errors",
    "ActionHandler": "actions",
    "AsyncOrchestrator": "orchestrator",
    "Effect": "actions",
    "Event": "events",
    "EventSource": "sources",
    "EventType": "events",
    "EventTypeSpec": "events",
    "LookUp": "actions",
    "RetryableError": "errors",
    "WorkflowOrchestrator": "orchestrator",
    "hookimpl": "hookspecs",
}
_MOVED = {  # name: (module of aie where it is now, release in which it can no longer be had here)
    "ApprovalChannel": ("approvals", "0.2"),
    "AuditSink": ("records", "0.2"),
    "Outcome": ("actions", "0.2"),
    "UncertainError": ("errors", "0.2"),
}

__all__ = [
    "ActionContext",
    "ActionError",
    "ActionHandler",
    "AsyncOrchestrator",
    "Effect",
    "Event",
    "EventSource",
    "EventType",
    "EventTypeSpec",
    "LookUp",
    "RetryableError",
    "WorkflowOrchestrator",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    if name in _MOVED:
        module, release = _MOVED[name]
        text = f"aie.{name} goes with release {release}: import it from aie.{module}"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        return getattr(importlib.import_module(f"aie.{module}"), name)
    if name not in _HOMES:
        raise AttributeError(f"module 'aie' has no attribute {name!r}")
    return getattr(importlib.import_module(f"aie.{_HOMES[name]}"), name)
