"""The hooks a plugin may implement. All are optional; each answers only, without files, network or threads.

They are called once per process, after the plugin was imported, each plugin on its own: what one raises marks that
plugin as broken and touches no other.

A plugin says which version of this it is built for with ``AIE_API_VERSION = 1`` beside its hooks; without it that is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import pluggy
from pydantic import BaseModel

from aie.actions import ActionHandler
from aie.approvals import ApprovalChannel
from aie.connections import Connection, Inspection
from aie.events import EventTypeSpec
from aie.records import AuditSink
from aie.sources import EventSource

PROJECT = "aie"
API_VERSION = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def aie_settings() -> type[BaseModel]:  # type: ignore[empty-body]
    """The model of the plugin's table ``[plugins.NAME]`` in ``aie.toml``; called before every other hook.

    Without it the table must be empty, and the other hooks get ``settings=None``.
    """


@hookspec
def aie_event_types() -> Sequence[EventTypeSpec]:  # type: ignore[empty-body]
    """The event types this plugin adds, each with a model of its data and an example."""


@hookspec
def aie_event_sources(settings: Any) -> Sequence[EventSource]:  # type: ignore[empty-body]
    """The sources that watch something with these settings; they run while ``aie start`` does."""


@hookspec
def aie_action_handlers(settings: Any) -> Sequence[ActionHandler]:  # type: ignore[empty-body]
    """The actions workflows may use, as ``NAME`` or, when two plugins offer it, ``PLUGIN.NAME``."""


@hookspec
def aie_audit_sinks(settings: Any) -> Sequence[AuditSink]:  # type: ignore[empty-body]
    """The consumers of audit records."""


@hookspec
def aie_approval_channels(settings: Any) -> Sequence[ApprovalChannel]:  # type: ignore[empty-body]
    """The views in which a person sees requests and answers them."""


@hookspec
def aie_connections(settings: Any) -> Sequence[Connection]:  # type: ignore[empty-body]
    """The accounts this plugin needs access to, which ``aie connect NAME`` makes and ``aie doctor`` looks at."""


@hookspec
def aie_inspections(settings: Any) -> Sequence[Inspection]:  # type: ignore[empty-body]
    """What else of this plugin ``aie doctor`` looks at, such as the state of its folders."""


@hookspec
def aie_cli() -> click.Command:  # type: ignore[empty-body]
    """A command (or group) that ``aie PLUGIN …`` runs; called only when somebody asks for it."""
