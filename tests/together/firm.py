"""A small firm for the cookbook: a vault connected to a mailbox, an Odoo and a LinkedIn on this machine."""

from __future__ import annotations

import contextlib
import sys
from functools import reduce
from pathlib import Path
from typing import Any

from aie.history import History
from aie.journal_file import look
from plugins.linkedin.tests.linkedin_server import TOKEN
from tests.aie_home import AieHome, until
from tests.demo_services import Services
from tests.together.cookbook import Recipe

sys.path.insert(0, str(Path(__file__).parents[2] / "plugins" / "odoo" / "tests"))  # for `from fake_odoo.shop import …`

from fake_odoo import office, rules
from fake_odoo.shop import Shop

__all__ = ["ENDED", "Firm", "Shop", "office", "rules", "save"]

ENDED = ("succeeded", "failed", "cancelled", "rejected")


def save(recipe: Recipe, home: AieHome, **changes: str) -> None:
    """Everything that the page has one save and set; ``changes`` as the page proposes them, old text to new."""
    for name, text in recipe.files.items():
        assert [old for old in changes if old not in text] == []
        changed = reduce(lambda so_far, change: so_far.replace(*change), changes.items(), text)
        path = home.vault / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(changed, encoding="utf-8")
    (home.vault / "aie.toml").write_text(recipe.settings, encoding="utf-8")


class Firm:
    """A vault connected to a mailbox, an Odoo and a LinkedIn on this machine, with one recipe in it."""

    def __init__(self, aie: AieHome, outside: Services, odoo: Shop) -> None:
        self.aie, self.outside, self.odoo = aie, outside, odoo
        self.vault = aie.vault
        tables = {
            "gmail": {**outside.gmail.settings, "poll_interval_s": 1},
            "linkedin": {**outside.linkedin.settings, "scan_interval_s": 0.2},
            "odoo": {
                "url": odoo.server.url, "database": odoo.db.name, "user": "connector", "poll_interval_s": 0.2,
                "settle_s": 0, "api_key": odoo.secret,
            },
            "vault": {"scan_interval_s": 0.2},
        }  # fmt: skip
        for plugin, settings in tables.items():
            aie.env |= {f"AIE_{plugin}__{name}".upper(): str(value) for name, value in settings.items()}
        outside.remember_consent(aie.state / "credentials")
        aie("connect", "linkedin", "--set", "how=token", "--set", "client_id=", stdin=f"{TOKEN}\n")

    def use(self, name: str, **changes: str) -> Recipe:
        recipe = Recipe(name)
        save(recipe, self.aie, **changes)
        return recipe

    def looks_at_mail(self) -> None:
        """Wait until mail that comes in from now on is news."""
        until(
            lambda: any(call.startswith("GET /history") for call in self.outside.gmail.calls), "aie to watch the mail"
        )

    def looks_at_invoices(self) -> None:
        until(lambda: self.odoo.server.called("account.move.search_read") > 1, "the first looks into Odoo")

    def looks_at_files(self) -> None:
        """Wait until files that come from now on are news."""
        (self.vault / "Inbox").mkdir(exist_ok=True)
        until(lambda: self._cursor("vault.files"), "the first look into the folders")

    def _cursor(self, source: str) -> object:
        with contextlib.closing(look(self.aie.state / "journal.db")) as journal:
            return History(journal).cursor(f"source:{source}")

    def notes(self, pattern: str) -> list[Path]:
        return sorted(self.vault.glob(pattern))

    def request(self, kind: str) -> Path:
        return until(lambda: self.notes(f"Pending_Approval/{kind}_*.md"), f"the request {kind}")[0]

    def decide(self, note: Path, folder: str = "Approved") -> None:
        """Move the note, and wait until it is filed."""
        filed = {"Approved": "Done", "Rejected": "Rejected"}[folder]
        note.rename(self.vault / folder / note.name)
        path = self.vault / filed / note.name
        until(
            lambda: path.exists() and "\naie_status: pending\n" not in path.read_text(), "the decision to be taken up"
        )

    def runs(self) -> list[dict[str, Any]]:
        return self.aie("runs", "list", "--json").records

    def show(self, run_id: str) -> dict[str, Any]:
        return self.aie("runs", "show", run_id, "--json").record

    def ended(self) -> dict[str, str]:
        """The steps of the only run once it has ended, and what became of each."""
        (run,) = until(self.runs, "the run")
        until(lambda: self.show(run["run_id"])["status"] in ENDED, "the run to end")
        return {step["step_id"]: step["status"] for step in self.show(run["run_id"])["steps"]}

    @property
    def sent(self) -> list[tuple[str, str, str]]:
        """To, subject and text of each mail that left the house."""
        return [
            (mail["To"], mail["Subject"], mail.get_body(("plain",)).get_content().replace("\r\n", "\n"))  # type: ignore[union-attr]
            for mail in self.outside.gmail.sent
        ]
