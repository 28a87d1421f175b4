"""Home: a scratch vault in which an action, a source or a whole workflow can be tried, without a service or a wait."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from aie import machine
from aie.actions import ActionContext, LookUp, Outcome
from aie.config import Config
from aie.connections import Connection, Finding
from aie.credentials import Credentials, CredentialStore
from aie.doctor.services import CONNECTION_WITHIN_S, check_context
from aie.errors import NotFoundError
from aie.events import Event
from aie.plain import Json
from aie.plugins import BoundHandler, Offer, Registry
from aie.templates import TemplateCompiler
from aie.testing.attempts import Attempt, attempt
from aie.testing.background import Background
from aie.testing.clock import MONDAY, FakeClock
from aie.testing.runs import NOTHING, RunView, Works, as_event
from aie.testing.scratch import ENVIRONMENT, Plugins, given_objects, load, names_of, write_settings
from aie.testing.watching import Kept, Meanwhile, Span, Watch, Watched, watch
from aie.workflow import parse_workflow

T = TypeVar("T")
RUN_ID, STEP_ID = "run_1", "action_0"
YEAR = timedelta(days=366)


class Home:
    """A vault of its own under ``folder``, with these plugins and core's, and nothing else that is installed.

    ``plugins`` is the name of an installed plugin, several of them, or a mapping from names to plugin objects.
    ``settings`` and ``credentials`` have a table for each plugin. Use it as a context manager, or call :meth:`close`.
    Raises PluginError when a plugin cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        plugins: Plugins = (),
        *,
        settings: Mapping[str, Mapping[str, Any]] = NOTHING,
        credentials: Mapping[str, Mapping[str, str]] = NOTHING,
        now: datetime = MONDAY,
        timezone: str = "Europe/Berlin",
    ) -> None:
        self._load = partial(_load, folder, plugins, timezone)
        self.vault, self.config, self.registry = self._load(settings)
        self.clock = FakeClock(now, by_hand=True)
        self.names = names_of(plugins)
        self._extra = given_objects(plugins)
        self._store = CredentialStore(self.config.credentials_dir, ENVIRONMENT)
        for name, secrets in credentials.items():
            self.credentials(name).save(secrets)
        self._background = Background()
        self._works: Works | None = None
        self._kept: dict[str, Kept] = {}
        self._events = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the engine, if one is at work."""
        works, self._works = self._works, None
        try:
            if works is not None:
                self._background.wait_for(works.close())
        finally:
            self._background.close()

    def restart(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Begin again with these settings, as aie does. What is stored stays, and how far each source has come."""
        self.close()
        self.vault, self.config, self.registry = self._load(settings)

    def credentials(self, plugin: str) -> Credentials:
        """The plugin's connection: read what it stored, or store what it should find."""
        return self._store.of(plugin)

    def secrets(self, plugin: str) -> dict[str, str]:
        """All that the plugin's connection keeps secret, by name."""
        return dict(self._store.read(plugin).get("secrets", {}))

    def settings(self, plugin: str) -> Any:
        """The plugin's settings as its hooks and actions get them."""
        return self.registry.plugin(plugin).settings

    # --- one action ------------------------------------------------------------------------------------------------

    def run_action(self, name: str, params: Mapping[str, Json] = NOTHING, **context: Any) -> Outcome:
        """Carry out an action once, as the engine does, and give its outcome.

        Raises what the handler raises; ParameterError for parameters it does not take, ActionError for an answer that
        is not JSON, TimeoutError when its time is over. ``context`` has fields of
        :class:`~aie.actions.ActionContext` that shall be different: ``idempotency_key``, ``attempt``, ``timeout_s``.
        """
        return self.attempt(name, params, **context).answer()

    def look_up(self, name: str, params: Mapping[str, Json] = NOTHING, **context: Any) -> LookUp:
        """What the action's look-up says about an attempt with the same idempotency key."""
        bound = self.action(name)
        if bound.handler.look_up is None:
            raise NotFoundError(f"{bound.name} has no look_up", where=bound.name)
        return self.attempt(name, params, look_up=True, **context).found()

    def preview(self, name: str, params: Mapping[str, Json] = NOTHING, **context: Any) -> str:
        """What a person is shown before the action, Markdown; '' without a preview of its own."""
        bound = self.action(name)
        if bound.handler.preview is None:
            return ""
        parsed = bound.handler.params.model_validate(params)
        text = bound.handler.preview(parsed, self.context(bound.plugin, **context))
        return text if isinstance(text, str) else self.wait_for(_awaited(text))

    def attempt(
        self, name: str, params: Mapping[str, Json] = NOTHING, *, look_up: bool = False, **context: Any
    ) -> Attempt:
        """The same call as :meth:`run_action` makes, with whatever came of it; raises only ParameterError."""
        bound = self.action(name)
        return self.wait_for(attempt(bound, dict(params), self.context(bound.plugin, **context), look_up=look_up))

    def action(self, name: str) -> BoundHandler:
        """The action, by ``ACTION`` or ``PLUGIN.ACTION``. Raises PluginError if there is none."""
        return self.registry.handler(name)

    def context(self, plugin: str, **changes: Any) -> ActionContext:
        """What an action of the plugin is given, for a test that calls a function of it directly."""
        known: dict[str, Any] = {
            "run_id": RUN_ID, "step_id": STEP_ID, "workflow_id": "test", "workflow_name": "Test", "event": {},
            "attempt": 1, "idempotency_key": machine.idempotency_key(RUN_ID, STEP_ID), "now": self.clock.now(),
            "timeout_s": 30.0, "timezone": self.config.timezone, "vault": self.vault,
            "settings": self.settings(plugin), "log": logging.getLogger(f"aie.plugin.{plugin}"),
            "credentials": self.credentials(plugin), "cache_dir": self.config.cache_dir(plugin),
        }  # fmt: skip
        return ActionContext(**{**known, **changes})

    def check(self, name: str) -> list[Finding]:
        """What a connection, or an inspection, says to the doctor. It has ten seconds.

        Raises what its check raises, and NotFoundError if nothing of this name has one.
        """
        offers: tuple[Offer[Any], ...] = (*self.registry.connections(), *self.registry.inspections())
        for offer in offers:
            if offer.item.name == name and offer.item.check is not None:
                credentials = self.credentials(name if isinstance(offer.item, Connection) else offer.plugin)
                asked = offer.item.check(check_context(offer, credentials, self.config, self.clock.now()))
                return list(self.wait_for(asyncio.wait_for(asked, CONNECTION_WITHIN_S)))
        raise NotFoundError(
            f"nothing that is named {name!r} can be checked",
            where=name,
            hint=f"there are: {', '.join(offer.item.name for offer in offers)}",
        )

    # --- one source ------------------------------------------------------------------------------------------------

    def run_source(
        self,
        name: str,
        *,
        cursor: Json = None,
        span: timedelta = timedelta(0),
        meanwhile: Meanwhile = NOTHING,
        until: Callable[[list[Event]], object] | None = None,
        within_s: float = 30.0,
    ) -> list[Event]:
        """Let a source work until it has nothing more to do right now, and give the events that were new.

        That is when it goes to sleep on its clock; with a ``span`` the clock moves on and sleeps within it are seen
        through, and ``meanwhile`` has what happens after so long a time: the service goes away, say, and comes back. A
        source that never sleeps, because it waits for the service to speak, is stopped by ``until``, which is asked
        after each emit. The cursor, and which events were told, are kept from one call to the next; ``cursor`` is one
        to go on from instead, such as an earlier version left. Raises what the source raises, and TimeoutError after
        ``within_s`` real seconds.
        """
        if cursor is not None:
            self._kept.setdefault(name, Kept()).cursor = cursor
        found = self.watch(name, span=span, meanwhile=meanwhile, until=until, within_s=within_s)
        if found.overdue:
            raise TimeoutError(
                f"{name} was still at work after {within_s:g} s, with {len(found.events)} new events: "
                "say with until=… when there are enough, or give it longer with within_s=…"
            )
        return found.events

    def watch(
        self,
        name: str,
        *,
        span: timedelta = timedelta(0),
        meanwhile: Meanwhile = NOTHING,
        until: Callable[[list[Event]], object] | None = None,
        within_s: float = 30.0,
    ) -> Watched:
        """The same with how it ended, also when its time was over."""
        return self.wait_for(self._watch(name, span, meanwhile, until, within_s))

    async def _watch(
        self,
        name: str,
        span: timedelta,
        meanwhile: Meanwhile,
        until: Callable[[list[Event]], object] | None,
        within_s: float,
    ) -> Watched:
        offers = {offer.item.name: offer for offer in self.registry.sources()}
        if name not in offers:
            raise NotFoundError(f"no source is named {name!r}", where=name, hint=f"there are: {', '.join(offers)}")
        offer, clock = offers[name], Span(self.clock, span, meanwhile)
        context = Watch(
            source=offer.item, kept=self._kept.setdefault(name, Kept()), settings=offer.settings, vault=self.vault,
            timezone=self.config.timezone, clock=clock, credentials=self.credentials(offer.plugin),
            log=logging.getLogger(f"aie.plugin.{offer.plugin}"), cache_dir=self.config.cache_dir(offer.plugin),
        )  # fmt: skip
        return await watch(offer.item, context, clock.over, until, within_s)

    # --- a workflow ------------------------------------------------------------------------------------------------

    def run_workflow(
        self,
        definition: Mapping[str, Any],
        event: Event | Mapping[str, Any] | None = None,
        *,
        see_through: timedelta = YEAR,
    ) -> RunView:
        """Give the workflow an event (or the data of one of its type), and carry out what follows by the real engine.

        The clock moves on to each timer and retry that is due within ``see_through``, without a wait, until the run has
        ended or asks a person: see :meth:`approve` and :meth:`reject`. Workflows of earlier calls stay, and an event
        starts all that its type triggers. Raises DefinitionError for a workflow that cannot be used.
        """
        text = json.dumps(definition, ensure_ascii=False, indent=2)
        path = self.vault / "workflows" / f"{definition.get('workflow_id', 'test')}.json"
        workflow = parse_workflow(text, TemplateCompiler(), where=path.name)
        path.write_text(text, encoding="utf-8")
        self._events += 1
        happened = as_event(event, workflow.trigger_event, self._events)
        return self._ask(lambda works: works.run(workflow, happened, see_through))

    def approve(
        self,
        what: RunView | str,
        *,
        edits: Mapping[str, Json] = NOTHING,
        comment: str = "",
        see_through: timedelta = YEAR,
    ) -> RunView:
        """Say yes to what a run asks (or to the request with this id), with changes; how its run stands then.

        Raises RefusedError when the changes, or the answer as such, are not accepted.
        """
        approval_id = _request_of(what)
        return self._ask(lambda works: works.decide(approval_id, True, comment, edits, see_through))

    def reject(self, what: RunView | str, *, comment: str = "", see_through: timedelta = YEAR) -> RunView:
        """Say no to what a run asks (or to the request with this id); how its run stands then."""
        approval_id = _request_of(what)
        return self._ask(lambda works: works.decide(approval_id, False, comment, NOTHING, see_through))

    def pass_time(self, **by: float) -> None:
        """Move the clock on by what ``timedelta`` takes, from timer to timer; requests end when their time is over."""
        self._ask(lambda works: works.pass_time(timedelta(**by)))

    def run(self, run: RunView | str) -> RunView:
        """How a run stands now."""
        run_id = run if isinstance(run, str) else run.run_id
        return self.look(lambda works: works.view(run_id))

    def records(self) -> list[dict[str, Json]]:
        """The audit records of all that the engine did here, oldest first."""
        return self.look(lambda works: [record.fields for record in works.history.audit()])

    def look(self, question: Callable[[Works], T]) -> T:
        """What the question finds, asked where the engine works."""

        async def answer(works: Works) -> T:
            return question(works)

        return self._ask(answer)

    def _ask(self, work: Callable[[Works], Coroutine[Any, Any, T]]) -> T:
        async def ask() -> T:
            if self._works is None:
                works = Works(self.vault, self._extra, self.clock)
                await works.open()
                self._works = works
            return await work(self._works)

        return self.wait_for(ask())

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns, run where the plugins' code runs."""
        return self._background.wait_for(work)


def _load(
    folder: Path, plugins: Plugins, timezone: str, settings: Mapping[str, Mapping[str, Any]]
) -> tuple[Path, Config, Registry]:
    vault = write_settings(folder, plugins, settings, timezone).resolve()
    return vault, *load(vault, plugins)


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def _request_of(what: RunView | str) -> str:
    if isinstance(what, str):
        return what
    if len(what.waiting) != 1:
        raise NotFoundError(
            f"the run {what.run_id or what.workflow_id} asks {len(what.waiting)} things, not one",
            where=what.workflow_id,
            hint="name one of them: home.approve(run.waiting[0].approval_id)" if what.waiting else "look at run.steps",
        )
    return what.waiting[0].approval_id
