"""The page on approvals, with real mail: one mail leaves, with the change in it that a person made in the note."""

from __future__ import annotations

from pathlib import Path

from aie.credentials import ConnectionRecord, CredentialStore
from plugins.gmail.tests.gmail_server import ACCOUNT, GmailServer
from tests.pages import ROOT, run


def test_a_draft_that_was_changed_and_moved_while_aie_was_off_is_sent_once_with_the_change(tmp_path: Path) -> None:
    with GmailServer() as gmail:
        store = CredentialStore(tmp_path / "state" / "credentials", {"AIE_KEYRING": "off"})
        store.of("gmail").save(gmail.secrets, ConnectionRecord(account=ACCOUNT))
        settings = {f"AIE_GMAIL__{name.upper()}": str(value) for name, value in gmail.settings.items()}
        run(
            ROOT / "docs" / "approvals.md",
            tmp_path,
            AIE_STATE_DIR=str(tmp_path / "state"),
            AIE_KEYRING="off",
            **settings,
        )
        (mail,) = gmail.sent
    body = mail.get_body(("plain",))
    assert (mail["To"], mail["Subject"]) == ("kim@example.com", "Thank you")
    assert body is not None
    assert body.get_content().splitlines() == ["Dear Kim,", "", "thank you for your order. It leaves today."]
