"""Silence is news: what should have run and did not, and connections that end or do not work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aie import AsyncOrchestrator, Event
from aie.approvals import Notice
from aie.config import Config
from aie.credentials import ConnectionRecord
from aie.definition import FileError, parse_definition
from aie.durations import expected_s
from aie.lint import lint
from aie.lookout import LOOK_S
from aie.plugins import Registry
from aie.templates import TemplateCompiler
from aie.workflow import parse_workflow
from tests.stand_ins import MONDAY, ManualClock, make_vault, workflow

NOTE = {"action_type": "send_notification", "parameters": {"title": "x", "message": "y"}}


# --- expect -------------------------------------------------------------------------------------------------------


def test_expect_is_a_length_of_time() -> None:
    assert [expected_s(text) for text in ("every 1d", "every 90 minutes", "Every 1 hour 30 min")] == [
        86_400,
        5_400,
        5_400,
    ]


@pytest.mark.parametrize("text", ["1d", "every", "every day", "daily", "every 5s", "every 2000d", "every -1d"])
def test_anything_else_is_an_error_that_shows_how(text: str) -> None:
    with pytest.raises(FileError) as found:
        definition_of(text)
    assert found.value.where == "w.json, expect"


def definition_of(expect: str | None, **fields: Any) -> Any:
    return parse_definition(json.dumps(workflow("w", NOTE, expect=expect, **fields)), where="w.json")


def test_what_is_expected_does_not_make_another_workflow_of_it() -> None:
    assert definition_of("every 1d").content() == definition_of(None).content() == definition_of("every 2d").content()


@pytest.mark.parametrize(("cron", "findings"), [("0 8 * * *", 0), ("0 8 * * 1-5", 1), ("*/5 * * * *", 0)])
def test_a_schedule_that_is_rarer_than_what_is_expected_is_warned_of(tmp_path: Path, cron: str, findings: int) -> None:
    make_vault(tmp_path)
    text = json.dumps(workflow("w", NOTE, trigger="scheduled_trigger", schedule=cron, expect="every 1 day 2h"))
    found = lint(parse_workflow(text, TemplateCompiler(), where="w.json"), registry(tmp_path))
    assert [one.where for one in found] == ["w.json, expect"] * findings


def registry(vault: Path) -> Registry:
    return Registry.load(Config.load(vault, {}))


# --- in a vault that is served ------------------------------------------------------------------------------------


class Watch:
    """A vault with a clock of its own; ``notices`` are those that time makes."""

    def __init__(self, folder: Path, *workflows: dict[str, Any]) -> None:
        self.vault = make_vault(folder / "vault", *workflows)
        self.clock = ManualClock()

    def __call__(self, work: Callable[[AsyncOrchestrator], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            async with AsyncOrchestrator(self.vault, env={"AIE_KEYRING": "off"}, clock=self.clock) as orchestrator:
                orchestrator.serve()
                await self.pass_by()
                return await work(orchestrator)

        return asyncio.run(main())

    async def pass_by(self, **by: float) -> None:
        """Let time pass, a look at a time, and everybody take notice."""
        left = timedelta(**by)
        while True:
            for _ in range(20):
                await asyncio.sleep(0.002)
            if left <= timedelta():
                return
            step = min(left, timedelta(hours=6))
            self.clock.move(seconds=step.total_seconds())
            left -= step

    def notices(self, orchestrator: AsyncOrchestrator) -> list[Notice]:
        assert orchestrator.channels is not None
        desks = [desk for _, desk in orchestrator.channels._channels]
        return list(desks[0].notices())

    def notes(self) -> list[tuple[str, str]]:
        """(title, status) of the notes in the Inbox."""
        found = []
        for path in sorted((self.vault / "Inbox").glob("ATTENTION_*")) if (self.vault / "Inbox").exists() else []:
            lines = path.read_text().splitlines()
            found.append((lines[2].removeprefix("title: "), lines[4].removeprefix("aie_status: ")))
        return found


DAILY = workflow("daily", NOTE, expect="every 1d")


def event(number: int) -> Event:
    return Event("manual_trigger", "t", {}, event_id=f"e{number}")


def test_a_workflow_that_has_not_run_for_so_long_makes_a_note_once_and_running_settles_it(tmp_path: Path) -> None:
    watch = Watch(tmp_path, DAILY, workflow("free", NOTE), workflow("off", NOTE, expect="every 1h", enabled=False))

    async def main(orchestrator: AsyncOrchestrator) -> None:
        await watch.pass_by(hours=23)
        assert watch.notices(orchestrator) == []
        await watch.pass_by(hours=2)
        (notice,) = watch.notices(orchestrator)
        assert (notice.title, notice.commands) == (
            "daily has not run (every 1d)", (("What keeps it", "aie why-not daily"), ("Run it now", "aie run daily")),
        )  # fmt: skip
        assert notice.text == "It has not run since 2026-02-09 18:30, and is expected every 1d."
        await watch.pass_by(days=3)
        assert watch.notices(orchestrator) == [notice]
        await orchestrator.settle()
        assert watch.notes() == [('"daily has not run (every 1d)"', "open")]
        await orchestrator.process_event(event(1))
        await watch.pass_by(seconds=LOOK_S)
        await orchestrator.settle()
        assert watch.notices(orchestrator) == []
        assert watch.notes() == [('"daily has not run (every 1d)"', "settled")]
        await watch.pass_by(hours=25)
        (again,) = watch.notices(orchestrator)
        assert again.text.startswith("It last ran on 2026-02-13 ")

    watch(main)


def test_after_a_time_off_what_is_due_may_run_first(tmp_path: Path) -> None:
    watch = Watch(tmp_path, DAILY)

    async def run(orchestrator: AsyncOrchestrator) -> None:
        await orchestrator.process_event(event(1))
        await watch.pass_by(hours=1)

    async def late(orchestrator: AsyncOrchestrator) -> None:
        assert watch.notices(orchestrator) == []
        await watch.pass_by(minutes=9)
        assert watch.notices(orchestrator) == []
        await watch.pass_by(minutes=3)
        (notice,) = watch.notices(orchestrator)
        assert "aie was off from 2026-02-09 18:30 to 2026-02-12 19:30." in notice.text

    async def a_command(orchestrator: AsyncOrchestrator) -> None:
        assert len(watch.notices(orchestrator)) == 1

    watch(run)
    watch.clock.move(days=3)
    watch(late)
    watch.clock.move(hours=1)
    watch(a_command)
    assert watch.notes() == [('"daily has not run (every 1d)"', "open")]


def test_a_workflow_that_is_switched_off_is_not_expected(tmp_path: Path) -> None:
    watch = Watch(tmp_path, DAILY)

    async def main(orchestrator: AsyncOrchestrator) -> None:
        await watch.pass_by(hours=30)
        assert len(watch.notices(orchestrator)) == 1
        await orchestrator.switch("daily", False, by="Kim")
        await watch.pass_by(hours=1)
        assert watch.notices(orchestrator) == []
        await orchestrator.switch("daily", True, by="Kim")
        await watch.pass_by(hours=23)
        assert watch.notices(orchestrator) == []

    watch(main)


# --- connections --------------------------------------------------------------------------------------------------


def test_a_connection_that_ends_is_told_of_three_times_ahead_and_when_it_has_ended(tmp_path: Path) -> None:
    watch = Watch(tmp_path)

    async def main(orchestrator: AsyncOrchestrator) -> None:
        mail = orchestrator.credentials.of("mail")
        mail.save({"token": "t"}, ConnectionRecord("kim@example.com", MONDAY, MONDAY + timedelta(days=15)))
        seen = []
        for _ in range(17):
            seen.append(
                [(one.title, (MONDAY + timedelta(days=15) - one.since).days) for one in watch.notices(orchestrator)]
            )
            await watch.pass_by(days=1)
        title, ended = "The connection mail ends on 2026-02-24", "The connection mail ended on 2026-02-24"
        ahead = [(title, 14), (title, 7), (title, 1), (ended, 0)]
        assert seen == [[], *[ahead[:1]] * 7, *[ahead[:2]] * 6, ahead[:3], *[ahead] * 2]
        mail.note(connected_at=watch.clock.now(), expires_at=watch.clock.now() + timedelta(days=10))
        assert watch.notices(orchestrator) == [], "it is new, though it lasts for ten days only"

    watch(main)


def test_a_connection_that_does_not_work_is_told_of_until_it_does(tmp_path: Path) -> None:
    watch = Watch(tmp_path)

    async def main(orchestrator: AsyncOrchestrator) -> None:
        mail = orchestrator.credentials.of("mail")
        mail.save({"token": "hidden-token"}, ConnectionRecord("kim@example.com"))
        await watch.pass_by(hours=1)
        assert watch.notices(orchestrator) == []
        mail.note(trouble="the service refused hidden-token")
        await watch.pass_by(hours=1)
        (notice,) = watch.notices(orchestrator)
        assert (notice.title, notice.text) == ("The connection mail does not work", "the service refused ‹redacted›")
        assert notice.commands[0] == ("Connect anew", "aie connect mail")
        await watch.pass_by(hours=5)
        assert watch.notices(orchestrator) == [replace(notice)]
        mail.note(trouble="")
        await watch.pass_by(hours=1)
        assert watch.notices(orchestrator) == []

    watch(main)


def test_credentials_that_cannot_be_read_are_trouble_and_stop_nothing(tmp_path: Path) -> None:
    watch = Watch(tmp_path, DAILY)

    async def main(orchestrator: AsyncOrchestrator) -> None:
        folder = orchestrator.config.credentials_dir
        folder.mkdir(parents=True)
        (folder / "mail.json").write_text("{")
        (folder / "book.json").write_text('{"record": {"expires_at": "2026-02-10T00:00:00"}}')
        (folder / "chat.json").write_text('{"record": {"expires_at": "soon"}}')
        await watch.pass_by(hours=1)
        assert [one.title for one in watch.notices(orchestrator)] == [
            *["The connection book ends on 2026-02-10"] * 3, "The connection chat does not work",
            "The connection mail does not work",
        ]  # fmt: skip

    watch(main)
