"""aie, through its public API, as a user would run it: logs and audit files on, sources and channels at work."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from aie import ActionContext, ActionHandler, AsyncOrchestrator, Effect, Event, hookimpl
from tests.bench import work
from tests.bench.child import load_options
from tests.bench.load import Meter, figures, keep_in_flight

WARM_UP = 100


class Entry(BaseModel):
    """An entry."""

    title: str = Field(description="one line")
    message: str = Field(description="the text")


class Letter(BaseModel):
    """A letter."""

    to: str = Field(description="who gets it")
    subject: str = Field(description="one line")


class Actions:
    """The plugin that the work needs."""

    @hookimpl
    def aie_action_handlers(self, settings: object) -> list[ActionHandler]:
        async def add_entry(params: Entry, context: ActionContext) -> dict[str, Any]:
            return work.add_entry(params.title, params.message)

        async def prepare_letter(params: Letter, context: ActionContext) -> dict[str, Any]:
            return work.prepare_letter(params.to, params.subject)

        return [
            ActionHandler("add_entry", Entry, add_entry, effect=Effect.LOCAL, repeatable=True),
            ActionHandler("prepare_letter", Letter, prepare_letter, effect=Effect.LOCAL, repeatable=True),
        ]


def make_event(number: int) -> Event:
    return Event(
        event_type=work.EVENT_TYPE,
        source=work.SOURCE,
        data=work.event_data(number),
        timestamp="2026-02-09T18:30:00+01:00",
        event_id=work.event_id(number),
    )


class Office:
    """An open vault that takes events and keeps count of how their runs ended."""

    def __init__(self, orchestrator: AsyncOrchestrator) -> None:
        self.orchestrator = orchestrator
        self.ended: Counter[str] = Counter()

    async def process(self, event: Event) -> None:
        result = await self.orchestrator.process_event(event)
        for run in result.runs:
            self.ended[f"{run.workflow_id} {run.status}"] += 1

    @property
    def commits(self) -> int:
        """How often the journal has waited for the disk so far."""
        assert self.orchestrator.engine is not None
        return self.orchestrator.engine.journal.commits


@asynccontextmanager
async def opened(vault: Path, plugins: Mapping[str, object]) -> AsyncIterator[Office]:
    async with AsyncOrchestrator(vault, plugins=plugins, env={}) as orchestrator:
        orchestrator.serve()
        yield Office(orchestrator)


async def run(folder: Path, runs: int, in_flight: int, *, warm_up: int = WARM_UP, settings: str = "") -> dict[str, Any]:
    """Process ``runs`` events; ``drain_s`` is how long the logs and audit files then took to catch up and close."""
    vault = work.make_vault(folder, work.WORKFLOW, settings=f"max_runs = {max(64, in_flight)}\n{settings}")
    async with opened(vault, {"bench": Actions()}) as office:
        await keep_in_flight(office.process, map(make_event, range(warm_up)), in_flight)
        events = [make_event(number) for number in range(warm_up, warm_up + runs)]
        before = office.commits
        with Meter() as meter:
            took_s = await keep_in_flight(office.process, events, in_flight)
        commits = office.commits - before
        with Meter() as drain:
            await office.orchestrator.close()
    expected = {f"{work.WORKFLOW_ID} succeeded": warm_up + runs}
    if office.ended != expected:
        raise SystemExit(f"the runs ended otherwise: {dict(office.ended)} and not {expected}")
    return figures(took_s, meter, commits_per_run=commits / runs, drain_s=drain.wall_s)


def main() -> None:
    options = load_options(default_runs=2_000).parse_args()
    print(json.dumps(asyncio.run(run(options.folder, options.runs, options.in_flight))))


if __name__ == "__main__":
    main()
