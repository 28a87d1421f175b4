"""Every error aie raises on purpose, classed by who has to act.

Each carries three parts: what is wrong (``str(error)``), where (``where``) and what to do next (``hint``).
"""

from __future__ import annotations


class AieError(Exception):
    """What is wrong, where, and the next thing to do."""

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        return self.message

    def as_dict(self) -> dict[str, str]:
        """The parts that are set, for ``--json`` output and the journal."""
        parts = {"error": self.message, "where": self.where, "hint": self.hint}
        return {name: text for name, text in parts.items() if text}


# --- the author of a workflow acts -------------------------------------------------------------------------------


class DefinitionError(AieError):
    """A workflow file that cannot be used: where says file, step and field."""


class ConditionError(AieError):
    """A condition that is not allowed, or that failed for this event. An error is never the same as "false"."""


class TemplateError(AieError):
    """A template that is not allowed, or that names a value which is not there."""


class ParameterError(AieError):
    """Parameters an action cannot take, found before anything was done."""


# --- the operator acts -------------------------------------------------------------------------------------------


class ConfigError(AieError):
    """``aie.toml`` or the environment says something aie cannot use."""


class PluginError(AieError):
    """A plugin is missing, broken, or two of them offer the same thing."""


class JournalError(AieError):
    """The journal cannot be read or written.

    ``passing`` when it may work again without anybody mending the file; ``damaged`` when the file itself is not whole,
    and nothing more may be built on it.
    """

    def __init__(
        self, message: str, *, where: str = "", hint: str = "", passing: bool = False, damaged: bool = False
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.passing = passing
        self.damaged = damaged


class BusyError(AieError):
    """Another engine holds this state folder."""


class NotFoundError(AieError):
    """Nothing has the name or id that was given."""


class RefusedError(AieError):
    """What a person asked for cannot be done as things stand."""


class EventError(AieError):
    """An event that is not acceptable data: not JSON, too large, too deep, or without an id."""


# --- what an action handler raises: did it happen, and is another attempt worth making? ---------------------------


class ActionError(AieError):
    """It did not happen, and trying again would not help."""


class RetryableError(ActionError):
    """It did not happen, and another attempt may succeed, after ``retry_after_s`` seconds if the service said so."""

    def __init__(self, message: str, *, retry_after_s: float | None = None, where: str = "", hint: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.retry_after_s = retry_after_s


class UncertainError(ActionError):
    """It may have happened: the answer was lost after the request had left."""
