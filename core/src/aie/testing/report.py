"""A report: what was examined of a plugin, what came of each check, and what is to be done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """What came of a check."""

    OK = "ok"
    FAILED = "failed"
    NOT_TRIED = "not tried"  # the message says why


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``message`` is what is wrong, or why it was not tried; ``hint`` the next step."""

    name: str  # of the rule: descriptions, example, repeat, …
    subject: str  # what was looked at: action post_message
    outcome: Result
    message: str = ""
    hint: str = ""

    def as_dict(self) -> dict[str, str]:
        """For ``--json``: every key is there, whatever the outcome."""
        return {
            "check": self.name, "subject": self.subject, "outcome": str(self.outcome), "message": self.message,
            "hint": self.hint,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one plugin, in the order they were made."""

    plugin: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found that breaks the contract; what was not tried is no finding."""
        return not self.failed

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.outcome is Result.FAILED)

    @property
    def not_tried(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.outcome is Result.NOT_TRIED)

    def text(self) -> str:
        """The findings, a block for each: what, where, the next step. Then what was not tried, a line for each."""
        count = len(self.failed)
        head = f"The plugin {self.plugin!r} keeps to the contract."
        if count:
            head = f"The plugin {self.plugin!r} breaks the contract in {count} place{'s' if count > 1 else ''}."
        blocks = [head, *(_block(check) for check in self.failed)]
        if self.not_tried:
            lines = [f"  {check.name}: {check.subject}: {check.message}" for check in self.not_tried]
            blocks.append("\n".join(["Not tried:", *lines]))
        return "\n\n".join(blocks)


def _block(check: Check) -> str:
    lines = [f"{check.name}: {check.subject}", f"  {check.message}"]
    return "\n".join([*lines, f"  Next: {check.hint}"] if check.hint else lines)
