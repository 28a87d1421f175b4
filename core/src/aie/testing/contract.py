"""The contract that every plugin keeps, as one call."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from aie.builtin import aie_action_handlers
from aie.config import Config
from aie.errors import PluginError
from aie.plain import Json
from aie.testing.bench import Bench
from aie.testing.declared import examine_declared
from aie.testing.findings import Findings
from aie.testing.home import Home
from aie.testing.offered import Offered, ask, installed_or_given
from aie.testing.report import Report
from aie.testing.runs import NOTHING
from aie.testing.scratch import ENVIRONMENT, write_settings
from aie.testing.trials import try_action
from aie.testing.vigils import try_check, try_source


def contract(
    plugin: str | Mapping[str, object],
    *,
    settings: Mapping[str, Any] = NOTHING,
    credentials: Mapping[str, str] = NOTHING,
    prepare: Callable[[Home], object] | None = None,
    state: Callable[[], Json] | None = None,
    stalled: Callable[[], AbstractContextManager[object]] | None = None,
    params: Mapping[str, Callable[[Home], Mapping[str, Json]]] = NOTHING,
    news: Mapping[str, Callable[[Home], object]] = NOTHING,
) -> Report:
    """Examine the plugin, and raise an AssertionError that lists every violation; otherwise the report.

    The arguments are those of :func:`examine`.
    """
    report = examine(
        plugin, settings=settings, credentials=credentials, prepare=prepare, state=state, stalled=stalled,
        params=params, news=news,
    )  # fmt: skip
    if not report.ok:
        raise AssertionError(report.text())
    return report


def examine(
    plugin: str | Mapping[str, object],
    *,
    settings: Mapping[str, Any] = NOTHING,
    credentials: Mapping[str, str] = NOTHING,
    prepare: Callable[[Home], object] | None = None,
    state: Callable[[], Json] | None = None,
    stalled: Callable[[], AbstractContextManager[object]] | None = None,
    params: Mapping[str, Callable[[Home], Mapping[str, Json]]] = NOTHING,
    news: Mapping[str, Callable[[Home], object]] = NOTHING,
) -> Report:
    """What the plugin says of itself and how it behaves, check by check, without raising.

    ``plugin`` is the name of an installed one, or a mapping from its name to its object. ``settings`` and
    ``credentials`` are its own; no secret among the latter may appear in what the plugin writes or says.

    Without ``state`` nothing of the plugin is carried out but its hooks. With it every action is tried with its example
    against the stand-in of the service that the settings lead to: ``state`` gives what that stand-in has, as plain
    data, so that it can be seen that nothing was touched, or nothing twice. ``stalled`` makes a context in which the
    stand-in takes connections and never answers, or that gives settings which lead to where nobody does: see
    :func:`silent_port`. ``prepare`` is called with each new Home, before anything is tried in
    it, and ``params`` has, by action, what to try it with instead of its example: a function that makes what the
    parameters name, in the stand-in or the vault, and gives them. ``news`` has, by source, what makes something happen
    that the source should tell of; it is called after the source has looked for the first time.
    """
    name, thing = installed_or_given(plugin)
    findings = Findings()
    with tempfile.TemporaryDirectory(prefix="aie-") as folder:
        vault = write_settings(Path(folder), plugin, {name: settings} if settings else {}, "Europe/Berlin")
        config = Config.load(vault.resolve(), ENVIRONMENT)
        offered = ask(name, thing, config, findings)
    if offered is not None:
        examine_declared(offered, frozenset(handler.name for handler in aie_action_handlers(None)), findings)
        if state is None:
            findings.not_tried("behaviour", f"plugin {name}", "no state was given: nothing was carried out")
        else:
            bench = Bench(name, plugin, settings, credentials, prepare, state, stalled, params, news)
            _examine_behaviour(offered, bench, findings)
    return Report(name, tuple(findings.checks))


def _examine_behaviour(offered: Offered, bench: Bench, findings: Findings) -> None:
    whole = f"plugin {offered.name}"
    try:
        with bench.home() as home:
            secrets = bench.secrets(home)
    except PluginError as error:  # an element is not right: aie refuses the plugin as a whole
        findings.not_tried("behaviour", whole, error.message)
        return
    if not secrets and offered.items["aie_connections"]:
        findings.not_tried("secrets", whole, "no credentials were given")
    if bench.stalled is None:
        findings.not_tried("timeout", whole, "no stalled was given, so nothing was kept waiting")
    for handler in offered.actions:
        try_action(bench, handler, findings)
    for source in offered.sources:
        try_source(bench, source, findings)
    for item in (*offered.items["aie_connections"], *offered.items["aie_inspections"]):
        try_check(bench, item, findings)
