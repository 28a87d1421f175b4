"""Workflow files that change under aie's eyes: the last good version serves, and what runs keeps what it began with."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import pytest

from aie import AsyncOrchestrator, Event
from aie.library import Library
from aie.run import RunStatus
from aie.templates import TemplateCompiler
from tests.stand_ins import ManualClock, Scripted, make_vault, workflow

VERSIONS = 300


def definition(number: int) -> str:
    """Always of the same length."""
    actions = [{"action_type": "note", "parameters": {"n": number % 10}}] * 5
    return json.dumps(workflow("w", *actions, name=f"version {number:05}"))


def house(folder: Path) -> Path:
    """A folder with one workflow file."""
    workflows = folder / "workflows"
    workflows.mkdir()
    (workflows / "w.json").write_text(definition(0), encoding="utf-8")
    return workflows


def test_an_editor_that_writes_in_place_again_and_again_never_takes_the_workflow_away(tmp_path: Path) -> None:
    folder = house(tmp_path)
    library = Library([folder], TemplateCompiler())
    library.refresh()
    for number in range(1, VERSIONS + 1):
        text = definition(number)
        cut = number % len(text)
        with (folder / "w.json").open("w", encoding="utf-8") as file:
            file.write(text[:cut])
            file.flush()
            library.refresh()
            assert library.shelf.workflows["w"].name == f"version {number - 1:05}", "the last good one serves"
            (problem,) = library.shelf.problems
            assert problem.where.startswith(str(folder / "w.json"))
            file.write(text[cut:])
        library.refresh()
        assert (library.shelf.workflows["w"].name, library.shelf.problems) == (f"version {number:05}", ())


@pytest.mark.parametrize("change", ["half written", "deleted", "replaced", "renamed", "emptied"])
def test_what_becomes_of_its_file_does_not_bend_a_run_that_waits_nor_a_restart(tmp_path: Path, change: str) -> None:
    scripted, clock = Scripted({"note": lambda params, context: None}), ManualClock()
    wait = {"action_type": "wait", "parameters": {"duration": 60}}
    vault = make_vault(
        tmp_path / "v", workflow("w", wait, {"action_type": "note", "parameters": {"text": "as it was"}})
    )
    path = vault / "workflows" / "w.json"

    def open_() -> AsyncOrchestrator:
        return AsyncOrchestrator(vault, plugins={"t": scripted}, clock=clock, env={})

    async def main() -> tuple[RunStatus, RunStatus]:
        async with open_() as orchestrator:
            assert orchestrator.engine is not None
            await orchestrator.engine.accept(Event("manual_trigger", "test", {}, event_id="e1"))
            await orchestrator.engine.idle()
            before = orchestrator.history.runs()[0].status
        match change:
            case "half written":
                path.write_bytes(path.read_bytes()[:40])
            case "deleted":
                path.unlink()
            case "replaced":
                path.write_text(json.dumps(workflow("w", {"action_type": "note", "parameters": {"text": "another"}})))
            case "renamed":
                path.rename(path.with_name("other.json"))
            case "emptied":
                path.write_bytes(b"")
        async with open_() as orchestrator:
            assert orchestrator.engine is not None
            clock.move(seconds=61)
            await asyncio.sleep(0.01)
            await orchestrator.engine.idle()
            return before, orchestrator.history.runs()[0].status

    assert asyncio.run(main()) == (RunStatus.WAITING, RunStatus.SUCCEEDED)
    assert [params for _, params, _ in scripted.calls] == [{"text": "as it was"}]


def test_what_is_no_file_is_named_and_holds_nothing_up(tmp_path: Path) -> None:
    folder = house(tmp_path)
    os.mkfifo(folder / "pipe.json")
    (folder / "endless.json").symlink_to("/dev/zero")
    library = Library([folder], TemplateCompiler())
    library.refresh()
    assert list(library.shelf.workflows) == ["w"]
    assert [Path(problem.where).name for problem in library.shelf.problems] == ["endless.json", "pipe.json"]


def test_a_folder_that_cannot_be_read_is_named_and_its_workflows_keep_serving(tmp_path: Path) -> None:
    folder = house(tmp_path)
    library = Library([folder], TemplateCompiler())
    library.refresh()
    folder.rename(tmp_path / "away")
    folder.write_text("not a folder")
    library.refresh()
    assert [problem.where for problem in library.shelf.problems] == [str(folder)]
    assert list(library.shelf.workflows) == ["w"]


def test_an_edit_in_the_same_moment_and_of_the_same_length_is_seen(tmp_path: Path) -> None:
    folder = house(tmp_path)
    path, now_ns = folder / "w.json", time.time_ns()
    library = Library([folder], TemplateCompiler())
    for number in (1, 2):
        with path.open("r+", encoding="utf-8") as file:
            file.write(definition(number))
        os.utime(path, ns=(now_ns, now_ns))
        library.refresh()
    assert library.shelf.workflows["w"].name == "version 00002"
