"""Handlers that raise, return or do what nobody should: their step feels it, and nothing else does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from aie import ActionContext, ActionHandler, AsyncOrchestrator, Effect, Event, hookimpl
from aie.history import History
from aie.journal_file import look
from aie.run import RunStatus
from tests.aie_home import AieHome
from tests.plugin_dists import write_dist
from tests.stand_ins import Free, make_vault, workflow

Behaviour = Callable[[], Any]


@dataclass
class Odd:
    """The action ``odd``, on the event loop or in a thread of its own, and beside it ``ok``."""

    behave: Behaviour
    threaded: bool

    @hookimpl
    def aie_action_handlers(self, settings: object) -> list[ActionHandler]:
        async def on_the_loop(values: Free, context: ActionContext) -> Any:
            return self.behave()

        def in_a_thread(values: Free, context: ActionContext) -> Any:
            return self.behave()

        run = in_a_thread if self.threaded else on_the_loop
        return [
            ActionHandler("odd", Free, run, effect=Effect.LOCAL, repeatable=True),
            ActionHandler("ok", Free, lambda values, context: None, effect=Effect.LOCAL, repeatable=True),
        ]


def raising(make: Callable[[], BaseException]) -> Behaviour:
    def behave() -> NoReturn:
        raise make()

    return behave


class OwnBaseError(BaseException):
    pass


class SpeechlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("nothing to say")


class Hostile:
    """Whoever asks it anything is told to end."""

    def __getattribute__(self, name: str) -> Any:
        raise SystemExit(9)


class Twofaced(dict[str, Any]):
    """A dict that answers otherwise than it is."""

    def items(self) -> Any:
        raise SystemExit(9)


def endless() -> Any:
    return endless()


def containing_itself() -> Any:
    value: dict[str, Any] = {}
    value["self"] = value
    return value


def counting() -> Iterator[int]:
    yield 1


async def run(tmp_path: Path, behave: Behaviour, threaded: bool) -> dict[str, tuple[RunStatus, str]]:
    """How the run with the odd step and the one beside it ended, as the journal has it after a restart."""
    vault = make_vault(
        tmp_path / "v",
        workflow("odd", {"action_type": "odd", "retry_count": 0}),
        workflow("beside", {"action_type": "ok"}),
    )
    odd = Odd(behave, threaded)
    async with AsyncOrchestrator(vault, plugins={"t": odd}, env={}) as orchestrator:
        event = Event("manual_trigger", "test", {}, event_id="e1")
        await asyncio.wait_for(orchestrator.process_event(event), 10)
    async with AsyncOrchestrator(vault, plugins={"t": odd}, env={}) as orchestrator:
        runs = orchestrator.history.runs()
        return {run.workflow_id: (run.status, (run.error or {}).get("error", "")) for run in runs}


NOT_DATA = "t.odd did its work, but what it returned is not data: result: "


@pytest.mark.parametrize("threaded", [False, True], ids=["on the loop", "in a thread"])
@pytest.mark.parametrize(
    ("behave", "complaint"),
    [
        pytest.param(raising(lambda: OwnBaseError("gone")), "OwnBaseError: gone", id="BaseException"),
        pytest.param(raising(lambda: SystemExit(3)), "SystemExit: 3", id="SystemExit"),
        pytest.param(raising(KeyboardInterrupt), "KeyboardInterrupt: ", id="KeyboardInterrupt"),
        pytest.param(raising(GeneratorExit), "GeneratorExit: ", id="GeneratorExit"),
        pytest.param(raising(MemoryError), "MemoryError: ", id="MemoryError"),
        pytest.param(endless, "RecursionError: maximum recursion depth exceeded", id="RecursionError"),
        pytest.param(raising(SpeechlessError), "SpeechlessError", id="no words"),
        pytest.param(raising(lambda: ValueError("half \ud800 a pair")), "ValueError: half ? a pair", id="half a word"),
        pytest.param(raising(lambda: ValueError("x" * 5_000_000)), "ValueError: xxxxxxxxxx", id="5 MB of words"),
        pytest.param(raising(lambda: BaseExceptionGroup("all", [SystemExit()])), "BaseExceptionGroup: all", id="group"),
        pytest.param(counting, f"{NOT_DATA}the value is of type generator, which is not JSON data", id="generator"),
        pytest.param(containing_itself, f"{NOT_DATA}self.self.self.", id="contains itself"),
        pytest.param(lambda: b"x", f"{NOT_DATA}the value is of type bytes, which is not JSON data", id="bytes"),
        pytest.param(lambda: {"a": "\udcff"}, f"{NOT_DATA}a holds half of a surrogate pair", id="half a character"),
        pytest.param(lambda: {1: 2}, f"{NOT_DATA}the value has a key of type int; keys are text", id="number as key"),
        pytest.param(lambda: 2**64, f"{NOT_DATA}the value is an integer beyond 64 bits", id="large number"),
        pytest.param(lambda: ["x" * 1000] * 50_000, f"{NOT_DATA}", id="50 MB"),
        pytest.param(Hostile, "t.odd did its work, but what it returned is not data", id="hostile"),
    ],
)  # fmt: skip
def test_only_its_step_feels_what_a_handler_raises_or_returns(
    tmp_path: Path, behave: Behaviour, complaint: str, threaded: bool
) -> None:
    found = asyncio.run(run(tmp_path, behave, threaded))
    assert found["beside"] == (RunStatus.SUCCEEDED, "")
    assert found["odd"][0] is RunStatus.FAILED
    assert found["odd"][1].startswith(complaint)
    assert len(found["odd"][1]) < 3_000


@pytest.mark.parametrize("threaded", [False, True], ids=["on the loop", "in a thread"])
@pytest.mark.parametrize(
    ("behave", "kept"),
    [
        pytest.param(lambda: Twofaced(a=1), {"a": 1}, id="a dict of another kind"),
        pytest.param(lambda: "nul \0 byte", "nul \0 byte", id="a nul byte"),
    ],
)
def test_what_is_data_in_the_end_is_kept(tmp_path: Path, behave: Behaviour, kept: Any, threaded: bool) -> None:
    assert asyncio.run(run(tmp_path, behave, threaded))["odd"] == (RunStatus.SUCCEEDED, "")
    history = History(look(tmp_path / "state" / "journal.db"))
    (odd,) = history.runs(workflow_id="odd")
    assert [step.result for step in history.steps(odd.seq)] == [kept]


ROGUE = """
    import os, subprocess, sys
    from pydantic import BaseModel
    from aie.actions import ActionHandler, Effect
    from aie.hookspecs import hookimpl

    class Nothing(BaseModel):
        pass

    print("loading the rogue")

    def talk(params, context):
        print("talking")
        sys.stdout.write("still talking\\n")
        os.write(1, b"talking past python\\n")
        subprocess.run([sys.executable, "-c", "print('talking from a child')"])

    async def chat(params, context):
        print("chatting", flush=True)

    def wander(params, context):
        os.chdir("/")

    def shut(params, context):
        os.closerange(0, 3)

    def action(name, run):
        return ActionHandler(name=name, params=Nothing, run=run, effect=Effect.LOCAL, repeatable=True)

    @hookimpl
    def aie_action_handlers(settings):
        return [action(run.__name__, run) for run in (talk, chat, wander, shut)]
"""


@pytest.fixture
def aie(tmp_path: Path) -> AieHome:
    aie = AieHome(tmp_path).with_vault()
    write_dist(aie.root / "site", "aie-rogue", ROGUE)
    aie.env["PYTHONPATH"] = str(aie.root / "site")
    return aie


NOTE = {"id": "note", "action_type": "create_file", "parameters": {"path": "Out/a.md", "content": "x"}}


def test_what_a_plugin_prints_stays_out_of_what_a_program_reads(aie: AieHome) -> None:
    aie.workflow("w", [{"action_type": "talk"}, {"action_type": "chat"}, NOTE])
    said = aie("run", "w", "--data", "{}", "--json")
    assert said.record["runs"][0]["status"] == "succeeded"
    for words in ("talking", "still talking", "talking past python", "talking from a child", "chatting"):
        assert f"{words}\n" in said.err
    with aie.started("--json") as running:
        aie("run", "w", "--data", "{}")
        running.says('"workflow_execution"')
    assert [json.loads(line)["action"] for line in running.text().splitlines()] == [
        "event_received", "workflow_started", *["action_execution"] * 3, "workflow_execution",
    ]  # fmt: skip


def test_an_action_that_changes_the_folder_or_closes_the_standard_files_breaks_no_other(aie: AieHome) -> None:
    aie.workflow("w", [{"action_type": "wander"}, {"action_type": "shut"}, NOTE])
    said = aie("run", "w", "--data", "{}", "--json", "--vault", ".")
    assert said.record["runs"][0]["status"] == "succeeded"
    assert (aie.vault / "Out" / "a.md").read_text() == "x"
    with aie.started() as running:
        assert "succeeded" in aie("run", "w", "--data", "{}").out
        assert "succeeded" in aie("run", "w", "--data", "{}").out
        running.says("done      w / note (create_file)")
    notes = [path.read_text() for path in (aie.vault / "Out").iterdir()]
    assert set(notes) == {"x"}, "nothing that was printed got into them"
