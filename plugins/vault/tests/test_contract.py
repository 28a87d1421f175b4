"""The plugin keeps the contract of plugins; its service is the vault itself."""

from __future__ import annotations

import itertools

from aie.testing import Home, contract


def test_the_vault_keeps_the_contract_of_plugins():
    numbers = itertools.count(1)

    def a_file(home: Home) -> dict[str, str]:
        file = home.vault / "Inbox" / f"offer {next(numbers)}.md"
        file.parent.mkdir(exist_ok=True)
        file.write_text("An offer\n", encoding="utf-8")
        return {"path": f"Inbox/{file.name}", "folder": "Archive"}

    report = contract(
        "vault",
        settings={"native_watching": False},
        state=dict,
        params={"move_file": a_file},
        news={"vault.files": drop_a_file},
    )
    assert [(check.name, check.subject, check.message) for check in report.not_tried] == [
        ("timeout", "plugin vault", "no stalled was given, so nothing was kept waiting"),
    ]


def drop_a_file(home: Home) -> None:
    (home.vault / "Inbox").mkdir(exist_ok=True)
    (home.vault / "Inbox" / "INVOICE_example-ltd.md").write_text("# Invoice\n", encoding="utf-8")
