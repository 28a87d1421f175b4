"""One test for each defect of the system aie replaces."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from aie import AsyncOrchestrator, Effect, Event, RetryableError
from aie.results import EventResult
from aie.run import RunStatus
from tests.stand_ins import Outbox, Scripted, Services, make_vault, workflow


async def emit(vault: Path, event: Event, *plugins: object) -> EventResult:
    named = {f"test{number}": plugin for number, plugin in enumerate(plugins)}
    async with AsyncOrchestrator(vault, plugins=named, env={}) as orchestrator:
        result = await orchestrator.process_event(event)
        await orchestrator.settle()
        return result


def process(vault: Path, event: Event, *plugins: object) -> EventResult:
    return asyncio.run(emit(vault, event, *plugins))


def manual(event_id: str = "e1", **data: Any) -> Event:
    return Event("manual_trigger", "test", data, event_id=event_id)


def test_placeholders_inside_longer_text_are_filled(tmp_path: Path) -> None:
    note = {
        "action_type": "note",
        "parameters": {
            "a": "Invoice {{event.data.number}}: ${{ event.data.amount }}!",
            "b": [{"c": "{{event.data.amount}}"}],
        },
    }
    scripted = Scripted({"note": lambda params, context: None})
    process(make_vault(tmp_path / "v", workflow("w", note)), manual(number="INV-1", amount=750), scripted)
    assert scripted.calls == [("note", {"a": "Invoice INV-1: $750!", "b": [{"c": 750}]}, 1)]


def test_on_success_and_on_failure_are_followed(tmp_path: Path) -> None:
    def fail(params: dict[str, Any], context: Any) -> None:
        raise ValueError("no")

    scripted = Scripted({"ok": lambda params, context: None, "bad": fail})
    definition = workflow(
        "w",
        {"action_type": "ok", "parameters": {"n": 0}, "on_success": "action_2"},
        {"action_type": "ok", "parameters": {"n": 1}},
        {"action_type": "bad", "parameters": {"n": 2}, "on_failure": "rescue"},
        {"action_type": "ok", "parameters": {"n": 3}},
        {"action_type": "ok", "parameters": {"n": 4}, "id": "rescue"},
    )
    result = process(make_vault(tmp_path / "v", definition), manual(), scripted)
    assert [params["n"] for _, params, _ in scripted.calls] == [0, 2, 4]
    assert result.runs[0].status is RunStatus.SUCCEEDED


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_a_timeout_ends_the_attempt(tmp_path: Path, kind: str) -> None:
    import threading  # noqa: PLC0415 - only this test hangs on purpose

    release = threading.Event()

    def hang(params: dict[str, Any], context: Any) -> Any:
        return asyncio.sleep(3600)

    scripted = Scripted({"hang": hang, "ok": lambda params, context: None})
    plugins: list[object] = [scripted]
    action = "hang"
    if kind == "plain":
        from aie import ActionHandler, hookimpl  # noqa: PLC0415
        from tests.stand_ins import Free  # noqa: PLC0415

        class Blocking:
            @hookimpl
            def aie_action_handlers(self, settings: object) -> list[ActionHandler]:
                def block(params: object, context: object) -> None:
                    release.wait(60)

                return [ActionHandler("block", Free, block, effect=Effect.LOCAL, repeatable=True)]

        plugins.append(Blocking())
        action = "block"
    definition = workflow("w", {"action_type": action, "timeout": 0.2, "retry_count": 0}, {"action_type": "ok"})
    try:
        result = process(make_vault(tmp_path / "v", definition), manual(), *plugins)
    finally:
        release.set()
    assert result.runs[0].status is RunStatus.FAILED
    assert result.runs[0].error is not None
    assert result.runs[0].error["error"] == "no answer within 0.2 s"


def test_retry_count_zero_runs_the_step_once(tmp_path: Path) -> None:
    def busy(params: dict[str, Any], context: Any) -> None:
        raise RetryableError("busy")

    scripted = Scripted({"ok": lambda params, context: None, "busy": busy})
    definition = workflow("w", {"action_type": "ok", "retry_count": 0}, {"action_type": "busy", "retry_count": 0})
    result = process(make_vault(tmp_path / "v", definition), manual(), scripted)
    assert [name for name, _, _ in scripted.calls] == ["ok", "busy"]
    assert result.runs[0].status is RunStatus.FAILED


def test_drafts_and_notifications_of_one_second_do_not_overwrite_one_another(tmp_path: Path) -> None:
    definition = workflow(
        "w",
        *({"action_type": "send_notification", "parameters": {"title": "Same", "message": "Same"}} for _ in range(20)),
        *(
            {"action_type": "send_email", "parameters": {"to": "a@b.example", "subject": "Same", "body": f"{number}"}}
            for number in range(20)
        ),
    )
    vault = make_vault(tmp_path / "v", definition)
    process(vault, manual(), Services(Outbox(tmp_path / "outbox")))
    assert len(list((vault / "Inbox").glob("NOTIFICATION_*.md"))) == 20
    assert len(list((vault / "Pending_Approval").glob("EMAIL_*.md"))) == 20


def test_the_same_event_runs_once(tmp_path: Path) -> None:
    scripted = Scripted({"note": lambda params, context: None})
    vault = make_vault(tmp_path / "v", workflow("w", {"action_type": "note"}))

    async def several_times() -> list[EventResult]:
        async with AsyncOrchestrator(vault, plugins={"test": scripted}, env={}) as orchestrator:
            together = await asyncio.gather(*(orchestrator.process_event(manual()) for _ in range(5)))
            return [*together, await orchestrator.process_event(manual())]

    results = asyncio.run(several_times())
    later = process(vault, manual(), scripted)
    assert [result.new for result in [*results, later]].count(True) == 1
    assert len(scripted.calls) == 1


def test_a_condition_cannot_reach_the_operating_system(tmp_path: Path) -> None:
    escape = (
        "().__class__.__base__.__subclasses__()[0].__init__.__globals__['sys'].modules['os'].system('touch pwned') == 0"
    )
    vault = make_vault(
        tmp_path / "v", workflow("w", {"action_type": "wait", "parameters": {"duration": 0}}, trigger_condition=escape)
    )

    async def problems() -> list[str]:
        async with AsyncOrchestrator(vault, env={}) as orchestrator:
            return [error.message for error in orchestrator.library.shelf.problems]

    assert len(asyncio.run(problems())) == 1
    assert process(vault, manual()).runs == ()


def test_a_workflow_cannot_allow_itself_a_script(tmp_path: Path) -> None:
    script = {
        "action_type": "run_script",
        "parameters": {"script": "evil.sh", "allowed_scripts": ["evil.sh"]},
        "retry_count": 0,
    }
    vault = make_vault(tmp_path / "v", workflow("w", script))
    (vault / "evil.sh").write_text("#!/bin/sh\ntouch pwned\n", encoding="utf-8")
    (vault / "evil.sh").chmod(0o755)
    result = process(vault, manual())
    assert result.runs[0].status is RunStatus.FAILED
    assert result.runs[0].error is not None
    assert "evil.sh" in result.runs[0].error["error"]
    assert not (vault / "pwned").exists()


@pytest.mark.parametrize(
    "path", ["../out.md", "/tmp/out.md", "Inbox/../../out.md", "C:\\out.md", "Inbox\\..\\..\\out.md"]
)
def test_a_path_cannot_leave_the_vault(tmp_path: Path, path: str) -> None:
    create = {"action_type": "create_file", "parameters": {"path": path, "content": "x"}, "retry_count": 0}
    vault = make_vault(tmp_path / "v", workflow("w", create))
    result = process(vault, manual())
    assert result.runs[0].status is RunStatus.FAILED
    assert list(tmp_path.rglob("*out.md")) == []


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    vault = make_vault(tmp_path / "v", workflow("good", {"action_type": "wait", "parameters": {"duration": 0}}))
    (vault / "workflows" / "a_broken.json").write_text('{"workflow_id": "x", ', encoding="utf-8")
    (vault / "workflows" / "b_misspelt.json").write_text(
        json.dumps({**workflow("y", {"action_type": "wait"}), "enabeld": True}), encoding="utf-8"
    )

    async def look() -> tuple[list[str], list[str]]:
        async with AsyncOrchestrator(vault, env={}) as orchestrator:
            shelf = orchestrator.library.shelf
            return list(shelf.workflows), [error.hint for error in shelf.problems]

    workflows, hints = asyncio.run(look())
    assert workflows == ["good"]
    assert hints[1] == "did you mean 'enabled'?"
    assert [run.workflow_id for run in process(vault, manual()).runs] == ["good"]


def test_a_condition_that_errors_is_on_record_and_not_just_false(tmp_path: Path) -> None:
    vault = make_vault(
        tmp_path / "v",
        workflow(
            "w", {"action_type": "wait", "parameters": {"duration": 0}}, trigger_condition="event.data.amount > 5"
        ),
    )
    result = process(vault, manual())
    assert [(skip["workflow_id"], skip["failed"]) for skip in result.skipped] == [("w", True)]
    log = (vault / "Logs" / "integrations.log").read_text(encoding="utf-8")
    assert "ERROR - Not triggering workflow: w: " in log


def test_counters_are_not_written_into_the_workflow_file(tmp_path: Path) -> None:
    vault = make_vault(tmp_path / "v", workflow("w", {"action_type": "wait", "parameters": {"duration": 0}}))
    before = (vault / "workflows" / "w.json").read_bytes()

    async def twice() -> tuple[int, bool]:
        async with AsyncOrchestrator(vault, env={}) as orchestrator:
            await orchestrator.process_event(manual("e1"))
            await orchestrator.process_event(manual("e2"))
            view = orchestrator.workflows()["w"]
            return view.execution_count, view.last_executed is not None

    assert asyncio.run(twice()) == (2, True)
    assert (vault / "workflows" / "w.json").read_bytes() == before


def test_an_approval_is_carried_out_when_its_note_is_moved_even_while_aie_was_off(tmp_path: Path) -> None:
    mail = {"action_type": "send_email", "parameters": {"to": "a@b.example", "subject": "Hello", "body": "Hi"}}
    vault = make_vault(tmp_path / "v", workflow("w", mail))
    outbox = Outbox(tmp_path / "outbox")
    result = process(vault, manual(), Services(outbox))
    assert (result.runs[0].status, outbox.sent()) == (RunStatus.ASKING, [])
    (note,) = (vault / "Pending_Approval").glob("EMAIL_*.md")
    (vault / "Approved").mkdir(exist_ok=True)
    note.rename(vault / "Approved" / note.name)

    async def open_again() -> str:
        async with AsyncOrchestrator(vault, plugins={"test0": Services(outbox)}, env={}) as orchestrator:
            await orchestrator.settle()
            return str(orchestrator.history.runs()[0].status)

    assert asyncio.run(open_again()) == "succeeded"
    assert outbox.sent() == [
        {"action": "send_email", "to": "a@b.example", "subject": "Hello", "body": "Hi", "priority": "normal"}
    ]
    assert [path.parent.name for path in vault.rglob(note.name)] == ["Done"]
    asyncio.run(open_again())
    assert len(outbox.sent()) == 1
