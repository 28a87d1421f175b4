"""Notices as notes in the Inbox: written once, and settled when their matter is."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from aie.approvals import Notice
from aie.files import Files
from aie_vault.notices import NoticeChannel
from aie_vault.settings import VaultSettings

BERLIN = ZoneInfo("Europe/Berlin")
NOTICE = Notice(
    notice_id="uncertain/run_1/mail/1",
    title="Did send_email happen? invoice_to_email waits",
    text="send_email was under way when aie stopped; `= dv.pages()` and <% tp %> came with it",
    commands=(("It happened", "aie runs resolve run_1 mail --happened"),),
    since=dt.datetime(2026, 2, 9, 17, 30, tzinfo=dt.UTC),
)


@dataclass
class Desk:
    vault: Path
    open: list[Notice] = field(default_factory=list)
    revision: int = 1
    timezone: ZoneInfo = BERLIN
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("aie.test"))

    def notices(self) -> list[Notice]:
        return self.open


def sync(channel: NoticeChannel, desk: Desk) -> dict[str, str]:
    desk.revision += 1
    asyncio.run(channel.sync(desk))  # type: ignore[arg-type]
    inbox = desk.vault / "Inbox"
    return {path.name: path.read_text() for path in sorted(inbox.iterdir())} if inbox.exists() else {}


def test_a_notice_is_a_note_that_says_what_to_do_and_does_nothing_by_itself(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [NOTICE])
    notes = sync(NoticeChannel(VaultSettings(), Files()), desk)
    ((name, text),) = notes.items()
    assert name.startswith("ATTENTION_20260209_183000_Did-send_email-happen")
    assert text == (
        '---\naie_type: notice\ntitle: "Did send_email happen? invoice_to_email waits"\n'
        "since: 2026-02-09T18:30:00\naie_status: open\n---\n\n"
        "# Did send_email happen? invoice_to_email waits\n\n"
        "send_email was under way when aie stopped; \\`= dv.pages()\\` and &lt;% tp %> came with it\n\n"
        "It happened:\n\n```text\naie runs resolve run_1 mail --happened\n```\n"
    )


def test_the_note_says_when_its_matter_is_settled_and_keeps_what_a_person_wrote(tmp_path: Path) -> None:
    desk, channel = Desk(tmp_path, [NOTICE]), NoticeChannel(VaultSettings(), Files())
    (name,) = sync(channel, desk)
    with (tmp_path / "Inbox" / name).open("a") as file:
        file.write("\nI asked Kim.\n")
    desk.open.clear()
    (text,) = sync(channel, desk).values()
    assert "aie_status: settled\n" in text
    assert text.endswith("I asked Kim.\n\nSettled; nothing is left to do here.\n")
    assert sync(channel, desk) == {name: text}, "once"


def test_a_note_that_was_taken_away_comes_again_only_after_a_restart(tmp_path: Path) -> None:
    desk, channel = Desk(tmp_path, [NOTICE]), NoticeChannel(VaultSettings(), Files())
    (name,) = sync(channel, desk)
    (tmp_path / "Inbox" / name).unlink()
    assert sync(channel, desk) == {}
    assert list(sync(NoticeChannel(VaultSettings(), Files()), desk)) == [name]


def test_what_was_settled_while_aie_was_off_is_settled_at_the_next_start(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [NOTICE])
    sync(NoticeChannel(VaultSettings(), Files()), desk)
    desk.open.clear()
    (text,) = sync(NoticeChannel(VaultSettings(), Files()), desk).values()
    assert "aie_status: settled\n" in text


def test_without_anything_to_tell_no_inbox_is_made(tmp_path: Path) -> None:
    assert sync(NoticeChannel(VaultSettings(), Files()), Desk(tmp_path)) == {}
    assert not (tmp_path / "Inbox").exists()
