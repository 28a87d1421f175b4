"""Equipment: what is known of the actions that are installed, and what each gets to know about its attempt."""

from __future__ import annotations

from pathlib import Path

from msgspec import structs

from aie import machine
from aie.act import BoundTraits, Judge
from aie.actions import ActionContext
from aie.config import Config
from aie.credentials import Credentials, CredentialStore
from aie.machine import Call, CallOutcome, Failure, Unknown
from aie.plugins.registry import Registry
from aie.run import Run
from aie.workflow import Step


class Equipment:
    """Looked up once for each action and each plugin."""

    judge: Judge  # is set before the first action is asked for

    def __init__(self, config: Config, registry: Registry, credentials: CredentialStore) -> None:
        self._config = config
        self._registry = registry
        self._credentials = credentials
        self._traits: dict[str, BoundTraits] = {}
        self._belongings: dict[str, tuple[Credentials, Path]] = {}  # of each plugin; the path is its cache

    def traits_of(self, action_type: str) -> BoundTraits:
        """Raises PluginError when the action is not there."""
        traits = self._traits.get(action_type)
        if traits is None:
            traits = self._traits[action_type] = BoundTraits(self._registry.handler(action_type), self.judge)
        return traits

    def known(self, action_type: str) -> BoundTraits | None:
        """The traits of an action that was asked for before."""
        return self._traits.get(action_type)

    def context_of(self, run: Run, step: Step, traits: BoundTraits, call: Call | None = None) -> ActionContext:
        """What an action may know: about an attempt at a step, or, without a call, before there is one."""
        record = run.steps.get(step.index)
        credentials, cache_dir = self._belongings_of(traits.bound.plugin)
        return ActionContext(
            run_id=run.run_id,
            step_id=step.id,
            workflow_id=run.workflow.workflow_id,
            workflow_name=run.workflow.name,
            event=run.event,
            attempt=call.attempt if call else 0,
            idempotency_key=call.key if call else machine.idempotency_key(run.run_id, step.id),
            now=run.reached_at(step),
            timeout_s=step.timeout_s,
            timezone=self._config.timezone,
            vault=self._config.vault,
            settings=traits.bound.settings,
            log=traits.log,
            approval=record.approval if record else None,
            credentials=credentials,
            cache_dir=cache_dir,
        )

    def _belongings_of(self, plugin: str) -> tuple[Credentials, Path]:
        found = self._belongings.get(plugin)
        if found is None:
            found = self._belongings[plugin] = self._credentials.of(plugin), self._config.cache_dir(plugin)
        return found

    def masked(self, outcome: CallOutcome) -> CallOutcome:
        """The outcome with no secret in what it says went wrong: services like to quote what they were sent."""
        if not isinstance(outcome, (Failure, Unknown)):
            return outcome
        error = {name: self._credentials.masked(text) for name, text in outcome.error.items()}
        return structs.replace(outcome, error=error)
