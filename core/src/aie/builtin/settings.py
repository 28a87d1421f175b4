"""What ``aie.toml`` says about schedules, scripts, logs and approvals: top-level tables, as they are core's own."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from aie.builtin.approval_settings import ApprovalSettings, checked
from aie.cron import cron_problem, zone_problem

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScheduleSettings(_Table):
    """One ``[schedules.NAME]``: emits ``scheduled_trigger`` at the times its cron line says."""

    cron: str = Field(
        description="When it is due: minute hour day month weekday, or @hourly, @daily, @weekly, @monthly, @yearly",
        examples=["0 8 * * 1-5", "@daily"],
    )
    timezone: str | None = Field(
        default=None,
        description="The IANA time zone of the cron line; the vault's when left out",
        examples=["Europe/Berlin"],
    )
    catch_up: Literal["once", "all", "skip"] = Field(
        default="once",
        description="Times that passed while aie was off: one event for the newest, one for each (up to 100), or none",
    )
    enabled: bool = Field(default=True, description="Whether it runs")

    @field_validator("cron")
    @classmethod
    def _cron_line(cls, value: str) -> str:
        return checked(value, cron_problem(value))

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        return value if value is None else checked(value, zone_problem(value))


class ScriptSettings(_Table):
    """One ``[scripts.NAME]``: a program that workflows may run with ``run_script``."""

    path: str = Field(
        min_length=1,
        description="The file: absolute, or relative to the vault and then within it",
        examples=["scripts/backup.sh"],
    )
    sha256: str | None = Field(
        default=None, description="The hex SHA-256 of the file; it is not run when its content is another"
    )
    arguments: bool = Field(default=False, description="Whether workflows may pass arguments to it")
    timeout_s: float | None = Field(
        default=None, gt=0, le=86_400, description="The most seconds it may take, whatever the step says"
    )

    @field_validator("path")
    @classmethod
    def _path(cls, value: str) -> str:
        return checked(value, "the path of a script holds no control characters" if not value.isprintable() else "")

    @field_validator("sha256")
    @classmethod
    def _digest(cls, value: str | None) -> str | None:
        if value is None:
            return None
        text = value.strip().lower().removeprefix("sha256:")
        wrong = not re.fullmatch(r"[0-9a-f]{64}", text)
        return checked(text, f"sha256 is 64 hexadecimal digits, found {value[:80]!r}" if wrong else "")


class CoreSettings(_Table):
    """The tables ``[schedules.NAME]``, ``[scripts.NAME]`` and ``[approvals]``, and the switch ``logs``."""

    schedules: dict[str, ScheduleSettings] = Field(default_factory=dict, description="Named schedules")
    scripts: dict[str, ScriptSettings] = Field(
        default_factory=dict, description="The scripts workflows may run, by name"
    )
    logs: bool = Field(
        default=True, description="Whether Logs/integrations.log and Logs/audit/ are written into the vault"
    )

    approvals: ApprovalSettings = Field(
        default_factory=ApprovalSettings, description="How long requests wait, and the rules about who is asked"
    )

    @field_validator("schedules", "scripts")
    @classmethod
    def _names(cls, tables: dict[str, Any]) -> dict[str, Any]:
        for name in tables:
            wrong = not _NAME.fullmatch(name)
            checked(name, f"a name is 1 to 80 letters, digits, '_', '-' and '.', found {name[:100]!r}" if wrong else "")
        return tables

    @field_validator("logs", mode="before")
    @classmethod
    def _switch(cls, value: Any) -> Any:
        """``[logs] enabled = false`` says the same as ``logs = false``."""
        return value["enabled"] if isinstance(value, dict) and set(value) == {"enabled"} else value
