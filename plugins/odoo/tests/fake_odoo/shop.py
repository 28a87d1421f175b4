"""A server and the plugin connected to it, for tests to work with."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aie.actions import ActionContext, ActionHandler
from aie.credentials import Credentials, CredentialStore
from aie_odoo import plugin
from aie_odoo.client import Odoo
from aie_odoo.settings import OdooSettings
from fake_odoo.office import API_KEY, PASSWORD, office
from fake_odoo.server import Server

NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)


class Shop:
    """A server, and the plugin connected to it."""

    def __init__(self, version: int, folder: Path) -> None:
        self.version = version
        self.db = office(version)
        self.server = Server(self.db)
        self.folder = folder
        self.secret = API_KEY if version >= 19 else PASSWORD
        self.settings = OdooSettings(
            url=self.server.url, database=self.db.name, user="connector", settle_s=0, timeout_s=5, poll_interval_s=0.1
        )

    @property
    def credentials(self) -> Credentials:
        return CredentialStore(None, {"AIE_ODOO__API_KEY": self.secret}).of("odoo")

    @property
    def odoo(self) -> Odoo:
        return Odoo(self.settings)

    def change(self, **settings: Any) -> None:
        self.settings = self.settings.model_copy(update=settings)

    def context(self, key: str = "k1", **more: Any) -> ActionContext:
        return ActionContext(
            run_id="run_1", step_id="action_0", workflow_id="w", workflow_name="W", event={}, attempt=1,
            idempotency_key=key, now=NOW, timeout_s=30, timezone=ZoneInfo("Europe/Berlin"), vault=self.folder,
            settings=self.settings, log=logging.getLogger("aie.test"), credentials=self.credentials, **more,
        )  # fmt: skip

    def action(self, name: str) -> ActionHandler:
        return next(one for one in plugin.aie_action_handlers(self.settings) if one.name == name)

    def run(self, name: str, /, key: str = "k1", **params: Any) -> dict[str, Any]:
        """What the action says when it is carried out."""
        action = self.action(name)
        return asyncio.run(action.run(action.params.model_validate(params), self.context(key)))

    def look_up(self, name: str, /, key: str = "k1", **params: Any) -> tuple[bool | None, Any]:
        action = self.action(name)
        assert action.look_up is not None
        found = asyncio.run(action.look_up(action.params.model_validate(params), self.context(key)))
        return found.happened, found.result

    def preview(self, name: str, /, **params: Any) -> str:
        action = self.action(name)
        assert action.preview is not None
        shown = action.preview(action.params.model_validate(params), self.context())
        return shown if isinstance(shown, str) else asyncio.run(shown)

    def rows(self, model: str) -> list[dict[str, Any]]:
        return list(self.db.rows[model].values())
